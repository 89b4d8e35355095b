"""The compromise mode: what an operator types, what is restricted then, and how it ends."""

import concurrent.futures
import datetime
import re
import shlex
import threading
import time

import pytest

from harness.cli import Cli
from harness.clock import DAY, Clock
from harness.documents import blocks
from harness.mail import RESET, VERIFY
from harness.people import (
    OTHER_PASSWORD,
    PASSWORD,
    THIRD_PASSWORD,
    claims_of,
    new_address,
    registered,
    signed_up_user,
    with_role,
)
from harness.server import ADMIN_EMAIL, ADMIN_PASSWORD, ENGINE, EXEMPT, REPOSITORY, eventually

MODE = "/v1/admin/mode"
REASON = "Tokens of Bob's laptop were found in a paste"


@pytest.fixture
def server(start_server):
    return start_server(EXEMPT)


def set_mode(server, mode: str, **more):
    reply = server.admin().post(MODE, {"mode": mode} | more)
    assert reply.status == 200, reply
    return reply.json


def mode_of(server) -> str:
    return server.api().get("/health").json["mode"]


def recorded(server, action: str) -> list[tuple]:
    return server.sql("SELECT actor, target, reason FROM audit_log WHERE action = ? ORDER BY seq", action)


# --- the command line


def test_the_command_previews_acts_proves_and_records(server, tmp_path):
    cli = Cli(tmp_path / "home", server).log_in(server)
    assert "normal" in cli.ok("mode", "show")

    seen = cli.json("mode", "set", "contain", "--reason", REASON, "--for", "2h", "--dry-run")
    assert (seen["dryRun"], seen["mode"], seen["effects"]["credentialsFrozen"]) == (True, "contain", True)
    assert "--yes" in cli.refused("mode", "set", "contain", "--reason", REASON, "--for", "2h")
    assert mode_of(server) == "normal"
    assert recorded(server, "mode.set") == []

    done = cli.ok("mode", "set", "contain", "--reason", REASON, "--for", "2h", "--yes")
    assert "contain until" in done and "60 s" in done and "used is not taken again" in done
    # A login from before the mode is no proof any more, but for one of the same second.
    cli.ok("context", "login", "--email", ADMIN_EMAIL, "--password-stdin", stdin=ADMIN_PASSWORD + "\n")
    said = cli.refused("api-key", "create", "x", "--permission", "users:read", "--context", "here")
    assert "safawinet mode show --context here" in said and "higher role" not in said
    assert mode_of(server) == "contain"
    shown = cli.json("mode", "show")
    assert (shown["mode"], shown["reason"]) == ("contain", REASON)
    assert shown["actor"].startswith("user:")
    (actor, target, reason), = recorded(server, "mode.set")
    assert (actor, target) == (shown["actor"], "mode:contain")
    assert reason.endswith(REASON) and shown["expiresAt"] in reason

    assert "Nothing to do" in cli.ok("mode", "set", "contain", "--yes")
    assert len(recorded(server, "mode.set")) == 1
    cli.ok("mode", "set", "normal", "--yes")
    assert mode_of(server) == "normal"
    assert "Nothing to do" in cli.ok("mode", "set", "normal", "--yes")


def test_what_is_typed_wrong_changes_nothing(server, tmp_path):
    cli = Cli(tmp_path / "home", server).log_in(server)
    for wrong in (["panic"], ["contain", "--for", "soon"], ["contain", "--for", "0s"], ["contain", "--for", "31d"],
                  ["normal", "--for", "2h"], []):
        cli.refused("mode", "set", *wrong, "--yes", code=2)
    assert "--for: must be" in cli.refused("mode", "set", "watch", "--for", "31d", "--yes", code=2)
    assert mode_of(server) == "normal"
    admin = server.admin()
    for body, pointer in (({"mode": "Contain"}, "/mode"), ({}, "/mode"), ({"mode": "contain", "expiresIn": -1}, "/expiresIn"),
                          ({"mode": "contain", "expiresIn": 2**62}, "/expiresIn"),
                          ({"mode": "contain", "expiresIn": "2h"}, "/expiresIn"),
                          ({"mode": "normal", "expiresIn": 60}, "/expiresIn"),
                          ({"mode": "contain", "reason": "x" * 501}, "/reason"),
                          ({"mode": "contain", "until": "tomorrow"}, "/until")):
        reply = admin.post(MODE, body)
        assert reply.status == 422, (body, reply)
        assert reply.pointers == {pointer}
    assert recorded(server, "mode.set") == []


def test_at_the_machine_itself_it_can_be_set_while_the_server_is_down(server, tmp_path):
    cli = Cli(tmp_path / "home", server)
    assert server.stop() == 0
    cli.ok("mode", "set", "contain", "--reason", REASON, "--yes", "--local")
    server.start()

    assert mode_of(server) == "contain"
    assert recorded(server, "mode.set")[0][0].startswith("os:")


