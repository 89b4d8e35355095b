"""Users who come from another system: the import of the command line and of the API, and their first login."""

import base64
import csv
import hashlib
import json
import pathlib
import re
import signal

import pytest

from harness.cli import Cli
from harness.people import OTHER_PASSWORD, PASSWORD, new_address, signed_up_user, with_role
from harness.server import eventually

ROUTE = "/v1/admin/users/import"
# Of PASSWORD, made with Python's crypt and hashlib.
BCRYPT = "$2b$04$abcdefghijklmnopqrstuu3UM6zO2.xwepAhIfhCMo2hTW4qi6wwO"
SHA512_CRYPT = (
    "$6$rounds=1000$saltstring$BpdjoQkBfJgOX2heMEk1BnRpktfLEl2JkrACkNXUnfCycIMbmbelqVvVWEEApoCA7GCrfvfi2f1r2MCSlh43D/"
)
ABSURD = "$2b$31$abcdefghijklmnopqrstuu3UM6zO2.xwepAhIfhCMo2hTW4qi6wwO"


def pbkdf2_of(password: str) -> str:
    """Django's spelling."""
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), b"seasalt", 1000)
    return f"pbkdf2_sha256$1000$seasalt${base64.b64encode(digest).decode()}"


def scrypt_of(password: str) -> str:
    """passlib's spelling."""

    def plain(data: bytes) -> str:
        return base64.b64encode(data).decode().rstrip("=")

    digest = hashlib.scrypt(password.encode(), salt=b"seasalt", n=1 << 8, r=8, p=1, dklen=32)
    return f"$scrypt$ln=8,r=8,p=1${plain(b'seasalt')}${plain(digest)}"


def user(email: str, **members) -> dict:
    return {"email": email, "emailVerified": True, "passwordHash": pbkdf2_of(PASSWORD)} | members


def write_lines(file: pathlib.Path, users: list) -> str:
    file.write_text("".join(one if isinstance(one, str) else json.dumps(one) + "\n" for one in users))
    return str(file)


@pytest.fixture
def home(tmp_path) -> pathlib.Path:
    return tmp_path / "home"


@pytest.fixture
def cli(home, shared_server) -> Cli:
    return Cli(home, shared_server).log_in(shared_server)


# --- their first login


@pytest.mark.parametrize("stored", [BCRYPT, SHA512_CRYPT, pbkdf2_of(PASSWORD), scrypt_of(PASSWORD)])
def test_an_imported_user_logs_in_with_the_old_password_and_is_rehashed(shared_server, stored):
    email = new_address("brought")
    reply = shared_server.admin().post(ROUTE, {"users": [user(email, passwordHash=stored)]})
    assert (reply.status, reply.json["created"]) == (200, 1), reply
    assert shared_server.api().login(email, OTHER_PASSWORD).status == 401
    assert hash_of(shared_server, email) == stored
    assert shared_server.api().login(email, PASSWORD).status == 200
    assert hash_of(shared_server, email).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert shared_server.api().login(email, PASSWORD).status == 200
    assert shared_server.api().login(email, OTHER_PASSWORD).status == 401


def hash_of(server, email: str) -> str:
    return server.sql("SELECT password_hash FROM users WHERE email = ?", email)[0][0]


def test_a_stored_hash_that_was_edited_to_an_absurd_cost_is_refused_and_holds_up_nobody(shared_server, person):
    for absurd in (ABSURD, "$argon2id$v=19$m=4194304,t=99,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"):
        shared_server.sql("UPDATE users SET password_hash = ? WHERE id = ?", absurd, person.id)
        reply = shared_server.api().login(person.email, person.password)
        assert reply.status == 401 and "invalid-credentials" in reply.json["type"]


# --- the route


