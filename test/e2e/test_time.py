"""What ends by itself, on a wall clock that the test moves."""

import pytest

from harness.clock import DAY, HOUR, MINUTE
from harness.mail import RESET, VERIFY
from harness.people import OTHER_PASSWORD, PASSWORD, log_in, new_address, registered, signed_up_user, verified
from harness.server import Server


@pytest.fixture
def server(timed_server) -> Server:
    return timed_server


def test_an_access_token_ends_after_ten_minutes_and_the_session_goes_on(server, clock):
    device = signed_up_user(server).device
    clock.advance(9 * MINUTE)
    assert device.is_signed_in()
    clock.advance(2 * MINUTE)

    assert not device.is_signed_in()
    assert device.refresh().is_signed_in()


def test_a_session_that_is_not_used_ends_after_a_fortnight(server, clock):
    used, idle = signed_up_user(server).device, signed_up_user(server).device
    clock.advance(13 * DAY)
    used = used.refresh()
    clock.advance(2 * DAY)

    assert not idle.may_refresh()
    assert used.refresh().is_signed_in()


def test_a_session_ends_after_thirty_days_however_much_it_is_used(server, clock):
    device = signed_up_user(server).device
    for _ in range(3):
        clock.advance(9 * DAY + 12 * HOUR)
        device = device.refresh()
    clock.advance(2 * DAY)

    assert not device.may_refresh()


def test_an_access_token_does_not_outlive_its_session(server, clock):
    device = signed_up_user(server).device
    for _ in range(2):
        clock.advance(13 * DAY)
        device = device.refresh()
    clock.advance(4 * DAY - 5 * MINUTE)
    device = device.refresh()
    assert device.is_signed_in()
    clock.advance(6 * MINUTE)

    assert not device.is_signed_in()
    assert not device.may_refresh()


def test_after_the_grace_the_old_refresh_token_is_theft(server, clock):
    device = signed_up_user(server).device
    later = device.refresh()
    clock.advance(20)
    assert device.refresh().refresh_token == later.refresh_token
    clock.advance(15)

    assert not device.may_refresh()
    assert not later.may_refresh()
    assert not later.is_signed_in()


def test_a_verification_token_ends_after_a_day(server, clock):
    early, late = registered(server), registered(server)
    tokens = [server.mail.wait_for(address, VERIFY).token for address in (early, late)]
    clock.advance(23 * HOUR)
    assert server.api().verify_email(tokens[0]).status == 204
    clock.advance(2 * HOUR)

    assert server.api().verify_email(tokens[1]).status == 422
    assert server.api().login(late, PASSWORD).status == 403


def test_a_reset_token_ends_after_half_an_hour(server, clock):
    people = [signed_up_user(server) for _ in range(2)]
    for person in people:
        server.api().forgot_password(person.email)
    tokens = [server.mail.wait_for(person.email, RESET).token for person in people]
    clock.advance(29 * MINUTE)
    assert server.api().reset_password(tokens[0], OTHER_PASSWORD).status == 204
    clock.advance(2 * MINUTE)

    assert server.api().reset_password(tokens[1], OTHER_PASSWORD).status == 422
    assert log_in(server, people[1].email, PASSWORD).is_signed_in()


def test_a_change_of_address_ends_after_an_hour(server, clock):
    people = [signed_up_user(server) for _ in range(2)]
    addresses = [new_address("early"), new_address("late")]
    for person, address in zip(people, addresses):
        person.api.change_email(PASSWORD, address)
    tokens = [server.mail.wait_for(address).token for address in addresses]
    clock.advance(59 * MINUTE)
    assert server.api().verify_email(tokens[0]).status == 204
    clock.advance(2 * MINUTE)

    assert server.api().verify_email(tokens[1]).status == 422
    assert log_in(server, people[1].email, PASSWORD).is_signed_in()


def test_a_clock_that_goes_back_revives_nothing_that_was_ended(server, clock):
    person = signed_up_user(server)
    phone = person.log_in("phone")
    later = phone.refresh()
    person.api.end_session(phone.session_id)
    clock.advance(-DAY)

    for device in (phone, later):
        assert not device.is_signed_in()
        assert not device.may_refresh()


def test_a_clock_that_jumps_years_ahead_and_returns_forgets_no_lock_and_keeps_nobody_out_for_years(server, clock):
    locked, tried_in_between = verified(server), verified(server)
    for _ in range(10):
        assert server.api().login(locked, OTHER_PASSWORD).status == 401
    clock.advance(5 * 365 * DAY)
    for _ in range(10):
        assert server.api().login(tried_in_between, OTHER_PASSWORD).status == 401
    assert server.api().login(tried_in_between, PASSWORD).status == 429
    clock.advance(-5 * 365 * DAY)

    refused = server.api().login(locked, PASSWORD)
    assert refused.status == 429
    assert int(refused.headers["Retry-After"]) <= 15 * MINUTE
    assert server.api().login(tried_in_between, PASSWORD).status == 200
    clock.advance(15 * MINUTE)
    assert server.api().login(locked, PASSWORD).status == 200
