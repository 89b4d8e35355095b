"""The primary dies under load and its standby takes over: nothing acknowledged is lost, and the old one is not used again."""

import threading
import time

import pytest

from harness.ledger import Account
from harness.nodes import Nodes, is_ready
from harness.people import PASSWORD, log_in, signed_up_user, verified
from harness.postgres import Cluster, Database, clusters
from harness.server import EXEMPT, Server, eventually
from harness.traffic import Traffic

pytestmark = [pytest.mark.postgres_only, pytest.mark.release_only]

LONGEST_SECONDS = 12.0


class Pair:
    """A primary and its standby, and nodes that know both."""

    def __init__(self, start_nodes, synchronous: bool = True, count: int = 3, settings: dict[str, str] | None = None):
        self.primary = clusters().make()
        self.database: Database = self.primary.create_database()
        self.standby = self.primary.standby(synchronous)
        self.url = self.database.url_by(self.primary.address, self.standby.address)
        self.nodes: Nodes = start_nodes(
            count, EXEMPT | {"DATABASE_URL": self.url} | (settings or {}), database=self.database
        )

    def promote_the_standby(self) -> float:
        """Returns the moment from which on it takes writes. What operators type goes there too."""
        self.standby.promote()
        self.database = self.database.on(self.standby)
        self.nodes.move_to(self.database)
        return time.monotonic()


@pytest.fixture
def start_pair(start_nodes):
    pairs: list[Pair] = []

    def start(**options) -> Pair:
        pairs.append(Pair(start_nodes, **options))
        return pairs[-1]

    yield start
    for pair in pairs:
        for node in pair.nodes:  # they end before their database does
            if node.process is not None:
                node.stop()
        pair.primary.close()
        pair.standby.close()


@pytest.fixture
def pair(start_pair) -> Pair:
    return start_pair()


def test_a_dead_primary_is_replaced_and_nothing_acknowledged_is_lost(pair, record_property):
    accounts = [Account(node, node.admin(), seed) for seed, node in enumerate([*pair.nodes, *pair.nodes])]
    stop = threading.Event()
    workers = [threading.Thread(target=account.work_until_death, args=(stop,)) for account in accounts]
    with Traffic(list(pair.nodes)) as traffic:
        for worker in workers:
            worker.start()
        time.sleep(1.5)
        pair.primary.destroy()
        time.sleep(0.5)
        promoted = pair.promote_the_standby()
        last_refusal = traffic.wait_until_well()
        stop.set()
        for worker in workers:
            worker.join()

    writes = [answer for answer in traffic.answers if answer.what != "read" and answer.status == 200]
    first_write = min(answer.begun + answer.seconds for answer in writes if answer.begun + answer.seconds > promoted)
    record_property("first_write_seconds_after_promotion", round(first_write - promoted, 3))
    record_property("all_well_seconds_after_promotion", round(max(0.0, last_refusal - promoted), 3))
    traffic.check(LONGEST_SECONDS)
    assert first_write - promoted < 2
    pair.nodes.eventually_ready()
    for account in accounts:
        account.check()
    assert sum(account.acknowledged for account in accounts) > 0


def rows_of(database: Database) -> list:
    """What would be different if somebody had written there."""
    tables = ("users", "refresh_sessions", "ended_sessions", "revocations", "audit_log")
    counts = [database.sql(f"SELECT count(*) FROM {table}") for table in tables]
    return counts + database.sql("SELECT sum(generation) FROM refresh_sessions")


def use(pair: Pair) -> None:
    """Everybody does something at every node, and all of it is seen at all of them."""
    for node in pair.nodes:
        person = signed_up_user(node)
        phone = log_in(node, person.email, PASSWORD)
        phone = phone.refresh()
        assert pair.nodes.accept(phone)
        assert person.api.logout().status == 204
        pair.nodes.eventually_refuse(person.device)
        assert pair.nodes.accept(phone)


