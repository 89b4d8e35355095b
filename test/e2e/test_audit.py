"""The audit log: what is on record, that nobody alters it unnoticed, and what happens when it cannot be written."""

import base64
import concurrent.futures
import json
import pathlib
import re
import shutil
import threading
import uuid

import pytest

from harness.clock import DAY, Clock
from harness.people import new_address, registered, signed_up_user, with_role
from harness.server import ENGINE, EXEMPT, REPOSITORY, eventually, rounds

ACTION = re.compile(r'"((?:access|api-key|audit|key|mail|master-key|mode|operation|session|under-attack|users?)\.[a-z]+(?:-[a-z]+)*)"')


def verify(api, checkpoints=None):
    """All findings, from the first position to the last."""
    findings, body = [], {"checkpoints": checkpoints or []}
    while True:
        reply = api.post("/v1/audit/verify", body)
        assert reply.status == 200, reply
        findings += reply.json["findings"]
        if reply.json["isComplete"]:
            return reply.json | {"findings": findings}
        body["from"] = reply.json["verifiedUpTo"] + 1


def kinds(verified) -> list[tuple]:
    return sorted((finding["kind"], finding["position"] or 0) for finding in verified["findings"])


def export(api, limit: int = 1000) -> list[dict]:
    items, after = [], 0
    while True:
        reply = api.get(f"/v1/audit/export?after={after}&limit={limit}")
        assert reply.status == 200, reply
        if not reply.json["items"]:
            return items
        items += reply.json["items"]
        after = reply.json["nextAfter"]
        assert after == items[-1]["position"]


def listed(api, query: str = "") -> list[dict]:
    items, cursor = [], ""
    while True:
        reply = api.get(f"/v1/audit?limit=5{query}{cursor}")
        assert reply.status == 200, reply
        items += reply.json["items"]
        if reply.json["nextCursor"] is None:
            return items
        cursor = "&cursor=" + reply.json["nextCursor"]


def all_linked(server) -> bool:
    ((entries,),) = server.sql("SELECT count(*) FROM audit_log")
    ((linked,),) = server.sql("SELECT count(*) FROM audit_chain")
    return entries == linked


def link_all(server) -> None:
    eventually(lambda: all_linked(server), "every entry is in the chain")


def entry_at(position: int) -> str:
    return f"(SELECT entry_id FROM audit_chain WHERE position = {position})"


def busy_server(start_server, settings=None, **options):
    """A server with some entries, all linked."""
    server = start_server(EXEMPT | (settings or {}), **options)
    person = signed_up_user(server)
    for _ in range(4):
        person.log_in()
        assert server.api().login(person.email, "not the right one at all").status == 401
    assert person.api.end_other_sessions().status == 200
    link_all(server)
    return server, person


# --- reading


def test_what_happened_is_listed_newest_first_and_can_be_narrowed(shared_server):
    person = signed_up_user(shared_server)
    assert shared_server.api().login(person.email, "not the right one at all").status == 401
    admin = shared_server.admin()
    assert admin.force_logout(userId=person.id, reason="a stolen phone").status == 200

    items = listed(admin, f"&target=user:{person.id}")
    assert [item["action"] for item in items] == [
        "session.force-logout", "user.login-refused", "user.email-verified", "user.registered",
    ]
    assert items[0]["reason"] == "a stolen phone" and items[0]["outcome"] == "done"
    assert items[0]["ipAddress"] == "127.0.0.1" and items[0]["requestId"]
    assert [item["action"] for item in listed(admin, f"&actor=user:{person.id}")] == ["user.logged-in", "user.email-verified"]
    assert [item["outcome"] for item in listed(admin, f"&target=user:{person.id}&outcome=refused")] == ["refused"]
    since = items[1]["at"]
    assert len(listed(admin, f"&target=user:{person.id}&since={since}")) == 2
    assert len(listed(admin, f"&target=user:{person.id}&until={since}")) == 2
    for bad in ("since=yesterday", "outcome=maybe", "limit=0", "cursor=x"):
        assert admin.get(f"/v1/audit?{bad}").status == 422
    for bad in ("after=-1", "limit=1001", "limit=x"):
        assert admin.get(f"/v1/audit/export?{bad}").status == 422


