"""A client that sends bytes as they are and reads what comes back."""

import dataclasses
import json
import pathlib
import socket
import ssl

PATIENCE_SECONDS = 30.0


@dataclasses.dataclass
class Answer:
    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def seen(self) -> dict:
        return json.loads(self.body)


@dataclasses.dataclass
class Target:
    """The address of a server, and the file where it writes what ran (only the echo server has one)."""

    address: str
    log: pathlib.Path | None = None

    def connect(self) -> socket.socket:
        host, port = self.address.rsplit(":", 1)
        return socket.create_connection((host.strip("[]"), int(port)), PATIENCE_SECONDS)

    def has_run(self, path: str) -> bool:
        return f"ran {path}\n" in self.log.read_text()


class Stream:
    """The answers that come on a connection, one after the other."""

    def __init__(self, connection: socket.socket | ssl.SSLSocket):
        self.connection = connection
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def send(self, raw: bytes):
        self.connection.sendall(raw)

    def send_as_far_as_it_is_read(self, raw: bytes):
        """The server may answer and close before it has read all of a request that it refuses."""
        try:
            self.connection.sendall(raw)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def _more(self) -> bool:
        received = self.connection.recv(65536)
        self.buffer += received
        return bool(received)

    def head(self) -> Answer | None:
        """The status and the fields of the next answer; none at the end of the connection."""
        while b"\r\n\r\n" not in self.buffer:
            if not self._more():
                assert self.buffer == b"", f"half an answer: {self.buffer!r}"
                return None
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        status_line, *lines = head.decode().split("\r\n")
        version, status, _ = status_line.split(" ", 2)
        assert version == "HTTP/1.1"
        fields = dict(line.split(": ", 1) for line in lines)
        assert len(fields) == len(lines), f"a field is repeated: {lines}"
        return Answer(int(status), fields, b"")

    def answer(self, method: str = "GET") -> Answer | None:
        """The next answer (an interim one too); none at the end of the connection."""
        answer = self.head()
        if answer is None or method == "HEAD" or answer.status < 200 or answer.status in (204, 304):
            return answer
        answer.body = self._take(int(answer.fields["Content-Length"]), "half a body")
        return answer

    def chunks(self):
        """The pieces of a chunked body as they come, up to its end."""
        while True:
            while b"\r\n" not in self.buffer:
                assert self._more(), "the body was cut off"
            size, self.buffer = self.buffer.split(b"\r\n", 1)
            piece = self._take(int(size, 16) + 2, "the body was cut off")
            assert piece.endswith(b"\r\n")
            if size == b"0":
                return
            yield piece[:-2]

    def rest(self) -> bytes:
        """All that still comes, up to the end of the connection."""
        while self._more():
            pass
        return self.buffer

    def _take(self, length: int, otherwise: str) -> bytes:
        while len(self.buffer) < length:
            assert self._more(), otherwise
        taken, self.buffer = self.buffer[:length], self.buffer[length:]
        return taken

    def is_at_end(self) -> bool:
        return self.buffer == b"" and not self._more()


def exchange(target: Target, raw: bytes) -> Answer:
    """One request on a connection of its own."""
    with Stream(target.connect()) as stream:
        stream.send(raw)
        answer = stream.answer()
        assert answer is not None
        return answer
