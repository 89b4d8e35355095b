"""A guessing botnet, and the people who go on beside it. Networks are those of 127.0.0.0/8: 127.0.6.1 is in 127.0.6.0/24."""

import base64
import hashlib
import threading

import pytest

from harness.mail import RESET
from harness.people import OTHER_PASSWORD, PASSWORD, THIRD_PASSWORD, log_in, new_address, signed_up_user, verified
from harness.races import login_request, request_bytes, together
from harness.server import eventually

WRONG_PASSWORDS = 10
UNDER_ATTACK_WRONG_PASSWORDS = 3
ACCOUNTS_PER_NETWORK = 100
TOKENS_PER_NETWORK = 100
PATIENT = {"SAFAWINET__LIMITS__MAX_WAIT_MILLISECONDS": "60000"}
HOME, ELSEWHERE = "127.0.0.1", "127.0.6.1"
BOTNET = [f"127.0.{network}.1" for network in range(20, 60)]


def statuses_of(replies) -> dict[int, int]:
    counts: dict[int, int] = {}
    for reply in replies:
        counts[reply.status] = counts.get(reply.status, 0) + 1
    return counts


def unknown_token(prefix: str, number: int) -> str:
    return f"sf_{prefix}_" + base64.urlsafe_b64encode(number.to_bytes(32, "big")).decode().rstrip("=")


def made_up_key(number: int) -> str:
    start = unknown_token("ak", number)
    return start + base64.urlsafe_b64encode(hashlib.sha256(start.encode()).digest()).decode()[:6]


def use_up(server, email: str, source: str) -> None:
    for _ in range(WRONG_PASSWORDS):
        assert server.api(source=source).login(email, OTHER_PASSWORD).status == 401
    assert server.api(source=source).login(email, PASSWORD).status == 429


# --- known devices


def test_outsiders_lock_nobody_out_of_a_known_device(server):
    person = signed_up_user(server)
    use_up(server, person.email, ELSEWHERE)

    assert server.api(source="127.0.7.1").login(person.email, PASSWORD).status == 429, "another stranger"
    assert server.api(source=HOME).login(person.email, PASSWORD).status == 200
    assert person.device.is_signed_in()
    assert person.device.may_refresh()


def test_ten_wrong_passwords_from_a_known_network_lock_that_network(server):
    person = signed_up_user(server)
    use_up(server, person.email, HOME)


def test_strangers_and_known_devices_hear_the_same_about_a_wrong_password(server):
    """So that nothing shows who has logged in from where, and who has an account."""
    person, nobody = signed_up_user(server), new_address()

    def walk(email: str) -> list[int]:
        sources = [ELSEWHERE] * 4 + [HOME] * 12 + [ELSEWHERE] * 8 + [HOME] * 2
        return [server.api(source=source).login(email, OTHER_PASSWORD).status for source in sources]

    assert walk(person.email) == walk(nobody)


def test_whoever_resets_the_password_by_mail_gets_in_from_a_new_place_although_strangers_have_used_up_the_tries(server):
    email = verified(server)
    use_up(server, email, ELSEWHERE)
    new_place = server.api(source="127.0.8.1")
    assert new_place.login(email, PASSWORD).status == 429
    assert new_place.forgot_password(email).status == 202
    assert new_place.reset_password(server.mail.wait_for(email, RESET).token, THIRD_PASSWORD).status == 204

    assert new_place.login(email, THIRD_PASSWORD).status == 200
    assert server.api(source="127.0.9.1").login(email, THIRD_PASSWORD).status == 429


def test_an_operator_unlocks_all_that_was_counted(server):
    person = signed_up_user(server)
    use_up(server, person.email, ELSEWHERE)
    use_up(server, signed_up_user(server).email, HOME)
    for _ in range(WRONG_PASSWORDS):
        server.api(source=HOME).login(person.email, OTHER_PASSWORD)
    assert server.api(source=HOME).login(person.email, PASSWORD).status == 429
    assert server.admin().post(f"/v1/admin/users/{person.id}/unlock", {"reason": "asked by phone"}).status == 204

    for source in (HOME, ELSEWHERE, "127.0.7.1"):
        assert server.api(source=source).login(person.email, PASSWORD).status == 200