def test_each_user_of_a_batch_is_answered_and_a_bad_one_hinders_nobody(shared_server):
    admin = shared_server.admin()
    good, again = new_address("good"), new_address("again")
    users = [
        user(good),
        user(again, name="First"),
        user(again.upper(), name="Second"),
        user("nobody"),
        user(new_address(), passwordHash="5f4dcc3b5aa765d61d8327deb882cf99"),
        user(new_address(), passwordHash=ABSURD),
        user(new_address(), surname="Unknown"),
        "no object",
        user(new_address(), createdAt="2999-01-01T00:00:00Z"),
    ]
    reply = admin.post(ROUTE, {"users": users})
    assert reply.status == 200, reply
    assert [one["outcome"] for one in reply.json["results"]] == ["created", "created", "existing"] + ["refused"] * 6
    assert (reply.json["created"], reply.json["existing"], reply.json["refused"]) == (2, 1, 6)
    faults = [[(error["pointer"], error["code"]) for error in one["errors"]] for one in reply.json["results"][3:]]
    assert faults == [
        [("/email", "invalid")],
        [("/passwordHash", "unknown-scheme")],
        [("/passwordHash", "too-costly")],
        [("/surname", "unknown-field")],
        [("", "wrong-type")],
        [("/createdAt", "out-of-range")],
    ]
    assert "5f4dcc3b" not in reply.body.decode() and "abcdefgh" not in reply.body.decode()
    found = admin.get(f"/v1/admin/users?query={again}").json["items"]
    assert [one["name"] for one in found] == ["First"]
    assert shared_server.mail.to(good) == []


def test_a_batch_has_a_bound_and_at_least_one_user(shared_server):
    admin = shared_server.admin()
    assert admin.post(ROUTE, {"users": []}).pointers == {"/users"}
    assert admin.post(ROUTE, {"users": [{"email": "a@b.example"}] * 201}).pointers == {"/users"}
    assert admin.post(ROUTE, {}).pointers == {"/users"}


def test_nobody_imports_a_role_above_their_own(shared_server):
    admin = with_role(shared_server, "admin")
    wanted = [user(new_address(), role=role) for role in ("customer", "support", "admin", "superadmin")]
    reply = admin.api.post(ROUTE, {"users": wanted})
    assert [one["outcome"] for one in reply.json["results"]] == ["created"] * 3 + ["refused"]
    assert reply.json["results"][3]["errors"][0]["pointer"] == "/role"


def test_an_import_is_on_record_once_a_batch_without_its_hashes(shared_server):
    email = new_address("recorded")
    shared_server.admin().post(ROUTE, {"users": [user(email, passwordHash=BCRYPT), user(email)]})
    entries = shared_server.sql("SELECT action, reason FROM audit_log WHERE action = 'users.imported'")
    assert ("users.imported", "created: 1, existing: 1, refused: 0") in [tuple(entry) for entry in entries]
    assert BCRYPT not in "\n".join(shared_server.lines)


# --- the command line


def test_json_lines_are_imported_and_what_was_refused_is_in_a_report(cli, shared_server, tmp_path):
    emails = [new_address("line") for _ in range(250)]
    lines: list = [user(email, name="Ada") for email in emails]
    lines[3:3] = ["\n", "{not json\n", json.dumps(user(new_address(), passwordHash="plain")) + "\n"]
    file = write_lines(tmp_path / "users.jsonl", lines)
    done = cli.run("user", "import", file, "--json")
    assert done.returncode == 1 and "2 lines were refused" in done.stderr, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["created"], summary["existing"], summary["refused"]) == (250, 0, 2)
    report = pathlib.Path(summary["report"])
    assert report == tmp_path / "users.jsonl.refused.jsonl" and report.stat().st_mode & 0o777 == 0o600
    refused = [json.loads(line) for line in report.read_text().splitlines()]
    assert [one["line"] for one in refused] == [5, 6]
    assert "no JSON" in refused[0]["reason"] and "passwordHash is none of" in refused[1]["reason"]
    for email in (emails[0], emails[-1]):
        assert shared_server.api().login(email, PASSWORD).status == 200

    again = cli.run("user", "import", file, "--report", str(tmp_path / "again.jsonl"), "--json")
    assert json.loads(again.stdout)["existing"] == 250


