"""Server-sent events as a client of them sees them."""

import json
import threading
import time

from .client import Api
from .server import PATIENCE_SECONDS


class Events:
    """Follows a stream in a thread of its own, until it ends or is closed."""

    def __init__(self, api: Api, path: str, last_id: str | None = None):
        fields = {"Authorization": f"Bearer {api.token}", "Accept": "text/event-stream"}
        if last_id is not None:
            fields["Last-Event-ID"] = last_id
        self._connection = api.connect()
        self._connection.request("GET", path, headers=fields)
        self._socket = self._connection.sock
        self.response = self._connection.getresponse()
        self.status = self.response.status
        self.all: list[tuple[str, dict]] = []  # name and data
        self.last_id = last_id
        self.has_ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        if self.status == 200:
            self._thread.start()

    def __enter__(self) -> "Events":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        try:
            self._socket.shutdown(2)
        except OSError:
            pass  # the server was faster
        if self.status == 200:
            self._thread.join(PATIENCE_SECONDS)
        self._connection.close()

    def _read(self) -> None:
        event: dict[str, str] = {}
        try:
            for raw in self.response:
                line = raw.decode().rstrip("\n")
                if line:
                    name, _, value = line.partition(":")
                    event[name] = value.removeprefix(" ")
                    continue
                with self._changed:
                    self.last_id = event.get("id", self.last_id)
                    if "data" in event:
                        self.all.append((event["event"], json.loads(event["data"])))
                    self._changed.notify_all()
                event = {}
        except (OSError, ValueError, AttributeError):
            pass  # cut off; http.client reports a body that is not whole as a ValueError too
        except Exception as failure:  # http.client.IncompleteRead and its like
            assert "IncompleteRead" in type(failure).__name__, failure
        with self._changed:
            self.has_ended = True
            self._changed.notify_all()

    def of(self, name: str) -> list[dict]:
        with self._changed:
            return [data for event, data in self.all if event == name]

    @property
    def sessions(self) -> list[str]:
        """The sessions that ended, in the order that we were told."""
        return [sid for data in self.of("revocation") for sid in data["sessionIds"] or []]

    def wait_until(self, condition, what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            with self._changed:
                left = deadline - time.monotonic()
                assert left > 0, f"did not happen: {what}; got {self.all[-5:]}, ended: {self.has_ended}"
                self._changed.wait(min(left, 0.05))

    def wait_for_session(self, session_id: str) -> None:
        self.wait_until(lambda: session_id in self.sessions, f"the end of session {session_id} is told")

    def wait_until_current(self) -> None:
        self.wait_until(lambda: self.of("current"), "all that there was is told")

    def wait_for_end(self) -> None:
        self.wait_until(lambda: self.has_ended, "the stream ends")
