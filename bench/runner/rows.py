"""The rows of the table: each measures the server beside its limit or peer, in turns within one run."""

import json
import math
import os
import random
import sqlite3
import statistics
import subprocess
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from runner.people import Client, Sessions
from runner.postgres import Cluster
from runner.processes import ADMINISTRATOR, BareBeast, BenchError, Server, Tools, run_tool

ME = "/v1/users/me"
ME_CONNECTIONS = 64
REFRESH_CONNECTIONS = 256
LOGIN_CONNECTIONS = 16
ME_RATE_DURING_LOGINS = 100
WARMUP = 1 / 8  # of the seconds that count, before them
WITHOUT_WARMUP = 1 / (1 + WARMUP)  # processor time is that of both, answers are counted after the warm-up
ROTATIONS_PER_COMMIT = (16, 32, 64, 256)


@dataclass
class Plan:
    """How much is done; a quick run is a check that the benchmarks work, not a measurement."""

    people: int = 1000
    sessions: int = 10_000
    repetitions: int = 5
    seconds: float = 8
    logouts: int = 300
    starts: int = 15
    seeded: int = 1_000_000  # people and sessions that PostgreSQL holds besides
    watched_seconds: float = 30  # in each state in which forced logouts are watched on three nodes
    global_logouts: int = 10
    audit_entries: int = 1_000_000
    bounces: int = 40_000

    @classmethod
    def quick(cls) -> "Plan":
        return cls(
            people=60, sessions=300, repetitions=1, seconds=1.5, logouts=20, starts=3,
            seeded=20_000, watched_seconds=4, global_logouts=3, audit_entries=20_000, bounces=500,
        )  # fmt: skip


@dataclass
class Row:
    """One line of the table."""

    what: str
    against: str
    aim: str
    result: str
    is_met: bool
    figures: str
    raw: dict = field(default_factory=dict)

    def as_dict(self) -> dict:
        return asdict(self)


def spread(values: list[float], digits: int = 0) -> str:
    """The median, and how far the repetitions lie apart."""
    middle = f"{statistics.median(values):,.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def require_all(result: dict, status: str) -> dict:
    if set(result["statuses"]) != {status} or any(result["errors"].values()):
        raise BenchError(f"{result['workload']}: not all answers were {status}: {result['statuses']} {result['errors']}")
    return result


def me_against_beast(
    plan: Plan, tools: Tools, server: Server, sessions: Sessions, folder: Path, cluster: Cluster | None = None
) -> Row:
    sessions.renew()
    client = Client(server.address)
    status, body = client.call_raw("GET", ME, token=sessions.access_tokens()[0])
    client.close()
    if status != 200:
        raise BenchError(f"GET {ME} answered {status}")
    ours, bare = [], []
    ours_cost, bare_cost, database_cost = [], [], []
    log_before = _lines(server.log)
    answers = 0
    with BareBeast(tools, body, folder) as peer:
        for _ in range(plan.repetitions):
            for target, rates, costs in ((server, ours, ours_cost), (peer, bare, bare_cost)):
                before = target.processor_seconds()
                database_before = cluster.processor_seconds() if cluster else 0.0
                result = require_all(
                    run_tool(
                        tools.load, "get-me", target.address, "--items", sessions.access_file,
                        "--connections", ME_CONNECTIONS, "--duration", plan.seconds, "--warmup", plan.seconds * WARMUP,
                    ),
                    "200",
                )  # fmt: skip
                rates.append(result["answersPerSecond"])
                costs.append((target.processor_seconds() - before) / result["answers"] * WITHOUT_WARMUP * 1e6)
                if target is server:
                    answers += result["answers"]
                    used = cluster.processor_seconds() - database_before if cluster else 0.0
                    database_cost.append(used / result["answers"] * WITHOUT_WARMUP * 1e6)
    _require_access_log(server.log, log_before, answers)
    _require_change_shows(server, sessions)
    ratio = statistics.median(mine / theirs for mine, theirs in zip(ours, bare))
    return Row(
        what=f"Authenticated `GET {ME}` over {sessions.count:,} distinct tokens, access log on{_on(cluster)}",
        against="bare Boost.Beast server, same body",
        aim="50 % or better",
        result=f"{ratio:.0%}",
        is_met=ratio >= 0.5,
        figures=f"{spread(ours)} requests/s against {spread(bare)}; server time per request "
        f"{spread(ours_cost)} µs against {spread(bare_cost)} µs"
        + (f", and PostgreSQL's {spread(database_cost)} µs" if cluster else ""),
        raw={"ours": ours, "bare": bare, "oursMicroseconds": ours_cost, "bareMicroseconds": bare_cost}
        | ({"databaseMicroseconds": database_cost} if cluster else {}),
    )


