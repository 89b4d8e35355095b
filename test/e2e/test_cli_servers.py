"""The command line against servers that are busy, broken or hostile, which a real one seldom is on request."""

import http.server
import json
import pathlib
import signal
import subprocess
import threading
import time

import pytest

from harness.cli import CONTEXT, Cli
from harness.server import BINARY, eventually

USERS = [{"id": f"01890000-0000-7000-8000-{number:012d}", "email": f"user-{number}@example.test"} for number in range(25)]


class Stand(http.server.ThreadingHTTPServer):
    """Answers what `answers` says: a function of method, path and body that gives status, fields and body."""

    daemon_threads = True

    def handle_error(self, *_):
        pass  # a client that goes away is what some tests are about

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, dict]] = []
        self.answers = lambda method, path, body: (200, {}, {"items": [], "nextCursor": None})
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.server.asked.append((self.command, self.path, dict(self.headers)))
        status, fields, content = self.server.answers(self.command, self.path, body)
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, *_):
        pass


@pytest.fixture
def stand():
    server = Stand()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def cli(tmp_path, stand) -> Cli:
    """A context with an API key, which needs no login."""
    home = tmp_path / "home"
    cli = Cli(home)
    key = home / "key"
    key.touch(0o600)
    key.write_text("sf_ak_" + "k" * 49 + "\n")
    cli.ok("context", "add", CONTEXT, "--url", stand.url, "--api-key-file", str(key))
    return cli


def busy_at_first(times: int, then):
    left = [times]

    def answers(method, path, body):
        if left[0] > 0:
            left[0] -= 1
            return 503, {"Retry-After": "1"}, {"type": "urn:safawinet:problem:overloaded", "title": "Busy."}
        return then(method, path, body)

    return answers


def test_the_key_of_the_file_is_sent_and_nothing_else_of_it_is_shown(cli, stand):
    assert cli.json("user", "list") == []
    assert stand.asked[-1][2]["Authorization"] == "Bearer sf_ak_" + "k" * 49
    assert "kkkk" not in cli.ok("context", "show") + cli.ok("context", "list", "--json")


def test_a_busy_server_is_asked_again_and_a_change_is_ordered_once(cli, stand):
    stand.answers = busy_at_first(2, lambda *_: (201, {}, {"email": "ada@example.test"}))
    cli.ok("user", "create", "ada@example.test")
    keys = [fields["Idempotency-Key"] for method, _, fields in stand.asked if method == "POST"]
    assert len(keys) == 3 and len(set(keys)) == 1


def test_a_server_that_stays_busy_is_not_asked_for_ever(cli, stand):
    stand.answers = lambda *_: (503, {"Retry-After": "0"}, {"title": "Busy.", "status": 503})
    assert "Busy." in cli.refused("user", "list")
    assert 1 < len(stand.asked) < 10


def test_a_long_pause_is_told_and_not_waited_for(cli, stand):
    stand.answers = lambda *_: (429, {"Retry-After": "3600"}, {"title": "Too many.", "status": 429})
    assert "Too many." in cli.refused("user", "list")
    assert len(stand.asked) == 1


def test_what_a_server_says_does_nothing_to_the_terminal(cli, stand):
    evil = "\x1b]0;owned\x07\u202e\r\nsafawinet: all is well"
    stand.answers = lambda *_: (403, {}, {"title": "No.", "detail": evil})
    said = cli.refused("user", "list")
    assert "\x1b" not in said and "\u202e" not in said and "\\x1b]0;owned" in said
    assert not any(line.startswith("safawinet: all is well") for line in said.splitlines())


@pytest.mark.parametrize(
    "answer",
    [
        (200, {}, b"<html>"),
        (200, {}, b"[]"),
        (200, {}, b'{"items": "none"}'),
        (200, {}, b'{"items": [1]}'),
        (200, {}, b""),
        (500, {}, b"<html>"),
        (301, {"Location": "http://127.0.0.1:1/"}, b""),
    ],
)
def test_an_answer_that_makes_no_sense_is_no_crash(cli, stand, answer):
    stand.answers = lambda *_: answer
    done = cli.run("user", "list")
    assert done.returncode in (0, 1), done.stderr
    assert "terminate" not in done.stderr and "Traceback" not in done.stderr


