"""Forced logout by criteria: preview, confirmation, batches, and a server that dies in the middle."""

import datetime
import secrets
import time
import uuid

import pytest

from harness.people import PASSWORD, Device, Person, log_in, new_address, signed_up_user, verified, with_role
from harness.races import request_bytes, together
from harness.server import ADMIN_EMAIL, ADMIN_PASSWORD, ENGINE, EXEMPT, eventually

PATH = "/v1/auth/force-logout-bulk"
MANY_SESSIONS = 20_000 if ENGINE == "sqlite" else 60_000  # more than a few batches


def preview(admin, criteria: dict, **more):
    return admin.post(PATH, {"criteria": criteria, "dryRun": True} | more)


def order(admin, criteria: dict, confirmation: str, **more):
    return admin.post(PATH, {"criteria": criteria, "confirmation": confirmation} | more)


def carried_out(admin, criteria: dict, **more) -> dict:
    """Previews, confirms and waits for the end."""
    shown = preview(admin, criteria, **more)
    assert shown.status == 200, shown
    begun = order(admin, criteria, shown.json["confirmation"], **more)
    assert begun.status == 202, begun
    return wait_until_done(admin, begun.json["id"])


def wait_until_done(admin, order_id: str) -> dict:
    def finished():
        reply = admin.get(f"{PATH}/{order_id}")
        assert reply.status == 200, reply
        return reply.json if reply.json["state"] == "done" else None

    return eventually(finished, "the forced logout is carried out")


def days_from_now(days: float) -> str:
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def assert_signed_out(*devices: Device) -> None:
    for device in devices:
        assert not device.is_signed_in()
        assert not device.may_refresh()


def assert_signed_in(*devices: Device) -> None:
    assert all(device.is_signed_in() for device in devices)


def add_sessions(database, user_id: str, count: int) -> None:
    """As many logins would have made them."""
    began = int(time.time() * 1000) - 3_600_000
    yesterday, tomorrow = days_from_now(-1), days_from_now(1)
    for first in range(0, count, 5_000):
        rows = []
        for number in range(first, min(first + 5_000, count)):
            bits = f"{began + number:012x}7{secrets.token_hex(2)[1:]}8{secrets.token_hex(8)[1:]}"
            rows.append(f"('{uuid.UUID(bits)}','{user_id}',1,'{yesterday}','{yesterday}','{tomorrow}','{tomorrow}')")
        database.sql(
            "INSERT INTO refresh_sessions (id, user_id, epoch, created_at, rotated_at, expires_at, ends_at) VALUES "
            + ",".join(rows)
        )


# --- preview


def test_a_preview_shows_whom_it_would_meet_and_changes_nothing(person):
    other = signed_up_user(person.server)
    phone = person.log_in("phone")
    admin = person.server.admin()
    reply = preview(admin, {"userIds": [person.id, other.id]})

    assert reply.status == 200, reply
    assert (reply.json["users"], reply.json["sessions"]) == (2, 3)
    sample = {user["email"]: user for user in reply.json["sample"]}
    assert set(sample) == {person.email, other.email}
    assert sample[person.email]["id"] == person.id
    assert sample[person.email]["sessions"] == 2
    assert sample[person.email]["lastLoginAt"] == phone.api.me().json["lastLoginAt"]
    assert reply.json["exemptions"] == {"ownSession": None, "usersAboveRole": 0, "sessionsAboveRole": 0}
    assert reply.json["confirmation"]
    assert "argon2" not in reply.text
    assert_signed_in(person.device, phone, other.device)


def test_no_more_than_ten_users_are_shown(shared_server):
    people = [verified(shared_server) for _ in range(11)]
    for email in people:
        log_in(shared_server, email, PASSWORD)
    reply = preview(shared_server.admin(), {"emails": people})

    assert reply.json["users"] == 11
    assert len(reply.json["sample"]) == 10


# --- order


def test_a_confirmed_order_signs_out_whom_it_showed_and_nobody_else(person):
    phone, other = person.log_in("phone"), signed_up_user(person.server)
    admin = person.server.admin()
    criteria = {"userIds": [person.id]}
    confirmation = preview(admin, criteria).json["confirmation"]
    reply = order(admin, criteria, confirmation, reason="leaked tokens")

    assert reply.status == 202, reply
    assert reply.headers["Location"] == f"{PATH}/{reply.json['id']}"
    assert reply.json["state"] == "running"
    assert reply.json["sessionsExpected"] == 2
    done = wait_until_done(admin, reply.json["id"])
    assert (done["sessionsEnded"], done["reason"], done["criteria"]["userIds"]) == (2, "leaked tokens", [person.id])
    assert done["finishedAt"] >= done["startedAt"]
    assert_signed_out(person.device, phone)
    assert_signed_in(other.device)
    assert person.log_in().is_signed_in()


