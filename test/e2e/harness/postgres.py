"""PostgreSQL servers of our own: real ones, in a temporary folder, on free ports, with every fault that they can have.

    cluster = clusters.make()                     a server process that is ready
    database = cluster.create_database()          a fresh database, and the URL by which safawinet reaches it
    database.sql("SELECT 1"), database.psql("…")  as an operator; never through a proxy, and always let in
    cluster.kill(), .pause(), .stop("fast"), …    what befalls it
    standby = cluster.standby(synchronous=True)   streams from it; standby.promote()

PostgreSQL refuses to run as root: then everything is done as the user `postgres`. However the tests end, nothing is left.
"""

import atexit
import contextlib
import functools
import itertools
import os
import pathlib
import pwd
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import psycopg2
import psycopg2.extensions

from . import guardian

PATIENCE_SECONDS = 30.0
SUPERUSER = "postgres"
ROLE, ROLE_PASSWORD = "safawinet", "seven-lanterns-in-the-pool"  # what servers log in as
PARAMETERS = {
    "max_connections": "300",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "wal_level": "replica",
    "max_wal_senders": "8",
    "max_replication_slots": "8",
    # What dies here are processes, never the machine: what they wrote is there. A busy disk is not what is tested.
    "fsync": "off",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %a ",
    "log_min_error_statement": "panic",  # statements hold addresses and names
    # In the folder, so that nothing stays in /dev/shm of a server that was killed.
    "dynamic_shared_memory_type": "mmap",
}
ACCESS = """\
local all         all trust
local replication all trust
host  all         all all scram-sha-256
"""

# psycopg2 makes strings of UUIDs and text; times and bytes are left to the tests, which do not ask for them.
_numbers = itertools.count(1)


