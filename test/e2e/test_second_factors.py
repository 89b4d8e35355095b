"""Second factors: enrolling, login in two steps, backup codes, limits, losing the phone."""

import concurrent.futures
import re

import pytest

from harness.cli import Cli
from harness.factors import (
    App,
    enrolled,
    log_in_with,
    offer,
    parameters_of,
    qr_size,
    second_step,
    ticket,
    totp_code,
    wrong_codes,
)
from harness.mail import RESET
from harness.people import OTHER_PASSWORD, PASSWORD, claims_of, log_in, signed_up_user, with_role
from harness.races import request_bytes, together
from harness.server import ADMIN_PASSWORD, EXEMPT, eventually, rounds

SINGLE = "urn:safawinet:acr:single-factor"
MULTI = "urn:safawinet:acr:multi-factor"


@pytest.fixture
def app(person) -> App:
    return enrolled(person)


def audit_rows(server, action: str, user: str) -> list[tuple]:
    return server.sql(
        "SELECT actor, target, reason FROM audit_log WHERE action = ? AND target = ? ORDER BY at, id", action, f"user:{user}"
    )


# --- enrolling


def test_the_offer_is_a_secret_a_uri_and_two_pictures_and_asks_for_nothing_yet(shared_server, person):
    offered = offer(person)
    assert re.fullmatch(r"[A-Z2-7]{32}", offered["secret"])
    parameters = parameters_of(offered["otpauthUri"])
    assert parameters["secret"] == offered["secret"]
    assert parameters["issuer"] == "accounts.example.test"
    assert (parameters["algorithm"], parameters["digits"], parameters["period"]) == ("SHA1", "6", "30")
    assert offered["qrSvg"].startswith("<svg ")
    width, height = qr_size(offered["qrPng"])
    assert width == height > 200
    assert log_in(shared_server, person.email, PASSWORD).is_signed_in()
    assert person.api.get("/v1/users/me/factors").json == {"totp": None, "backupCodesLeft": 0}


def test_a_wrong_password_gets_no_secret(person):
    reply = person.api.post("/v1/users/me/factors/totp", {"password": OTHER_PASSWORD})
    assert reply.status == 422 and reply.pointers == {"/password"}
    assert "secret" not in reply.json


def test_a_second_offer_replaces_the_first_and_the_code_must_be_of_it(person):
    first, second = offer(person)["secret"], offer(person)["secret"]
    confirm = "/v1/users/me/factors/totp/confirm"
    reply = person.api.post(confirm, {"code": totp_code(first)})
    assert reply.status == 422 and reply.json["errors"][0]["code"] == "wrong-code"
    assert person.api.post(confirm, {"code": totp_code(second)}).status == 200
    assert person.api.post(confirm, {"code": totp_code(second, steps=1)}).status == 409


def test_enrolling_ends_the_other_sessions_and_pending_tokens_and_tells_the_owner(shared_server, person):
    phone = person.log_in("phone")
    shared_server.api().forgot_password(person.email)
    token = shared_server.mail.wait_for(person.email, RESET).token
    app = enrolled(person)

    assert not phone.is_signed_in() and not phone.may_refresh()
    assert person.device.is_signed_in()
    assert shared_server.api().reset_password(token, OTHER_PASSWORD).status == 422
    assert len(app.backup_codes) == 10
    eventually(
        lambda: any("second factor was added" in mail.text for mail in shared_server.mail.to(person.email)), "the mail"
    )
    assert audit_rows(shared_server, "user.second-factor-added", person.id)
    state = person.api.get("/v1/users/me/factors").json
    assert state["totp"]["enrolledAt"] and state["backupCodesLeft"] == 10
    assert person.api.post("/v1/users/me/factors/totp", {"password": PASSWORD}).status == 409


# --- logging in


def test_a_login_takes_two_steps(shared_server, person, app):
    reply = shared_server.api().login(person.email, PASSWORD, "laptop")
    assert reply.status == 403
    assert reply.problem == "second-factor-required"
    assert reply.json["factors"] == ["totp", "backup-code"]
    assert reply.json["expiresIn"] == 300
    assert "accessToken" not in reply.json
    done = second_step(shared_server, reply.json["ticket"], app.code())
    assert done.status == 200
    assert set(done.json) == {"accessToken", "refreshToken", "tokenType", "expiresIn", "user"}
    assert done.json["user"]["email"] == person.email
    devices = shared_server.api(done.json["accessToken"]).sessions().json["items"]
    assert "laptop" in {item["deviceName"] for item in devices}