def test_a_redirection_is_not_followed_with_the_credential(cli, stand):
    other = Stand()
    stand.answers = lambda *_: (307, {"Location": other.url + "/v1/admin/users"}, b"")
    cli.refused("user", "list")
    assert other.asked == []
    other.shutdown()


def test_a_body_that_stops_in_the_middle_is_refused(cli, stand):
    stand.answers = lambda *_: (200, {"Transfer-Encoding": "chunked"}, b"5\r\n{\"ite")
    assert "no answer" in cli.refused("user", "list")


KEY_ID = "01890000-0000-7000-8000-00000000000a"
NEW_KEY = {"key": "sf_ak_" + "n" * 49, "apiKey": {"id": KEY_ID, "name": "billing"}}
KEYS = "/v1/admin/api-keys"


def test_a_key_is_asked_for_once_since_each_time_makes_one(cli, stand, tmp_path):
    stand.answers = lambda *_: (503, {"Retry-After": "0"}, {"title": "Busy.", "status": 503})
    file = tmp_path / "billing.key"
    said = cli.refused("api-key", "create", "billing", "--permission", "users:read", "--key-file", str(file))
    assert "Busy." in said and "safawinet api-key list" in said
    assert [path for _, path, _ in stand.asked] == [KEYS]
    assert not file.exists()


def test_a_key_is_asked_for_again_when_there_were_too_many_questions(cli, stand):
    limited = iter([(429, {"Retry-After": "0"}, {"title": "Too many.", "status": 429})])
    stand.answers = lambda *_: next(limited, (201, {}, NEW_KEY))
    assert NEW_KEY["key"] in cli.ok("api-key", "create", "billing", "--permission", "users:read")


def test_no_key_is_made_for_a_file_that_cannot_be(cli, stand, tmp_path):
    for file in ("/proc/billing.key", str(tmp_path)):
        cli.refused("api-key", "create", "billing", "--permission", "users:read", "--key-file", file)
    assert not stand.asked


def test_a_file_that_comes_while_a_key_is_made_is_not_written_over(cli, stand, tmp_path):
    file = tmp_path / "billing.key"

    def answers(*_):
        with pytest.raises(FileExistsError):
            file.open("x")
        return 201, {}, NEW_KEY

    stand.answers = answers
    cli.ok("api-key", "create", "billing", "--permission", "users:read", "--key-file", str(file))
    assert file.read_text() == NEW_KEY["key"] + "\n"


@pytest.mark.parametrize("can_be_revoked", [True, False])
def test_a_key_that_cannot_be_kept_is_revoked_or_else_shown(cli, stand, tmp_path, can_be_revoked):
    stand.answers = lambda method, *_: (201, {}, NEW_KEY) if method == "POST" else (204 if can_be_revoked else 500, {}, b"")
    file = tmp_path / "billing.key"
    command = ["api-key", "create", "billing", "--permission", "users:read", "--key-file", str(file)]
    done = subprocess.run(
        ["bash", "-c", 'ulimit -f 0; trap "" XFSZ; exec "$@" > >(cat)', "bash", BINARY, *command],  # no byte fits into any file
        env=cli.settings,
        cwd=cli.home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert [(method, path) for method, path, _ in stand.asked] == [("POST", KEYS), ("DELETE", f"{KEYS}/{KEY_ID}")]
    assert "cannot write" in done.stderr and KEY_ID in done.stderr
    assert ("revoked again" in done.stderr) == can_be_revoked
    assert (NEW_KEY["key"] in done.stdout) != can_be_revoked
    assert not file.exists()


def test_a_key_that_cannot_be_shown_is_revoked(cli, stand):
    stand.answers = lambda method, *_: (201, {}, NEW_KEY) if method == "POST" else (204, {}, b"")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [BINARY, "api-key", "create", "billing", "--permission", "users:read"],
            env=cli.settings,
            cwd=cli.home,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1 and "revoked again" in done.stderr
    assert stand.asked[-1][:2] == ("DELETE", f"{KEYS}/{KEY_ID}")


def test_ctrl_c_while_a_key_is_made_waits_until_it_is_kept_also_after_the_session_was_renewed(tmp_path, stand):
    cli = Cli(tmp_path / "person")
    cli.ok("context", "add", CONTEXT, "--url", stand.url)
    cli.credentials.parent.mkdir(mode=0o700)
    cli.credentials.touch(0o600)
    old = {"accessToken": "old", "accessExpiresAt": "2026-01-01T00:00:00Z", "refreshToken": "old"}
    cli.credentials.write_text(json.dumps(old))
    is_asked, may_answer = threading.Event(), threading.Event()

    def answers(method, path, body):
        if path == "/v1/auth/refresh":
            return 200, {}, {"accessToken": "new", "expiresIn": 900, "refreshToken": "new"}
        is_asked.set()
        assert may_answer.wait(30)
        return 201, {}, NEW_KEY

    stand.answers = answers
    file = tmp_path / "billing.key"
    process = cli.popen("api-key", "create", "billing", "--permission", "users:read", "--key-file", str(file))
    assert is_asked.wait(30)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)  # the command looks for it ten times meanwhile
    may_answer.set()
    process.communicate(timeout=30)
    assert file.read_text() == NEW_KEY["key"] + "\n"


