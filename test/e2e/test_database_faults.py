"""A database that dies, hangs, is cut off or has no room: refusals that are bounded in time, and nothing acknowledged lost.

Every test does one kind of harm to a PostgreSQL server of its own while users go on at three nodes, and no node is started
anew.
"""

import contextlib
import threading
import time

import pytest

from harness.ledger import Account
from harness.mail import VERIFY
from harness.nodes import Nodes, is_ready
from harness.people import OTHER_PASSWORD, PASSWORD, Device, Person, new_address, signed_up_user
from harness.postgres import Cluster, clusters
from harness.proxy import PostgresProxy
from harness.server import EXEMPT, Server, eventually, rounds
from harness.traffic import Traffic

pytestmark = [pytest.mark.postgres_only, pytest.mark.release_only]

# A request waits for its database, then it is refused: never longer than this, on a busy machine.
LONGEST_SECONDS = 12.0
MAX_CONNECTIONS = 160


@pytest.fixture(scope="module")
def harmed_cluster():
    cluster = clusters().make({"max_connections": str(MAX_CONNECTIONS)})
    yield cluster
    cluster.close()


@pytest.fixture
def cluster(harmed_cluster: Cluster) -> Cluster:
    """It runs, whatever a test before has left."""
    harmed_cluster.revive()
    return harmed_cluster


@pytest.fixture
def nodes(start_nodes, cluster: Cluster) -> Nodes:
    return start_nodes(3, EXEMPT, database=cluster.create_database())


class Witnesses:
    """Users at every node while harm is done: some with a ledger, who stop at the first failure, and some who go on."""

    def __init__(self, nodes: Nodes):
        self.nodes = nodes
        self.accounts = [Account(node, node.admin(), seed) for seed, node in enumerate(nodes)]
        self.traffic = Traffic(list(nodes))

    @contextlib.contextmanager
    def watch(self, record_property, longest_seconds: float = LONGEST_SECONDS):
        """Around the harm and its end. When this is over everything was well again, and the ledgers were right."""
        stop = threading.Event()
        workers = [threading.Thread(target=account.work_until_death, args=(stop,)) for account in self.accounts]
        with self.traffic:
            for worker in workers:
                worker.start()
            self.traffic.wait_until_well()
            eventually(lambda: any(account.acknowledged for account in self.accounts), "somebody has done something")
            yield
            healed = time.monotonic()
            last_refusal = self.traffic.wait_until_well()
            stop.set()
            for worker in workers:
                worker.join()
        # Recorded, not asserted: a busy machine proves nothing about the nodes.
        record_property("refused", self.traffic.refused)
        record_property("recovery_seconds", round(max(0.0, last_refusal - healed), 3))
        record_property("longest_answer_seconds", round(max(answer.seconds for answer in self.traffic.answers), 3))
        self.traffic.check(longest_seconds)
        self.nodes.eventually_ready()
        for account in self.accounts:
            account.check()
        assert sum(account.acknowledged for account in self.accounts) > 0


@pytest.fixture
def witnesses(nodes) -> Witnesses:
    return Witnesses(nodes)


# --- it dies, and is there again


def test_a_killed_postmaster(cluster, witnesses, record_property):
    with witnesses.watch(record_property):
        cluster.kill()
        time.sleep(1)
        cluster.start()


def test_a_killed_backend(cluster, witnesses, record_property):
    with witnesses.watch(record_property):
        for _ in range(rounds(2)):
            with contextlib.suppress(ProcessLookupError):  # it has ended by itself since
                cluster.kill_backend(eventually(cluster.backends, "somebody is connected")[-1])
            time.sleep(0.2)
            cluster.wait_until_ready()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart(cluster, witnesses, record_property, mode):
    with witnesses.watch(record_property):
        cluster.restart(mode)


def test_everybody_is_terminated_again_and_again(cluster, witnesses, record_property):
    with witnesses.watch(record_property):
        ended = 0
        for _ in range(rounds(10)):
            ended += cluster.terminate_everybody()
            time.sleep(0.15)
        assert ended > 0


