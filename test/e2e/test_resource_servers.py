"""What services ask that are given access tokens: whether one is good, and what was revoked."""

import base64
import datetime
import threading
import urllib.parse

import pytest

from harness.client import Api, Reply
from harness.events import Events
from harness.people import claims_of, log_in, signed_up_user, with_role
from harness.server import ADMIN_EMAIL, ADMIN_PASSWORD, EXEMPT, Server, eventually

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PATH = "/v1/revocations"


def introspect(api: Api, token: str, **more: str) -> Reply:
    body = urllib.parse.urlencode({"token": token} | more).encode()
    return api.request("POST", "/v1/auth/introspect", body=body, headers=FORM)


def is_active(api: Api, token: str) -> bool:
    reply = introspect(api, token)
    assert reply.status == 200, reply
    if not reply.json["active"]:
        assert reply.json == {"active": False}
    return reply.json["active"]


def read_from(api: Api, after: str | None, limit: int = 200) -> tuple[list[dict], str]:
    """All items behind a cursor, and the cursor behind them."""
    items, has_more = [], True
    while has_more:
        query = {"limit": str(limit)} | ({"after": after} if after is not None else {})
        reply = api.get(f"{PATH}?{urllib.parse.urlencode(query)}")
        assert reply.status == 200, reply
        assert not reply.json["reset"]
        assert len(reply.json["items"]) <= limit
        items += reply.json["items"]
        after, has_more = reply.json["nextCursor"], reply.json["hasMore"]
    return items, after


def sessions_of(items: list[dict]) -> list[str]:
    return [sid for item in items for sid in item["sessionIds"] or []]


@pytest.fixture(scope="module")
def service(shared_server: Server) -> Api:
    return shared_server.admin()


# --- introspection


def test_a_good_token_is_active_and_says_whose_it_is(shared_server, service):
    person = signed_up_user(shared_server)
    token = person.device.access_token
    reply = introspect(service, token, token_type_hint="refresh_token")
    claims = claims_of(token)

    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json")
    assert reply.headers["Cache-Control"] == "no-store"
    answer = reply.json
    assert (answer["active"], answer["token_type"]) == (True, "Bearer")
    for name in ("iss", "aud", "client_id", "sub", "sid", "role", "jti", "iat", "exp", "auth_time", "amr"):
        assert answer[name] == claims[name], name
    of_refresh = introspect(service, person.device.refresh_token).json
    assert (of_refresh["active"], of_refresh["sid"], of_refresh["sub"]) == (True, person.device.session_id, person.id)
    assert "token_type" not in of_refresh
    assert person.device.may_refresh(), "asking has used nothing up"


def test_a_token_is_inactive_as_soon_as_what_ended_it_has_returned(shared_server, service):
    admin = shared_server.admin()
    for _ in range(10):
        person = signed_up_user(shared_server)
        other = person.log_in()
        assert person.device.api.logout().status == 204
        assert not is_active(service, person.device.access_token)
        assert not is_active(service, person.device.refresh_token)
        assert is_active(service, other.access_token)
        assert admin.force_logout(userId=person.id).status == 200
        assert not is_active(service, other.access_token)
        assert not is_active(service, other.refresh_token)


def test_a_token_of_somebody_who_was_disabled_demoted_or_deleted_is_inactive(shared_server, service):
    changes = {
        "UPDATE users SET is_active = false WHERE id = ?": False,
        "UPDATE users SET role = 'support' WHERE id = ?": True,
        "DELETE FROM users WHERE id = ?": False,
        "DELETE FROM refresh_sessions WHERE user_id = ?": False,
    }
    for statement, does_session_live in changes.items():
        person = signed_up_user(shared_server)
        assert is_active(service, person.device.access_token)
        shared_server.sql(statement, person.id)
        eventually(lambda: not is_active(service, person.device.access_token), statement)
        assert is_active(service, person.device.refresh_token) == does_session_live


def test_a_refresh_token_that_was_used_is_inactive_and_asking_is_no_theft(start_server):
    server = start_server(EXEMPT | {"SAFAWINET__SESSIONS__REFRESH_GRACE_SECONDS": "0"})
    service = server.admin()
    person = signed_up_user(server)
    later = person.device.refresh()
    assert not is_active(service, person.device.refresh_token)
    assert is_active(service, later.refresh_token)
    assert later.is_signed_in()


