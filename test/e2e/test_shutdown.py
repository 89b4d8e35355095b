"""SIGTERM: what runs is finished, what waits is not started, and the process ends well."""

import http.client
import json
import signal

import pytest

from harness.mail import PATIENCE_AFTER_DEATH_SECONDS
from harness.people import signed_up_user
from harness.races import connected, read_reply, refresh_request, request_bytes
from harness.server import EXEMPT, Server, eventually


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / "server", EXEMPT).start()
    yield server
    if server.process is not None:
        server.kill()


def refuses_connections(server: Server) -> bool:
    try:
        connected(server).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass  # it was in the queue of the listener, which is closed by the next time
    return False


def test_it_stops_with_0_and_says_so(server):
    assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_idle_connections_do_not_keep_it(server, number):
    idle = [connected(server) for _ in range(5)]
    kept = http.client.HTTPConnection(*server.address.split(":"))
    kept.request("GET", "/health/live")
    kept.getresponse().read()
    server.process.send_signal(number)

    assert server.wait() == 0
    for connection in idle:
        connection.close()
    kept.close()


def test_a_request_in_flight_is_finished_and_its_connection_closed(server):
    person = signed_up_user(server)
    request = request_bytes("POST", "/v1/auth/refresh", {"refreshToken": person.device.refresh_token})
    request = request.replace(b"Connection: close\r\n", b"")
    connection = connected(server)
    connection.sendall(request[:-5])
    eventually(lambda: server.api().get("/health/live").status == 200, "the server has the head of the request")
    server.process.send_signal(signal.SIGTERM)
    eventually(lambda: refuses_connections(server), "the listener is closed")
    connection.sendall(request[-5:])
    reply = read_reply(connection, request)

    assert reply.status == 200, reply
    assert connection.recv(1) == b""
    connection.close()
    assert server.wait() == 0
    server.start()
    assert server.api().refresh(reply.json["refreshToken"]).status == 200


def test_a_client_that_never_finishes_does_not_keep_it_for_ever(server):
    server.settings["SAFAWINET__HTTP__DRAIN_SECONDS"] = "1"
    server.restart()
    connection = connected(server)
    connection.sendall(b"POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n")
    server.process.send_signal(signal.SIGTERM)

    assert server.wait() == 0
    connection.close()


@pytest.mark.postgres_only
def test_transactions_that_wait_in_the_database_do_not_keep_it_and_are_let_go(server):
    server.settings["SAFAWINET__HTTP__DRAIN_SECONDS"] = "1"
    server.restart()
    person = signed_up_user(server)
    holder = server.database.connect()
    with holder.cursor() as cursor:
        cursor.execute("LOCK TABLE refresh_sessions")
    waiting = [connected(server) for _ in range(40)]  # more than there are connections for transactions
    for connection in waiting:
        connection.sendall(refresh_request(person.device.refresh_token))
    eventually(
        lambda: server.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")[0][0] > 0,
        "a transaction waits for the lock",
    )
    server.process.send_signal(signal.SIGTERM)

    assert server.wait() == 0
    for connection in waiting:
        connection.close()
    holder.rollback()
    holder.close()
    server.start()
    assert person.device.at(server).may_refresh()


def test_what_was_acknowledged_before_a_stop_is_there_after_it(server):
    people = [signed_up_user(server) for _ in range(3)]
    server.restart()
    for person in people:
        person.device.api.address = server.address
        assert person.device.is_signed_in()
        assert person.device.may_refresh()
    assert server.stop() == 0


def test_mail_that_was_not_sent_yet_is_sent_after_the_next_start(server):
    addresses = [f"late-{number}@example.test" for number in range(8)]
    for address in addresses:
        assert server.api().register(address, "Eleven brass kettles, one whistle").status == 202
    server.kill()
    server.start()

    for address in addresses:
        mail = server.mail.wait_for(address, patience_seconds=PATIENCE_AFTER_DEATH_SECONDS)
        assert server.api().verify_email(mail.token).status == 204
        assert len(server.mail.to(address)) <= 2
    assert server.stop() == 0


def test_logs_are_json_lines_on_stderr_and_stdout_stays_empty(server):
    signed_up_user(server)
    process = server.process
    process.send_signal(signal.SIGTERM)
    assert process.stdout.read() == b""
    assert server.wait() == 0

    for line in server.lines:
        assert isinstance(json.loads(line), dict), line
