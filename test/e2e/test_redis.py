"""Limits that nodes count together in Redis, and Redis as it fails: no user sees an error, nobody is let through."""

import base64
import json
import os
import pathlib
import random
import subprocess
import threading
import time

import pytest

from harness.authority import Authority
from harness.documents import blocks, run_in_one_shell
from harness.people import OTHER_PASSWORD, log_in, new_address, signed_up_user
from harness.proxy import Proxy
from harness.races import request_bytes, together
from harness.redis import ENCODED_PASSWORD, PASSWORD, Redis
from harness.runbook import block_with
from harness.server import BINARY, Server, environment, eventually, run

GUIDE = "docs/operating/redis.md"
MAILS_PER_ADDRESS = 5
MAILS_PER_NETWORK = 30
MASTER_KEY = base64.b64encode(bytes(range(32))).decode()  # one for all nodes: it names the subjects in Redis


@pytest.fixture
def start_redis(tmp_path: pathlib.Path):
    started: list[Redis] = []

    def start(*options: str, folder: str = "redis", **more) -> Redis:
        redis = Redis(tmp_path / folder, *options, **more)
        started.append(redis)
        return redis.start()

    yield start
    for redis in started:
        redis.close()


@pytest.fixture
def redis(start_redis) -> Redis:
    return start_redis()


@pytest.fixture
def start_node(start_server):
    def start(redis: Redis, folder: str = "node", url: str | None = None, settings: dict[str, str] | None = None) -> Server:
        return start_server({"REDIS_URL": url or redis.url(), "SAFAWINET_MASTER_KEY": MASTER_KEY} | (settings or {}), folder)

    return start


def own_host() -> str:
    """An address of the test's own, for a server on the usual port."""
    return f"127.{random.randint(64, 127)}.{random.randint(0, 255)}.{random.randint(1, 254)}"


def cache_status(server: Server) -> str:
    return server.api().get("/health").json["dependencies"]["cache"]["status"]


def forgot_password(server: Server, email: str, source: str | None = None) -> int:
    return server.api(source=source).forgot_password(email).status


def assert_limits_of_its_own(server: Server) -> None:
    """Exactly as many mails as a node alone would let through, and no other answer than yes or "your limit"."""
    email, source = new_address("limited"), f"127.0.{random.randint(10, 250)}.1"
    statuses = [forgot_password(server, email, source) for _ in range(MAILS_PER_ADDRESS + 2)]
    assert statuses == [202] * MAILS_PER_ADDRESS + [429] * 2


def assert_degraded(server: Server) -> None:
    eventually(lambda: cache_status(server) == "down", "health says that the cache is down")
    reply = server.api().get("/health")
    assert reply.status == 200
    assert reply.json["status"] == "degraded"
    assert server.api().get("/health/ready").status == 200
    assert server.metric("safawinet_cache_down") == 1
    assert server.metric("safawinet_cache_errors_total") > 0
    server.wait_for_event("cache-down")


def assert_heals(server: Server, first: int = 0) -> None:
    eventually(lambda: cache_status(server) == "ok", "health says that the cache is back")
    assert server.api().get("/health").json["status"] == "ok"
    assert server.metric("safawinet_cache_down") == 0
    server.wait_for_event("cache-healed", first)


class Load:
    """Signed-in people who refresh and read, and strangers who ask for mail, until told to stop; every answer is kept."""

    def __init__(self, server: Server, people: int = 2):
        self.server = server
        self.devices = [signed_up_user(server).device for _ in range(people)]
        self.statuses: dict[int, int] = {}
        self.slowest_seconds = 0.0
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._use, args=(number,)) for number in range(people)]

    def _use(self, number: int) -> None:
        turn = 0
        while not self._over.is_set():
            turn += 1
            # From ever other networks, so that Redis has to be asked.
            network = f"127.{100 + number}.{turn % 250}.1"
            self._timed(lambda: self.devices[number].api.me().status)
            self._timed(lambda: self._refresh(number))
            self._timed(lambda: forgot_password(self.server, new_address("stranger"), network))

    def _refresh(self, number: int) -> int:
        reply = self.devices[number].api.refresh(self.devices[number].refresh_token)
        if reply.status == 200:
            self.devices[number].api = self.devices[number].api.with_token(reply.json["accessToken"])
            self.devices[number].refresh_token = reply.json["refreshToken"]
        return reply.status

    def _timed(self, call) -> None:
        begin = time.monotonic()
        status = call()
        took = time.monotonic() - begin
        with self._lock:
            self.slowest_seconds = max(self.slowest_seconds, took)
            self.statuses[status] = self.statuses.get(status, 0) + 1

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def assert_nobody_noticed(self) -> None:
        assert self.statuses.get(200, 0) > 0 and self.statuses.get(202, 0) > 0, self.statuses
        assert set(self.statuses) <= {200, 202, 429}, self.statuses
        for device in self.devices:
            assert device.is_signed_in()
            assert device.may_refresh()


