"""Stands between a server and what it depends on, and does what networks do.

    with Proxy(cluster.address) as proxy:     …proxy.address goes into the URL
        proxy.delay_seconds = 0.2             every piece arrives so much later, in either direction
        proxy.stall(); proxy.flow()           nothing arrives, nothing is closed; then what was held arrives
        proxy.cut()                           every connection is reset; new ones are accepted
        proxy.refuse(); proxy.accept()        new connections are reset at once, and those that exist

PostgresProxy also understands what passes: it can cut where it hurts most, after a COMMIT and before its answer.
"""

import contextlib
import re
import socket
import struct
import threading
import time

PIECE = 65536


class Proxy:
    def __init__(self, target: tuple[str, int], host: str = "127.0.0.1"):
        self.target = target
        self.delay_seconds = 0.0
        self.accepted = 0
        self._lock = threading.Lock()
        self._links: set[Link] = set()
        self._flowing = threading.Event()
        self._flowing.set()
        self._refusing = False
        self._listener = socket.create_server((host, 0), backlog=256)
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self._flowing.set()
        self._listener.close()
        self.cut()

    # --- what may be done to those who talk

    def stall(self) -> None:
        self._flowing.clear()

    def flow(self) -> None:
        self._flowing.set()

    def cut(self) -> int:
        """Resets every connection on both sides; returns how many there were."""
        with self._lock:
            links = list(self._links)
        for link in links:
            link.cut()
        return len(links)

    def refuse(self) -> None:
        self._refusing = True
        self.cut()

    def accept(self) -> None:
        self._refusing = False

    @property
    def connections(self) -> int:
        with self._lock:
            return len(self._links)

    # --- how it works: two threads for each connection

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            self.accepted += 1
            if self._refusing:
                reset(client)
                continue
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self.target, timeout=10)
        except OSError:
            reset(client)
            return
        server.settimeout(None)
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = self._make_link(client, server)
        with self._lock:
            self._links.add(link)
        if self._refusing:
            link.cut()
        threading.Thread(target=link.pump, args=(client, server, link.asked), daemon=True).start()
        threading.Thread(target=link.pump, args=(server, client, link.answered), daemon=True).start()

    def _make_link(self, client: socket.socket, server: socket.socket) -> "Link":
        return Link(self, client, server)

    def forget(self, link: "Link") -> None:
        with self._lock:
            self._links.discard(link)


def reset(connection: socket.socket) -> None:
    """Closes with RST; also where another thread waits in the connection."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)
    connection.close()


class Link:
    """One connection through a proxy."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket):
        self.proxy = proxy
        self.client = client
        self.server = server
        self._ended = 0

    def pump(self, source: socket.socket, target: socket.socket, look) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE):
                if self.proxy.delay_seconds:
                    time.sleep(self.proxy.delay_seconds)
                self.proxy._flowing.wait()  # noqa: SLF001
                target.sendall(look(piece))
            target.shutdown(socket.SHUT_WR)  # the other direction may have something to say yet
            self._ended += 1
            if self._ended == 1:
                return
        self.cut()

    def asked(self, piece: bytes) -> bytes:
        """What is to be sent on of a piece from the client."""
        return piece

    def answered(self, piece: bytes) -> bytes:
        """The same for the other direction."""
        return piece

    def cut(self) -> None:
        self.proxy.forget(self)
        reset(self.client)
        reset(self.server)


