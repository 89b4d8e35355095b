"""Packets between a node and its database disappear: no reset and no answer says so, and the node must find out by itself."""

import time

import pytest

from harness.network import Network
from harness.nodes import is_ready
from harness.people import PASSWORD, signed_up_user
from harness.postgres import clusters
from harness.server import Server, eventually

pytestmark = [pytest.mark.postgres_only, pytest.mark.release_only]

LONGEST_SECONDS = 12.0


@pytest.fixture(scope="module")
def network():
    network = Network()
    yield network
    network.close()


@pytest.fixture(scope="module")
def cluster(network: Network):
    cluster = clusters().make(listen=f"127.0.0.1,{network.outside}")
    yield cluster
    cluster.close()


@pytest.fixture
def far_and_near(network: Network, cluster, start_nodes):
    """Two nodes on one database: one beyond the cable, one on this side."""
    network.mend()
    # The cache is on this side, and no part of what is tried here.
    exempt = {"SAFAWINET__LIMITS__EXEMPT_NETWORKS": "127.0.0.0/8,10.192.0.0/10", "REDIS_URL": ""}
    beyond = {"SAFAWINET_LISTEN": f"{network.inside}:0", "SAFAWINET_OPERATIONS_LISTEN": f"{network.inside}:0"}
    yield start_nodes(
        2, exempt, each_settings=[beyond, {}], database=cluster.create_database(), prefixes=[network.prefix, []]
    )
    network.mend()


@pytest.mark.parametrize("direction", ["to", "from", "both"])
def test_a_node_that_is_cut_off_says_no_yes_within_the_lease_and_recovers(
    far_and_near, network, cluster, direction, record_property
):
    far, near = far_and_near
    person, other = signed_up_user(near), signed_up_user(near)
    assert person.device.at(far).is_signed_in()
    network.drop(cluster.port, direction)
    cut = time.monotonic()
    assert person.api.logout().status == 204

    lease = 2.0
    while time.monotonic() - cut < lease * 2:
        begun = time.monotonic() - cut
        status = person.device.at(far).api.me().status
        assert status in (401, 503) or (status == 200 and begun < lease), f"{status} after {begun:.2f} s"
        time.sleep(0.02)
    assert not is_ready(far.api())
    assert far.api().get("/health/live").status == 200
    assert far.api().get("/health").status == 503
    begun = time.monotonic()
    refused = far.api().login(other.email, PASSWORD)
    assert refused.status == 503, refused
    assert int(refused.headers["Retry-After"]) > 0
    assert time.monotonic() - begun < LONGEST_SECONDS
    assert other.device.is_signed_in(), "the other node goes on"

    network.mend()
    mended = time.monotonic()
    eventually(lambda: is_ready(far.api()), "the node is ready again")
    assert not person.device.at(far).is_signed_in()
    # Its connections may have to be made anew first, each when it is used.
    eventually(lambda: other.device.at(far).api.me().status == 200, "it answers from the database", LONGEST_SECONDS)
    record_property("serves_again_seconds", round(time.monotonic() - mended, 2))
    refresh_token = other.device.refresh_token
    eventually(lambda: far.api().refresh(refresh_token).status == 200, "it writes to the database", LONGEST_SECONDS)
    eventually(lambda: far.api().get("/health").json["status"] == "ok", "health is well again")


def test_a_short_gap_disturbs_nobody(far_and_near, network, cluster):
    far, near = far_and_near
    person = signed_up_user(near)
    for _ in range(3):
        network.drop(cluster.port)
        time.sleep(0.3)
        network.mend()
        assert person.device.at(far).is_signed_in()
        person.device = person.device.at(far).refresh()
        time.sleep(1)
    assert is_ready(far.api())


def test_a_node_that_stops_while_it_is_cut_off_stops(far_and_near, network, cluster):
    far: Server = far_and_near[0]
    network.drop(cluster.port)
    time.sleep(3)
    begun = time.monotonic()
    assert far.stop() == 0
    assert time.monotonic() - begun < 20
