"""An operator ends sessions: of one user, of everybody."""

import uuid

import pytest

from harness.people import Device, log_in, signed_up_user, with_role
from harness.server import ADMIN_EMAIL, ADMIN_PASSWORD, EXEMPT


def assert_signed_out(*devices: Device) -> None:
    for device in devices:
        assert not device.is_signed_in()
        assert not device.may_refresh()


def test_a_user_is_signed_out_by_id_and_nobody_else_is(person):
    phone, other = person.log_in("phone"), signed_up_user(person.server)
    reply = person.server.admin().force_logout(userId=person.id, reason="lost laptop")

    assert reply.status == 200, reply
    assert set(reply.json) == {"sessionsEnded", "sparedSession", "revocation"}
    assert (reply.json["sessionsEnded"], reply.json["sparedSession"]) == (2, None)
    assert_signed_out(person.device, phone)
    assert other.device.is_signed_in()


def test_a_user_is_signed_out_by_address_in_any_case(person):
    reply = person.server.admin().force_logout(email=person.email.upper())

    assert reply.json["sessionsEnded"] == 1
    assert_signed_out(person.device)


def test_signing_out_twice_is_fine_and_ends_nothing_more(person):
    admin = person.server.admin()
    counts = [admin.force_logout(userId=person.id).json["sessionsEnded"] for _ in range(2)]

    assert counts == [1, 0]
    assert_signed_out(person.device)
    assert person.log_in().is_signed_in()


def test_an_unknown_user_is_not_found(person):
    admin = person.server.admin()
    for fields in ({"userId": str(uuid.uuid4())}, {"email": "nobody@example.test"}):
        assert admin.force_logout(**fields).status == 404
    assert person.device.is_signed_in()


@pytest.mark.parametrize("fields", [{}, {"reason": "who?"}, {"userId": "1", "email": "both@example.test"}])
def test_one_user_must_be_named_in_one_way(person, fields):
    reply = person.server.admin().force_logout(**fields)

    assert reply.status == 422, reply
    assert person.device.is_signed_in()


def test_the_callers_own_session_is_spared_and_named(shared_server):
    other = log_in(shared_server, ADMIN_EMAIL, ADMIN_PASSWORD)
    admin = shared_server.admin()
    own = next(item["id"] for item in admin.sessions().json["items"] if item["current"])
    reply = admin.force_logout(email=ADMIN_EMAIL)

    assert reply.json["sparedSession"] == own
    assert reply.json["sessionsEnded"] >= 1
    assert admin.me().status == 200
    assert_signed_out(other)


def test_the_callers_own_session_ends_too_when_asked(shared_server):
    reply = shared_server.api().login(ADMIN_EMAIL, ADMIN_PASSWORD)
    admin = Device(shared_server.api(reply.json["accessToken"]), reply.json["refreshToken"], ADMIN_EMAIL)
    reply = admin.api.force_logout(email=ADMIN_EMAIL, includeOwnSession=True)

    assert (reply.status, reply.json["sparedSession"]) == (200, None)
    assert_signed_out(admin)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"reason": "leaked tokens"}'])
def test_everybody_is_signed_out_but_the_caller(start_server, body):
    server = start_server(EXEMPT)
    people = [signed_up_user(server) for _ in range(3)]
    rotated = people[0].device.refresh()
    admin_login = server.api().login(ADMIN_EMAIL, ADMIN_PASSWORD).json
    admin = Device(server.api(admin_login["accessToken"]), admin_login["refreshToken"], ADMIN_EMAIL)
    other_admin = log_in(server, ADMIN_EMAIL, ADMIN_PASSWORD)
    own = admin.session_id
    reply = admin.api.post("/v1/auth/force-logout-all", body=body)

    assert reply.status == 200, reply
    assert reply.json["sparedSession"] == own
    assert reply.json["sessionsEnded"] == 4
    assert_signed_out(rotated, other_admin, *(person.device for person in people))
    assert admin.is_signed_in()
    spared = admin.refresh()
    assert spared.is_signed_in()
    for person in people:
        assert person.log_in().is_signed_in()
    assert spared.api.force_logout_all().json["sessionsEnded"] == 3


