"""Servers for the tests. Each is a process of its own on a folder of its own, and must stop cleanly."""

import pathlib

import pytest

from harness.people import Person, signed_up_user
from harness.server import EXEMPT, Server


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


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory):
    """One server for all tests of a file that each make their own users; rate limits do not hold for this machine."""
    server = Server(tmp_path_factory.mktemp("shared") / "server", EXEMPT)
    yield server.start()
    server.close()


@pytest.fixture
def person(shared_server: Server) -> Person:
    return signed_up_user(shared_server)
