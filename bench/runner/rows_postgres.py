"""The rows of the table on PostgreSQL: beside pgbench, and on three nodes."""

import base64
import contextlib
import itertools
import os
import random
import signal
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runner.people import Client, Sessions, in_parallel
from runner.postgres import USER_ID, Cluster, free_port, seeded_email
from runner.processes import ADMINISTRATOR, BenchError, Server, Tools
from runner.rows import ME, WARMUP, WITHOUT_WARMUP, Plan, Row, finish, percentile, require_all, spread
from runner.watch import Line, Node, Refusal, make_known, until_refused

CLIENTS = (8, 16, 32, 64)
MANY_CLIENTS = 256  # more than PostgreSQL takes connections: of ours only
SATURATING_CONNECTIONS = 16  # to each node, each asking again as soon as it has its answer
LONGEST_ACCEPTED_MILLISECONDS = {"idle": 5, "saturated": 20, "restarts": 50}
REFRESH_RATE_MEANWHILE = 300  # a second, during a global logout
NEW_SESSIONS = 200
GLOBAL_LOGOUT_DEADLINE_SECONDS = 240


def settings_of_nodes(cluster: Cluster) -> dict[str, str]:
    return {"DATABASE_URL": cluster.url, "SAFAWINET_MASTER_KEY": base64.b64encode(os.urandom(32)).decode()}


def refresh_against_pgbench(plan: Plan, server: Server, sessions: Sessions, cluster: Cluster) -> Row:
    """Both over as many sessions, spread over as many pages of the same table."""
    seconds = max(1.0, plan.seconds / 2)
    ours: dict[int, list[dict]] = {clients: [] for clients in (*CLIENTS, MANY_CLIENTS)}
    theirs: dict[int, list[dict]] = {clients: [] for clients in CLIENTS}
    for _ in range(plan.repetitions):
        for clients in ours:
            if clients <= sessions.count // 4:
                ours[clients].append(_refreshes(server, sessions, cluster, clients, seconds))
            if clients in theirs:
                theirs[clients].append(_rotations(plan, sessions, cluster, clients, seconds))
    ours = {clients: results for clients, results in ours.items() if results}

    def rates(results: list[dict]) -> list[float]:
        return [result["rate"] for result in results]

    def best(of: dict[int, list[dict]]) -> list[float]:
        return max((rates(results) for results in of.values()), key=statistics.median)

    as_many = {clients: results for clients, results in ours.items() if clients in theirs}
    ratio = statistics.median(mine / other for mine, other in zip(best(as_many), best(theirs)))
    rate = statistics.median(best(ours))
    pgbench_by_clients = ", ".join(f"{spread(rates(results))} at {clients}" for clients, results in theirs.items())
    ours_by_clients = ", ".join(
        f"{spread(rates(results))} at {clients} (p99 {spread([result['p99'] for result in results], 1)} ms, server "
        f"{statistics.median(result['server'] for result in results):.0f} and PostgreSQL "
        f"{statistics.median(result['database'] for result in results):.0f} µs each)"
        for clients, results in ours.items()
    )
    pgbench_cost = statistics.median(result["database"] for results in theirs.values() for result in results)
    return Row(
        what=f"`POST /v1/auth/refresh` on PostgreSQL with {plan.seeded + sessions.count:,} sessions, every answer durable",
        against="pgbench, the same statement, prepared, best of 8 to 64 clients; ours with as many",
        aim="15,000/s, and more than pgbench",
        result=f"{ratio:.0%}, {rate:,.0f}/s",
        is_met=rate >= 15_000 and ratio > 1,
        figures=f"refreshes/s by clients: {ours_by_clients}; pgbench's rotations/s by clients: {pgbench_by_clients} "
        f"(PostgreSQL {pgbench_cost:.0f} µs each)",
        raw={"ours": ours, "pgbench": theirs},
    )


def _refreshes(server: Server, sessions: Sessions, cluster: Cluster, clients: int, seconds: float) -> dict:
    server_before, database_before = server.processor_seconds(), cluster.processor_seconds()
    result = require_all(sessions.measure_refresh(clients, seconds, seconds * WARMUP), "200")
    micros = WITHOUT_WARMUP * 1e6 / result["answers"]
    return {
        "rate": result["answersPerSecond"],
        "p99": result["latencyMicroseconds"]["p99"] / 1000,
        "server": (server.processor_seconds() - server_before) * micros,
        "database": (cluster.processor_seconds() - database_before) * micros,
    }


