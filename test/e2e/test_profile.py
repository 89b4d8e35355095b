"""One's own profile, address and the end of an account."""

from harness.mail import VERIFY
from harness.people import OTHER_PASSWORD, PASSWORD, log_in, new_address, signed_up_user


def test_a_profile_shows_exactly_its_fields(person):
    me = person.api.me().json

    assert set(me) == {"id", "email", "emailVerified", "name", "locale", "role", "createdAt", "lastLoginAt"}
    assert me["createdAt"].endswith("Z")
    assert me["lastLoginAt"] >= me["createdAt"]


def test_a_profile_changes_only_what_is_named_and_shows_in_the_next_answer(person):
    assert person.api.change_profile(name="Grace").status in (200, 204)
    assert person.api.change_profile(locale="fr-CH").status in (200, 204)

    me = person.api.me().json
    assert (me["name"], me["locale"]) == ("Grace", "fr-CH")


def test_a_profile_does_not_let_its_owner_set_what_is_not_theirs(person):
    before = person.api.me().json
    for field, value in (("role", "admin"), ("emailVerified", False), ("email", "x@example.test"), ("id", "1")):
        reply = person.api.change_profile(**{field: value})
        assert (reply.status, reply.pointers) == (422, {f"/{field}"}), field

    assert person.api.me().json == before


def test_a_new_address_counts_once_it_is_proved_and_the_old_one_is_told(person):
    server, old, new = person.server, person.email, new_address("moved")
    mails_to_old = len(server.mail.to(old))
    assert person.api.change_email(PASSWORD, new).status == 202
    assert person.api.me().json["email"] == old

    mail = server.mail.wait_for(new)
    assert server.api().verify_email(mail.token).status == 204

    assert log_in(server, new, PASSWORD).api.me().json["id"] == person.id
    assert server.api().login(old, PASSWORD).status == 401
    told = server.mail.wait_for(old, number=mails_to_old + 1)
    assert mail.token not in told.text


def test_a_wrong_password_moves_no_address_and_mails_nobody(person):
    new = new_address("moved")
    reply = person.api.change_email(OTHER_PASSWORD, new)

    assert reply.status in (401, 403, 422), reply
    signed_up_user(person.server)
    assert person.server.mail.to(new) == []


def test_an_address_that_somebody_else_has_cannot_be_taken_and_nobody_learns_of_it(person):
    other = signed_up_user(person.server)
    free, taken = new_address("free"), other.email
    replies = [person.api.change_email(PASSWORD, address) for address in (free, taken)]

    assert replies[0].status == replies[1].status == 202
    assert replies[0].body == replies[1].body
    person.server.mail.wait_for(free)
    for mail in person.server.mail.to(taken)[1:]:
        for link in mail.links:
            person.server.api().verify_email(link.partition("token=")[2])
    assert person.server.api().login(taken, PASSWORD).json["user"]["id"] == other.id


def test_a_newer_change_of_address_kills_the_older(person):
    addresses = [new_address("first"), new_address("second")]
    tokens = []
    for address in addresses:
        person.api.change_email(PASSWORD, address)
        tokens.append(person.server.mail.wait_for(address).token)

    assert person.server.api().verify_email(tokens[0]).status == 422
    assert person.server.api().verify_email(tokens[1]).status == 204
    assert log_in(person.server, addresses[1], PASSWORD).is_signed_in()


def test_a_deleted_account_is_gone_with_its_sessions(person):
    phone = person.log_in("phone")
    assert person.api.delete_account(PASSWORD).status == 204

    for device in (person.device, phone):
        assert not device.is_signed_in()
        assert not device.may_refresh()
    assert person.server.api().login(person.email, PASSWORD).status == 401
    assert person.server.sql("SELECT count(*) FROM users WHERE id = ? OR email = ?", person.id, person.email) == [(0,)]
    assert person.server.sql("SELECT count(*) FROM ended_sessions WHERE user_id = ?", person.id) == [(0,)]


def test_a_wrong_password_deletes_nothing(person):
    reply = person.api.delete_account(OTHER_PASSWORD)

    assert reply.status in (401, 403, 422), reply
    assert person.device.is_signed_in()
    assert person.log_in().is_signed_in()


def test_the_address_of_a_deleted_account_is_free_again(person):
    person.api.delete_account(PASSWORD)
    mails = len(person.server.mail.to(person.email, VERIFY))
    assert person.server.api().register(person.email, OTHER_PASSWORD).status == 202
    token = person.server.mail.wait_for(person.email, VERIFY, number=mails + 1).token
    assert person.server.api().verify_email(token).status == 204

    fresh = log_in(person.server, person.email, OTHER_PASSWORD)
    assert fresh.api.me().json["id"] != person.id
