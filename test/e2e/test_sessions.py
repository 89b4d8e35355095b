"""One's own devices: list, end one, end the others, log out."""

import uuid

import pytest

from harness.people import PASSWORD, signed_up_user
from harness.server import eventually


def test_the_list_shows_every_device_and_marks_this_one(person):
    phone = person.log_in("My phone")
    items = phone.api.sessions().json["items"]

    assert phone.api.sessions().json["nextCursor"] is None
    assert len(items) == 2
    fields = {"id", "current", "deviceName", "userAgent", "ipAddress", "createdAt", "lastUsedAt", "expiresAt"}
    assert all(set(item) == fields for item in items)
    current = [item for item in items if item["current"]]
    assert [item["deviceName"] for item in current] == ["My phone"]
    assert current[0]["ipAddress"] == "127.0.0.1"
    assert current[0]["expiresAt"] > current[0]["createdAt"]


def test_a_device_without_a_name_gets_one_from_its_user_agent(person):
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    reply = person.server.api().login(person.email, PASSWORD, headers={"User-Agent": agent})
    items = person.api.with_token(reply.json["accessToken"]).sessions().json["items"]
    current = next(item for item in items if item["current"])

    assert current["userAgent"] == agent
    assert "Firefox" in current["deviceName"]
    assert "Linux" in current["deviceName"]


def test_a_list_is_paged_by_cursor_with_each_device_once(person):
    for number in range(4):
        person.log_in(f"device {number}")
    seen, cursor = [], ""
    while cursor is not None:
        page = person.api.sessions(f"?limit=2{cursor and '&cursor=' + cursor}").json
        assert 1 <= len(page["items"]) <= 2
        seen += [item["id"] for item in page["items"]]
        cursor = page["nextCursor"]

    assert len(seen) == len(set(seen)) == 5


@pytest.mark.parametrize("query", ["?limit=0", "?limit=201", "?limit=ten", "?cursor=nonsense", "?limit=-1"])
def test_a_bad_page_is_refused_with_its_parameter_named(person, query):
    reply = person.api.sessions(query)

    assert reply.status == 422, reply
    assert reply.pointers == {query.partition("=")[0]}


def test_a_person_ends_one_device(person):
    phone = person.log_in("phone")
    assert person.api.end_session(phone.session_id).status == 204

    assert not phone.is_signed_in()
    assert not phone.may_refresh()
    assert person.device.is_signed_in()
    assert len(person.api.sessions().json["items"]) == 1


def test_a_person_ends_the_other_devices(person):
    others = [person.log_in(f"device {number}") for number in range(3)]
    reply = person.api.end_other_sessions()
    assert (reply.status, reply.json) == (200, {"sessionsEnded": 3})

    for device in others:
        assert not device.is_signed_in()
        assert not device.may_refresh()
    assert person.device.is_signed_in()
    assert person.api.end_other_sessions().json == {"sessionsEnded": 0}


def test_another_persons_session_is_not_found_and_untouched(person):
    other = signed_up_user(person.server)
    theirs = other.device.session_id
    foreign = person.api.end_session(theirs)
    unknown = person.api.end_session(str(uuid.uuid4()))

    assert foreign.status == unknown.status == 404
    assert foreign.without_request_id() == unknown.without_request_id()
    assert other.device.is_signed_in()
    assert other.device.may_refresh()


def test_an_administrators_session_is_not_found_either(person):
    admin = person.server.admin()
    admins = next(item["id"] for item in admin.sessions().json["items"] if item["current"])

    assert person.api.end_session(admins).status == 404
    assert admin.me().status == 200


@pytest.mark.parametrize("session_id", ["1", "x" * 300, "00000000-0000-0000-0000-00000000000g", "..%2fme", "%00"])
def test_a_session_id_that_is_none_is_refused(person, session_id):
    reply = person.api.end_session(session_id)

    assert reply.status in (400, 404, 422), reply
    assert person.device.is_signed_in()


def test_logging_out_by_refresh_token_ends_the_session_and_twice_is_fine(person):
    replies = [person.server.api().logout(person.device.refresh_token) for _ in range(2)]

    assert [reply.status for reply in replies] == [204, 204]
    assert not person.device.is_signed_in()
    assert not person.device.may_refresh()


def test_logging_out_by_access_token_ends_the_session_and_twice_is_fine(person):
    replies = [person.api.logout() for _ in range(2)]

    assert [reply.status for reply in replies] == [204, 204]
    assert not person.device.is_signed_in()
    assert not person.device.may_refresh()


def test_logging_out_with_nothing_or_nonsense_ends_nothing(person):
    stranger = person.server.api()
    assert stranger.logout().status in (401, 422)
    assert stranger.logout("sf_rt_nonsense").status in (204, 401)

    assert person.device.is_signed_in()


def test_ended_sessions_are_kept_as_evidence_with_who_and_why(person):
    session = person.device.session_id
    person.api.logout()

    rows = person.server.sql("SELECT reason, actor FROM ended_sessions WHERE id = ?", session)
    assert len(rows) == 1
    assert rows[0][0] != "sql"
    assert not rows[0][1].startswith("database")


def test_a_row_deleted_in_another_program_ends_the_session_and_its_access_tokens(person):
    phone = person.log_in("phone")
    session = phone.session_id
    assert phone.is_signed_in()
    person.server.sql("DELETE FROM refresh_sessions WHERE id = ?", session)

    eventually(lambda: not phone.is_signed_in(), "the access token is refused")
    assert not phone.may_refresh()
    assert person.device.is_signed_in()
    assert person.server.sql("SELECT reason FROM ended_sessions WHERE id = ?", session) == [("sql",)]


def test_a_user_deactivated_in_another_program_is_signed_out_and_may_not_come_back(person):
    person.server.sql("UPDATE users SET is_active = false WHERE email = ?", person.email)

    eventually(lambda: not person.device.is_signed_in(), "the access token is refused")
    assert not person.device.may_refresh()
    assert person.server.api().login(person.email, PASSWORD).status in (401, 403)

    person.server.sql("UPDATE users SET is_active = true WHERE email = ?", person.email)
    assert person.log_in().is_signed_in()
    assert not person.device.is_signed_in()


def test_a_role_taken_away_in_another_program_is_gone_from_live_access_tokens(person):
    admin = person.server.admin()
    person.server.sql("UPDATE users SET role = 'admin' WHERE id = ?", person.id)
    eventually(lambda: not person.device.is_signed_in(), "the token with the old role is refused")
    promoted = person.log_in()
    assert promoted.api.find_users(person.email).status == 200

    person.server.sql("UPDATE users SET role = 'customer' WHERE id = ?", person.id)
    eventually(lambda: promoted.api.find_users(person.email).status == 401, "the token with the old role is refused")
    assert promoted.refresh().api.find_users(person.email).status == 403
    assert admin.me().status == 200
