"""What the guides tell people to do, done as it is written there."""

import importlib.util
import json
import pathlib
import subprocess
import threading
import time
import types
import urllib.error

import pytest
from jwcrypto import jwk, jwt

from harness.documents import blocks, run_in_one_shell
from harness.factors import enrolled
from harness.people import PASSWORD, claims_of, new_address, signed_up_user, verified
from harness.server import BINARY, EXEMPT, PATIENCE_SECONDS, PUBLIC_URL, Server, environment, eventually

VERIFYING = "docs/guides/verify-access-tokens.md"
REFRESHING = "docs/guides/refresh.md"
EMBEDDED = "docs/operating/embedded.md"
BROWSER = "docs/guides/browser.md"


def module_of(document: str, name: str, folder: pathlib.Path, block: int = 0):
    """A Python block of a document, the first unless said otherwise, as a module of its own."""
    file = folder / f"{name}.py"
    file.write_text(blocks(document, "python")[block].text)
    specification = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def usage_of(document: str, block: int = 1) -> str:
    """The block behind a module: how it is used."""
    return blocks(document, "python")[block].text


# --- verifying access tokens


@pytest.fixture(scope="module")
def reachable_server(tmp_path_factory: pytest.TempPathFactory):
    """A server whose issuer is the address at which it answers, as it is without SAFAWINET_PUBLIC_URL."""
    server = Server(tmp_path_factory.mktemp("guides") / "server", EXEMPT | {"SAFAWINET_PUBLIC_URL": ""})
    yield server.start()
    server.close()


@pytest.fixture
def verifying(tmp_path):
    return module_of(VERIFYING, "access_tokens", tmp_path)


def test_the_verifying_example_accepts_a_token_and_says_whose_it_is(reachable_server, verifying):
    person = signed_up_user(reachable_server)
    names = vars(verifying) | {"token": person.device.access_token}
    usage = usage_of(VERIFYING)
    assert "http://127.0.0.1:8080" in usage
    exec(usage.replace("127.0.0.1:8080", reachable_server.address), names)

    assert names["claims"]["sub"] == person.id
    assert names["claims"]["sid"] == person.device.session_id
    assert names["claims"]["role"] == "customer"


def test_the_verifying_example_refuses_what_is_no_access_token_of_this_server(reachable_server, verifying):
    person = signed_up_user(reachable_server)
    issuer = f"http://{reachable_server.address}"
    tokens = verifying.AccessTokens(issuer)
    good = person.device.access_token
    claims = tokens.verify(good)
    head, body, signature = good.split(".")
    kid = json.loads(jwt.JWT(jwt=good, key=jwk.JWKSet.from_json(reachable_server.api().get(
        "/.well-known/jwks.json").text), algs=["EdDSA"]).header)["kid"]
    foreign_key = jwk.JWK.generate(kty="OKP", crv="Ed25519")

    def forged(header: dict, key: jwk.JWK) -> str:
        token = jwt.JWT(header=header, claims=claims)
        token.make_signed_token(key)
        return token.serialize()

    bad = {
        "garbage": "not a token",
        "no token": "",
        "another signature": ".".join((head, body, signature[:-8] + "AAAAAAAA")),
        "a foreign key under our key's name": forged({"alg": "EdDSA", "typ": "at+jwt", "kid": kid}, foreign_key),
        "a foreign key": forged({"alg": "EdDSA", "typ": "at+jwt", "kid": "mine"}, foreign_key),
        "no key": forged({"alg": "EdDSA", "typ": "at+jwt"}, foreign_key),
        "a shared secret": forged({"alg": "HS256", "typ": "at+jwt", "kid": kid}, jwk.JWK.generate(kty="oct", size=256)),
    }
    for what, token in bad.items():
        with pytest.raises(verifying.InvalidToken):
            tokens.verify(token)
            pytest.fail(f"{what} was accepted")
    with pytest.raises(verifying.InvalidToken):
        verifying.AccessTokens(issuer, audience="https://shop.example.test").verify(good)


def signed_by(key: jwk.JWK, header: dict, claims: dict) -> str:
    token = jwt.JWT(header=header, claims=claims)
    token.make_signed_token(key)
    return token.serialize()


