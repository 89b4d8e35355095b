"""A Redis server of a test's own, with real faults."""

import functools
import pathlib
import signal
import socket
import subprocess
import time

from .postgres import PATIENCE_SECONDS, clusters, free_port

PASSWORD = "tin-roof/rain@night"  # must be percent-encoded in a URL
ENCODED_PASSWORD = "tin-roof%2Frain%40night"


@functools.cache
def shared_redis() -> "Redis":
    """The one that every server of a run on PostgreSQL uses, unless its test means to do Redis harm: their master keys differ,
    so they do not meet. Whatever happens to the run, it is cleared away with the clusters."""
    return Redis(clusters().new_folder()).start()


class Redis:
    """redis-server on a folder and an address of its own, with a password, persisting nothing.

    `tls`: the host name of its certificate, and the options that make it speak TLS.
    """

    def __init__(self, folder: pathlib.Path, *options: str, host: str = "127.0.0.1", port: int | None = None,
                 tls: tuple[str, list[str]] | None = None):
        self.folder = folder
        self.host = host
        self.port = port or free_port()
        self.tls = tls
        self.options = [*options, *(tls[1] if tls else [])]
        self.process: subprocess.Popen | None = None

    def url(self, user: str = "", password: str = ENCODED_PASSWORD, host: str | None = None) -> str:
        scheme, name = ("rediss", self.tls[0]) if self.tls else ("redis", self.host)
        return f"{scheme}://{user}:{password}@{host or name}:{self.port}"

    def start(self) -> "Redis":
        """Starts it and waits until it listens."""
        assert self.process is None, "already running"
        self.folder.mkdir(parents=True, exist_ok=True)
        ports = ["--port", "0", "--tls-port", str(self.port)] if self.tls else ["--port", str(self.port)]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                # It ends with the tests, however they end.
                ["setpriv", "--pdeathsig", "KILL", "redis-server", *ports, "--bind", self.host, "--requirepass",
                 PASSWORD, "--save", "", "--appendonly", "no", "--dir", str(self.folder), *self.options],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._is_listening():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.002)
        return self

    def _is_listening(self) -> bool:
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            socket.create_connection((self.host, self.port), timeout=PATIENCE_SECONDS).close()
        except ConnectionRefusedError:
            return False
        return True

    # --- faults

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.kill()

    # --- its clients

    def ask(self, *command: str) -> str:
        """The answer of one command, which must not fail."""
        done = subprocess.run(
            ["redis-cli", "-e", "-h", self.host, "-p", str(self.port), "-a", PASSWORD, "--no-auth-warning", *command],
            capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
        assert done.returncode == 0, (command, done)
        return done.stdout.strip()

    def keys(self, pattern: str = "*") -> list[str]:
        return sorted(self.ask("--scan", "--pattern", pattern).split())