# --- counting together


def test_two_nodes_count_the_mails_to_an_address_together(redis, start_node):
    nodes = [start_node(redis, "one"), start_node(redis, "other")]
    email = new_address()
    statuses = [forgot_password(nodes[turn % 2], email) for turn in range(MAILS_PER_ADDRESS + 3)]

    assert statuses == [202] * MAILS_PER_ADDRESS + [429] * 3
    assert [node.metric("safawinet_cache_errors_total") for node in nodes] == [0, 0]
    assert all(node.metric("safawinet_cache_calls_total") > 0 for node in nodes)


def test_thirty_mails_of_a_network_are_exact_over_two_nodes_at_once(redis, start_node):
    nodes = [start_node(redis, "one"), start_node(redis, "other")]
    replies: list[list] = [[], []]

    def ask(number: int) -> None:
        bodies = [{"email": new_address()} for _ in range(40)]
        requests = [request_bytes("POST", "/v1/auth/forgot-password", body) for body in bodies]
        replies[number] = together(nodes[number], requests, ["127.0.5.1", "127.0.5.2"])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = [reply.status for replies_of_node in replies for reply in replies_of_node]
    assert statuses.count(202) == MAILS_PER_NETWORK
    assert set(statuses) == {202, 429}
    assert all(int(reply.headers["Retry-After"]) > 0 for reply in replies[0] + replies[1] if reply.status == 429)


def test_three_nodes_on_one_database_count_together_and_lose_no_session_to_a_flush(redis, start_nodes):
    nodes = start_nodes(3, {"REDIS_URL": redis.url()})
    email, source = new_address(), "127.0.77.1"
    statuses = [forgot_password(nodes[turn % 3], email, source) for turn in range(MAILS_PER_ADDRESS + 3)]
    assert statuses == [202] * MAILS_PER_ADDRESS + [429] * 3

    person = signed_up_user(nodes[0])
    redis.ask("FLUSHALL")
    assert nodes.accept(person.device)
    assert person.device.at(nodes[2]).may_refresh()


def test_a_node_that_was_started_again_has_not_forgotten(redis, start_node):
    node = start_node(redis)
    email = new_address()
    assert {forgot_password(node, email) for _ in range(MAILS_PER_ADDRESS)} == {202}
    node.restart()

    assert forgot_password(node, email) == 429


def test_nothing_in_redis_tells_an_address_or_is_kept_for_ever(redis, start_node):
    node = start_node(redis)
    person = signed_up_user(node)
    forgot_password(node, person.email)
    log_in(node, person.email, person.password)
    node.api().login(person.email, OTHER_PASSWORD)

    keys = redis.keys("safawinet:limit:1:mail-*")
    assert keys
    for key in redis.keys():
        assert key.startswith("safawinet:limit:1:")
        assert -2 == int(redis.ask("PTTL", key)) or 0 < int(redis.ask("PTTL", key)) <= 3_600_000
        assert person.email not in key
        assert "127.0.0" not in key


