"""The limits of the contract, exact under any parallelism, on the defaults."""

import pytest

from harness.mail import RESET, VERIFY
from harness.people import OTHER_PASSWORD, PASSWORD, log_in, new_address, signed_up_user
from harness.races import login_request, request_bytes, together

WRONG_PASSWORDS_PER_ACCOUNT = 10
MAILS_PER_ADDRESS = 5
MAILS_PER_NETWORK = 30
REGISTRATIONS_PER_NETWORK = 100
# Where a busy machine is not to be taken for a limit: everybody waits for the hash of a password as long as it takes.
PATIENT = {"SAFAWINET__LIMITS__MAX_WAIT_MILLISECONDS": "60000"}


def assert_told_when_to_come_back(replies) -> None:
    for reply in replies:
        assert reply.status == 429, reply
        assert int(reply.headers["Retry-After"]) > 0
        assert reply.headers["Content-Type"] == "application/problem+json"


def by_status(replies, status: int) -> list:
    return [reply for reply in replies if reply.status == status]


def test_of_64_wrong_passwords_at_once_exactly_ten_get_a_verdict_and_then_none_is_hashed(start_server):
    server = start_server(PATIENT)
    person = signed_up_user(server)
    replies = together(server, [login_request(person.email, OTHER_PASSWORD)] * 64)

    refused = [reply for reply in replies if reply.status != 401]
    assert len(replies) - len(refused) == WRONG_PASSWORDS_PER_ACCOUNT
    assert_told_when_to_come_back(refused)
    hashed = server.metric("safawinet_password_verifications_total")
    again = together(server, [login_request(person.email, password) for password in [OTHER_PASSWORD, PASSWORD] * 32])
    assert_told_when_to_come_back(again)
    assert server.metric("safawinet_password_verifications_total") == hashed


def test_64_right_passwords_at_once_are_all_let_in(start_server):
    server = start_server(PATIENT)
    person = signed_up_user(server)
    replies = together(server, [login_request(person.email, PASSWORD)] * 64)

    assert [reply.status for reply in replies] == [200] * 64


def test_an_address_without_an_account_has_the_same_limit(start_server):
    server = start_server(PATIENT)
    replies = together(server, [login_request("nobody@example.test", OTHER_PASSWORD)] * 64)

    refused = [reply for reply in replies if reply.status != 401]
    assert len(replies) - len(refused) == WRONG_PASSWORDS_PER_ACCOUNT
    assert_told_when_to_come_back(refused)


def test_spelling_the_address_differently_gives_no_more_tries(server):
    person = signed_up_user(server)
    spellings = [person.email, person.email.upper(), person.email.title(), person.email.swapcase()]
    statuses = [server.api().login(spellings[number % 4], OTHER_PASSWORD).status for number in range(12)]

    assert statuses == [401] * WRONG_PASSWORDS_PER_ACCOUNT + [429] * 2


def test_right_passwords_between_wrong_ones_use_up_nothing(server):
    person = signed_up_user(server)
    for _ in range(WRONG_PASSWORDS_PER_ACCOUNT - 1):
        assert server.api().login(person.email, OTHER_PASSWORD).status == 401
        assert server.api().login(person.email, PASSWORD).status == 200


def test_one_account_used_up_does_not_touch_another_nor_a_signed_in_device(server):
    person, other = signed_up_user(server), signed_up_user(server)
    together(server, [login_request(person.email, OTHER_PASSWORD)] * 20)

    assert person.device.is_signed_in()
    assert person.device.may_refresh()
    assert log_in(server, other.email, PASSWORD).is_signed_in()


def test_a_wrong_current_password_counts_like_a_wrong_login(server):
    person = signed_up_user(server)
    statuses = [person.api.change_password(OTHER_PASSWORD, PASSWORD + "!").status for _ in range(12)]

    assert statuses[:WRONG_PASSWORDS_PER_ACCOUNT] == [statuses[0]] * WRONG_PASSWORDS_PER_ACCOUNT
    assert statuses[WRONG_PASSWORDS_PER_ACCOUNT:] == [429] * 2
    assert server.api().login(person.email, OTHER_PASSWORD).status == 429


def test_the_limit_does_not_tell_the_right_password_of_a_deactivated_account(server):
    person = signed_up_user(server)
    server.sql("UPDATE users SET is_active = false WHERE id = ?", person.id)
    statuses = [server.api().login(person.email, PASSWORD).status for _ in range(WRONG_PASSWORDS_PER_ACCOUNT + 2)]

    assert statuses == [401] * WRONG_PASSWORDS_PER_ACCOUNT + [429] * 2


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_a_restart_gives_no_more_tries(start_server, known):
    server = start_server()
    address = signed_up_user(server).email if known else new_address()
    for _ in range(WRONG_PASSWORDS_PER_ACCOUNT - 1):
        assert server.api().login(address, OTHER_PASSWORD).status == 401
    server.kill()
    server.start()
    assert server.api().login(address, OTHER_PASSWORD).status == 401
    server.kill()
    server.start()

    assert_told_when_to_come_back([server.api().login(address, password) for password in (OTHER_PASSWORD, PASSWORD)])


