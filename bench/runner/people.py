"""A small client, and the people, sessions and tokens that a run needs: made through the API, as users make them."""

import email
import email.policy
import http.client
import json
import random
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from runner.processes import BenchError, Server, Tools, run_tool

MAIL_DEADLINE_SECONDS = 120
TOKEN_IN_LINK = re.compile(r"/verify-email\?token=([A-Za-z0-9_.~-]+)")


class Client:
    """One keep-alive connection."""

    def __init__(self, address: str):
        host, _, port = address.rpartition(":")
        self._connection = http.client.HTTPConnection(host, int(port), timeout=30)
        self._connection.connect()

    def call(self, method: str, path: str, body: dict | None = None, token: str | None = None) -> tuple[int, dict]:
        status, raw = self.call_raw(method, path, body, token)
        return status, json.loads(raw) if raw else {}

    def call_raw(self, method: str, path: str, body: dict | None = None, token: str | None = None) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        payload = None
        if body is not None:
            payload = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        self._connection.request(method, path, payload, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def must(self, expected: int, method: str, path: str, body: dict | None = None, token: str | None = None) -> dict:
        status, answer = self.call(method, path, body, token)
        if status != expected:
            raise BenchError(f"{method} {path} answered {status} instead of {expected}: {answer}")
        return answer

    def log_in(self, credentials: tuple[str, str]) -> dict:
        return self.must(200, "POST", "/v1/auth/login", {"email": credentials[0], "password": credentials[1]})

    def close(self) -> None:
        self._connection.close()


def in_parallel(address: str, items: list, work, workers: int = 4) -> None:
    """work(client, item) for every item, over a few connections."""

    def share(first: int) -> None:
        client = Client(address)
        for item in items[first::workers]:
            work(client, item)
        client.close()

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(share, range(workers)))


def register_people(server: Server, count: int) -> list[tuple[str, str]]:
    """Registers and verifies; their e-mail addresses and passwords."""
    letters = "abcdefghijkmnpqrstuvwxyz23456789"
    chance = random.Random(1)
    people = [
        (f"person-{number:05}@example.com", "".join(chance.choices(letters, k=20))) for number in range(count)
    ]
    in_parallel(
        server.address,
        people,
        lambda client, person: client.must(
            202, "POST", "/v1/auth/register", {"email": person[0], "password": person[1], "name": "Person"}
        ),
    )
    tokens = _verification_tokens(server.mail, {address for address, _ in people})
    in_parallel(
        server.address,
        list(tokens.values()),
        lambda client, token: client.must(204, "POST", "/v1/auth/verify-email", {"token": token}),
    )
    return people


def _verification_tokens(folder: Path, wanted: set[str]) -> dict[str, str]:
    tokens: dict[str, str] = {}
    read: set[Path] = set()
    give_up = time.monotonic() + MAIL_DEADLINE_SECONDS
    while wanted - tokens.keys():
        if time.monotonic() > give_up:
            raise BenchError(f"{len(wanted - tokens.keys())} verification mails did not come")
        for file in sorted(set(folder.glob("*.eml")) - read):
            read.add(file)
            message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            link = TOKEN_IN_LINK.search(message.get_body(("plain",)).get_content())
            if link:
                tokens[message["To"].addresses[0].addr_spec.lower()] = link[1]
        time.sleep(0.05)
    return {address: tokens[address] for address in wanted}


class Sessions:
    """Many sessions, with their newest tokens in files that the load generator reads."""

    def __init__(self, tools: Tools, server: Server, folder: Path):
        folder.mkdir(exist_ok=True)
        self._tools = tools
        self._server = server
        self._saved = folder / "saved-tokens"
        self.access_file = folder / "access-tokens"
        self.refresh_file = folder / "refresh-tokens"
        self.credentials_file = folder / "credentials"
        self.count = 0

    def log_in(self, people: list[tuple[str, str]], count: int) -> None:
        """`count` logins spread evenly over the people."""
        lines = [f"{people[number % len(people)][0]}\t{people[number % len(people)][1]}\n" for number in range(count)]
        self.credentials_file.write_text("".join(lines))
        self.count = count
        self._run("login", self.credentials_file, connections=min(4, count))
        # In random order: sessions made together are neighbours in the database, but their owners do not come together.
        refresh = self.refresh_file.read_text().splitlines(keepends=True)
        random.Random(2).shuffle(refresh)
        self.refresh_file.write_text("".join(refresh))
        self.renew()

    def renew(self) -> None:
        """Refreshes every session once, so that every access token has its whole life before it."""
        self._run("refresh", self.refresh_file, connections=min(64, self.count))

    def measure_refresh(self, connections: int, seconds: float, warmup: float, rate: float | None = None) -> dict:
        """Refreshes back to back, or so many a second; every session goes on from where the measuring left it."""
        result = run_tool(
            self._tools.load, "refresh", self._server.address, "--items", self.refresh_file, "--save", self._saved,
            "--connections", connections, "--warmup", warmup, "--duration", seconds,
            *(("--rate", rate) if rate else ()),
        )  # fmt: skip
        self._take_saved()
        return result

    def _run(self, workload: str, items: Path, connections: int) -> None:
        result = run_tool(
            self._tools.load, workload, self._server.address, "--items", items, "--save", self._saved, "--once",
            "--connections", connections, "--duration", 600, "--answer-deadline", 60,
        )  # fmt: skip
        if set(result["statuses"]) != {"200"} or any(result["errors"].values()):
            raise BenchError(f"preparing by {workload} went wrong: {result['statuses']} {result['errors']}")
        self._take_saved()

    def _take_saved(self) -> None:
        pairs = [line.split("\t") for line in self._saved.read_text().splitlines()]
        if len(pairs) != self.count:
            raise BenchError(f"of {self.count} sessions {len(pairs)} are left")
        self.refresh_file.write_text("".join(f"{refresh}\n" for _, refresh in pairs))
        self.access_file.write_text("".join(f"{access}\n" for access, _ in pairs if access))

    def access_tokens(self) -> list[str]:
        return self.access_file.read_text().split()