def test_the_record_is_for_administrators_and_its_erasure_for_superadmins(shared_server):
    person = signed_up_user(shared_server)
    support, admin = with_role(shared_server, "support"), with_role(shared_server, "admin")
    erase = {"userId": person.id, "reason": "asked for"}
    for api, may_read in ((shared_server.api(), 401), (person.api, 403), (support.api, 403), (admin.api, 200)):
        assert api.get("/v1/audit").status == may_read
        assert api.get("/v1/audit/export").status == may_read
        assert api.post("/v1/audit/verify", {}).status == may_read
        assert api.post("/v1/audit/erase", erase).status in (401, 403)
    assert shared_server.admin().post("/v1/audit/erase", {"userId": person.id}).status == 422


def test_the_export_has_every_position_once_and_goes_on_where_it_stopped(start_server):
    server, person = busy_server(start_server)
    admin = server.admin()
    link_all(server)
    items = export(admin, limit=3)
    assert [item["position"] for item in items] == list(range(1, len(items) + 1))
    assert len({item["id"] for item in items}) == len(items)
    assert {item["id"] for item in items} >= {item["id"] for item in listed(admin)}
    person.log_in()
    link_all(server)
    more = admin.get(f"/v1/audit/export?after={len(items)}").json
    assert [item["action"] for item in more["items"]] == ["user.logged-in"]
    assert more["nextAfter"] == len(items) + 1


# --- altering


def test_whatever_is_altered_in_sql_is_found_where_it_was_done(start_server):
    server, _ = busy_server(start_server)
    admin = server.admin()
    link_all(server)
    clean = verify(admin)
    assert clean["findings"] == [] and clean["head"]["position"] == clean["verifiedUpTo"] >= 12
    end = clean["head"]["position"]

    server.sql(f"UPDATE audit_log SET reason = 'nothing happened' WHERE id = {entry_at(2)}")
    server.sql(f"DELETE FROM audit_log WHERE id = {entry_at(4)}")
    server.sql("UPDATE audit_chain SET position = 1000006 WHERE position = 6")
    server.sql("UPDATE audit_chain SET position = 6 WHERE position = 7")
    server.sql("UPDATE audit_chain SET position = 7 WHERE position = 1000006")
    server.sql("DELETE FROM audit_chain WHERE position = 10")
    copied = "at, action, outcome, actor, target, reason, ip_address, request_id, salt, personal, mac"
    inserted = str(uuid.uuid4())
    server.sql(f"INSERT INTO audit_log (id, {copied}) SELECT ?, {copied} FROM audit_log WHERE id = {entry_at(2)}", inserted)
    link_all_but = eventually(
        lambda: server.sql("SELECT position FROM audit_chain WHERE entry_id = ?", inserted), "the sequencer takes it"
    )
    found = kinds(verify(admin))
    assert found == sorted(
        [
            ("entry-changed", 2),
            ("entry-missing", 4),
            ("link-wrong", 6),
            ("link-wrong", 7),
            ("link-wrong", 8),
            ("position-missing", 11),
            ("entry-not-linked", 0),  # the entry whose row of the chain was deleted
            ("entry-changed", link_all_but[0][0]),
        ]
    ), (found, end)


def checkpoint_lines(server) -> list[dict]:
    return [json.loads(line) for line in (server.data / "audit-checkpoints.jsonl").read_text().splitlines()]


def test_a_checkpoint_is_signed_in_the_log_and_in_the_file_and_anybody_can_verify_it(start_server):
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    server, _ = busy_server(start_server)
    ((end,),) = server.sql("SELECT max(position) FROM audit_chain")
    assert server.stop() == 0
    (logged, *_rest) = [event for event in server.events("audit-checkpoint") if event["position"] >= end]
    line = checkpoint_lines(server)[-1]
    assert {name: logged[name] for name in line} == line
    server.start()
    answer = verify(server.admin(), [line])
    assert answer["findings"] == []
    assert answer["publicKey"] == line["publicKey"]

    raw = base64.urlsafe_b64decode(line["publicKey"] + "=")
    signature = base64.urlsafe_b64decode(line["signature"] + "==")
    text = f"safawinet audit checkpoint\n{line['position']}\n{line['link']}\n{line['at']}\n"
    ed25519.Ed25519PublicKey.from_public_bytes(raw).verify(signature, text.encode())
    forged = line | {"position": line["position"] + 1}
    assert kinds(verify(server.admin(), [forged])) == [("checkpoint-forged", forged["position"])]