def test_the_verifying_example_checks_type_issuer_and_time_of_well_signed_tokens(verifying, monkeypatch):
    key = jwk.JWK.generate(kty="OKP", crv="Ed25519", kid="k")
    tokens = verifying.AccessTokens("https://issuer.example.test")
    monkeypatch.setattr(tokens, "_key", lambda key_id: key)
    header = {"alg": "EdDSA", "typ": "at+jwt", "kid": "k"}
    issuer = "https://issuer.example.test"
    claims = {"iss": issuer, "aud": issuer, "sub": "a", "sid": "b", "exp": int(time.time()) + 60}

    assert tokens.verify(signed_by(key, header, claims))["sub"] == "a"
    bad = [
        (header | {"typ": "JWT"}, claims),
        (header, claims | {"iss": "https://other.example.test"}),
        (header, claims | {"aud": "https://other.example.test"}),
        (header, claims | {"exp": int(time.time()) - 1}),
        (header, {name: value for name, value in claims.items() if name != "exp"}),
        (header, {name: value for name, value in claims.items() if name != "sid"}),
    ]
    for bad_header, bad_claims in bad:
        with pytest.raises(verifying.InvalidToken):
            tokens.verify(signed_by(key, bad_header, bad_claims))


def test_the_verifying_example_follows_a_change_of_signing_keys(start_server, verifying):
    server = start_server(EXEMPT | {"SAFAWINET_PUBLIC_URL": ""})
    server.settings["SAFAWINET_LISTEN"] = server.address  # the issuer stays the same
    person = signed_up_user(server)
    tokens = verifying.AccessTokens(f"http://{server.address}")
    verifying.KEYS_ASKED_AT_MOST_EVERY_SECONDS = 0
    assert tokens.verify(person.device.access_token)
    server.settings["SAFAWINET__TOKENS__ALGORITHM"] = "ES256"
    server.restart()

    later = person.device.refresh()
    assert tokens.verify(later.access_token)["sub"] == person.id
    assert tokens.verify(person.device.access_token)["sub"] == person.id


# --- following the revocations


@pytest.fixture
def following(tmp_path):
    module = module_of(VERIFYING, "revocations", tmp_path, block=2)
    module.RETRY_SECONDS = 0.05
    return module


def follow(server: Server, following, admin):
    """As the usage says; returns the object when it has been told everything."""
    names = vars(following) | {"credential": admin.token, "claims": {"sid": "", "tv": 1, "sub": "", "ep": 1}}
    usage = usage_of(VERIFYING, block=3)
    assert "http://127.0.0.1:8080" in usage
    exec(usage.replace("127.0.0.1:8080", server.address), names)
    revocations = names["revocations"]
    alive = claims_of(names["credential"])
    assert not following.Revocations("http://127.0.0.1:1", "").is_good(alive), "it says no while it cannot know"
    eventually(lambda: revocations.is_good(alive), "it has been told everything")
    return revocations


def test_the_following_example_knows_what_is_revoked_however_it_is(start_server, following):
    server = start_server(EXEMPT)
    early, *people = (signed_up_user(server) for _ in range(5))
    assert early.api.logout().status == 204
    admin = server.admin()
    revocations = follow(server, following, admin)
    claims = [claims_of(person.device.access_token) for person in people]
    assert not revocations.is_good(claims_of(early.device.access_token))
    assert all(revocations.is_good(one) for one in claims)

    assert people[0].api.logout().status == 204
    eventually(lambda: not revocations.is_good(claims[0]), "a logout is known")
    server.sql("DELETE FROM refresh_sessions WHERE user_id = ?", people[1].id)
    eventually(lambda: not revocations.is_good(claims[1]), "SQL by hand is known")
    server.sql("UPDATE users SET role = 'support' WHERE id = ?", people[2].id)
    eventually(lambda: not revocations.is_good(claims[2]), "a change of role is known")
    assert revocations.is_good(claims_of(people[2].device.refresh().access_token))
    assert revocations.is_good(claims[3])

    spared = claims_of(admin.token)
    assert admin.force_logout_all(reason="drill").status == 200
    eventually(lambda: not revocations.is_good(claims[3]), "a global logout is known")
    assert revocations.is_good(spared)
    assert revocations.is_good(claims_of(people[3].log_in().access_token))


