"""The way back in for an account that is held because its mails bounce: by the password, and another address."""

import pytest

from harness.factors import enrolled, log_in_with, wrong_codes
from harness.mail import VERIFY
from harness.people import OTHER_PASSWORD, PASSWORD, Person, new_address, registered, signed_up_user
from harness.server import Server, eventually

PATH = "/v1/auth/new-address"


def held(server: Server, person: Person) -> Person:
    for _ in range(5):
        reply = server.admin().post("/v1/email/bounces", {"email": person.email, "type": "transient", "reason": "a test"})
        assert reply.status == 200, reply
    assert server.api().login(person.email, PASSWORD).problem == "account-held"
    return person


@pytest.fixture
def ada(shared_server) -> Person:
    return held(shared_server, signed_up_user(shared_server))


def give(server: Server, person: Person, new_email: str, **more):
    return server.api().post(PATH, {"email": person.email, "password": PASSWORD, "newEmail": new_email} | more)


def test_every_session_is_over_and_the_way_back_makes_none(shared_server, ada):
    assert not ada.device.is_signed_in() and not ada.device.may_refresh()
    other = new_address("back")
    assert give(shared_server, ada, other).status == 202
    assert shared_server.api().login(ada.email, PASSWORD).problem == "account-held", "until the link is opened"
    assert shared_server.api().verify_email(shared_server.mail.wait_for(other, VERIFY).token).status == 204
    assert not ada.device.is_signed_in()
    assert shared_server.api().login(other, PASSWORD).status == 200
    assert shared_server.api().login(ada.email, PASSWORD).status == 401


def test_the_second_factor_is_asked_for(shared_server):
    person = signed_up_user(shared_server)
    app = enrolled(person)
    held(shared_server, person)
    other = new_address("back")
    missing = give(shared_server, person, other)
    assert (missing.status, missing.json["errors"][0]["pointer"]) == (422, "/code")
    wrong = give(shared_server, person, other, code=wrong_codes(app.secret, 1)[0])
    assert (wrong.status, wrong.json["errors"][0]["pointer"]) == (422, "/code")
    assert not shared_server.mail.to(other)
    assert give(shared_server, person, other, code=app.code()).status == 202
    assert shared_server.api().verify_email(shared_server.mail.wait_for(other, VERIFY).token).status == 204
    assert log_in_with(shared_server, other, app.code()).is_signed_in()


def test_an_address_of_somebody_else_is_answered_alike_and_only_they_are_told(shared_server, ada):
    bob = signed_up_user(shared_server)
    before = len(shared_server.mail.to(bob.email))
    assert give(shared_server, ada, bob.email).status == 202
    assert shared_server.mail.wait_for(bob.email, number=before + 1).link(VERIFY) is None
    assert shared_server.api().login(ada.email, PASSWORD).problem == "account-held"
    assert bob.device.is_signed_in()


def test_a_wrong_password_learns_nothing_and_is_limited_as_at_login(shared_server, ada):
    other = new_address("thief")
    statuses = [give(shared_server, ada, other, password=OTHER_PASSWORD).status for _ in range(15)]
    assert statuses[0] == 401 and set(statuses) <= {401, 429} and 429 in statuses
    assert not shared_server.mail.to(other)


def test_who_is_disabled_for_another_reason_has_no_such_way(shared_server):
    person = signed_up_user(shared_server)
    reply = shared_server.admin().post(f"/v1/admin/users/{person.id}/disable", {"reason": "fraud"})
    assert reply.status == 200, reply
    known = give(shared_server, person, new_address("back"))
    assert known.status == give(shared_server, person, new_address("back"), password=OTHER_PASSWORD).status == 401


def test_who_is_held_and_then_disabled_does_not_come_back_alone(shared_server, ada):
    other = new_address("back")
    assert give(shared_server, ada, other).status == 202
    reply = shared_server.admin().post(f"/v1/admin/users/{ada.id}/disable", {"reason": "fraud"})
    assert reply.status == 200, reply
    assert shared_server.sql("SELECT disabled_reason FROM users WHERE id = ?", ada.id) == [("fraud",)]
    assert give(shared_server, ada, new_address("back")).status == 401
    shared_server.api().verify_email(shared_server.mail.wait_for(other, VERIFY).token)
    assert shared_server.api().login(ada.email, PASSWORD).status == 401
    assert shared_server.api().login(other, PASSWORD).status == 401


