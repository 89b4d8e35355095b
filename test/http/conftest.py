"""The servers under test: the one that echoes what its handler saw, and the real binary if there is one.

SAFAWINET_BINARY      the real binary; the echo server is looked for beside it
SAFAWINET_HTTP_ECHO   the echo server, if it is elsewhere
SAFAWINET_HTTP_ADDRESS  host:port of a server that runs already; used instead of the real binary
"""

import os
import pathlib
import sys

import pytest

from echo_server import EchoServer
from http_client import Target

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("SAFAWINET_BINARY", REPOSITORY / "build/release/safawinet"))
ADDRESS = os.environ.get("SAFAWINET_HTTP_ADDRESS")


def pytest_generate_tests(metafunc: pytest.Metafunc):
    if "target" in metafunc.fixturenames:
        real = ["running"] if ADDRESS else ["safawinet"] if BINARY.exists() else []
        metafunc.parametrize("target", ["echo", *real], indirect=True, scope="session")


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """A server that raw requests are sent to."""
    if request.param == "running":
        yield Target(ADDRESS)
    elif request.param == "safawinet":
        sys.path.append(str(REPOSITORY / "test/e2e"))
        from harness.server import EXEMPT, Server

        server = Server(tmp_path_factory.mktemp("http") / "server", EXEMPT).start()
        yield Target(server.address)
        server.close()
    else:
        server = EchoServer(tmp_path_factory.mktemp("echo"))
        yield server.target
        server.close()


@pytest.fixture
def start_echo(tmp_path: pathlib.Path):
    """Starts echo servers with options of the test's choice."""
    servers: list[EchoServer] = []

    def start(*options: str, **more) -> EchoServer:
        servers.append(EchoServer(tmp_path, *options, **more))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
