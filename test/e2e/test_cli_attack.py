"""safawinet attack: saying that logins are under attack, and that they are not."""

import pytest

from harness.cli import Cli


@pytest.fixture
def cli(tmp_path, shared_server) -> Cli:
    return Cli(tmp_path / "home", shared_server).log_in(shared_server)


def test_an_order_is_shown_with_its_reason_and_its_end_and_taken_back(cli, shared_server):
    shown = cli.ok("attack", "on", "--reason", "A botnet tries leaked passwords", "--for", "2h")
    assert "Under attack  yes" in shown
    assert "A botnet tries leaked passwords" in shown
    state = cli.json("attack", "show", "--json")
    assert state["isUnderAttack"] is True and state["state"] == "on"
    assert state["expiresAt"] > state["orderedAt"]
    assert "Under attack  no" in cli.ok("attack", "off", "--reason", "A load test")
    assert cli.json("attack", "auto", "--reason", "Done", "--json")["state"] == "auto"




@pytest.mark.parametrize("arguments", [
    ("on",),
    ("on", "--reason", ""),
    ("on", "--reason", "x", "--for", "soon"),
    ("on", "--reason", "x", "--for", "1s"),
    ("auto", "--reason", "x", "--for", "2h"),
    ("panic", "--reason", "x"),
])
def test_an_order_that_is_not_right_is_refused(cli, arguments):
    done = cli.run("attack", *arguments)
    assert done.returncode in (1, 2)
    assert done.stderr and not done.stdout
    assert "expires-in" not in done.stderr
    assert cli.json("attack", "show", "--json")["isUnderAttack"] is False
