"""The refresh token of a browser: in a cookie that no script reads and no page of another origin makes use of."""

import concurrent.futures
import http.cookies
import json
import re
import uuid

import pytest

from harness.mail import VERIFY
from harness.people import OTHER_PASSWORD, PASSWORD, new_address, registered, signed_up_user
from harness.server import EXEMPT, PUBLIC_URL, Server, eventually, run

APP = "https://app.example.test"
COOKIE = "__Host-safawinet-refresh"
FOREIGN = ["https://evil.test", "https://app.example.test.evil.test", "http://app.example.test", "null",
           "https://sibling.example.test", "https://app.example.test:8443", "HTTPS://APP.EXAMPLE.TEST"]


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory):
    settings = EXEMPT | {"SAFAWINET__HTTP__CORS_ORIGINS": APP}
    server = Server(tmp_path_factory.mktemp("browsers") / "server", settings)
    yield server.start()
    server.close()


class Browser:
    """A page of `origin` in a browser that keeps cookies as RFC 6265bis says, as far as it matters here."""

    def __init__(self, server: Server, origin: str | None = APP):
        self.api = server.api()
        self.origin = origin
        self.cookies: dict[str, str] = {}
        self.set: http.cookies.Morsel | None = None

    def post(self, path: str, body: dict | None = None, **more: str | None):
        fields = {"Origin": self.origin}
        if self.cookies:
            fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        options = {} if body is None else {"json_body": body}
        reply = self.api.post(path, headers=fields | more, **options)
        self.keep(reply)
        return reply

    def keep(self, reply) -> None:
        self.set = None
        for line in reply.headers.get_all("Set-Cookie") or []:
            parsed = http.cookies.SimpleCookie(line)
            (name, morsel), = parsed.items()
            assert name == COOKIE
            assert morsel["path"] == "/" and morsel["secure"] and morsel["httponly"] and not morsel["domain"], line
            assert morsel["samesite"] == "Lax"
            self.set = morsel
            if int(morsel["max-age"]) <= 0:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value

    def log_in(self, email: str, password: str = PASSWORD):
        return self.post("/v1/auth/login", {"email": email, "password": password, "delivery": "cookie"})

    def refresh(self):
        return self.post("/v1/auth/refresh")

    def log_out(self):
        return self.post("/v1/auth/logout")


@pytest.fixture
def browser(person) -> Browser:
    """Signed in."""
    one = Browser(person.server)
    reply = one.log_in(person.email)
    assert reply.status == 200, reply
    return one


def test_a_login_brings_the_refresh_token_in_the_cookie_alone(person):
    browser = Browser(person.server)
    reply = browser.log_in(person.email)

    assert reply.status == 200, reply
    assert set(reply.json) == {"accessToken", "tokenType", "expiresIn", "user"}
    token = browser.cookies[COOKIE]
    assert token.startswith("sf_rt_")
    assert token not in reply.text
    assert int(browser.set["max-age"]) == 14 * 86400
    assert len(reply.headers["Set-Cookie"]) < 400, "far below the 4,096 bytes that browsers keep"
    assert reply.headers["Access-Control-Allow-Origin"] == APP
    assert reply.headers["Access-Control-Allow-Credentials"] == "true"
    assert person.server.api(reply.json["accessToken"]).me().json["email"] == person.email


def test_by_default_it_is_in_the_body_and_no_cookie_is_set(person):
    for body in ({}, {"delivery": "body"}, {"delivery": None}):
        reply = Browser(person.server, origin=None).post(
            "/v1/auth/login", {"email": person.email, "password": PASSWORD} | body)

        assert reply.status == 200, reply
        assert reply.json["refreshToken"].startswith("sf_rt_")
        assert "Set-Cookie" not in reply.headers


def test_another_delivery_is_refused(person):
    for wrong in ("Cookie", "header", "", 1, True, ["cookie"]):
        reply = Browser(person.server).post(
            "/v1/auth/login", {"email": person.email, "password": PASSWORD, "delivery": wrong})

        assert reply.status == 422, reply
        assert reply.pointers == {"/delivery"}


