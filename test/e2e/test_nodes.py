"""Three equal nodes on one database: what one does is true at all of them."""

import random
import threading
import time

import pytest

from harness.clock import MINUTE, Clock
from harness.ledger import Account
from harness.mail import VERIFY
from harness.nodes import Nodes, is_ready
from harness.people import OTHER_PASSWORD, PASSWORD, claims_of, log_in, new_address, registered, signed_up_user, with_role
from harness.races import connected, read_reply, refresh_request, request_bytes
from harness.server import ADMIN_EMAIL, ADMIN_PASSWORD, EXEMPT, Server, eventually, new_master_key, rounds, run

pytestmark = pytest.mark.postgres_only

LEASE_MILLISECONDS = 500


@pytest.fixture(scope="module")
def shared_nodes(tmp_path_factory):
    nodes = Nodes(tmp_path_factory.mktemp("nodes"), 3, EXEMPT)
    yield nodes.start()
    nodes.close()


def at_each_in_one_instant(nodes: Nodes, request: bytes, times: int = 1) -> list:
    """The same request to every node, so that all arrive together; the answers in the order of the nodes."""
    connections = [connected(node) for _ in range(times) for node in nodes]
    for connection in connections:
        connection.sendall(request[:-1])
    for connection in connections:
        connection.sendall(request[-1:])
    replies = [read_reply(connection, request) for connection in connections]
    for connection in connections:
        connection.close()
    return replies


# --- starting


@pytest.mark.parametrize("attempt", range(3))
def test_started_at_once_on_an_empty_database_all_are_ready_with_one_administrator_and_one_keyring(start_nodes, attempt):
    nodes = start_nodes(3, EXEMPT)
    nodes.eventually_ready()

    assert nodes.sql("SELECT email, role FROM users") == [(ADMIN_EMAIL, "superadmin")]
    active = nodes.sql("SELECT purpose, count(*) FROM keys WHERE state = 'active' GROUP BY purpose ORDER BY purpose")
    assert active == [("refresh-mac", 1), ("signing", 1)]
    published = [node.api().get("/.well-known/jwks.json").json for node in nodes]
    assert published[0]["keys"]
    assert published[1:] == published[:1] * 2
    for node in nodes:
        assert nodes.accept(log_in(node, ADMIN_EMAIL, ADMIN_PASSWORD))


def test_a_node_with_another_master_key_is_turned_away(nodes, tmp_path):
    stranger = Server(tmp_path / "stranger", {"SAFAWINET_MASTER_KEY": new_master_key()}, database=nodes.database)
    refused = run("serve", folder=tmp_path, settings=stranger.settings)

    assert refused.returncode != 0
    assert "master key" in refused.stderr.lower()
    assert all(is_ready(node.api()) for node in nodes)


def test_a_node_that_joins_later_knows_what_was_ended_before(nodes):
    ended, alive = signed_up_user(nodes[0]), signed_up_user(nodes[1])
    assert nodes[2].stop() == 0
    assert ended.api.logout().status == 204
    nodes[2].start()

    assert nodes.refuse(ended.device)
    assert nodes.accept(alive.device)


def test_a_node_that_stops_takes_nothing_with_it(nodes):
    people = [signed_up_user(node) for node in nodes]
    assert nodes[0].stop() == 0

    for person in people:
        for node in (nodes[1], nodes[2]):
            assert person.device.at(node).is_signed_in()
            assert person.device.at(node).refresh().is_signed_in()
    nodes[0].start()


# --- one truth


def test_what_is_made_at_one_node_is_good_at_the_others(shared_nodes):
    first, second, third = shared_nodes
    address = registered(first)
    token = first.mail.wait_for(address, VERIFY).token
    assert second.api().verify_email(token).status == 204
    assert first.api().verify_email(token).status == 422
    device = log_in(third, address, PASSWORD)

    assert shared_nodes.accept(device)
    for node in shared_nodes:
        device = device.at(node).refresh()
        assert shared_nodes.accept(device)
        assert [item["current"] for item in device.at(first).api.sessions().json["items"]] == [True]


