"""Finding whom a leaked text names: every kind of it, nothing that is forged, and nothing ended by asking."""

import base64
import json
import uuid

import pytest

from harness.cli import Cli
from harness.people import claims_of, log_in, signed_up_user, with_role
from harness.server import ADMIN_EMAIL, ADMIN_PASSWORD

FIND = "/v1/admin/sessions/find"


@pytest.fixture(scope="module")
def support(shared_server):
    return with_role(shared_server, "support")


@pytest.fixture
def find(support):
    def ask(text: str) -> dict:
        reply = support.api.post(FIND, {"text": text})
        assert reply.status == 200, reply
        return reply.json

    return ask


def kinds(found: dict) -> list[tuple[str, str]]:
    return [(item["kind"], item["state"]) for item in found["items"]]


def altered(text: str, at: int) -> str:
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


def test_both_tokens_name_session_user_and_key(find, person):
    session = person.device.session_id
    found = find(f"Cookie: refresh={person.device.refresh_token}; access={person.device.access_token}")

    assert kinds(found) == [("refresh-token", "valid"), ("access-token", "valid")]
    for item in found["items"]:
        assert item["session"]["id"] == session and item["session"]["state"] == "live"
        assert item["user"] == {"id": person.id, "email": person.email, "role": "customer", "isActive": True}
        assert item["keyId"]
    assert found["items"][1]["tokenId"] == claims_of(person.device.access_token)["jti"]
    assert [beside["user"]["id"] for beside in found["users"]] == [person.id]
    assert found["users"][0]["liveSessions"]["count"] == 1
    assert found["networks"][0]["liveSessions"]["count"] >= 1


def test_what_the_answer_says_ends_it_does(find, support, person):
    other = person.log_in("Tablet")
    found = find(other.refresh_token)
    calls = {call["what"]: call for call in found["items"][0]["revokeWith"]}
    assert set(calls) == {"end-session", "log-out-user", "log-out-network"}
    assert calls["log-out-user"]["isAllowed"] and not calls["log-out-network"]["isAllowed"]
    assert other.is_signed_in() and person.device.is_signed_in(), "asking ends nothing"

    call = calls["log-out-user"]
    assert support.api.request(call["method"], call["path"], call["body"]).status == 200
    assert not other.is_signed_in() and not person.device.is_signed_in()
    after = find(other.refresh_token + " " + other.access_token)
    assert kinds(after) == [("refresh-token", "revoked"), ("access-token", "revoked")]
    for item in after["items"]:
        assert item["session"]["state"] == "ended"
        assert item["session"]["endedReason"] == "forced-logout"
        assert item["session"]["endedBy"] == f"user:{support.id}"
        assert not {"end-session", "log-out-user"} & {call["what"] for call in item["revokeWith"]}
    assert after["users"][0]["endedSessions"]["count"] == 2


def test_the_session_that_a_token_names_is_ended_alone(find, support, person):
    other = person.log_in("Tablet")
    for leaked in (other.access_token, other.refresh_token, other.session_id):
        call = find(leaked)["items"][0]["revokeWith"][0]
        assert call["what"] == "end-session" and call["isAllowed"] and call["body"] is None
    assert support.api.request(call["method"], call["path"]).status == 204
    assert not other.is_signed_in() and person.device.is_signed_in()


def test_the_preview_for_a_network_may_be_asked_for_by_who_may(shared_server, person):
    admin = shared_server.admin()
    found = admin.post(FIND, {"text": person.device.access_token}).json
    call = next(call for call in found["items"][0]["revokeWith"] if call["what"] == "log-out-network")
    assert call["isAllowed"]
    assert admin.request(call["method"], call["path"], call["body"]).json["confirmation"]


def test_a_refresh_token_that_was_exchanged_is_told_from_its_successor(find, person):
    first = person.device
    second = first.refresh()
    found = find(first.refresh_token + "\n" + second.refresh_token)
    assert kinds(found) == [("refresh-token", "used"), ("refresh-token", "valid")]
    assert [item["generation"] for item in found["items"]] == [1, 2]
    assert second.refresh().is_signed_in(), "asking is no reuse"