def test_the_page_for_operators_tells_what_is_so(server, tmp_path):
    page = "docs/operating/compromise.md"
    cli = Cli(tmp_path / "home", server).log_in(server)
    lines = [line for block in blocks(page, "sh") for line in block.text.splitlines()]
    assert len(lines) == 3
    for line in lines:
        program, *words = shlex.split(line)
        assert program == "safawinet"
        cli.ok(*words)
    assert mode_of(server) == "contain"

    rows = re.findall(r"^\| `(\w+)` \|[^|]*\| (\d+) minutes? at most \| ([^|]*) \| ([^|]*) \| ([^|]*) \| (\d+) hours \|$",
                      (REPOSITORY / page).read_text(), re.MULTILINE)
    assert [row[0] for row in rows] == ["watch", "contain", "recover"]
    for mode, minutes, grace, changes, proofs, hours in rows:
        set_mode(server, "normal")
        state = set_mode(server, mode)
        assert state["effects"] == {
            "accessLifetimeSeconds": int(minutes) * 60,
            "refreshGraceSeconds": 0 if grace == "none" else 30,
            "credentialsFrozen": changes == "frozen",
            "stepUpDemanded": proofs == "count no more",
        }
        since, until = (datetime.datetime.fromisoformat(state[name]) for name in ("since", "expiresAt"))
        assert until - since == datetime.timedelta(hours=int(hours))


# --- what it does


def test_contain_freezes_credentials_and_api_keys_and_says_until_when_and_not_why(server):
    person, admin = signed_up_user(server), with_role(server, "admin")
    assert server.api().forgot_password(person.email).status == 202
    reset = server.mail.wait_for(person.email, RESET).token
    moved_to = new_address("moved")
    assert person.api.change_email(PASSWORD, moved_to).status == 202
    moved = server.mail.wait_for(moved_to, VERIFY).token
    newcomer = registered(server)
    proof = server.mail.wait_for(newcomer, VERIFY).token
    key = {"name": "k", "permissions": ["users:read"]}
    old_key = admin.api.post("/v1/admin/api-keys", key).json["key"]
    state = set_mode(server, "contain", reason=REASON)
    for one in (person, admin):
        one.device = one.log_in()

    form = {"Content-Type": "application/x-www-form-urlencoded"}
    page = server.api().post("/reset-password", body=f"token={reset}&newPassword=x".encode(), headers=form)
    frozen = [
        person.api.change_password(PASSWORD, OTHER_PASSWORD),
        person.api.change_email(PASSWORD, new_address()),
        server.api().reset_password(reset, OTHER_PASSWORD),
        server.api().forgot_password(person.email),
        server.api().forgot_password("nobody@example.test"),
        server.api().verify_email(moved),
        admin.api.post("/v1/admin/api-keys", key),
        admin.api.post(f"/v1/admin/users/{person.id}/send-reset", {}),
        person.api.post("/v1/users/me/factors/totp", {"password": PASSWORD}),
        admin.api.request("DELETE", f"/v1/admin/users/{person.id}/factors"),
        admin.api.post("/v1/admin/users", {"email": new_address(), "password": PASSWORD, "verified": True}),
        admin.api.post("/v1/admin/users/import", {"users": [{"email": new_address()}]}),
    ]
    for reply in frozen:
        assert (reply.status, reply.problem) == (403, "frozen"), reply
        assert state["expiresAt"] in reply.json["detail"]
        assert 86_300 < int(reply.headers["Retry-After"]) <= 86_400
        assert "Bob" not in reply.text and "contain" not in reply.text
    assert page.status == 403 and page.headers["Content-Type"].startswith("text/html")
    assert "Bob" not in page.text
    refused = {target for _, target, _ in recorded(server, "operation.refused")}
    assert {"route:POST /v1/admin/api-keys"} <= refused

    assert server.api().verify_email(proof).status == 204, "registration goes on"
    assert server.api().login(newcomer, PASSWORD).status == 200
    assert server.api().login(person.email, PASSWORD).status == 200
    assert server.api(old_key).get("/v1/admin/users").status == 200, "keys that are there go on"
    assert server.admin().force_logout(userId=person.id).status == 200, "what contains goes on"

    set_mode(server, "recover")
    assert server.api().reset_password(reset, OTHER_PASSWORD).status == 204, "nothing was used up"
    assert server.api().login(person.email, OTHER_PASSWORD).status == 200
    assert with_role(server, "admin").api.post("/v1/admin/api-keys", key).status == 201


@pytest.mark.parametrize(("mode", "seconds", "has_grace"), [("watch", 300, True), ("contain", 60, False),
                                                            ("recover", 300, False)])
