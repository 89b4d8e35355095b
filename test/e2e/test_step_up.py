"""Proving again who one is, for what grants, reveals or destroys; and what time does to second factors."""

import re

import pytest

from harness.cli import Cli
from harness.clock import DAY, MINUTE
from harness.factors import App, enrolled, log_in_with, second_step, ticket, wrong_codes
from harness.people import OTHER_PASSWORD, PASSWORD, claims_of, log_in, signed_up_user, with_role
from harness.server import ADMIN_PASSWORD, Server

YEAR = 365 * DAY


@pytest.fixture
def server(timed_server) -> Server:
    return timed_server


def expect_step_up(reply) -> None:
    assert reply.status == 401, reply
    assert reply.problem == "step-up-required"
    assert reply.json["maxAge"] == 600
    challenge = reply.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer error="insufficient_user_authentication"') and "max_age=600" in challenge


def test_what_grants_reveals_or_destroys_asks_again_after_ten_minutes_and_what_contains_never(server, clock):
    admin = with_role(server, "superadmin")
    victim = signed_up_user(server)
    key = admin.api.post("/v1/admin/api-keys", {"name": "before", "permissions": ["users:read"]}).json["apiKey"]["id"]
    clock.advance(11 * MINUTE)
    admin.device = admin.device.refresh()
    api = admin.api
    for method, path, body in [
        ("POST", f"/v1/admin/users/{victim.id}/role", {"role": "support"}),
        ("POST", "/v1/admin/users", {"email": "made@example.test"}),
        ("POST", f"/v1/admin/users/{victim.id}/enable", {}),
        ("POST", f"/v1/admin/users/{victim.id}/verify", {}),
        ("POST", "/v1/admin/invitations", {"email": "invited@example.test"}),
        ("POST", "/v1/admin/under-attack", {"state": "off", "reason": "x"}),
        ("POST", "/v1/admin/api-keys", {"name": "x", "permissions": ["users:read"]}),
        ("GET", "/v1/admin/users/export", None),
        ("GET", "/v1/audit/export", None),
        ("POST", "/v1/audit/erase", {"userId": victim.id, "reason": "x"}),
        ("DELETE", f"/v1/admin/users/{victim.id}", None),
        ("DELETE", f"/v1/admin/users/{victim.id}/factors", None),
    ]:
        expect_step_up(api.request(method, path, body) if body else api.request(method, path))
    assert api.get(f"/v1/admin/users/{victim.id}").json["role"] == "customer"
    for method, path, body in [
        ("POST", "/v1/auth/force-logout", {"userId": victim.id}),
        ("POST", f"/v1/admin/users/{victim.id}/disable", {"reason": "x"}),
        ("POST", f"/v1/admin/users/{victim.id}/unlock", {}),
        ("POST", "/v1/admin/under-attack", {"state": "on", "reason": "x"}),
        ("POST", "/v1/admin/mode", {"mode": "watch", "reason": "x"}),
        ("POST", "/v1/auth/force-logout-all", {}),
    ]:
        assert api.request(method, path, body).status in (200, 204), path
    assert api.request("DELETE", f"/v1/admin/api-keys/{key}").status == 204
    expect_step_up(api.post("/v1/admin/mode", {"mode": "watch", "expiresIn": 60}))
    expect_step_up(api.post("/v1/admin/mode", {"mode": "normal"}))
    assert api.post("/v1/admin/mode", {"mode": "normal", "dryRun": True}).status == 200

    reply = api.post("/v1/auth/step-up", {"password": OTHER_PASSWORD})
    assert reply.status == 422 and reply.pointers == {"/password"}
    reply = api.post("/v1/auth/step-up", {"password": PASSWORD})
    assert reply.status == 200 and set(reply.json) == {"accessToken", "tokenType", "expiresIn"}
    proved = api.with_token(reply.json["accessToken"])
    assert proved.post("/v1/admin/mode", {"mode": "normal"}).status == 200
    assert proved.post(f"/v1/admin/users/{victim.id}/role", {"role": "support"}).status == 200
    later = admin.device.refresh()
    assert claims_of(later.access_token)["auth_time"] == claims_of(proved.token)["auth_time"]
    assert later.api.get("/v1/admin/users/export").status == 200
    clock.advance(11 * MINUTE)
    expect_step_up(later.refresh().api.get("/v1/admin/users/export"))