def test_a_wrong_password_is_a_wrong_password(shared_server, person, app):
    reply = shared_server.api().login(person.email, OTHER_PASSWORD)
    unknown = shared_server.api().login("nobody@example.test", OTHER_PASSWORD)
    assert reply.status == unknown.status == 401
    assert reply.without_request_id() == unknown.without_request_id()


def test_the_tokens_say_how_and_go_on_saying_it(shared_server, person):
    assert claims_of(person.device.access_token)["amr"] == ["pwd"]
    assert claims_of(person.device.access_token)["acr"] == SINGLE
    app = enrolled(person)
    device = log_in_with(shared_server, person.email, app.code())
    for one in (person.device, device, device.refresh()):
        claims = claims_of(one.access_token)
        assert claims["amr"] == ["pwd", "otp", "mfa"] and claims["acr"] == MULTI
    by_backup_code = log_in_with(shared_server, person.email, app.backup_codes[0])
    assert claims_of(by_backup_code.access_token)["amr"] == ["pwd", "backup-code", "mfa"]
    admin = shared_server.admin()
    for token, methods, acr in ((device, ["pwd", "otp", "mfa"], MULTI), (admin, ["pwd"], SINGLE)):
        text = token.access_token if token is not admin else admin.token
        answer = admin.request(
            "POST",
            "/v1/auth/introspect",
            body=f"token={text}".encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        ).json
        assert (answer["amr"], answer["acr"]) == (methods, acr)


def test_a_code_is_taken_once(shared_server, person, app):
    code = app.code()
    assert second_step(shared_server, ticket(shared_server, person.email), code).status == 200
    reply = second_step(shared_server, ticket(shared_server, person.email), code)
    assert reply.status == 401 and reply.problem == "invalid-code"
    assert reply.headers["WWW-Authenticate"] == "Bearer"


def test_a_code_may_be_typed_with_a_space(shared_server, person, app):
    code = app.code()
    assert second_step(shared_server, ticket(shared_server, person.email), f"{code[:3]} {code[3:]}").status == 200


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "１２３４５６", "0" * 65, "123456\u0000", "-1", "é" * 6])
def test_what_is_no_code_is_a_wrong_one(shared_server, person, app, code):
    reply = second_step(shared_server, ticket(shared_server, person.email), code)
    assert reply.status in (400, 401, 422), reply


def test_a_ticket_is_no_token_of_another_kind_and_the_other_way_round(shared_server, person, app):
    one = ticket(shared_server, person.email)
    assert shared_server.api(one).me().status == 401
    assert shared_server.api().refresh(one).status == 401
    assert shared_server.api().verify_email(one).status == 422
    shared_server.api().forgot_password(person.email)
    token = shared_server.mail.wait_for(person.email, RESET).token
    reply = second_step(shared_server, token, app.code())
    assert reply.status == 422 and reply.pointers == {"/ticket"}


def test_a_ticket_ends_with_a_forced_logout_of_whatever_form(shared_server, person, app):
    admin = shared_server.admin()
    acts = [
        lambda: admin.force_logout(userId=person.id),
        admin.force_logout_all,
        lambda: admin.request("DELETE", f"/v1/admin/users/{person.id}/sessions/{person.device.session_id}"),
    ]
    for act in acts:
        if not person.device.is_signed_in():
            person.device = log_in_with(shared_server, person.email, app.backup_codes.pop())
        one = ticket(shared_server, person.email)
        assert act().status in (200, 204)
        reply = second_step(shared_server, one, app.backup_codes[-1])
        assert reply.status == 422 and reply.pointers == {"/ticket"}, reply
        admin = shared_server.admin()


def test_a_disabled_user_gets_no_further_with_a_ticket(shared_server, person, app):
    one = ticket(shared_server, person.email)
    shared_server.sql("UPDATE users SET is_active = false WHERE id = ?", person.id)
    shared_server.sql("UPDATE users SET is_active = true WHERE id = ?", person.id)
    assert second_step(shared_server, one, app.backup_codes[0]).status == 422