@pytest.mark.postgres_only
def test_of_150_wrong_passwords_at_once_on_three_nodes_exactly_ten_get_a_verdict(start_nodes):
    nodes = start_nodes(3, PATIENT)
    person = signed_up_user(nodes[0])
    request = login_request(person.email, OTHER_PASSWORD)
    replies = [reply for of_node in nodes.at_once(lambda node: together(node, [request] * 50)) for reply in of_node]

    refused = [reply for reply in replies if reply.status != 401]
    assert len(replies) - len(refused) == WRONG_PASSWORDS_PER_ACCOUNT
    assert_told_when_to_come_back(refused)
    assert_told_when_to_come_back([node.api().login(person.email, PASSWORD) for node in nodes])


@pytest.mark.postgres_only
def test_right_passwords_at_once_on_three_nodes_are_all_let_in(start_nodes):
    nodes = start_nodes(3, PATIENT)
    person = signed_up_user(nodes[0])
    request = login_request(person.email, PASSWORD)
    replies = [reply for of_node in nodes.at_once(lambda node: together(node, [request] * 20)) for reply in of_node]

    assert [reply.status for reply in replies] == [200] * 60


def test_a_database_dump_does_not_say_whose_password_was_tried(server):
    address = new_address()
    assert server.api().login(address, OTHER_PASSWORD).status == 401
    rows = server.sql("SELECT * FROM failed_attempts")

    assert len(rows) == 2, "the account's count, and that of this network"
    assert address not in str(rows)


@pytest.mark.parametrize("route", ["forgot-password", "resend-verification"])
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_five_mails_an_hour_go_to_an_address_whether_it_is_known_or_not(server, route, known):
    address = signed_up_user(server).email if known else new_address()
    request = request_bytes("POST", f"/v1/auth/{route}", {"email": address})
    replies = together(server, [request] * 20)
    taken = by_status(replies, 202)

    # Signing up was one of the five.
    assert len(taken) == MAILS_PER_ADDRESS - (1 if known else 0)
    assert_told_when_to_come_back([reply for reply in replies if reply.status != 202])
    if route == "forgot-password" and known:
        server.mail.wait_for(address, RESET, number=1)


def test_thirty_mails_an_hour_are_caused_by_a_network_and_another_network_is_free(server):
    addresses = [new_address() for _ in range(60)]
    requests = [request_bytes("POST", "/v1/auth/forgot-password", {"email": address}) for address in addresses]
    neighbours = [f"127.0.5.{host}" for host in range(1, 9)]  # one network: /24
    replies = together(server, requests, neighbours)

    assert len(by_status(replies, 202)) == MAILS_PER_NETWORK
    assert_told_when_to_come_back([reply for reply in replies if reply.status != 202])
    assert server.api(source="127.0.6.1").forgot_password(new_address()).status == 202
    assert server.api(source="127.0.5.200").forgot_password(new_address()).status == 429


def test_a_hundred_registrations_an_hour_come_from_a_network(server):
    bodies = [{"email": new_address(), "password": PASSWORD} for _ in range(REGISTRATIONS_PER_NETWORK + 20)]
    requests = [request_bytes("POST", "/v1/auth/register", body) for body in bodies]
    replies = together(server, requests, [f"127.0.5.{host}" for host in range(1, 9)])

    assert len(by_status(replies, 202)) == REGISTRATIONS_PER_NETWORK
    assert_told_when_to_come_back([reply for reply in replies if reply.status != 202])
    assert server.api(source="127.0.6.1").register(new_address(), PASSWORD).status == 202


def test_refreshes_and_reads_have_no_limit_of_their_own(server):
    person = signed_up_user(server)
    reads = together(server, [request_bytes("GET", "/v1/users/me", token=person.device.access_token)] * 300)
    assert {reply.status for reply in reads} == {200}
    device = person.device
    for _ in range(100):
        device = device.refresh()


def test_an_exempt_network_has_no_limit_and_the_others_keep_theirs(start_server):
    server = start_server({"SAFAWINET__LIMITS__EXEMPT_NETWORKS": "127.0.8.0/24"})
    requests = [request_bytes("POST", "/v1/auth/forgot-password", {"email": new_address()}) for _ in range(40)]

    assert {reply.status for reply in together(server, requests, ["127.0.8.1"])} == {202}
    assert len(by_status(together(server, requests, ["127.0.9.1"]), 202)) == MAILS_PER_NETWORK


def test_a_limit_that_is_reached_writes_no_mail(server):
    address = new_address()
    for _ in range(MAILS_PER_ADDRESS + 3):
        server.api().register(address, PASSWORD)
    last = new_address()
    server.api().register(last, PASSWORD)
    server.mail.wait_for(last, VERIFY)

    assert len(server.mail.to(address)) <= MAILS_PER_ADDRESS