def come_back_split(pair: Pair) -> Database:
    """The old primary is started again as it was, takes writes, and knows nothing of the new one."""
    pair.primary.set_before_start("synchronous_standby_names", "")
    pair.primary.start()
    old = pair.database.on(pair.primary)
    old.sql("CREATE TABLE it_takes_writes (i int)")
    return old


def test_an_old_primary_that_comes_back_split_is_not_used(pair):
    signed_up_user(pair.nodes[0])
    pair.primary.destroy()
    pair.promote_the_standby()
    pair.nodes.eventually_ready()
    use(pair)
    old = come_back_split(pair)
    before = rows_of(old)

    # It is named first in the URL, and answers at once: whoever connects anew meets it.
    for _ in range(3):
        pair.standby.terminate_everybody()
        pair.nodes.eventually_ready()
        use(pair)
    assert rows_of(old) == before

    # A node that starts remembers nothing, and takes the newer one all the same.
    person = signed_up_user(pair.nodes[0])
    for node in pair.nodes:
        assert node.stop() == 0
        node.start()
    assert pair.nodes.accept(person.device.at(pair.nodes[0]))
    use(pair)
    assert rows_of(old) == before


def test_an_old_primary_that_comes_back_read_only_is_not_used(pair):
    signed_up_user(pair.nodes[0])
    pair.primary.destroy()
    pair.promote_the_standby()
    pair.nodes.eventually_ready()
    pair.primary.set_before_start("default_transaction_read_only", "on")
    pair.primary.start()

    for _ in range(3):
        pair.standby.terminate_everybody()
        pair.nodes.eventually_ready()
        use(pair)


def test_nodes_that_still_talk_to_the_old_primary_leave_it(pair):
    """The standby was promoted while the primary lived: both take connections, and one of them is the truth."""
    people = [signed_up_user(node) for node in pair.nodes]
    pair.promote_the_standby()
    old = pair.database.on(pair.primary)
    # Nothing that the old one is told is acknowledged: it waits for the standby, which has left it.
    with Traffic(list(pair.nodes)[:0]):
        pair.nodes.eventually_ready()
    for person in people:
        eventually(lambda one=person: refreshed(one), "the node writes to the new primary")
    before = rows_of(old)
    use(pair)
    assert rows_of(old) == before


def refreshed(person) -> bool:
    reply = person.device.api.refresh(person.device.refresh_token)
    assert reply.status in (200, 503), reply
    return reply.status == 200


def test_without_its_synchronous_standby_a_primary_cannot_prove_itself(start_pair):
    """An isolated primary: it answers reads, and commits nothing. A node that asks only it may be wrong, and says so."""
    pair = start_pair(count=1)
    (node,) = pair.nodes
    device = log_in(node, verified(node), PASSWORD)
    pair.standby.pause()
    eventually(lambda: not is_ready(node.api()), "the node is not ready")
    refused = device.api.me()
    assert refused.status == 503, refused
    pair.standby.resume()

    eventually(lambda: is_ready(node.api()), "the node is ready again")
    assert device.is_signed_in()
    assert device.refresh().is_signed_in()


def test_an_asynchronous_standby_takes_over_too(start_pair):
    pair = start_pair(synchronous=False)
    people = [signed_up_user(node) for node in pair.nodes]
    caught_up = "SELECT bool_and(replay_lsn = pg_current_wal_lsn()) FROM pg_stat_replication"
    eventually(lambda: pair.primary.sql(caught_up) == [(True,)], "the standby has everything")
    pair.primary.destroy()
    pair.promote_the_standby()

    pair.nodes.eventually_ready()
    for person in people:
        assert pair.nodes.accept(person.device)
        assert person.device.refresh().is_signed_in()
    use(pair)


def test_a_standby_alone_is_no_database_to_start_on(tmp_path, pair):
    server = Server(tmp_path / "server", {"DATABASE_URL": pair.database.url_by(pair.standby.address)}, database=pair.database)
    server.launch()
    time.sleep(2)
    assert not server.events("listening")
    server.kill()
