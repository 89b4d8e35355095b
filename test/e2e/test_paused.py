"""A server that slept longer than its lease never says yes to what was ended meanwhile."""

import time

from harness.people import signed_up_user
from harness.races import connected, read_reply, request_bytes
from harness.server import EXEMPT, eventually, rounds

LEASE_MILLISECONDS = 500


def test_after_a_pause_longer_than_the_lease_no_stale_yes_is_said(start_server):
    server = start_server(EXEMPT | {"SAFAWINET__REVOCATION__LEASE_MILLISECONDS": str(LEASE_MILLISECONDS)})
    person = signed_up_user(server)
    for _ in range(rounds(4)):
        device = person.log_in()
        session = device.session_id
        request = request_bytes("GET", "/v1/users/me", token=device.access_token)
        waiting = [connected(server) for _ in range(16)]
        for connection in waiting[:8]:
            connection.sendall(request[:-2])
        server.pause()
        server.sql("DELETE FROM refresh_sessions WHERE id = ?", session)
        for number, connection in enumerate(waiting):
            connection.sendall(request[-2:] if number < 8 else request)
        # The lease is counted on the clock of the machine: only waiting makes it run out.
        time.sleep(LEASE_MILLISECONDS / 1000 * 1.5)
        server.resume()
        statuses = {read_reply(connection, request).status for connection in waiting}
        for connection in waiting:
            connection.close()

        assert statuses <= {401, 503}, statuses
        eventually(lambda: server.api().get("/health/ready").status == 200, "the lease is renewed")
        assert not device.is_signed_in()
        assert person.device.is_signed_in()


def test_a_global_logout_during_the_pause_holds_too(start_server):
    server = start_server(EXEMPT | {"SAFAWINET__REVOCATION__LEASE_MILLISECONDS": str(LEASE_MILLISECONDS)})
    person = signed_up_user(server)
    request = request_bytes("GET", "/v1/users/me", token=person.device.access_token)
    connection = connected(server)
    server.pause()
    server.sql("UPDATE session_epoch SET epoch = epoch + 1")
    connection.sendall(request)
    time.sleep(LEASE_MILLISECONDS / 1000 * 1.5)
    server.resume()

    assert read_reply(connection, request).status in (401, 503)
    connection.close()
    eventually(lambda: server.api().get("/health/ready").status == 200, "the lease is renewed")
    assert not person.device.is_signed_in()
    assert not person.device.may_refresh()