def test_a_database_dump_does_not_say_from_where_anybody_logged_in(server):
    person = signed_up_user(server)
    server.api().login(person.email, OTHER_PASSWORD)
    for table in ("known_origins", "network_failures", "failed_attempts"):
        rows = server.sql(f"SELECT * FROM {table}")
        assert rows, table
        assert "127.0.0" not in str(rows)
    assert person.api.delete_account(PASSWORD).status == 204
    assert server.sql("SELECT count(*) FROM known_origins WHERE user_id = ?", person.id) == [(0,)]


# --- exact, in parallel and durable


def spellings(email: str) -> list[str]:
    """Every spelling that the database takes for the same account."""
    local, _, domain = email.partition("@")
    few = [email, email.upper(), email.title(), email.swapcase(), local.upper() + "@" + domain, local + "@" + domain.upper()]
    alternating = "".join(c.upper() if i % 2 else c for i, c in enumerate(email))
    return few + [alternating, alternating.swapcase()] + [email[:i].upper() + email[i:] for i in range(1, len(email))]


@pytest.mark.alone
def test_a_thousand_wrong_passwords_at_once_in_every_spelling_get_ten_verdicts(start_server):
    server = start_server(PATIENT)
    person = signed_up_user(server)
    variants = spellings(person.email)
    requests = [login_request(variants[i % len(variants)], OTHER_PASSWORD) for i in range(500)]
    counts: dict[int, int] = {}
    for _ in range(2):
        for status, count in statuses_of(together(server, requests, BOTNET)).items():
            counts[status] = counts.get(status, 0) + count

    assert counts == {401: WRONG_PASSWORDS, 429: 1000 - WRONG_PASSWORDS}
    assert server.api(source=HOME).login(person.email, PASSWORD).status == 200


@pytest.mark.parametrize("other", ["{}+tag@{}", "{}.x@{}", "x{}@{}"])
def test_another_account_is_not_a_spelling(server, other):
    person = signed_up_user(server)
    use_up(server, person.email, HOME)
    local, _, domain = person.email.partition("@")

    assert server.api().login(other.format(local, domain), OTHER_PASSWORD).status == 401


@pytest.mark.parametrize("spelling", [" {}", "{} ", "{}\u0000", "\u212a{}", "{}\u200b", "\uff41{}", "{}."])
def test_what_only_looks_like_an_address_is_no_way_past_the_limit(server, spelling):
    assert server.api().login(spelling.format(new_address()), PASSWORD).status in (400, 422)


@pytest.mark.alone
@pytest.mark.postgres_only
def test_a_thousand_wrong_passwords_at_once_on_two_nodes_get_ten_verdicts_and_the_owner_gets_in_meanwhile(start_nodes):
    nodes = start_nodes(2, PATIENT)
    person = signed_up_user(nodes[0])
    request = login_request(person.email, OTHER_PASSWORD)
    owner: list[int] = []

    def log_in_meanwhile() -> None:
        for number in range(10):
            owner.append(nodes[number % 2].api(source=HOME).login(person.email, PASSWORD).status)

    beside = threading.Thread(target=log_in_meanwhile)
    beside.start()
    replies = [reply for of_node in nodes.at_once(lambda node: together(node, [request] * 500, BOTNET)) for reply in of_node]
    beside.join()

    assert statuses_of(replies) == {401: WRONG_PASSWORDS, 429: 1000 - WRONG_PASSWORDS}
    assert owner == [200] * 10


def test_a_restart_keeps_what_was_counted_and_who_is_known(start_server):
    server = start_server()
    person = signed_up_user(server)
    use_up(server, person.email, ELSEWHERE)
    server.kill()
    server.start()

    assert server.api(source=ELSEWHERE).login(person.email, PASSWORD).status == 429
    assert server.api(source="127.0.7.1").login(person.email, PASSWORD).status == 429
    assert server.api(source=HOME).login(person.email, PASSWORD).status == 200


# --- spraying


