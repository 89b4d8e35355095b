"""API keys from the command line, and commands that use one."""

import pathlib
import re
import stat

import pytest

from harness.cli import Cli
from harness.people import with_role
from harness.server import eventually

KEY = re.compile(r"sf_ak_[A-Za-z0-9_-]{49}")


@pytest.fixture
def home(tmp_path) -> pathlib.Path:
    return tmp_path / "home"


@pytest.fixture
def cli(home, shared_server) -> Cli:
    return Cli(home, shared_server).log_in(shared_server)


def robot_with(home: pathlib.Path, server, file: pathlib.Path) -> Cli:
    robot = Cli(home)
    robot.ok("context", "add", "robot", "--url", f"http://{server.address}", "--api-key-file", str(file))
    return robot


def test_a_key_is_made_into_a_private_file_and_used_by_a_script(cli, shared_server, home, tmp_path):
    file = tmp_path / "reader.key"
    done = cli.run("api-key", "create", "reader", "--permission", "users:read", "--expires", "30d", "--key-file", str(file))
    assert done.returncode == 0, done.stderr
    assert not KEY.search(done.stdout + done.stderr)
    assert KEY.fullmatch(file.read_text().strip())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    robot = robot_with(tmp_path / "robot", shared_server, file)
    robot.ok("user", "list")
    assert robot.json("context", "show")["credential"] == "api-key"
    robot.refused("logout", "all", "--yes")
    robot.refused("api-key", "list")


def test_a_key_is_shown_once_and_never_again(cli):
    made = cli.json("api-key", "create", "shown", "--permission", "users:read")
    assert KEY.fullmatch(made["key"])
    key_id = made["apiKey"]["id"]
    for command in (["api-key", "show", key_id], ["api-key", "list"], ["api-key", "show", key_id, "--json"]):
        assert made["key"] not in cli.ok(*command)
    printed = cli.run("api-key", "create", "printed", "--permission", "users:read", "--permission", "audit:read")
    assert KEY.search(printed.stdout) and not KEY.search(printed.stderr)


def test_a_revoked_key_is_refused_and_says_so(cli, shared_server, tmp_path):
    file = tmp_path / "key"
    made = cli.json("api-key", "create", "short", "--permission", "users:read", "--key-file", str(file))
    robot = robot_with(tmp_path / "robot", shared_server, file)
    robot.ok("user", "list")
    key_id = made["apiKey"]["id"]
    assert "--yes" in cli.refused("api-key", "revoke", key_id)
    assert "short" in cli.ok("api-key", "revoke", key_id, "--dry-run")
    robot.ok("user", "list")
    cli.ok("api-key", "revoke", key_id, "--yes")
    assert str(file) in robot.refused("user", "list")
    assert cli.json("api-key", "show", key_id)["state"] == "revoked"


def test_a_key_holds_only_in_its_networks(cli, shared_server, tmp_path):
    file = tmp_path / "key"
    cli.ok(*("api-key", "create", "far", "--permission", "users:read", "--network", "203.0.113.0/24"), "--key-file", str(file))
    robot_with(tmp_path / "robot", shared_server, file).refused("user", "list")


def test_nobody_makes_a_key_that_does_more_than_they_may(home, shared_server):
    admin = with_role(shared_server, "admin")
    cli = Cli(home).log_in(shared_server, admin.email, admin.password)
    cli.ok("api-key", "create", "fine", "--permission", "audit:read")
    cli.refused("api-key", "create", "too much", "--permission", "audit:erase")


def test_what_is_no_permission_moment_or_new_file_is_refused_before_a_key_is_made(cli, tmp_path):
    before = len(cli.json("api-key", "list"))
    cli.refused("api-key", "create", "x", "--permission", "users:everything", code=2)
    cli.refused("api-key", "create", "x", code=2)
    cli.refused("api-key", "create", "x", "--permission", "users:read", "--expires", "soon", code=2)
    file = tmp_path / "there"
    file.write_text("")
    cli.refused("api-key", "create", "x", "--permission", "users:read", "--key-file", str(file))
    cli.refused("api-key", "show", "nothing", code=2)
    cli.refused("api-key", "show", "01890000-0000-7000-8000-000000000000")
    assert len(cli.json("api-key", "list")) == before


def test_a_key_replaced_in_its_file_is_used_by_the_next_command(cli, shared_server, tmp_path):
    file = tmp_path / "key"
    first = cli.json("api-key", "create", "first", "--permission", "users:read", "--key-file", str(file))
    robot = robot_with(tmp_path / "robot", shared_server, file)
    second = cli.json("api-key", "create", "second", "--permission", "users:read")
    file.write_text(second["key"])
    cli.ok("api-key", "revoke", first["apiKey"]["id"], "--yes")
    robot.ok("user", "list")
    eventually(lambda: cli.json("api-key", "show", second["apiKey"]["id"])["lastUsedAt"], "the use is on record")