@pytest.mark.parametrize("way", ["logout", "end-session", "end-others", "change-password", "delete-account", "force-logout"])
def test_whatever_ends_a_session_at_one_node_ends_it_at_all(shared_nodes, way, record_property):
    for number, node in enumerate(shared_nodes):
        other = shared_nodes[(number + 1) % 3]
        person = signed_up_user(node)
        phone = log_in(other, person.email, PASSWORD)
        assert shared_nodes.accept(phone)
        match way:
            case "logout":
                done = phone.at(node).api.logout()
            case "end-session":
                done = person.api.end_session(phone.session_id)
            case "end-others":
                done = person.api.end_other_sessions()
            case "change-password":
                done = person.api.change_password(PASSWORD, OTHER_PASSWORD)
            case "delete-account":
                done = person.api.delete_account(PASSWORD)
            case "force-logout":
                done = node.admin().force_logout(userId=person.id)
        begun = time.monotonic()
        assert done.status in (200, 204), done
        assert not phone.at(node).is_signed_in(), "the node that did it knows at once"
        shared_nodes.eventually_refuse(phone)
        # Recorded, not asserted: a busy machine proves nothing about the nodes.
        record_property("refused_everywhere_seconds", round(time.monotonic() - begun, 4))
        assert shared_nodes.refuse_to_refresh(phone)


def test_a_global_logout_at_one_node_holds_at_all_and_spares_the_caller_at_all(nodes):
    people = [signed_up_user(node) for node in nodes]
    admin = nodes[1].admin()
    answer = admin.force_logout_all()

    assert answer.status == 200, answer
    assert answer.json["sparedSession"]
    for person in people:
        nodes.eventually_refuse(person.device)
        assert nodes.refuse_to_refresh(person.device)
        person.device = person.log_in()
        assert nodes.accept(person.device)
    for node in nodes:
        assert node.api(admin.token).me().status == 200


def test_one_idempotency_key_counts_at_every_node(shared_nodes):
    address = new_address()
    headers = {"Idempotency-Key": f"key-{address}"}
    body = {"email": address, "password": PASSWORD}
    replies = [node.api().post("/v1/auth/register", body, headers=headers) for node in shared_nodes]

    assert [(reply.status, reply.body) for reply in replies] == [(202, b"{}")] * 3
    other = shared_nodes[2].api().post("/v1/auth/register", body | {"password": OTHER_PASSWORD}, headers=headers)
    assert other.status == 409, other


def test_every_mail_is_sent_once_whichever_node_sends_it(shared_nodes):
    addresses = [registered(node) for _ in range(5) for node in shared_nodes]
    for address in addresses:
        shared_nodes.mail.wait_for(address, VERIFY)
    eventually(lambda: shared_nodes.sql("SELECT count(*) FROM mail_outbox") == [(0,)], "everything is sent")

    assert [len(shared_nodes.mail.to(address)) for address in addresses] == [1] * len(addresses)


# --- races


def test_one_refresh_token_at_three_nodes_in_one_instant_gets_the_same_successor(shared_nodes):
    person = signed_up_user(shared_nodes[0])
    for _ in range(rounds(20)):
        replies = at_each_in_one_instant(shared_nodes, refresh_request(person.device.refresh_token), times=2)
        assert {reply.status for reply in replies} == {200}
        successors = {reply.json["refreshToken"] for reply in replies}
        assert len(successors) == 1
        person.device.refresh_token = successors.pop()
    assert shared_nodes.sql("SELECT generation FROM refresh_sessions WHERE user_id = ?", person.id) == [(rounds(20) + 1,)]


