"""Operators and the accounts of others: disabling, enabling, roles, each refused where it has to be."""

import uuid

from harness.mail import RESET, VERIFY
from harness.people import OTHER_PASSWORD, THIRD_PASSWORD, claims_of, new_address, signed_up_user, with_role
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


def test_a_last_superadmin_who_was_disabled_by_sql_is_told_and_no_other_is_made(start_server):
    server = start_server()
    server.sql("UPDATE users SET is_active = false WHERE email = ?", ADMIN_EMAIL)
    server.restart()
    assert "disabled" in server.wait_for_event("no-superadmin")["cause"]
    assert server.sql("SELECT count(*) FROM users") == [(1,)]


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


NOBODY = "01890000-0000-7000-8000-000000000000"


def create(api, **body):
    return api.post("/v1/admin/users", {"email": new_address("made")} | body)


def test_a_created_user_is_let_in_by_the_mailed_link_and_not_before(shared_server):
    admin = with_role(shared_server, "admin")
    reply = create(admin.api, name="Grace", role="support")
    assert reply.status == 201 and reply.headers["Location"] == f"/v1/admin/users/{reply.json['id']}", reply
    email = reply.json["email"]
    assert shared_server.api().login(email, "").status in (401, 422)
    assert shared_server.api().login(email, OTHER_PASSWORD).status == 401
    token = shared_server.mail.wait_for(email, RESET).token
    assert shared_server.api().reset_password(token, THIRD_PASSWORD).status == 204
    user = shared_server.api().login(email, THIRD_PASSWORD).json["user"]
    assert (user["name"], user["role"], user["emailVerified"]) == ("Grace", "support", True)
    assert shared_server.sql(
        "SELECT count(*) FROM audit_log WHERE action = 'user.created' AND target = ?", f"user:{user['id']}"
    ) == [(1,)]


def test_creating_is_refused_for_taken_addresses_higher_roles_and_guessable_passwords(shared_server):
    admin, person = with_role(shared_server, "admin"), signed_up_user(shared_server)
    assert create(admin.api, email=person.email).status == 409
    assert create(admin.api, role="superadmin").status == 403
    assert create(admin.api, password="short").pointers == {"/password"}
    assert create(person.api).status == 403
    assert create(with_role(shared_server, "support").api).status == 403


def test_whoever_signs_up_with_the_address_of_an_account_with_a_role_does_not_get_it(shared_server):
    email = create(shared_server.admin(), role="admin").json["email"]
    assert shared_server.api().register(email, OTHER_PASSWORD).status == 202
    assert shared_server.api().login(email, OTHER_PASSWORD).status == 401
    assert shared_server.mail.to(email, VERIFY) == []


def test_one_session_is_ended_up_to_ones_own_role(shared_server):
    support, person = with_role(shared_server, "support"), signed_up_user(shared_server)
    other = person.log_in("Tablet")
    path = path_of(person, f"sessions/{other.session_id}")
    assert support.api.request("DELETE", f"{path}?reason=Lost").status == 204
    assert not other.is_signed_in() and not other.may_refresh()
    assert person.device.is_signed_in()
    assert support.api.request("DELETE", path).status == 404, "it has ended"
    above = with_role(shared_server, "admin")
    theirs = path_of(above, f"sessions/{above.device.session_id}")
    assert support.api.request("DELETE", theirs).status == 403
    assert support.api.request("DELETE", path_of(person, f"sessions/{above.device.session_id}")).status == 404
    assert above.device.is_signed_in()


def test_support_helps_those_who_are_not_above_and_changes_nobody(shared_server):
    support, person, above = (with_role(shared_server, "support"), signed_up_user(shared_server), with_role(shared_server, "admin"))
    assert support.api.post(path_of(person, "send-reset"), {}).status == 202
    assert support.api.post(path_of(person, "unlock"), {}).status == 204
    assert recorded(shared_server, person, "user.unlocked") == [], "there was nothing to forget"
    for verb in ("send-reset", "unlock"):
        assert support.api.post(path_of(above, verb), {}).status == 403
    assert support.api.post(path_of(person, "verify"), {}).status == 403
    assert support.api.request("DELETE", path_of(person)).status == 403
    assert shared_server.mail.to(above.email, RESET) == []
    disable(shared_server.admin(), person)
    assert support.api.post(path_of(person, "send-reset"), {}).status == 409


def test_deleting_takes_all_and_spares_peers_and_oneself(shared_server):
    admin, peer, person = (with_role(shared_server, "admin"), with_role(shared_server, "admin"), signed_up_user(shared_server))
    boss = shared_server.admin()
    assert admin.api.request("DELETE", path_of(peer)).status == 403
    assert boss.request("DELETE", f"/v1/admin/users/{boss.me().json['id']}").status == 409
    assert admin.api.request("DELETE", f"/v1/admin/users/{NOBODY}").status == 404
    assert admin.api.request("DELETE", f"{path_of(person)}?reason={'x' * 501}").pointers == {"?reason"}
    assert admin.api.request("DELETE", f"{path_of(person)}?reason=Asked").status == 204
    assert not person.device.is_signed_in() and not person.device.may_refresh()
    assert recorded(shared_server, person, "user.deleted") == [(f"user:{admin.id}", "Asked")]
    assert admin.api.request("DELETE", path_of(person)).status == 404


def test_lists_are_filtered_and_the_export_has_everybody_once(shared_server):
    boss, person = shared_server.admin(), with_role(shared_server, "support")
    disable(boss, person, "left")

    def listed(query: str) -> list[str]:
        return [item["email"] for item in boss.get(f"/v1/admin/users?query={person.email}&{query}").json["items"]]

    assert listed("role=support") == listed("active=false") == listed("role=support&active=false") == [person.email]
    assert listed("role=admin") == listed("active=true") == []
    assert boss.get("/v1/admin/users?role=king").pointers == {"?role"}
    assert boss.get("/v1/admin/users?active=maybe").pointers == {"?active"}

    seen, cursor = [], ""
    while cursor is not None:
        page = boss.get(f"/v1/admin/users/export?limit=2{cursor and '&cursor=' + cursor}").json
        seen += [item["id"] for item in page["items"]]
        cursor = page["nextCursor"]
    assert seen == sorted(set(seen)) and person.id in seen
    assert boss.get("/v1/admin/users/export?limit=1001").pointers == {"?limit"}
    assert person.api.get("/v1/admin/users/export").status == 401


def test_a_demoted_administrators_next_write_is_refused_at_once(shared_server):
    boss, admin, person = (shared_server.admin(), with_role(shared_server, "admin"), signed_up_user(shared_server))
    for _ in range(20):
        assert give_role(boss, admin, "customer").status == 200
        assert disable(admin.api, person).status in (401, 403)
        assert give_role(boss, admin, "admin").status == 200
        admin.device = admin.log_in()
    assert person.device.is_signed_in()


def test_sql_by_hand_that_enables_forgets_the_reason(shared_server):
    boss, person = shared_server.admin(), signed_up_user(shared_server)
    assert disable(boss, person, "left").json["disabledReason"] == "left"
    shared_server.sql("UPDATE users SET is_active = ? WHERE id = ?", True, person.id)
    shared_server.sql("UPDATE users SET is_active = ? WHERE id = ?", False, person.id)
    shown = boss.get(path_of(person)).json
    assert (shown["isActive"], shown["disabledReason"], shown["disabledAt"]) == (False, None, None)