def test_a_refresh_moves_the_cookie_on(browser):
    tokens = {browser.cookies[COOKIE]}
    for _ in range(3):
        reply = browser.refresh()
        assert reply.status == 200, reply
        assert set(reply.json) == {"accessToken", "tokenType", "expiresIn"}
        assert browser.api.with_token(reply.json["accessToken"]).me().status == 200
        tokens.add(browser.cookies[COOKIE])

    assert len(tokens) == 4


def test_a_retry_gets_the_same_successor_also_when_all_ask_at_once(browser, person):
    first = dict(browser.cookies)

    def ask(_: int) -> str:
        one = Browser(person.server)
        one.cookies = dict(first)
        reply = one.refresh()
        assert reply.status == 200, reply
        return one.cookies[COOKIE]

    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        assert len(set(threads.map(ask, range(32)))) == 1


def test_an_old_cookie_is_theft_and_ends_the_session(browser, person):
    stolen = dict(browser.cookies)
    browser.refresh()
    access = browser.refresh().json["accessToken"]
    thief = Browser(person.server)
    thief.cookies = stolen
    reply = thief.refresh()

    assert reply.status == 401, reply
    assert thief.cookies == {}
    assert browser.refresh().status == 401
    assert browser.cookies == {}
    assert person.server.api(access).me().status == 401


def test_a_logout_ends_the_session_and_takes_the_cookie_away(browser, person):
    access, before = browser.refresh().json["accessToken"], dict(browser.cookies)
    assert browser.log_out().status == 204
    assert browser.cookies == {}
    assert person.server.api(access).me().status == 401

    browser.cookies = dict(before)
    assert browser.log_out().status == 204, "also when it has ended"
    assert browser.cookies == {}
    browser.cookies = dict(before)
    assert browser.refresh().status == 401
    assert browser.cookies == {}


@pytest.mark.parametrize("origin", [None, *FOREIGN])
def test_a_page_of_another_origin_changes_nothing(browser, person, origin):
    before = dict(browser.cookies)
    audited = person.server.sql("SELECT count(*) FROM audit_log WHERE action = 'user.logged-in'")
    browser.origin = origin
    for reply in (browser.refresh(), browser.log_out(), browser.log_in(person.email), browser.log_in(person.email, "x")):
        assert reply.status == 403, reply
        assert reply.problem == "origin-not-allowed"
        assert "Set-Cookie" not in reply.headers
        assert not [name for name in reply.headers if name.lower() == "access-control-allow-credentials"]
    assert browser.cookies == before
    assert person.server.sql("SELECT count(*) FROM audit_log WHERE action = 'user.logged-in'") == audited

    browser.origin = APP
    assert browser.refresh().status == 200


def test_a_page_of_the_servers_own_origin_may_without_any_setting(start_server):
    server = start_server()
    person = signed_up_user(server)
    own, other = Browser(server, PUBLIC_URL), Browser(server, APP)

    assert own.log_in(person.email).status == 200
    assert own.refresh().status == 200
    assert own.log_out().status == 204
    assert other.log_in(person.email).status == 403


def test_two_of_the_cookie_are_refused_and_change_nothing(browser):
    token = browser.cookies[COOKIE]
    for field in (f"{COOKIE}={token}; {COOKIE}={token}", f"{COOKIE}=evil; {COOKIE}={token}", f"{COOKIE}; {COOKIE}={token}"):
        for path in ("/v1/auth/refresh", "/v1/auth/logout"):
            reply = browser.post(path, Cookie=field)
            assert reply.status == 400, reply
            assert "Set-Cookie" not in reply.headers

    connection = browser.api.connect()
    connection.putrequest("POST", "/v1/auth/refresh")
    for name, value in (("Origin", APP), ("Cookie", f"{COOKIE}={token}"), ("Cookie", f"{COOKIE}={token}"),
                        ("Content-Length", "0")):
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()
    assert browser.refresh().status == 200


def test_garbage_in_the_cookie_is_refused_and_cleared(browser):
    good = browser.cookies[COOKIE]
    for garbage in ("", "x", "sf_rt_", '""', good[:-1], good + "A", f'"{good}"', good.upper(), "sf_rt_" + "A" * 6000):
        browser.cookies = {COOKIE: garbage}
        reply = browser.refresh()
        assert (reply.status, reply.problem) == (401, "unauthenticated"), (garbage, reply)
        assert browser.cookies == {}, garbage

    browser.cookies = {"theme": 'da"rk', COOKIE: good, "_ga": "GA1.1", "empty": ""}
    assert browser.refresh().status == 200, "the cookies of others do not matter"


