"""The record from the command line: listing, verifying, exporting, erasing."""

import json
import pathlib
import stat

import pytest

from harness.cli import Cli
from harness.people import signed_up_user, with_role
from harness.server import Server, eventually


@pytest.fixture
def home(tmp_path) -> pathlib.Path:
    return tmp_path / "home"


@pytest.fixture
def server(start_server) -> Server:
    """One of its own: what is done to the record is not for others."""
    return start_server()


@pytest.fixture
def cli(home, server) -> Cli:
    return Cli(home, server).log_in(server)


def all_linked(server: Server) -> None:
    eventually(lambda: server.sql("SELECT count(*) FROM audit_queue") == [(0,)], "the record is linked")


def exported(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_what_was_done_is_listed_with_who_did_it_and_why(cli, server):
    person = signed_up_user(server)
    cli.ok("logout", "user", person.email, "--reason", "Lost her phone", "--yes")
    found = cli.json("audit", "list", "--action", "session.force-logout", "--target", f"user:{person.id}", "--since", "1h")
    assert [(one["outcome"], one["reason"]) for one in found] == [("done", "Lost her phone")]
    assert cli.json("audit", "list", "--actor", found[0]["actor"], "--until", "2020-01-01") == []
    assert "Lost her phone" in cli.ok("audit", "list")
    cli.refused("audit", "list", "--since", "yesterday", code=2)


def test_the_record_is_searched_by_e_mail_address(cli, server):
    person = signed_up_user(server)
    cli.ok("logout", "user", person.email, "--reason", "Lost her phone", "--yes")
    found = cli.json("audit", "list", "--action", "session.force-logout", "--target", person.email)
    assert [one["reason"] for one in found] == ["Lost her phone"]
    by_her = cli.json("audit", "list", "--actor", person.email)
    assert by_her and {one["actor"] for one in by_her} == {f"user:{person.id}"}
    assert "no user" in cli.refused("audit", "list", "--actor", "nobody@example.test")


def test_verifying_from_behind_the_end_is_refused(cli, server):
    assert "the record ends at" in cli.refused("audit", "verify", "--from", "99999", code=2)


def test_a_record_that_nobody_has_altered_is_whole(cli, server):
    signed_up_user(server)
    all_linked(server)
    verified = cli.json("audit", "verify")
    assert verified["findings"] == [] and verified["rows"] == verified["head"]["position"] > 0
    assert "whole" in cli.ok("audit", "verify")


def test_a_record_that_was_altered_by_hand_is_told_and_is_exit_code_1(cli, server):
    person = signed_up_user(server)
    cli.ok("logout", "user", person.email, "--reason", "True reason", "--yes")
    all_linked(server)
    if server.database is not None:
        server.sql("ALTER TABLE audit_log DISABLE TRIGGER USER")
    else:
        for (name,) in server.sql("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_log'"):
            server.sql(f"DROP TRIGGER {name}")
    server.sql("UPDATE audit_log SET reason = 'Another reason' WHERE reason = 'True reason'")
    done = cli.run("audit", "verify", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["findings"]
    assert "altered" in done.stderr
    assert "FINDING" in cli.run("audit", "verify").stdout


def test_checkpoints_from_elsewhere_are_compared(cli, server, tmp_path):
    file = tmp_path / "checkpoints"
    file.write_text("no checkpoint\n")
    assert "no checkpoint" in cli.refused("audit", "verify", "--checkpoints", str(file))
    cli.refused("audit", "verify", "--checkpoints", str(tmp_path / "nothing"), code=2)
    signed_up_user(server)
    all_linked(server)
    assert server.stop() == 0
    lines = [line for line in server.lines if '"audit-checkpoint"' in line]
    assert lines
    server.start()
    cli.ok("context", "remove", "here")
    cli.log_in(server)
    file.write_text("\n".join(lines) + "\n")
    assert cli.json("audit", "verify", "--checkpoints", str(file))["findings"] == []


def test_the_export_is_in_the_order_of_the_chain_without_gaps_and_goes_on(cli, server, tmp_path):
    signed_up_user(server)
    all_linked(server)
    file = tmp_path / "audit.jsonl"
    cli.ok("audit", "export", "--output", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = exported(file.read_text())
    assert [one["position"] for one in before] == list(range(1, len(before) + 1))
    assert "--resume" in cli.refused("audit", "export", "--output", str(file))

    whole = file.read_text()
    file.write_text(whole[: len(whole) // 2])  # killed in the middle of a line
    signed_up_user(server)
    all_linked(server)
    cli.ok("audit", "export", "--output", str(file), "--resume")
    after = exported(file.read_text())
    assert len(after) > len(before)
    assert [one["position"] for one in after] == list(range(1, len(after) + 1))
    assert after[: len(before)] == before
    piped = exported(cli.ok("audit", "export"))
    assert piped[: len(after)] == after


def test_an_export_that_would_have_a_gap_is_refused(cli, server, tmp_path):
    signed_up_user(server)
    all_linked(server)
    file = tmp_path / "audit.jsonl"
    cli.ok("audit", "export", "--output", str(file))
    last = exported(file.read_text())[-1]
    signed_up_user(server)
    all_linked(server)
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:-1]) + json.dumps(last | {"position": 0}) + "\n")
    cli.refused("audit", "export", "--output", str(file), "--resume")


def test_what_is_personal_is_erased_and_the_record_stays_whole(cli, server):
    person = signed_up_user(server)
    cli.ok("logout", "user", person.email, "--reason", "Private matter", "--yes")
    all_linked(server)
    erase = ("audit", "erase", person.id, "--reason", "Asked for it")
    assert "--yes" in cli.refused(*erase)
    assert "cannot be undone" in cli.ok(*erase, "--dry-run")
    assert "Private matter" in cli.ok("audit", "list", "--limit", "1000")
    cli.ok(*erase, "--yes")
    listed = cli.json("audit", "list", "--limit", "1000")
    assert "Private matter" not in json.dumps(listed)
    all_linked(server)
    assert cli.json("audit", "verify")["findings"] == []


def test_an_administrator_may_read_but_not_erase(home, server):
    admin = with_role(server, "admin")
    cli = Cli(home).log_in(server, admin.email, admin.password)
    cli.ok("audit", "list")
    assert "higher role" in cli.refused("audit", "erase", admin.id, "--reason", "x", "--yes")


def test_what_was_done_on_the_machine_is_in_the_chain_when_the_command_ends(home, server):
    person = signed_up_user(server)
    assert server.stop() == 0
    cli = Cli(home, server)
    linked = server.sql("SELECT count(*) FROM audit_chain")[0][0]
    cli.ok("user", "disable", person.email, "--local", "--yes", "--reason", "Down")
    assert server.sql("SELECT count(*) FROM audit_queue") == [(0,)]
    assert server.sql("SELECT count(*) FROM audit_chain")[0][0] > linked
    assert cli.json("audit", "verify", "--local")["findings"] == []


def test_the_record_is_read_and_verified_with_the_server_down(home, server):
    person = signed_up_user(server)
    assert server.stop() == 0
    cli = Cli(home, server)
    cli.ok("logout", "user", person.email, "--local", "--yes", "--reason", "Down")
    found = cli.json("audit", "list", "--local", "--action", "session.force-logout")
    assert found[0]["actor"].startswith("os:") and found[0]["reason"] == "Down"
    assert cli.json("audit", "verify", "--local")["findings"] == []
    server.start()