def _rotations(plan: Plan, sessions: Sessions, cluster: Cluster, clients: int, seconds: float) -> dict:
    before = cluster.processor_seconds()
    rotations = cluster.rotations(clients, seconds, sessions.count, plan.seeded // sessions.count)
    return {
        "rate": rotations.per_second,
        "database": (cluster.processor_seconds() - before) * 1e6 / rotations.count,
    }


class Nodes:
    """Three equal nodes on one database: the first has served the other rows, the last can be restarted meanwhile."""

    def __init__(self, tools: Tools, first: Server, folder: Path, settings: dict[str, str]):
        self._stack = contextlib.ExitStack()
        self.servers = [first]
        self.tools = tools
        self.folder = folder
        for name, listen in (("second", "127.0.0.1:0"), ("third", f"127.0.0.1:{free_port()}")):
            server = Server(tools, folder / name, settings | {"SAFAWINET_LISTEN": listen})
            self.servers.append(self._stack.enter_context(server))

    def __enter__(self) -> "Nodes":
        return self

    def __exit__(self, *_) -> None:
        self._stack.close()

    def watched(self) -> list[Node]:
        return [Node(server.address) for server in self.servers]


class Load:
    """Refreshes at every node, each with its share of the sessions."""

    def __init__(self, nodes: Nodes, sessions: Sessions, seconds: float, *options: object):
        self._sessions = sessions
        self._saved = []
        self._running = []
        lines = sessions.refresh_file.read_text().splitlines(keepends=True)
        for number, server in enumerate(nodes.servers):
            items, saved = nodes.folder / f"load-{number}", nodes.folder / f"load-{number}-saved"
            items.write_text("".join(lines[number :: len(nodes.servers)]))
            self._saved.append(saved)
            command = [
                nodes.tools.load, "refresh", server.address, "--items", items, "--save", saved, "--duration", seconds,
                *options,
            ]  # fmt: skip
            self._running.append(
                subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)
            )

    @property
    def is_running(self) -> bool:
        return all(process.poll() is None for process in self._running)

    def finish(self) -> list[dict]:
        results = [finish(process) for process in self._running]
        self._sessions.refresh_file.write_text(
            "".join(f"{line.split(chr(9))[1]}\n" for saved in self._saved for line in saved.read_text().splitlines())
        )
        self._sessions.count = len(self._sessions.refresh_file.read_text().splitlines())
        return results


@dataclass
class Victim:
    user_id: str
    token: str


class Victims:
    """People with one login each, who are there to be signed out."""

    def __init__(self, nodes: Nodes, first_number: int):
        self._server = nodes.servers[0]
        self._next = first_number

    def log_in(self, count: int) -> list[Victim]:
        numbers = list(range(self._next, self._next + count))
        self._next += count
        made: list[Victim] = []

        def log_in(client: Client, number: int) -> None:
            session = client.log_in((seeded_email(number), ADMINISTRATOR[1]))
            made.append(Victim(USER_ID.format(number), session["accessToken"]))

        in_parallel(self._server.address, numbers, log_in, workers=min(4, count))
        return made


class Restarts:
    """The last node, restarted each second while this is entered: asked to stop and killed, in turns."""

    def __init__(self, nodes: Nodes):
        self._server = nodes.servers[-1]
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.count = 0

    def __enter__(self) -> "Restarts":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        for how in itertools.cycle((signal.SIGTERM, signal.SIGKILL)):
            if self._is_over.wait(1.0):
                return
            self._server.restart(how)
            self.count += 1


@dataclass
class Watched:
    """What was seen in one state."""

    by_api: list[float] = field(default_factory=list)  # milliseconds
    by_sql: list[float] = field(default_factory=list)
    requests: list[float] = field(default_factory=list)  # milliseconds that one request took, for comparison
    accepted_again: int = 0
    longest_accepted: float = 0.0  # milliseconds
    also: str = ""

    def add(self, refusals: list[Refusal], times: list[float]) -> None:
        times += [refusal.seconds * 1000 for refusal in refusals if refusal.seconds is not None]
        self.accepted_again += sum(refusal.accepted_again for refusal in refusals)
        self.longest_accepted = max(
            self.longest_accepted, *(refusal.last_accepted_seconds * 1000 for refusal in refusals)
        )

    @property
    def p99(self) -> float:
        return max(percentile(self.by_api, 99), percentile(self.by_sql, 99))

    def told(self, name: str) -> str:
        def of(times: list[float]) -> str:
            return f"p50 {percentile(times, 50):.1f}, p99 {percentile(times, 99):.1f} ms of {len(times)}"

        return (
            f"{name}: by the API {of(self.by_api)}, by a committed DELETE {of(self.by_sql)}, longest accepted "
            f"{self.longest_accepted:.1f} ms, one `GET {ME}` p50 {percentile(self.requests, 50):.1f}, p99 "
            f"{percentile(self.requests, 99):.1f} ms{self.also}"
        )


