"""Operators and the accounts of others: disabling, enabling, roles, each refused where it has to be."""

import uuid

from harness.people import claims_of, signed_up_user, with_role
from harness.races import request_bytes, together
from harness.server import ADMIN_EMAIL, ADMIN_PASSWORD

HOSTILE = "\u202egnp.exe \x1b[31m<script>alert(1)</script>\r\nSet-Cookie: a=b"


def path_of(person, verb: str = "") -> str:
    return f"/v1/admin/users/{person.id}{verb and '/' + verb}"


def disable(api, person, reason: str = "because"):
    return api.post(path_of(person, "disable"), {"reason": reason})


def enable(api, person):
    return api.post(path_of(person, "enable"), {})


def give_role(api, person, role: str):
    return api.post(path_of(person, "role"), {"role": role})


def recorded(server, person, action: str, outcome: str = "done") -> list[tuple]:
    return server.sql(
        "SELECT actor, reason FROM audit_log WHERE target = ? AND action = ? AND outcome = ?",
        f"user:{person.id}",
        action,
        outcome,
    )


def test_a_disabled_user_is_out_at_once_and_may_log_in_again_when_enabled(shared_server):
    admin, person = with_role(shared_server, "admin"), signed_up_user(shared_server)
    reply = disable(admin.api, person, "left")
    assert reply.status == 200 and reply.json["isActive"] is False, reply
    assert not person.device.is_signed_in() and not person.device.may_refresh()
    assert shared_server.api().login(person.email, person.password).status == 401
    assert recorded(shared_server, person, "user.disabled") == [(f"user:{admin.id}", "left")]

    assert disable(admin.api, person).json["isActive"] is False
    assert len(recorded(shared_server, person, "user.disabled")) == 1, "what is so already is not done again"

    assert enable(admin.api, person).json["isActive"] is True
    assert enable(admin.api, person).status == 200
    assert len(recorded(shared_server, person, "user.enabled")) == 1
    assert person.log_in().is_signed_in()


def test_a_role_is_changed_at_once_and_the_former_one_is_dead(shared_server):
    boss, person = shared_server.admin(), with_role(shared_server, "admin")
    other = signed_up_user(shared_server)
    assert give_role(boss, person, "support").json["role"] == "support"
    assert give_role(boss, person, "support").status == 200
    assert len(recorded(shared_server, person, "user.role-changed")) == 1
    assert disable(person.api, other).status in (401, 403)
    assert claims_of(person.device.refresh().access_token)["role"] == "support"


def test_nobody_acts_on_peers_or_above_or_grants_above_themselves(shared_server):
    admin, peer = with_role(shared_server, "admin"), with_role(shared_server, "admin")
    above, below = with_role(shared_server, "superadmin"), signed_up_user(shared_server)
    for target in (peer, above, admin):
        assert disable(admin.api, target).status == 403
        assert enable(admin.api, target).status == 403
        assert give_role(admin.api, target, "customer").status == 403
        assert recorded(shared_server, target, "operation.refused", "refused"), "refusals are on record"
    assert give_role(admin.api, below, "superadmin").status == 403
    assert give_role(admin.api, below, "admin").status == 200
    assert peer.device.is_signed_in() and above.device.is_signed_in()
    support = with_role(shared_server, "support")
    assert disable(support.api, signed_up_user(shared_server)).status == 403


def test_missing_users_and_malformed_requests_are_refused(shared_server):
    boss, person = shared_server.admin(), signed_up_user(shared_server)
    for who in (str(uuid.uuid4()), "x", "%00"):
        assert boss.post(f"/v1/admin/users/{who}/disable", {"reason": "x"}).status in (400, 404)
    assert boss.post(path_of(person, "disable"), {}).status == 422
    assert boss.post(path_of(person, "disable"), {"reason": ""}).status == 422
    assert boss.post(path_of(person, "role"), {"role": "emperor"}).status == 422
    assert person.device.is_signed_in()


def test_text_that_means_something_to_a_terminal_stays_inert(shared_server):
    boss, person = shared_server.admin(), signed_up_user(shared_server)
    reply = disable(boss, person, HOSTILE)
    assert reply.status in (200, 422), reply
    assert "\x1b" not in "".join(shared_server.tail(200))


def test_the_last_superadmin_stays_by_the_api_and_goes_by_sql(start_server):
    server = start_server()
    boss = server.admin()
    me = boss.me().json["id"]
    assert boss.post(f"/v1/admin/users/{me}/disable", {"reason": "x"}).status == 409
    assert boss.post(f"/v1/admin/users/{me}/role", {"role": "admin"}).status == 409

    server.sql("UPDATE users SET role = 'customer' WHERE email = ?", ADMIN_EMAIL)
    server.restart()
    assert server.wait_for_event("no-superadmin")["email"] == ADMIN_EMAIL
    assert server.api().login(ADMIN_EMAIL, ADMIN_PASSWORD).status == 200


def test_two_superadmins_who_demote_each_other_leave_one(start_server):
    server = start_server()
    one, two = with_role(server, "superadmin"), with_role(server, "superadmin")
    server.sql("UPDATE users SET role = 'customer' WHERE email = ?", ADMIN_EMAIL)
    requests = [
        request_bytes("POST", path_of(target, "role"), {"role": "admin"}, by.device.access_token)
        for by, target in ((one, two), (two, one))
    ]
    statuses = sorted(reply.status for reply in together(server, requests))
    assert statuses[0] == 200 and statuses[1] in (401, 403, 409), statuses
    assert server.sql("SELECT count(*) FROM users WHERE role = 'superadmin'") == [(1,)]
    assert server.sql("SELECT count(*) FROM audit_log WHERE action = 'user.role-changed'") == [(1,)]