def test_the_runbooks_flush_commands_lose_no_session(start_redis, start_node):
    redis = start_redis(host=own_host(), port=6379)
    node = start_node(redis)
    variables = {"PATH": os.environ["PATH"], "REDIS_HOST": redis.host, "REDIS_PASSWORD": PASSWORD}
    person = signed_up_user(node)
    for command in ("FLUSHALL", "FLUSHDB"):
        assert forgot_password(node, new_address()) == 202
        assert redis.keys()
        with Load(node) as load:
            done = subprocess.run(["bash", "-c", block_with(command)], env=variables, capture_output=True, text=True,
                                  check=False)
            assert (done.returncode, done.stdout.strip()) == (0, "OK"), done
        load.assert_nobody_noticed()
        assert person.device.is_signed_in()
    assert person.device.may_refresh()
    assert_limits_of_its_own(node)
    assert cache_status(node) == "ok"


# --- failing


# It takes every call that is later than 50 ms for an error: a matter of time, which a sanitizer changes.
@pytest.mark.release_only
def test_flushing_ten_times_a_second_disturbs_nobody_and_lets_nobody_through(redis, start_node):
    node = start_node(redis)
    over = threading.Event()

    def flush() -> None:
        while not over.wait(0.1):
            redis.ask("FLUSHALL")

    flusher = threading.Thread(target=flush)
    flusher.start()
    try:
        with Load(node) as load:
            for _ in range(3):
                assert_limits_of_its_own(node)
            time.sleep(2)
    finally:
        over.set()
        flusher.join()
    load.assert_nobody_noticed()
    assert node.metric("safawinet_cache_errors_total") == 0
    assert not node.events("cache-down")


def test_a_killed_redis_is_no_error_and_is_found_again(redis, start_node):
    node = start_node(redis)
    with Load(node) as load:
        redis.kill()
        assert_degraded(node)
        assert_limits_of_its_own(node)
        redis.start()
        assert_heals(node)
        assert_limits_of_its_own(node)
    load.assert_nobody_noticed()


def test_a_frozen_redis_costs_hardly_anybody_time(redis, start_node):
    node = start_node(redis)
    with Load(node) as load:
        redis.freeze()
        assert_degraded(node)
        skipped = node.metric("safawinet_cache_skipped_calls_total")
        assert_limits_of_its_own(node)
        assert node.metric("safawinet_cache_skipped_calls_total") > skipped
        redis.thaw()
        assert_heals(node)
    load.assert_nobody_noticed()
    # Three calls of 50 ms open the breaker; what waits beside them, and this machine, have the rest.
    assert load.slowest_seconds < 1.0


def test_a_slow_redis_is_one_that_is_down(redis, start_node):
    with Proxy((redis.host, redis.port)) as proxy:
        node = start_node(redis, url=redis.url().replace(str(redis.port), str(proxy.address[1])))
        assert cache_status(node) == "ok"
        with Load(node) as load:
            proxy.delay_seconds = 0.2
            assert_degraded(node)
            assert_limits_of_its_own(node)
            proxy.delay_seconds = 0
            assert_heals(node)
        load.assert_nobody_noticed()


def test_connections_that_are_cut_again_and_again_disturb_nobody(redis, start_node):
    with Proxy((redis.host, redis.port)) as proxy:
        node = start_node(redis, url=redis.url().replace(str(redis.port), str(proxy.address[1])))
        with Load(node) as load:
            for _ in range(20):
                proxy.cut()
                time.sleep(0.05)
            assert_limits_of_its_own(node)
            eventually(lambda: cache_status(node) == "ok", "the cache is back")
        load.assert_nobody_noticed()


def test_a_node_starts_without_redis_and_with_a_frozen_one(redis, start_node):
    redis.kill()
    node = start_node(redis, "without")
    assert_degraded(node)
    assert_limits_of_its_own(node)
    redis.start()
    assert_heals(node)

    redis.freeze()
    other = start_node(redis, "frozen")
    assert_degraded(other)
    assert_limits_of_its_own(other)
    redis.thaw()
    assert_heals(other)


NAME_SERVER_THAT_IS_SILENT = """
import socket, sys
silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 53))
print("bound", flush=True)
sys.stdin.read()
"""
WITHOUT_NAME_SERVER = """
set -e
ip link set lo up
echo nameserver 127.0.0.1 >resolv.conf
mount --bind resolv.conf /etc/resolv.conf
coproc silent { exec /usr/bin/python3 -c "$NAME_SERVER"; }
read -r <&"${silent[0]}"
"$BINARY" serve 2>log &
until grep -q listening log; do kill -0 $!; sleep 0.02; done
curl -sS "http://$SAFAWINET_LISTEN/health"
kill -TERM $!
SECONDS=0
wait $!
echo " $SECONDS"
"""