def test_ctrl_c_stops_a_wait_for_an_answer(cli, stand):
    released = threading.Event()

    def never(*_):
        released.wait(30)
        return 200, {}, {}

    stand.answers = never
    process = cli.popen("user", "list")
    eventually(lambda: stand.asked, "the server was asked")
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == -signal.SIGINT
    released.set()
    assert "Stopped." in process.stderr.read()


# --- a leaked text


def test_what_leaked_goes_to_the_server_from_stdin_or_a_file_and_what_is_found_is_told(cli, stand, tmp_path):
    seen = []

    def answers(method, path, body):
        seen.append((path, json.loads(body)))
        return 200, {}, {"items": [{"kind": "refresh-token", "user": {"email": "ada@example.test\x1b[2J"}, "keyId": None}]}

    stand.answers = answers
    token = "sf_rt_" + "A" * 80
    printed = cli.ok("session", "find", stdin=token)
    assert "ada@example.test\\x1b[2J" in printed and "refresh-token" in printed
    file = tmp_path / "leak"
    file.write_text(token + "\n")
    assert cli.json("session", "find", "--file", str(file))["items"][0]["kind"] == "refresh-token"
    assert cli.json("session", "find", "--file", "-", stdin=token)["items"][0]["kind"] == "refresh-token"
    assert seen.pop() == seen[0]
    assert seen == [("/v1/admin/sessions/find", {"text": token}), ("/v1/admin/sessions/find", {"text": token + "\n"})]


def test_a_leaked_text_that_is_empty_missing_too_long_or_an_argument_is_refused(cli, stand, tmp_path):
    cli.refused("session", "find", code=2)
    cli.refused("session", "find", "--file", str(tmp_path / "nothing"), code=2)
    cli.refused("session", "find", "sf_rt_" + "A" * 80, code=2)
    cli.refused("session", "find", "an argument", code=2)
    assert "longer" in cli.refused("session", "find", stdin="x" * 40_000, code=2)
    assert not [path for _, path, _ in stand.asked if path.endswith("/find")]


# --- exports


def pages_of_users(broken_at: list[int]):
    """Ten a page; the page that begins at broken_at[0] fails once."""

    def answers(method, path, body):
        begin = int((path.partition("cursor=")[2].partition("&")[0]) or 0)
        if broken_at and begin == broken_at[0]:
            broken_at.clear()
            return 500, {}, {"title": "Broken.", "status": 500}
        end = begin + 10
        return 200, {}, {"items": USERS[begin:end], "nextCursor": str(end) if end < len(USERS) else None}

    return answers