def test_a_key_names_itself_and_can_be_revoked_from_the_answer(find, shared_server):
    admin = shared_server.admin()
    made = admin.post("/v1/admin/api-keys", {"name": "leaky", "permissions": ["users:read"]}).json
    text = made["key"] + " " + made["apiKey"]["id"]
    assert kinds(admin.post(FIND, {"text": text}).json) == [("api-key", "valid"), ("api-key-id", "valid")]
    found = find(text)
    assert kinds(found) == [("api-key", "valid"), ("id", "unknown")], "an id tells only those who may read keys"
    item = found["items"][0]
    assert item["apiKey"]["id"] == made["apiKey"]["id"] and item["apiKey"]["name"] == "leaky"
    call = next(call for call in item["revokeWith"] if call["what"] == "revoke-api-key")
    assert not call["isAllowed"] and call["body"] is None
    assert admin.request(call["method"], call["path"]).status == 204
    assert kinds(find(made["key"])) == [("api-key", "revoked")]


def test_a_key_of_the_machine_is_revoked_by_superadmins_alone_and_the_answer_says_so(start_server, tmp_path):
    server = start_server()
    admin = with_role(server, "admin")
    assert server.stop() == 0
    made = Cli(tmp_path / "home", server).json("api-key", "create", "machine", "--permission", "users:read", "--local")
    server.start()

    def call_for(api):
        return api.post(FIND, {"text": made["key"]}).json["items"][0]["revokeWith"][0]

    of_admin, superadmin = admin.device.at(server).api, server.admin()
    call = call_for(of_admin)
    assert call["what"] == "revoke-api-key" and not call["isAllowed"]
    assert of_admin.request(call["method"], call["path"]).status == 403
    assert call_for(superadmin)["isAllowed"]
    assert superadmin.request(call["method"], call["path"]).status == 204


def test_ids_addresses_and_networks_are_looked_up(find, person):
    session = person.device.session_id
    found = find(f"{session} user:{person.id} {person.email.upper()} {uuid.uuid4()} no-one@example.test 127.0.0.1 127.0.0.0/8 192.0.2.0/24")
    assert kinds(found) == [
        ("session-id", "live"),
        ("user-id", "known"),
        ("email", "known"),
        ("id", "unknown"),
        ("email", "unknown"),
        ("ip-address", "in-use"),
        ("ip-network", "in-use"),
        ("ip-network", "unused"),
    ]
    assert [beside["network"] for beside in found["networks"]] == ["127.0.0.0/24", "127.0.0.0/8", "192.0.2.0/24"]


def test_a_request_id_names_whom_the_record_names(find, person):
    reply = person.api.post("/v1/auth/logout", {"refreshToken": person.device.refresh_token})
    assert reply.status == 204, reply
    line = json.dumps({"event": "request", "requestId": reply.headers["X-Request-Id"]})
    found = find(line)
    assert kinds(found) == [("request-id", "known")]
    assert found["items"][0]["user"]["id"] == person.id


def test_what_is_forged_is_not_believed(find, person):
    access, refresh = person.device.access_token, person.device.refresh_token
    header, payload, signature = access.split(".")
    nobody = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt","kid":""}').decode().rstrip("=")
    for text in (
        altered(access, len(access) - 20),
        f"{header}.{altered(payload, 30)}.{signature}",
        f"{nobody}.{payload}.{signature}",
        altered(refresh, 40),
        altered(refresh, 12),
        "sf_ak_" + "A" * 49,
    ):
        found = find(text)
        assert [state for _, state in kinds(found)] == ["not-ours"], text
        assert found["items"][0]["user"] is None and found["items"][0]["session"] is None
        assert found["users"] == found["networks"] == found["items"][0]["revokeWith"] == []


