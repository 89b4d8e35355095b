"""Starting and stopping what is measured, and asking the kernel what it used. Everything listens on loopback."""

import json
import os
import resource
import signal
import sqlite3
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

START_DEADLINE_SECONDS = 30
STOP_DEADLINE_SECONDS = 20
ADMINISTRATOR = ("administrator@example.com", "umber-Falcon-92-quiet-Harbor")


class BenchError(Exception):
    """The run cannot go on; the text says why."""


@dataclass
class Tools:
    """The built programs."""

    server: Path
    load: Path
    bare_beast: Path
    engine_limits: Path
    audit_verify: Path
    bounce_events: Path

    @classmethod
    def in_folder(cls, build: Path, server: Path | None) -> "Tools":
        tools = cls(
            (server or build / "safawinet").resolve(),
            (build / "safawinet_load").resolve(),
            (build / "safawinet_bare_beast").resolve(),
            (build / "safawinet_engine_limits").resolve(),
            (build / "safawinet_audit_verify").resolve(),
            (build / "safawinet_bounce_events").resolve(),
        )
        for program in vars(tools).values():
            if not os.access(program, os.X_OK):
                raise BenchError(f"{program} is not built (script/bench builds what is needed)")
        return tools


def run_tool(*command: object) -> dict:
    """Runs one of our measuring programs; its JSON."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"{Path(str(command[0])).name} failed: {done.stderr.strip()}")
    return json.loads(done.stdout)


class Bystanders:
    """What share of the machine everybody else used while this run went on: with much of it, figures mean little."""

    def __init__(self):
        self._began = self._read()

    @staticmethod
    def _read() -> tuple[float, float, float]:
        ticks = [int(number) for number in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
        idle = ticks[3] + ticks[4]
        ours = sum(
            usage.ru_utime + usage.ru_stime
            for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
        )
        second = os.sysconf("SC_CLK_TCK")
        return sum(ticks) / second, (sum(ticks) - idle) / second, ours

    def share(self) -> float:
        """From the start until now; children count when they have ended."""
        whole, busy, ours = (now - then for now, then in zip(self._read(), self._began))
        return max(0.0, busy - ours) / whole if whole > 0 else 0.0


def process_ticks(pid: int) -> tuple[int, int]:
    """Processor time, in ticks: the process's own, and that of its children which have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])


class Process:
    """A server as a child process, stopped with its `with` block."""

    def __init__(self, popen: subprocess.Popen):
        self.popen = popen
        self.address = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self) -> None:
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(STOP_DEADLINE_SECONDS)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()

    def processor_seconds(self) -> float:
        return process_ticks(self.popen.pid)[0] / os.sysconf("SC_CLK_TCK")

    def memory_mebibytes(self) -> dict[str, float]:
        """Resident (RSS) and proportional (PSS) memory."""
        sizes = {}
        for line in Path(f"/proc/{self.popen.pid}/smaps_rollup").read_text().splitlines()[1:]:
            name, size, *_ = line.split()
            sizes[name.rstrip(":")] = int(size) / 1024
        return {"rss": sizes["Rss"], "pss": sizes["Pss"]}


class Server(Process):
    """Safawinet with the default settings and those given; only registrations from here are not limited."""

    def __init__(self, tools: Tools, folder: Path, settings: dict[str, str] | None = None):
        self.folder = folder
        self.mail = folder / "mail"
        self.log = folder / "server.log"
        self.database = folder / "data" / "safawinet.db"
        folder.mkdir(parents=True, exist_ok=True)
        self._program = tools.server
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("SAFAWINET")}
        for name in ("DATABASE_URL", "REDIS_URL"):
            self._environment.pop(name, None)
        self._environment |= {
            "SAFAWINET_LISTEN": "127.0.0.1:0",
            "SAFAWINET_OPERATIONS_LISTEN": "127.0.0.1:0",
            "SAFAWINET_DATA_DIR": str(folder / "data"),
            "SAFAWINET_MAIL_DIR": str(self.mail),
            "SAFAWINET_PUBLIC_URL": "http://127.0.0.1:8080",
            "SAFAWINET_ADMIN_EMAIL": ADMINISTRATOR[0],
            "SAFAWINET_ADMIN_PASSWORD": ADMINISTRATOR[1],
            "SAFAWINET__LIMITS__EXEMPT_NETWORKS": "127.0.0.0/8",
        }
        self._environment |= settings or {}
        offset = self.log.stat().st_size if self.log.exists() else 0
        self.started_at = time.perf_counter()
        super().__init__(self._launch())
        self.address = self._wait_until_listening(offset)
        self.listening_after_seconds = time.perf_counter() - self.started_at

    def _launch(self) -> subprocess.Popen:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [self._program, "serve"], cwd=self.folder, env=self._environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=log,
            )  # fmt: skip

    def restart(self, how: signal.Signals) -> None:
        """Ends it and starts it again, without waiting until it listens: on the same address if that was given."""
        self.popen.send_signal(how)
        self.popen.wait()
        self.popen = self._launch()

    def _wait_until_listening(self, offset: int) -> str:
        with self.log.open("rb") as log:
            log.seek(offset)
            line = b""
            while time.perf_counter() - self.started_at < START_DEADLINE_SECONDS:
                line += log.readline()
                if not line.endswith(b"\n"):
                    if self.popen.poll() is not None:
                        raise BenchError(f"the server ended with {self.popen.returncode}; see {self.log}")
                    time.sleep(0.0002)
                    continue
                if b'"listening"' in line:
                    event = json.loads(line)
                    if event.get("event") == "listening":
                        return event["address"]
                line = b""
        self.stop()
        raise BenchError(f"the server did not listen within {START_DEADLINE_SECONDS} s; see {self.log}")

    def copy_database(self, copy: Path) -> None:
        with sqlite3.connect(self.database) as source, sqlite3.connect(copy) as target:
            source.backup(target)
        source.close()
        target.close()


class BareBeast(Process):
    def __init__(self, tools: Tools, body: bytes, folder: Path):
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            file.write(body)
        super().__init__(
            subprocess.Popen([tools.bare_beast, "--body", file.name], stdout=subprocess.PIPE, text=True)
        )
        self.address = self.popen.stdout.readline().strip()
        if not self.address:
            raise BenchError("bare Beast did not start")
