"""Users who go on whatever happens, and how they were answered: what a fault looks like from outside."""

import dataclasses
import http.client
import threading
import time

from .client import Reply
from .people import PASSWORD, Device, log_in, verified
from .server import Server

NO_ANSWER = 0


@dataclasses.dataclass
class Answer:
    what: str  # "read", "refresh" or "login"
    node: int
    begun: float  # on the monotonic clock
    seconds: float
    status: int  # NO_ANSWER: the node itself could not be reached, or closed the connection
    retry_after: str | None
    note: str = ""


class Traffic:
    """A user per thread, each at one of the servers: reads with the access token, refreshes, and now and then logs in.

    A user whose session was lost says so: 401 is an answer that nobody here should ever get.
    """

    def __init__(self, servers: list[Server], users_each: int = 2, pause_seconds: float = 0.01):
        self.answers: list[Answer] = []
        self._pause_seconds = pause_seconds
        self._stop = threading.Event()
        self._threads = []
        for number, server in enumerate(servers):
            for _ in range(users_each):
                device = log_in(server, verified(server), PASSWORD)
                self._threads.append(threading.Thread(target=self._go_on, args=(number, server, device), daemon=True))

    def __enter__(self) -> "Traffic":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _go_on(self, number: int, server: Server, device: Device) -> None:
        turn = 0
        while not self._stop.wait(self._pause_seconds):
            turn += 1
            device.api.address = server.address  # it may have been started anew
            if turn % 10 == 0:
                self._ask("login", number, lambda: server.api().login(device.email, PASSWORD))
            elif turn % 2 == 0:
                reply = self._ask("refresh", number, lambda: device.api.refresh(device.refresh_token))
                if reply is not None and reply.status == 200:
                    device.refresh_token = reply.json["refreshToken"]
                    device.api = device.api.with_token(reply.json["accessToken"])
            else:
                self._ask("read", number, device.api.me)

    def _ask(self, what: str, number: int, question) -> Reply | None:
        begun = time.monotonic()
        try:
            reply = question()
        except (OSError, http.client.HTTPException) as failure:
            self.answers.append(Answer(what, number, begun, time.monotonic() - begun, NO_ANSWER, None, repr(failure)))
            return None
        note = "" if reply.status == 200 else reply.text[:300]
        seconds = time.monotonic() - begun
        self.answers.append(Answer(what, number, begun, seconds, reply.status, reply.headers["Retry-After"], note))
        return reply

    # --- what came of it

    def since(self, moment: float) -> list[Answer]:
        """What was asked after a moment of the monotonic clock."""
        return [answer for answer in list(self.answers) if answer.begun >= moment]

    def all_well_since(self, moment: float, count: int = 20) -> bool:
        """Whether enough was asked since then, of every kind at every node, and all of it was answered with yes."""
        answers = self.since(moment)
        kinds = {(answer.what, answer.node) for answer in answers}
        everything = {(answer.what, answer.node) for answer in list(self.answers)}
        return len(answers) >= count and kinds == everything and all(answer.status == 200 for answer in answers)

    def wait_until_well(self, patience_seconds: float = 30.0) -> float:
        """Waits until everybody is answered well; returns the moment of the last answer that was anything else."""
        deadline = time.monotonic() + patience_seconds
        while True:
            bad = [answer for answer in list(self.answers) if answer.status != 200]
            last_bad = max((answer.begun + answer.seconds for answer in bad), default=0.0)
            if self.all_well_since(last_bad):
                return last_bad
            not_well = f"{len(bad)} of {len(self.answers)} answers were no yes, the last of them: {bad[-3:]}"
            assert time.monotonic() < deadline, f"it does not recover by itself; {not_well}"
            time.sleep(0.05)

    def check(self, longest_seconds: float, may_lose_connections: bool = False) -> None:
        """Nobody was signed out, every refusal says when to come back, and nobody waited longer than this."""
        for answer in self.answers:
            allowed = {200, 503} | ({NO_ANSWER} if may_lose_connections else set())
            assert answer.status in allowed, answer
            if answer.status == 503:
                assert answer.retry_after is not None and int(answer.retry_after) > 0, answer
            assert answer.seconds < longest_seconds, answer

    @property
    def refused(self) -> int:
        return sum(answer.status == 503 for answer in self.answers)
