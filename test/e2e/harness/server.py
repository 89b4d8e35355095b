"""A safawinet process on its own data folder, and on a database of its own or one that it shares with others."""

import base64
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import threading
import time

from . import postgres
from .client import Api
from .mail import Mailbox
from .redis import shared_redis

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
BINARY = pathlib.Path(os.environ.get("SAFAWINET_BINARY", REPOSITORY / "build/release/safawinet"))
PUBLIC_URL = "https://accounts.example.test"
ADMIN_EMAIL = "root@example.test"
ADMIN_PASSWORD = "Quiet harbour, seven lanterns"

# What servers run on unless a test says otherwise: "sqlite", the embedded database, or "postgres", which brings Redis along.
ENGINE = os.environ.get("SAFAWINET_TEST_ENGINE", "sqlite")

# How long a thing that must happen may take before a test gives up; never how long it should take.
PATIENCE_SECONDS = 30.0
EXEMPT = {"SAFAWINET__LIMITS__EXEMPT_NETWORKS": "127.0.0.0/8"}


def rounds(ordinary: int) -> int:
    """How often a race is run: `ordinary` times the factor of script/test --soak."""
    return max(1, int(ordinary * float(os.environ.get("SAFAWINET_TEST_ROUNDS", "1"))))


def eventually(condition, what: str, patience_seconds: float = PATIENCE_SECONDS):
    """Asks until `condition()` is truthy and returns that; fails when patience is over."""
    deadline = time.monotonic() + patience_seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"did not happen within {patience_seconds:.0f} s: {what}"
        time.sleep(0.002)


