"""What a node needs of PostgreSQL before it serves, and what it says when that is not so."""

import contextlib
import pathlib
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import postgres
from harness.people import log_in, signed_up_user
from harness.server import EXEMPT, REPOSITORY, Server, new_master_key, run

pytestmark = pytest.mark.postgres_only


def settings_for(url: str, folder: pathlib.Path, **more: str) -> dict[str, str]:
    return {
        "DATABASE_URL": url,
        "SAFAWINET_MASTER_KEY": new_master_key(),
        "SAFAWINET_DATA_DIR": str(folder / "data"),
        "SAFAWINET_LISTEN": "127.0.0.1:0",
        "SAFAWINET_OPERATIONS_LISTEN": "127.0.0.1:0",
    } | more


@pytest.fixture
def database() -> postgres.Database:
    return postgres.shared_cluster().create_database()


def test_without_a_master_key_nothing_starts(database: postgres.Database, tmp_path: pathlib.Path):
    settings = settings_for(database.url, tmp_path)
    del settings["SAFAWINET_MASTER_KEY"]
    ended = run("serve", settings=settings, folder=tmp_path)
    assert ended.returncode == 2, ended
    assert "SAFAWINET_MASTER_KEY" in ended.stderr and "openssl rand -base64 32" in ended.stderr
    assert database.sql("SELECT to_regclass('users')") == [(None,)]


def test_a_url_that_cannot_be_read_is_named_without_its_password(tmp_path: pathlib.Path):
    ended = run("serve", settings=settings_for("postgresql://ann:hush@host/x?nonsense=1", tmp_path), folder=tmp_path)
    assert ended.returncode == 2, ended
    assert "DATABASE_URL" in ended.stderr and "nonsense" in ended.stderr and "hush" not in ended.stderr


def test_a_schema_that_is_newer_is_refused_and_untouched(database: postgres.Database, tmp_path: pathlib.Path):
    settings = settings_for(database.url, tmp_path)
    assert run("migrate", settings=settings, folder=tmp_path).returncode == 0
    database.sql("UPDATE schema_version SET version = 4711")
    for command in ("serve", "migrate"):
        ended = run(command, settings=settings, folder=tmp_path)
        assert ended.returncode == 1, ended
        assert "4711" in ended.stderr and "newer binary" in ended.stderr
    assert database.sql("SELECT version FROM schema_version") == [(4711,)]


def test_check_refuses_an_old_schema_and_names_the_command(database: postgres.Database, tmp_path: pathlib.Path):
    settings = settings_for(database.url, tmp_path, SAFAWINET__DATABASE__MIGRATE="check")
    ended = run("serve", settings=settings, folder=tmp_path)
    assert ended.returncode == 1 and "safawinet migrate" in ended.stderr, ended
    assert database.sql("SELECT to_regclass('users')") == [(None,)]
    assert run("migrate", settings=settings, folder=tmp_path).returncode == 0
    assert run("migrate", settings=settings, folder=tmp_path).stdout.startswith("The schema is up to date")
    server = Server(tmp_path / "checked", {"SAFAWINET__DATABASE__MIGRATE": "check"}, database=database)
    server.start()
    server.close()


def test_several_migrations_at_once_do_the_work_once(database: postgres.Database, tmp_path: pathlib.Path):
    settings = settings_for(database.url, tmp_path)
    with ThreadPoolExecutor(6) as pool:
        ended = list(pool.map(lambda _: run("migrate", settings=settings, folder=tmp_path), range(6)))
    assert [one.returncode for one in ended] == [0] * 6, ended
    assert sum("Migrated" in one.stdout for one in ended) >= 1
    assert database.sql("SELECT count(*) FROM session_epoch") == [(1,)]


def test_a_start_waits_for_a_database_that_is_not_there_yet(tmp_path: pathlib.Path):
    cluster = postgres.clusters().make()
    database = cluster.create_database()
    cluster.stop()
    server = Server(tmp_path / "server", database=database)
    try:
        server.launch()
        server.wait_for_event("waiting-for-database")
        cluster.start()
        server.wait_until_listening()
        assert signed_up_user(server).device.api.me().status == 200
    finally:
        server.close()
        cluster.close()


# --- poolers