def test_cookies_that_are_too_large_are_refused(browser):
    token = browser.cookies[COOKIE]
    reply = browser.post("/v1/auth/refresh", Cookie=f"{COOKIE}={token}; big=" + "x" * 20_000)

    assert reply.status == 431, reply
    assert browser.refresh().status == 200


def test_without_cookie_and_token_the_answer_says_what_is_missing(person):
    for body in (None, {}):
        reply = Browser(person.server).post("/v1/auth/refresh", body)
        assert reply.status == 422, reply
        assert reply.pointers == {"/refreshToken"}


def test_a_preflight_allows_credentials_where_the_cookie_is_used_and_to_these_origins_alone(shared_server):
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    for path, may in (("/v1/auth/login", True), ("/v1/auth/refresh", True), ("/v1/auth/logout", True),
                      ("/v1/auth/register", False), ("/v1/users/me/change-password", False)):
        for origin in (APP, PUBLIC_URL, *FOREIGN):
            reply = shared_server.api().request("OPTIONS", path, headers=asked | {"Origin": origin})
            allowed = reply.headers["Access-Control-Allow-Credentials"]
            assert (allowed == "true") == (may and origin == APP), (path, origin, reply)
            assert reply.headers["Access-Control-Allow-Origin"] in (None, APP)
            assert "Origin" in reply.headers["Vary"]


def test_the_token_of_the_cookie_is_in_no_log(browser, person):
    token = browser.cookies[COOKIE]
    reply = browser.refresh()
    request_id = reply.headers["X-Request-Id"]
    eventually(lambda: any(request_id in line for line in person.server.lines), "the request is in the log")

    for secret in (token, browser.cookies[COOKIE]):
        assert not [line for line in person.server.lines if secret in line]


def test_nothing_else_sets_a_cookie(shared_server, tmp_path):
    """Every route, called in vain and as it should be, also by who already has cookies."""
    routes = json.loads(run("routes", "--json", folder=tmp_path).stdout)
    assert len(routes) > 20
    admin = shared_server.admin()
    cookies = {"Origin": APP, "Cookie": f"{COOKIE}=sf_rt_AAAA; session=1"}
    setting = set()
    for route in routes:
        path = re.sub(r"\{\w+\}", lambda _: str(uuid.uuid4()), route["path"])
        api = shared_server.operations if path == "/metrics" else shared_server.api()
        for token in (None, admin.token):
            for headers in ({}, {"Origin": APP}, cookies):
                for body in (None, b"{}", b"[]", b"token=x&email=nobody%40example.test"):
                    if route["method"] in ("GET", "HEAD") and body is not None:
                        continue
                    if path.startswith("/v1/auth/force-logout-all") and body in (None, b"{}"):
                        continue
                    if path == "/v1/sessions/end-others" or (path == "/v1/auth/logout" and token):
                        continue
                    reply = api.with_token(token).request(route["method"], path, body=body, headers=headers)
                    if "Set-Cookie" in reply.headers:
                        setting.add((route["path"], bool(headers.get("Cookie"))))
    assert setting == {("/v1/auth/refresh", True), ("/v1/auth/logout", True)}

    email = registered(shared_server, new_address("cookieless"))
    token = shared_server.mail.wait_for(email, VERIFY).token
    api = shared_server.api()
    replies = [api.verify_email(token), api.login(email, PASSWORD)]
    tokens = replies[-1].json
    signed_in = api.with_token(tokens["accessToken"])
    replies += [signed_in.me(), signed_in.sessions(), signed_in.change_profile(name="Ada"), api.refresh(tokens["refreshToken"]),
                signed_in.change_password(PASSWORD, OTHER_PASSWORD), signed_in.end_other_sessions(), signed_in.logout()]
    for reply in replies:
        assert reply.status < 300, reply
        assert "Set-Cookie" not in reply.headers