def environment(settings: dict[str, str]) -> dict[str, str]:
    """The environment of this process without what would configure a server, and `settings`."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SAFAWINET_") and name not in ("DATABASE_URL", "REDIS_URL")
    }
    return inherited | settings


def run(
    *arguments: str,
    settings: dict[str, str] | None = None,
    folder: pathlib.Path,
    input_text: str = "",
    patience_seconds: float = PATIENCE_SECONDS,
):
    """Runs `safawinet arguments` to its end."""
    return subprocess.run(
        [BINARY, *arguments],
        env=environment(settings or {}),
        cwd=folder,
        input=input_text,
        capture_output=True,
        text=True,
        timeout=patience_seconds,
        check=False,
    )


def new_master_key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


class Server:
    """`database`: one on PostgreSQL that the test has made; it may be that of another server, with the same master key in
    the settings. Without it a server has a new one, of the kind that ENGINE names, and takes it away at its end.
    `tls`: the host name of its certificate, and the file of the authority that a client trusts.
    `prefix`: what the command that starts it begins with, such as a way into another network.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        settings: dict[str, str] | None = None,
        data: pathlib.Path | None = None,
        tls: tuple[str, str] | None = None,
        database: postgres.Database | None = None,
        prefix: list[str] | None = None,
    ):
        self.folder = folder
        self.prefix = prefix or []
        self.tls = tls
        self.data = data or folder / "data"
        self._own_database: postgres.Database | None = None
        if database is None and ENGINE == "postgres":
            database = self._own_database = postgres.shared_cluster().create_database()
        self.database = database
        self.mail = Mailbox(folder / "mail")
        self.settings = {
            "SAFAWINET_LISTEN": "127.0.0.1:0",
            "SAFAWINET_OPERATIONS_LISTEN": "127.0.0.1:0",
            "SAFAWINET_DATA_DIR": str(self.data),
            "SAFAWINET_MAIL_DIR": str(self.mail.folder),
            "SAFAWINET_PUBLIC_URL": PUBLIC_URL,
            "SAFAWINET_ADMIN_EMAIL": ADMIN_EMAIL,
            "SAFAWINET_ADMIN_PASSWORD": ADMIN_PASSWORD,
        }
        if database is not None:
            self.settings |= {"DATABASE_URL": database.url, "SAFAWINET_MASTER_KEY": new_master_key()}
        if ENGINE == "postgres":
            self.settings["REDIS_URL"] = shared_redis().url()
        self.settings |= settings or {}
        self.process: subprocess.Popen | None = None
        self.lines: list[str] = []
        self._first_line = 0  # that the process which runs now has written
        self.address = ""
        self.operations_address = ""
        self._changed = threading.Condition()
        self._reader: threading.Thread | None = None

    # --- life

    def start(self) -> "Server":
        """Starts it and waits until it listens."""
        self.launch()
        return self.wait_until_listening()

    def wait_until_listening(self) -> "Server":
        listening = self.wait_for_event("listening", self._first_line)
        self.address = listening["address"]
        self.operations_address = listening["operationsAddress"]
        return self

    def launch(self) -> None:
        """Starts it without waiting."""
        assert self.process is None, "already running"
        self._first_line = len(self.lines)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            [*self.prefix, BINARY, "serve"],
            env=environment(self.settings),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._reader = threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True)
        self._reader.start()

    def stop(self) -> int:
        """Asks it to stop, waits, and returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.wait()

    def wait(self) -> int:
        try:
            code = self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server did not end\n{self.tail()}") from None
        self._reader.join(PATIENCE_SECONDS)
        self.process.stdout.close()
        self.process.stderr.close()
        self.process = None
        return code

    def restart(self) -> "Server":
        """Stops it when it runs, and starts it on the same data."""
        if self.process is not None:
            assert self.stop() == 0, self.tail()
        return self.start()

    def pause(self) -> None:
        """Returns when every thread has stopped: one of them has to run first to hear of the signal, and until it does
        the others go on."""
        self.process.send_signal(signal.SIGSTOP)
        eventually(self._has_stopped, "every thread of the server has stopped")

    def _has_stopped(self) -> bool:
        try:
            stats = [task.read_text() for task in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/stat")]
        except (FileNotFoundError, ProcessLookupError):
            return False  # a thread has ended meanwhile
        return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """The end of a test: whatever runs is ended, and must end cleanly."""
        try:
            self._end()
        finally:
            if self._own_database is not None:
                self._own_database.drop()

    def _end(self) -> None:
        if self.process is None:
            return
        self.resume()
        if self.process.poll() is not None:
            code = self.wait()
            raise AssertionError(f"the server ended by itself with {code}\n{self.tail()}")
        code = self.stop()
        assert code == 0, f"the server stopped with {code}\n{self.tail()}"

    # --- its log

    def _read(self, stream) -> None:
        for line in stream:
            with self._changed:
                self.lines.append(line.decode(errors="replace").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def tail(self, count: int = 30) -> str:
        return "\n".join(self.lines[-count:])

    def events(self, name: str, first: int = 0) -> list[dict]:
        found = []
        for line in self.lines[first:]:
            if line.startswith("{"):
                event = json.loads(line)
                if event.get("event") == name:
                    found.append(event)
        return found

    def wait_for_event(self, name: str, first: int = 0) -> dict:
        deadline = time.monotonic() + PATIENCE_SECONDS
        with self._changed:
            while True:
                found = self.events(name, first)
                if found:
                    return found[-1]
                ended = self.process is None or self.process.poll() is not None
                left = deadline - time.monotonic()
                assert not ended and left > 0, f"no event {name!r}; the log ends:\n{self.tail()}"
                self._changed.wait(min(left, 0.05))

    # --- ways in

    def api(self, token: str | None = None, source: str | None = None) -> Api:
        """A client; `source` is another loopback address to come from, such as 127.0.7.1."""
        return Api(self.address, token, source, self.tls)

    @property
    def operations(self) -> Api:
        return Api(self.operations_address)

    def admin(self, source: str | None = None) -> Api:
        """A client that is logged in as the first administrator."""
        api = self.api(source=source)
        reply = api.login(ADMIN_EMAIL, ADMIN_PASSWORD)
        assert reply.status == 200, reply
        return api.with_token(reply.json["accessToken"])

    @property
    def database_file(self) -> pathlib.Path:
        """The embedded database."""
        assert self.database is None, "this server has no database of its own in a file"
        return self.data / "safawinet.db"

    @property
    def master_key(self) -> str:
        given = self.settings.get("SAFAWINET_MASTER_KEY")
        return given or (self.data / "master.key").read_bytes().decode(errors="replace").strip()

    def sql(self, statement: str, *parameters) -> list[tuple]:
        """What an operator would type into another program: one statement on the live database, committed.

        `?` stands for a parameter. Identifiers come as text; times and truth values as the engine has them.
        """
        if self.database is not None:
            return self.database.sql(statement, *parameters)
        connection = sqlite3.connect(self.database_file, timeout=PATIENCE_SECONDS)
        try:
            with connection:
                return connection.execute(statement, parameters).fetchall()
        finally:
            connection.close()

    def dump(self) -> str:
        """The whole database as text, as a backup of it would be."""
        if self.database is not None:
            return self.database.dump()
        connection = sqlite3.connect(f"file:{self.database_file}?mode=ro", uri=True)
        try:
            return "\n".join(connection.iterdump())
        finally:
            connection.close()

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of a metric that carry these labels."""
        total = 0.0
        for line in self.operations.get("/metrics").text.splitlines():
            sample, _, value = line.rpartition(" ")
            if sample.partition("{")[0] == name and all(f'{key}="{text}"' in sample for key, text in labels.items()):
                total += float(value)
        return total