def test_the_order_is_listed_and_an_unknown_one_is_not_found(person):
    admin = person.server.admin()
    done = carried_out(admin, {"userIds": [person.id]})

    assert done in admin.get(PATH).json["items"]
    assert admin.get(f"{PATH}/{uuid.uuid4()}").status == 404
    assert admin.get(f"{PATH}/nonsense").status == 404


def test_it_is_on_record_with_who_and_why(person):
    admin = person.server.admin()
    done = carried_out(admin, {"userIds": [person.id]}, reason="leaked tokens")
    actor = f"user:{admin.me().json['id']}"
    rows = person.server.sql(
        "SELECT action, actor, reason FROM audit_log WHERE target = ? ORDER BY seq", f"bulk-logout:{done['id']}"
    )

    assert [tuple(row) for row in rows] == [
        ("session.force-logout-bulk", actor, "leaked tokens"),
        ("session.force-logout-bulk-finished", "system", "sessions ended: 1"),
    ]
    evidence = person.server.sql("SELECT reason, actor FROM ended_sessions WHERE user_id = ?", person.id)
    assert [tuple(row) for row in evidence] == [("bulk-logout", actor)]


def test_the_callers_own_session_is_spared_and_named_unless_included(shared_server):
    second = log_in(shared_server, ADMIN_EMAIL, ADMIN_PASSWORD)
    admin = shared_server.admin()
    own = next(item["id"] for item in admin.sessions().json["items"] if item["current"])
    criteria = {"emails": [ADMIN_EMAIL]}

    assert preview(admin, criteria).json["exemptions"]["ownSession"] == own
    done = carried_out(admin, criteria)
    assert done["sparedSession"] == own
    assert_signed_out(second)
    assert admin.me().status == 200

    shown = preview(admin, criteria, includeOwnSession=True).json
    assert shown["exemptions"]["ownSession"] is None
    assert order(admin, criteria, shown["confirmation"], includeOwnSession=True).status == 202
    eventually(lambda: admin.me().status == 401, "the own session has ended")


def test_nobody_signs_out_those_above_themselves(shared_server):
    admin, peer = with_role(shared_server, "admin"), with_role(shared_server, "admin")
    boss = with_role(shared_server, "superadmin")
    criteria = {"userIds": [admin.id, peer.id, boss.id]}
    shown = preview(admin.api, criteria).json

    assert shown["exemptions"]["usersAboveRole"] == 1
    assert shown["exemptions"]["sessionsAboveRole"] == 2  # signed up, and logged in with the new role
    assert boss.email not in {user["email"] for user in shown["sample"]}
    carried_out(admin.api, criteria)
    assert_signed_out(peer.device)
    assert_signed_in(admin.device, boss.device)


# --- confirmation


def test_without_a_confirmation_nothing_happens_and_the_answer_says_how_to_get_one(person):
    admin = person.server.admin()
    for more in ({}, {"dryRun": False}, {"confirmation": None}):
        reply = admin.post(PATH, {"criteria": {"userIds": [person.id]}} | more)
        assert reply.status == 422, reply
        assert reply.pointers == {"/confirmation"}
        assert "dryRun" in reply.json["errors"][0]["detail"]
    assert_signed_in(person.device)


def test_a_confirmation_is_good_for_its_caller_and_criteria_alone(person):
    admin, other_admin = person.server.admin(), with_role(person.server, "admin").api
    criteria = {"userIds": [person.id]}
    confirmation = preview(admin, criteria).json["confirmation"]
    changed = confirmation[:-1] + ("A" if confirmation[-1] != "A" else "E")
    refused = [
        order(other_admin, criteria, confirmation),
        order(admin, criteria | {"role": "customer"}, confirmation),
        order(admin, criteria, confirmation, includeOwnSession=True),
        order(admin, criteria, changed),
        order(admin, criteria, ""),
        order(admin, criteria, "sf_bl_" + "A" * 10_000),
    ]

    assert [reply.status for reply in refused] == [422] * len(refused)
    assert all(reply.pointers == {"/confirmation"} for reply in refused)
    assert_signed_in(person.device)


def test_the_same_criteria_in_other_words_are_the_same(person):
    admin = person.server.admin()
    criteria = {"emails": [person.email], "ipNetwork": "127.0.0.0/8", "lastLoginAfter": "2020-01-01T01:00:00+01:00"}
    shown = preview(admin, criteria)
    same = {
        "lastLoginAfter": "2020-01-01T00:00:00Z",
        "emails": [person.email.upper(), person.email],
        "ipNetwork": "::ffff:127.0.0.0/104",
        "role": None,
    }

    assert order(admin, same, shown.json["confirmation"]).status == 202