def test_a_log_whose_end_was_cut_off_is_found_by_the_checkpoints_of_this_node_and_of_elsewhere(start_server):
    server, _ = busy_server(start_server)
    ((end,),) = server.sql("SELECT max(position) FROM audit_chain")
    assert server.stop() == 0
    kept = checkpoint_lines(server)[-1]
    assert kept["position"] >= end
    cut = kept["position"] - 3
    server.sql(f"DELETE FROM audit_log WHERE id IN (SELECT entry_id FROM audit_chain WHERE position > {cut})")
    server.sql("DELETE FROM audit_chain WHERE position > ?", cut)
    server.start()
    server.wait_for_event("audit-chain-damaged")
    found = verify(server.admin())["findings"]
    assert {finding["kind"] for finding in found} <= {"chain-cut", "chain-rewritten"} and found
    (server.data / "audit-checkpoints.jsonl").unlink()
    found = verify(server.admin(), [kept])["findings"]
    assert {finding["kind"] for finding in found} <= {"chain-cut", "chain-rewritten"} and found


@pytest.mark.embedded_only
def test_an_older_copy_of_the_database_that_was_put_back_is_found(start_server):
    server, person = busy_server(start_server)
    assert server.stop() == 0
    shutil.copy(server.database_file, server.folder / "older.db")
    server.start()
    for _ in range(3):
        person.log_in()
    link_all(server)
    assert verify(server.admin())["findings"] == []
    assert server.stop() == 0
    for leftover in server.data.glob("safawinet.db-*"):
        leftover.unlink()
    shutil.copy(server.folder / "older.db", server.database_file)
    server.start()
    server.wait_for_event("audit-chain-damaged")
    for _ in range(10):
        person.log_in()
    found = verify(server.admin())["findings"]
    assert [finding["kind"] for finding in found] == ["chain-rewritten"]

    # And after any number of checkpoints of the copy: what was lost is in the file as that.
    assert server.stop() == 0
    file = server.data / "audit-checkpoints.jsonl"
    lines = file.read_text().splitlines()
    lost = [number for number, line in enumerate(lines) if '"audit-checkpoint-lost"' in line]
    assert len(lost) == 1
    newest = lines[-1]
    file.write_text("\n".join([lines[lost[0]]] + [newest] * 300) + "\n")
    server.start()
    found = verify(server.admin())["findings"]
    assert [finding["kind"] for finding in found] == ["chain-rewritten"]


# --- erasing and keeping


def test_what_is_personal_is_erased_and_the_rest_still_verifies(start_server):
    server, person = busy_server(start_server)
    root = server.admin()
    assert root.force_logout(userId=person.id, reason=f"asked by {person.email}").status == 200
    before = len(listed(root))
    reply = root.post("/v1/audit/erase", {"userId": person.id, "reason": "request 17"})
    assert reply.status == 200, reply
    assert reply.json["rowsErased"] >= 12
    link_all(server)
    assert verify(root)["findings"] == []
    items = listed(root)
    assert len(items) == before + 1
    assert [item["action"] for item in items if person.id in json.dumps(item)] == ["audit.erased"]
    assert not any(person.email in json.dumps(item) for item in items)
    assert root.post("/v1/audit/erase", {"userId": person.id, "reason": "again"}).json["rowsErased"] == 0
    server.sql("DELETE FROM audit_erasures")
    assert {finding["kind"] for finding in verify(root)["findings"]} == {"entry-changed"}


