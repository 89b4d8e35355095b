"""Register, verify, resend: what a stranger can do and what nobody can find out."""

import pytest

from harness.mail import VERIFY
from harness.people import OTHER_PASSWORD, PASSWORD, log_in, new_address, registered, verified
from harness.races import request_bytes, together
from harness.server import PUBLIC_URL, eventually


def test_registering_answers_the_same_for_a_known_and_an_unknown_address(shared_server):
    known, waiting, unknown = verified(shared_server), registered(shared_server), new_address()
    replies = [shared_server.api().register(address, OTHER_PASSWORD) for address in (known, waiting, unknown)]

    assert [(reply.status, reply.body) for reply in replies] == [(202, b"{}")] * 3
    assert len({tuple(sorted(reply.headers.keys())) for reply in replies}) == 1
    shared_server.mail.wait_for(unknown, VERIFY)


def test_the_owner_of_a_known_address_is_told_by_mail_and_nothing_changes(shared_server):
    known = verified(shared_server)
    shared_server.api().register(known.upper(), OTHER_PASSWORD, name="Somebody Else")

    told = shared_server.mail.wait_for(known, number=2)
    assert told.link(VERIFY) is None
    assert shared_server.api().login(known, OTHER_PASSWORD).status == 401
    assert log_in(shared_server, known, PASSWORD).api.me().json["name"] != "Somebody Else"


def test_whoever_registered_a_victims_address_first_does_not_get_in_once_the_victim_verified(shared_server):
    attacker_password, victim_password = OTHER_PASSWORD, PASSWORD
    address = registered(shared_server, password=attacker_password)
    first_mail = shared_server.mail.wait_for(address, VERIFY)
    assert shared_server.api().login(address, attacker_password).status == 403

    registered(shared_server, address, victim_password)
    second_mail = shared_server.mail.wait_for(address, VERIFY, number=2)
    assert shared_server.api().verify_email(second_mail.token).status == 204

    assert shared_server.api().login(address, attacker_password).status == 401
    assert log_in(shared_server, address, victim_password).is_signed_in()
    assert shared_server.api().verify_email(first_mail.token).status == 422


def test_a_name_set_by_whoever_registered_first_is_gone_once_the_owner_verified(shared_server):
    address = new_address()
    shared_server.api().register(address, OTHER_PASSWORD, name="Set By The Attacker")
    shared_server.api().register(address, PASSWORD)
    token = shared_server.mail.wait_for(address, VERIFY, number=2).token
    assert shared_server.api().verify_email(token).status == 204

    assert "Attacker" not in log_in(shared_server, address, PASSWORD).api.me().text


def test_until_verified_the_right_password_gets_403_and_a_wrong_one_401(shared_server):
    address = registered(shared_server)
    right = shared_server.api().login(address, PASSWORD)
    wrong = shared_server.api().login(address, OTHER_PASSWORD)

    assert (right.status, right.problem) == (403, "email-not-verified")
    assert wrong.status == 401
    assert "accessToken" not in right.json
    sessions = "SELECT count(*) FROM refresh_sessions WHERE user_id = (SELECT id FROM users WHERE email = ?)"
    assert shared_server.sql(sessions, address) == [(0,)]


def test_resend_answers_the_same_for_every_address_and_mails_only_who_waits(shared_server):
    waiting, known, unknown = registered(shared_server), verified(shared_server), new_address()
    replies = [shared_server.api().resend_verification(address) for address in (waiting, known, unknown)]

    assert [(reply.status, reply.body) for reply in replies] == [(202, replies[0].body)] * 3
    shared_server.mail.wait_for(waiting, VERIFY, number=2)
    assert shared_server.mail.to(unknown) == []
    assert len(shared_server.mail.to(known, VERIFY)) == 1


def test_a_newer_verification_token_kills_the_older(shared_server):
    address = registered(shared_server)
    older = shared_server.mail.wait_for(address, VERIFY).token
    shared_server.api().resend_verification(address)
    newer = shared_server.mail.wait_for(address, VERIFY, number=2).token

    assert older != newer
    assert shared_server.api().verify_email(older).status == 422
    assert shared_server.api().login(address, PASSWORD).status == 403
    assert shared_server.api().verify_email(newer).status == 204
    assert shared_server.api().login(address, PASSWORD).status == 200


