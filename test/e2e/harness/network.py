"""A network of its own for a node: packets can be dropped there without anybody being told. Needs root."""

import itertools
import os
import shutil
import subprocess

import pytest

_numbers = itertools.count(1)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


class Network:
    """A network namespace that is joined to this one by a cable. `outside` and `inside` are the addresses of its ends."""

    def __init__(self):
        if os.geteuid() != 0:
            pytest.skip("only root may make network namespaces")
        missing = [program for program in ("ip", "nft") if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin") is None]
        if missing:
            pytest.skip(f"{' and '.join(missing)} of the packages iproute2 and nftables are missing")
        number = next(_numbers)
        process = os.getpid() % 4096
        self.name = f"safawinet-{os.getpid()}-{number}"
        cable = f"sfw{os.getpid() % 100000}-{number}"
        # 10.192.0.0/10, four addresses each.
        first = (10 << 24) + (192 << 16) + ((process * 64 + number % 64) << 2)
        self.outside, self.inside = (".".join(str(byte) for byte in (first + n).to_bytes(4, "big")) for n in (1, 2))
        try:
            _run("ip", "netns", "add", self.name)
        except subprocess.CalledProcessError as failure:
            pytest.skip(f"no network namespace can be made here: {failure.stderr.strip()}")
        try:
            _run("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", self.name)
            _run("ip", "address", "add", f"{self.outside}/30", "dev", cable)
            _run("ip", "link", "set", cable, "up")
            self._inside("ip", "address", "add", f"{self.inside}/30", "dev", "eth0")
            self._inside("ip", "link", "set", "eth0", "up")
            self._inside("ip", "link", "set", "lo", "up")
            self._inside("nft", "add table inet cut")
        except subprocess.CalledProcessError as failure:
            self.close()
            pytest.skip(f"no cable or no packet filter can be made here: {failure.stderr.strip()}")

    @property
    def prefix(self) -> list[str]:
        """What to put before a command that is to run inside."""
        return ["ip", "netns", "exec", self.name]

    def _inside(self, *command: str) -> None:
        _run(*self.prefix, *command)

    def drop(self, port: int, direction: str = "both") -> None:
        """Everything that is sent `to` a port outside, comes `from` it, or both, disappears: no reset, no answer."""
        self._inside("nft", "add chain inet cut out { type filter hook output priority 0; }")
        self._inside("nft", "add chain inet cut in { type filter hook input priority 0; }")
        if direction in ("to", "both"):
            self._inside("nft", f"add rule inet cut out tcp dport {port} drop")
        if direction in ("from", "both"):
            self._inside("nft", f"add rule inet cut in tcp sport {port} drop")

    def mend(self) -> None:
        self._inside("nft", "flush table inet cut")

    def close(self) -> None:
        subprocess.run(["ip", "netns", "delete", self.name], check=False, capture_output=True)
