"""Ends what a test run has started when the run itself is cut off.

    python3 guardian.py FOLDER

Waits until its standard input is closed, which happens however the parent dies. Then every process that works in FOLDER
is killed, also a stopped one, and the folder is removed.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time


def processes_in(folder: pathlib.Path) -> list[int]:
    """Those whose working directory is the folder or below it."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            place = pathlib.Path(os.readlink(entry / "cwd"))
        except OSError:  # it has ended, or is not ours to look at
            continue
        if place.is_relative_to(folder):
            found.append(int(entry.name))
    return found


def send(pids: list[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def remove(folder: pathlib.Path) -> None:
    """Kills what works there and takes the folder away."""
    for pid_file in folder.rglob("postmaster.pid"):
        lines = pid_file.read_text().splitlines()
        memory = lines[6].split() if len(lines) > 6 else []
        if len(memory) == 2:  # nobody gives back the shared memory of a server that was killed
            subprocess.run(["ipcrm", "-m", memory[1]], capture_output=True, check=False)
    for _ in range(100):
        left = processes_in(folder)
        if not left:
            break
        send(left, signal.SIGKILL)
        time.sleep(0.02)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    # Interrupts of the terminal are for the parent, which ends in its own time.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    sys.stdin.buffer.read()
    remove(pathlib.Path(sys.argv[1]))