def test_a_refresh_at_two_nodes_beside_a_forced_logout_at_the_third_leaves_nothing_alive(shared_nodes):
    person = signed_up_user(shared_nodes[0])
    admin = shared_nodes[2].admin()
    end = request_bytes("POST", "/v1/auth/force-logout", {"userId": person.id}, admin.token)
    for _ in range(rounds(15)):
        device = person.log_in()
        refresh = refresh_request(device.refresh_token)
        sent = [(node, refresh) for node in (shared_nodes[0], shared_nodes[1]) for _ in range(3)]
        sent.insert(3, (shared_nodes[2], end))
        connections = [connected(node) for node, _ in sent]
        for connection, (_, request) in zip(connections, sent):
            connection.sendall(request[:-1])
        for connection, (_, request) in zip(connections, sent):
            connection.sendall(request[-1:])
        replies = [read_reply(connection, request) for connection, (_, request) in zip(connections, sent)]
        for connection in connections:
            connection.close()

        assert replies.pop(3).status == 200
        assert {reply.status for reply in replies} <= {200, 401}
        survivors = [device] + [
            type(device)(shared_nodes[0].api(reply.json["accessToken"]), reply.json["refreshToken"], person.email)
            for reply in replies
            if reply.status == 200
        ]
        for survivor in survivors:
            shared_nodes.eventually_refuse(survivor)
            assert shared_nodes.refuse_to_refresh(survivor)


def test_of_registrations_at_three_nodes_in_one_instant_one_account_comes(shared_nodes):
    for _ in range(rounds(3)):
        address = new_address()
        request = request_bytes("POST", "/v1/auth/register", {"email": address, "password": PASSWORD})
        replies = at_each_in_one_instant(shared_nodes, request, times=2)

        assert {reply.status for reply in replies} == {202}
        assert shared_nodes.sql("SELECT count(*) FROM users WHERE email = ?", address) == [(1,)]


def test_one_time_tokens_are_used_once_at_whichever_node(shared_nodes):
    for _ in range(rounds(3)):
        address = registered(shared_nodes[0])
        token = shared_nodes.mail.wait_for(address, VERIFY).token
        request = request_bytes("POST", "/v1/auth/verify-email", {"token": token})
        statuses = sorted(reply.status for reply in at_each_in_one_instant(shared_nodes, request, times=2))

        assert statuses == [204] + [422] * 5


def test_global_logouts_at_three_nodes_in_one_instant_all_hold(nodes):
    people = [signed_up_user(node) for node in nodes]
    admin = nodes[0].admin()
    request = request_bytes("POST", "/v1/auth/force-logout-all", {}, admin.token)
    before = nodes.sql("SELECT epoch FROM session_epoch")[0][0]
    statuses = [reply.status for reply in at_each_in_one_instant(nodes, request)]

    assert statuses == [200] * 3
    assert nodes.sql("SELECT epoch FROM session_epoch") == [(before + 3,)]
    for person in people:
        nodes.eventually_refuse(person.device)
    for node in nodes:
        assert node.api(admin.token).me().status == 200


# --- time


@pytest.fixture
def nodes_out_of_step(start_nodes, tmp_path):
    """The clocks of the nodes are five minutes apart; that of the database agrees with the first."""

    def start(settings: dict[str, str] | None = None) -> Nodes:
        clocks = [Clock(tmp_path / f"clock-{ahead}", ahead) for ahead in (0, 5 * MINUTE, -5 * MINUTE)]
        return start_nodes(3, EXEMPT | (settings or {}), each_settings=[clock.settings for clock in clocks])

    return start


def test_clocks_five_minutes_apart_do_not_disturb_sessions(nodes_out_of_step):
    nodes = nodes_out_of_step()
    for node in nodes:
        person = signed_up_user(node)
        assert nodes.accept(person.device)
        for other in nodes:
            successor = person.device.at(other).refresh()
            # What was replaced is good for a while, at every node, whatever its clock says.
            again = {person.device.at(one).refresh().refresh_token for one in nodes}
            assert again == {successor.refresh_token}
            person.device = successor
            assert nodes.accept(person.device)


def test_every_node_stamps_tokens_with_the_time_of_the_database(nodes_out_of_step):
    nodes = nodes_out_of_step()
    for node in nodes:
        device = signed_up_user(node).device
        claims = claims_of(device.access_token)
        assert abs(claims["iat"] - time.time()) < 30
        assert abs(claims["exp"] - time.time() - 10 * MINUTE) < 30
        ((seconds,),) = nodes.sql("SELECT extract(epoch FROM now() - max(created_at))::int FROM refresh_sessions")
        assert abs(seconds) < 30


