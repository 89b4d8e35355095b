"""Servers for the tests. Each is a process of its own on a folder of its own, and must stop cleanly.

SAFAWINET_TEST_ENGINE says what they run on: sqlite (the embedded database, the default) or postgres.
"""

import pathlib

import pytest

from harness.clock import Clock, ServersClock
from harness.nodes import Nodes
from harness.people import Person, signed_up_user
from harness.postgres import clusters
from harness.server import ENGINE, EXEMPT, Server

OTHER_ENGINES_MARK = {"sqlite": "postgres_only", "postgres": "embedded_only"}[ENGINE]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    others = [item for item in items if item.get_closest_marker(OTHER_ENGINES_MARK)]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


@pytest.fixture
def start_server(tmp_path: pathlib.Path):
    """Starts servers with settings of the test's choice."""
    servers: list[Server] = []

    def start(settings: dict[str, str] | None = None, folder: str = "server", **options) -> Server:
        server = Server(tmp_path / folder, settings, **options)
        servers.append(server)
        return server.start()

    yield start
    failures = []
    for server in servers:
        try:
            server.close()
        except AssertionError as failure:
            failures.append(str(failure))
    assert not failures, "\n".join(failures)


@pytest.fixture
def server(start_server) -> Server:
    """A server with the defaults."""
    return start_server()


@pytest.fixture
def start_nodes(tmp_path: pathlib.Path):
    """Starts nodes on one PostgreSQL database; see harness/nodes.py for what may be chosen."""
    made: list[Nodes] = []

    def start(count: int = 3, settings: dict[str, str] | None = None, **options) -> Nodes:
        nodes = Nodes(tmp_path / f"nodes-{len(made)}", count, settings, **options)
        made.append(nodes)
        return nodes.start()

    yield start
    for nodes in made:
        nodes.close()


@pytest.fixture
def nodes(start_nodes) -> Nodes:
    """Three nodes on one database; rate limits do not hold for this machine."""
    return start_nodes(3, EXEMPT)


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory):
    """One server for all tests of a file that each make their own users; rate limits do not hold for this machine."""
    server = Server(tmp_path_factory.mktemp("shared") / "server", EXEMPT)
    yield server.start()
    server.close()


@pytest.fixture
def person(shared_server: Server) -> Person:
    return signed_up_user(shared_server)


@pytest.fixture(scope="module")
def moving_time(tmp_path_factory: pytest.TempPathFactory):
    """A clock, and the PostgreSQL server whose time it is; none where the database is embedded."""
    if ENGINE == "sqlite":
        yield Clock(tmp_path_factory.mktemp("clock")), None
        return
    clock = Clock(clusters().new_folder())
    cluster = clusters().make(environment=clock.settings)
    yield clock, cluster
    cluster.close()


@pytest.fixture
def timed_server(start_server, moving_time) -> Server:
    """Its clock and that of its database are one: they cannot disagree while a test moves it."""
    clock, cluster = moving_time
    clock.set(0)
    return start_server(EXEMPT | clock.settings, database=cluster and cluster.create_database())


@pytest.fixture
def clock(moving_time, timed_server) -> ServersClock:
    return ServersClock(moving_time[0], timed_server)
