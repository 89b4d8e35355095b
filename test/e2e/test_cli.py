"""The command line's base: contexts, credentials, tables, questions, help, --local, completion."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess

import pytest

from harness.authority import Authority
from harness.cli import CONTEXT, Cli, Terminal
from harness.people import new_address, signed_up_user, with_role
from harness.server import ADMIN_EMAIL, ADMIN_PASSWORD, BINARY, Server, eventually

HOSTILE = "\u202eAda\u200b \x1b[31mred\x1b[0m\r\nroot@example.test <b>bold</b>\x9b2J\x7f"


@pytest.fixture
def home(tmp_path) -> pathlib.Path:
    return tmp_path / "home"


@pytest.fixture
def cli(home, shared_server) -> Cli:
    """Somebody who is logged in as the administrator."""
    return Cli(home, shared_server).log_in(shared_server)


def every_command(path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The command tree, as the helps tell it."""
    text = subprocess.run([BINARY, *path, "--help"], capture_output=True, text=True, check=True).stdout
    _, _, below = text.partition("\nSubcommands:\n")
    names = re.findall(r"^  ([a-z][a-z-]*)\b", below.partition("\n\n")[0], re.MULTILINE)
    found = [path]
    for name in names:
        found += every_command((*path, name))
    return found


# --- help and usage


def test_every_command_has_a_help_with_an_example():
    commands = every_command()
    assert ("user", "list") in commands and ("completion", "bash") in commands
    for command in commands:
        done = subprocess.run([BINARY, *command, "--help"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, command
        assert done.stdout.splitlines()[0].strip(), command
        assert "Example:" in done.stdout, command
        assert "safawinet " + " ".join(command[:1]) in done.stdout, command


def test_the_examples_in_the_helps_name_commands_that_there_are():
    tree = set(every_command())
    for command in tree:
        text = subprocess.run([BINARY, *command, "--help"], capture_output=True, text=True, check=True).stdout
        for example in re.findall(r"safawinet ([a-z][a-z -]*)", text.partition("Example:\n")[2]):
            words = tuple(example.split())
            assert words[:2] in tree or (words[:1] in tree and not any(one[:1] == words[:1] and one[1:] for one in tree)), (
                command,
                example,
            )


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["user"], ["user", "list", "--nothing"], ["user", "show"]])
def test_wrong_usage_is_exit_code_2(home, arguments):
    assert Cli(home).refused(*arguments, code=2)


def test_what_is_wrong_with_a_command_is_named_with_what_to_try(home):
    cli = Cli(home)
    for arguments, what, hint in [
        (["frobnicate"], 'there is no command "frobnicate"', "safawinet --help"),
        (["user", "lst"], 'there is no command "lst"', "safawinet user list, or safawinet user --help"),
        (["user", "list", "--nothing"], "--nothing", "safawinet user list --help"),
        (["--context", "ops", "user", "list"], "--context comes after the verb", "safawinet --help"),
        (["audit", "verify", "--from", "0"], "a whole number, from 1 on", "safawinet audit verify --help"),
    ]:
        said = cli.refused(*arguments, code=2).splitlines()
        assert said[0].startswith("safawinet: ") and what in said[0]
        assert said[1].startswith("  try: ") and hint in said[1]
        assert len(said) == 2
    assert cli.ok("--version") == cli.ok("version")
    assert cli.ok("help", "user", "list") == cli.ok("user", "list", "--help")
    assert cli.ok("help") == cli.ok("--help")


def test_an_argument_that_looks_like_a_token_is_refused_and_not_repeated(home):
    for token in ("sf_rt_" + "A" * 60, "sf_ak_" + "b" * 49, "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2ln"):
        said = Cli(home).refused("user", "show", token, code=2)
        assert "stdin" in said
        assert token not in said


# --- contexts


def test_a_first_command_says_how_to_name_a_server(home):
    assert "safawinet context add" in Cli(home).refused("user", "list")