def test_a_new_password_by_mail_signs_nobody_in_and_leaves_the_factor(shared_server, person, app):
    one = ticket(shared_server, person.email)
    shared_server.api().forgot_password(person.email)
    reply = shared_server.api().reset_password(shared_server.mail.wait_for(person.email, RESET).token, OTHER_PASSWORD)
    assert reply.status == 204 and reply.body == b""
    assert second_step(shared_server, one, app.code()).status == 422
    assert shared_server.api().login(person.email, OTHER_PASSWORD).problem == "second-factor-required"


# --- races


def one_got_in(replies) -> bool:
    """The others came too late. Who was so late that the code was known to be used counts as a wrong one."""
    statuses = [reply.status for reply in replies]
    return statuses.count(200) == 1 and set(statuses) <= {200, 401, 429}


def test_of_many_at_once_with_one_code_one_gets_in(shared_server):
    for _ in range(rounds(2)):
        person = signed_up_user(shared_server)
        app = enrolled(person)
        tickets = [ticket(shared_server, person.email) for _ in range(12)]
        code = app.code()
        replies = together(
            shared_server,
            [
                request_bytes("POST", "/v1/auth/login/second-factor", {"ticket": one, "code": code})
                for one in tickets
            ],
        )
        assert one_got_in(replies)


def test_of_many_at_once_with_one_backup_code_one_gets_in(shared_server, person, app):
    tickets = [ticket(shared_server, person.email) for _ in range(12)]
    replies = together(
        shared_server,
        [
            request_bytes("POST", "/v1/auth/login/second-factor", {"ticket": one, "code": app.backup_codes[0]})
            for one in tickets
        ],
    )
    assert one_got_in(replies)
    assert person.api.get("/v1/users/me/factors").json["backupCodesLeft"] == 9


def test_of_many_guesses_at_once_five_get_a_verdict_and_the_owner_hears_of_it(shared_server, person, app):
    one = ticket(shared_server, person.email)
    requests = [
        request_bytes("POST", "/v1/auth/login/second-factor", {"ticket": one, "code": code})
        for code in wrong_codes(app.secret, 300)
    ]
    statuses = [reply.status for reply in together(shared_server, requests)]
    assert statuses.count(401) == 5 and set(statuses) <= {401, 429, 503}
    refused = second_step(shared_server, one, app.code())
    assert refused.status == 429 and int(refused.headers["Retry-After"]) > 600
    eventually(
        lambda: any("Somebody knows your password" == mail.subject for mail in shared_server.mail.to(person.email)),
        "the warning",
    )
    assert second_step(shared_server, one, app.backup_codes[0]).status == 200
    reply = shared_server.admin().post(f"/v1/admin/users/{person.id}/unlock")
    assert reply.status == 204
    assert second_step(shared_server, ticket(shared_server, person.email), app.code()).status == 200


@pytest.mark.postgres_only
def test_a_thousand_guesses_on_three_nodes_get_five_verdicts_and_a_code_is_taken_once(nodes):
    person = signed_up_user(nodes[0])
    app = enrolled(person)
    one = ticket(nodes[0], person.email)
    guesses = wrong_codes(app.secret, 1000)

    def guess(number: int) -> list[int]:
        requests = [
            request_bytes("POST", "/v1/auth/login/second-factor", {"ticket": one, "code": code})
            for code in guesses[number::3]
        ]
        return [reply.status for reply in together(nodes[number], requests)]

    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        statuses = sum(threads.map(guess, range(3)), [])
    assert len(statuses) == 1000
    # Who waited too long for a connection is told 503, and no verdict.
    assert statuses.count(401) == 5 and set(statuses) <= {401, 429, 503}

    other = signed_up_user(nodes[1])
    app = enrolled(other)
    code, tickets = app.code(), [ticket(node, other.email) for node in nodes]
    replies = nodes.at_once(
        lambda node: second_step(node, tickets[nodes.all.index(node)], code),
    )
    assert sorted(reply.status for reply in replies) == [200, 401, 401]