def test_a_network_that_sprays_is_told_no_more_and_the_others_go_on(start_server):
    server = start_server(PATIENT)
    person, other = signed_up_user(server), signed_up_user(server)
    assert server.api(source=ELSEWHERE).login(person.email, PASSWORD).status == 200
    requests = [login_request(new_address("sprayed"), OTHER_PASSWORD) for _ in range(200)]
    replies = together(server, requests, [f"127.0.6.{host}" for host in range(1, 9)])

    assert statuses_of(replies) == {401: ACCOUNTS_PER_NETWORK, 429: 100}
    refused = server.api(source=ELSEWHERE).login(other.email, PASSWORD)
    assert refused.status == 429, "a stranger there"
    assert int(refused.headers["Retry-After"]) > 0
    assert server.api(source=ELSEWHERE).login(person.email, PASSWORD).status == 200, "known there"
    assert server.api(source=ELSEWHERE).refresh(other.device.refresh_token).status == 200
    assert server.api(source=HOME).login(other.email, PASSWORD).status == 200
    server.kill()
    server.start()
    assert server.api(source=ELSEWHERE).login(other.email, PASSWORD).status == 429


def test_any_number_of_right_passwords_and_of_wrong_ones_for_few_accounts_is_no_spraying(start_server):
    server = start_server(PATIENT)
    people = [signed_up_user(server) for _ in range(3)]
    for _ in range(40):
        replies = together(server, [login_request(person.email, PASSWORD) for person in people])
        assert statuses_of(replies) == {200: 3}
    for person in people:
        use_up(server, person.email, HOME)
    assert log_in(server, signed_up_user(server).email, PASSWORD).is_signed_in()


def test_an_exempt_network_may_try_any_number_of_accounts_and_each_has_its_limit(start_server):
    server = start_server(PATIENT | {"SAFAWINET__LIMITS__EXEMPT_NETWORKS": "127.0.0.0/24"})
    requests = [login_request(new_address("sprayed"), OTHER_PASSWORD) for _ in range(ACCOUNTS_PER_NETWORK + 20)]
    assert statuses_of(together(server, requests)) == {401: ACCOUNTS_PER_NETWORK + 20}
    use_up(server, signed_up_user(server).email, HOME)


# --- tokens and keys


@pytest.mark.parametrize("path, prefix, more", [
    ("/v1/auth/verify-email", "ev", {}),
    ("/v1/auth/verify-email", "ec", {}),
    ("/v1/auth/reset-password", "pr", {"newPassword": OTHER_PASSWORD}),
])
def test_a_network_may_present_a_hundred_unknown_tokens(server, path, prefix, more):
    requests = [request_bytes("POST", path, {"token": unknown_token(prefix, number)} | more) for number in range(130)]
    assert statuses_of(together(server, requests, [ELSEWHERE])) == {422: TOKENS_PER_NETWORK, 429: 30}
    same = request_bytes("POST", path, {"token": unknown_token(prefix, 1)} | more)

    assert statuses_of(together(server, [same] * 130, ["127.0.7.1"])) == {422: 130}, "always the same one is no guessing"


def test_a_network_may_present_a_hundred_unknown_invitations(start_server):
    server = start_server(PATIENT | {"SAFAWINET__ACCOUNTS__REGISTRATION": "invite"})
    for number in range(TOKENS_PER_NETWORK + 5):
        body = {"email": new_address(), "password": PASSWORD, "invitation": unknown_token("in", number)}
        assert server.api(source=ELSEWHERE).post("/v1/auth/register", body).status == (403 if number < TOKENS_PER_NETWORK else 429)


def test_a_network_may_present_a_hundred_made_up_api_keys_and_the_good_ones_go_on(server):
    made = server.admin().post("/v1/admin/api-keys", {"name": "good", "permissions": ["users:read"]})
    requests = [request_bytes("GET", "/v1/admin/users", token=made_up_key(number)) for number in range(130)]
    assert statuses_of(together(server, requests, [ELSEWHERE])) == {401: TOKENS_PER_NETWORK, 429: 30}
    assert server.api(made.json["key"], source=ELSEWHERE).get("/v1/admin/users").status == 200


# --- under attack


def order(server, state: str, **more):
    return server.admin().post("/v1/admin/under-attack", {"state": state, "reason": "a drill"} | more)