def test_csv_is_imported_with_its_columns_named(cli, shared_server, tmp_path):
    file = tmp_path / "users.csv"
    first, second = new_address("csv"), new_address("csv")
    with file.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["email", "emailVerified", "name", "passwordHash", "createdAt", "isActive", "role"])
        rows.writerow([first, "true", 'Ada, "the" first', pbkdf2_of(PASSWORD), "2019-05-01T12:00:00Z", "", "support"])
        rows.writerow([second, "t", "", pbkdf2_of(PASSWORD), "", "false", ""])
    assert "2 created, 0 there already, 0 refused" in cli.ok("user", "import", str(file))
    assert not (tmp_path / "users.csv.refused.jsonl").exists()
    shown = cli.json("user", "show", first)
    assert (shown["name"], shown["role"], shown["createdAt"][:10]) == ('Ada, "the" first', "support", "2019-05-01")
    assert cli.json("user", "show", second)["isActive"] is False
    assert shared_server.api().login(second, PASSWORD).status == 401

    file.write_text("email,password\na@b.example,x\n")
    said = cli.refused("user", "import", str(file), "--report", str(tmp_path / "r"), code=2)
    assert "password" in said and "passwordHash" in said


def test_a_dry_run_checks_every_line_and_changes_nothing(cli, person, tmp_path):
    email = new_address("dry")
    file = write_lines(tmp_path / "users.jsonl", [user(email), user(person.email), user("nobody")])
    done = cli.run("user", "import", file, "--dry-run")
    assert done.returncode == 1
    assert "Nothing was done. 1 to be created, 1 there already, 1 refused" in done.stdout
    assert re.search(r"Line 3 \(nobody\): email must be", done.stderr)
    assert cli.run("user", "show", email).returncode == 1
    assert sorted(one.name for one in tmp_path.glob("users*")) == ["users.jsonl"]


def test_users_are_imported_from_stdin(cli):
    email = new_address("piped")
    assert "1 created" in cli.ok("user", "import", "-", stdin=json.dumps(user(email)))
    assert cli.json("user", "show", email)["emailVerified"] is True
    cli.refused("user", "import", "-", "--resume", stdin="", code=2)


def test_an_import_that_is_stopped_goes_on_where_it_was(cli, shared_server, tmp_path):
    emails = [new_address("long") for _ in range(6000)]
    lines: list = [user(email) for email in emails]
    lines[10] = user("nobody")
    file = tmp_path / "users.jsonl"
    write_lines(file, lines)
    cursor = tmp_path / "users.jsonl.refused.jsonl.cursor"
    process = cli.popen("user", "import", str(file))
    eventually(lambda: cursor.exists(), "the first batch is done")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT and "--resume" in said, said
    done_before = json.loads(json.loads(cursor.read_text())["cursor"])
    assert 0 < done_before["line"] < 6000

    assert "users.jsonl.refused.jsonl is there already" in cli.refused("user", "import", str(file))
    changed = tmp_path / "users.jsonl.kept"
    file.rename(changed)
    write_lines(file, [user("other@example.test"), *lines[1:]])
    assert "is not what it was" in cli.refused("user", "import", str(file), "--resume", code=2)
    changed.rename(file)

    done = cli.run("user", "import", str(file), "--resume", "--json")
    summary = json.loads(done.stdout)
    # A batch that was done while its answer was lost is there already when it is sent again.
    assert summary["created"] + summary["existing"] == 5999 and summary["existing"] <= 100, summary
    assert summary["refused"] == 1
    report = [json.loads(line)["line"] for line in pathlib.Path(summary["report"]).read_text().splitlines()]
    assert report == [11]
    like = "SELECT count(*) FROM users WHERE email LIKE 'long-%'"
    assert shared_server.sql(like)[0][0] >= 5999
    assert "imported already" in cli.run("user", "import", str(file), "--resume").stderr


