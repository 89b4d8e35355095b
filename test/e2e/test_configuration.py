"""Settings: where they come from, and what is said when one is wrong."""

import base64
import concurrent.futures
import os
import stat
import tomllib

import pytest

from harness.people import OTHER_PASSWORD, log_in, signed_up_user
from harness.postgres import ROLE_PASSWORD
from harness.server import ADMIN_EMAIL, ADMIN_PASSWORD, Server, run

MASTER_KEY = base64.b64encode(bytes(range(32))).decode()


def test_no_configuration_is_a_good_configuration(tmp_path):
    done = run("config", "check", folder=tmp_path)

    assert done.returncode == 0, done.stderr


def test_the_example_is_valid_toml_passes_the_check_and_names_the_fixed_settings(tmp_path):
    example = run("config", "example", folder=tmp_path).stdout
    (tmp_path / "safawinet.toml").write_text(example)

    tomllib.loads(example)
    for key in ("refresh_grace_seconds", "idle_days", "absolute_days", "access_lifetime_seconds", "minimum_length",
                "trusted_proxies", "cors_origins", "lease_milliseconds", "exempt_networks"):
        assert key in example
    assert run("config", "check", folder=tmp_path).returncode == 0


def test_the_file_beside_is_read_and_the_environment_wins(tmp_path):
    (tmp_path / "safawinet.toml").write_text("[sessions]\nidle_days = 3\nabsolute_days = 21\n")
    shown = run("config", "show", folder=tmp_path, settings={"SAFAWINET__SESSIONS__IDLE_DAYS": "5"}).stdout
    values = tomllib.loads(shown)

    assert values["sessions"]["idle_days"] == 5
    assert values["sessions"]["absolute_days"] == 21


def test_a_named_file_that_is_not_there_is_an_error(tmp_path):
    done = run("config", "check", folder=tmp_path, settings={"SAFAWINET_CONFIG": str(tmp_path / "none.toml")})

    assert done.returncode != 0
    assert "none.toml" in done.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[sessions]\nidel_days = 3\n", ["idel_days", "idle_days"]),
        ("[session]\nidle_days = 3\n", ["session", "sessions"]),
        ("[sessions]\nidle_days = 'three'\n", ["sessions.idle_days"]),
        ("[sessions]\nidle_days = -1\n", ["sessions.idle_days"]),
        ("[http]\ntrusted_proxies = ['300.1.1.1/8']\n", ["http.trusted_proxies", "300.1.1.1/8"]),
        ("[sessions\n", ["safawinet.toml"]),
    ],
)
def test_a_wrong_file_is_refused_with_what_to_change(tmp_path, text, expected):
    (tmp_path / "safawinet.toml").write_text(text)
    for command in (("config", "check"), ("serve",)):
        done = run(*command, folder=tmp_path)
        assert done.returncode != 0
        for word in expected:
            assert word in done.stderr, (command, done.stderr)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SAFAWINET__SESSIONS__IDEL_DAYS", "3", "SAFAWINET__SESSIONS__IDLE_DAYS"),
        ("SAFAWINET__SESSIONS__IDLE_DAYS", "three", "sessions.idle_days"),
        ("SAFAWINET_LISTEN", "nowhere", "nowhere"),
        ("SAFAWINET_MASTER_KEY", "c2hvcnQ=", "SAFAWINET_MASTER_KEY"),
        ("SAFAWINET_PUBLIC_URL", "not a url", "not a url"),
    ],
)
def test_a_wrong_variable_is_refused_with_what_to_change(tmp_path, name, value, expected):
    done = run("config", "check", folder=tmp_path, settings={name: value})

    assert done.returncode != 0
    assert expected in done.stderr


def test_what_is_shown_holds_no_secret(tmp_path):
    secrets = {"SAFAWINET_MASTER_KEY": MASTER_KEY, "SAFAWINET_ADMIN_PASSWORD": ADMIN_PASSWORD}
    done = run("config", "show", folder=tmp_path, settings=secrets | {"SAFAWINET_ADMIN_EMAIL": ADMIN_EMAIL})

    assert done.returncode == 0, done.stderr
    assert MASTER_KEY not in done.stdout + done.stderr
    assert ADMIN_PASSWORD not in done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [("serve", "--nonsense"), ("nonsense",), ("config",), ("config", "nonsense")])
def test_wrong_usage_exits_with_2(tmp_path, arguments):
    assert run(*arguments, folder=tmp_path).returncode == 2


@pytest.fixture
def prepared(tmp_path):
    """A server that was never started."""
    server = Server(tmp_path / "server")
    yield server
    server.close()


def test_a_first_administrator_with_a_weak_password_stops_the_start(tmp_path, prepared):
    done = run("serve", folder=tmp_path, settings=prepared.settings | {"SAFAWINET_ADMIN_PASSWORD": "weak"})

    assert done.returncode == 2
    assert "SAFAWINET_ADMIN_PASSWORD" in done.stderr


def test_a_blocklist_that_cannot_be_used_stops_the_start_and_says_why(tmp_path, prepared):
    empty = tmp_path / "empty.txt"
    empty.write_text("\nabc\n")
    for path, why in [(tmp_path / "none.txt", "No such file"), (tmp_path, "is no file"), (empty, "holds no password")]:
        setting = {"SAFAWINET__PASSWORDS__BLOCKLIST_FILE": str(path)}
        done = run("serve", folder=tmp_path, settings=prepared.settings | setting)
        assert done.returncode == 2, done.stderr
        assert "blocklist_file" in done.stderr and why in done.stderr and str(path) in done.stderr, done.stderr