def test_access_tokens_are_short_and_the_grace_is_gone(server, mode, seconds, has_grace):
    person = signed_up_user(server)
    state = set_mode(server, mode)
    assert state["effects"]["accessLifetimeSeconds"] == seconds
    assert state["effects"]["refreshGraceSeconds"] == (30 if has_grace else 0)

    reply = server.api().refresh(person.device.refresh_token)
    claims = claims_of(reply.json["accessToken"])
    assert reply.json["expiresIn"] == claims["exp"] - claims["iat"] == seconds
    again = server.api().refresh(person.device.refresh_token)
    assert again.status == (200 if has_grace else 401)
    set_mode(server, "normal")
    assert server.api().login(person.email, PASSWORD).json["expiresIn"] == 600


def test_a_token_from_before_lives_no_longer_than_one_of_now(start_server, tmp_path):
    if ENGINE == "postgres":
        pytest.skip("time is the database's there; the clock of the unit tests moves for both engines")
    clock = Clock(tmp_path / "clock")
    server = start_server(EXEMPT | clock.settings)
    person = signed_up_user(server)
    key = server.admin().post("/v1/admin/api-keys", {"name": "rs", "permissions": ["tokens:introspect"]}).json["key"]
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    def introspected() -> dict:
        body = b"token=" + person.device.access_token.encode()
        return server.api(key).post("/v1/auth/introspect", body=body, headers=form).json

    clock.advance(40)
    set_mode(server, "contain")
    assert person.device.is_signed_in()
    assert introspected()["exp"] == introspected()["iat"] + 60
    clock.advance(25)
    assert not person.device.is_signed_in()
    assert introspected() == {"active": False}
    assert person.device.refresh().is_signed_in(), "refreshing is all that a client has to do"


def test_health_and_metrics_and_the_log_show_it(server):
    for mode in ("watch", "contain", "recover", "normal"):
        set_mode(server, mode, reason=REASON)
        reply = server.api().get("/health")
        assert (reply.status, reply.json["mode"], reply.json["status"]) == (200, mode, "ok")
        assert "Bob" not in reply.text
        shown = {one: server.metric("safawinet_compromise_mode", mode=one) for one in ("normal", "watch", "contain", "recover")}
        assert shown == {one: float(one == mode) for one in shown}
    eventually(lambda: [one["mode"] for one in server.events("compromise-mode")] == ["watch", "contain", "recover", "normal"],
               "each change is in the log")


def test_a_request_with_a_key_is_done_once(server):
    admin = server.admin()
    key = {"Idempotency-Key": "raise-1"}
    first = admin.post(MODE, {"mode": "contain", "reason": REASON}, headers=key)
    set_mode(server, "normal")
    again = server.admin().post(MODE, {"mode": "contain", "reason": REASON}, headers=key)

    assert first.json == again.json
    assert mode_of(server) == "normal"


def test_raised_by_many_at_once_it_is_raised_and_recorded_once(server):
    admin = server.admin()
    with concurrent.futures.ThreadPoolExecutor(24) as threads:
        replies = list(threads.map(lambda _: admin.post(MODE, {"mode": "contain", "reason": REASON}), range(24)))
    assert {reply.status for reply in replies} == {200}
    assert len({(reply.json["since"], reply.json["expiresAt"]) for reply in replies}) == 1
    assert len(recorded(server, "mode.set")) == 1


# --- how it ends


def test_it_ends_by_itself_and_that_is_recorded_once(server):
    set_mode(server, "contain", expiresIn=1, reason=REASON)
    eventually(lambda: mode_of(server) == "normal", "the mode ended")

    assert [(actor, target) for actor, target, _ in recorded(server, "mode.expired")] == [("system", "mode:contain")]
    shown = server.admin().get(MODE).json
    assert (shown["mode"], shown["actor"], shown["expiresAt"]) == ("normal", "system", None)
    eventually(lambda: server.events("compromise-mode-expired"), "the log says so")


def test_one_that_ended_while_the_server_was_down_is_over_when_it_starts_and_recorded(server):
    set_mode(server, "contain", expiresIn=1)
    server.kill()
    time.sleep(1.5)
    server.start()
    eventually(lambda: mode_of(server) == "normal", "the mode ended")

    assert len(recorded(server, "mode.expired")) == 1