def test_while_it_is_down_readiness_health_and_liveness_tell_the_truth(cluster, nodes):
    person = signed_up_user(nodes[0])
    cluster.stop()
    for node in nodes:
        eventually(lambda one=node: not is_ready(one.api()), "the node knows that it is not ready")
        assert node.api().get("/health/live").status == 200
        health = node.api().get("/health")
        assert health.status == 503
        assert health.json["status"] == "down"
        eventually(lambda one=node: database_status(one) == "down", "the node knows which part is ill")
        refused = person.device.at(node).api.me()
        assert refused.status == 503, refused
        assert int(refused.headers["Retry-After"]) > 0
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert "postgres" not in refused.text.lower()
    cluster.start()

    nodes.eventually_ready()
    for node in nodes:
        eventually(lambda one=node: one.api().get("/health").json["status"] == "ok", "health is well again")
    nodes.eventually_accept(person.device)


def database_status(node: Server) -> str:
    return node.api().get("/health").json["dependencies"]["database"]["status"]


def test_nobody_is_refused_once_it_is_back(cluster, nodes):
    """An event loop that nobody asked anything of, all the while that it was down, finds it as well as the others do."""
    people = [signed_up_user(node) for node in nodes]
    for _ in range(rounds(2)):
        cluster.kill()
        eventually(lambda: all(node.api().get("/health").status == 503 for node in nodes), "everybody knows")
        time.sleep(3.5)  # longer than a call waits
        cluster.revive()
        eventually(lambda: all(node.api().get("/health").json["status"] == "ok" for node in nodes), "health is well")
        # Each request has a connection of its own, so that all event loops are asked.
        assert [person.api.me().status for person in people for _ in range(8)] == [200] * 8 * len(people)


def test_what_was_ended_while_the_nodes_were_cut_off_is_ended_when_they_are_back(cluster, nodes):
    person, other = signed_up_user(nodes[0]), signed_up_user(nodes[1])
    cluster.set("listen_addresses", "")  # operators come by the socket
    cluster.restart()
    nodes.sql("DELETE FROM refresh_sessions WHERE user_id = ?", person.id)
    cluster.set("listen_addresses", "127.0.0.1")
    cluster.restart()

    nodes.eventually_ready()
    # A node that was away for less than its lease never had to say no; it has read what it missed when it ends.
    eventually(lambda: nodes.refuse(person.device), "all nodes have read what they missed")
    nodes.eventually_accept(other.device)


# --- it hangs


def test_a_frozen_database(cluster, witnesses, record_property):
    with witnesses.watch(record_property):
        cluster.pause()
        time.sleep(4)
        for node in witnesses.nodes:
            assert not is_ready(node.api()), "a node that cannot know never says yes"
        cluster.resume()


def test_a_table_that_somebody_has_locked(cluster, nodes):
    people = [signed_up_user(node) for node in nodes]
    connection = nodes.database.connect()
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE refresh_sessions")
        for node, person in zip(nodes, people):
            begun = time.monotonic()
            refused = person.device.at(node).api.request(
                "POST", "/v1/auth/refresh", {"refreshToken": person.device.refresh_token}
            )
            assert refused.status == 503, refused
            assert int(refused.headers["Retry-After"]) > 0
            assert time.monotonic() - begun < LONGEST_SECONDS
            assert person.device.at(node).is_signed_in(), "nothing that needs no write is disturbed"
            assert is_ready(node.api())
    connection.rollback()
    connection.close()

    for person in people:
        person.device = person.device.refresh()
        assert nodes.accept(person.device)


# --- it has no room


def test_all_connections_are_taken(cluster, nodes):
    people = [signed_up_user(node) for node in nodes]
    with contextlib.ExitStack() as while_crowded:
        assert while_crowded.enter_context(cluster.crowd()) > 0
        assert nodes.accept(people[0].device), "those who have their connections keep them"
        # Whoever loses one now gets no other: those who wait take what becomes free.
        for _ in range(10):
            ours = "usename = 'safawinet' AND application_name LIKE 'safawinet%'"
            cluster.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}")
            with contextlib.suppress(Exception):
                while_crowded.enter_context(cluster.crowd())
        for node in nodes:
            reply = eventually(
                lambda one=node: refusal(one.api().login(people[0].email, PASSWORD)), "the node has no connection left"
            )
            assert int(reply.headers["Retry-After"]) > 0
            assert node.api().get("/health/live").status == 200

    nodes.eventually_ready()
    for person in people:
        for node in nodes:
            eventually(lambda one=node, who=person: is_served(who, one), "it has connections again")