def test_contexts_are_added_chosen_shown_and_removed(home):
    cli = Cli(home)
    cli.ok("context", "add", "prod", "--url", "https://accounts.example.test/")
    cli.ok("context", "add", "staging", "--url", "https://staging.example.test:8443")
    cli.ok("context", "use", "staging")

    assert [(one["name"], one["url"], one["current"]) for one in cli.json("context", "list")] == [
        ("prod", "https://accounts.example.test", False),
        ("staging", "https://staging.example.test:8443", True),
    ]
    assert cli.json("context", "show")["name"] == "staging"
    cli.ok("context", "remove", "staging")
    assert "context use" in cli.refused("context", "show")


@pytest.mark.parametrize(
    "url", ["http://accounts.example.test", "ftp://x", "https://", "https://a:b@host", "https://host/path", "accounts"]
)
def test_a_url_that_would_leak_or_mislead_is_refused(home, url):
    Cli(home).refused("context", "add", "x", "--url", url, code=2)


@pytest.mark.parametrize("name", ["../x", "-x", "a b", "x" * 65, ".hidden", "a/b"])
def test_a_name_that_could_leave_the_folder_is_refused(home, name):
    Cli(home).refused("context", "add", "--url", "https://x.example.test", "--", name, code=2)


def test_a_name_is_given_once(home):
    cli = Cli(home)
    cli.ok("context", "add", "prod", "--url", "https://one.example.test")
    assert "already" in cli.refused("context", "add", "prod", "--url", "https://two.example.test")


def test_a_server_that_is_not_there_is_exit_code_1_with_what_to_look_at(home, free_port=1):
    cli = Cli(home)
    cli.ok("context", "add", "gone", "--url", f"http://127.0.0.1:{free_port}")
    said = cli.refused("context", "login", "--email", "a@example.test", "--password-stdin", stdin="something\n")
    assert "safawinet context show gone" in said


# --- who one is