@pytest.mark.embedded_only
def test_what_was_kept_long_enough_goes_unless_it_does_not_verify(start_server, tmp_path: pathlib.Path):
    clock = Clock(tmp_path / "clock")
    keep = {"SAFAWINET__AUDIT__RETENTION_DAYS": "30"} | clock.settings
    server, person = busy_server(start_server, keep)
    ((end,),) = server.sql("SELECT max(position) FROM audit_chain")
    assert not server.events("audit-purged")
    assert server.stop() == 0
    server.sql(f"UPDATE audit_log SET reason = 'x' WHERE id = {entry_at(3)}")
    clock.advance(31 * DAY)
    server.start()
    assert "entry-changed at position 3" in server.wait_for_event("audit-purge-failed")["cause"]
    assert server.stop() == 0
    server.sql(f"UPDATE audit_log SET reason = '' WHERE id = {entry_at(3)}")
    server.start()
    server.wait_for_event("audit-purged")
    person.log_in()
    link_all(server)
    answer = verify(server.admin())
    assert answer["findings"] == []
    assert answer["from"] > end
    assert "audit.purged" in [item["action"] for item in listed(server.admin())]
    server.sql("DELETE FROM audit_anchor")
    assert "position-missing" in [kind for kind, _ in kinds(verify(server.admin()))]


# --- when it cannot be written

DEAF = {
    "sqlite": (["CREATE TRIGGER deaf BEFORE INSERT ON audit_log BEGIN SELECT RAISE(ABORT, 'full'); END"],
               ["DROP TRIGGER deaf"]),
    "postgres": (["CREATE FUNCTION be_deaf() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'full'; END $$",
                  "CREATE TRIGGER deaf BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION be_deaf()"],
                 ["DROP TRIGGER deaf ON audit_log", "DROP FUNCTION be_deaf()"]),
}


def test_without_a_record_nothing_privileged_happens_and_nobody_logs_in_until_it_can_be_written(start_server):
    server, person = busy_server(start_server)
    root = server.admin()
    support = with_role(server, "support")
    users = server.sql("SELECT count(*) FROM users")
    deafen, cure = DEAF[ENGINE]
    for statement in deafen:
        server.sql(statement)

    assert root.force_logout(userId=person.id).status == 503
    assert root.force_logout_all().status == 503
    assert root.post("/v1/admin/invitations", {"email": new_address()}).status == 503
    assert root.post("/v1/audit/erase", {"userId": person.id, "reason": "x"}).status == 503
    assert support.api.force_logout_all().status == 503, "a refusal of a privileged operation is on record or is none"
    assert person.device.is_signed_in() and person.device.may_refresh()
    assert server.api().register(new_address(), "Seven wooden spoons, one pot").status == 503
    assert server.sql("SELECT count(*) FROM users") == users
    assert server.api().login(person.email, person.password).status == 503
    assert server.api().login(person.email, "not the right one at all").status == 401
    assert server.api().login(new_address(), "not the right one at all").status == 401
    assert server.metric("safawinet_audit_refusals_unrecorded_total") == 2
    assert root.get("/v1/audit").status == 200
    assert verify(root)["findings"] == []

    for statement in cure:
        server.sql(statement)
    assert server.api().login(person.email, person.password).status == 200
    assert root.force_logout(userId=person.id).status == 200
    assert not person.device.is_signed_in()
    link_all(server)
    assert verify(root)["findings"] == []


@pytest.mark.postgres_only
def test_a_right_that_was_taken_away_is_no_server_error(start_server):
    server, person = busy_server(start_server)
    root = server.admin()
    server.sql("ALTER TABLE audit_log RENAME TO elsewhere")
    assert root.force_logout(userId=person.id).status == 503
    assert person.device.is_signed_in()
    server.sql("ALTER TABLE elsewhere RENAME TO audit_log")
    assert root.force_logout(userId=person.id).status == 200


# --- many nodes