@pytest.mark.embedded_only
def test_a_name_server_that_does_not_answer_holds_up_neither_start_nor_end(tmp_path):
    settings = {"REDIS_URL": "redis://cache.example.com", "SAFAWINET_LISTEN": "127.0.0.1:8080",
                "SAFAWINET_DATA_DIR": "data", "NAME_SERVER": NAME_SERVER_THAT_IS_SILENT, "BINARY": str(BINARY)}
    # Whoever is not root becomes it inside, which a changed root directory does not let anybody do.
    apart = ["unshare", "--mount", "--net"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    if subprocess.run([*apart, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no network and file system of one's own can be made here")
    done = subprocess.run([*apart, "bash", "-c", WITHOUT_NAME_SERVER],
                          env=environment(settings), cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    log = tmp_path / "log"
    assert done.returncode == 0, (done, log.read_text() if log.exists() else "it did not start")
    health, _, seconds = done.stdout.strip().rpartition(" ")
    assert json.loads(health)["status"] == "degraded"
    assert int(seconds) <= 2


def test_a_replica_is_degraded_until_it_is_a_primary(redis, start_redis, start_node):
    other = start_redis("--masterauth", PASSWORD, folder="primary")
    node = start_node(redis)
    with Load(node) as load:
        redis.ask("CONFIG", "SET", "masterauth", PASSWORD)
        redis.ask("REPLICAOF", other.host, str(other.port))
        assert_degraded(node)
        assert "READONLY" in node.events("cache-down")[-1]["cause"]
        assert_limits_of_its_own(node)
        redis.ask("REPLICAOF", "NO", "ONE")
        assert_heals(node)
    load.assert_nobody_noticed()


def test_a_full_redis_is_degraded(start_redis, start_node):
    redis = start_redis("--maxmemory-policy", "noeviction")
    node = start_node(redis)
    with Load(node) as load:
        redis.ask("CONFIG", "SET", "maxmemory", "1mb")
        assert_degraded(node)
        assert "OOM" in node.events("cache-down")[-1]["cause"]
        assert_limits_of_its_own(node)
        redis.ask("CONFIG", "SET", "maxmemory", "0")
        assert_heals(node)
    load.assert_nobody_noticed()


def test_what_others_plant_at_our_keys_lets_nobody_through(redis, start_node):
    node = start_node(redis)
    email = new_address()
    plants = [
        ("SET", "1"), ("HSET", "field", "value"), ("SADD", "member"), ("ZADD", "1", "member"), ("XADD", "*", "a", "b"),
        ("RPUSH", "x", "x", "x", "x", "x"), ("RPUSH", "0", "0", "0", "0", "0"), ("RPUSH", *["9" * 18] * 5),
    ]
    # What others plant can only be forgotten or make us stricter: five, and not one more, on this node.
    statuses = []
    for command, *values in plants:
        statuses.append(forgot_password(node, email))
        for key in redis.keys("safawinet:limit:1:*"):
            redis.ask("DEL", key)
            redis.ask(command, key, *values)
    assert statuses == [202] * MAILS_PER_ADDRESS + [429] * (len(plants) - MAILS_PER_ADDRESS)
    assert node.metric("safawinet_cache_errors_total") > 0
    assert cache_status(node) == "ok"


def test_a_forged_refusal_is_nobodys_error_and_ends(redis, start_node):
    node = start_node(redis)
    email = new_address()
    assert forgot_password(node, email) == 202
    seconds, _ = redis.ask("TIME").split()
    for key in redis.keys("safawinet:limit:1:mail-address:*"):
        redis.ask("RPUSH", key, *[f"{seconds}000001"] * 5)  # odd: of links to choose a password
    reply = node.api().forgot_password(email)
    assert reply.status == 429
    assert 0 < int(reply.headers["Retry-After"]) <= 3600
    redis.ask("FLUSHALL")
    assert forgot_password(node, email) == 202


# --- users, TLS and settings


def test_the_user_that_the_guide_makes_may_do_all_that_is_needed_and_no_more(start_redis, start_node, tmp_path):
    redis = start_redis(host=own_host(), port=6379)
    block = next(block for block in blocks(GUIDE, "sh") if "ACL SETUSER" in block.text)
    variables = {"PATH": os.environ["PATH"], "REDIS_HOST": redis.host, "REDIS_PASSWORD": PASSWORD,
                 "SAFAWINET_REDIS_PASSWORD": PASSWORD, "REDISCLI_AUTH": ""}
    printed = run_in_one_shell([block.text], tmp_path, variables)[0]
    block.expect("\n".join(line for line in printed.splitlines() if not line.startswith("Warning:")))

    node = start_node(redis, url=redis.url(user="safawinet") + "/2")
    assert_limits_of_its_own(node)
    assert cache_status(node) == "ok"
    assert node.metric("safawinet_cache_errors_total") == 0
    assert redis.keys() == []
    assert redis.ask("-n", "2", "--scan").startswith("safawinet:limit:1:")
    assert redis.ask("ACL", "LOG") == ""

    redis.ask("ACL", "SETUSER", "safawinet", "-pexpire")
    assert_degraded(node)
    assert "can't run this command" in node.events("cache-down")[-1]["cause"]
    assert_limits_of_its_own(node)


def test_a_wrong_password_is_degraded_and_named_without_being_told(redis, start_node):
    node = start_node(redis, url=redis.url(password="hush-hush"))
    assert_degraded(node)
    assert_limits_of_its_own(node)

    assert "WRONGPASS" in node.events("cache-down")[-1]["cause"]
    assert "hush-hush" not in "\n".join(node.lines)


@pytest.fixture
def authority(tmp_path) -> Authority:
    folder = tmp_path / "authority"
    folder.mkdir()
    return Authority(folder)


def with_tls(authority: Authority, host_name: str) -> tuple[str, list[str]]:
    files = authority.settings_for(host_name)
    return host_name, ["--tls-cert-file", files["SAFAWINET__TLS__CERTIFICATE_FILE"], "--tls-key-file",
                       files["SAFAWINET__TLS__PRIVATE_KEY_FILE"], "--tls-auth-clients", "no"]


def test_tls_is_verified_against_the_authority_and_the_name(authority, start_redis, start_node):
    redis = start_redis(tls=with_tls(authority, "localhost"))
    trusting = {"SAFAWINET__TLS__CA_FILE": str(authority.ca_file)}
    node = start_node(redis, "good", settings=trusting)
    assert_limits_of_its_own(node)
    assert cache_status(node) == "ok"
    assert node.metric("safawinet_cache_calls_total") > 0

    for folder, url, settings in (
        ("stranger", redis.url(), {}),
        ("other-name", redis.url(host="127.0.0.1"), trusting),
        ("plain", redis.url().replace("rediss://", "redis://"), trusting),
    ):
        refused = start_node(redis, folder, url=url, settings=settings)
        assert_degraded(refused)
        assert_limits_of_its_own(refused)
        assert refused.metric("safawinet_cache_calls_total") == 0


def test_a_url_that_cannot_be_used_stops_the_start_and_its_password_stays_hidden(tmp_path):
    for url in ("redis://hush@cache", ":hush@cache", "redis://:hush@cache:port", "http://:hush@cache"):
        done = run("serve", settings={"REDIS_URL": url}, folder=tmp_path)
        assert done.returncode == 2, done
        assert "REDIS_URL" in done.stderr and "must" in done.stderr
        assert "hush" not in done.stderr + done.stdout
    shown = run("config", "show", settings={"REDIS_URL": f"redis://ann:{ENCODED_PASSWORD}@cache"}, folder=tmp_path)
    assert "redis://***@cache" in shown.stdout
    assert ENCODED_PASSWORD not in shown.stdout


def test_without_redis_the_cache_is_this_process_and_fine(start_server):
    server = start_server({"REDIS_URL": ""})
    assert server.api().get("/health").json["dependencies"]["cache"]["status"] == "ok"
    assert server.metric("safawinet_cache_errors_total") == 0
    assert server.metric("safawinet_cache_down") == 0