def test_a_clock_that_jumps_years_ahead_and_returns_switches_nothing_off(start_server, tmp_path):
    clock = Clock(tmp_path / "clock")
    server = start_server(EXEMPT | clock.settings)
    admin = server.admin()
    key = admin.post("/v1/admin/api-keys", {"name": "mode", "permissions": ["mode:read"]}).json["key"]
    set_mode(server, "contain", reason=REASON)
    before = server.api(key).get(MODE).json
    for days in (5 * 365, -5 * 365, 0):
        clock.set(days * DAY)
        for _ in range(3):  # rounds of the work that would end it
            lines = len(server.lines)
            eventually(lambda first=lines: mode_of(server) and len(server.lines) > first, "the server goes on")
            time.sleep(0.3)
        assert mode_of(server) == "contain"
    assert server.api(key).get(MODE).json == before
    assert recorded(server, "mode.expired") == []


def test_sql_by_hand_is_obeyed(server):
    server.sql("UPDATE compromise_mode SET mode = 'contain'")
    eventually(lambda: mode_of(server) == "contain", "the server sees it")
    reply = signed_up_user(server).api.change_password(PASSWORD, OTHER_PASSWORD)
    assert (reply.status, reply.problem) == (403, "frozen")
    assert "Retry-After" not in reply.headers
    set_mode(server, "normal")
    assert mode_of(server) == "normal"


def test_a_server_that_cannot_know_the_mode_accepts_no_token_until_it_can(server):
    person = signed_up_user(server)
    ((since,),) = server.sql("SELECT since FROM compromise_mode")
    server.sql("DELETE FROM compromise_mode")
    eventually(lambda: person.api.me().status == 503, "tokens are not accepted")
    assert server.api().get("/health/ready").status == 503
    server.sql("INSERT INTO compromise_mode (mode, since) VALUES ('contain', ?)", since)
    eventually(lambda: person.api.me().status != 503, "tokens are looked at again")
    assert mode_of(server) == "contain"


# --- killed, and many nodes


def test_a_server_that_is_killed_after_its_answer_starts_in_the_mode(server):
    person = signed_up_user(server)
    set_mode(server, "contain")
    server.kill()
    server.start()
    assert mode_of(server) == "contain"
    assert server.api().login(person.email, PASSWORD).json["expiresIn"] == 60
    assert server.api(server.api().login(person.email, PASSWORD).json["accessToken"]).change_password(
        PASSWORD, THIRD_PASSWORD).problem == "frozen"


def test_killed_while_it_is_set_it_is_set_and_recorded_or_neither(server):
    for number in range(6):
        wanted = ("contain", "watch")[number % 2]
        before = len(recorded(server, "mode.set"))
        was = server.sql("SELECT mode FROM compromise_mode")[0][0]
        admin = server.admin()

        def ask(api=admin, mode=wanted):
            try:
                api.post(MODE, {"mode": mode})
            except OSError:
                pass

        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(number * 0.002)
        server.kill()
        asking.join()
        server.start()
        (is_now,), = server.sql("SELECT mode FROM compromise_mode")
        assert len(recorded(server, "mode.set")) - before == (is_now != was)
        assert mode_of(server) == is_now


@pytest.mark.postgres_only
def test_every_node_is_in_it_also_when_the_one_that_set_it_dies(start_nodes):
    nodes = start_nodes(2, EXEMPT)
    person = signed_up_user(nodes[1])
    state = set_mode(nodes[0], "contain", reason=REASON)
    nodes[0].kill()
    eventually(lambda: mode_of(nodes[1]) == "contain", "the other node follows", 5.0)

    assert person.device.at(nodes[1]).api.change_password(PASSWORD, OTHER_PASSWORD).problem == "frozen"
    assert nodes[1].api().login(person.email, PASSWORD).json["expiresIn"] == 60
    nodes[0].start()
    assert mode_of(nodes[0]) == "contain"
    assert nodes[0].admin().get(MODE).json["expiresAt"] == state["expiresAt"]


@pytest.mark.postgres_only
def test_all_nodes_see_the_end_and_one_records_it(start_nodes):
    nodes = start_nodes(3, EXEMPT)
    for number in range(1, 4):
        set_mode(nodes[number % 3], "contain", expiresIn=1)
        eventually(lambda: [mode_of(node) for node in nodes] == ["normal"] * 3, "the mode ended on every node")
        assert len(recorded(nodes[0], "mode.expired")) == number


@pytest.mark.postgres_only
def test_nodes_that_set_it_at_once_agree(start_nodes):
    nodes = start_nodes(3, EXEMPT)
    admins = {node.address: node.admin() for node in nodes}
    for number in range(5):
        modes = ["watch", "contain", "recover"]
        replies = nodes.at_once(lambda node: admins[node.address].post(
            MODE, {"mode": modes[(nodes.all.index(node) + number) % 3]}))
        assert [reply.status for reply in replies] == [200, 200, 200]
        (stored,), = nodes.sql("SELECT mode FROM compromise_mode")
        eventually(lambda wanted=stored: {mode_of(node) for node in nodes} == {wanted}, "all nodes agree", 5.0)
        admins = {node.address: node.admin() for node in nodes}
