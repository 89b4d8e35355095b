"""Sessions and forced logout from the command line."""

import os
import pathlib
import pwd
import signal

import pytest

from harness.cli import Cli
from harness.people import new_address, signed_up_user, with_role
from harness.server import Server, eventually


@pytest.fixture
def home(tmp_path) -> pathlib.Path:
    return tmp_path / "home"


@pytest.fixture
def cli(home, shared_server) -> Cli:
    return Cli(home, shared_server).log_in(shared_server)


def audit_rows(server: Server, action: str) -> list[tuple]:
    return server.sql("SELECT actor, target, reason FROM audit_log WHERE action = ? ORDER BY at, id", action)


def test_the_sessions_of_a_user_are_listed_by_address_and_by_id(cli, person):
    person.log_in("Tablet")
    listed = cli.json("session", "list", person.email)
    assert {one["deviceName"] for one in listed} == {"Unknown device", "Tablet"}
    assert cli.json("user", "sessions", person.id) == listed
    assert "Tablet" in cli.ok("session", "list", person.email)


# --- one user


def test_a_user_is_signed_out_with_the_reason_on_record(cli, shared_server, person):
    done = cli.json("logout", "user", person.email, "--reason", "Lost her phone", "--yes")
    assert done["sessionsEnded"] == 1
    assert not person.device.is_signed_in()
    assert not person.device.may_refresh()
    assert audit_rows(shared_server, "session.force-logout")[-1][1:] == (f"user:{person.id}", "Lost her phone")


def test_a_dry_run_shows_what_it_would_end_and_ends_nothing(cli, person):
    person.log_in()
    assert "2 sessions" in cli.ok("logout", "user", person.email, "--dry-run")
    assert cli.json("logout", "user", person.email, "--dry-run")["sessions"] == 2
    assert person.device.is_signed_in()


def test_without_a_terminal_and_without_yes_nothing_is_done(cli, person):
    for command in (["user", person.email], ["all"], ["matching", "--user", person.email]):
        said = cli.refused("logout", *command)
        assert "no terminal" in said and "--yes" in said
    assert person.device.is_signed_in()


def test_on_a_terminal_it_shows_and_asks(cli, person):
    terminal = cli.on_terminal("logout", "user", person.email)
    terminal.wait_for("1 session of").wait_for("[y/N]").type("\n")
    assert terminal.end() == 1
    assert "nothing was done" in terminal.shown
    assert person.device.is_signed_in()
    terminal = cli.on_terminal("logout", "user", person.email)
    terminal.wait_for("[y/N]").type("y\n")
    assert terminal.end() == 0, terminal.shown
    assert not person.device.is_signed_in()


def test_ctrl_c_at_the_question_does_nothing(cli, person):
    terminal = cli.on_terminal("logout", "user", person.email).wait_for("[y/N]").press_ctrl_c()
    assert terminal.end() == -signal.SIGINT
    assert person.device.is_signed_in()


def test_support_signs_nobody_out_above_itself(home, shared_server):
    support, admin = with_role(shared_server, "support"), with_role(shared_server, "admin")
    cli = Cli(home).log_in(shared_server, support.email, support.password)
    assert "higher role" in cli.refused("logout", "user", admin.email, "--yes")
    assert admin.device.is_signed_in()


# --- everybody


def test_everybody_is_signed_out_but_the_one_who_asks(home, start_server):
    server = start_server()
    people = [signed_up_user(server) for _ in range(3)]
    cli = Cli(home).log_in(server)
    preview = cli.json("logout", "all", "--dry-run")
    assert preview["sessions"] == 3 and preview["users"] == 3
    assert all(person.device.is_signed_in() for person in people)
    done = cli.json("logout", "all", "--reason", "Drill", "--yes")
    assert done["sessionsEnded"] == 3 and done["sparedSession"]
    assert not any(person.device.is_signed_in() for person in people)
    cli.ok("user", "list")
    cli.ok("logout", "all", "--include-own-session", "--yes")
    assert "context login" in cli.refused("user", "list")


# --- by criteria


