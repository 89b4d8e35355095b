"""Every route of the table, walked by everybody: nobody gets in where the table does not say so."""

import json
import re
import uuid

import pytest

from harness.people import PASSWORD, log_in, signed_up_user, with_role
from harness.server import ADMIN_EMAIL, ADMIN_PASSWORD, EXEMPT, Server, run

WHO = ["stranger", "customer", "support", "admin", "superadmin"]
# From which role on a route may be called, by the word in its `access`.
FROM_ROLE = {"public": 0, "user": 1, "customer": 1, "support": 2, "admin": 3, "superadmin": 4}


@pytest.fixture(scope="module")
def routes(tmp_path_factory) -> list[dict]:
    done = run("routes", "--json", folder=tmp_path_factory.mktemp("routes"))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def callers(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("access") / "server", EXEMPT).start()
    devices = {"stranger": None, "superadmin": log_in(server, ADMIN_EMAIL, ADMIN_PASSWORD)}
    for role in ("customer", "support", "admin"):
        devices[role] = with_role(server, role).device
    yield server, devices
    server.close()


def test_the_table_says_of_every_route_who_may_call_it(routes):
    assert len(routes) > 20
    assert {route["access"] for route in routes} <= set(FROM_ROLE)
    assert all(route["rateClass"] for route in routes)


def test_a_route_lets_in_whom_its_access_names_and_nobody_else(callers, routes):
    server, devices = callers
    wrong = []
    for route in routes:
        path = re.sub(r"\{\w+\}", lambda _: str(uuid.uuid4()), route["path"])
        base = server.operations if path == "/metrics" else server.api()
        for rank, who in enumerate(WHO):
            token = devices[who].access_token if devices[who] else None
            # A body that no route accepts: whoever is let in gets to 400 or 422 and changes nothing.
            body = None if route["method"] in ("GET", "HEAD") else b"[]"
            status = base.with_token(token).request(route["method"], path, body=body).status
            if rank >= FROM_ROLE[route["access"]]:
                right = status < 500 and status not in (401, 403)
            else:
                right = status == (401 if who == "stranger" else 403)
            if not right:
                wrong.append((route["method"], route["path"], route["access"], who, status))
    assert wrong == []
    assert all(device.is_signed_in() for device in devices.values() if device)


def test_everything_under_admin_is_for_staff_and_forced_logouts_are_too(routes):
    for route in routes:
        if route["path"].startswith(("/v1/admin/", "/v1/auth/force-logout")):
            assert FROM_ROLE[route["access"]] >= FROM_ROLE["support"], route


def test_a_customer_reads_no_other_user(shared_server):
    one, other = signed_up_user(shared_server), signed_up_user(shared_server)
    for path in (f"/v1/admin/users/{other.id}", f"/v1/admin/users/{other.id}/sessions", "/v1/admin/users"):
        reply = one.api.get(path)
        assert reply.status == 403
        assert other.email not in reply.text


def test_a_refused_caller_learns_not_whether_a_thing_exists(shared_server):
    one, other = signed_up_user(shared_server), signed_up_user(shared_server)
    replies = [one.api.get(f"/v1/admin/users/{user}") for user in (other.id, uuid.uuid4())]

    assert [reply.status for reply in replies] == [403, 403]
    assert replies[0].without_request_id() == replies[1].without_request_id()


def test_login_answers_alike_for_a_wrong_password_and_an_unknown_address(shared_server):
    person = signed_up_user(shared_server)
    replies = [shared_server.api().login(address, PASSWORD + "x") for address in (person.email, "nobody@example.test")]

    assert [reply.status for reply in replies] == [401, 401]
    assert replies[0].without_request_id() == replies[1].without_request_id()
    assert sorted(replies[0].headers.keys()) == sorted(replies[1].headers.keys())