def test_everybody_includes_the_caller_when_asked(start_server):
    server = start_server()
    person = signed_up_user(server)
    admin = server.admin()
    reply = admin.force_logout_all(includeOwnSession=True, reason="all of it")

    assert (reply.status, reply.json["sparedSession"]) == (200, None)
    assert reply.json["sessionsEnded"] == 2
    assert_signed_out(person.device)
    assert admin.me().status == 401
    assert server.admin().me().status == 200


def test_a_global_logout_holds_after_a_restart(start_server):
    server = start_server()
    person = signed_up_user(server)
    server.admin().force_logout_all()
    server.restart()
    person.device.api.address = server.address

    assert_signed_out(person.device)
    assert person.log_in().is_signed_in()


def test_after_a_global_logout_lists_show_no_dead_session(start_server):
    server = start_server()
    person = signed_up_user(server)
    admin = server.admin()
    admin.force_logout_all()

    assert admin.get(f"/v1/admin/users/{person.id}/sessions").json["items"] == []
    again = person.log_in()
    assert [item["current"] for item in again.api.sessions().json["items"]] == [True]


@pytest.mark.parametrize("role", ["customer", "support"])
def test_the_permission_decides_and_a_customer_has_none(shared_server, role):
    caller, victim = with_role(shared_server, role), signed_up_user(shared_server)
    allowed = caller.api.force_logout(userId=victim.id).status
    everybody = caller.api.force_logout_all()

    assert everybody.status == 403, everybody
    assert allowed == (200 if role == "support" else 403)
    assert victim.device.is_signed_in() == (role == "customer")


def test_a_support_agent_does_not_sign_out_who_has_a_higher_role(shared_server):
    agent = with_role(shared_server, "support")
    admin = shared_server.admin()

    for reply in (agent.api.force_logout(email=ADMIN_EMAIL), agent.api.force_logout(userId=admin.me().json["id"])):
        assert reply.status == 403, reply
    assert agent.api.force_logout_all(includeOwnSession=True).status == 403
    assert admin.me().status == 200
    assert agent.api.force_logout(userId=agent.id).status == 200


def test_a_stranger_is_asked_who_they_are(person):
    api = person.server.api()
    for reply in (api.force_logout(userId=person.id), api.force_logout_all()):
        assert reply.status == 401
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")
    assert person.device.is_signed_in()


def test_forced_logouts_and_their_refusals_leave_audit_rows(person):
    admin = person.server.admin()
    admin_id = admin.me().json["id"]
    person.api.force_logout(userId=person.id)
    admin.force_logout(userId=person.id, reason="a reason to remember")

    rows = [str(row) for row in person.server.sql("SELECT actor, target, reason FROM audit_log")]
    assert any(admin_id in row and "a reason to remember" in row for row in rows)
    assert any(person.id in row and admin_id not in row for row in rows)


def test_the_same_forced_logout_sent_twice_with_one_key_answers_the_same(person):
    admin = person.server.admin()
    headers = {"Idempotency-Key": f"logout-{person.id}"}
    first = admin.post("/v1/auth/force-logout", {"userId": person.id}, headers=headers)
    person.device = person.log_in()
    second = admin.post("/v1/auth/force-logout", {"userId": person.id}, headers=headers)
    other = admin.post("/v1/auth/force-logout", {"email": person.email}, headers=headers)

    assert (first.status, first.json) == (second.status, second.json)
    assert person.device.is_signed_in()
    assert other.status == 409, other


def test_an_administrator_finds_a_user_and_sees_their_devices(person):
    admin = person.server.admin()
    found = admin.find_users(person.email).json["items"]
    assert [user["id"] for user in found] == [person.id]
    assert admin.get(f"/v1/admin/users/{person.id}").json["email"] == person.email
    sessions = admin.get(f"/v1/admin/users/{person.id}/sessions").json["items"]
    assert [session["id"] for session in sessions] == [person.device.session_id]

    assert admin.get(f"/v1/admin/users/{uuid.uuid4()}").status == 404
    assert admin.get(f"/v1/admin/users/{uuid.uuid4()}/sessions").status == 404
    for text in (str(found), str(sessions)):
        assert "argon2" not in text
        assert "password" not in text.lower()


def test_a_search_takes_wildcards_as_plain_characters(person):
    admin = person.server.admin()

    assert admin.find_users("%%%").json["items"] == []
    assert admin.find_users("person_%").json["items"] == []
    assert admin.find_users("' OR 1=1 --").json["items"] == []
