"""kill -9 at any moment: nothing acknowledged is lost, nothing ended comes back, and no hand is needed."""

import random
import threading
import time

import pytest

from harness.ledger import Account
from harness.people import PASSWORD, signed_up_user
from harness.server import EXEMPT, Server, rounds

WORKERS = 4


@pytest.mark.release_only
def test_a_killed_server_keeps_its_word(start_server, record_property):
    server = start_server(EXEMPT)
    chance = random.Random(20_240_117)
    accounts = [Account(server, server.admin(), seed) for seed in range(WORKERS)]
    ready_seconds = []
    for _ in range(rounds(12)):
        threads = [threading.Thread(target=account.work_until_death) for account in accounts]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.0, 0.3))
        server.kill()
        for thread in threads:
            thread.join()
        begun = time.monotonic()
        server.start()
        ready_seconds.append(time.monotonic() - begun)
        for account in accounts:
            account.check()

    assert sum(account.acknowledged for account in accounts) > rounds(12)
    # Recorded, not asserted: a busy machine proves nothing about the server.
    record_property("ready_again_seconds_worst", round(max(ready_seconds), 3))


@pytest.mark.release_only
def test_a_server_killed_while_it_starts_starts_again(start_server):
    server = start_server(EXEMPT)
    person = signed_up_user(server)
    assert server.stop() == 0
    for number in range(rounds(8)):
        server.launch()
        time.sleep(number * 0.004)
        server.kill()
    server.start()
    person.device.api.address = server.address

    assert person.device.is_signed_in()
    assert person.log_in().is_signed_in()


@pytest.mark.release_only
def test_a_server_killed_in_its_very_first_start_starts_again(tmp_path):
    for number in range(rounds(8)):
        server = Server(tmp_path / f"first-{number}", EXEMPT)
        server.launch()
        time.sleep(number * 0.006)
        server.kill()
        server.start()
        assert server.admin().me().status == 200
        assert server.api().register("first@example.test", PASSWORD).status == 202
        assert server.stop() == 0
