"""Accounts from the command line: making, disabling, roles, helping with a login, deleting, exporting."""

import json
import pathlib
import re
import subprocess

import pytest

from harness.cli import Cli
from harness.mail import RESET
from harness.people import OTHER_PASSWORD, PASSWORD, new_address, registered, signed_up_user, with_role
from harness.server import ADMIN_EMAIL, ADMIN_PASSWORD, BINARY, eventually


@pytest.fixture
def home(tmp_path) -> pathlib.Path:
    return tmp_path / "home"


@pytest.fixture
def cli(home, shared_server) -> Cli:
    return Cli(home, shared_server).log_in(shared_server)


def test_an_account_is_made_and_its_owner_chooses_the_password_by_mail(cli, shared_server):
    email = new_address("made")
    made = cli.json("user", "create", email, "--name", "Grace")
    assert (made["email"], made["name"], made["role"]) == (email, "Grace", "customer")
    letter = shared_server.mail.wait_for(email)
    assert letter is not None
    assert "taken" in cli.refused("user", "create", email) or cli.run("user", "create", email).returncode == 1


def test_what_the_server_finds_wrong_in_what_was_typed_is_exit_code_2(cli):
    cli.refused("user", "create", "bad", code=2)
    cli.refused("logout", "matching", "--ip-network", "foo", "--dry-run", code=2)


def test_an_account_is_made_with_a_password_from_stdin(cli, shared_server):
    email = new_address("ready")
    cli.ok("user", "create", email, "--verified", "--role", "support", "--password-stdin", stdin=OTHER_PASSWORD + "\n")
    reply = shared_server.api().login(email, OTHER_PASSWORD)
    assert reply.status == 200 and reply.json["user"]["role"] == "support"


def test_a_disabled_user_is_out_at_once_and_back_when_enabled(cli, person):
    assert "--yes" in cli.refused("user", "disable", person.email, "--reason", "Left")
    cli.ok("user", "disable", person.email, "--reason", "Left", "--dry-run")
    assert person.device.is_signed_in()
    disabled = cli.json("user", "disable", person.email, "--reason", "Left", "--yes")
    assert disabled["isActive"] is False and disabled["disabledReason"] == "Left"
    assert not person.device.is_signed_in()
    assert person.server.api().login(person.email, person.password).status == 401
    assert person.email in [one["email"] for one in cli.json("user", "list", "--disabled", "--query", person.email)]
    assert cli.json("user", "list", "--active", "--query", person.email) == []
    assert cli.json("user", "enable", person.id)["isActive"] is True
    assert person.log_in().is_signed_in()


def test_a_role_is_changed_and_shown(cli, person):
    cli.ok("user", "role", person.email, "support", "--yes")
    assert cli.json("user", "show", person.email)["role"] == "support"
    assert person.email in [one["email"] for one in cli.json("user", "list", "--role", "support", "--query", person.email)]
    cli.refused("user", "role", person.email, "king", "--yes", code=2)


def test_nobody_gives_or_takes_more_than_they_have(home, shared_server, person):
    admin, other = with_role(shared_server, "admin"), with_role(shared_server, "superadmin")
    cli = Cli(home).log_in(shared_server, admin.email, admin.password)
    cli.refused("user", "role", person.email, "superadmin", "--yes")
    cli.refused("user", "disable", other.email, "--reason", "Coup", "--yes")
    cli.refused("user", "delete", other.email, "--reason", "Coup", "--yes")
    assert other.device.is_signed_in()


def test_support_helps_with_a_login(home, shared_server, person):
    support = with_role(shared_server, "support")
    cli = Cli(home).log_in(shared_server, support.email, support.password)
    cli.ok("user", "send-reset", person.email)
    token = shared_server.mail.wait_for(person.email, RESET).token
    assert shared_server.api().reset_password(token, OTHER_PASSWORD).status == 204
    for _ in range(11):
        shared_server.api().login(person.email, "wrong wrong wrong wrong")
    assert shared_server.api().login(person.email, OTHER_PASSWORD).status == 429
    assert re.search(r"Wrong passwords +10, locked until 2", cli.ok("user", "show", person.email))
    assert f"Unlocked {person.email}" in cli.ok("user", "unlock", person.email)
    assert cli.json("user", "show", person.email)["lockedUntil"] is None
    assert shared_server.api().login(person.email, OTHER_PASSWORD).status == 200
    cli.refused("user", "disable", person.email, "--reason", "May not", "--yes")


def test_an_address_is_taken_as_proved(cli, shared_server):
    email = registered(shared_server)
    said = cli.refused("user", "verify", email)
    assert "Whoever registered it chose the password" in said and "send-reset" in said
    cli.ok("user", "verify", email, "--yes")
    assert cli.json("user", "show", email)["emailVerified"] is True


def test_what_is_so_already_is_said_and_not_done_again(cli, person):
    assert f"{person.email} is active already." in cli.ok("user", "enable", person.email)
    assert f"{person.email} is verified already." in cli.ok("user", "verify", person.email)
    assert f"{person.email} is customer already." in cli.ok("user", "role", person.email, "customer")
    assert "from customer to support" in cli.ok("user", "role", person.email, "support", "--dry-run")
    cli.ok("user", "disable", person.email, "--reason", "Left", "--yes")
    assert f"{person.email} is disabled already." in cli.ok("user", "disable", person.email, "--reason", "Again")
    assert cli.json("user", "show", person.email)["disabledReason"] == "Left"
    assert f"user enable {person.email}" in cli.refused("user", "send-reset", person.email)
    assert "Nothing to do" in cli.ok("logout", "user", person.email)