@pytest.mark.postgres_only
def test_two_nodes_and_kill_9_while_entries_are_written_link_each_of_them_once(start_nodes):
    nodes = start_nodes(2, EXEMPT)
    person = signed_up_user(nodes[0])
    admins = [node.admin() for node in nodes]
    acknowledged: list[str] = []
    lock = threading.Lock()
    is_over = threading.Event()

    def work(number: int) -> None:
        count = 0
        while not is_over.is_set():
            reason = f"worker {number}, act {count}"
            count += 1
            try:
                reply = admins[number % 2].force_logout(userId=person.id, reason=reason)
            except OSError:
                continue
            if reply.status == 200:
                with lock:
                    acknowledged.append(reason)

    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        working = [threads.submit(work, number) for number in range(4)]
        # Beside them, as fast as the database takes it: more than the sequencers can link before one of them dies.
        nodes.sql(
            "INSERT INTO audit_log (id, at, action, outcome, actor, target, reason, ip_address, request_id, mac) "
            "SELECT gen_random_uuid(), now(), 'by.hand', 'done', '', '', '', '', '', '' "
            f"FROM generate_series(1, {rounds(20_000)})"
        )
        for _ in range(3):
            ((linked,),) = nodes.sql("SELECT count(*) FROM audit_chain")
            eventually(
                lambda at_least=linked + 3000: nodes.sql("SELECT count(*) FROM audit_chain")[0][0] >= at_least
                or not nodes.sql("SELECT FROM audit_queue LIMIT 1"),
                "entries are linked",
            )
            nodes[0].kill()
            nodes[0].start()
            admins[0] = nodes[0].admin()
        is_over.set()
        for one in working:
            one.result()
    eventually(lambda: all_linked(nodes), "every entry is in the chain", rounds(120))

    ((rows, first, last, entries),) = nodes.sql(
        "SELECT count(*), min(position), max(position), count(DISTINCT entry_id) FROM audit_chain"
    )
    assert (first, last, entries) == (1, rows, rows)
    assert nodes.sql("SELECT count(*) FROM audit_queue") == [(0,)]
    recorded = [reason for (reason,) in nodes.sql("SELECT reason FROM audit_log WHERE action = 'session.force-logout'")]
    assert acknowledged and set(acknowledged) <= set(recorded)
    assert len(recorded) == len(set(recorded))
    # Those that nobody of ours wrote are the only findings.
    by_hand = {str(one) for (one,) in nodes.sql("SELECT id FROM audit_log WHERE action = 'by.hand'")}
    nodes.sql("DELETE FROM audit_log WHERE action = 'by.hand'")
    found: set[str] = set()

    def look_from(position: int) -> int | None:
        reply = admins[1].post("/v1/audit/verify", {"from": position}).json
        assert {one["kind"] for one in reply["findings"]} <= {"entry-missing"}, reply
        found.update(one["entryId"] for one in reply["findings"])
        return None if reply["isComplete"] else reply["verifiedUpTo"] + 1

    # A call stops after a hundred findings: of a soak's chain it looks here and there, and at the end.
    position: int | None = 1
    while position is not None:
        position = look_from(position)
        if position is not None and rows > 100_000:
            position = min(position + rows // 200, max(position, rows - 2_000))
    assert found <= by_hand
    assert rows > 100_000 or found == by_hand


# --- the page that explains it


def test_the_page_for_operators_names_every_action_that_the_code_records():
    in_code = set()
    for file in (REPOSITORY / "src").rglob("*.[ch]pp"):
        if not file.name.endswith("_test.cpp") and file.name != "testing.hpp" and not {"cli", "config"} & set(file.parts):
            in_code |= set(ACTION.findall(file.read_text()))
    page = (REPOSITORY / "docs/operating/audit.md").read_text()
    documented = set(re.findall(r"^\| `([a-z-]+\.[a-z-]+)` \|", page, re.MULTILINE))
    assert len(in_code) > 20
    assert in_code - documented == set(), "missing in docs/operating/audit.md"
    assert documented - in_code == set(), "no longer in the code"


def test_an_unverified_login_is_on_record(shared_server):
    email = registered(shared_server)
    assert shared_server.api().login(email, "Eleven brass kettles, one whistle").status == 403
    ((user,),) = shared_server.sql("SELECT id FROM users WHERE email = ?", email)
    items = listed(shared_server.admin(), f"&target=user:{user}")
    assert [(item["action"], item["reason"]) for item in items][0] == (
        "user.login-refused", "the address is not verified",
    )