def test_a_number_that_moved_by_more_than_a_tenth_is_refused_with_the_new_figures(person):
    admin = person.server.admin()
    criteria = {"userIds": [person.id]}
    shown = preview(admin, criteria).json
    person.log_in("another")
    reply = order(admin, criteria, shown["confirmation"])

    assert reply.status == 409, reply
    figures = {name: reply.json[name] for name in ("previewedSessions", "sessions", "users")}
    assert figures == {"previewedSessions": 1, "sessions": 2, "users": 1}
    assert_signed_in(person.device)


def test_people_who_sign_up_between_move_the_number(shared_server):
    admin = shared_server.admin()
    criteria = {"userCreatedAfter": days_from_now(0)}
    assert preview(admin, criteria).json["sessions"] == 0
    people = [signed_up_user(shared_server) for _ in range(2)]
    shown = preview(admin, criteria).json
    assert shown["sessions"] == 2
    people.append(signed_up_user(shared_server))

    reply = order(admin, criteria, shown["confirmation"])
    assert reply.status == 409, reply
    assert reply.json["sessions"] == 3
    assert carried_out(admin, criteria)["sessionsEnded"] == 3
    assert_signed_out(*(one.device for one in people))


def test_the_same_confirmation_gives_the_same_order(person):
    admin = person.server.admin()
    criteria = {"userIds": [person.id]}
    confirmation = preview(admin, criteria).json["confirmation"]
    first = order(admin, criteria, confirmation)
    wait_until_done(admin, first.json["id"])
    again = person.log_in()
    second = order(admin, criteria, confirmation)

    assert (first.status, second.status) == (202, 202)
    assert second.json["id"] == first.json["id"]
    assert second.json["state"] == "done"
    assert_signed_in(again)


def test_confirmed_many_times_at_once_it_is_ordered_once(person):
    admin = person.server.admin()
    criteria = {"userIds": [person.id]}
    confirmation = preview(admin, criteria).json["confirmation"]
    body = {"criteria": criteria, "confirmation": confirmation}
    replies = together(person.server, [request_bytes("POST", PATH, body, admin.token) for _ in range(8)])

    # Who counts after the first order has ended the session is told that the number has moved.
    assert {reply.status for reply in replies} <= {202, 409}
    ids = {reply.json["id"] for reply in replies if reply.status == 202}
    assert len(ids) == 1
    assert wait_until_done(admin, ids.pop())["sessionsEnded"] == 1


def test_an_idempotency_key_gets_the_same_answer(person):
    admin = person.server.admin()
    criteria = {"userIds": [person.id]}
    confirmation = preview(admin, criteria).json["confirmation"]
    body = {"criteria": criteria, "confirmation": confirmation}
    replies = [admin.post(PATH, body, headers={"Idempotency-Key": "once"}) for _ in range(2)]

    assert [reply.status for reply in replies] == [202, 202]
    assert replies[0].body == replies[1].body
    other = admin.post(PATH, body | {"reason": "other"}, headers={"Idempotency-Key": "once"})
    assert other.status == 409


# --- criteria


@pytest.fixture(scope="module")
def two(shared_server) -> tuple[Person, Person]:
    """A pair that differs in everything that criteria ask for."""
    old = signed_up_user(shared_server, new_address("old").replace("example.test", "old.test"))
    new = signed_up_user(shared_server)
    long_ago = days_from_now(-40)
    shared_server.sql("UPDATE users SET created_at = ?, role = 'support' WHERE id = ?", long_ago, old.id)
    return old, new