class PostgresProxy(Proxy):
    """`cut_after("^COMMIT")`: the next statement like this is passed on with all that belongs to it, the database does it,
    and the connection is cut in place of its answer. `cut_before`: it never arrives. Both hold for one statement, on
    whichever connection it comes first, however it is sent: as text, or prepared long ago."""

    def __init__(self, target: tuple[str, int], host: str = "127.0.0.1"):
        self._trap: tuple[re.Pattern[str], bool] | None = None
        self._sprung = threading.Event()
        super().__init__(target, host)

    def cut_after(self, pattern: str) -> None:
        self._set_trap(pattern, True)

    def cut_before(self, pattern: str) -> None:
        self._set_trap(pattern, False)

    def _set_trap(self, pattern: str, is_done: bool) -> None:
        self._sprung.clear()
        self._trap = (re.compile(pattern, re.IGNORECASE | re.DOTALL), is_done)

    def disarm(self) -> None:
        self._trap = None

    @property
    def has_cut(self) -> bool:
        return self._sprung.is_set()

    def wait_for_cut(self, patience_seconds: float = 30.0) -> None:
        assert self._sprung.wait(patience_seconds), "no such statement came by"

    def sprung(self) -> None:
        self._sprung.set()

    def take_trap(self, statement: str) -> bool | None:
        """Whether it is to be done, when this is the statement that the trap waits for; only the first one gets it."""
        with self._lock:
            if self._trap is None or not self._trap[0].search(statement):
                return None
            _, is_done = self._trap
            self._trap = None
            return is_done

    def _make_link(self, client: socket.socket, server: socket.socket) -> "Link":
        return PostgresLink(self, client, server)


class PostgresLink(Link):
    """Follows the frontend/backend protocol, version 3, as far as it takes to know which statement runs.

    Every Sync and every simple query is answered by one ReadyForQuery, in order: so the answer to a statement is complete
    when as many of them have come back as were asked for up to and with it.
    """

    def __init__(self, proxy: PostgresProxy, client: socket.socket, server: socket.socket):
        super().__init__(proxy, client, server)
        self._to_server = b""
        self._to_client = b""
        self._has_started = False
        self._statements: dict[bytes, str] = {}  # by the name under which they were prepared
        self._asked_for = 1  # ReadyForQuery: the first one ends the start
        self._got = 0
        self._cut_at: int | None = None  # the number of the ReadyForQuery that is not passed on

    def asked(self, piece: bytes) -> bytes:
        self._to_server += piece
        passed = b""
        while message := self._next_asked():
            statement = self._statement_of(message)
            is_done = None if statement is None else self.proxy.take_trap(statement)
            if is_done is False:
                self.proxy.sprung()
                self.cut()
                return b""
            if message[:1] in (b"S", b"Q") and self._has_started:
                self._asked_for += 1
            if is_done:
                is_whole = message[:1] == b"Q"
                self._cut_at = self._asked_for + (0 if is_whole else 1)
            passed += message
        return passed

    def _next_asked(self) -> bytes | None:
        """The next whole message. Before the start they have no type, and each is alone in its piece."""
        buffer = self._to_server
        if not self._has_started:
            if len(buffer) < 8 or len(buffer) < int.from_bytes(buffer[:4], "big"):
                return None
            length = int.from_bytes(buffer[:4], "big")
            self._has_started = buffer[4:8] == b"\0\3\0\0"  # else it asks for encryption, or to cancel
        else:
            if len(buffer) < 5 or len(buffer) < 1 + int.from_bytes(buffer[1:5], "big"):
                return None
            length = 1 + int.from_bytes(buffer[1:5], "big")
        self._to_server = buffer[length:]
        return buffer[:length]

    def _statement_of(self, message: bytes) -> str | None:
        """The text of the statement that this message has run: a query, or the binding of a prepared one."""
        kind, body = message[:1], message[5:]
        if kind == b"Q":
            return body.partition(b"\0")[0].decode()
        if kind == b"P":
            name, _, rest = body.partition(b"\0")
            self._statements[name] = rest.partition(b"\0")[0].decode()
        if kind == b"B":
            name = body.split(b"\0", 2)[1]
            return self._statements.get(name)
        return None

    def answered(self, piece: bytes) -> bytes:
        if not self._has_started:
            return piece
        self._to_client += piece
        passed = b""
        while len(self._to_client) >= 5:
            length = 1 + int.from_bytes(self._to_client[1:5], "big")
            if len(self._to_client) < length:
                break
            message, self._to_client = self._to_client[:length], self._to_client[length:]
            if message[:1] == b"Z":
                self._got += 1
            if self._cut_at is None or self._got < self._cut_at - 1:
                passed += message
            elif self._got >= self._cut_at:
                self.proxy.sprung()
                self.cut()
                return b""
            elif message[:1] == b"Z":
                passed += message  # the one before it
        return passed