def _on(cluster: Cluster | None) -> str:
    return ", on PostgreSQL" if cluster else ""


def _lines(file: Path) -> int:
    with file.open("rb") as stream:
        return sum(1 for _ in stream)


def _require_access_log(log: Path, before: int, answers: int) -> None:
    give_up = time.monotonic() + 10
    while _lines(log) - before < answers:
        if time.monotonic() > give_up:
            raise BenchError(f"{answers} answers left only {_lines(log) - before} lines in the log: is the access log on?")
        time.sleep(0.5)


def _require_change_shows(server: Server, sessions: Sessions) -> None:
    """The speed is not that of a stale copy: what one connection changed, every other sees in its next answer."""
    tokens = sessions.access_tokens()
    readers = [Client(server.address) for _ in range(8)]
    for name in ("Before", "After", "Person"):
        for reader in readers:
            reader.must(200, "GET", ME, token=tokens[0])
        readers[0].must(200, "PATCH", ME, {"name": name}, token=tokens[0])
        for reader in readers:
            if reader.must(200, "GET", ME, token=tokens[0])["name"] != name:
                raise BenchError("a committed change did not show in the next answer")
    for reader in readers:
        reader.close()


def refresh_against_engine(plan: Plan, tools: Tools, server: Server, sessions: Sessions, folder: Path) -> Row:
    ours, latencies, engine = [], [], {str(batch): [] for batch in ROTATIONS_PER_COMMIT}
    copy = folder / "copy.db"
    server.copy_database(copy)
    costs = []
    for _ in range(plan.repetitions):
        before = server.processor_seconds()
        result = sessions.measure_refresh(min(REFRESH_CONNECTIONS, sessions.count // 4), plan.seconds, plan.seconds * WARMUP)
        require_all(result, "200")
        costs.append((server.processor_seconds() - before) / result["answers"] * WITHOUT_WARMUP * 1e6)
        ours.append(result["answersPerSecond"])
        latencies.append(result["latencyMicroseconds"]["p99"] / 1000)
        batches = run_tool(
            tools.engine_limits, "rotations", "--database", copy,
            "--seconds", plan.seconds / len(ROTATIONS_PER_COMMIT), "--batch", *ROTATIONS_PER_COMMIT,
        )["rotationsPerSecondByBatch"]  # fmt: skip
        for batch, rate in batches.items():
            engine[batch].append(rate)
    best = max(engine.values(), key=statistics.median)
    ratio = statistics.median(mine / theirs for mine, theirs in zip(ours, best))
    rate = statistics.median(ours)
    by_batch = ", ".join(f"{spread(rates)} at {batch}" for batch, rates in engine.items())
    return Row(
        what="`POST /v1/auth/refresh`, every answer durable (SQLite, `synchronous=FULL`)",
        against="SQLite alone, the same UPDATE on a copy, best of 16 to 256 per commit",
        aim="10,000/s",
        result=f"{ratio:.0%}, {rate:,.0f}/s",
        is_met=rate >= 10_000,
        figures=f"{spread(ours)} refreshes/s, p99 {spread(latencies, 1)} ms, server time per refresh {spread(costs)} µs, against rotations/s by commit size: {by_batch}",
        raw={"ours": ours, "p99Milliseconds": latencies, "oursMicroseconds": costs, "engine": engine},
    )


def login_against_hashing(
    plan: Plan, tools: Tools, server: Server, sessions: Sessions, _: Path, cluster: Cluster | None = None
) -> Row:
    sessions.renew()
    ours, limit, me_p50, me_p99 = [], [], [], []
    for _ in range(plan.repetitions):
        limit.append(run_tool(tools.engine_limits, "hashes", "--seconds", plan.seconds)["hashesPerSecond"])
        reading = subprocess.Popen(
            [
                tools.load, "get-me", server.address, "--items", sessions.access_file, "--connections", "16",
                "--rate", str(ME_RATE_DURING_LOGINS), "--warmup", "0.5", "--duration", str(plan.seconds),
            ],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        result = require_all(
            run_tool(
                tools.load, "login", server.address, "--items", sessions.credentials_file,
                "--connections", LOGIN_CONNECTIONS, "--warmup", 0.5, "--duration", plan.seconds,
            ),
            "200",
        )  # fmt: skip
        reads = require_all(finish(reading), "200")
        ours.append(result["answersPerSecond"])
        me_p50.append(reads["latencyMicroseconds"]["p50"] / 1000)
        me_p99.append(reads["latencyMicroseconds"]["p99"] / 1000)
    ratio = statistics.median(mine / theirs for mine, theirs in zip(ours, limit))
    return Row(
        what=f"`POST /v1/auth/login`, while {ME_RATE_DURING_LOGINS} `GET {ME}` a second go on{_on(cluster)}",
        against="libsodium's argon2id in a tight loop, one thread per core",
        aim=f"95 %, `{ME}` p99 under 5 ms meanwhile",
        result=f"{ratio:.0%}, p99 {statistics.median(me_p99):.1f} ms",
        is_met=ratio >= 0.95 and statistics.median(me_p99) < 5,
        figures=f"{spread(ours, 1)} logins/s against {spread(limit, 1)} hashes/s; `{ME}` p50 {spread(me_p50, 1)} ms, "
        f"p99 {spread(me_p99, 1)} ms",
        raw={"ours": ours, "limit": limit, "meP50Milliseconds": me_p50, "meP99Milliseconds": me_p99},
    )


def finish(process: subprocess.Popen) -> dict:
    output, _ = process.communicate()
    if process.returncode != 0:
        raise BenchError("the load generator failed")
    return json.loads(output)


def forced_logout_to_refusal(plan: Plan, server: Server, people: list[tuple[str, str]]) -> Row:
    """Each person once: their token is known to every event loop, then they are signed out, then it is tried."""
    administrator = Client(server.address)
    administrator_token = administrator.log_in(ADMINISTRATOR)["accessToken"]

    def end_by_api(_: str, user_id: str) -> None:
        administrator.must(200, "POST", "/v1/auth/force-logout", {"userId": user_id}, token=administrator_token)

    # Another process, as a person with a database shell would.
    database = sqlite3.connect(server.database, isolation_level=None, timeout=10)

    def end_by_sql(address: str, _: str) -> None:
        database.execute("DELETE FROM refresh_sessions WHERE user_id = (SELECT id FROM users WHERE email = ?)", (address,))

    half = len(people) // 2
    by_api = _measure_refusals(server, people[:half][: plan.logouts], end_by_api)
    by_sql = _measure_refusals(server, people[half:][: plan.logouts], end_by_sql)
    database.close()
    worst = max(percentile(by_api["milliseconds"], 99), percentile(by_sql["milliseconds"], 99))

    def told(name: str, measured: dict) -> str:
        times = measured["milliseconds"]
        return (
            f"{name} ({len(times)} logouts): p50 {percentile(times, 50):.2f} ms, p99 {percentile(times, 99):.2f} ms, "
            f"longest {max(times):.2f} ms"
        )

    return Row(
        what="Forced logout's answer until the access token is refused on another connection",
        against="nothing",
        aim="20 ms at p99",
        result=f"p99 {worst:.1f} ms",
        is_met=worst <= 20,
        figures=f"{told('by the API', by_api)}, {by_api['accepted']} requests accepted after the answer; "
        f"{told('by a DELETE from another process', by_sql)}",
        raw={"byApi": by_api, "bySql": by_sql},
    )


def _measure_refusals(server: Server, people: list[tuple[str, str]], end) -> dict:
    chance = random.Random(2)
    clients = [Client(server.address) for _ in range(8)]
    milliseconds, accepted = [], 0
    for number, person in enumerate(people):
        session = clients[0].log_in(person)
        token = session["accessToken"]
        for client in clients:
            client.must(200, "GET", ME, token=token)
        time.sleep(chance.uniform(0, 0.02))  # so that the polling of the feed is met at every phase
        end(person[0], session["user"]["id"])
        ended_at = time.perf_counter()
        client = clients[number % len(clients)]
        while (status := client.call_raw("GET", ME, token=token)[0]) == 200:
            accepted += 1
            if time.perf_counter() - ended_at > 10:
                raise BenchError("a forced logout was not noticed within 10 s")
        milliseconds.append((time.perf_counter() - ended_at) * 1000)
        if status != 401:
            raise BenchError(f"after a forced logout GET {ME} answered {status}")
    for client in clients:
        client.close()
    return {"milliseconds": milliseconds, "accepted": accepted}


def cold_start(plan: Plan, tools: Tools, folder: Path) -> Row:
    first_listening, first_login, listening, login = [], [], [], []
    for number in range(plan.starts):
        home = folder / f"start-{number}"
        _start_and_log_in(tools, home, first_listening, first_login)
        _start_and_log_in(tools, home, listening, login)
    return Row(
        what="Start of the process to the first served login (page cache warm)",
        against="nothing",
        aim="50 ms",
        result=f"{statistics.median(login):.0f} ms",
        is_met=statistics.median(login) < 50,
        figures=f"listening after {spread(listening)} ms, login answered after {spread(login)} ms; on an empty folder "
        f"(schema, keys and first administrator are made) {spread(first_listening)} ms and {spread(first_login)} ms",
        raw={"listening": listening, "login": login, "firstListening": first_listening, "firstLogin": first_login},
    )


def audit_verification(plan: Plan, tools: Tools, folder: Path, postgres_url: str | None) -> Row:
    place = ["--postgres", postgres_url] if postgres_url else ["--sqlite", folder / "audit.db"]
    done = run_tool(
        tools.audit_verify, *place, "--entries", plan.audit_entries, "--repetitions", min(3, plan.repetitions)
    )
    read, verified = done["readSeconds"], done["verifySeconds"]
    ratio = statistics.median(one / other for one, other in zip(verified, read, strict=True))
    seconds = statistics.median(verified)
    return Row(
        what=f"Verifying the whole audit log, {plan.audit_entries:,} entries" + (", on PostgreSQL" if postgres_url else ""),
        against="reading the same rows and looking at none",
        aim="10 s",
        result=f"{seconds:.1f} s",
        is_met=seconds < 10,
        figures=f"{spread(verified, 1)} s against {spread(read, 1)} s for reading alone: {ratio:.1f} times as long; "
        f"{spread(done['verifyProcessorSeconds'], 1)} s of our processor time",
        raw=done,
    )


def _start_and_log_in(tools: Tools, home: Path, listening: list[float], login: list[float]) -> None:
    with Server(tools, home) as server:
        client = Client(server.address)
        client.log_in(ADMINISTRATOR)
        login.append((time.perf_counter() - server.started_at) * 1000)
        listening.append(server.listening_after_seconds * 1000)
        client.close()


def idle_memory(tools: Tools, folder: Path, after_load: dict[str, float] | None) -> Row:
    measured = []
    for _ in ("first start: schema, keys and administrator are made", "every later start"):
        with Server(tools, folder / "idle") as server:
            time.sleep(3)
            measured.append(server.memory_mebibytes())
    first, idle = measured
    busy = f"; after the rows above {after_load['rss']:.1f} and {after_load['pss']:.1f} MiB" if after_load else ""
    return Row(
        what="Resident memory of an idle server on existing data",
        against="nothing",
        aim="15 MiB (RSS)",
        result=f"{idle['rss']:.1f} MiB",
        is_met=idle["rss"] < 15,
        figures=f"RSS {idle['rss']:.1f} MiB, PSS {idle['pss']:.1f} MiB; after the very first start {first['rss']:.1f} and "
        f"{first['pss']:.1f} MiB{busy}",
        raw={"idle": idle, "afterFirstStart": first, "afterLoad": after_load},
    )


def core_count() -> int:
    return len(os.sched_getaffinity(0))
