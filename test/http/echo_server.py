"""A safawinet_http_echo process (see echo.cpp)."""

import os
import pathlib
import signal
import subprocess
import time

from http_client import PATIENCE_SECONDS, Target

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BESIDE = pathlib.Path(os.environ.get("SAFAWINET_BINARY", REPOSITORY / "build/release/safawinet")).parent
ECHO = pathlib.Path(os.environ.get("SAFAWINET_HTTP_ECHO", BESIDE / "safawinet_http_echo"))


def eventually(condition, what: str):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"did not happen within {PATIENCE_SECONDS:.0f} s: {what}"
        time.sleep(0.005)


class EchoServer:
    def __init__(self, folder: pathlib.Path, *options: str, command: list[str] | None = None, **popen_options):
        self.log = folder / f"log-{time.monotonic_ns()}"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command or [ECHO, *options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                **popen_options,
            )
        first_line = self.process.stdout.readline()
        assert first_line.startswith("listening "), f"did not start: {self.log.read_text()}"
        self.target = Target(first_line.split()[1], self.log)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        return self.process.wait(PATIENCE_SECONDS)

    def has_logged(self, text: str) -> bool:
        return text in self.log.read_text()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        # A sanitizer reports there.
        assert "Sanitizer" not in self.log.read_text(), self.log.read_text()
