"""Every route of the table, walked by everybody: nobody gets in where the table does not say so."""

import json
import subprocess
import uuid

import pytest

from harness.people import PASSWORD, log_in, signed_up_user, with_role
from harness.server import ADMIN_EMAIL, ADMIN_PASSWORD, BINARY, EXEMPT, Server, environment


WHO = ["stranger", "customer", "support", "admin", "superadmin"]
# From which role on a route may be called, by the word in its `access`.
FROM_ROLE = {"public": 0, "user": 1, "customer": 1, "support": 2, "admin": 3, "superadmin": 4}


def table() -> list[dict]:
    done = subprocess.run([BINARY, "routes", "--json"], env=environment({}), capture_output=True, check=True)
    return json.loads(done.stdout)


ROUTES = table() if BINARY.exists() else []


@pytest.fixture(scope="module")
def callers(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("access") / "server", EXEMPT).start()
    devices = {"stranger": None, "superadmin": log_in(server, ADMIN_EMAIL, ADMIN_PASSWORD)}
    for role in ("customer", "support", "admin"):
        devices[role] = with_role(server, role).device
    yield server, devices
    server.close()


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route['method']} {route['path']}")
def test_a_route_lets_in_whom_its_access_names_and_nobody_else(callers, route):
    server, devices = callers
    path = route["path"].replace("{id}", str(uuid.uuid4()))
    base = server.operations if path == "/metrics" else server.api()
    for rank, who in enumerate(WHO):
        device = devices[who]
        # A body that no route accepts: whoever is let in gets to 400, 415 or 422 and changes nothing.
        body = None if route["method"] in ("GET", "HEAD") else b"[]"
        token = device.access_token if device else None
        reply = base.with_token(token).request(route["method"], path, body=body)
        assert reply.status < 500, (who, reply)
        if rank >= FROM_ROLE[route["access"]]:
            assert reply.status not in (401, 403), (who, reply)
        elif who == "stranger":
            assert reply.status == 401, (who, reply)
        else:
            assert reply.status == 403, (who, reply)


def test_the_table_is_not_empty_and_says_of_every_route_who_may_call_it():
    assert len(ROUTES) > 20
    assert {route["access"] for route in ROUTES} <= set(FROM_ROLE)
    assert all(route["rateClass"] for route in ROUTES)


def test_everything_under_admin_is_for_staff_and_forced_logouts_are_too():
    for route in ROUTES:
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