def test_logging_in_keeps_the_tokens_where_only_their_owner_can_read_them(cli):
    for path in [cli.configuration, *cli.configuration.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
    assert cli.json("user", "show", ADMIN_EMAIL)["role"] == "superadmin"


def test_a_file_that_others_may_read_is_refused_with_the_command_that_mends_it(cli):
    cli.credentials.chmod(0o640)
    assert f"chmod 600 {cli.credentials}" in cli.refused("user", "list")
    cli.credentials.chmod(0o600)
    (cli.configuration / "contexts.json").chmod(0o604)
    assert "chmod 600" in cli.refused("user", "list")


def test_a_wrong_password_says_no_more_than_that(home, shared_server):
    cli = Cli(home).add_context(shared_server)
    said = cli.refused("context", "login", "--email", ADMIN_EMAIL, "--password-stdin", stdin="wrong\n")
    assert "wrong address or password" in said
    assert not cli.credentials.exists()


def test_the_password_is_asked_without_showing_it(home, shared_server):
    cli = Cli(home).add_context(shared_server)
    terminal = cli.on_terminal("context", "login")
    terminal.wait_for("E-mail address").type(ADMIN_EMAIL + "\n").wait_for("Password: ")
    eventually(lambda: not terminal.is_echoing, "typing is hidden")
    terminal.type(ADMIN_PASSWORD + "\n")
    assert terminal.end() == 0, terminal.shown
    assert ADMIN_PASSWORD not in terminal.shown
    assert "Logged in" in terminal.shown


def test_a_password_from_stdin_is_not_shown_when_stdin_is_a_terminal(home, shared_server):
    cli = Cli(home).add_context(shared_server)
    terminal = cli.on_terminal("context", "login", "--email", ADMIN_EMAIL, "--password-stdin").wait_for("Password: ")
    assert not terminal.is_echoing
    terminal.type(ADMIN_PASSWORD + "\n")
    assert terminal.end() == 0
    assert ADMIN_PASSWORD not in terminal.shown


def test_ctrl_c_at_the_password_ends_by_the_signal_and_shows_typing_again(home, shared_server):
    cli = Cli(home).add_context(shared_server)
    terminal = cli.on_terminal("context", "login", "--email", ADMIN_EMAIL).wait_for("Password: ")
    eventually(lambda: not terminal.is_echoing, "typing is hidden")
    terminal.press_ctrl_c().wait_for("Stopped.")
    assert terminal.is_echoing
    assert terminal.end() == -signal.SIGINT
    assert not cli.credentials.exists()


def test_without_a_terminal_nothing_is_asked(home, shared_server):
    cli = Cli(home).add_context(shared_server)
    assert "--password-stdin" in cli.refused("context", "login", "--email", ADMIN_EMAIL)


def test_logging_out_ends_the_session_at_the_server_and_forgets_it_here(cli, shared_server):
    token = json.loads(cli.credentials.read_text())["accessToken"]
    assert shared_server.api(token).me().status == 200
    cli.ok("context", "logout")
    assert shared_server.api(token).me().status == 401
    assert not cli.credentials.exists()
    assert "safawinet context login" in cli.refused("user", "list")


def expire_access_token(cli: Cli) -> dict:
    kept = json.loads(cli.credentials.read_text())
    kept["accessExpiresAt"] = "2020-01-01T00:00:00Z"
    cli.credentials.write_text(json.dumps(kept))
    return kept


def test_logging_in_again_ends_the_former_session_and_removing_a_context_the_last(home, shared_server):
    person = signed_up_user(shared_server)
    live = lambda: len(person.api.sessions().json["items"])  # noqa: E731
    before = live()
    cli = Cli(home).log_in(shared_server, person.email, person.password)
    assert live() == before + 1
    cli.ok("context", "login", "--email", person.email, "--password-stdin", stdin=person.password + "\n")
    assert live() == before + 1
    assert cli.json("context", "show")["email"] == person.email
    assert person.email in cli.ok("context", "list")
    cli.ok("context", "remove", CONTEXT)
    assert live() == before


def test_a_former_session_that_cannot_be_ended_is_told(home, start_server):
    server = start_server()
    cli = Cli(home).log_in(server)
    assert server.stop() == 0
    done = cli.run("context", "remove", CONTEXT)
    assert done.returncode == 0 and "was not ended" in done.stderr
    assert cli.json("context", "list") == []


def test_an_address_that_is_none_is_refused_before_a_password_is_asked(home, shared_server):
    cli = Cli(home).add_context(shared_server)
    terminal = cli.on_terminal("context", "login").wait_for("E-mail address").type("\n")
    assert terminal.end() == 2
    assert "Password" not in terminal.shown
    cli.refused("context", "login", "--email", "ada", "--password-stdin", code=2, stdin="x\n")


def test_an_access_token_that_has_expired_is_renewed_and_the_successor_kept(cli):
    before = expire_access_token(cli)
    cli.ok("user", "list")
    after = json.loads(cli.credentials.read_text())
    assert after["refreshToken"] != before["refreshToken"]
    assert stat.S_IMODE(cli.credentials.stat().st_mode) == 0o600


def test_commands_at_once_do_not_take_the_session_from_each_other(cli):
    for _ in range(3):
        before = expire_access_token(cli)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            done = list(pool.map(lambda _: cli.run("user", "list", "--limit", "1"), range(8)))
        assert [one.returncode for one in done] == [0] * 8, [one.stderr for one in done]
        assert json.loads(cli.credentials.read_text())["refreshToken"] != before["refreshToken"]


def test_a_session_that_was_ended_elsewhere_says_to_log_in_again(cli, shared_server):
    token = json.loads(cli.credentials.read_text())["accessToken"]
    assert shared_server.api(token).logout().status == 204
    assert f"safawinet context login {CONTEXT}" in cli.refused("user", "list")


def test_an_api_key_file_must_be_private_and_hold_a_key(home, shared_server):
    cli = Cli(home)
    file = home / "key"
    file.write_text("not a key\n")
    file.chmod(0o644)
    add = ("context", "add", "robot", "--url", f"http://{shared_server.address}", "--api-key-file", str(file))
    assert "chmod 600" in cli.refused(*add)
    file.chmod(0o600)
    assert "sf_ak_" in cli.refused(*add)
    assert cli.json("context", "list") == []


def test_secrets_are_neither_in_arguments_nor_in_the_environment(home, start_server):
    server = start_server()
    cli = Cli(home).add_context(server)
    server.pause()
    process = cli.popen("context", "login", "--email", ADMIN_EMAIL, "--password-stdin")
    try:
        process.stdin.write(ADMIN_PASSWORD + "\n")
        process.stdin.flush()
        # It waits for the server's answer, so it has read the line.
        def has_connected() -> bool:
            for link in pathlib.Path(f"/proc/{process.pid}/fd").iterdir():
                with contextlib.suppress(FileNotFoundError):  # closed since the folder was read
                    if "socket" in os.readlink(link):
                        return True
            return False

        eventually(has_connected, "the command speaks to the server")
        seen = "".join(pathlib.Path(f"/proc/{process.pid}/{name}").read_text() for name in ("cmdline", "environ"))
    finally:
        server.resume()
    assert process.wait(30) == 0, process.stderr.read()
    assert seen and ADMIN_PASSWORD not in seen.replace("SAFAWINET_ADMIN_PASSWORD=" + ADMIN_PASSWORD, "")
    assert not re.search(r"sf_rt_|eyJ", seen)


# --- what is printed


def test_users_are_found_shown_and_told_as_json(cli, shared_server):
    person = signed_up_user(shared_server)
    assert person.email in cli.ok("user", "list", "--query", person.email)
    by_address = cli.json("user", "show", person.email.upper())
    assert by_address.pop("mails")[0]["kind"] == "verify-email"
    assert by_address == {name: value for name, value in cli.json("user", "show", person.id).items() if name != "mails"}
    assert by_address["email"] == person.email
    (listed,) = cli.json("user", "list", "--query", person.email)
    details = {"wrongPasswords": 0, "wrongCodes": 0, "lockedUntil": None, "hasSecondFactor": False,
               "backupCodesLeft": 0}
    assert by_address == listed | details


def test_who_is_not_there_is_exit_code_1_with_where_to_look(cli):
    for name in ("nobody@example.test", "01890000-0000-7000-8000-000000000000"):
        assert "safawinet user list" in cli.refused("user", "show", name)
    cli.refused("user", "show", "neither", code=2)


def test_a_list_stops_at_its_limit_and_says_that_there_is_more(cli, shared_server):
    for _ in range(3):
        signed_up_user(shared_server, new_address("many"))
    done = cli.run("user", "list", "--query", "many", "--limit", "2", "--json")
    assert len(json.loads(done.stdout)) == 2
    assert "--limit" in done.stderr
    assert len(cli.json("user", "list", "--query", "many", "--limit", "3")) == 3
    assert cli.json("user", "list", "--query", "no such person at all") == []


def test_a_role_that_does_not_suffice_is_told(home, shared_server):
    customer = signed_up_user(shared_server)
    cli = Cli(home).log_in(shared_server, customer.email, customer.password)
    assert "higher role" in cli.refused("user", "list")


@pytest.mark.parametrize("columns", [60, 80, 132])
def test_tables_fit_the_terminal(cli, shared_server, columns):
    person = signed_up_user(shared_server, new_address("a-very-long-address-that-takes-much-room"))
    shared_server.sql("UPDATE users SET name = ? WHERE id = ?", "名" * 60, person.id)
    terminal = cli.on_terminal("user", "list", "--query", person.email, columns=columns)
    assert terminal.end() == 0
    lines = terminal.shown.replace("\r\n", "\n").splitlines()
    assert len(lines) == 2
    wide = [len(line) + len(re.findall(r"[\u2e80-\u9fff]", line)) for line in lines]
    assert max(wide) <= columns
    assert "…" in lines[1]


def test_what_people_call_themselves_does_nothing_to_a_terminal(cli, shared_server):
    person = signed_up_user(shared_server)
    shared_server.sql("UPDATE users SET name = ? WHERE id = ?", HOSTILE.replace("\x9b", "\u009b"), person.id)
    terminal = cli.on_terminal("user", "list", "--query", person.email, columns=200)
    assert terminal.end() == 0
    printed = [terminal.shown.replace("\r\n", "\n")]
    for arguments in (["user", "list", "--query", person.email], ["user", "show", person.email]):
        printed += [cli.ok(*arguments), cli.ok(*arguments, "--json")]
    for text in printed:
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]", text), repr(text)
    assert "\\u202eAda" in printed[0] and "\\x1b[31m" in printed[0] and "\\r\\n" in printed[0]
    assert cli.json("user", "show", person.email)["name"] == HOSTILE.replace("\x9b", "\u009b")


