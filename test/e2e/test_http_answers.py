"""What every answer has: problems, request ids, security headers, CORS."""

import uuid

import pytest

from harness.mail import VERIFY
from harness.people import PASSWORD, new_address, signed_up_user
from harness.server import PUBLIC_URL, eventually


def assert_problem(reply, status: int) -> None:
    assert reply.status == status, reply
    assert reply.headers["Content-Type"] == "application/problem+json"
    problem = reply.json
    assert {"type", "title", "status", "requestId"} <= set(problem), problem
    assert problem["status"] == status
    assert problem["requestId"] == reply.headers["X-Request-Id"]


@pytest.mark.parametrize("path", ["/nothing", "/v1", "/v1/", "/v1/users/me/", "/V1/users/me"])
def test_an_unknown_path_is_a_problem(shared_server, path):
    assert_problem(shared_server.api().get(path), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/auth/login", {"POST"}),
        ("PUT", "/v1/users/me", {"GET", "HEAD", "PATCH", "DELETE"}),
        ("POST", "/health", {"GET", "HEAD"}),
        ("DELETE", "/v1/sessions", {"GET", "HEAD"}),
    ],
)
def test_a_method_that_a_path_does_not_know_names_those_it_knows(shared_server, method, path, allowed):
    reply = shared_server.api().request(method, path)

    assert_problem(reply, 405)
    named = {name.strip() for name in reply.headers["Allow"].split(",")} - {"OPTIONS"}
    assert named - {"HEAD"} == allowed - {"HEAD"}


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "multipart/form-data"],
)
def test_a_body_that_does_not_say_it_is_json_is_a_problem(shared_server, content_type):
    body = b'{"email": "somebody@example.test", "password": "x"}'
    reply = shared_server.api().post("/v1/auth/login", body=body, headers={"Content-Type": content_type})

    assert_problem(reply, 415)


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_a_body_that_says_it_is_json_is_read(person, content_type):
    body = f'{{"email": "{person.email}", "password": "{PASSWORD}"}}'.encode()
    reply = person.server.api().post("/v1/auth/login", body=body, headers={"Content-Type": content_type})

    assert reply.status == 200, reply


def test_a_body_over_64_kib_is_a_problem_and_one_of_64_kib_is_read(shared_server):
    api = shared_server.api()
    fits = b'{"email": "a@example.test", "password": "x"}'.ljust(65536)

    assert api.post("/v1/auth/login", body=fits).status == 401
    assert_problem(api.post("/v1/auth/login", body=fits + b" "), 413)


def test_a_missing_or_bad_credential_says_how_to_authenticate(shared_server):
    for token in (None, "nonsense"):
        reply = shared_server.api(token).me()
        assert_problem(reply, 401)
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")


def test_every_answer_has_a_request_id_of_its_own(shared_server):
    ids = [shared_server.api().get("/health/live").headers["X-Request-Id"] for _ in range(3)]

    assert all(ids)
    assert len(set(ids)) == 3


def test_the_request_id_leads_to_the_line_in_the_log(shared_server):
    request_id = shared_server.api().get(f"/{uuid.uuid4()}").headers["X-Request-Id"]
    eventually(lambda: any(request_id in line for line in shared_server.lines), "the request is in the access log")


@pytest.mark.parametrize("path", ["/health", "/v1/users/me", "/nothing", "/docs", "/openapi.json", "/v1/auth/login"])
def test_security_headers_are_on_everything(shared_server, path):
    headers = shared_server.api().get(path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "Server" not in headers or not any(character.isdigit() for character in headers["Server"])


def test_answers_that_hold_tokens_or_personal_data_are_not_to_be_stored(person):
    replies = [
        person.server.api().login(person.email, PASSWORD),
        person.server.api().refresh(person.device.refresh_token),
        person.api.me(),
        person.api.sessions(),
    ]

    assert [reply.headers["Cache-Control"] for reply in replies] == ["no-store"] * 4


def test_head_answers_as_get_without_a_body(shared_server):
    api = shared_server.api()
    get, head = api.get("/health/live"), api.request("HEAD", "/health/live")

    assert (head.status, head.body) == (get.status, b"")


def test_by_default_no_other_origin_may_read_answers(person):
    origin = {"Origin": "https://app.example.test"}
    preflight = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    replies = [
        person.api.get("/v1/users/me", headers=origin),
        person.server.api().request("OPTIONS", "/v1/users/me", headers=origin | preflight),
    ]

    for reply in replies:
        assert not [name for name in reply.headers.keys() if name.lower().startswith("access-control-")]


def test_a_configured_origin_may_and_no_other(start_server):
    server = start_server({"SAFAWINET__HTTP__CORS_ORIGINS": "https://app.example.test"})
    wanted = "authorization, content-type"
    preflight = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": wanted}
    mine, foreign = {"Origin": "https://app.example.test"}, {"Origin": "https://app.example.test.evil.test"}

    allowed = server.api().request("OPTIONS", "/v1/users/me", headers=mine | preflight)
    assert allowed.status in (200, 204), allowed
    assert allowed.headers["Access-Control-Allow-Origin"] == mine["Origin"]
    assert "PATCH" in allowed.headers["Access-Control-Allow-Methods"]
    assert "authorization" in allowed.headers["Access-Control-Allow-Headers"].lower()
    answer = server.api().get("/health", headers=mine)
    assert answer.headers["Access-Control-Allow-Origin"] == mine["Origin"]
    assert "Origin" in answer.headers["Vary"]
    assert answer.headers["Access-Control-Allow-Credentials"] != "true"
    for refused in (
        server.api().request("OPTIONS", "/v1/users/me", headers=foreign | preflight),
        server.api().get("/health", headers=foreign),
        server.api().get("/health", headers={"Origin": "null"}),
    ):
        assert "Access-Control-Allow-Origin" not in refused.headers


def test_links_in_mail_come_from_the_settings_whatever_the_host_header_says(shared_server):
    address = new_address()
    body = {"email": address, "password": PASSWORD}
    headers = {"Host": "evil.test", "X-Forwarded-Host": "evil.test", "Forwarded": "host=evil.test"}
    assert shared_server.api().post("/v1/auth/register", body, headers=headers).status == 202

    mail = shared_server.mail.wait_for(address, VERIFY)
    assert mail.link(VERIFY).startswith(PUBLIC_URL + "/")
    assert b"evil.test" not in mail.source


def test_forwarding_headers_of_strangers_are_not_believed(person):
    headers = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9", "X-Real-IP": "203.0.113.9"}
    reply = person.server.api().login(person.email, PASSWORD, headers=headers)
    items = person.api.with_token(reply.json["accessToken"]).sessions().json["items"]

    assert {item["ipAddress"] for item in items} == {"127.0.0.1"}


def test_forwarding_headers_of_a_configured_proxy_are_believed(start_server):
    server = start_server({"SAFAWINET__HTTP__TRUSTED_PROXIES": "127.0.0.1/32"})
    person = signed_up_user(server)
    reply = server.api().login(person.email, PASSWORD, headers={"X-Forwarded-For": "198.51.100.7, 203.0.113.9"})
    items = person.api.with_token(reply.json["accessToken"]).sessions().json["items"]

    assert next(item["ipAddress"] for item in items if item["current"]) == "203.0.113.9"
