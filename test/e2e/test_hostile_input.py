"""Every field of every route against everything that it should not be: 4xx, the field named, nothing changed."""

import json
import urllib.parse
import uuid

import pytest

from harness.people import OTHER_PASSWORD, PASSWORD, log_in, verified
from harness.server import ADMIN_EMAIL, EXEMPT, Server

SOMEBODY = str(uuid.uuid4())

# A body for every route that takes one: right in form, and without effect where that is possible.
BODIES = {
    ("POST", "/v1/auth/register"): {"email": "hostile@example.test", "password": PASSWORD, "name": "Hostile"},
    ("POST", "/v1/auth/verify-email"): {"token": "x"},
    ("POST", "/v1/auth/resend-verification"): {"email": "hostile@example.test"},
    ("POST", "/v1/auth/forgot-password"): {"email": "hostile@example.test"},
    ("POST", "/v1/auth/reset-password"): {"token": "x", "newPassword": PASSWORD},
    ("POST", "/v1/auth/login"): {"email": "hostile@example.test", "password": PASSWORD, "deviceName": "Device", "delivery": "body"},
    ("POST", "/v1/auth/refresh"): {"refreshToken": "x"},
    ("POST", "/v1/auth/logout"): {"refreshToken": "x"},
    ("POST", "/v1/auth/force-logout"): {"userId": SOMEBODY, "reason": "why", "includeOwnSession": False},
    ("POST", "/v1/auth/force-logout-all"): {"reason": "why", "includeOwnSession": False},
    ("POST", "/v1/auth/force-logout-bulk"): {"criteria": {"userIds": [SOMEBODY]}, "dryRun": True, "reason": "why"},
    ("POST", "/v1/admin/api-keys"): {
        "name": "hostile",
        "permissions": ["tokens:introspect"],
        "networks": ["192.0.2.0/24"],
    },
    ("POST", "/v1/admin/keys/rotate"): {"purpose": "signing", "expectedActive": "another", "reason": "why"},
    ("POST", "/v1/admin/keys/{kid}/distrust"): {"revoke": "none", "reason": "why"},
    ("POST", "/v1/admin/under-attack"): {"state": "auto", "reason": "why", "expiresIn": 60},
    ("POST", "/v1/admin/users/import"): {"users": [], "dryRun": True},
    ("POST", "/v1/auth/new-address"): {
        "email": "hostile@example.test", "password": PASSWORD, "newEmail": "moved@example.test", "code": "000000"
    },
    ("POST", "/v1/email/bounces"): {"email": "hostile@example.test", "type": "transient", "reason": "why"},
    ("POST", "/v1/email/suppressions"): {"email": "hostile@example.test", "scope": "not-security", "reason": "why"},
    ("POST", "/v1/email/outbox/{id}/retry"): {"reason": "why"},
    ("POST", "/v1/email/test"): {"email": "hostile@example.test", "kind": "test", "locale": "en"},
    ("POST", "/v1/admin/mode"): {"mode": "contain", "reason": "why", "expiresIn": 60, "dryRun": True},
    ("POST", "/v1/audit/verify"): {"from": 1},
    ("POST", "/v1/audit/erase"): {"userId": SOMEBODY, "reason": "why"},
    ("POST", "/v1/admin/users"): {
        "email": ADMIN_EMAIL,  # taken
        "name": "Root",
        "role": "support",
        "password": OTHER_PASSWORD,
        "verified": True,
    },
    ("POST", "/v1/admin/users/{id}/disable"): {"reason": "why"},
    ("POST", "/v1/admin/users/{id}/enable"): {"reason": "why"},
    ("POST", "/v1/admin/users/{id}/role"): {"role": "support", "reason": "why"},
    ("POST", "/v1/admin/sessions/find"): {"text": "nothing"},
    ("POST", "/v1/admin/invitations"): {"email": "hostile@example.test"},
    ("PATCH", "/v1/users/me"): {"name": "Root", "locale": "en"},
    ("DELETE", "/v1/users/me"): {"password": OTHER_PASSWORD},
    ("POST", "/v1/users/me/change-password"): {"currentPassword": OTHER_PASSWORD, "newPassword": PASSWORD},
    ("POST", "/v1/users/me/change-email"): {"password": OTHER_PASSWORD, "newEmail": "hostile@example.test"},
    ("POST", "/v1/auth/login/second-factor"): {"ticket": "x", "code": "000000"},
    ("POST", "/v1/auth/step-up"): {"password": OTHER_PASSWORD, "code": "000000"},
    ("POST", "/v1/users/me/factors/totp"): {"password": OTHER_PASSWORD},
    ("POST", "/v1/users/me/factors/totp/confirm"): {"code": "000000"},
    ("DELETE", "/v1/users/me/factors/totp"): {"password": OTHER_PASSWORD, "code": "000000"},
    ("POST", "/v1/users/me/factors/backup-codes"): {"password": OTHER_PASSWORD, "code": "000000"},
}
REQUIRED = {
    "/v1/auth/register": {"email", "password"},
    "/v1/auth/login": {"email", "password"},
    "/v1/auth/force-logout": set(),
    "/v1/auth/force-logout-all": set(),
    "/v1/auth/force-logout-bulk": {"criteria"},
    "/v1/auth/logout": set(),
    "/v1/auth/step-up": set(),
    "/v1/admin/users": {"email"},
    "/v1/admin/users/{id}/enable": set(),
    "/v1/admin/users/{id}/role": {"role"},
    "/v1/admin/api-keys": {"name", "permissions"},
    "/v1/admin/keys/rotate": set(),
    "/v1/admin/keys/{kid}/distrust": set(),
    "/v1/admin/under-attack": {"state", "reason"},
    "/v1/admin/users/import": {"users"},
    "/v1/auth/new-address": {"email", "password", "newEmail"},
    "/v1/email/suppressions": {"email", "reason"},
    "/v1/email/outbox/{id}/retry": set(),
    "/v1/email/test": {"email"},
    "/v1/admin/mode": {"mode"},
    "/v1/audit/verify": set(),
}
ROUTES = sorted(BODIES)
EVERY_TYPE = {"null": None, "true": True, "number": 7, "fraction": 1.5, "string": "word", "list": [], "object": {}}