def met(server, two, criteria: dict) -> set[str]:
    """Which of the two a preview shows, each with one session that is made for it."""
    old, new = two
    for one in two:
        server.sql("DELETE FROM refresh_sessions WHERE user_id = ?", one.id)
    api = server.api(source="127.0.7.1")
    assert api.login(old.email, PASSWORD, headers={"User-Agent": "Mozilla/5.0 Firefox/130"}).status == 200
    assert server.api().login(new.email, PASSWORD, headers={"User-Agent": "curl/8.1"}).status == 200
    server.sql("UPDATE users SET last_login_at = ? WHERE id = ?", days_from_now(-30), old.id)
    times = days_from_now(-5), days_from_now(-3)
    server.sql("UPDATE refresh_sessions SET created_at = ?, rotated_at = ? WHERE user_id = ?", *times, old.id)
    reply = preview(server.admin(), {"userIds": [old.id, new.id]} | criteria)
    assert reply.status == 200, reply
    names = {old.id: "old", new.id: "new"}
    return {names[user["id"]] for user in reply.json["sample"]}


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({}, {"old", "new"}),
        ({"lastLoginBefore": -7}, {"old"}),
        ({"lastLoginAfter": -7}, {"new"}),
        ({"userCreatedBefore": -7}, {"old"}),
        ({"userCreatedAfter": -7}, {"new"}),
        ({"sessionCreatedBefore": -4}, {"old"}),
        ({"sessionCreatedAfter": -4}, {"new"}),
        ({"sessionUsedBefore": -2}, {"old"}),
        ({"sessionUsedAfter": -4}, {"old", "new"}),
        ({"role": "support"}, {"old"}),
        ({"role": "customer"}, {"new"}),
        ({"emailDomain": "OLD.test"}, {"old"}),
        ({"emailDomain": "test"}, set()),
        ({"ipNetwork": "127.0.7.0/24"}, {"old"}),
        ({"ipNetwork": "127.0.0.1"}, {"new"}),
        ({"ipNetwork": "::/0"}, set()),
        ({"userAgent": "FIREFOX"}, {"old"}),
        ({"userAgent": "%"}, set()),
        ({"userAgent": "'; DROP TABLE users; --"}, set()),
        ({"lastLoginBefore": -7, "userAgent": "curl"}, set()),
    ],
)
def test_criteria_meet_whom_they_describe(shared_server, two, criteria, expected):
    moments = {name: days_from_now(value) if isinstance(value, int) else value for name, value in criteria.items()}

    assert met(shared_server, two, moments) == expected


def test_who_never_logged_in_is_met_only_when_asked_for(person):
    person.server.sql("UPDATE users SET last_login_at = NULL WHERE id = ?", person.id)
    admin = person.server.admin()
    base = {"userIds": [person.id]}
    numbers = [
        preview(admin, base | more).json["sessions"]
        for more in (
            {"lastLoginBefore": days_from_now(1)},
            {"lastLoginAfter": days_from_now(-9999)},
            {"lastLoginBefore": days_from_now(-9999), "neverLoggedIn": True},
            {"neverLoggedIn": True},
        )
    ]

    assert numbers == [0, 0, 1, 1]
    assert carried_out(admin, base | {"neverLoggedIn": True})["sessionsEnded"] == 1
    assert_signed_out(person.device)


def test_a_thousand_users_may_be_named(shared_server, person):
    admin = shared_server.admin()
    many = [str(uuid.uuid4()) for _ in range(999)] + [person.id]
    assert preview(admin, {"userIds": many}).json["users"] == 1
    reply = preview(admin, {"userIds": many, "emails": [person.email]})
    assert reply.status == 422, reply
    assert reply.pointers == {"/criteria/userIds"}


# --- refusals


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, {"/criteria"}),
        ({"criteria": {}}, {"/criteria"}),
        ({"criteria": {"neverLoggedIn": False}}, {"/criteria"}),
        ({"criteria": {"role": None}}, {"/criteria"}),
        ({"criteria": []}, {"/criteria"}),
        ({"criteria": {"lastlogin": "2020-01-01T00:00:00Z"}}, {"/criteria/lastlogin"}),
        ({"criteria": {"lastLoginBefore": "yesterday"}}, {"/criteria/lastLoginBefore"}),
        ({"criteria": {"lastLoginBefore": 5}}, {"/criteria/lastLoginBefore"}),
        ({"criteria": {"role": "emperor"}}, {"/criteria/role"}),
        ({"criteria": {"emailDomain": "a@example.test"}}, {"/criteria/emailDomain"}),
        ({"criteria": {"emailDomain": "exam%ple.test"}}, {"/criteria/emailDomain"}),
        ({"criteria": {"ipNetwork": "10.0.0.1/8"}}, {"/criteria/ipNetwork"}),
        ({"criteria": {"ipNetwork": "10.0.0.0/33"}}, {"/criteria/ipNetwork"}),
        ({"criteria": {"ipNetwork": "example.test"}}, {"/criteria/ipNetwork"}),
        ({"criteria": {"userAgent": ""}}, {"/criteria/userAgent"}),
        ({"criteria": {"userAgent": "x" * 201}}, {"/criteria/userAgent"}),
        ({"criteria": {"userIds": []}}, {"/criteria/userIds"}),
        ({"criteria": {"userIds": ["1"]}}, {"/criteria/userIds/0"}),
        ({"criteria": {"emails": ["nobody"]}}, {"/criteria/emails/0"}),
        ({"criteria": {"emails": []}}, {"/criteria/emails"}),
        ({"criteria": {"role": "customer"}, "everybody": True}, {"/everybody"}),
        ({"criteria": {"role": "customer"}, "confirmation": "x"}, {"/confirmation"}),
    ],
)
def test_what_does_not_fit_is_refused_by_name(shared_server, body, pointers):
    admin = shared_server.admin()
    reply = admin.post(PATH, body | {"dryRun": True})

    assert reply.status == 422, reply
    assert reply.pointers == pointers