# --- changing and losing it


def test_removing_it_needs_password_and_code(shared_server, person, app):
    path = "/v1/users/me/factors/totp"
    wrong = person.api.request("DELETE", path, {"password": PASSWORD, "code": wrong_codes(app.secret, 1)[0]})
    assert wrong.status == 422 and wrong.pointers == {"/code"}
    wrong = person.api.request("DELETE", path, {"password": OTHER_PASSWORD, "code": app.code()})
    assert wrong.status == 422 and wrong.pointers == {"/password"}
    other = log_in_with(shared_server, person.email, app.backup_codes[1])
    assert person.api.request("DELETE", path, {"password": PASSWORD, "code": app.backup_codes[0]}).status == 204
    assert not other.is_signed_in()
    assert log_in(shared_server, person.email, PASSWORD).is_signed_in()
    assert claims_of(person.device.refresh().access_token)["amr"] == ["pwd"]


def test_new_backup_codes_replace_the_old_ones(shared_server, person, app):
    reply = person.api.post("/v1/users/me/factors/backup-codes", {"password": PASSWORD, "code": app.code()})
    assert reply.status == 200
    new = reply.json["backupCodes"]
    assert len(set(new)) == 10 and not set(new) & set(app.backup_codes)
    assert second_step(shared_server, ticket(shared_server, person.email), app.backup_codes[0]).status == 401
    assert second_step(shared_server, ticket(shared_server, person.email), new[0].lower().replace("-", " ")).status == 200


def test_an_administrator_takes_it_away_with_a_reason_and_nobody_their_own(shared_server, person, app):
    admin, support = with_role(shared_server, "admin"), with_role(shared_server, "support")
    path = f"/v1/admin/users/{person.id}/factors"
    assert support.api.request("DELETE", path).status == 403
    assert shared_server.admin().get(f"/v1/admin/users/{person.id}").json["hasSecondFactor"] is True
    assert admin.api.request("DELETE", path + "?reason=Lost%20phone").status == 204
    assert not person.device.is_signed_in()
    assert audit_rows(shared_server, "user.second-factor-reset", person.id)[-1][2] == "Lost phone"
    assert shared_server.admin().get(f"/v1/admin/users/{person.id}").json["hasSecondFactor"] is False
    assert log_in(shared_server, person.email, PASSWORD).is_signed_in()
    own = with_role(shared_server, "superadmin")
    enrolled(own)
    assert own.api.request("DELETE", f"/v1/admin/users/{own.id}/factors").status == 409


# --- secrets


def test_neither_secret_nor_codes_nor_tickets_are_in_the_log_or_the_database(shared_server, person, app):
    one = ticket(shared_server, person.email)
    second_step(shared_server, one, app.backup_codes[0])
    for where in (shared_server.dump(), "\n".join(shared_server.lines)):
        for secret in (app.secret, one, *app.backup_codes, *(code.replace("-", "") for code in app.backup_codes)):
            assert secret not in where


# --- administrators must


def test_where_administrators_must_have_one_they_can_only_enrol_until_they_do(start_server, tmp_path):
    server = start_server(EXEMPT | {"SAFAWINET__ACCOUNTS__SECOND_FACTOR_REQUIRED_FROM": "admin"})
    admin, support = with_role(server, "admin"), with_role(server, "support")
    reply = admin.api.get("/v1/admin/users")
    assert reply.status == 403 and reply.problem == "second-factor-enrolment-required"
    assert admin.api.force_logout(userId=support.id).problem == "second-factor-enrolment-required"
    assert support.api.get("/v1/admin/users").status == 200
    assert admin.api.me().status == admin.api.sessions().status == admin.api.get("/v1/users/me/factors").status == 200

    cli = Cli(tmp_path).log_in(server, admin.email, admin.password)
    said = cli.refused("user", "list", "--context", "here")
    assert "safawinet factor enrol --context here; or, if you have one, safawinet context login here\n" in said

    enrolled(admin)
    assert admin.api.get("/v1/admin/users").status == 200
    assert server.admin().get("/v1/admin/users").problem == "second-factor-enrolment-required"
    assert server.api().login("root@example.test", ADMIN_PASSWORD).status == 200
