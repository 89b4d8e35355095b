"""A PostgreSQL cluster of the run's own, on the disk of build/bench/, with a million people and sessions in it."""

import contextlib
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from runner.processes import ADMINISTRATOR, BenchError, process_ticks

SUPERUSER = "postgres"
ROLE = "safawinet"
DATABASE = "bench"
# What a small machine would be given; everything else is as initdb makes it, fsync and full_page_writes included.
PARAMETERS = {"shared_buffers": "256MB", "max_wal_size": "4GB"}
START_DEADLINE_SECONDS = 30
STOP_DEADLINE_SECONDS = 120

# Ids that a number tells, and as alike in their first bits as those of people who came in the same minute.
USER_ID = "01900000-0000-7000-8000-{:012}"
SESSION_ID = "01900000-0000-7000-9000-{:012}"

SEED_USERS = """
INSERT INTO users (id, email, name, password_hash, email_verified_at, created_at, updated_at)
SELECT ('01900000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'seeded-' || n || '@example.com', 'Seeded Person',
       (SELECT password_hash FROM users WHERE email = %s), now(), now(), now()
FROM generate_series(1, %s) AS n
"""
SEED_SESSIONS = """
INSERT INTO refresh_sessions (id, user_id, epoch, created_at, rotated_at, expires_at, ends_at, device_name, user_agent,
                              ip_address)
SELECT ('01900000-0000-7000-9000-' || lpad(n::text, 12, '0'))::uuid,
       ('01900000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,
       (SELECT epoch FROM session_epoch), now(), now(), now() + interval '14 days', now() + interval '30 days', 'Phone',
       'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0', '192.0.2.1'
FROM generate_series(1, %s) AS n
"""
# Sessions made together lie side by side; those that are used together lie anywhere.
SPREAD_SESSIONS = (
    "CREATE INDEX bench_spread ON refresh_sessions (md5(id::text))",
    "CLUSTER refresh_sessions USING bench_spread",
    "DROP INDEX bench_spread",
    "VACUUM ANALYZE refresh_sessions",
)

# The statement of src/sessions/session_store.cpp, with a session that a number tells instead of one that a token names;
# its generation, which nobody here knows, is compared with what is surely below it.
ROTATION = r"""
\set number :step * random(1, :sessions)
WITH held AS MATERIALIZED (
  SELECT s.ctid AS place, u.role, u.token_version
  FROM refresh_sessions s JOIN users u ON u.id = s.user_id CROSS JOIN session_epoch e
  WHERE s.id = ('01900000-0000-7000-9000-' || lpad(:number::text, 12, '0'))::uuid AND s.generation > :below
    AND s.expires_at > :now AND s.epoch = e.epoch AND u.is_active
  FOR NO KEY UPDATE OF s SKIP LOCKED)
UPDATE refresh_sessions s
SET generation = s.generation + 1, rotated_at = :now, expires_at = least(s.ends_at, :later), ip_address = :address
FROM held WHERE s.ctid = held.place
RETURNING s.user_id, s.generation, s.epoch, s.created_at, s.expires_at, held.role, held.token_version;
"""


def seeded_email(number: int) -> str:
    return f"seeded-{number}@example.com"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Rotations:
    count: int
    per_second: float


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda file: int(file.parts[-3]))
    if not found:
        raise BenchError("no PostgreSQL is installed (script/packages bench installs it)")
    return found[-1].parent


def _as_its_user(*command: object) -> list[str]:
    """PostgreSQL refuses to run as root. Whatever becomes of us, it ends with us."""
    words = ["setpriv", "--pdeathsig", "INT"]
    if os.geteuid() == 0:
        words += [f"--reuid={SUPERUSER}", f"--regid={SUPERUSER}", "--init-groups"]
    return [*words, "--", *(str(word) for word in command)]


