"""Forgotten, reset and changed passwords."""

from harness.mail import RESET, VERIFY
from harness.people import OTHER_PASSWORD, PASSWORD, THIRD_PASSWORD, log_in, new_address, registered, signed_up_user


def test_a_forgotten_password_is_reset_by_mail_and_every_session_ends(person):
    phone = person.log_in("phone")
    api = person.server.api()
    assert api.forgot_password(person.email).status == 202
    mail = person.server.mail.wait_for(person.email, RESET)
    assert api.reset_password(mail.token, OTHER_PASSWORD).status == 204

    for device in (person.device, phone):
        assert not device.is_signed_in()
        assert not device.may_refresh()
    assert api.login(person.email, PASSWORD).status == 401
    assert person.log_in(password=OTHER_PASSWORD).is_signed_in()


def test_forgot_password_answers_the_same_for_every_address_and_mails_only_users(person):
    server = person.server
    unknown = new_address()
    replies = [server.api().forgot_password(address) for address in (person.email, unknown)]

    assert replies[0].status == replies[1].status == 202
    assert replies[0].body == replies[1].body
    server.mail.wait_for(person.email, RESET)
    assert server.mail.to(unknown) == []


def test_a_reset_token_works_once(person):
    api = person.server.api()
    api.forgot_password(person.email)
    token = person.server.mail.wait_for(person.email, RESET).token

    assert api.reset_password(token, OTHER_PASSWORD).status == 204
    again = api.reset_password(token, THIRD_PASSWORD)
    assert (again.status, again.pointers) == (422, {"/token"})
    assert api.login(person.email, OTHER_PASSWORD).status == 200


def test_a_newer_reset_token_kills_the_older(person):
    api = person.server.api()
    tokens = []
    for number in (1, 2):
        api.forgot_password(person.email)
        tokens.append(person.server.mail.wait_for(person.email, RESET, number).token)

    assert api.reset_password(tokens[0], OTHER_PASSWORD).status == 422
    assert person.device.is_signed_in()
    assert api.reset_password(tokens[1], OTHER_PASSWORD).status == 204


def test_a_refused_new_password_does_not_use_up_the_reset_token(person):
    api = person.server.api()
    api.forgot_password(person.email)
    token = person.server.mail.wait_for(person.email, RESET).token

    weak = api.reset_password(token, "short")
    assert (weak.status, weak.pointers) == (422, {"/newPassword"})
    assert api.reset_password(token, OTHER_PASSWORD).status == 204


def test_looking_at_the_reset_link_consumes_nothing(person):
    api = person.server.api()
    api.forgot_password(person.email)
    token = person.server.mail.wait_for(person.email, RESET).token

    assert api.get(f"/reset-password?token={token}").status == 200
    assert person.device.is_signed_in()
    assert api.reset_password(token, OTHER_PASSWORD).status == 204


def test_tokens_of_one_kind_do_not_work_as_the_other(shared_server):
    address = registered(shared_server)
    verify_token = shared_server.mail.wait_for(address, VERIFY).token
    assert shared_server.api().reset_password(verify_token, OTHER_PASSWORD).status == 422

    person = signed_up_user(shared_server)
    shared_server.api().forgot_password(person.email)
    reset_token = shared_server.mail.wait_for(person.email, RESET).token
    assert shared_server.api().verify_email(reset_token).status == 422
    assert shared_server.api().verify_email(verify_token).status == 204
    assert shared_server.api().reset_password(reset_token, OTHER_PASSWORD).status == 204


def test_changing_the_password_ends_the_other_sessions_and_keeps_this_one(person):
    other = person.log_in("phone")
    reply = person.api.change_password(PASSWORD, OTHER_PASSWORD)
    assert reply.status == 204, reply

    assert person.device.is_signed_in()
    assert person.device.may_refresh()
    assert not other.is_signed_in()
    assert not other.may_refresh()
    assert person.server.api().login(person.email, PASSWORD).status == 401
    assert log_in(person.server, person.email, OTHER_PASSWORD).is_signed_in()


def test_a_wrong_current_password_changes_nothing(person):
    other = person.log_in("phone")
    reply = person.api.change_password(THIRD_PASSWORD, OTHER_PASSWORD)

    assert reply.status in (401, 403, 422), reply
    assert person.device.is_signed_in()
    assert other.is_signed_in()
    assert person.log_in().is_signed_in()


def test_a_new_password_against_the_policy_changes_nothing(person):
    reply = person.api.change_password(PASSWORD, "tiny")

    assert (reply.status, reply.pointers) == (422, {"/newPassword"})
    assert person.log_in().is_signed_in()


def test_the_owner_is_told_of_a_changed_password(person):
    before = len(person.server.mail.to(person.email))
    person.api.change_password(PASSWORD, OTHER_PASSWORD)

    told = person.server.mail.wait_for(person.email, number=before + 1)
    assert OTHER_PASSWORD not in told.text
    assert PASSWORD not in told.text


def test_a_reset_proves_the_address_and_leaves_nothing_of_whoever_registered_it(shared_server):
    address = registered(shared_server, password=OTHER_PASSWORD)
    shared_server.api().forgot_password(address)
    # Whoever never verified either gets no reset mail, or one that makes the account theirs.
    registered(shared_server, later := new_address())
    shared_server.mail.wait_for(later, VERIFY)
    for mail in shared_server.mail.to(address, RESET):
        assert shared_server.api().reset_password(mail.token, PASSWORD).status == 204
        assert log_in(shared_server, address, PASSWORD).is_signed_in()
        assert shared_server.api().login(address, OTHER_PASSWORD).status == 401