def is_served(person: Person, node: Server) -> bool:
    """By connections that may have to be made first. Whoever has lost the session is told so, and fails here."""
    reply = node.api().refresh(person.device.refresh_token)
    assert reply.status in (200, 503), reply
    if reply.status == 200:
        person.device = Device(node.api(reply.json["accessToken"]), reply.json["refreshToken"], person.email)
    return reply.status == 200


def refusal(reply):
    assert reply.status in (200, 503), reply
    return reply if reply.status == 503 else None


def test_more_requests_than_connections_are_queued_or_refused_and_never_lost(cluster, nodes):
    """Every node has its budget: many users at once do not make it take more."""
    node = nodes[0]
    with Traffic([node], users_each=24, pause_seconds=0.0) as traffic:
        time.sleep(2)
        ((used,),) = cluster.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'safawinet'")
    traffic.check(LONGEST_SECONDS)
    assert used < MAX_CONNECTIONS / 2
    assert {answer.what for answer in traffic.answers if answer.status == 200} == {"read", "refresh", "login"}
    with Traffic([node]) as fewer:
        fewer.wait_until_well()


# --- the way to it is bad


@pytest.fixture
def proxy(cluster: Cluster):
    with PostgresProxy(cluster.address) as proxy:
        yield proxy


@pytest.fixture
def nodes_behind(start_nodes, cluster: Cluster, proxy: PostgresProxy) -> Nodes:
    database = cluster.create_database()
    return start_nodes(3, EXEMPT | {"DATABASE_URL": database.url_by(proxy.address)}, database=database)


def test_connections_are_cut_again_and_again(nodes_behind, proxy, record_property):
    witnesses = Witnesses(nodes_behind)
    with witnesses.watch(record_property):
        ended = 0
        for _ in range(rounds(20)):
            ended += proxy.cut()
            time.sleep(0.1)
        assert ended > 0


def test_connections_are_refused_for_a_while(nodes_behind, proxy, record_property):
    witnesses = Witnesses(nodes_behind)
    with witnesses.watch(record_property):
        proxy.refuse()
        time.sleep(3)
        proxy.accept()


def test_nothing_arrives_for_a_while(nodes_behind, proxy, record_property):
    """Held, and neither closed nor refused: what was sent meanwhile arrives late."""
    witnesses = Witnesses(nodes_behind)
    with witnesses.watch(record_property):
        proxy.stall()
        time.sleep(4)
        for node in nodes_behind:
            assert not is_ready(node.api()), "a node that cannot know never says yes"
        proxy.flow()


def test_a_slow_way_is_slow_and_nothing_else(nodes_behind, proxy):
    people = [signed_up_user(node) for node in nodes_behind]
    proxy.delay_seconds = 0.05
    for person in people:
        person.device = person.device.refresh()
        nodes_behind.eventually_refuse(signed_out(person.log_in()))
        assert nodes_behind.accept(person.device)
    assert all(is_ready(node.api()) for node in nodes_behind)


def signed_out(device):
    assert device.api.logout().status == 204
    return device


# --- cut where it hurts most: the statement arrives, its answer does not


@pytest.fixture
def node_behind(start_server, cluster: Cluster, proxy: PostgresProxy) -> Server:
    database = cluster.create_database()
    return start_server(EXEMPT | {"DATABASE_URL": database.url_by(proxy.address)}, database=database)


