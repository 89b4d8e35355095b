"""Rotation, the grace of the owner, and theft."""

import base64

import pytest

from harness.people import signed_up_user
from harness.races import refresh_request, together
from harness.server import EXEMPT, rounds


def test_a_refresh_brings_new_tokens_that_work(person):
    later = person.device.refresh()

    assert later.refresh_token != person.device.refresh_token
    assert later.access_token != person.device.access_token
    assert later.is_signed_in()
    assert later.session_id == person.device.session_id
    assert later.refresh_token.startswith("sf_rt_")


def test_the_same_refresh_token_again_brings_the_same_successor(person):
    first = person.device.refresh()
    for _ in range(3):
        again = person.device.refresh()
        assert again.refresh_token == first.refresh_token
        assert again.is_signed_in()
    assert person.server.mail.to(person.email)[1:] == []


def test_once_the_successor_was_used_the_predecessor_is_theft(person):
    first = person.device.refresh()
    second = first.refresh()
    assert not person.device.may_refresh()

    for device in (person.device, first, second):
        assert not device.may_refresh()
        assert not device.is_signed_in()


def test_the_owner_is_told_of_theft_once(person):
    before = len(person.server.mail.to(person.email))
    person.device.refresh().refresh()
    for _ in range(3):
        assert not person.device.may_refresh()

    told = person.server.mail.wait_for(person.email, number=before + 1)
    for secret in (person.device.refresh_token, person.device.access_token):
        assert secret not in told.text
    other = signed_up_user(person.server)  # whose mail comes after any second one
    assert other.device.is_signed_in()
    assert len(person.server.mail.to(person.email)) == before + 1


def test_theft_ends_that_session_alone(person):
    phone = person.log_in("phone")
    person.device.refresh().refresh()
    assert not person.device.may_refresh()

    assert phone.is_signed_in()
    assert phone.may_refresh()


def test_without_grace_the_second_use_is_theft_at_once(start_server):
    person = signed_up_user(start_server({"SAFAWINET__SESSIONS__REFRESH_GRACE_SECONDS": "0"}))
    later = person.device.refresh()

    assert not person.device.may_refresh()
    assert not later.may_refresh()
    assert not later.is_signed_in()


def damaged(token: str) -> dict[str, str]:
    prefix, payload = token[:6], token[6:]
    raw = bytearray(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))

    def encoded(content: bytes) -> str:
        return prefix + base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    wrong = {f"byte {at} flipped": encoded(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]) for at in range(len(raw))}
    return wrong | {
        "cut by one character": token[:-1],
        "one character longer": token + "A",
        "cut in half": token[: len(token) // 2],
        "without its prefix": payload,
        "of another prefix": "sf_at_" + payload,
        "padded": token + "=",
        "empty": "",
        "nonsense": "sf_rt_nonsense",
        "in upper case": token.upper(),
        "not ASCII": "sf_rt_\u00e9\u4e2d",
        "with a newline": token + "\n",
    }


def test_damaged_refresh_tokens_are_refused_alike_and_harm_nothing(person):
    bodies = set()
    for what, token in damaged(person.device.refresh_token).items():
        reply = person.server.api().refresh(token)
        assert reply.status in (401, 422), (what, reply)
        if reply.status == 401:
            bodies.add(str(sorted(reply.without_request_id().items())))
    assert len(bodies) == 1
    assert person.device.is_signed_in()
    assert person.device.may_refresh()


def test_tokens_of_a_different_kind_do_not_refresh(person):
    assert person.server.api().refresh(person.device.access_token).status in (401, 422)
    assert person.server.api().with_token(person.device.refresh_token).me().status == 401
    assert person.device.is_signed_in()


def test_refreshing_needs_no_access_token_and_ignores_a_dead_one(person):
    assert person.device.api.with_token("nonsense").refresh(person.device.refresh_token).status == 200


def test_a_session_survives_a_restart_and_so_does_its_grace(start_server):
    server = start_server(EXEMPT)
    person = signed_up_user(server)
    first = person.device.refresh()
    server.restart()
    person.device.api.address = first.api.address = server.address

    assert person.device.refresh().refresh_token == first.refresh_token
    assert first.is_signed_in()
    second = first.refresh()
    assert not person.device.may_refresh()
    assert not second.is_signed_in()


@pytest.mark.parametrize("contenders", [64])
def test_of_many_contenders_for_one_refresh_token_all_get_the_one_successor(shared_server, contenders):
    device = signed_up_user(shared_server).device
    for number in range(rounds(25)):
        replies = together(shared_server, [refresh_request(device.refresh_token)] * contenders)
        assert [reply.status for reply in replies] == [200] * contenders, (number, replies[0])
        successors = {reply.json["refreshToken"] for reply in replies}
        assert len(successors) == 1, f"round {number}: {len(successors)} live successors"
        device.refresh_token = successors.pop()


def test_without_grace_one_contender_wins_at_most_and_the_session_ends(start_server):
    server = start_server(EXEMPT | {"SAFAWINET__SESSIONS__REFRESH_GRACE_SECONDS": "0"})
    person = signed_up_user(server)
    for _ in range(rounds(10)):
        device = person.log_in()
        replies = together(server, [refresh_request(device.refresh_token)] * 16)
        winners = [reply.json for reply in replies if reply.status == 200]
        assert len(winners) <= 1
        assert all(reply.status == 401 for reply in replies if reply.status != 200)
        for winner in winners:
            assert server.api().refresh(winner["refreshToken"]).status == 401
            assert server.api().with_token(winner["accessToken"]).me().status == 401