def test_a_reader_that_goes_away_is_no_crash(cli):
    process = cli.popen("user", "list")
    process.stdout.close()
    assert process.wait(30) == -signal.SIGPIPE
    assert process.stderr.read() == ""


# --- over TLS


def test_a_server_with_a_certificate_of_ones_own_authority_is_reached_with_its_ca_file(home, start_server, tmp_path):
    authority = Authority(tmp_path)
    server = start_server(authority.settings_for("localhost"), tls=("localhost", str(authority.ca_file)))
    cli = Cli(home)
    url = "https://localhost:" + server.address.rpartition(":")[2]
    cli.ok("context", "add", "untrusted", "--url", url)
    login = ("context", "login", "--email", ADMIN_EMAIL, "--password-stdin")
    assert "--ca-file" in cli.refused(*login, stdin=ADMIN_PASSWORD)
    cli.ok("context", "add", CONTEXT, "--url", url, "--ca-file", str(authority.ca_file))
    cli.ok("context", "use", CONTEXT)
    cli.ok(*login, stdin=ADMIN_PASSWORD)
    assert cli.json("user", "show", ADMIN_EMAIL)["email"] == ADMIN_EMAIL


# --- on the machine itself


@pytest.mark.embedded_only
def test_local_is_refused_while_a_server_has_the_embedded_database(home, shared_server):
    said = Cli(home, shared_server).refused("user", "list", "--local")
    assert "safawinet context add" in said
    assert "stop it first (SIGTERM)" in said  # for whoever is locked out