def required_fields(route: tuple[str, str]) -> set[str]:
    return set() if route[0] == "PATCH" else REQUIRED.get(route[1], set(BODIES[route]))


def type_of(value) -> set[str]:
    if isinstance(value, dict):
        return {"object"}
    return {"true"} if isinstance(value, bool) else {"string"} if isinstance(value, str) else {"number", "fraction"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server, whose users and sessions must be the same at the end of all this."""
    server = Server(tmp_path_factory.mktemp("hostile") / "server", EXEMPT).start()
    server.victim = log_in(server, verified(server), PASSWORD)
    server.caller = server.admin()
    before = everything(server)
    yield server
    assert everything(server) == before
    assert server.caller.me().status == 200
    assert server.victim.is_signed_in()
    server.close()


def everything(server: Server) -> list:
    return [
        server.sql("SELECT id, email, name, locale, role, is_active, credential_version FROM users ORDER BY id"),
        server.sql("SELECT id, user_id, generation, epoch FROM refresh_sessions ORDER BY id"),
        server.sql("SELECT epoch FROM session_epoch"),
    ]


def send(server: Server, route: tuple[str, str], body: bytes, content_type: str | None = "application/json"):
    method, path = route
    path = path.replace("{id}", SOMEBODY).replace("{kid}", "1")
    reply = server.caller.request(method, path, body=body, headers={"Content-Type": content_type})
    assert reply.status < 500, (route, body[:200], reply)
    return reply


def test_the_table_above_knows_every_route_that_takes_a_body(server):
    document = server.api().get("/openapi.json").json
    taking = {
        (method.upper(), path)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if path.startswith("/v1/") and set(operation.get("requestBody", {}).get("content", {})) == {"application/json"}
    }

    # What SNS sends is text/plain besides, and signed: test_ses_events.py.
    assert taking == set(BODIES)


def test_the_one_form_of_the_api_is_tested_below(server):
    document = server.api().get("/openapi.json").json
    forms = {
        (method.upper(), path)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if "application/x-www-form-urlencoded" in operation.get("requestBody", {}).get("content", {})
    }

    assert forms == {("POST", "/v1/auth/introspect")}


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_a_field_of_another_type_is_refused_and_named(server, route):
    good = BODIES[route]
    for field, value in good.items():
        for name, other in EVERY_TYPE.items():
            required = field in required_fields(route)
            if name in type_of(value) or (name == "null" and not required):
                continue
            reply = send(server, route, json.dumps(good | {field: other}).encode())
            assert reply.status == 422, (field, name, reply)
            assert f"/{field}" in reply.pointers, (field, name, reply)


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_missing_fields_are_all_named_at_once(server, route):
    required = required_fields(route)
    if not required:
        return
    reply = send(server, route, b"{}")

    assert reply.status == 422, reply
    assert reply.pointers == {f"/{field}" for field in required}
    assert all({"pointer", "code", "detail"} <= set(error) for error in reply.json["errors"])


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_a_field_that_nobody_asked_for_is_refused_and_named(server, route):
    for name in ("isAdmin", "Email", "__proto__", "a/b~c", ""):
        reply = send(server, route, json.dumps(BODIES[route] | {name: "x"}).encode())
        assert reply.status == 422, (name, reply)
        assert "/" + name.replace("~", "~0").replace("/", "~1") in reply.pointers, reply


STRINGS = {
    "ten thousand letters": "a" * 10_000,
    "sixty thousand letters": "a" * 60_000,
    "NUL": "a\0b@example.test",
    "newline": "a\r\nBcc: b@example.test",
    "controls": "\x01\x02\x7f\x1b[31m",
    "right to left": "\u202etxt.exe",
    "only spaces": "    ",
    "markup": "<script>alert(1)</script>",
    "template": "{{password}} ${HOME} %s %n",
    "SQL": "'; DROP TABLE users; --",
    "path": "../../etc/passwd\0.eml",
    "noncharacter": "\uffff",
    "many combining marks": "a" + "\u0301" * 500,
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 20,
}


def test_strange_strings_in_a_form_break_nothing(server):
    route, form = ("POST", "/v1/auth/introspect"), "application/x-www-form-urlencoded"
    for text in STRINGS.values():
        for body in ({"token": text}, {"token": "x", "token_type_hint": text}, {"token": "x", text: text}):
            reply = send(server, route, urllib.parse.urlencode(body).encode()[:65_000], form)
            assert reply.status in (200, 400), (body, reply)
            assert reply.status == 400 or reply.json == {"active": False}
    for raw in (b"", b"&", b"=", b"&&=&", b"token", b"token=%", b"token=%0", b"token=\xff", b"token=\0", b"&" * 60_000,
                b"token=a&" * 8_000, b"[]", b"{}", b"\x1f\x8b\x08\0"):
        assert send(server, route, raw, form).status == 400, raw[:80]
        assert send(server, route, raw, "application/json").status == 415, raw[:80]


@pytest.mark.parametrize("route", [route for route in ROUTES if route[0] != "PATCH"], ids=" ".join)
def test_strange_strings_break_nothing(server, route):
    for field, value in BODIES[route].items():
        is_new_password = (route[1], field) == ("/v1/auth/register", "password")
        if not isinstance(value, str) or is_new_password or field in ("reason", "name", "deviceName"):
            continue
        for what, text in STRINGS.items():
            reply = send(server, route, json.dumps(BODIES[route] | {field: text}).encode())
            takes_anything = route[1] in ("/v1/auth/logout", "/v1/admin/sessions/find")
            assert 400 <= reply.status or takes_anything, (field, what, reply)
            if reply.status == 422:
                assert reply.pointers <= {f"/{name}" for name in BODIES[route]}, (field, what, reply)
            assert text not in reply.text or len(text) < 5, (field, what)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "@",
        "a@",
        "@example.test",
        "a b@example.test",
        "a@b@example.test",
        "a@example..test",
        ".a@example.test",
        "a@-example.test",
        "a@exam ple.test",
        "a\n@example.test",
        "<a@example.test>",
        "a@example.test,b@example.test",
        "a" * 65 + "@example.test",
        "a@" + "b" * 260 + ".test",
        "a@[127.0.0.1]",
        '"a b"@example.test',
        "a@example.test\r\nBcc: c@example.test",
    ],
)
def test_an_address_that_is_none_is_refused_and_mailed_nothing(server, address):
    for route, field in (("/v1/auth/register", "email"), ("/v1/users/me/change-email", "newEmail")):
        mails = len(server.mail.all())
        reply = send(server, ("POST", route), json.dumps(BODIES["POST", route] | {field: address}).encode())
        assert (reply.status, f"/{field}" in reply.pointers) == (422, True), (route, reply)
        assert len(server.mail.all()) == mails


LARGE = {
    "two keys the same": b'{"email": "a@example.test", "email": "b@example.test", "password": "x"}',
    "nothing": b"",
    "a space": b" ",
    "cut": b'{"email": "a@example.test", "pass',
    "more behind": b'{"token": "x"} {}',
    "garbage behind": b'{"token": "x"}x',
    "a comment": b'{"token": "x" /* why */}',
    "a comma too many": b'{"token": "x",}',
    "single quotes": b"{'token': 'x'}",
    "no quotes": b"{token: 1}",
    "not a number": b'{"token": NaN}',
    "infinite": b'{"token": 1e99999}',
    "leading zero": b'{"token": 01}',
    "half a surrogate": b'{"token": "\\ud800"}',
    "surrogates swapped": b'{"token": "\\udc00\\ud800"}',
    "raw control": b'{"token": "a\x01"}',
    "raw newline": b'{"token": "a\nb"}',
    "an escape that is none": b'{"token": "\\x41"}',
    "NUL escaped": b'{"token": "a\\u0000"}',
    "NUL in a name": b'{"to\\u0000ken": "a"}',
    "not UTF-8": b'{"token": "\xff\xfe"}',
    "overlong UTF-8": b'{"token": "\xc0\xaf"}',
    "UTF-8 of a surrogate": b'{"token": "\xed\xa0\x80"}',
    "UTF-8 cut": b'{"token": "\xe2\x82"}',
    "UTF-16": '{"token": "x"}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + b'{"token": "x"}',
    "33 deep": b'{"token": ' + b"[" * 33 + b"]" * 33 + b"}",
    "ten thousand deep": b'{"token": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "never closed": b"[" * 60_000,
    "objects never closed": b'{"a":' * 10_000,
    "ten thousand fields": json.dumps({f"f{number}": 1 for number in range(5_000)}).encode()[:64_000] + b"}",
}


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_what_is_no_good_json_is_refused(server, route):
    for what, body in LARGE.items():
        if what == "nothing" and not required_fields(route):
            continue  # then it is the same as an empty object
        reply = send(server, route, body)
        assert reply.status in (400, 422), (what, reply)
        assert reply.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_what_is_json_but_no_object_is_refused(server, route):
    for body in (b"null", b"[]", b'"x"', b"7", b"true", b"[{}]"):
        reply = send(server, route, body)
        assert reply.status in (400, 422), (body, reply)


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_a_body_too_large_or_of_another_type_is_refused(server, route):
    assert send(server, route, b'{"a": "' + b"a" * 65_536 + b'"}').status == 413
    assert send(server, route, json.dumps(BODIES[route]).encode(), "text/xml").status == 415
    assert send(server, route, json.dumps(BODIES[route]).encode(), None).status == 415


def test_strange_parameters_in_paths_and_queries_break_nothing(server):
    long, statement = "a" * 4000, "1%20OR%201=1"
    for value in ("%00", "%ff", "%2e%2e%2f", long, statement, "%F0%9F%92%A9", "-1", "1e9", "%0d%0aX:1", "%zz", "%", ""):
        for path in (
            f"/v1/admin/users/{value}",
            f"/v1/admin/users/{value}/sessions",
            f"/v1/admin/users?query={value}",
            f"/v1/admin/users?limit={value}",
            f"/v1/admin/users?cursor={value}",
            f"/v1/sessions?cursor={value}",
            f"/v1/sessions?limit={value}",
            f"/v1/sessions?nonsense={value}",
            f"/verify-email?token={value}",
            f"/reset-password?token={value}",
            f"/{value}",
        ):
            reply = server.caller.get(path)
            assert reply.status < 500, (path, reply)


def test_a_page_never_holds_what_its_address_said(server):
    for page in ("/verify-email", "/reset-password"):
        text = server.api().get(f"{page}?token=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").text
        assert "<script>" not in text


def test_an_idempotency_key_that_is_none_is_refused(server):
    for key in ("", "a" * 300, "caf\xe9", "a\tb"):
        headers = {"Idempotency-Key": key}
        body = BODIES["POST", "/v1/auth/force-logout"]
        reply = server.caller.post("/v1/auth/force-logout", body, headers=headers)
        assert 400 <= reply.status < 500, (key, reply)