def test_the_first_administrator_is_made_once_and_never_changed_afterwards(start_server):
    server = start_server()
    assert server.admin().me().json["role"] == "superadmin"
    assert server.admin().me().json["emailVerified"] is True

    server.settings |= {"SAFAWINET_ADMIN_EMAIL": "other@example.test", "SAFAWINET_ADMIN_PASSWORD": OTHER_PASSWORD}
    server.restart()
    assert server.admin().me().status == 200
    assert server.api().login("other@example.test", OTHER_PASSWORD).status == 401
    assert server.sql("SELECT count(*) FROM users") == [(1,)]


def test_without_a_named_administrator_one_is_made_and_its_password_kept_in_a_private_file(prepared):
    server = prepared
    del server.settings["SAFAWINET_ADMIN_EMAIL"], server.settings["SAFAWINET_ADMIN_PASSWORD"]
    server.start()
    file = server.data / "first-administrator"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    words = file.read_text().split()
    email = next(word for word in words if "@" in word)
    password = next(word for word in words if server.api().login(email, word).status == 200)
    assert password not in "\n".join(server.lines)

    admin = log_in(server, email, password)
    assert admin.api.change_password(password, OTHER_PASSWORD).status == 204
    assert not file.exists()
    server.restart()
    assert not file.exists()


@pytest.mark.embedded_only
def test_files_with_secrets_are_private_and_looser_ones_are_refused(tmp_path):
    server = Server(tmp_path / "server").start()
    person = signed_up_user(server)
    key = server.data / "master.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(server.database_file.stat().st_mode) & 0o077 == 0
    assert server.stop() == 0

    key.chmod(0o644)
    refused = run("serve", folder=server.folder, settings=server.settings)
    assert refused.returncode != 0
    assert "master.key" in refused.stderr
    key.chmod(0o600)
    other = server.data / "other-master.key"
    other.write_text(base64.b64encode(os.urandom(32)).decode())
    other.chmod(0o640)
    refused = run("serve", folder=server.folder, settings=server.settings)
    assert refused.returncode != 0
    assert f"chmod 600 {other}" in refused.stderr
    other.chmod(0o600)
    server.start()
    person.device.api.address = server.address
    assert person.device.is_signed_in()
    assert server.stop() == 0


def test_a_master_key_that_does_not_open_the_keyring_stops_the_start(start_server):
    server = start_server({"SAFAWINET_MASTER_KEY": MASTER_KEY})
    assert server.stop() == 0
    assert not (server.data / "master.key").exists()

    other = base64.b64encode(os.urandom(32)).decode()
    refused = run("serve", folder=server.folder, settings=server.settings | {"SAFAWINET_MASTER_KEY": other})
    assert refused.returncode != 0
    assert "master key" in refused.stderr.lower()
    assert other not in refused.stderr


def test_a_taken_port_stops_the_start_and_is_named(start_server, tmp_path):
    server = start_server()
    settings = server.settings | {"SAFAWINET_LISTEN": server.address, "SAFAWINET_DATA_DIR": str(tmp_path / "other")}
    done = run("serve", folder=tmp_path, settings=settings)

    assert done.returncode != 0
    assert server.address in done.stderr


def test_migrating_twice_is_fine(tmp_path, prepared):
    for _ in range(2):
        done = run("migrate", folder=tmp_path, settings=prepared.settings)
        assert done.returncode == 0, done.stderr


@pytest.mark.postgres_only
def test_the_password_of_the_database_is_shown_nowhere(tmp_path, prepared):
    shown = run("config", "show", folder=tmp_path, settings=prepared.settings)
    assert shown.returncode == 0, shown.stderr
    assert ROLE_PASSWORD in prepared.settings["DATABASE_URL"]
    assert ROLE_PASSWORD not in shown.stdout + shown.stderr


@pytest.mark.postgres_only
@pytest.mark.release_only
def test_a_database_that_cannot_be_opened_stops_the_start_and_says_why(tmp_path, prepared):
    """All at once: a database that may yet be on its way is waited for."""
    url = prepared.database.url
    cases = [
        (url.replace(ROLE_PASSWORD, "the-wrong-one-of-all"), 'password authentication failed for user "safawinet"'),
        (url.replace("/safawinet_", "/nowhere_"), 'database "nowhere_'),
        (url.replace("127.0.0.1", "no-such-host.invalid"), "no-such-host.invalid"),
        (url.replace("postgresql://", "mysql://"), "DATABASE_URL"),
    ]

    def refused(case: tuple[str, str]):
        return run("serve", folder=tmp_path, settings=prepared.settings | {"DATABASE_URL": case[0]}, patience_seconds=90)

    with concurrent.futures.ThreadPoolExecutor(len(cases)) as threads:
        for (_, said), done in zip(cases, threads.map(refused, cases)):
            assert done.returncode != 0
            assert said in done.stderr
            assert ROLE_PASSWORD not in done.stderr
            assert "the-wrong-one-of-all" not in done.stderr