def test_who_has_a_factor_steps_up_with_it_and_not_with_the_password(server, clock):
    admin = with_role(server, "admin")
    app = enrolled(admin, at=clock.now())
    clock.advance(11 * MINUTE)
    admin.device = admin.device.refresh()
    expect_step_up(admin.api.get("/v1/admin/users/export"))
    reply = admin.api.post("/v1/auth/step-up", {"password": PASSWORD})
    assert reply.status == 422 and reply.pointers == {"/code"}
    reply = admin.api.post("/v1/auth/step-up", {"code": wrong_codes(app.secret, 1)[0]})
    assert reply.status == 422 and reply.pointers == {"/code"}
    reply = admin.api.post("/v1/auth/step-up", {"code": app.code(clock.now())})
    assert reply.status == 200
    proved = admin.api.with_token(reply.json["accessToken"])
    assert claims_of(proved.token)["amr"] == ["pwd", "otp", "mfa"]
    assert proved.get("/v1/admin/users/export").status == 200


def test_an_api_key_is_not_asked(server, clock):
    admin = with_role(server, "admin")
    key = admin.api.post("/v1/admin/api-keys", {"name": "k", "permissions": ["users:export"]}).json["key"]
    clock.advance(30 * MINUTE)
    assert server.api(key).get("/v1/admin/users/export").status == 200


def test_a_clock_that_jumps_years_ahead_and_returns_locks_nobody_out_and_brings_no_code_back(server, clock):
    person = signed_up_user(server)
    app = enrolled(person, at=clock.now())
    used = app.code(clock.now())
    assert second_step(server, ticket(server, person.email), used).status == 200

    clock.advance(3 * YEAR)
    app.last_step = 0
    there = log_in_with(server, person.email, app.code(clock.now()))
    clock.advance(-3 * YEAR)

    assert second_step(server, ticket(server, person.email), used).status == 401
    app.last_step = 0
    clock.advance(MINUTE)
    assert second_step(server, ticket(server, person.email), app.code(clock.now())).status == 200
    server.sql("UPDATE users SET role = 'admin' WHERE id = ?", person.id)
    expect_step_up(there.refresh().api.get("/v1/admin/users/export"))


def test_a_ticket_ends_after_five_minutes(server, clock):
    person = signed_up_user(server)
    app = enrolled(person, at=clock.now())
    early, late = ticket(server, person.email), ticket(server, person.email)
    clock.advance(4 * MINUTE)
    assert second_step(server, early, app.code(clock.now())).status == 200
    clock.advance(2 * MINUTE)
    assert second_step(server, late, app.code(clock.now())).status == 422


# --- the command line


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def test_the_command_line_logs_in_with_a_code(home, shared_server):
    admin = with_role(shared_server, "admin")
    app = enrolled(admin)
    cli = Cli(home, shared_server).add_context(shared_server)
    login = ("context", "login", "--email", admin.email)
    said = cli.refused(*login, "--password-stdin", stdin=PASSWORD + "\n")
    assert "no terminal" in said and "--code" in said
    said = cli.refused(*login, "--password-stdin", "--code", wrong_codes(app.secret, 1)[0], stdin=PASSWORD + "\n")
    assert "code is wrong" in said
    cli.ok(*login, "--password-stdin", "--code", app.code(), stdin=PASSWORD + "\n")
    assert "Authenticator app  yes" in cli.ok("factor", "show")
    assert re.search(r"Second factor +yes, 10 backup codes left", cli.ok("user", "show", admin.email))
    terminal = cli.on_terminal(*login)
    terminal.wait_for("Password: ").type(PASSWORD + "\n")
    terminal.wait_for("backup code: ").type("mistyped\n")
    terminal.wait_for("That code is wrong").wait_for("backup code: ", times=2).type(app.backup_codes[0] + "\n")
    assert terminal.end() == 0, terminal.shown