def test_text_that_is_not_utf8_is_refused_with_the_name_of_its_option(cli, person):
    said = cli.refused("user", "disable", person.email, "--reason", "\udcff", "--yes", code=2)
    assert "--reason" in said and "UTF-8" in said
    assert person.device.is_signed_in()


def test_who_cannot_log_in_is_told_what_helps(home, shared_server, person):
    cli = Cli(home, shared_server).add_context(shared_server)
    login = ("context", "login", "--password-stdin", "--email")
    email = registered(shared_server)
    assert f"user verify {email}" in cli.refused(*login, email, stdin=PASSWORD + "\n")
    for _ in range(11):
        shared_server.api().login(person.email, "wrong wrong wrong wrong")
    said = cli.refused(*login, person.email, stdin=person.password + "\n")
    assert "seconds" in said and f"user unlock {person.email}" in said


def test_who_has_an_account_is_not_invited(cli, person):
    assert f"user send-reset {person.email}" in cli.refused("user", "invite", person.email)
    assert f"user show {person.email}" in cli.refused("user", "create", person.email)


def test_the_last_superadmin_is_not_offered_to_be_disabled(home, start_server):
    cli = Cli(home, server := start_server()).log_in(server)
    for act in (["disable", ADMIN_EMAIL, "--reason", "x"], ["delete", ADMIN_EMAIL, "--reason", "x"], ["role", ADMIN_EMAIL, "admin"]):
        assert "last superadmin" in cli.refused("user", *act, "--dry-run"), act


def test_one_who_signs_oneself_out_is_told_which_session_stays(cli, home, shared_server):
    admin = with_role(shared_server, "admin")
    own = Cli(home / "own").log_in(shared_server, admin.email, admin.password)
    assert "is spared" in own.ok("logout", "user", admin.email, "--dry-run")
    sessions = len(cli.json("user", "sessions", admin.email))
    assert own.json("logout", "user", admin.email, "--dry-run")["sessions"] == sessions - 1


def test_users_who_do_not_exist_are_named_and_nobody_is_signed_out(cli, person, tmp_path):
    typo = "x" + person.email
    said = cli.refused("logout", "matching", "--user", person.email, "--user", typo, "--yes", code=2)
    assert f"--user: there is no user {typo}" in said
    file = tmp_path / "users.txt"
    file.write_text(f"{person.email}\n\n{typo}\n")
    said = cli.refused("logout", "matching", "--users-file", str(file), "--yes", code=2)
    assert f"{file}, line 3: there is no user {typo}" in said
    assert person.device.is_signed_in()
    file.write_text("ada\n")
    assert f"{file}, line 1" in cli.refused("logout", "matching", "--users-file", str(file), "--yes", code=2)
    cli.refused("logout", "matching", "--users-file", "/dev/zero", "--yes", code=2)
    cli.refused("audit", "verify", "--checkpoints", "/dev/zero", code=2)


def test_commands_that_are_suggested_reach_the_same_server(cli, person):
    cli.ok("context", "add", "other", "--url", "http://127.0.0.1:1")
    cli.ok("context", "use", "other")
    said = cli.refused("user", "show", "nobody@example.test", "--context", "here")
    assert "safawinet user list --context here --query TEXT" in said
    found = subprocess.run(
        [BINARY, "session", "find", "--context", "here"],
        input=b"\xff\x00 " + person.email.encode(),
        env=cli.settings,
        capture_output=True,
        check=True,
    ).stdout.decode()
    assert f"safawinet logout user --context here {person.id}" in found


def test_a_deleted_user_is_gone(cli, person):
    delete = ("user", "delete", person.email, "--reason", "Asked for it")
    assert "--yes" in cli.refused(*delete)
    assert "cannot be undone" in cli.ok(*delete, "--dry-run")
    cli.ok(*delete, "--yes")
    assert not person.device.is_signed_in()
    cli.refused("user", "show", person.email)


def test_one_session_is_ended_and_the_others_go_on(cli, person):
    other = person.log_in("Tablet")
    assert "Tablet" in cli.ok("session", "end", person.email, other.session_id, "--dry-run")
    cli.ok("session", "end", person.email, other.session_id.upper(), "--yes")
    assert not other.is_signed_in()
    assert person.device.is_signed_in()
    cli.refused("session", "end", person.email, "01890000-0000-7000-8000-000000000000", "--yes")


def test_all_users_are_exported_once_each(cli, shared_server, tmp_path):
    people = {signed_up_user(shared_server).id for _ in range(3)}
    file = tmp_path / "users.jsonl"
    cli.ok("user", "export", "--output", str(file))
    ids = [json.loads(line)["id"] for line in file.read_text().splitlines()]
    assert people <= set(ids) and len(ids) == len(set(ids)) and ids == sorted(ids)
    assert "argon2" not in file.read_text()


def test_the_last_superadmin_who_was_disabled_by_sql_is_let_in_again_on_the_machine(home, start_server):
    server = start_server()
    cli = Cli(home, server).log_in(server)
    cli.refused("user", "disable", ADMIN_EMAIL, "--reason", "Mistake", "--yes")
    server.sql("UPDATE users SET is_active = false WHERE email = ?", ADMIN_EMAIL)
    eventually(lambda: cli.run("user", "list").returncode == 1, "the administrator is out")
    assert server.api().login(ADMIN_EMAIL, ADMIN_PASSWORD).status == 401
    assert server.stop() == 0
    cli.ok("user", "enable", ADMIN_EMAIL, "--local", "--reason", "Locked out")
    server.start()
    assert server.api().login(ADMIN_EMAIL, ADMIN_PASSWORD).status == 200
    recorded = server.sql("SELECT actor FROM audit_log WHERE reason = 'Locked out'")
    assert recorded and recorded[0][0].startswith("os:")