def test_the_reason_that_lets_people_back_in_is_given_by_nobody_else(shared_server):
    person = signed_up_user(shared_server)
    reply = shared_server.admin().post(f"/v1/admin/users/{person.id}/disable", {"reason": "bounces"})
    assert (reply.status, reply.json["errors"][0]["pointer"]) == (422, "/reason")
    assert person.device.is_signed_in()


def test_holding_an_account_asks_for_the_permission_to_disable_one(shared_server):
    person = signed_up_user(shared_server)
    made = shared_server.admin().post("/v1/admin/api-keys", {"name": "mail", "permissions": ["mail:write"]})
    api = shared_server.api(made.json["key"])
    body = {"email": person.email, "type": "transient", "reason": "a test"}
    assert [api.post("/v1/email/bounces", body).status for _ in range(5)] == [200, 200, 200, 200, 403]
    assert person.device.is_signed_in()
    assert shared_server.sql("SELECT bounce_count FROM users WHERE id = ?", person.id) == [(4,)]


def test_whoever_took_an_address_without_proving_it_keeps_its_owner_out_no_longer_than_before(shared_server):
    email = registered(shared_server)
    for _ in range(5):
        shared_server.admin().post("/v1/email/bounces", {"email": email, "type": "transient", "reason": "a test"})
    assert shared_server.sql("SELECT disabled_reason FROM users WHERE email = ?", email) == [("bounces",)]
    before = len(shared_server.mail.to(email))
    assert shared_server.api().register(email, OTHER_PASSWORD).status == 202
    token = shared_server.mail.wait_for(email, number=before + 1).token
    assert shared_server.api().verify_email(token).status == 204
    assert shared_server.api().login(email, OTHER_PASSWORD).status == 200


def test_whom_the_runbooks_own_sql_holds_has_the_way_back_and_other_sql_gives_none(shared_server):
    person, other = signed_up_user(shared_server), signed_up_user(shared_server)
    shared_server.sql("UPDATE users SET bounce_count = 5 WHERE id = ?", person.id)
    shared_server.sql("UPDATE users SET is_active = ? WHERE bounce_count >= 5 AND id = ?", False, person.id)
    shared_server.sql("UPDATE users SET is_active = ? WHERE id = ?", False, other.id)
    eventually(lambda: not person.device.is_signed_in(), "the sessions end")
    assert shared_server.api().login(person.email, PASSWORD).problem == "account-held"
    assert give(shared_server, other, new_address("back")).status == 401
    back = new_address("back")
    assert give(shared_server, person, back).status == 202
    assert shared_server.api().verify_email(shared_server.mail.wait_for(back, VERIFY).token).status == 204
    assert shared_server.api().login(back, PASSWORD).status == 200
    # Deactivated for another reason later, nothing of it is left.
    shared_server.sql("UPDATE users SET is_active = ? WHERE id = ?", False, person.id)
    assert give(shared_server, person, new_address("back")).status == 401


def test_what_an_operator_suppressed_stays_when_bounces_are_forgiven(shared_server, ada):
    admin = shared_server.admin()
    assert admin.post("/v1/email/suppressions", {"email": ada.email, "reason": "asked by telephone"}).status == 200
    assert give(shared_server, ada, ada.email).status == 202
    rows = shared_server.sql("SELECT reason FROM mail_suppressions WHERE email = ?", ada.email)
    assert rows == [("operator",)]
    listed = admin.get(f"/v1/email/suppressions?query={ada.email}").json["items"]
    assert [(item["reason"], item["scope"]) for item in listed] == [("operator", "all")]
    assert admin.request("DELETE", f"/v1/email/suppressions?email={ada.email}").status == 204
    assert shared_server.sql("SELECT reason FROM mail_suppressions WHERE email = ?", ada.email) == []


def test_while_credentials_are_frozen_nobody_comes_back(start_server):
    server = start_server()
    person = held(server, signed_up_user(server))
    assert server.admin().post("/v1/admin/mode", {"mode": "contain", "reason": "a test"}).status == 200
    reply = give(server, person, new_address("back"))
    assert (reply.status, reply.problem) == (403, "frozen"), reply
