"""The runbook's own commands, cut out of its text and run byte for byte."""

import json
import os
import sqlite3
import subprocess

import pytest

from harness.authority import Authority
from harness.people import PASSWORD, signed_up_user
from harness.runbook import RUNBOOK, block_with, blocks, statement_with, statements
from harness.server import EXEMPT, Server, eventually

HOST = "api.safawinet.com"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runbook")
    authority = Authority(folder)
    settings = EXEMPT | authority.settings_for(HOST)
    server = Server(folder / "server", settings, tls=(HOST, str(authority.ca_file)))
    yield server.start()
    server.close()


@pytest.fixture
def run_as_written(server, tmp_path):
    """Runs a block with bash. What is supplied: a .curlrc that leads to this server, and the variable that it names."""
    port = server.address.rpartition(":")[2]
    _, ca_file = server.tls
    (tmp_path / ".curlrc").write_text(f'connect-to = "{HOST}:443:127.0.0.1:{port}"\ncacert = "{ca_file}"\n')

    def run(block: str, admin_token: str) -> dict:
        script = tmp_path / "block.sh"
        script.write_text(block)
        variables = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ADMIN_TOKEN": admin_token}
        done = subprocess.run(["bash", script], env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_the_commands_here_are_those_of_the_runbook():
    if not RUNBOOK.exists():
        pytest.skip("the runbook is not beside this checkout")
    runbook = RUNBOOK.read_text()

    for block in blocks("bash"):
        assert block.rstrip("\n") in runbook
    for statement in statements():
        assert f'--sql "{statement}"' in runbook


def test_force_logout_all_signs_everybody_out_but_the_caller(server, run_as_written):
    people = [signed_up_user(server) for _ in range(2)]
    admin = server.admin()
    answer = run_as_written(block_with("force-logout-all"), admin.token)

    assert answer["sessionsEnded"] >= 2
    assert answer["sparedSession"]
    for person in people:
        assert not person.device.is_signed_in()
        assert not person.device.may_refresh()
    assert admin.me().status == 200
    assert run_as_written(block_with("force-logout-all"), admin.token)["sessionsEnded"] == 0


def test_force_logout_signs_one_user_out(server, run_as_written):
    person, other = signed_up_user(server), signed_up_user(server)
    admin = server.admin()
    block = block_with("force-logout")
    answer = run_as_written(block.replace("user_id_here", person.id), admin.token)

    assert answer["sessionsEnded"] == 1
    assert not person.device.is_signed_in()
    assert not person.device.may_refresh()
    assert other.device.is_signed_in()
    # As it stands the command names nobody, and says so instead of signing anybody out.
    assert run_as_written(block, admin.token)["status"] in (404, 422)
    assert other.device.is_signed_in()


def test_the_health_address_answers(server, tmp_path, run_as_written):
    answer = run_as_written(f"curl https://{HOST}/health", "")

    assert answer["status"] == "ok"


def run_statement(server: Server, statement: str) -> None:
    if server.database is not None:
        server.database.psql(statement)
        return
    connection = sqlite3.connect(server.database_file, timeout=30)
    connection.create_function("NOW", 0, lambda: connection.execute(
        "SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'").fetchone()[0])
    try:
        with connection:
            connection.execute(statement)
    finally:
        connection.close()


@pytest.mark.parametrize("words", [("expires_at > NOW()",), ("DELETE FROM refresh_sessions;",)])
def test_deleting_the_sessions_in_sql_signs_everybody_out(server, words):
    person, admin = signed_up_user(server), server.admin()
    run_statement(server, statement_with(*words))

    eventually(lambda: not person.device.is_signed_in(), "the access token is refused")
    eventually(lambda: admin.me().status == 401, "the administrator's too")
    assert not person.device.may_refresh()
    assert person.log_in().is_signed_in()


def test_deleting_the_sessions_of_dormant_users_in_sql_signs_them_out(server):
    dormant, recent = signed_up_user(server), signed_up_user(server)
    server.sql("UPDATE users SET last_login_at = '2023-05-05T00:00:00.000000Z' WHERE id = ?", dormant.id)
    run_statement(server, statement_with("last_login_at"))

    eventually(lambda: not dormant.device.is_signed_in(), "the access token is refused")
    assert not dormant.device.may_refresh()
    assert recent.device.is_signed_in()


def test_the_statements_about_bounces_work(server):
    person = signed_up_user(server)
    for _ in range(5):
        run_statement(server, statement_with("bounce_count + 1").replace("soft_bounce@example.com", person.email))
    run_statement(server, statement_with("email_status").replace("bounced_email@example.com", person.email))
    assert server.sql("SELECT email_status, bounce_count FROM users WHERE id = ?", person.id) == [("bounced", 5)]
    assert person.device.is_signed_in()

    run_statement(server, statement_with("is_active = false"))
    eventually(lambda: not person.device.is_signed_in(), "the access token is refused")
    assert server.api().login(person.email, PASSWORD).status in (401, 403)