def test_an_import_whose_process_is_killed_loses_nothing(cli, shared_server, tmp_path):
    emails = [new_address("killed") for _ in range(3000)]
    file = write_lines(tmp_path / "users.jsonl", [user(email) for email in emails])
    cursor = tmp_path / "users.jsonl.refused.jsonl.cursor"
    process = cli.popen("user", "import", file)
    eventually(lambda: cursor.exists(), "the first batch is done")
    process.kill()
    process.communicate(timeout=60)
    summary = cli.json("user", "import", file, "--resume")
    assert summary["created"] + summary["existing"] == 3000 and summary["refused"] == 0
    assert cli.json("user", "show", emails[-1])["email"] == emails[-1]


def test_lines_that_were_added_to_an_imported_file_are_brought_in(cli, tmp_path):
    first, later = new_address("first"), new_address("later")
    file = write_lines(tmp_path / "users.jsonl", [user(first), user("nobody"), "\n"])
    assert cli.run("user", "import", file).returncode == 1
    write_lines(tmp_path / "users.jsonl", [user(first), user("nobody"), "\n", user(later), user("nobody2")])
    done = cli.run("user", "import", file, "--resume", "--json")
    summary = json.loads(done.stdout)
    assert (summary["created"], summary["existing"], summary["refused"]) == (2, 0, 2), done.stderr
    lines = pathlib.Path(summary["report"]).read_text().splitlines()
    assert [json.loads(line)["line"] for line in lines] == [2, 5]
    assert cli.json("user", "show", later)["email"] == later
    for _ in range(2):
        again = cli.run("user", "import", file, "--resume")
        assert again.returncode == 0 and "imported already" in again.stderr


def test_a_report_of_a_dry_run_or_of_another_file_is_not_gone_on_with(cli, tmp_path):
    email = new_address("real")
    file = write_lines(tmp_path / "users.jsonl", [user("nobody"), user(email)])
    report = str(tmp_path / "report")
    cli.refused("user", "import", file, "--dry-run", "--report", report)
    for more in ([], ["--resume"]):
        said = cli.refused("user", "import", file, "--report", report, *more, code=2)
        assert "is the report of a dry run" in said
    assert cli.run("user", "show", email).returncode == 1
    (tmp_path / "report.cursor").unlink()
    assert "how far" in cli.refused("user", "import", file, "--report", report, "--resume", code=2)
    (tmp_path / "report").unlink()
    cli.refused("user", "import", file, "--report", report)
    other = write_lines(tmp_path / "other.jsonl", [user(new_address()), user(new_address())])
    assert "is not what it was" in cli.refused("user", "import", other, "--report", report, "--resume", code=2)
    shorter = write_lines(tmp_path / "shorter.jsonl", [user("nobody")])
    assert "is not what it was" in cli.refused("user", "import", shorter, "--report", report, "--resume", code=2)


def test_an_import_that_does_nothing_leaves_nothing_and_offers_nothing(home, shared_server, tmp_path):
    support = with_role(shared_server, "support")
    cli = Cli(home).log_in(shared_server, support.email, support.password)
    file = write_lines(tmp_path / "users.jsonl", ["{\n", user(new_address())])
    for more in ([], ["--resume"], ["--context", "nowhere"]):
        said = cli.refused("user", "import", file, *more)
        assert "--resume" not in said
    assert sorted(one.name for one in tmp_path.glob("users*")) == ["users.jsonl"]


def test_refused_lines_are_told_in_the_order_of_the_file(cli, tmp_path):
    file = write_lines(tmp_path / "users.jsonl", [user("nobody"), "{not json\n", user("nobody"), "[]\n"])
    done = cli.run("user", "import", file, "--report", str(tmp_path / "report"))
    assert re.findall(r"^Line (\d+)", done.stderr, re.MULTILINE) == ["1", "2", "3", "4"]
    assert [json.loads(line)["line"] for line in (tmp_path / "report").read_text().splitlines()] == [1, 2, 3, 4]