def test_what_is_no_token_is_inactive(shared_server, service):
    good = signed_up_user(shared_server).device.access_token
    head, claims, signature = good.split(".")
    foreign = (".".join((head, claims, "A" * len(signature))), good + "A", good[:-1], f"{head}.{claims}.", f" {good}",
               "garbage", "..", "sf_rt_", "sf_ak_" + "A" * 49, "\u202e\x1b[31m", "'; DROP TABLE users; --", "A" * 60_000)
    for token in foreign:
        assert not is_active(service, token), token[:60]


def test_what_is_no_introspection_request_is_refused(shared_server, service):
    def send(body: bytes, content_type: str | None = FORM["Content-Type"]) -> Reply:
        return service.request("POST", "/v1/auth/introspect", body=body, headers={"Content-Type": content_type})

    for body in (b"", b"token=", b"tok=a", b"token=a&token=b", b"token=%zz", b"token=%00", b"token=%ff", b'{"token":"a"}'):
        reply = send(body)
        assert (reply.status, reply.json["error"]) == (400, "invalid_request"), body
    for content_type in ("application/json", "text/plain", "application/x-www-form-urlencodedx", None):
        assert send(b"token=a", content_type).status == 415, content_type
    assert send(b"token=a", "Application/X-WWW-Form-Urlencoded; charset=utf-8").status == 200
    assert send(b"token=" + b"A" * (64 * 1024)).status == 413
    assert service.get("/v1/auth/introspect").status == 405


def test_only_who_has_the_permission_may_ask_or_follow(shared_server):
    token = signed_up_user(shared_server).device.access_token
    for role, status in (("customer", 403), ("support", 403), ("admin", 200), ("superadmin", 200)):
        api = with_role(shared_server, role).api
        assert introspect(api, token).status == status, role
        assert api.get(PATH).status == status, role
        with Events(api, PATH) as events:
            assert events.status == status, role
    for api in (shared_server.api(), shared_server.api("garbage")):
        reply = introspect(api, token)
        assert (reply.status, "Bearer" in reply.headers["WWW-Authenticate"]) == (401, True)
        assert api.get(PATH).status == 401


def test_no_token_is_in_the_log(shared_server, service):
    person = signed_up_user(shared_server)
    for token in (person.device.access_token, person.device.refresh_token):
        assert is_active(service, token)
        assert not any(token in line for line in shared_server.lines)


# --- the revocations as pages


def test_pages_name_what_was_revoked_and_go_on_where_they_were(shared_server, service):
    _, after = read_from(service, None)
    person, other = signed_up_user(shared_server), signed_up_user(shared_server)
    ended, lives = person.device.session_id, other.device.session_id
    assert person.api.logout().status == 204
    items, later = read_from(service, after)
    assert sessions_of(items) == [ended]
    assert person.email not in str(items)
    shared_server.sql("UPDATE users SET role = 'support' WHERE id = ?", other.id)
    items, latest = read_from(service, later)
    (item,) = items
    assert (item["scope"], item["userId"]) == ("user", other.id)
    assert item["tokenVersion"] == claims_of(other.device.refresh().access_token)["tv"]
    assert lives not in str(items)
    assert read_from(service, latest)[0] == []
    assert sessions_of(read_from(service, after)[0]) == [ended], "an older cursor is as good"


