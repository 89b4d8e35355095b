"""A full disk: writes are refused and may be tried again, reads go on, health says so, and it heals.

The disk of the embedded database, and those of a PostgreSQL server: the one of its tables, the one of all that it has.
"""

import contextlib
import os
import pathlib
import subprocess

import pytest

from harness.people import PASSWORD, signed_up_user
from harness.postgres import clusters, give_to_its_user
from harness.server import EXEMPT, eventually



@contextlib.contextmanager
def mounted(folder: pathlib.Path, size: str):
    """A disk of a size."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def small_disk(tmp_path: pathlib.Path):
    with mounted(tmp_path / "disk", "12m") as folder:
        yield folder


def fill(folder: pathlib.Path) -> pathlib.Path:
    filler = folder / "filler"
    with open(filler, "ab", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass
    return filler


@pytest.fixture
def server(small_disk, start_server):
    # Folder and disk are made in this order, so that the server is stopped before its disk is taken away.
    return start_server(EXEMPT, data=small_disk / "data")


@pytest.mark.embedded_only
def test_writes_are_refused_reads_go_on_and_it_heals(server, small_disk):
    person = signed_up_user(server)
    held = [person.log_in() for _ in range(2)]
    filler = fill(small_disk)
    # The write-ahead log may have room in it yet: what is acknowledged meanwhile counts.
    refused = None
    for _ in range(3000):
        reply = server.api().refresh(held[0].refresh_token)
        if reply.status != 200:
            refused = reply
            break
        held[0].refresh_token = reply.json["refreshToken"]
        fill(small_disk)

    assert refused is not None, "the disk never filled"
    assert refused.status == 503, refused
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert server.api().login(person.email, PASSWORD).status == 503
    assert person.device.is_signed_in()
    assert person.api.sessions().status == 200
    health = server.api().get("/health")
    assert health.json["status"] != "ok", health
    assert health.json["dependencies"]["database"]["status"] != "ok"
    assert server.api().get("/health/live").status == 200

    filler.unlink()
    eventually(lambda: server.api().login(person.email, PASSWORD).status == 200, "logins work again")
    eventually(lambda: server.api().get("/health").json["status"] == "ok", "health is well again")
    assert held[1].refresh().is_signed_in()
    assert held[0].refresh().is_signed_in()
    server.restart()
    assert person.log_in().is_signed_in()


@pytest.mark.embedded_only
def test_a_session_cannot_be_ended_by_half_on_a_full_disk(server, small_disk):
    person = signed_up_user(server)
    admin = server.admin()
    filler = fill(small_disk)
    statuses = [admin.force_logout(userId=person.id).status for _ in range(20)]

    if 200 in statuses:
        assert not person.device.is_signed_in()
        assert not person.device.may_refresh()
    else:
        assert set(statuses) == {503}
    filler.unlink()
    eventually(lambda: admin.force_logout(userId=person.id).status == 200, "operators can act again")
    assert not person.device.is_signed_in()
    assert not person.device.may_refresh()


@pytest.mark.embedded_only
def test_acts_that_cannot_be_recorded_are_not_done(server, small_disk):
    person, target = signed_up_user(server), signed_up_user(server)
    admin = server.admin()
    path = f"/v1/admin/users/{target.id}"

    def entries() -> int:
        return server.sql("SELECT count(*) FROM audit_log WHERE action IN ('user.disabled', 'user.enabled')")[0][0]

    filler = fill(small_disk)
    done, reply = 0, None
    for _ in range(3000):
        fill(small_disk)
        act, body = ("/enable", {}) if done % 2 else ("/disable", {"reason": "while the disk is full"})
        reply = admin.post(path + act, body)
        if reply.status != 200:
            break
        done += 1

    assert reply.status == 503, "the disk never filled"
    assert int(reply.headers["Retry-After"]) > 0
    assert admin.get(path).json["isActive"] is (done % 2 == 0), "what was refused was not done"
    for refused in (
        admin.post(path + "/role", {"role": "support"}),
        admin.post("/v1/admin/api-keys", {"name": "k", "permissions": ["users:read"]}),
        admin.post("/v1/admin/sessions/find", {"text": person.email}),
        admin.post("/v1/audit/erase", {"userId": person.id, "reason": "x"}),
    ):
        assert refused.status == 503, refused
    assert person.device.is_signed_in()
    filler.unlink()
    act, body = ("/enable", {}) if done % 2 else ("/disable", {"reason": "again"})
    eventually(lambda: admin.post(path + act, body).status == 200, "operators can act again")
    assert entries() == done + 1
    eventually(lambda: not server.sql("SELECT * FROM audit_queue"), "what was written is linked")
    assert admin.post("/v1/audit/verify", {}).json["findings"] == []


@pytest.mark.embedded_only
def test_a_server_starts_on_a_full_disk_or_says_why_not(server, small_disk):
    person = signed_up_user(server)
    assert server.stop() == 0
    filler = fill(small_disk)
    server.launch()
    eventually(
        lambda: server.process.poll() is not None
        or server.events("listening")[1:]
        or server.events("waiting-for-database"),
        "it started, gave up, or says what it waits for",
    )
    filler.unlink()
    if server.process.poll() is not None:
        assert server.wait() != 0
        server.start()
    server.wait_until_listening()
    assert person.log_in().is_signed_in()


# --- the disks of a PostgreSQL server


def refused_login(server, person):
    """The first login that finds no room; those before it count."""
    for _ in range(600):
        reply = server.api().login(person.email, PASSWORD)
        if reply.status != 200:
            return reply
    raise AssertionError("the disk never filled")


@pytest.mark.postgres_only
def test_tables_without_room_refuse_writes_and_heal(start_server):
    cluster = clusters().make()
    with mounted(clusters().new_folder(), "24m") as disk:
        give_to_its_user(disk)
        cluster.sql(f"CREATE TABLESPACE small LOCATION '{disk}'")
        server = start_server(EXEMPT, database=cluster.create_database("TABLESPACE small"))
        person = signed_up_user(server)
        filler = fill(disk)
        refused = refused_login(server, person)
        assert refused.status == 503, refused
        assert int(refused.headers["Retry-After"]) > 0
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert person.device.is_signed_in()
        assert person.api.sessions().status == 200
        assert server.api().get("/health/live").status == 200

        filler.unlink()
        eventually(lambda: server.api().login(person.email, PASSWORD).status == 200, "logins work again")
        eventually(lambda: server.api().get("/health").json["status"] == "ok", "health is well")
        assert person.device.refresh().is_signed_in()
        assert server.stop() == 0
        cluster.close()


@pytest.mark.postgres_only
@pytest.mark.release_only
def test_a_database_server_that_gives_up_on_a_full_disk_is_taken_up_again_when_it_is_back(start_server):
    """Without room for its log PostgreSQL ends. Whoever looks after it makes room and starts it; ours needs nobody."""
    with mounted(clusters().new_folder(), "160m") as disk:
        give_to_its_user(disk)
        cluster = clusters().make(folder=disk)
        server = start_server(EXEMPT, database=cluster.create_database())
        person = signed_up_user(server)
        devices = []
        filler = fill(disk)
        for _ in range(2000):
            reply = server.api().login(person.email, PASSWORD)
            if reply.status != 200:
                break
            devices.append(server.api(reply.json["accessToken"]))
            with contextlib.suppress(Exception):
                cluster.sql("SELECT pg_switch_wal()")
            fill(disk)
        assert reply.status == 503, reply
        assert int(reply.headers["Retry-After"]) > 0
        assert server.api().get("/health/live").status == 200

        filler.unlink()
        cluster.revive()
        eventually(lambda: server.api().login(person.email, PASSWORD).status == 200, "logins work again")
        eventually(lambda: server.api().get("/health").json["status"] == "ok", "health is well")
        assert person.device.is_signed_in()
        assert all(api.me().status == 200 for api in devices), "an acknowledged login is lost"
        assert server.stop() == 0
        cluster.close()