def test_the_command_line_enrols_and_removes(home, shared_server):
    admin = with_role(shared_server, "admin")
    cli = Cli(home, shared_server).log_in(shared_server, admin.email, PASSWORD)
    assert "no terminal" in (said := cli.refused("factor", "enrol", "--password-stdin", stdin=PASSWORD + "\n"))
    assert "ssh -t" in said and "/v1/users/me/factors/totp" in said
    terminal = cli.on_terminal("factor", "enrol", "--context", "nowhere")
    assert terminal.end() == 1 and "Password" not in terminal.shown and "nowhere" in terminal.shown
    assert "--local" in cli.refused("factor", "enrol", "--local", code=2)

    terminal = cli.on_terminal("factor", "enrol", columns=40)
    terminal.wait_for("Password: ").type(PASSWORD + "\n").wait_for("The code that the app shows: ")
    assert "\u2588" not in terminal.shown and "Type this secret into" in terminal.shown
    for times in (2, 3):
        terminal.type("000000\n").wait_for("The code that the app shows: ", times=times)
    terminal.type("000000\n")
    assert terminal.end() == 2, terminal.shown

    terminal = cli.on_terminal("factor", "enrol")
    terminal.wait_for("Password: ").type(PASSWORD + "\n").wait_for("The code that the app shows: ")
    assert "\u2588" in terminal.shown
    terminal.type("000000\n").wait_for("The code that the app shows: ", times=2)
    app = App(re.search(r"\b([A-Z2-7]{32})\b", terminal.shown).group(1), [])
    terminal.type(app.code() + "\n")
    assert terminal.end() == 0, terminal.shown
    codes = re.findall(r"\b[2-9A-HJ-NP-Z]{4}(?:-[2-9A-HJ-NP-Z]{4}){2}\b", terminal.shown)
    assert len(codes) == 10
    new = cli.json("factor", "backup-codes", "--password-stdin", "--code", codes[0], stdin=PASSWORD + "\n")
    assert len(new["backupCodes"]) == 10
    cli.ok("factor", "remove", "--password-stdin", "--code", app.code(), stdin=PASSWORD + "\n")
    assert "Authenticator app  no" in cli.ok("factor", "show")
    assert log_in(shared_server, admin.email, PASSWORD).is_signed_in()


def test_an_operator_takes_a_factor_away_from_the_command_line(home, shared_server):
    person = signed_up_user(shared_server)
    enrolled(person)
    cli = Cli(home, shared_server).log_in(shared_server)
    assert cli.refused("user", "reset-factors", person.email, code=2)
    cli.ok("user", "reset-factors", person.email, "--reason", "Lost phone", "--yes")
    assert log_in(shared_server, person.email, PASSWORD).is_signed_in()
    assert "has no second factor" in cli.ok("user", "reset-factors", person.email, "--reason", "Lost phone", "--yes")


def test_nobody_resets_their_own_factor_from_the_command_line(home, shared_server):
    admin = with_role(shared_server, "superadmin")
    app = enrolled(admin)
    cli = Cli(home, shared_server).add_context(shared_server)
    cli.ok("context", "login", "--email", admin.email, "--password-stdin", "--code", app.code(), stdin=PASSWORD + "\n")
    said = cli.refused("user", "reset-factors", admin.email, "--reason", "x", "--dry-run")
    assert "your own second factor" in said and "safawinet factor remove" in said


def test_who_is_locked_out_of_the_second_factor_is_unlocked_from_the_command_line(home, shared_server, person):
    app = enrolled(person)
    one = ticket(shared_server, person.email)
    for code in wrong_codes(app.secret, 6):
        second_step(shared_server, one, code)
    assert second_step(shared_server, one, app.code()).status == 429
    cli = Cli(home, shared_server).log_in(shared_server)
    assert re.search(r"Wrong codes +5, locked until 2", cli.ok("user", "show", person.email))
    assert "no wrong code counts" in cli.ok("user", "unlock", person.email)
    assert second_step(shared_server, ticket(shared_server, person.email), app.code()).status == 200


def test_the_command_line_asks_again_and_goes_on(home, server, clock):
    person = signed_up_user(server)
    cli = Cli(home, server).log_in(server)
    cli.ok("user", "role", person.email, "support", "--yes")
    clock.advance(11 * MINUTE)
    said = cli.refused("user", "role", person.email, "customer", "--yes")
    assert "no terminal" in said and "safawinet context login" in said
    cli.ok("logout", "user", person.email, "--yes")
    terminal = cli.on_terminal("user", "role", person.email, "customer", "--yes")
    terminal.wait_for("Password: ").type(ADMIN_PASSWORD + "\n")
    assert terminal.end() == 0, terminal.shown
    cli.ok("user", "role", person.email, "support", "--yes")
    assert server.sql("SELECT role FROM users WHERE id = ?", person.id) == [("support",)]