def test_nothing_is_missed_and_nothing_told_twice_while_many_sign_out(shared_server, service):
    _, after = read_from(service, None)
    people = [signed_up_user(shared_server) for _ in range(4)]
    ended: list[str] = []

    def sign_in_and_out(person):
        for _ in range(10):
            device = person.log_in()
            ended.append(claims_of(device.access_token)["sid"])
            assert device.api.logout().status == 204

    threads = [threading.Thread(target=sign_in_and_out, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    told: list[str] = []
    while any(thread.is_alive() for thread in threads):
        items, after = read_from(service, after, limit=1)
        told += sessions_of(items)
    for thread in threads:
        thread.join()
    told += sessions_of(read_from(service, after, limit=1)[0])
    assert sorted(told) == sorted(ended)
    assert len(ended) == 40


def test_a_cursor_that_is_unknown_begins_again_and_says_so(shared_server, service, start_server):
    person = signed_up_user(shared_server)
    session = person.device.session_id
    assert person.api.logout().status == 204
    other = start_server(EXEMPT)
    foreign = other.admin().get(PATH).json["nextCursor"]
    for cursor in ("made-up", foreign, "A" * 4000, "../../etc/passwd", "1:1:", "\u202e"):
        reply = service.get(f"{PATH}?{urllib.parse.urlencode({'after': cursor})}")
        assert (reply.status, reply.json["reset"]) == (200, True), cursor
        assert reply.json["items"]
        with Events(service, PATH, last_id=None if not cursor.isascii() else cursor) as events:
            events.wait_for_session(session)
            assert events.of("reset") == ([{}] if cursor.isascii() else [])
    for query in ("limit=0", "limit=201", "limit=x", "after=%ff", "limit=1&limit=0"):
        assert service.get(f"{PATH}?{query}").status == 422, query


# --- the revocations as events


def test_events_tell_what_ends_however_it_ends(start_server):
    server = start_server(EXEMPT)
    service = server.admin()
    by_logout, by_force, by_hand, demoted, at_last = (signed_up_user(server) for _ in range(5))
    ids = {person.id: person.device.session_id for person in (by_logout, by_force, by_hand, demoted, at_last)}
    with Events(service, PATH) as events:
        assert events.response.headers["Content-Type"] == "text/event-stream"
        assert events.response.headers["Cache-Control"] == "no-store"
        events.wait_until_current()
        assert by_logout.api.logout().status == 204
        events.wait_for_session(ids[by_logout.id])
        assert service.force_logout(userId=by_force.id, reason="lost").status == 200
        events.wait_for_session(ids[by_force.id])
        server.sql("DELETE FROM refresh_sessions WHERE user_id = ?", by_hand.id)
        events.wait_for_session(ids[by_hand.id])
        server.sql("UPDATE users SET role = 'support' WHERE id = ?", demoted.id)
        events.wait_until(lambda: [data["userId"] for data in events.of("revocation") if data["scope"] == "user"]
                          == [demoted.id], "the change of role is told")
        assert service.post("/v1/auth/force-logout-all", {"reason": "drill"}).status == 200
        events.wait_until(lambda: any(data["scope"] == "global" for data in events.of("revocation")), "everybody")
        (everybody,) = [data for data in events.of("revocation") if data["scope"] == "global"]
        assert everybody["spared"] == [claims_of(service.token)["sid"]]
        assert everybody["epoch"] > claims_of(at_last.device.access_token)["ep"]
        assert ids[at_last.id] not in events.sessions, "one line says it of all"
        assert events.of("reset") == []
        assert server.metric("safawinet_revocation_streams") == 1
    eventually(lambda: server.metric("safawinet_revocation_streams") == 0, "the server notices that we have gone")


def test_a_client_that_comes_back_after_a_crash_has_missed_nothing(start_server):
    server = start_server(EXEMPT)
    people = [signed_up_user(server) for _ in range(6)]
    ids = [person.device.session_id for person in people]
    with Events(server.admin(), PATH) as events:
        events.wait_until_current()
        assert people[0].api.logout().status == 204
        events.wait_for_session(ids[0])
        server.kill()
        events.wait_for_end()
    server.start()
    for person in people[1:3]:
        assert server.api(person.device.access_token).logout().status == 204
    with Events(server.admin(), PATH, events.last_id) as again:
        again.wait_until_current()
        assert again.sessions == ids[1:3]
        assert again.of("reset") == []
        assert server.api(people[3].device.access_token).logout().status == 204
        again.wait_for_session(ids[3])
    assert again.sessions == ids[1:4]


def test_a_server_that_stops_ends_its_streams_at_once(start_server):
    server = start_server(EXEMPT | {"SAFAWINET__HTTP__DRAIN_SECONDS": "600"})
    with Events(server.admin(), PATH) as events:
        events.wait_until_current()
        assert server.stop() == 0
        events.wait_for_end()


@pytest.mark.parametrize("loses", ["the session", "the role", "the account"])
def test_a_stream_ends_for_somebody_who_loses(start_server, loses):
    server = start_server(EXEMPT)
    person = with_role(server, "admin")
    with Events(person.api, PATH) as events:
        events.wait_until_current()
        if loses == "the session":
            assert server.admin().force_logout(userId=person.id).status == 200
        else:
            change = {"the role": "role = 'support'", "the account": "is_active = false"}[loses]
            server.sql(f"UPDATE users SET {change} WHERE id = ?", person.id)
        events.wait_for_end()
    assert Events(person.api, PATH).status == 401


def test_a_node_that_cannot_know_says_neither_yes_nor_no(start_server):
    server = start_server(EXEMPT | {"SAFAWINET__REVOCATION__LEASE_MILLISECONDS": "300"})
    service = server.admin()
    person = signed_up_user(server)
    with Events(service, PATH) as events:
        events.wait_until_current()
        server.sql("ALTER TABLE revocations RENAME TO elsewhere")
        events.wait_for_end()
        eventually(lambda: introspect(service, person.device.access_token).status == 503, "introspection is refused")
        assert service.get(PATH).status == 503
        server.sql("ALTER TABLE elsewhere RENAME TO revocations")
        eventually(lambda: introspect(service, person.device.access_token).status == 200, "it knows again")
    assert read_from(service, events.last_id)[0] == []


def test_the_streams_of_a_node_are_bounded(start_server):
    server = start_server(EXEMPT)
    service = server.admin()
    streams = []
    try:
        for _ in range(256):
            streams.append(Events(service, PATH))
        assert {stream.status for stream in streams} == {200}
        refused = Events(service, PATH)
        assert (refused.status, refused.response.headers["Retry-After"] is not None) == (503, True)
        assert service.get(PATH).status == 200
        person = signed_up_user(server)
        session = person.device.session_id
        assert person.api.logout().status == 204
        for stream in streams:
            stream.wait_for_session(session)
    finally:
        for stream in streams:
            stream.close()
    eventually(lambda: Events(service, PATH).status == 200, "there is a place again")


# --- by API key


def make_key(server: Server, *permissions: str, **more) -> tuple[str, str]:
    """The key and its id."""
    wanted = {"name": "resource server", "permissions": list(permissions)} | more
    reply = server.admin().post("/v1/admin/api-keys", wanted)
    assert reply.status == 201, reply
    return reply.json["key"], reply.json["apiKey"]["id"]


def by_basic(key: str, user: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{key}".encode()).decode()}


def test_a_key_asks_and_follows_as_bearer_and_as_basic(shared_server):
    key, _ = make_key(shared_server, "tokens:introspect", "revocations:read")
    person = signed_up_user(shared_server)
    token = person.device.access_token
    service = shared_server.api(key)
    assert is_active(service, token)
    body = urllib.parse.urlencode({"token": token}).encode()
    for user in ("any", "", "safawinet"):
        basic = by_basic(key, user)
        reply = shared_server.api().request("POST", "/v1/auth/introspect", body=body, headers=FORM | basic)
        assert (reply.status, reply.json["active"]) == (200, True)
        assert shared_server.api().get(PATH, headers=basic).status == 200
    with Events(service, PATH) as events:
        events.wait_until_current()
        assert person.api.logout().status == 204
        events.wait_for_session(claims_of(token)["sid"])
    assert not is_active(service, token)
    assert not is_active(service, key), "a key is no token"
    assert not any(key in line for line in shared_server.lines)


def test_a_key_may_do_what_it_was_given_and_nothing_else(shared_server):
    token = signed_up_user(shared_server).device.access_token
    asks = shared_server.api(make_key(shared_server, "tokens:introspect")[0])
    follows = shared_server.api(make_key(shared_server, "revocations:read")[0])
    assert (introspect(asks, token).status, asks.get(PATH).status, Events(asks, PATH).status) == (200, 403, 403)
    assert (introspect(follows, token).status, follows.get(PATH).status) == (403, 200)
    assert asks.me().status == 403


def test_a_key_is_refused_from_elsewhere_after_its_time_and_when_it_is_none(shared_server):
    token = signed_up_user(shared_server).device.access_token
    key, _ = make_key(shared_server, "tokens:introspect", "revocations:read", networks=["127.0.7.0/24"])
    at_home = shared_server.api(key, source="127.0.7.1")
    assert (introspect(at_home, token).status, at_home.get(PATH).status) == (200, 200)
    elsewhere = shared_server.api(key)
    assert (introspect(elsewhere, token).status, elsewhere.get(PATH).status) == (401, 401)
    soon = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=4)).strftime("%Y-%m-%dT%H:%M:%SZ")
    short = shared_server.api(make_key(shared_server, "tokens:introspect", "revocations:read", expiresAt=soon)[0])
    with Events(short, PATH) as events:
        events.wait_until_current()
        eventually(lambda: introspect(short, token).status == 401, "the key has expired")
        events.wait_for_end()
    assert short.get(PATH).status == 401
    altered = key[:-1] + ("A" if key[-1] != "A" else "B")
    for wrong in (altered, "sf_ak_", key + "A", key.upper()):
        assert introspect(shared_server.api(wrong), token).status == 401


def test_a_key_that_is_revoked_or_whose_owner_is_disabled_ends_its_streams(start_server):
    server = start_server(EXEMPT)
    key, key_id = make_key(server, "revocations:read")
    with Events(server.api(key), PATH) as events:
        events.wait_until_current()
        assert server.admin().request("DELETE", f"/v1/admin/api-keys/{key_id}").status == 204
        events.wait_for_end()
    assert server.api(key).get(PATH).status == 401

    owner = with_role(server, "admin")
    wanted = {"name": "of an admin", "permissions": ["revocations:read"]}
    made = owner.api.post("/v1/admin/api-keys", wanted)
    assert made.status == 201, made
    with Events(server.api(made.json["key"]), PATH) as events:
        events.wait_until_current()
        server.sql("UPDATE users SET is_active = false WHERE id = ?", owner.id)
        events.wait_for_end()
    assert server.api(made.json["key"]).get(PATH).status == 401


# --- several nodes


@pytest.mark.postgres_only
def test_what_one_node_revokes_is_told_by_another_and_a_third_goes_on_where_it_died(nodes):
    service = log_in(nodes[0], ADMIN_EMAIL, ADMIN_PASSWORD)
    people = [signed_up_user(nodes[1]) for _ in range(30)]
    ids = [person.device.session_id for person in people]
    with Events(nodes[0].api(service.access_token), PATH) as events:
        events.wait_until_current()
        for person in people[:10]:
            assert person.api.logout().status == 204
        nodes.database.psql(f"DELETE FROM refresh_sessions WHERE user_id = '{people[10].id}';")
        for session in ids[:11]:
            events.wait_for_session(session)
        nodes[0].kill()
        events.wait_for_end()
    for person in people[11:20]:
        assert person.api.logout().status == 204
    with Events(nodes[2].api(service.access_token), PATH, events.last_id) as again:
        again.wait_until_current()
        assert sorted(again.sessions) == sorted(ids[11:20])
        assert again.of("reset") == []
        nodes.sql("DELETE FROM refresh_sessions WHERE user_id = ?", people[20].id)
        again.wait_for_session(ids[20])
    nodes[0].start()


@pytest.mark.postgres_only
def test_transactions_that_commit_late_are_told_late_and_not_missed(nodes):
    service = log_in(nodes[0], ADMIN_EMAIL, ADMIN_PASSWORD).access_token
    people = [signed_up_user(nodes[1]) for _ in range(3)]
    ids = [person.device.session_id for person in people]
    with Events(nodes[0].api(service), PATH) as events:
        events.wait_until_current()
        _, after = read_from(nodes[1].api(service), None)
        open_one = nodes.database.connect()
        open_one.cursor().execute("DELETE FROM refresh_sessions WHERE user_id = %s", (people[0].id,))
        assert people[1].api.logout().status == 204
        events.wait_for_session(ids[1])
        items, after = read_from(nodes[1].api(service), after)
        assert sessions_of(items) == [ids[1]]
        open_one.commit()
        open_one.close()
        events.wait_for_session(ids[0])
        items, after = read_from(nodes[2].api(service), after)
        assert sessions_of(items) == [ids[0]]
        assert people[2].api.logout().status == 204
        events.wait_for_session(ids[2])
        assert sessions_of(read_from(nodes[0].api(service), after)[0]) == [ids[2]]
        assert events.sessions == [ids[1], ids[0], ids[2]]


@pytest.mark.postgres_only
def test_introspection_follows_within_the_bound_of_revocations_on_every_node(nodes):
    service = log_in(nodes[0], ADMIN_EMAIL, ADMIN_PASSWORD).access_token
    person = signed_up_user(nodes[0])
    for node in nodes:
        assert is_active(node.api(service), person.device.access_token)
    assert nodes[1].api(service).force_logout(userId=person.id).status == 200
    assert not is_active(nodes[1].api(service), person.device.access_token)
    for node in nodes:
        eventually(lambda: not is_active(node.api(service), person.device.access_token), "every node knows")
        assert not is_active(node.api(service), person.device.refresh_token)