def propagation_to_nodes(plan: Plan, nodes: Nodes, sessions: Sessions, cluster: Cluster) -> Row:
    victims = Victims(nodes, sessions.count + 1)
    watched: dict[str, Watched] = {}

    people = victims.log_in(2 * plan.logouts)
    watched["idle"] = _watch(nodes, cluster, people, plan.watched_seconds)

    people = victims.log_in(2 * plan.logouts)
    warmup = 1.0
    load = Load(nodes, sessions, plan.watched_seconds, "--connections", SATURATING_CONNECTIONS, "--warmup", warmup)
    time.sleep(warmup)
    watched["saturated"] = _watch(nodes, cluster, people, plan.watched_seconds, lambda: load.is_running)
    results = [require_all(result, "200") for result in load.finish()]
    watched["saturated"].also = f", at {sum(result['answersPerSecond'] for result in results):,.0f} refreshes/s"

    people = victims.log_in(2 * plan.logouts)
    with Restarts(nodes) as restarts:
        watched["restarts"] = _watch(nodes, cluster, people, plan.watched_seconds, restarts=True)
    watched["restarts"].also = f", {restarts.count} restarts"

    violations = sum(one.accepted_again for one in watched.values())
    names = {"idle": "idle", "saturated": "saturated", "restarts": "one node restarting each second"}
    return Row(
        what="Forced logout on one of three nodes until the others refuse the access token (PostgreSQL)",
        against="nothing",
        aim="p99 5 ms idle, 20 ms with the database saturated, 50 ms with a node restarting each second",
        result=", ".join(f"{one.p99:.1f}" for one in watched.values()) + " ms",
        is_met=violations == 0 and all(watched[name].p99 < most for name, most in LONGEST_ACCEPTED_MILLISECONDS.items()),
        figures="; ".join(one.told(names[name]) for name, one in watched.items())
        + f"; {violations} requests accepted by a node after it had refused",
        raw={name: vars(one) for name, one in watched.items()},
    )