def test_the_following_example_goes_on_after_a_crash_of_the_server(start_server, following):
    server = start_server(EXEMPT)
    server.settings["SAFAWINET_LISTEN"] = server.address
    people = [signed_up_user(server) for _ in range(3)]
    claims = [claims_of(person.device.access_token) for person in people]
    revocations = follow(server, following, server.admin())
    server.kill()
    server.start()
    assert people[0].api.logout().status == 204
    eventually(lambda: not revocations.is_good(claims[0]), "it has come back")
    assert people[1].api.logout().status == 204
    eventually(lambda: not revocations.is_good(claims[1]), "it goes on")
    assert revocations.is_good(claims[2])


def test_the_following_example_says_no_when_it_has_heard_nothing_for_long(start_server, following):
    following.SILENCE_SECONDS = 1.5
    server = start_server(EXEMPT)
    revocations = follow(server, following, server.admin())
    person = claims_of(signed_up_user(server).device.access_token)
    assert server.stop() == 0
    eventually(lambda: not revocations.is_good(person), "silence is no consent")
    server.start()


# --- refreshing


@pytest.fixture
def refreshing(tmp_path):
    return module_of(REFRESHING, "signed_in", tmp_path)


@pytest.fixture
def log_in(shared_server, refreshing, tmp_path):
    """Signs a new person in by the example, as its usage says; returns the example's object and the person's address."""

    def log_in(number: int = 0):
        address = verified(shared_server, new_address("guide"))
        names = vars(refreshing) | {"login_answer": shared_server.api().login(address, PASSWORD).json}
        usage = usage_of(REFRESHING).replace("127.0.0.1:8080", shared_server.address)
        exec(usage.replace('"tokens"', f'"{tmp_path}/tokens-{number}"'), names)
        assert names["headers"]["Authorization"] == f"Bearer {names['login_answer']['accessToken']}"
        return names["signed_in"], address

    return log_in


def is_good(server: Server, access_token: str) -> bool:
    return server.api(access_token).me().status == 200


def test_the_refreshing_example_keeps_a_person_signed_in(shared_server, log_in, tmp_path):
    signed_in, address = log_in()
    seen = [signed_in.access_token()]
    for _ in range(5):
        seen.append(signed_in.access_token(not_this_one=seen[-1]))
        assert is_good(shared_server, seen[-1])

    assert len(set(seen)) == 6
    assert (tmp_path / "tokens-0").stat().st_mode & 0o077 == 0
    assert len(shared_server.mail.to(address)) == 1  # nobody was told of a theft


@pytest.mark.parametrize("loses", ["the answer", "the request"])
def test_the_refreshing_example_survives_a_lost(shared_server, refreshing, log_in, monkeypatch, loses):
    signed_in, _ = log_in()
    before = signed_in.access_token()
    send = signed_in._send
    answers = []

    def unreliable(refresh_token: str) -> dict:
        if not answers:
            answers.append(send(refresh_token) if loses == "the answer" else None)
            raise ConnectionResetError
        answers.append(send(refresh_token))
        return answers[-1]

    monkeypatch.setattr(signed_in, "_send", unreliable)
    monkeypatch.setattr(refreshing, "RETRY_AFTER_SECONDS", 0)
    after = signed_in.access_token(not_this_one=before)

    assert is_good(shared_server, after)
    if loses == "the answer":
        assert answers[1]["refreshToken"] == answers[0]["refreshToken"]
    monkeypatch.undo()
    assert is_good(shared_server, signed_in.access_token(not_this_one=after))


def test_the_refreshing_example_waits_as_long_as_a_503_says(refreshing, log_in, monkeypatch):
    signed_in, _ = log_in()
    before = signed_in.access_token()
    send, pauses = signed_in._send, []

    def busy_once(refresh_token: str) -> dict:
        if not pauses:
            raise urllib.error.HTTPError("", 503, "busy", {"Retry-After": "7"}, None)
        return send(refresh_token)

    monkeypatch.setattr(signed_in, "_send", busy_once)
    # Its own, not everybody's: other threads sleep as well.
    monkeypatch.setattr(refreshing, "time", types.SimpleNamespace(**vars(time) | {"sleep": pauses.append}))

    assert signed_in.access_token(not_this_one=before) != before
    assert pauses == [7.0]


def test_the_refreshing_example_says_when_the_session_is_over(shared_server, refreshing, log_in, tmp_path):
    signed_in, address = log_in()
    before = signed_in.access_token()
    assert shared_server.admin().force_logout(email=address).status == 200

    for _ in range(2):
        with pytest.raises(refreshing.LoggedOut):
            signed_in.access_token(not_this_one=before)
    assert not (tmp_path / "tokens-0").exists()