def test_one_quotation_mark_too_many_costs_one_line_of_csv(cli, tmp_path):
    emails = [new_address("quoted") for _ in range(50)]
    file = tmp_path / "users.csv"
    rows = [f"{email},true,Name" for email in emails]
    rows[3] += '"'
    rows[20] = f'{emails[20]},perhaps,"'
    rows[30] = f"{emails[30]},yes,Name"
    file.write_text("email,emailVerified,name\n" + "\n".join(rows) + "\n")
    done = cli.run("user", "import", str(file), "--json")
    summary = json.loads(done.stdout)
    assert (summary["created"], summary["refused"]) == (47, 3), done.stderr
    reasons = {one["line"]: one["reason"] for one in map(json.loads, pathlib.Path(summary["report"]).read_text().splitlines())}
    assert "does not begin with one" in reasons[5] and "does not end on its line" in reasons[22]
    assert reasons[32] == "emailVerified must be one of true, t, 1, false, f, 0"


def test_progress_is_shown_on_a_terminal(cli, tmp_path):
    file = write_lines(tmp_path / "users.jsonl", [user(new_address("seen")) for _ in range(300)])
    terminal = cli.on_terminal("user", "import", file)
    terminal.wait_for("(100 %): 300 created, 0 there already, 0 refused")
    assert terminal.end() == 0
    terminal = cli.on_terminal("user", "import", file, "--dry-run")
    terminal.wait_for("Checked up to line 300 (100 %): 0 to be created, 300 there already")
    assert terminal.end() == 0
    assert "Imported" not in terminal.shown


def test_what_is_exported_can_be_imported(cli, shared_server, start_server, tmp_path):
    left = signed_up_user(shared_server)
    cli.ok("user", "disable", left.email, "--reason", "Left, with a smile", "--yes")
    exported = tmp_path / "exported.jsonl"
    cli.ok("user", "export", "--output", str(exported))
    there = [json.loads(line) for line in exported.read_text().splitlines()]

    other = start_server()
    importing = Cli(tmp_path / "other", other).log_in(other)
    summary = importing.json("user", "import", str(exported))
    assert summary["refused"] == 0 and summary["created"] + summary["existing"] == len(there)
    again = tmp_path / "again.jsonl"
    importing.ok("user", "export", "--output", str(again))
    here = {one["email"]: one for one in map(json.loads, again.read_text().splitlines())}
    kept = ("emailVerified", "emailStatus", "name", "locale", "role", "isActive", "disabledReason", "disabledAt", "createdAt")
    for one in there:
        if one["role"] == "superadmin":
            continue  # the first administrator is there already
        assert [here[one["email"]][member] for member in kept] == [one[member] for member in kept], one
        assert here[one["email"]]["lastLoginAt"] == one["lastLoginAt"]
    assert here[left.email]["disabledReason"] == "Left, with a smile"


# --- what may be set


def test_a_password_on_the_operators_list_is_refused(start_server, tmp_path):
    listed = tmp_path / "blocklist.txt"
    listed.write_text(f"a listed password of ours\r\n{OTHER_PASSWORD}\n")
    server = start_server({"SAFAWINET__PASSWORDS__BLOCKLIST_FILE": str(listed)})
    for password in (OTHER_PASSWORD, OTHER_PASSWORD.upper() + "2026", "A listed password of ours!"):
        reply = server.api().register(new_address(), password)
        assert (reply.status, reply.pointers) == (422, {"/password"}), password
        assert reply.json["errors"][0]["code"] == "too-common"
    assert server.api().register(new_address(), PASSWORD).status == 202


def test_forms_of_address_name_and_service_are_refused(shared_server):
    api = shared_server.api()
    for password in ("R0samund3.P1lch3r!", "rehclip-ednumasor", "ROSAMUNDE 1934-2026", "S4f4w1n3t-2026-2026"):
        reply = api.register("rosamunde@lighthouse.test", password, name="Rosamunde Pilcher")
        assert (reply.status, reply.pointers) == (422, {"/password"}), password