def test_expiry_and_the_end_of_the_grace_are_the_same_moment_at_every_node(nodes_out_of_step):
    nodes = nodes_out_of_step(
        {"SAFAWINET__SESSIONS__REFRESH_GRACE_SECONDS": "2", "SAFAWINET__TOKENS__ACCESS_LIFETIME_SECONDS": "60"}
    )
    people = [signed_up_user(node) for node in nodes]
    replaced = [person.device for person in people]
    for person in people:
        person.device = person.device.refresh()
    idle = signed_up_user(nodes[0])
    nodes.sql("UPDATE refresh_sessions SET expires_at = now() + interval '2 seconds' WHERE user_id = ?", idle.id)
    assert nodes.accept(people[0].device)
    time.sleep(3)

    for number, person in enumerate(people):
        assert not replaced[number].at(nodes[(number + 1) % 3]).may_refresh(), "after the grace it is theft"
        nodes.eventually_refuse(person.device)
    assert nodes.refuse_to_refresh(idle.device)


# --- a node that is not well


def test_a_frozen_node_says_no_yes_and_recovers(start_nodes):
    nodes = start_nodes(3, EXEMPT | {"SAFAWINET__REVOCATION__LEASE_MILLISECONDS": str(LEASE_MILLISECONDS)})
    person = signed_up_user(nodes[0])
    for _ in range(rounds(3)):
        device = person.log_in()
        request = request_bytes("GET", "/v1/users/me", token=device.access_token)
        waiting = [connected(nodes[2]) for _ in range(12)]
        for connection in waiting[:6]:
            connection.sendall(request[:-2])
        nodes[2].pause()
        assert device.api.logout().status == 204
        for number, connection in enumerate(waiting):
            connection.sendall(request[-2:] if number < 6 else request)
        eventually(lambda one=device: not one.at(nodes[1]).is_signed_in(), "the others go on")
        # The lease is counted on the clock of the machine: only waiting makes it run out.
        time.sleep(LEASE_MILLISECONDS / 1000 * 1.5)
        nodes[2].resume()
        statuses = {read_reply(connection, request).status for connection in waiting}
        for connection in waiting:
            connection.close()

        assert statuses <= {401, 503}, statuses
        nodes.eventually_ready()
        assert nodes.refuse(device)
        assert nodes.accept(person.device)


@pytest.mark.release_only
def test_a_killed_node_keeps_its_word_and_the_others_know_it(nodes):
    chance = random.Random(20_240_118)
    accounts = [Account(node, node.admin(), seed) for seed, node in enumerate([*nodes, nodes[1]])]
    for turn in range(rounds(4)):
        victim = nodes[turn % 3]
        stop = threading.Event()
        threads = [threading.Thread(target=account.work_until_death, args=(stop,)) for account in accounts]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.1, 0.5))
        victim.kill()
        time.sleep(0.1)
        stop.set()
        for thread in threads:
            thread.join()
        survivors = [node for node in nodes if node is not victim]
        for account in accounts:  # before it is back: nobody needs it for its users
            account.move_to(chance.choice(survivors))
            account.check()
        victim.start()
        assert all(is_ready(node.api()) for node in nodes)

    assert sum(account.acknowledged for account in accounts) > rounds(4)


def test_a_demoted_administrator_writes_nothing_at_any_node_from_that_moment(shared_nodes):
    for number, node in enumerate(shared_nodes):
        admin, person = with_role(node, "admin"), signed_up_user(node)
        path = f"/v1/admin/users/{person.id}/disable"
        done = node.admin().post(f"/v1/admin/users/{admin.id}/role", {"role": "support"})
        assert done.status == 200, done
        other = shared_nodes[(number + 1) % 3]
        assert admin.device.at(other).api.post(path, {"reason": "Still here"}).status in (401, 403)
        assert person.device.is_signed_in()