def test_local_works_while_the_server_is_down(home, start_server):
    server = start_server()
    person = signed_up_user(server)
    assert server.stop() == 0
    cli = Cli(home, server)
    assert cli.json("user", "show", person.email, "--local")["id"] == person.id
    server.start()
    assert Cli(home / "other").log_in(server).json("user", "show", person.email)["id"] == person.id


def test_local_makes_nothing_where_nothing_is(home):
    cli = Cli(home)
    assert "--config" in cli.refused("user", "list", "--local")
    assert not (home / "var").exists()


# --- completion


def bash_completes(line: str) -> list[str]:
    script = (
        'eval "$("$1" completion bash)"; COMP_LINE=$2 COMP_WORDS=($2); [[ $2 == *" " ]] && COMP_WORDS+=(""); '
        'COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _safawinet; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", script, "-", BINARY, line], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [word for word in done.stdout.split("\n") if word]


def test_bash_completes_every_command_and_its_options():
    tree = every_command()
    for command in tree:
        offered = bash_completes(" ".join(("safawinet", *command)) + " ")
        below = {one[len(command)] for one in tree if one[: len(command)] == command and len(one) == len(command) + 1}
        assert below <= set(offered), command
        assert "--help" in bash_completes(" ".join(("safawinet", *command)) + " --h"), command
    assert bash_completes("safawinet us") == ["user"]
    assert "--query" in bash_completes("safawinet user list --q")


def test_bash_offers_the_values_of_an_argument_only_in_its_place():
    assert "support" not in bash_completes("safawinet user role ")
    assert "support" in bash_completes("safawinet user role ada@example.test ")
    assert "support" in bash_completes("safawinet user list --role ")
    assert "support" in bash_completes("safawinet user role --reason Why ada@example.test ")


def bash_on_terminal(home: pathlib.Path, folder: pathlib.Path) -> Terminal:
    settings = Cli(home).settings | {"PATH": f"{BINARY.parent}:{os.environ['PATH']}", "PS1": "> "}
    terminal = Terminal(["--norc", "--noprofile", "-i"], settings, folder, 200, program=shutil.which("bash"))
    return terminal.type('eval "$(safawinet completion bash)"; echo is "ready"\n').wait_for("is ready")


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("api-key create x --permission aud\te\t", "api-key create x --permission audit:erase"),
        ("api-key create x --permission=tok\t", "api-key create x --permission=tokens:introspect"),
        ("user list --role=cus\t", "user list --role=customer"),
        ("us\tli\t", "user list"),  # beside a folder of that name
        ("context use sta\t", "context use staging"),
        ("user list --context pr\t", "user list --context prod"),
        ("session find --file fi\t", "session find --file file\\ of\\ mine"),
    ],
)
def test_bash_completes_what_is_typed_on_a_terminal(home, tmp_path, typed, completed):
    cli = Cli(home)
    for name in ("prod", "staging"):
        cli.ok("context", "add", name, "--url", "https://x.example.test")
    folder = tmp_path / "folder"
    (folder / "user").mkdir(parents=True)
    (folder / "file of mine").touch()
    terminal = bash_on_terminal(home, folder)
    # Ctrl-A, to the beginning: it is printed, not run.
    terminal.type(f"safawinet {typed}").type("'\x01printf '[%s]\\n' '\n").wait_for(f"[safawinet {completed.strip()}")
    terminal.type("exit\n")
    assert terminal.end() == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_understood_by_its_shell(shell, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    file = tmp_path / "completion"
    file.write_bytes(subprocess.run([BINARY, "completion", shell], capture_output=True, check=True).stdout)
    assert subprocess.run([shell, "-n", file], capture_output=True, check=False).returncode == 0


def test_fish_completes_nouns_and_verbs(tmp_path):
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    script = f"{BINARY} completion fish | source; complete -C 'safawinet user '"
    done = subprocess.run(
        ["fish", "-c", script], capture_output=True, text=True, check=True, env={**os.environ, "HOME": str(tmp_path)}
    )
    assert {"list", "show"} <= {line.split("\t")[0] for line in done.stdout.splitlines()}


def test_fish_completes_values_in_their_place(home, tmp_path):
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    cli = Cli(home)
    cli.ok("context", "add", "prod", "--url", "https://x.example.test")
    settings = cli.settings | {"PATH": f"{BINARY.parent}:{os.environ['PATH']}"}

    def completes(line: str) -> dict[str, str]:
        script = f"safawinet completion fish | source; complete -C '{line}'"
        done = subprocess.run(["fish", "-c", script], capture_output=True, text=True, check=True, env=settings)
        return dict((line + "\t").split("\t")[:2] for line in done.stdout.splitlines())

    assert "support" not in completes("safawinet user role ")
    assert "support" in completes("safawinet user role ada@example.test ")
    assert "prod" in completes("safawinet context use ")
    assert "prod" in completes("safawinet user list --context ")
    permissions = completes("safawinet api-key create x --permission ")
    assert permissions["audit:read"] == permissions["users:read"] == "What it may do; repeat it for more:"


def test_zsh_completes_nouns_verbs_and_options(home, tmp_path):
    zsh = shutil.which("zsh")
    if zsh is None:
        pytest.skip("zsh is not installed")
    settings = Cli(home).settings | {"PATH": f"{BINARY.parent}:{os.environ['PATH']}", "PS1": "> "}
    terminal = Terminal(["-f", "-i"], settings, tmp_path, 120, program=zsh)
    terminal.type("autoload -U compinit; compinit -u -D; ")
    terminal.type('eval "$(safawinet completion zsh)"; print is "ready"\n').wait_for("is ready")
    terminal.type("safawinet contex\tsho\t--js\t").wait_for("--json")
    terminal.type("\n").wait_for("no context")
    Cli(home).ok("context", "add", "staging", "--url", "https://x.example.test")
    terminal.type("context sh\x15").type("safawinet context use st\t\n").wait_for("speak to staging")
    terminal.type("safawinet context remove staging\n").wait_for("Removed staging")
    terminal.type("safawinet user list --role=cus\t\n").wait_for("--role=customer")
    terminal.type("safawinet context show --json\n").wait_for("no context")
    terminal.type('print -r -- "typed: $(fc -ln -1)"\n').wait_for("typed: safawinet context show --json")
    terminal.type("print path is still $#path; exit\n")
    assert terminal.end() == 0
    assert not re.search("path is still [01]\\b", terminal.shown)