def test_who_matches_is_shown_and_signed_out_and_nobody_else(cli, shared_server):
    meant = [signed_up_user(shared_server, f"{new_address('meant').partition('@')[0]}@leak.example") for _ in range(3)]
    other = signed_up_user(shared_server)
    preview = cli.json("logout", "matching", "--email-domain", "leak.example", "--dry-run")
    assert preview["sessions"] == 3 and "confirmation" not in preview
    assert all(person.device.is_signed_in() for person in meant)
    done = cli.run("logout", "matching", "--email-domain", "leak.example", "--reason", "Leak", "--yes")
    assert done.returncode == 0, done.stderr
    assert "ended 3 sessions" in done.stdout
    assert "3 sessions of 3 users" in done.stderr
    assert not any(person.device.is_signed_in() for person in meant)
    assert other.device.is_signed_in()
    assert "Leak" in cli.ok("logout", "list")


def test_the_moments_and_lists_of_the_command_line_become_the_criteria_of_the_api(cli, shared_server, tmp_path):
    person = signed_up_user(shared_server)
    file = tmp_path / "users"
    file.write_text(f"{person.email}\n\n{person.id}\r\n")
    criteria = cli.json(
        *("logout", "matching", "--dry-run", "--users-file", str(file), "--session-created-after", "1h"),
        *("--last-login-after", "2020-01-01", "--role", "customer", "--never-logged-in"),
    )["criteria"]
    assert criteria["emails"] == [person.email] and criteria["userIds"] == [person.id]
    assert criteria["lastLoginAfter"].startswith("2020-01-01T00:00:00")
    assert criteria["role"] == "customer" and criteria["neverLoggedIn"] is True
    assert criteria["sessionCreatedAfter"] > "2020"


@pytest.mark.parametrize(
    "arguments", [[], ["--session-used-before", "yesterday"], ["--role", "king"], ["--users-file", "/nothing/there"]]
)
def test_criteria_that_say_nothing_or_cannot_be_read_are_wrong_usage(cli, arguments):
    cli.refused("logout", "matching", *arguments, "--yes", code=2)


def test_an_order_is_watched_again_after_it_was_let_go(cli, shared_server):
    person = signed_up_user(shared_server)
    begun = cli.json("logout", "matching", "--user", person.email, "--yes", "--detach")
    assert cli.json("logout", "watch", begun["id"])["state"] == "done"
    assert begun["id"] in [one["id"] for one in cli.json("logout", "list")]
    eventually(lambda: not person.device.is_signed_in(), "the session has ended")


def test_watching_what_is_not_there_is_refused(cli):
    cli.refused("logout", "watch", "01890000-0000-7000-8000-000000000000")
    cli.refused("logout", "watch", "neither", code=2)


# --- on the server's machine


@pytest.mark.postgres_only
def test_local_beside_running_nodes_is_obeyed_by_them(home, shared_server, person):
    cli = Cli(home, shared_server)
    assert cli.json("logout", "user", person.email, "--local", "--yes")["sessionsEnded"] == 1
    eventually(lambda: not person.device.is_signed_in(), "the node refuses the token")
    assert not person.device.may_refresh()



def test_local_signs_out_while_the_server_is_down_and_is_recorded_with_the_account(home, start_server):
    server = start_server()
    people = [signed_up_user(server) for _ in range(4)]
    assert server.stop() == 0
    cli = Cli(home, server)
    assert cli.json("logout", "user", people[0].email, "--local", "--yes", "--reason", "One")["sessionsEnded"] == 1
    matching = ("logout", "matching", "--user", people[1].email, "--reason", "Two", "--yes", "--local")
    assert cli.json(*matching)["state"] == "done"
    assert cli.json("session", "list", people[1].email, "--local") == []
    assert len(cli.json("session", "list", people[2].email, "--local")) == 1
    server.start()
    signed_in = [person.device.at(server).is_signed_in() for person in people]
    assert signed_in == [False, False, True, True]
    actors = {row[0] for row in server.sql("SELECT actor FROM audit_log WHERE reason IN ('One', 'Two')")}
    assert actors == {"os:" + pwd.getpwuid(os.getuid()).pw_name}
