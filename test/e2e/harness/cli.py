"""The command line as a person or a script uses it: on a pseudo-terminal, and piped."""

import fcntl
import json
import os
import pathlib
import pty
import select
import signal
import struct
import subprocess
import termios
import time

from .server import ADMIN_EMAIL, ADMIN_PASSWORD, BINARY, PATIENCE_SECONDS, Server, environment

CONTEXT = "here"


class Terminal:
    """A program on a pseudo-terminal of its own."""

    def __init__(
        self,
        arguments: list[str],
        settings: dict[str, str],
        folder: pathlib.Path,
        columns: int,
        program: str | pathlib.Path = BINARY,
    ):
        self.shown = ""
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execve(program, [str(program), *arguments], settings)
        fcntl.ioctl(self.file, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))

    def _read(self, seconds: float) -> bool:
        """False at the end."""
        if not select.select([self.file], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.file, 65536)
        except OSError:
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)

    def wait_for(self, text: str, times: int = 1) -> "Terminal":
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.shown.count(text) < times:
            assert time.monotonic() < deadline and self._read(0.1), f"never showed {text!r}:\n{self.shown}"
        return self

    def type(self, text: str) -> "Terminal":
        os.write(self.file, text.encode())
        return self

    @property
    def is_echoing(self) -> bool:
        return bool(termios.tcgetattr(self.file)[3] & termios.ECHO)

    def press_ctrl_c(self) -> "Terminal":
        os.kill(self.pid, signal.SIGINT)
        return self

    def end(self) -> int:
        """Waits; the exit code, negative for a signal."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._read(0.1):
            assert time.monotonic() < deadline, f"did not end:\n{self.shown}"
        _, status = os.waitpid(self.pid, 0)
        os.close(self.file)
        return os.waitstatus_to_exitcode(status)


class Cli:
    """`folder` is this person's home. `server`: the one that --local works on, in whose folder commands run."""

    def __init__(self, folder: pathlib.Path, server: Server | None = None):
        self.home = folder
        self.home.mkdir(parents=True, exist_ok=True)
        self.server = server
        local = server.settings if server is not None else {}
        self.settings = environment({**local, "HOME": str(self.home), "TERM": "xterm"})
        self.settings.pop("XDG_CONFIG_HOME", None)
        self.configuration = self.home / ".config" / "safawinet"

    @property
    def credentials(self) -> pathlib.Path:
        return self.configuration / "credentials" / f"{CONTEXT}.json"

    def popen(self, *arguments: str) -> subprocess.Popen:
        return subprocess.Popen(
            [BINARY, *arguments],
            env=self.settings,
            cwd=self.home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # no terminal to ask on
        )

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess:
        """Piped, without a terminal."""
        process = self.popen(*arguments)
        try:
            out, err = process.communicate(stdin, PATIENCE_SECONDS * 2)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def ok(self, *arguments: str, stdin: str = "") -> str:
        """What a command prints that must succeed."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *arguments: str, stdin: str = ""):
        return json.loads(self.ok(*arguments, "--json", stdin=stdin))

    def refused(self, *arguments: str, code: int = 1, stdin: str = "") -> str:
        """What a command says that must be refused."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == code, f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stderr

    def on_terminal(self, *arguments: str, columns: int = 100) -> Terminal:
        return Terminal(list(arguments), self.settings, self.home, columns)

    def add_context(self, server: Server, name: str = CONTEXT) -> "Cli":
        self.ok("context", "add", name, "--url", f"http://{server.address}")
        return self

    def log_in(self, server: Server, email: str = ADMIN_EMAIL, password: str = ADMIN_PASSWORD) -> "Cli":
        """Adds the context and logs in to it."""
        self.add_context(server)
        self.ok("context", "login", "--email", email, "--password-stdin", stdin=password + "\n")
        return self