def binaries() -> pathlib.Path:
    """The newest installed PostgreSQL."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda file: int(file.parts[-3]))
    assert found, "no PostgreSQL is installed; script/packages test installs it"
    return found[-1].parent


def as_its_user(*command: str | pathlib.Path) -> list[str]:
    """The command line that runs a program of PostgreSQL as somebody whom it accepts."""
    words = [str(word) for word in command]
    if os.geteuid() != 0:
        return words
    return ["setpriv", f"--reuid={SUPERUSER}", f"--regid={SUPERUSER}", "--init-groups", "--", *words]


def run_as_its_user(*command: str | pathlib.Path) -> None:
    done = subprocess.run(as_its_user(*command), cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def give_to_its_user(path: pathlib.Path) -> None:
    if os.geteuid() == 0:
        owner = pwd.getpwnam(SUPERUSER)
        os.chown(path, owner.pw_uid, owner.pw_gid)


@functools.cache
def _ports() -> Iterator[int]:
    """Those of this process: test processes that run side by side have different ones (pytest-xdist numbers them gw0, gw1, …),
    and none is of those that the kernel hands to whoever connects (net.ipv4.ip_local_port_range begins at 32768), which could
    take the place of a server that a test stops and starts again."""
    first = 12000 + 2000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return itertools.cycle(random.sample(range(first, first + 2000), 2000))


def free_port() -> int:
    for port in _ports():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("there are always more ports to try")


class Clusters:
    """A temporary folder with clusters, watched over by a process that outlives the tests and clears it away."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="safawinet-pg-"))
        give_to_its_user(self.folder)
        self._guardian = subprocess.Popen(
            [sys.executable, guardian.__file__, str(self.folder)], cwd="/", stdin=subprocess.PIPE, start_new_session=True
        )

    @functools.cached_property
    def _template(self) -> pathlib.Path:
        """What initdb makes, made once."""
        data = self.folder / "template"
        options = ["--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"]
        run_as_its_user(binaries() / "initdb", "--pgdata", data, *options)
        (data / "pg_hba.conf").write_text(ACCESS)
        return data

    def make(
        self,
        parameters: dict[str, str] | None = None,
        listen: str = "127.0.0.1",
        folder: pathlib.Path | None = None,
        environment: dict[str, str] | None = None,
    ) -> "Cluster":
        """A cluster that runs. `folder`: where its data are to be, if not with the others."""
        cluster = Cluster(self, folder or self.new_folder(), PARAMETERS | (parameters or {}), listen, environment or {})
        run_as_its_user("cp", "-a", self._template, cluster.data)
        cluster.start()
        cluster.sql(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{ROLE_PASSWORD}'")
        return cluster

    def new_folder(self) -> pathlib.Path:
        folder = self.folder / str(next(_numbers))
        folder.mkdir()
        give_to_its_user(folder)
        return folder

    def close(self) -> None:
        """The end of the tests: nobody waits for clusters to end well, nor long for a slow disk to forget them."""
        self._guardian.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._guardian.wait(PATIENCE_SECONDS)


@functools.cache
def clusters() -> Clusters:
    """Those of this test run."""
    made = Clusters()
    atexit.register(made.close)
    return made


@functools.cache
def shared_cluster() -> "Cluster":
    """The one on which every test has its databases, unless it means to do it harm."""
    return clusters().make()


class Cluster:
    """One PostgreSQL server. Two that serve the same data are two of these: a primary and its standby."""

    def __init__(
        self,
        home: Clusters,
        folder: pathlib.Path,
        parameters: dict[str, str],
        listen: str,
        environment: dict[str, str],
    ):
        self.home = home
        self.environment = environment
        self.folder = folder
        self.data = folder / "data"
        self.parameters = parameters
        self.listen = listen
        self.port = free_port()
        self.process: subprocess.Popen | None = None

    # --- life

    def start(self) -> "Cluster":
        """Starts it and waits until it answers; also one that was killed, which first recovers."""
        self.launch()
        self.wait_until_ready()
        return self

    def wait_until_ready(self) -> None:
        """Waits until it answers: after its start, or when it recovers by itself."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.sql("SELECT 1")
                return
            except psycopg2.OperationalError:
                assert self.process.poll() is None and time.monotonic() < deadline, f"it does not start\n{self.log()}"
                time.sleep(0.01)

    def launch(self) -> None:
        """Starts it without waiting."""
        assert self.process is None, "already running"
        settings = self.parameters | {
            "listen_addresses": self.listen,
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                as_its_user(binaries() / "postgres", "-D", self.data, *options),
                cwd="/",
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self, mode: str = "fast") -> None:
        """`fast` cuts everybody off and writes everything down, `immediate` is a crash that it knows of."""
        signals = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
        self.process.send_signal(signals[mode])
        self._wait_for_the_end()

    def kill(self) -> None:
        """kill -9 of the postmaster, and of nothing else: what it started notices and ends."""
        self.process.kill()
        self._wait_for_the_end()

    def destroy(self) -> None:
        """kill -9 of everything at once: a machine that loses its power. A stopped one too."""
        guardian.send(self.processes(), signal.SIGKILL)
        self._wait_for_the_end()

    def revive(self) -> None:
        """Starts it if it has ended, and waits until it is well."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            if self.process is not None and self.process.poll() is not None:
                self._wait_for_the_end()
            if self.process is None:
                self.launch()
            self.resume()
            try:
                self.sql("SELECT 1")
                return
            except psycopg2.OperationalError:  # it recovers, and may yet give up
                assert time.monotonic() < deadline, f"it does not come back\n{self.log()}"
                time.sleep(0.05)

    def restart(self, mode: str = "fast") -> "Cluster":
        self.stop(mode)
        return self.start()

    def _wait_for_the_end(self) -> None:
        self.process.wait(PATIENCE_SECONDS)
        self.process = None
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.processes():
            assert time.monotonic() < deadline, "processes of the cluster are left"
            time.sleep(0.005)

    def close(self) -> None:
        """The end of a test: it is ended, however it is, and its data are deleted."""
        guardian.remove(self.data)
        if self.process is not None:
            self.process.wait(PATIENCE_SECONDS)
            self.process = None

    # --- faults

    def processes(self) -> list[int]:
        """The postmaster and everything that it started."""
        return guardian.processes_in(self.data)

    def pause(self) -> None:
        """SIGSTOP of everything: it keeps its connections and answers nobody."""
        self.process.send_signal(signal.SIGSTOP)  # from now on there are no new ones
        guardian.send(self.processes(), signal.SIGSTOP)

    def resume(self) -> None:
        guardian.send(self.processes(), signal.SIGCONT)

    def backends(self) -> list[int]:
        """The processes that serve clients, our own asking aside."""
        clients = "backend_type = 'client backend' AND pid <> pg_backend_pid()"
        return [pid for (pid,) in self.sql(f"SELECT pid FROM pg_stat_activity WHERE {clients} ORDER BY backend_start")]

    def kill_backend(self, pid: int) -> None:
        """kill -9 of one backend: the postmaster ends all others and recovers."""
        os.kill(pid, signal.SIGKILL)

    def terminate_everybody(self) -> int:
        """pg_terminate_backend on every client; returns how many there were."""
        clients = "backend_type = 'client backend' AND pid <> pg_backend_pid()"
        return len(self.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {clients}"))

    @contextlib.contextmanager
    def crowd(self):
        """Takes every connection that is left; who runs safawinet gets none while this lasts."""
        taken = []
        try:
            with contextlib.suppress(psycopg2.OperationalError):
                while True:
                    taken.append(self._connect("postgres", user=ROLE))
            yield len(taken)
        finally:
            for connection in taken:
                connection.close()

    # --- settings

    def set(self, name: str, value: str) -> None:
        """Changes a setting of the running server. One that is read at the start only is in force after `restart`."""
        self.parameters.pop(name, None)  # the command line would win
        self.sql(f"ALTER SYSTEM SET {name} = '{value}'")
        self.sql("SELECT pg_reload_conf()")

    def set_before_start(self, name: str, value: str) -> None:
        """Changes a setting of a server that does not run, whatever was set in it before."""
        self.parameters[name] = value

    # --- standbys

    def standby(self, synchronous: bool = False) -> "Cluster":
        """A copy that streams from this one. `synchronous`: from now on nothing is acknowledged that it has not on disk."""
        folder = self.home.new_folder()
        made = Cluster(self.home, folder, dict(self.parameters), self.listen, self.environment)
        name = f"standby_{folder.name}"
        run_as_its_user(
            binaries() / "pg_basebackup", "--pgdata", made.data, "--write-recovery-conf", "--wal-method=stream",
            "--checkpoint=fast", "--no-sync", "--create-slot", f"--slot={name}",
            "--dbname", f"host={self.folder} port={self.port} user={SUPERUSER} application_name={name}",
        )  # fmt: skip
        made.start()
        state = "SELECT sync_state FROM pg_stat_replication WHERE application_name = %s AND state = 'streaming'"
        if synchronous:
            self.set("synchronous_standby_names", name)
        expected = [("sync",)] if synchronous else [("async",)]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.sql(state, name) != expected:
            assert time.monotonic() < deadline, f"the standby does not stream\n{made.log()}"
            time.sleep(0.02)
        return made

    def promote(self) -> None:
        """Makes a primary of a standby; it waits for nobody from then on."""
        assert self.sql("SELECT pg_promote()") == [(True,)], self.log()
        self.set("synchronous_standby_names", "")

    # --- ways in

    def _connect(self, database: str, user: str = SUPERUSER, options: str = ""):
        return psycopg2.connect(host=str(self.folder), port=self.port, user=user, dbname=database, options=options)

    def _connect_patiently(self, database: str, options: str):
        """The places that are kept for operators may be taken for a moment by those who are about to be turned away."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self._connect(database, options=options)
            except psycopg2.OperationalError as refused:
                if "too many clients" not in str(refused) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def sql(self, statement: str, *parameters, database: str = "postgres", options: str = "") -> list[tuple]:
        """One statement as the superuser, with %s for its parameters, in a transaction of its own.

        `options`: of the session, such as "-c synchronous_commit=local" on a primary whose standby is gone.
        """
        connection = self._connect_patiently(database, options)
        try:
            connection.autocommit = True  # some statements refuse to be part of a transaction
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def create_database(self, options: str = "") -> "Database":
        name = f"safawinet_{next(_numbers)}"
        self.sql(f"CREATE DATABASE {name} OWNER {ROLE} {options}")
        return Database(self, name)

    @property
    def address(self) -> tuple[str, int]:
        return self.listen.rpartition(",")[2], self.port

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-4000:]


class Database:
    """One database, which belongs to the role that servers log in as."""

    def __init__(self, cluster: Cluster, name: str):
        self.cluster = cluster
        self.name = name

    @property
    def url(self) -> str:
        return self.url_by(self.cluster.address)

    def url_by(self, *addresses: tuple[str, int], **parameters: str) -> str:
        """The URL by other addresses than the cluster's own: proxies, or all the hosts of a primary and its standbys."""
        hosts = ",".join(f"{host}:{port}" for host, port in addresses)
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        return f"postgresql://{ROLE}:{ROLE_PASSWORD}@{hosts}/{self.name}" + (f"?{query}" if query else "")

    def on(self, cluster: Cluster) -> "Database":
        """The same database on a standby, or on what was one."""
        return Database(cluster, self.name)

    def sql(self, statement: str, *parameters) -> list[tuple]:
        """One statement as the superuser, committed. `?` stands for a parameter, as on the embedded database."""
        statement = statement.replace("%", "%%").replace("?", "%s") if parameters else statement
        return self.cluster.sql(statement, *parameters, database=self.name)

    def connect(self):
        """A connection that stays open, for transactions that a test holds."""
        return self.cluster._connect(self.name)  # noqa: SLF001

    def psql(self, text: str, *options: str) -> str:
        """What psql prints when an operator gives it this text; it must succeed."""
        done = subprocess.run(
            ["psql", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", *options, "--dbname", self.operators_url],
            input=text,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        return done.stdout

    @property
    def operators_url(self) -> str:
        """For the programs of PostgreSQL, by the socket, as the superuser."""
        return f"host={self.cluster.folder} port={self.cluster.port} user={SUPERUSER} dbname={self.name}"

    def dump(self) -> str:
        """What pg_dump writes: every table in plain text."""
        done = subprocess.run(["pg_dump", "--dbname", self.operators_url], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def files(self) -> list[pathlib.Path]:
        """What is on the disk of it: its tables, and the log of everything that was written lately."""
        self.cluster.sql("CHECKPOINT")
        ((oid,),) = self.sql(f"SELECT oid FROM pg_database WHERE datname = '{self.name}'")
        found = [*(self.cluster.data / "base" / str(oid)).iterdir(), *(self.cluster.data / "pg_wal").glob("0*")]
        return [file for file in found if file.is_file()]

    def drop(self) -> None:
        """Cuts off who is still connected. A cluster that does not run keeps it."""
        if self.cluster.process is not None:
            drop = f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)"
            self.cluster.sql(drop, options="-c synchronous_commit=local")
