"""Secrets: in no log, in no dump of the database, in no answer but the one that gives them."""

import pytest

from harness.mail import RESET, VERIFY
from harness.people import OTHER_PASSWORD, PASSWORD, THIRD_PASSWORD, new_address, signed_up_user
from harness.postgres import ROLE_PASSWORD
from harness.redis import PASSWORD as REDIS_PASSWORD
from harness.server import ADMIN_PASSWORD, EXEMPT, Server, eventually


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """A server that has seen everything once, and the secrets that were used, by kind."""
    server = Server(tmp_path_factory.mktemp("secrets") / "server", EXEMPT).start()
    secrets: dict[str, str] = {"admin's password": ADMIN_PASSWORD, "password": PASSWORD, "new password": OTHER_PASSWORD}
    person = signed_up_user(server)
    secrets["verification token"] = server.mail.wait_for(person.email, VERIFY).token
    later = person.device.refresh()
    for name, device in (("first", person.device), ("second", later)):
        secrets[f"{name} refresh token"] = device.refresh_token
        secrets[f"{name} access token"] = device.access_token
        secrets[f"{name} access token's signature"] = device.access_token.rpartition(".")[2]
    api = server.api()
    api.get(f"/verify-email?token={secrets['verification token']}")
    api.get(f"/nothing?access_token={later.access_token}")
    api.login(person.email, THIRD_PASSWORD)
    secrets["wrong password"] = THIRD_PASSWORD
    api.refresh(later.refresh_token[:-1])
    api.with_token(later.access_token[:-1]).me()
    api.post("/v1/auth/login", body=b'{"password": "Broken JSON with a secret in it')
    secrets["password in broken JSON"] = "Broken JSON with a secret in it"
    api.post("/v1/auth/register", {"email": "weak@example.test", "password": "weakling 88"})
    secrets["refused password"] = "weakling 88"
    api.forgot_password(person.email)
    secrets["reset token"] = server.mail.wait_for(person.email, RESET).token
    api.reset_password(secrets["reset token"], OTHER_PASSWORD)
    again = person.log_in(password=OTHER_PASSWORD)
    new = new_address("moved")
    again.api.change_email(OTHER_PASSWORD, new)
    secrets["change of address token"] = server.mail.wait_for(new).token
    api.verify_email(secrets["change of address token"])
    api.logout(again.refresh_token)
    waiting = new_address("waiting")
    api.register(waiting, PASSWORD)
    secrets["waiting verification token"] = server.mail.wait_for(waiting, VERIFY).token
    secrets["refresh token of a logout"] = again.refresh_token
    server.admin().force_logout_all()
    secrets["master key"] = server.master_key
    if server.database is not None:
        secrets["password of the database"] = ROLE_PASSWORD
        secrets["password of the cache"] = REDIS_PASSWORD
    yield server, secrets
    server.close()


def test_no_secret_is_in_the_log(story):
    server, secrets = story
    log = "\n".join(server.lines)

    assert log
    for what, secret in secrets.items():
        assert secret not in log, what


def test_no_secret_is_in_a_dump_of_the_database(story):
    server, secrets = story

    assert "refresh_sessions" in server.dump()
    for what, secret in secrets.items():
        eventually(lambda one=secret: one not in server.dump(), f"the {what} is not in the database", 5)


def test_no_secret_is_left_in_the_files_of_the_database(story):
    server, secrets = story
    files = server.database.files() if server.database else list(server.data.glob("safawinet.db*"))
    assert files
    for file in files:
        content = file.read_bytes()
        for what, secret in secrets.items():
            assert secret.encode() not in content, (file.name, what)


def test_no_private_key_is_readable_in_the_database(story):
    server, _ = story
    dump = server.dump()

    assert "PRIVATE KEY" not in dump
    assert '"d"' not in dump


def test_passwords_are_stored_as_argon2id_at_the_stated_cost(story):
    server, _ = story
    hashes = [row for row in server.sql("SELECT password_hash FROM users WHERE password_hash IS NOT NULL")]

    assert hashes
    for (stored,) in hashes:
        assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_answers_about_users_hold_no_secret_and_nothing_of_how_they_are_kept(story):
    server, secrets = story
    person = signed_up_user(server)
    admin = server.admin()
    replies = [
        person.api.me(),
        person.api.sessions(),
        admin.find_users("example.test"),
        admin.get(f"/v1/admin/users/{person.id}"),
        admin.get(f"/v1/admin/users/{person.id}/sessions"),
        server.api().get("/health"),
        server.api().get("/openapi.json"),
        server.operations.get("/metrics"),
    ]
    for reply in replies:
        assert reply.status == 200, reply
        assert "argon2" not in reply.text
        assert "$v=19$" not in reply.text
        for what, secret in secrets.items():
            assert secret not in reply.text, what


def test_metrics_name_no_user(story):
    server, _ = story

    assert "@example.test" not in server.operations.get("/metrics").text