def test_the_text_is_in_no_answer_no_log_and_no_record(start_server):
    server = start_server()
    device = log_in(server, ADMIN_EMAIL, ADMIN_PASSWORD)
    secret = "a-word-that-leaked-beside"
    reply = device.api.post(FIND, {"text": f"{secret} {device.access_token} {device.refresh_token}"})
    assert reply.status == 200, reply
    rows = server.sql("SELECT actor, target, reason FROM audit_log WHERE action = 'session.find'")
    user = "user:" + reply.json["users"][0]["user"]["id"]
    assert rows == [(user, user, "access-token: 1, refresh-token: 1")]
    log = server.tail(1_000_000)
    assert log
    for kept in (secret, device.access_token, device.refresh_token):
        assert kept not in reply.text and kept not in log
    everything = server.sql("SELECT actor, target, reason, request_id FROM audit_log")
    assert secret not in repr(everything) and device.refresh_token not in repr(everything)


@pytest.mark.parametrize("around", ["\x1b[2J\x1b]0;x\x07", "<script>alert(1)</script>", "\u202e\u2066", "\r\nSet-Cookie: a=b\r\n"])
def test_what_surrounds_a_token_is_ignored_and_not_repeated(find, support, person, around):
    reply = support.api.post(FIND, {"text": around + person.device.refresh_token + around})
    assert kinds(reply.json) == [("refresh-token", "valid")]
    assert around not in reply.text and json.dumps(around)[1:-1] not in reply.text


def test_noise_as_long_as_a_body_may_be_is_answered(find, person):
    token = person.device.refresh_token
    for unit in ("@", "sf_rt_", "eyJ.", "a@b.test,", "1.1.1.1 ", "requestid", f"{uuid.uuid4()} ", "\u202e"):
        text = unit * (60_000 // len(json.dumps(unit)[1:-1])) + " " + token
        assert ("refresh-token", "valid") in kinds(find(text)), unit
    many = " ".join(f"10.{n // 250}.{n % 250}.1" for n in range(4_000))
    found = find(many + " " + token)
    assert found["isCut"] and len(found["items"]) == 50
    assert find("nothing of it")["items"] == []


def test_customers_and_strangers_may_not_ask(shared_server, person):
    text = {"text": person.device.access_token}
    assert shared_server.api().post(FIND, text).status == 401
    reply = person.api.post(FIND, text)
    assert reply.status == 403
    assert person.email not in reply.text


def test_support_sees_a_superior_and_is_told_that_ending_is_not_theirs(find, shared_server):
    superior = with_role(shared_server, "admin")
    item = find(superior.device.access_token)["items"][0]
    assert item["user"]["role"] == "admin"
    assert not any(call["isAllowed"] for call in item["revokeWith"])
    assert superior.device.is_signed_in()


def test_the_command_line_shows_a_table_and_the_commands_that_end_it(tmp_path, shared_server, person):
    cli = Cli(tmp_path / "home", shared_server).log_in(shared_server)
    session = person.device.session_id
    printed = cli.ok("session", "find", stdin=person.device.refresh_token)
    assert "refresh-token" in printed and "valid" in printed
    assert f"{person.email} (customer)" in printed and session in printed
    assert f"safawinet logout user {person.id}" in printed
    ending = next(line.split()[1:] for line in printed.splitlines() if "safawinet session end" in line)
    assert ending == ["session", "end", person.id, session]
    assert person.device.refresh_token not in printed
    item = cli.json("session", "find", stdin=person.device.access_token)["items"][0]
    assert item["session"]["id"] == session
    assert item["keyId"] in cli.ok("session", "find", stdin=person.device.access_token)
    assert "Nothing" in cli.ok("session", "find", stdin="nothing of it")
    cli.ok(*ending, "--yes")
    assert not person.device.is_signed_in()
    assert "revoked" in cli.ok("session", "find", stdin=person.device.access_token)
