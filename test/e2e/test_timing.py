"""How long an answer takes does not tell whether an address has an account, nor whether a device is known: pairs of requests, taken
in turns, whose medians are compared."""

import random
import statistics
import time
import uuid

import pytest

from harness.people import OTHER_PASSWORD, PASSWORD, new_address, signed_up_user
from harness.server import EXEMPT, rounds

pytestmark = [pytest.mark.release_only, pytest.mark.alone]

PAIRS = rounds(1000)  # on each engine
TRIES_PER_ACCOUNT = 10
# Of the median, and in seconds: what a hash that is left out, or one more commit, would exceed many times.
MOST_RELATIVE, MOST_SECONDS = 0.1, 0.0005


@pytest.fixture
def server(start_server):
    return start_server(EXEMPT)


def copies_of(server, person, count: int) -> list[str]:
    """So many more users with the same password, made in SQL: a registration takes a hash each."""
    addresses = [new_address("copy") for _ in range(count)]
    for address in addresses:
        server.sql(
            "INSERT INTO users (id, email, email_verified_at, password_hash, name, locale, role, created_at, updated_at) "
            "SELECT ?, ?, email_verified_at, password_hash, name, locale, role, created_at, updated_at FROM users WHERE id = ?",
            str(uuid.uuid4()), address, person.id)
    return addresses


def differ(one: list[float], other: list[float]) -> bool:
    first, second = statistics.median(one), statistics.median(other)
    return abs(first - second) > max(MOST_SECONDS, MOST_RELATIVE * max(first, second))


def measure(pairs, ask, expected: int) -> tuple[list[float], list[float]]:
    """Of each pair one and the other, in an order that is left to chance."""
    times: tuple[list[float], list[float]] = ([], [])
    dice = random.Random(1)
    for pair in pairs:
        for which in dice.sample((0, 1), 2):
            began = time.perf_counter()
            reply = ask(pair[which])
            times[which].append(time.perf_counter() - began)
            assert reply.status == expected, reply
    return times


def described(one: list[float], other: list[float]) -> str:
    return f"{statistics.median(one) * 1e6:.0f} µs and {statistics.median(other) * 1e6:.0f} µs, of {len(one)} pairs"


def assert_alike(times: tuple[list[float], list[float]]) -> None:
    print(described(*times))
    assert not differ(*times), described(*times)


def test_a_login_takes_as_long_for_an_unknown_address_as_for_a_wrong_password(server):
    person, api = signed_up_user(server), server.api()
    known = copies_of(server, person, PAIRS // TRIES_PER_ACCOUNT)
    pairs = [(address, "un" + address) for address in known for _ in range(TRIES_PER_ACCOUNT)]

    assert_alike(measure(pairs, lambda email: api.login(email, OTHER_PASSWORD), 401))


def test_a_wrong_password_takes_as_long_from_a_known_device_as_from_a_stranger(server):
    """Also when nothing is told any more."""
    person = signed_up_user(server)
    known = copies_of(server, person, PAIRS // TRIES_PER_ACCOUNT // 3)
    home, elsewhere = server.api(source="127.0.0.1"), server.api(source="127.0.6.1")
    for address in known:
        assert home.login(address, PASSWORD).status == 200
        for _ in range(TRIES_PER_ACCOUNT):
            server.api(source="127.0.7.1").login(address, OTHER_PASSWORD)
    pairs = [((home, address), (elsewhere, address)) for address in known for _ in range(TRIES_PER_ACCOUNT)]

    assert_alike(measure(pairs, lambda who: who[0].login(who[1], OTHER_PASSWORD), 429))


def test_a_registration_takes_as_long_for_a_known_address_as_for_a_new_one(server):
    person, api = signed_up_user(server), server.api()
    known = copies_of(server, person, PAIRS // TRIES_PER_ACCOUNT)
    pairs = [(address, new_address("newcomer")) for address in known for _ in range(TRIES_PER_ACCOUNT)]

    assert_alike(measure(pairs, lambda email: api.register(email, PASSWORD), 202))


def test_forgot_password_takes_as_long_for_an_unknown_address_as_for_a_known_one(server):
    person, api = signed_up_user(server), server.api()
    known = copies_of(server, person, PAIRS // TRIES_PER_ACCOUNT)
    pairs = [(address, "un" + address) for address in known for _ in range(TRIES_PER_ACCOUNT)]

    assert_alike(measure(pairs, api.forgot_password, 202))


def test_the_comparison_tells_a_login_without_a_hash_from_one_with_it(server):
    """So that the tests above could fail."""
    api, locked = server.api(), new_address()
    for _ in range(TRIES_PER_ACCOUNT):
        api.login(locked, OTHER_PASSWORD)
    with_hash, without = [], []
    for _ in range(50):
        for address, times in ((new_address(), with_hash), (locked, without)):
            began = time.perf_counter()
            api.login(address, OTHER_PASSWORD)
            times.append(time.perf_counter() - began)

    assert differ(with_hash, without)
