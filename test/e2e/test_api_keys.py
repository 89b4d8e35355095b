"""API keys: what a key may do, from where, how long, and that the key itself is seen once."""

import base64
import datetime
import re
import uuid

import pytest

from harness.people import signed_up_user, with_role
from harness.server import Server

KEYS = "/v1/admin/api-keys"
KEY = re.compile(r"sf_ak_[A-Za-z0-9_-]{49}")


def make(api, *permissions: str, **more) -> dict:
    reply = api.post(KEYS, {"name": "script", "permissions": list(permissions)} | more)
    assert reply.status == 201, reply
    assert reply.headers["Location"] == f"{KEYS}/{reply.json['apiKey']['id']}"
    return reply.json


def test_a_key_does_what_it_was_given_and_nothing_else(shared_server):
    made = make(shared_server.admin(), "users:read")
    assert KEY.fullmatch(made["key"])
    api = shared_server.api(made["key"])

    assert api.get("/v1/admin/users").status == 200
    assert api.get("/v1/audit").status == 403
    assert api.force_logout_all().status == 403
    assert api.me().status == 403, "it is nobody who is signed in"
    assert api.sessions().status == 403


def test_the_key_is_in_one_answer_and_nowhere_else(start_server):
    server = start_server()
    admin = server.admin()
    made = make(admin, "users:read")
    key = made["key"]
    for path in (KEYS, f"{KEYS}/{made['apiKey']['id']}", "/v1/audit"):
        reply = admin.get(path)
        assert reply.status == 200 and key not in reply.text
    server.api(key).get("/v1/admin/users")
    server.stop()
    assert key not in "\n".join(server.lines)
    dump = "".join(str(row) for row in server.sql("SELECT * FROM api_keys"))
    assert key not in dump and key[12:] not in dump


def test_a_revoked_key_is_refused_from_then_on(shared_server):
    admin = shared_server.admin()
    made = make(admin, "users:read")
    path = f"{KEYS}/{made['apiKey']['id']}"
    api = shared_server.api(made["key"])
    assert api.get("/v1/admin/users").status == 200

    assert admin.request("DELETE", path).status == 204
    assert api.get("/v1/admin/users").status == 401
    assert admin.request("DELETE", path).status == 204, "again"
    assert admin.get(path).json["state"] == "revoked"
    assert admin.request("DELETE", f"{KEYS}/{uuid.uuid4()}").status == 404


@pytest.mark.parametrize("change", ["role = 'support'", "is_active = false"])
def test_a_key_loses_what_its_owner_loses_also_by_sql(shared_server, change):
    owner = with_role(shared_server, "admin")
    api = shared_server.api(make(owner.api, "audit:read")["key"])
    assert api.get("/v1/audit").status == 200

    shared_server.sql(f"UPDATE users SET {change} WHERE id = ?", owner.id)
    assert api.get("/v1/audit").status in (401, 403)


def test_nobody_grants_above_themselves(shared_server):
    admin = with_role(shared_server, "admin").api
    support = with_role(shared_server, "support").api
    wanted = {"name": "too much", "permissions": ["audit:erase"]}
    assert admin.post(KEYS, wanted).status == 403
    assert support.post(KEYS, {"name": "own", "permissions": ["users:read"]}).status == 403
    assert signed_up_user(shared_server).api.get(KEYS).status == 403
    key = make(admin, "api-keys:write", "users:read")["key"]
    reply = shared_server.api(key).post(KEYS, {"name": "child", "permissions": ["users:read"]})
    assert reply.status == 403, "a key makes no keys"


def test_a_key_keeps_to_its_networks_and_its_time(shared_server):
    admin = shared_server.admin()
    elsewhere = make(admin, "users:read", networks=["192.0.2.0/24"])
    assert shared_server.api(elsewhere["key"]).get("/v1/admin/users").status == 401
    here = make(admin, "users:read", networks=["192.0.2.0/24", "127.0.0.0/8"])
    assert shared_server.api(here["key"]).get("/v1/admin/users").status == 200
    past = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=1)).isoformat()
    for body in (
        {"expiresAt": past},
        {"permissions": []},
        {"networks": []},
        {"permissions": ["users:fly"]},
        {"networks": ["everywhere"]},
        {"name": ""},
        {"name": "two\r\nlines"},
    ):
        reply = admin.post(KEYS, {"name": "faulty", "permissions": ["users:read"]} | body)
        assert reply.status == 422, body
        assert reply.json["errors"][0]["pointer"].startswith("/" + next(iter(body)))


def test_what_is_no_key_is_refused_whatever_it_looks_like(shared_server):
    key = make(shared_server.admin(), "users:read")["key"]
    for text in (key[:-1], key + "A", key.upper(), "sf_ak_", "sf_ak_" + "A" * 49, key.replace("sf_ak_", "sf_rt_")):
        assert shared_server.api(text).get("/v1/admin/users").status == 401, text
    for pair in (f"x:{key}A", key, f"{key}:", ""):
        basic = {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
        assert shared_server.api().get("/v1/admin/users", headers=basic).status == 401, pair


def test_uses_are_noted_and_acts_are_on_record(shared_server: Server):
    admin = shared_server.admin()
    made = make(admin, "sessions:end")
    person = signed_up_user(shared_server)
    assert shared_server.api(made["key"]).force_logout(userId=person.id, reason="by script").status == 200

    assert not person.device.is_signed_in()
    key = admin.get(f"{KEYS}/{made['apiKey']['id']}").json
    assert key["lastUsedFrom"] == "127.0.0.1" and key["lastUsedAt"]
    actor = f"api-key:{key['id']}"
    rows = shared_server.sql("SELECT action, target FROM audit_log WHERE actor = ?", actor)
    assert rows == [("session.force-logout", f"user:{person.id}")]
