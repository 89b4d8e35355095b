"""A wall clock that the test moves, for those processes that are given its settings as their environment."""

import mmap
import pathlib
import struct
import subprocess
import time

from .people import claims_of
from .server import Server, eventually

MINUTE, HOUR, DAY = 60, 3600, 86400
_SHIM = pathlib.Path(__file__).parents[1] / "clock_shim.c"


class Clock:
    """`ahead_seconds`: how far it is from the truth at first."""

    def __init__(self, folder: pathlib.Path, ahead_seconds: int = 0):
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "clock"
        self.file.write_bytes(bytes(8))
        library = folder / "clock_shim.so"
        subprocess.run(["gcc-12", "-O1", "-shared", "-fPIC", "-o", library, _SHIM], check=True)
        self.settings = {"LD_PRELOAD": str(library), "TEST_CLOCK_FILE": str(self.file)}

        self.set(ahead_seconds)

    def set(self, ahead_seconds: int) -> None:
        self.ahead_seconds = ahead_seconds
        with open(self.file, "r+b") as file, mmap.mmap(file.fileno(), 8) as mapped:
            mapped[:] = struct.pack("q", ahead_seconds)

    def advance(self, seconds: int) -> None:
        self.set(self.ahead_seconds + seconds)

    def now(self) -> float:
        """What it shows."""
        return time.time() + self.ahead_seconds


class ServersClock:
    """The clock of a server, which is known to have noticed when it was moved."""

    def __init__(self, clock: Clock, server: Server):
        self.clock = clock
        self.server = server

    def advance(self, seconds: int) -> None:
        """Returns when the server knows: on PostgreSQL it looks at its database's clock, and not at its own."""
        self.clock.advance(seconds)
        eventually(lambda: abs(self.of_the_server() - self.clock.now()) < MINUTE / 4, "the server sees the time")

    def now(self) -> float:
        return self.clock.now()

    def of_the_server(self) -> int:
        return claims_of(self.server.admin().token)["iat"]