def test_only_administrators_may(person):
    for role in ("customer", "support"):
        caller = with_role(person.server, role).api
        assert preview(caller, {"userIds": [person.id]}).status == 403
        assert caller.get(PATH).status == 403
    assert preview(person.server.api(), {"userIds": [person.id]}).status == 401
    assert_signed_in(person.device)


# --- death in the middle


@pytest.mark.release_only
def test_a_server_that_is_killed_in_the_middle_goes_on_and_counts_right(start_server):
    server = start_server(EXEMPT)
    person, other = signed_up_user(server), signed_up_user(server)
    count = MANY_SESSIONS
    add_sessions(server, person.id, count)
    admin = server.admin()
    criteria = {"userIds": [person.id]}
    shown = preview(admin, criteria).json
    assert shown["sessions"] == count + 1
    begun = order(admin, criteria, shown["confirmation"]).json

    def ended() -> int:
        return server.sql("SELECT sessions_ended FROM bulk_logouts")[0][0]

    eventually(lambda: ended() > 0, "the first batch is done")
    server.kill()
    in_the_middle = ended()
    assert 0 < in_the_middle < count
    assert server.sql("SELECT count(*) FROM ended_sessions WHERE reason = 'bulk-logout'")[0][0] == in_the_middle

    server.start()
    admin = server.admin()
    # People come and go meanwhile: who logs in after the order stays.
    later = log_in(server, person.email, PASSWORD)
    done = wait_until_done(admin, begun["id"])
    assert done["sessionsEnded"] == done["sessionsExpected"] == count + 1
    (evidence,) = server.sql("SELECT count(*), count(DISTINCT id) FROM ended_sessions WHERE reason = 'bulk-logout'")
    assert tuple(evidence) == (count + 1, count + 1)
    assert server.sql("SELECT count(*) FROM refresh_sessions WHERE user_id = ?", person.id)[0][0] == 1
    for device in (person.device, other.device):
        device.api.address = server.address
    assert_signed_out(person.device)
    assert_signed_in(other.device, later)


@pytest.mark.postgres_only
@pytest.mark.release_only
def test_another_node_goes_on_when_nodes_die(start_nodes):
    nodes = start_nodes(3, EXEMPT)
    person, other = signed_up_user(nodes[0]), signed_up_user(nodes[0])
    add_sessions(nodes, person.id, MANY_SESSIONS)
    admin = nodes[0].admin()
    criteria = {"userIds": [person.id]}
    begun = order(admin, criteria, preview(admin, criteria).json["confirmation"])
    assert begun.status == 202, begun
    eventually(lambda: nodes.sql("SELECT sessions_ended FROM bulk_logouts")[0][0] > 0, "the first batch is done")
    for node in (nodes[0], nodes[1]):
        node.kill()

    done = wait_until_done(nodes[2].admin(), begun.json["id"])
    assert done["sessionsEnded"] == done["sessionsExpected"] == MANY_SESSIONS + 1
    (evidence,) = nodes.sql("SELECT count(*), count(DISTINCT id) FROM ended_sessions WHERE reason = 'bulk-logout'")
    assert tuple(evidence) == (MANY_SESSIONS + 1, MANY_SESSIONS + 1)
    nodes[0].start()
    nodes[1].start()
    assert nodes.refuse(person.device)
    assert nodes.accept(other.device)


@pytest.mark.postgres_only
def test_an_order_given_to_one_node_is_in_force_on_all(nodes):
    person, other = signed_up_user(nodes[0]), signed_up_user(nodes[1])
    admin = nodes[0].admin()
    criteria = {"userIds": [person.id]}
    confirmation = preview(admin, criteria).json["confirmation"]
    replies = nodes.at_once(lambda node: order(node.api(admin.token), criteria, confirmation))

    assert {reply.status for reply in replies} <= {202, 409}
    ids = {reply.json["id"] for reply in replies if reply.status == 202}
    assert len(ids) == 1
    assert wait_until_done(nodes[2].api(admin.token), ids.pop())["sessionsEnded"] == 1
    nodes.eventually_refuse(person.device)
    assert nodes.accept(other.device)