def lines_of(file: pathlib.Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_an_export_that_broke_off_goes_on_and_has_everybody_once(cli, stand, tmp_path):
    stand.answers = pages_of_users([10])
    file = tmp_path / "users.jsonl"
    cli.refused("user", "export", "--output", str(file))
    assert lines_of(file) == USERS[:10]
    file.write_text(file.read_text() + json.dumps(USERS[10]) + "\n" + '{"id": "ha')
    cli.ok("user", "export", "--output", str(file), "--resume")
    assert lines_of(file) == USERS
    assert list(tmp_path.glob("users.jsonl*")) == [file]
    assert "complete already" in cli.run("user", "export", "--output", str(file), "--resume").stderr
    assert file.stat().st_mode & 0o777 == 0o600


def test_an_export_of_users_does_not_go_on_with_another_file(cli, stand, tmp_path):
    stand.answers = pages_of_users([])
    file = tmp_path / "audit.jsonl"
    file.write_text(json.dumps({"position": 1, "id": USERS[0]["id"], "action": "user.logged-in"}) + "\n")
    said = cli.refused("user", "export", "--output", str(file), "--resume")
    assert "not an export of users" in said
    assert len(lines_of(file)) == 1


def test_an_export_into_a_file_tells_json_what_it_wrote(cli, stand, tmp_path):
    stand.answers = pages_of_users([])
    file = tmp_path / "users.jsonl"
    done = cli.run("user", "export", "--output", str(file), "--json")
    assert json.loads(done.stdout) == {"file": str(file), "users": 25, "isComplete": True}
    assert done.stderr.count("Exported 25 users") == 1
    stand.answers = lambda *_: (200, {}, {"items": [] if "after=2&" in _[1] else [{"position": 1}, {"position": 2}]})
    file = tmp_path / "audit.jsonl"
    done = cli.run("audit", "export", "--output", str(file), "--json")
    assert json.loads(done.stdout) == {"file": str(file), "entries": 2, "upTo": 2}
    assert done.stderr.count("Exported 2 entries") == 1


def test_a_context_with_a_key_has_nobody_to_log_out(cli):
    assert "uses an API key" in cli.refused("context", "logout")


def test_an_export_does_not_write_over_a_file(cli, stand, tmp_path):
    file = tmp_path / "precious"
    file.write_text("kept")
    assert "--resume" in cli.refused("user", "export", "--output", str(file))
    assert file.read_text() == "kept"


def test_an_export_to_a_pipe_is_all_of_it(cli, stand):
    stand.answers = pages_of_users([])
    assert [json.loads(line) for line in cli.ok("user", "export").splitlines()] == USERS
    cli.refused("user", "export", "--resume", code=2)


def test_a_gap_in_the_record_stops_its_export(cli, stand, tmp_path):
    def answers(method, path, body):
        after = int(path.partition("after=")[2].partition("&")[0])
        return 200, {}, {"items": [{"position": p} for p in {0: [5, 6], 6: [8]}.get(after, [])], "nextAfter": 8}

    stand.answers = answers
    file = tmp_path / "audit.jsonl"
    said = cli.refused("audit", "export", "--output", str(file))
    assert "gap" in said and "audit verify" in said
    assert [one["position"] for one in lines_of(file)] == [5, 6]


def test_a_long_verification_goes_on_where_the_server_stopped(cli, stand):
    def answers(method, path, body):
        begin = json.loads(body).get("from", 1)
        end = min(begin + 99, 250)
        return 200, {}, {
            "from": begin,
            "verifiedUpTo": end,
            "rows": end - begin + 1,
            "isComplete": end == 250,
            "findings": [],
            "head": {"position": 250, "link": "x"},
        }

    stand.answers = answers
    assert cli.json("audit", "verify")["rows"] == 250
    assert len(stand.asked) == 3


def test_a_list_is_printed_as_it_comes(cli, stand):
    def answers(method, path, body):
        begin = int((path.partition("cursor=")[2].partition("&")[0]) or 0)
        if begin == 20:
            return 500, {}, {"title": "Broken.", "status": 500}
        return 200, {}, {"items": USERS[begin : begin + 10], "nextCursor": str(begin + 10)}

    stand.answers = answers
    done = cli.run("user", "list", "--json")
    assert done.returncode == 1
    assert len([line for line in done.stdout.splitlines() if "user-" in line]) == 20