def _watch(nodes: Nodes, cluster: Cluster, people: list[Victim], seconds: float, goes_on=None, restarts=False) -> Watched:
    """Signs out one after the other, by the API and by SQL in turns, while `goes_on`."""
    watched = Watched()
    chance = random.Random(3)
    all_nodes = nodes.watched()
    all_nodes[-1].may_break = restarts
    give_orders = all_nodes[:-1] if restarts else all_nodes
    clients = {node.address: Client(node.address) for node in give_orders}
    administrator = clients[give_orders[0].address].log_in(ADMINISTRATOR)["accessToken"]
    give_up = time.monotonic() + seconds
    ended = []
    with contextlib.closing(cluster.connect()) as database, database.cursor() as cursor:
        for number, victim in enumerate(people):
            if time.monotonic() > give_up or (goes_on and not goes_on()):
                break
            watched.requests.append(make_known(all_nodes, victim.token) * 1000)
            time.sleep(chance.uniform(0, 0.02))
            if number % 2 == 0:
                by = give_orders[number // 2 % len(give_orders)]
                clients[by.address].must(
                    200, "POST", "/v1/auth/force-logout", {"userId": victim.user_id}, token=administrator
                )
                since = time.perf_counter()
                others = [node for node in all_nodes if node is not by]
                refusals, _ = until_refused(others, victim.token, since)
                watched.add(refusals, watched.by_api)
                at_once, _ = until_refused([by], victim.token, since)
                watched.accepted_again += sum(refusal.accepted for refusal in at_once)
            else:
                cursor.execute("DELETE FROM refresh_sessions WHERE user_id = %s", (victim.user_id,))
                refusals, _ = until_refused(all_nodes, victim.token, time.perf_counter())
                watched.add(refusals, watched.by_sql)
            ended.append(victim)
        # Whatever was ended stays ended, on every node and through every restart.
        for victim in ended[:: max(1, len(ended) // 20)]:
            refusals, _ = until_refused(all_nodes, victim.token, time.perf_counter())
            watched.accepted_again += sum(refusal.accepted for refusal in refusals)
    for node in all_nodes:
        node.close()
    if not watched.by_api or not watched.by_sql:
        raise BenchError("no forced logout was watched to its end")
    return watched


def global_logout(plan: Plan, nodes: Nodes, sessions: Sessions, cluster: Cluster) -> Row:
    people = Victims(nodes, plan.seeded - 2 * plan.global_logouts - NEW_SESSIONS)
    administrator = Client(nodes.servers[0].address)
    token = administrator.log_in(ADMINISTRATOR)["accessToken"]
    watched = nodes.watched()
    order = Line(nodes.servers[0].address)
    body = b"{}"
    request = (
        f"POST /v1/auth/force-logout-all HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    ((rows_before, evidence_before),) = cluster.sql(
        "SELECT (SELECT count(*) FROM refresh_sessions), (SELECT count(*) FROM ended_sessions)"
    )

    sessions.renew()
    before = require_all(sessions.measure_refresh(16, plan.seconds, 0, rate=REFRESH_RATE_MEANWHILE), "200")
    before_p99 = before["latencyMicroseconds"]["p99"] / 1000
    load = Load(nodes, sessions, plan.watched_seconds / 2, "--rate", REFRESH_RATE_MEANWHILE / len(nodes.servers))
    time.sleep(1.0)
    refused, answered, accepted_again = [], [], 0
    began = time.monotonic()
    for number in range(plan.global_logouts):
        (victim,) = people.log_in(1)
        make_known(watched, victim.token)
        since = time.perf_counter()
        order.send(request)
        refusals, answered_at = until_refused(watched, victim.token, since, order)
        refused.append(max(refusal.seconds for refusal in refusals) * 1000)
        answered.append((answered_at - since) * 1000)
        accepted_again += sum(refusal.accepted_again for refusal in refusals)
    load.finish()  # its sessions have ended with all others

    latencies = []
    fresh = Sessions(nodes.tools, nodes.servers[1], nodes.folder / "fresh")
    fresh.log_in([(seeded_email(number), ADMINISTRATOR[1]) for number in range(1, NEW_SESSIONS + 1)], NEW_SESSIONS)
    gone_after = None
    for _ in _until(time.monotonic() + GLOBAL_LOGOUT_DEADLINE_SECONDS):
        result = require_all(fresh.measure_refresh(16, min(4.0, plan.seconds), 0, rate=REFRESH_RATE_MEANWHILE), "200")
        latencies.append(result["latencyMicroseconds"]["p99"] / 1000)
        left = cluster.sql(
            "SELECT EXISTS (SELECT FROM refresh_sessions WHERE epoch < (SELECT epoch FROM session_epoch))"
        )
        if left == [(False,)]:
            gone_after = time.monotonic() - began
            break
    if gone_after is None:
        raise BenchError(f"{GLOBAL_LOGOUT_DEADLINE_SECONDS} s after a global logout its rows are not gone")
    ((evidence,),) = cluster.sql("SELECT count(*) FROM ended_sessions")
    if evidence - evidence_before < rows_before - 1:  # the administrator's own session was spared
        raise BenchError(f"{rows_before} sessions ended and left {evidence - evidence_before} rows of evidence")
    order.close()
    for node in watched:
        node.close()
    return Row(
        what=f"Global logout with {plan.seeded:,} sessions until all three nodes refuse (PostgreSQL)",
        against="nothing",
        aim="10 ms",
        result=f"{refused[0]:.1f} ms",
        is_met=max(refused) < 10 and accepted_again == 0,
        figures=f"{rows_before:,} sessions: from the request being sent until refused everywhere {refused[0]:.1f} ms, "
        f"answered after {answered[0]:.1f} ms; then {len(refused) - 1} more at once while the rows are being deleted: {spread(refused[1:], 1)} ms; "
        f"rows gone after {gone_after:.0f} s; meanwhile {REFRESH_RATE_MEANWHILE} refreshes/s of new sessions: p99 "
        f"{spread(latencies, 1)} ms (before the logout {before_p99:.1f} ms); {accepted_again} requests accepted "
        "by a node after it had refused",
        raw={
            "refusedMilliseconds": refused, "answeredMilliseconds": answered,
            "goneSeconds": gone_after, "p99Milliseconds": latencies, "p99BeforeMilliseconds": before_p99,
        },
    )  # fmt: skip


def _until(moment: float) -> Iterator[None]:
    while time.monotonic() < moment:
        yield