def test_a_verification_token_works_once(shared_server):
    address = registered(shared_server)
    token = shared_server.mail.wait_for(address, VERIFY).token
    replies = [shared_server.api().verify_email(token) for _ in range(2)]

    assert [reply.status for reply in replies] == [204, 422]
    assert replies[1].pointers == {"/token"}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_at_the_mailed_link_consumes_nothing(shared_server, method):
    address = registered(shared_server)
    token = shared_server.mail.wait_for(address, VERIFY).token
    page = shared_server.api().request(method, f"/verify-email?token={token}")

    assert page.status == 200, page
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert shared_server.api().login(address, PASSWORD).status == 403
    assert shared_server.api().verify_email(token).status == 204


def test_closed_registration_takes_nobody(start_server):
    server = start_server({"SAFAWINET__ACCOUNTS__REGISTRATION": "closed"})
    address = new_address()
    reply = server.api().register(address, PASSWORD)

    assert reply.status == 403, reply
    assert server.sql("SELECT count(*) FROM users WHERE email = ?", address) == [(0,)]
    assert server.mail.to(address) == []


def test_registration_by_invitation_takes_the_invited_address_once(start_server):
    server = start_server({"SAFAWINET__ACCOUNTS__REGISTRATION": "invite"})
    invited, other = new_address("invited"), new_address("other")
    assert server.api().register(other, PASSWORD).status == 403
    assert server.api().register(other, PASSWORD, invitation="nonsense").status == 403
    assert server.admin().post("/v1/admin/invitations", {"email": invited}).status == 202
    text = server.mail.wait_for(invited).text
    code = max(text.replace("\n", " ").split(), key=lambda word: (PUBLIC_URL not in word, len(word)))

    assert server.api().register(other, PASSWORD, invitation=code).status == 403
    assert server.api().register(invited, PASSWORD, invitation=code).status == 202
    assert server.api().verify_email(server.mail.wait_for(invited, VERIFY).token).status == 204
    assert log_in(server, invited, PASSWORD).is_signed_in()
    assert server.api().register(invited, OTHER_PASSWORD, invitation=code).status == 403
    assert server.api().login(invited, OTHER_PASSWORD).status == 401


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short one", "fourteen characters are too few"),
        ("aaaaaaaaaaaaaaaaaaaa", "long, and guessed at once"),
        ("passwordpassword123", "long, and guessed at once"),
        ("x" * 257, "too long"),
    ],
)
def test_a_password_against_the_policy_is_refused_with_its_field_named(shared_server, password, why):
    address = new_address()
    reply = shared_server.api().register(address, password)

    assert reply.status == 422, why
    assert reply.pointers == {"/password"}
    assert password not in reply.text
    assert shared_server.sql("SELECT count(*) FROM users WHERE email = ?", address) == [(0,)]


def test_a_password_is_the_same_however_its_letters_are_composed(shared_server):
    composed, decomposed = "Caf\u00e9 cr\u00e8me at nine sharp", "Cafe\u0301 cre\u0300me at nine sharp"
    address = verified(shared_server, password=composed)

    assert shared_server.api().login(address, decomposed).status == 200
    assert shared_server.api().login(address, "Cafe creme at nine sharp").status == 401


def test_an_address_is_the_same_in_every_spelling_of_case(shared_server):
    address = verified(shared_server)

    assert shared_server.api().login(address.upper(), PASSWORD).status == 200


def test_of_two_registrations_in_one_instant_one_account_comes(shared_server):
    address = new_address()
    request = request_bytes("POST", "/v1/auth/register", {"email": address, "password": PASSWORD})
    replies = together(shared_server, [request] * 8)

    assert {reply.status for reply in replies} == {202}
    assert shared_server.sql("SELECT count(*) FROM users WHERE email = ?", address) == [(1,)]
    eventually(lambda: shared_server.mail.to(address, VERIFY), "a mail to verify")


def test_registering_twice_with_one_idempotency_key_is_registering_once(shared_server):
    address = new_address()
    headers = {"Idempotency-Key": f"key-{address}"}
    body = {"email": address, "password": PASSWORD}
    api = shared_server.api()
    replies = [api.post("/v1/auth/register", body, headers=headers) for _ in range(3)]
    other = api.post("/v1/auth/register", body | {"password": OTHER_PASSWORD}, headers=headers)

    assert [(reply.status, reply.body) for reply in replies] == [(202, b"{}")] * 3
    assert other.status == 409, other
    shared_server.mail.wait_for(address, VERIFY)
    registered(shared_server, later := new_address())
    shared_server.mail.wait_for(later, VERIFY)
    assert len(shared_server.mail.to(address)) == 1