@contextlib.contextmanager
def pgbouncer(database: postgres.Database, pool_mode: str):
    """A PgBouncer before this database; yields the URL that leads through it."""
    folder = postgres.clusters().new_folder()
    port = postgres.free_port()
    host, server_port = database.cluster.address
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n{database.name} = host={host} port={server_port} dbname={database.name} "
        f"user={postgres.ROLE} password={postgres.ROLE_PASSWORD}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\npool_mode = {pool_mode}\n"
        f"unix_socket_dir =\nignore_startup_parameters = options,extra_float_digits\ndefault_pool_size = 60\n"
    )
    process = subprocess.Popen(
        postgres.as_its_user("/usr/sbin/pgbouncer", folder / "pgbouncer.ini"),
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = database.url_by(("127.0.0.1", port))
    try:
        deadline = time.monotonic() + postgres.PATIENCE_SECONDS
        while subprocess.run(["psql", url, "-c", "SELECT 1"], capture_output=True, check=False).returncode != 0:
            assert time.monotonic() < deadline and process.poll() is None, "pgbouncer does not start"
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(postgres.PATIENCE_SECONDS)


def test_a_pooler_by_transactions_is_refused_with_the_reason(database: postgres.Database, tmp_path: pathlib.Path):
    with pgbouncer(database, "transaction") as url:
        ended = run("serve", settings=settings_for(url, tmp_path), folder=tmp_path)
    assert ended.returncode == 1, ended
    assert "pool_mode=transaction" in ended.stderr and "database.shared_connections" in ended.stderr
    assert database.sql("SELECT to_regclass('users')") == [(None,)]


def test_a_pooler_by_sessions_works(database: postgres.Database, tmp_path: pathlib.Path):
    with pgbouncer(database, "session") as url:
        server = Server(tmp_path / "server", EXEMPT | {"DATABASE_URL": url}, database=database)
        server.start()
        try:
            person = signed_up_user(server)
            other = log_in(server, person.email, person.password)
            assert server.admin().force_logout(userId=person.id).status == 200
            assert other.api.me().status == 401
        finally:
            server.close()


# --- the least-privilege role


def test_the_servers_role_can_do_its_work_and_nothing_more(database: postgres.Database, tmp_path: pathlib.Path):
    owner = settings_for(database.url, tmp_path)
    assert run("migrate", settings=owner, folder=tmp_path).returncode == 0
    roles = (REPOSITORY / "deploy/postgresql/roles.sql").read_text()
    database.psql(roles)
    database.psql(roles)  # doing it twice is fine
    database.sql("ALTER ROLE safawinet_server PASSWORD 'six-oars'")
    host, port = database.cluster.address
    url = f"postgresql://safawinet_server:six-oars@{host}:{port}/{database.name}"
    server = Server(
        tmp_path / "server", EXEMPT | {"DATABASE_URL": url, "SAFAWINET__DATABASE__MIGRATE": "check"}, database=database
    )
    server.start()
    try:
        person = signed_up_user(server)
        other = log_in(server, person.email, person.password)
        assert server.api().refresh(other.refresh_token).status == 200
        assert server.api().login(person.email, "something else entirely").status == 401
        assert person.device.api.change_password(person.password, "Nine copper pans, one lid").status == 204
        admin = server.admin()
        assert admin.force_logout_all().status == 200
        assert person.device.api.me().status == 401
        assert admin.post("/v1/audit/erase", {"userId": person.id, "reason": "asked for"}).json["rowsErased"] > 0
        for mode in ("watch", "normal"):
            assert admin.post("/v1/admin/mode", {"mode": mode}).status == 200
        answer = admin.post("/v1/audit/verify", {}).json
        assert answer["rows"] > 5 and answer["findings"] == [], answer
        assert server.api().get("/health").json["status"] == "ok"
    finally:
        server.close()
    for forbidden in (
        "UPDATE audit_log SET reason = 'nothing happened'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "UPDATE audit_chain SET link = ''",
        "DELETE FROM audit_chain",
        "UPDATE audit_queue SET entry_mac = ''",
        "DELETE FROM audit_erasures",
        "DELETE FROM compromise_mode",
        "UPDATE audit_anchor SET position = 0",
        "DROP TRIGGER sessions_deleted ON refresh_sessions",
        "ALTER TABLE refresh_sessions DISABLE TRIGGER ALL",
        "CREATE TABLE mine ()",
        "INSERT INTO revocations (scope, reason, actor) VALUES ('session', 'x', 'y')",
    ):
        tried = subprocess.run(["psql", url, "-c", forbidden], capture_output=True, text=True, check=False)
        assert tried.returncode != 0 and ("permission denied" in tried.stderr or "must be owner" in tried.stderr), forbidden