def test_an_operator_orders_lower_limits_which_end_by_themselves(server):
    person = signed_up_user(server)
    before = server.admin().get("/v1/admin/under-attack").json
    assert before == {"isUnderAttack": False, "state": "auto", "setting": "auto", "noticedAt": None, "reason": "",
                      "orderedBy": "", "orderedAt": None, "expiresAt": None}
    ordered = order(server, "on", expiresIn=3600)
    assert ordered.status == 200
    assert ordered.json["isUnderAttack"] and ordered.json["expiresAt"] > ordered.json["orderedAt"]
    assert server.metric("safawinet_under_attack") == 1
    wrong = [server.api(source=ELSEWHERE).login(person.email, OTHER_PASSWORD).status for _ in range(5)]
    assert wrong == [401] * UNDER_ATTACK_WRONG_PASSWORDS + [429] * 2
    assert server.api(source=ELSEWHERE).login(person.email, PASSWORD).status == 429
    assert server.api(source=HOME).login(person.email, PASSWORD).status == 200
    assert order(server, "auto").json["isUnderAttack"] is False
    assert server.api(source=ELSEWHERE).login(person.email, PASSWORD).status == 200
    (entry, *_) = server.admin().get("/v1/audit?action=under-attack.ordered").json["items"]
    assert entry["target"] == "under-attack" and entry["reason"] == "auto: a drill"


@pytest.mark.parametrize("body, pointers", [
    ({"state": "panic", "reason": "x"}, {"/state"}),
    ({"state": "on"}, {"/reason"}),
    ({"state": "on", "reason": ""}, {"/reason"}),
    ({"state": "on", "reason": "x", "expiresIn": 59}, {"/expiresIn"}),
    ({"state": "on", "reason": "x", "expiresIn": 30 * 86400 + 1}, {"/expiresIn"}),
    ({"state": "on", "reason": "x", "expiresIn": "1h"}, {"/expiresIn"}),
])
def test_an_order_that_is_not_right_changes_nothing(server, body, pointers):
    refused = server.admin().post("/v1/admin/under-attack", body)
    assert refused.status == 422
    assert refused.pointers == pointers
    assert server.admin().get("/v1/admin/under-attack").json["isUnderAttack"] is False


def test_a_botnet_is_noticed_and_the_known_go_on_without_an_error(start_server):
    server = start_server(PATIENT)
    people = [signed_up_user(server) for _ in range(5)]
    failures: list = []
    has_ended = threading.Event()

    def live(person) -> None:
        device = person.device
        while not has_ended.is_set():
            device = device.refresh()
            reply = server.api(source=HOME).login(person.email, PASSWORD)
            if reply.status != 200:
                failures.append(reply)

    threads = [threading.Thread(target=live, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    try:
        targets = [person.email for person in people] + [new_address("sprayed") for _ in range(60)]

        def is_noticed() -> bool:
            together(server, [login_request(target, OTHER_PASSWORD) for target in targets * 3], BOTNET)
            return server.metric("safawinet_under_attack") == 1

        eventually(is_noticed, "the attack is noticed", 120)
        state = server.admin().get("/v1/admin/under-attack").json
        assert state["isUnderAttack"] and state["state"] == "auto" and state["noticedAt"]
        together(server, [login_request(target, OTHER_PASSWORD) for target in targets * 3], BOTNET)
    finally:
        has_ended.set()
        for thread in threads:
            thread.join()

    assert not failures
    assert len(server.sql("SELECT 1 FROM audit_log WHERE action = 'under-attack.noticed'")) == 1
    server.wait_for_event("under-attack-began")


@pytest.mark.postgres_only
def test_an_order_is_known_to_all_nodes_within_a_second_and_survives_a_restart(start_nodes):
    nodes = start_nodes(3)
    assert order(nodes[0], "on").status == 200
    for node in nodes:
        eventually(lambda: node.metric("safawinet_under_attack") == 1, "the node knows", 2)
    nodes[1].kill()
    nodes[1].start()
    eventually(lambda: nodes[1].metric("safawinet_under_attack") == 1, "the node knows again", 2)