@pytest.mark.parametrize("is_done", [True, False], ids=["after", "before"])
class TestAConnectionThatIsCutAtTheCommit:
    """After it: done once, and acknowledged, for its fate is found out. Before it: not done, so it is done again."""

    def cut_at(self, proxy: PostgresProxy, is_done: bool, pattern: str = "^COMMIT") -> None:
        (proxy.cut_after if is_done else proxy.cut_before)(pattern)

    def test_a_registration(self, node_behind, proxy, is_done):
        address = new_address()
        self.cut_at(proxy, is_done)
        reply = node_behind.api().register(address, PASSWORD)
        proxy.wait_for_cut()

        assert reply.status == 202, reply
        assert node_behind.sql("SELECT count(*) FROM users WHERE email = ?", address) == [(1,)]
        assert node_behind.api().verify_email(node_behind.mail.wait_for(address, VERIFY).token).status == 204
        assert node_behind.api().login(address, PASSWORD).status == 200
        assert len(node_behind.mail.to(address, VERIFY)) == 1

    def test_a_forced_logout(self, node_behind, proxy, is_done):
        person, admin = signed_up_user(node_behind), node_behind.admin()
        person.log_in()
        self.cut_at(proxy, is_done)
        reply = admin.force_logout(userId=person.id, reason="cut at the commit")
        proxy.wait_for_cut()

        assert reply.status == 200, reply
        assert reply.json["sessionsEnded"] == 2
        assert not person.device.is_signed_in()
        assert not person.device.may_refresh()
        assert node_behind.sql("SELECT count(*) FROM ended_sessions WHERE user_id = ?", person.id) == [(2,)]
        audited = "SELECT count(*) FROM audit_log WHERE reason = 'cut at the commit'"
        assert node_behind.sql(audited) == [(1,)]

    def test_a_global_logout(self, node_behind, proxy, is_done):
        person, admin = signed_up_user(node_behind), node_behind.admin()
        before = node_behind.sql("SELECT epoch FROM session_epoch")[0][0]
        self.cut_at(proxy, is_done)
        reply = admin.force_logout_all()
        proxy.wait_for_cut()

        assert reply.status == 200, reply
        assert node_behind.sql("SELECT epoch FROM session_epoch") == [(before + 1,)]
        eventually(lambda: not person.device.is_signed_in(), "the access token is refused")
        assert admin.me().status == 200

    def test_a_change_of_password(self, node_behind, proxy, is_done):
        person = signed_up_user(node_behind)
        phone = person.log_in()
        before = node_behind.sql("SELECT credential_version FROM users WHERE id = ?", person.id)[0][0]
        self.cut_at(proxy, is_done)
        reply = person.api.change_password(PASSWORD, OTHER_PASSWORD)
        proxy.wait_for_cut()

        assert reply.status == 204, reply
        after = node_behind.sql("SELECT credential_version FROM users WHERE id = ?", person.id)
        assert after == [(before + 1,)]
        assert person.device.is_signed_in()
        eventually(lambda: not phone.is_signed_in(), "the other device is signed out")
        assert node_behind.api().login(person.email, OTHER_PASSWORD).status == 200
        assert node_behind.api().login(person.email, PASSWORD).status == 401

    def test_a_refresh(self, node_behind, proxy, is_done):
        person = signed_up_user(node_behind)
        self.cut_at(proxy, is_done, "^(WITH|UPDATE).*refresh_sessions.*generation")
        reply = person.server.api().refresh(person.device.refresh_token)
        proxy.wait_for_cut()

        # Refused or done: either way the client that comes back with the same token is served.
        assert reply.status in (200, 503), reply
        again = person.device.refresh()
        assert again.is_signed_in()
        assert reply.status == 503 or reply.json["refreshToken"] == again.refresh_token
        assert node_behind.sql("SELECT generation FROM refresh_sessions WHERE user_id = ?", person.id) == [(2,)]
        assert again.refresh().is_signed_in()

    def test_a_login(self, node_behind, proxy, is_done):
        person = signed_up_user(node_behind)
        self.cut_at(proxy, is_done, "INSERT INTO refresh_sessions")
        reply = node_behind.api().login(person.email, PASSWORD)
        proxy.wait_for_cut()

        assert reply.status in (200, 503), reply
        ((count,),) = node_behind.sql("SELECT count(*) FROM refresh_sessions WHERE user_id = ?", person.id)
        if reply.status == 200:
            assert count == 2, "done twice"
            assert node_behind.api(reply.json["accessToken"]).me().status == 200
        else:
            assert count <= 2
        assert person.device.is_signed_in()

    def test_a_logout(self, node_behind, proxy, is_done):
        person = signed_up_user(node_behind)
        self.cut_at(proxy, is_done, "(^COMMIT|DELETE FROM refresh_sessions)")
        reply = person.api.logout()
        proxy.wait_for_cut()

        assert reply.status == 204, reply
        assert not person.device.is_signed_in()
        assert not person.device.may_refresh()
        assert node_behind.sql("SELECT count(*) FROM ended_sessions WHERE user_id = ?", person.id) == [(1,)]