def test_the_refreshing_example_refreshes_once_for_many_threads(shared_server, log_in):
    signed_in, address = log_in()
    before = signed_in.access_token()
    got = []
    threads = [threading.Thread(target=lambda: got.append(signed_in.access_token(before))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(got) == 8
    assert len(set(got)) == 1
    assert is_good(shared_server, got[0])
    assert len(shared_server.mail.to(address)) == 1


# --- operating the embedded database


@pytest.fixture
def operated(start_server, tmp_path) -> Server:
    """A server on the default data folder of the folder in which the commands are run."""
    folder = tmp_path / "server"
    server = start_server(EXEMPT, data=folder / "var" / "safawinet")
    release = folder / "build" / "release"
    release.mkdir(parents=True)
    (release / "safawinet").symlink_to(BINARY)
    return server


def commands(*words: str) -> list:
    """The command blocks of the page that have one of these words, in order."""
    found = [block for block in blocks(EMBEDDED, "sh") if any(word in block.text for word in words)]
    assert len(found) >= len(words)
    return found


def run_commands(server: Server, chosen: list) -> None:
    texts = [block.text.replace("127.0.0.1:8080", server.address) for block in chosen]
    settings = {"SAFAWINET_DATA_DIR": ""}
    for block, printed in zip(chosen, run_in_one_shell(texts, server.folder, environment(settings))):
        block.expect(printed)


COPYING = ("VACUUM INTO", "cp -p var/safawinet/master.key", "mkdir -m 700 restored")


@pytest.mark.embedded_only
def test_a_copy_of_the_live_database_is_put_back_and_brings_no_session_to_life(operated, start_server):
    person, ended = signed_up_user(operated), signed_up_user(operated)
    later = person.device.refresh()
    run_commands(operated, commands(*COPYING))
    assert operated.api().with_token(later.access_token).me().status == 200
    after_the_copy = person.log_in()
    assert operated.admin().force_logout(userId=ended.id).status == 200
    assert operated.stop() == 0

    assert blocks(EMBEDDED, "sh serve")[0].text.startswith("SAFAWINET_DATA_DIR=restored ")
    restored = start_server(EXEMPT, data=operated.folder / "restored", folder="again")
    for device in (person.device, later, after_the_copy, ended.device):
        device.api = restored.api(device.access_token)
        assert not device.is_signed_in()
        assert not device.may_refresh()
    login = restored.api().login(person.email, PASSWORD)
    assert login.status == 200
    assert restored.api(login.json["accessToken"]).me().json["id"] == person.id


@pytest.mark.embedded_only
def test_without_that_step_a_copy_would_bring_ended_sessions_to_life(operated, start_server):
    """Why the page insists."""
    person = signed_up_user(operated)
    run_commands(operated, commands(*COPYING[:2]))
    assert operated.admin().force_logout(userId=person.id).status == 200
    assert operated.stop() == 0
    folder = operated.folder / "careless"
    folder.mkdir()
    copy = next(operated.folder.glob("backup/*/safawinet.db"))
    copy.rename(folder / "safawinet.db")
    (operated.folder / "keys" / "master.key").rename(folder / "master.key")

    assert start_server(EXEMPT, data=folder, folder="again").api().refresh(person.device.refresh_token).status == 200


@pytest.mark.embedded_only
def test_migrating_by_hand_needs_a_stopped_server(operated):
    migrate = commands("safawinet migrate")
    with pytest.raises(AssertionError, match="another safawinet is using"):
        run_commands(operated, migrate)
    assert operated.stop() == 0
    run_commands(operated, migrate)


@pytest.mark.embedded_only
def test_the_folder_may_be_moved_and_sessions_live_on(operated, start_server, tmp_path):
    person = signed_up_user(operated)
    assert operated.stop() == 0
    assert not list(operated.data.glob("safawinet.db-*"))
    moved = tmp_path / "elsewhere"
    operated.data.rename(moved)

    server = start_server(EXEMPT, data=moved, folder="again")
    assert operated.settings["SAFAWINET_PUBLIC_URL"] == PUBLIC_URL
    assert server.api(person.device.access_token).me().status == 200
    assert server.api().refresh(person.device.refresh_token).status == 200


@pytest.mark.embedded_only
def test_sql_by_hand_does_what_the_page_says(operated):
    person = signed_up_user(operated, "ada@example.com")
    run_commands(operated, commands("DELETE FROM refresh_sessions"))
    eventually(lambda: not person.device.is_signed_in(), "the access token is refused")
    assert not person.device.may_refresh()
    run_commands(operated, commands("FROM ended_sessions"))

    device = person.log_in()
    run_commands(operated, commands("is_active = 0"))
    eventually(lambda: not device.is_signed_in(), "the access token is refused")

    device = person.log_in()
    run_commands(operated, commands("SET role = 'support'"))
    eventually(lambda: not device.is_signed_in(), "the access token with the old role is refused")
    assert device.refresh().api.me().json["role"] == "support"


def test_the_administrators_new_password_comes_by_mail(start_server, tmp_path):
    settings = EXEMPT | {"SAFAWINET_ADMIN_EMAIL": "", "SAFAWINET_ADMIN_PASSWORD": ""}
    server = start_server(settings)
    secret = server.data / "first-administrator"
    assert secret.exists()
    run_commands(server, commands("forgot-password"))
    mail = server.mail.wait_for("admin@localhost", "/reset-password")

    assert server.api().reset_password(mail.token, PASSWORD).status == 204
    assert server.api().login("admin@localhost", PASSWORD).status == 200
    assert not secret.exists()


# --- in a browser

# What a browser has around a page, as far as the example needs it: an origin, a cookie that scripts cannot see, locks.
BROWSER_SHIM = """
const origin = process.argv[2];
let kept = "";
const plain = globalThis.fetch;
globalThis.fetch = async (url, options = {}) => {
  const headers = { ...options.headers, Origin: origin };
  if (options.credentials === "include" && kept) headers.Cookie = kept;
  const answer = await plain(url, { ...options, headers });
  const line = answer.headers.get("set-cookie");  // one at the most; Debian's Node.js knows no getSetCookie
  if (line) {
    const [pair, ...attributes] = line.split("; ");
    kept = attributes.includes("Max-Age=0") ? "" : pair;
  }
  return answer;
};
let last = Promise.resolve();
const locks = { request: (name, work) => (last = last.catch(() => {}).then(work)) };
Object.defineProperty(globalThis, "navigator", { value: { locks }, configurable: true });
globalThis.jar = () => kept;
const codes = process.argv.slice(5);
globalThis.prompt = () => codes.shift();
"""
BROWSER_STEPS = """
const { SignedIn, LoggedOut } = await import(process.argv[3]);
%s
const steps = { codesLeft: codes.length, user: user.email, me: me.email, cookie: jar().slice(0, 31) };
const before = await signedIn.accessToken();
const both = await Promise.all([signedIn.accessToken(before), signedIn.accessToken(before)]);
steps.renewedOnce = both[0] === both[1] && both[0] !== before;
const reloaded = new SignedIn(process.argv[4]);
steps.reloaded = (await (await reloaded.fetch("/v1/users/me")).json()).email;
await reloaded.logOut();
steps.afterLogout = jar();
steps.over = await reloaded.accessToken().then(() => false, (why) => why instanceof LoggedOut || why.message);
console.log(JSON.stringify(steps));
"""


@pytest.mark.parametrize("has_factor", [False, True])
def test_the_browser_example_signs_in_refreshes_and_signs_out(start_server, tmp_path, has_factor):
    origin = "https://app.example.test"
    server = start_server(EXEMPT | {"SAFAWINET__HTTP__CORS_ORIGINS": origin})
    person = signed_up_user(server)
    email = person.email
    codes = ["mistyped", enrolled(person).backup_codes[0]] if has_factor else []
    module, usage = blocks(BROWSER, "javascript")
    (tmp_path / "signed_in.mjs").write_text(module.text)
    assert "http://127.0.0.1:8080" in usage.text and "ada@example.com" in usage.text and PASSWORD in usage.text
    used = usage.text.replace("127.0.0.1:8080", server.address).replace("ada@example.com", email)
    (tmp_path / "page.mjs").write_text(BROWSER_SHIM + BROWSER_STEPS % used)
    done = subprocess.run(
        ["node", tmp_path / "page.mjs", origin, tmp_path / "signed_in.mjs", f"http://{server.address}", *codes],
        capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "codesLeft": 0, "user": email, "me": email, "cookie": "__Host-safawinet-refresh=sf_rt_", "renewedOnce": True,
        "reloaded": email, "afterLogout": "", "over": True,
    }
