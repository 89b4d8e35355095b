"""Asking several nodes at once whether they accept an access token, from one thread and without waiting in between."""

import select
import socket
import time
from dataclasses import dataclass, field

from runner.processes import BenchError

GIVE_UP_SECONDS = 10
LINES = 4  # connections to each node: they belong to different event loops
ASKED_AGAIN = 4  # how often a node is asked again after it has refused


class Broken(Exception):
    """The node closed the connection, or takes none."""


class Line:
    """One connection that has at most one request on its way."""

    def __init__(self, address: str):
        host, _, port = address.rpartition(":")
        try:
            self.socket = socket.create_connection((host, int(port)), timeout=GIVE_UP_SECONDS)
        except OSError as error:
            raise Broken from error
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def send(self, request: bytes) -> None:
        try:
            self.socket.sendall(request)
        except OSError as error:
            raise Broken from error

    def take(self) -> int | None:
        """Reads what has come, waiting for something: the status when the answer is complete."""
        try:
            part = self.socket.recv(65536)
        except OSError as error:
            raise Broken from error
        if not part:
            raise Broken
        self._received += part
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return None
        length = 0
        for name, _, value in (header.partition(b":") for header in head.split(b"\r\n")[1:]):
            if name.lower() == b"content-length":
                length = int(value)
        if len(body) < length:
            return None
        self._received = b""
        return int(head.split(b" ", 2)[1])

    def ask(self, request: bytes) -> int:
        self.send(request)
        while (status := self.take()) is None:
            pass
        return status

    def close(self) -> None:
        self.socket.close()


@dataclass
class Refusal:
    """How one node came to refuse a token."""

    seconds: float | None = None  # from the given moment; none when a broken connection left it unknown
    accepted: int = 0  # answers 200 that arrived after that moment
    last_accepted_seconds: float = 0.0  # when the last of them did
    accepted_again: int = 0  # answers 200 to what was asked after a refusal: there must be none


@dataclass
class Node:
    """What is asked of one node."""

    address: str
    may_break: bool = False  # it is being restarted
    lines: list[Line] = field(default_factory=list)
    _next: int = 0

    def open(self) -> None:
        self.close()
        self.lines = [Line(self.address) for _ in range(LINES)]

    def close(self) -> None:
        for line in self.lines:
            line.close()
        self.lines = []

    def next_line(self) -> Line:
        self._next += 1
        return self.lines[self._next % len(self.lines)]


def me_request(token: str) -> bytes:
    return f"GET /v1/users/me HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


def make_known(nodes: list[Node], token: str) -> float:
    """Lets every event loop accept the token first; how long one request took, in seconds."""
    request = me_request(token)
    took = 0.0
    for node in nodes:
        try:
            if not node.lines:
                node.open()
            for line in node.lines:
                began = time.perf_counter()
                status = line.ask(request)
                took = time.perf_counter() - began
                if status != 200 and not (node.may_break and status == 503):
                    raise BenchError(f"before the logout GET /v1/users/me answered {status}")
        except Broken:
            if not node.may_break:
                raise BenchError(f"the node at {node.address} closed a connection") from None
            node.close()
    return took


class _Asking:
    """One node while it is being asked."""

    def __init__(self, node: Node, request: bytes, since: float):
        self.node = node
        self.refusal = Refusal()
        self.line: Line | None = None
        self.has_broken = not node.lines
        self._request = request
        self._since = since
        self._left = ASKED_AGAIN + 1
        self._has_refused = False
        self.send()

    def send(self) -> None:
        try:
            if not self.node.lines:
                self.node.open()
            self.line = self.node.next_line()
            self.line.send(self._request)
        except Broken:
            self.on_broken()

    def on_broken(self) -> None:
        if not self.node.may_break:
            raise BenchError(f"the node at {self.node.address} closed a connection")
        self.node.close()
        self.line = None
        self.has_broken = True

    def take(self) -> None:
        try:
            status = self.line.take()
        except Broken:
            return self.on_broken()
        if status is None:
            return None
        if status == 401:
            if not self._has_refused and not self.has_broken:
                self.refusal.seconds = time.perf_counter() - self._since
            self._has_refused = True
            self._left -= 1
        elif status == 200:
            self.refusal.accepted += 1
            self.refusal.last_accepted_seconds = time.perf_counter() - self._since
            self.refusal.accepted_again += self._has_refused
        elif not (status == 503 and self.node.may_break):
            raise BenchError(f"after the logout GET /v1/users/me answered {status}")
        if not self.is_done:
            self.send()
        return None

    @property
    def is_done(self) -> bool:
        return self._left == 0


def until_refused(nodes: list[Node], token: str, since: float, order: Line | None = None) -> tuple[list[Refusal], float]:
    """Asks all of them until each has refused, and some more. `order`: a connection on which the order to log out is on
    its way; it must be answered by 200, and the second value says when it was."""
    asking = [_Asking(node, me_request(token), since) for node in nodes]
    answered_at = since
    while order is not None or not all(one.is_done for one in asking):
        if time.perf_counter() - since > GIVE_UP_SECONDS:
            raise BenchError(f"a forced logout was not noticed within {GIVE_UP_SECONDS} s")
        waiting = {one.line.socket.fileno(): one for one in asking if one.line is not None and not one.is_done}
        poll = select.poll()
        for descriptor in [*waiting, *([order.socket.fileno()] if order else [])]:
            poll.register(descriptor, select.POLLIN)
        is_any_away = any(one.line is None and not one.is_done for one in asking)
        for descriptor, _ in poll.poll(2 if is_any_away else 1000):
            if descriptor in waiting:
                waiting[descriptor].take()
            elif (status := order.take()) is not None:
                answered_at = time.perf_counter()
                order = None
                if status != 200:
                    raise BenchError(f"a forced logout answered {status}")
        for one in asking:
            if one.line is None and not one.is_done:
                one.send()
    return [one.refusal for one in asking], answered_at