class Cluster:
    def __init__(self, place: Path):
        self._bin = _binaries()
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=place))
        self._data = self._folder / "data"
        self._password = secrets.token_hex(16)
        self._log = self._folder / "log"
        self.port = free_port()
        self._popen: subprocess.Popen | None = None

    def __enter__(self) -> "Cluster":
        password_file = self._folder / "password"
        password_file.touch(0o600)
        password_file.write_text(self._password)
        if os.geteuid() == 0:
            owner = pwd.getpwnam(SUPERUSER)
            for path in (self._folder, password_file):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        made = subprocess.run(
            _as_its_user(
                self._bin / "initdb", "--pgdata", self._data, "--username", SUPERUSER, "--pwfile", password_file,
                "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8",
            ),
            cwd="/", capture_output=True, text=True, check=False,
        )  # fmt: skip
        if made.returncode != 0:
            raise BenchError(f"initdb failed: {made.stderr}")
        settings = PARAMETERS | {"port": str(self.port), "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            self._popen = subprocess.Popen(
                _as_its_user(self._bin / "postgres", "-D", self._data, *options),
                cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            self._wait_until_ready()
            self.sql(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{self._password}'", database=SUPERUSER)
            self.sql(f"CREATE DATABASE {DATABASE} OWNER {ROLE}", database=SUPERUSER)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        self._popen.send_signal(signal.SIGINT)
        try:
            self._popen.wait(STOP_DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            self._popen.send_signal(signal.SIGQUIT)
            self._popen.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait_until_ready(self) -> None:
        give_up = time.monotonic() + START_DEADLINE_SECONDS
        while True:
            try:
                self.sql("SELECT 1", database=SUPERUSER)
                return
            except psycopg2.OperationalError:
                if self._popen.poll() is not None or time.monotonic() > give_up:
                    raise BenchError(f"PostgreSQL does not start: {self._log.read_text()[-2000:]}") from None
                time.sleep(0.02)

    @property
    def url(self) -> str:
        return f"postgresql://{ROLE}:{self._password}@127.0.0.1:{self.port}/{DATABASE}"

    def connect(self, database: str = DATABASE):
        """As an operator; every statement is committed by itself."""
        connection = psycopg2.connect(
            host="127.0.0.1", port=self.port, user=SUPERUSER, password=self._password, dbname=database
        )
        connection.autocommit = True
        return connection

    def sql(self, statement: str, *parameters: object, database: str = DATABASE) -> list[tuple]:
        with contextlib.closing(self.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def seed(self, count: int) -> None:
        """People 1 to `count`, all with the administrator's password, and a session of each."""
        self.sql(SEED_USERS, ADMINISTRATOR[0], count)
        self.sql("VACUUM ANALYZE users")
        self.sql(SEED_SESSIONS, count)

    def spread_sessions(self) -> None:
        for statement in SPREAD_SESSIONS:
            self.sql(statement)
        self.sql("CHECKPOINT")

    def processor_seconds(self) -> float:
        """Of the postmaster and everything that it has started, ended or not."""
        parent = self._popen.pid
        own, ended = process_ticks(parent)
        running = 0
        for task in Path(f"/proc/{parent}/task").iterdir():
            for child in (task / "children").read_text().split():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    running += process_ticks(int(child))[0]
        return (own + ended + running) / os.sysconf("SC_CLK_TCK")

    def rotations(self, clients: int, seconds: float, sessions: int, step: int) -> Rotations:
        """What pgbench does, over so many sessions, of which each lies `step` numbers after the other."""
        script = self._folder / "rotation.sql"
        script.write_text(ROTATION)
        now, later = self.sql("SELECT now()::text, (now() + interval '14 days')::text")[0]
        variables = {
            "step": step, "sessions": sessions, "below": 0, "now": now, "later": later, "address": "127.0.0.1",
        }  # fmt: skip
        done = subprocess.run(
            [
                str(self._bin / "pgbench"), "--no-vacuum", "--protocol=prepared", f"--file={script}",
                f"--client={clients}", f"--jobs={min(2, clients)}", f"--time={max(2, round(seconds))}",
                *(f"--define={name}={value}" for name, value in variables.items()), self.url,
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        rate = re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)
        count = re.search(r"actually processed: (\d+)", done.stdout)
        if done.returncode != 0 or not rate or not count or "number of failed transactions: 0 " not in done.stdout:
            raise BenchError(f"pgbench failed: {done.stderr.strip()} {done.stdout}")
        return Rotations(int(count[1]), float(rate[1]))
