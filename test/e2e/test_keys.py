"""The life of the keys: rotated with nobody logged out, distrusted everywhere at once, sealed with another master key."""

import base64
import http.client
import json
import os
import pathlib
import threading
import time

import pytest
from jwcrypto import jwk, jws, jwt

from harness.cli import Cli
from harness.clock import HOUR, MINUTE
from harness.nodes import Nodes
from harness.people import claims_of, signed_up_user
from harness.races import request_bytes, together
from harness.server import EXEMPT, Server, eventually, new_master_key, run

KEYS = "/v1/admin/keys"
JWKS = "/.well-known/jwks.json"


def keys_of(server: Server, purpose: str = "signing") -> dict[str, list[str]]:
    """The ids of the keys by their states."""
    states: dict[str, list[str]] = {}
    for key in server.admin().get(KEYS).json["items"]:
        if key["purpose"] == purpose:
            states.setdefault(key["state"], []).append(key["id"])
    return states


def active(server: Server, purpose: str = "signing") -> str:
    (only,) = keys_of(server, purpose)["active"]
    return only


def kid_of(token: str) -> str:
    return json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))["kid"]


@pytest.fixture
def timed(timed_server, clock):
    """A server, and what moves its clock and that of its database."""
    return timed_server, clock.advance


class Verifier:
    """A resource server that honours the cache headers of the list of keys to the letter."""

    def __init__(self, server: Server, clock):
        self.server = server
        self.clock = clock
        self.good_until = 0.0
        self.keys: jwk.JWKSet | None = None

    def accepts(self, token: str) -> bool:
        if self.clock() >= self.good_until:
            reply = self.server.api().get(JWKS)
            max_age = int(reply.headers["Cache-Control"].split("max-age=")[1])
            self.good_until = self.clock() + max_age
            self.keys = jwk.JWKSet.from_json(reply.text)
        try:
            jws_token = jws.JWS()
            jws_token.deserialize(token)
            jws_token.verify(self.keys.get_key(kid_of(token)))
            return True
        except (jws.InvalidJWSSignature, AttributeError, TypeError):
            return False


def test_there_is_always_a_next_key_in_the_list(shared_server):
    published = [key["kid"] for key in shared_server.api().get(JWKS).json["keys"]]
    states = keys_of(shared_server)
    assert states["active"] + states["next"] == published[:2]


def test_rotating_logs_nobody_out_and_no_verifier_meets_an_unknown_key(timed, moving_time):
    server, advance = timed
    person = signed_up_user(server)
    verifier = Verifier(server, moving_time[0].now)
    assert verifier.accepts(person.device.access_token)
    former = active(server)

    reply = server.admin().post(f"{KEYS}/rotate", {"reason": "spring cleaning"})
    assert reply.status == 200, reply
    assert reply.json["dueAt"] is not None, "the next key is too young"
    assert active(server) == former

    # The verifier fetches the list at the worst moment, just before it may be forgotten.
    for _ in range(8):
        advance(MINUTE)
        person.device = person.device.refresh()
        assert person.device.is_signed_in()
        assert verifier.accepts(person.device.access_token), kid_of(person.device.access_token)
    eventually(lambda: active(server) != former, "the next key has followed")

    def signs_with(kid: str) -> bool:
        person.device = person.device.refresh()
        return kid_of(person.device.access_token) == kid

    eventually(lambda: signs_with(active(server)), "tokens are of the next key")
    assert keys_of(server)["verifying"] == [former]

    second = active(server)
    advance(6 * MINUTE)
    reply = server.admin().post(f"{KEYS}/rotate", {"expectedActive": second})
    assert reply.json["dueAt"] is None
    assert server.admin().post(f"{KEYS}/rotate", {"expectedActive": second}).status == 409


def test_a_former_key_retires_and_its_tokens_have_expired_by_then(timed):
    server, advance = timed
    former = active(server)
    advance(6 * MINUTE)
    assert server.admin().post(f"{KEYS}/rotate", {}).json["dueAt"] is None
    advance(2 * HOUR)
    assert former not in keys_of(server)["active"]
    # Ten minutes by a clock that nobody moves have to go by: it is still there, and may have to be.
    assert former in keys_of(server)["verifying"]


def test_a_distrusted_key_is_refused_at_once_and_refreshing_goes_on(start_server):
    server = start_server(EXEMPT)
    person = signed_up_user(server)
    admin = server.admin()
    leaked = active(server)
    reply = admin.post(f"{KEYS}/{leaked}/distrust", {"reason": "in a log"})
    assert reply.status == 200, reply
    assert reply.json["distrusted"] == [leaked] and reply.json["sessionsEnded"] is None

    assert not person.device.is_signed_in()
    assert admin.me().status == 401, "the operator's own token is of that key too"
    person.device = person.device.refresh()
    assert person.device.is_signed_in()
    assert kid_of(person.device.access_token) != leaked
    assert leaked not in server.api().get(JWKS).text
    assert keys_of(server)["compromised"] == [leaked]
    (entry,) = [one for one in server.admin().get("/v1/audit").json["items"] if one["action"] == "key.distrusted"]
    assert entry["target"] == f"key:{leaked}" and entry["reason"] == "in a log"


def test_a_token_that_a_thief_of_the_key_has_made_is_refused_once_it_is_distrusted(start_server):
    server = start_server(EXEMPT)
    person = signed_up_user(server)
    claims = claims_of(person.device.access_token) | {"role": "superadmin"}
    # What whoever has the key could sign: here the master key opens it.
    stolen = jwk.JWK.generate(kty="OKP", crv="Ed25519")
    forged = jwt.JWT(header={"alg": "EdDSA", "typ": "at+jwt", "kid": stolen.thumbprint()}, claims=claims)
    forged.make_signed_token(stolen)
    assert server.api(forged.serialize()).me().status == 401

    leaked = active(server)
    assert server.admin().post(f"{KEYS}/{leaked}/distrust", {}).status == 200
    assert server.api(person.device.access_token).me().status == 401


def test_distrusting_by_sql_is_as_good(start_server):
    server = start_server(EXEMPT)
    person = signed_up_user(server)
    leaked = active(server)
    server.sql("UPDATE keys SET state = 'compromised' WHERE id = ?", leaked)
    eventually(lambda: not person.device.is_signed_in(), "the token of the key is refused")
    person.device = person.device.refresh()
    assert person.device.is_signed_in()
    eventually(lambda: len(keys_of(server).get("next", [])) == 1, "there is a next key again")
    assert len(keys_of(server)["active"]) == 1


def test_every_access_token_can_be_refused_without_signing_anybody_out(start_server):
    server = start_server(EXEMPT)
    person = signed_up_user(server)
    leaked = active(server)
    reply = server.admin().post(f"{KEYS}/{leaked}/distrust", {"revoke": "tokens"})
    assert len(reply.json["distrusted"]) == 2, "the next key too"
    assert not person.device.is_signed_in()
    person.device = person.device.refresh()
    assert person.device.is_signed_in()


def test_a_leaked_key_of_refresh_tokens_takes_the_sessions_with_it(start_server):
    server = start_server(EXEMPT)
    person = signed_up_user(server)
    leaked = active(server, "refresh-mac")
    admin = server.admin()
    refused = admin.post(f"{KEYS}/{leaked}/distrust", {})
    assert refused.status == 422 and refused.json["errors"][0]["pointer"] == "/revoke"
    assert person.device.is_signed_in()

    reply = admin.post(f"{KEYS}/{leaked}/distrust", {"revoke": "sessions"})
    assert reply.status == 200 and reply.json["sessionsEnded"] >= 2
    assert not person.device.is_signed_in()
    assert not person.device.may_refresh()
    assert person.log_in().may_refresh()


def test_unknown_keys_and_bad_bodies_change_nothing(shared_server):
    admin = shared_server.admin()
    before = admin.get(KEYS).json
    assert admin.post(f"{KEYS}/unknown/distrust", {}).status == 404
    assert admin.get(f"{KEYS}/unknown").status == 404
    assert admin.get(f"{KEYS}/..%2f..%2fetc").status == 400
    assert admin.post(f"{KEYS}/rotate", {"purpose": "tls"}).status == 422
    assert admin.post(f"{KEYS}/{active(shared_server)}/distrust", {"revoke": "everything"}).status == 422
    assert admin.post(f"{KEYS}/rotate", {"expectedActive": "another"}).status == 409
    assert admin.get(KEYS).json == before


def test_no_answer_holds_a_secret_half(shared_server):
    admin = shared_server.admin()
    shown = admin.get(f"{KEYS}/{active(shared_server)}")
    assert set(shown.json["jwk"]) == {"kty", "crv", "x", "alg", "use", "kid"}
    assert admin.get(f"{KEYS}/{active(shared_server, 'refresh-mac')}").json["jwk"] is None
    sealed = [row[0] for row in shared_server.sql("SELECT sealed FROM keys")]
    for path in (KEYS, "/v1/admin/secrets"):
        text = admin.get(path).text
        assert not any(value in text for value in sealed)


def test_operators_who_rotate_at_once_rotate_once(timed):
    server, advance = timed
    advance(6 * MINUTE)
    seen = active(server)
    admin = server.admin()
    request = request_bytes("POST", f"{KEYS}/rotate", {"expectedActive": seen}, admin.token)
    statuses = [reply.status for reply in together(server, [request] * 8)]
    assert sorted(statuses) == [200] + [409] * 7
    assert len(keys_of(server)["active"]) == 1
    assert keys_of(server)["verifying"] == [seen]


# --- several nodes


@pytest.mark.postgres_only
def test_a_distrusted_key_is_refused_on_every_node_when_the_answer_is_there_or_a_moment_later(tmp_path):
    nodes = Nodes(tmp_path, settings=EXEMPT)
    try:
        first, *others = nodes.start().all
        people = [signed_up_user(first) for _ in range(5)]
        leaked = active(first)
        assert first.admin().post(f"{KEYS}/{leaked}/distrust", {}).status == 200
        for node in others:
            eventually(
                lambda node=node: not any(node.api(one.device.access_token).me().status == 200 for one in people),
                "the node refuses the tokens of the key",
                2,
            )
        # Whatever node they come to: refreshed there, good everywhere.
        for number, person in enumerate(people):
            person.device = person.device.at(nodes.all[number % 3]).refresh()
        for node in nodes.all:
            for person in people:
                eventually(lambda: node.api(person.device.access_token).me().status == 200, "the new key is known", 2)
    finally:
        nodes.close()


@pytest.mark.postgres_only
def test_while_keys_are_rotated_again_and_again_nobody_on_any_node_notices(tmp_path):
    nodes = Nodes(tmp_path, settings=EXEMPT | {"SAFAWINET__KEYS__JWKS_MAX_AGE_SECONDS": "0"})
    try:
        nodes.start()
        people = [signed_up_user(nodes.all[0]) for _ in range(3)]
        over, failures, turns = threading.Event(), [], [0]

        def live(person) -> None:
            turn = 0
            while not over.is_set():
                turn += 1
                node = nodes.all[turn % 3]
                person.device = person.device.at(node).refresh()
                status = nodes.all[(turn + 1) % 3].api(person.device.access_token).me().status
                if status != 200:
                    failures.append(status)
                turns[0] += 1

        threads = [threading.Thread(target=live, args=(person,)) for person in people]
        for thread in threads:
            thread.start()
        time.sleep(1)
        # Known for thirty seconds before it signs: made known by hand.
        for _ in range(3):
            nodes.sql(
                "UPDATE keys SET created_at = created_at - interval '1 hour', state_since = state_since - interval '1 hour' "
                "WHERE state = 'next'"
            )
            for purpose in ("signing", "refresh-mac"):
                reply = nodes.all[1].admin().post(f"{KEYS}/rotate", {"purpose": purpose})
                assert reply.status == 200 and reply.json["dueAt"] is None, reply
            time.sleep(1)
        over.set()
        for thread in threads:
            thread.join()
        assert failures == []
        assert turns[0] > 20
    finally:
        nodes.close()


@pytest.mark.postgres_only
def test_a_node_hears_of_the_key_that_another_one_has_made(tmp_path: pathlib.Path):
    nodes = Nodes(tmp_path, 2, settings=EXEMPT, each_settings=[{}, {"SAFAWINET__TOKENS__ALGORITHM": "ES256"}])
    old, new = nodes.all
    try:
        person = signed_up_user(old.start())
        new.start()
        eventually(
            lambda: {one["alg"] for one in old.api().get(JWKS).json["keys"]} == {"EdDSA", "ES256"},
            "the old node publishes the key that will follow",
        )
        newer = new.api().login(person.email, person.password).json["accessToken"]
        assert old.api(newer).me().status == 200
        assert new.api(person.device.access_token).me().status == 200
    finally:
        nodes.close()


@pytest.mark.postgres_only
@pytest.mark.release_only
def test_a_node_that_is_killed_while_it_rotates_leaves_exactly_one_active_key(tmp_path):
    nodes = Nodes(tmp_path, 2, settings=EXEMPT | {"SAFAWINET__KEYS__JWKS_MAX_AGE_SECONDS": "0"})
    try:
        nodes.start()
        survivor, victim = nodes.all
        token = survivor.admin().token
        for number in range(5):
            nodes.sql("UPDATE keys SET state_since = state_since - interval '1 hour' WHERE state = 'next'")
            api = victim.api(token)
            asking = threading.Thread(target=lambda api=api: ask_and_forget(api))
            asking.start()
            time.sleep(0.004 * number)
            victim.kill()
            asking.join()
            victim.restart()
            counts = nodes.sql("SELECT purpose, state, count(*) FROM keys WHERE state IN ('active', 'next') GROUP BY 1, 2")
            assert sorted(row[2] for row in counts) == [1, 1, 1, 1], counts
            for node in nodes.all:
                assert node.api(survivor.admin().token).me().status == 200
    finally:
        nodes.close()


@pytest.mark.embedded_only
@pytest.mark.release_only
def test_a_server_that_is_killed_while_it_rotates_or_distrusts_leaves_exactly_one_active_key(start_server):
    server = start_server(EXEMPT | {"SAFAWINET__KEYS__JWKS_MAX_AGE_SECONDS": "0"})
    for number in range(10):
        server.sql("UPDATE keys SET state_since = '2026-01-01T00:00:00.000000Z' WHERE state = 'next'")
        api = server.admin()
        ((active,),) = server.sql("SELECT id FROM keys WHERE purpose = 'signing' AND state = 'active'")
        path = f"{KEYS}/{active}/distrust" if number % 2 else f"{KEYS}/rotate"
        asking = threading.Thread(target=lambda api=api, path=path: ask_and_forget(api, path))
        asking.start()
        time.sleep(0.001 * number)
        server.kill()
        asking.join()
        server.start()
        counts = server.sql("SELECT purpose, state, count(*) FROM keys WHERE state IN ('active', 'next') GROUP BY 1, 2")
        assert sorted(row[2] for row in counts) == [1, 1, 1, 1], counts
        assert server.admin().me().status == 200


def ask_and_forget(api, path: str = f"{KEYS}/rotate") -> None:
    try:
        api.post(path, {"reason": "killed meanwhile"})
    except (OSError, http.client.HTTPException):
        pass


# --- the master key


def test_a_new_master_key_seals_everything_and_the_former_one_can_be_destroyed(start_server, tmp_path):
    former, present = new_master_key(), new_master_key()
    server = start_server(EXEMPT | {"SAFAWINET_MASTER_KEY": former})
    person = signed_up_user(server)
    assert server.admin().get("/v1/admin/secrets").json["sealedOtherwise"] == 0

    # Every node opens both before any seals with the new one.
    server.settings |= {"SAFAWINET_OTHER_MASTER_KEY": present}
    server.restart()
    server.settings |= {"SAFAWINET_MASTER_KEY": present, "SAFAWINET_OTHER_MASTER_KEY": former}
    server.restart()
    eventually(
        lambda: server.admin().get("/v1/admin/secrets").json["sealedOtherwise"] == 0, "everything is sealed anew"
    )
    assert person.device.at(server).is_signed_in()

    del server.settings["SAFAWINET_OTHER_MASTER_KEY"]
    server.restart()
    assert person.device.at(server).refresh().is_signed_in()
    assert server.admin().post("/v1/audit/verify", {}).json["findings"] == []

    server.settings["SAFAWINET_MASTER_KEY"] = former
    server.stop()
    server.launch()
    assert server.wait() != 0
    assert "does not open" in server.tail()


@pytest.mark.embedded_only
def test_the_master_key_of_the_data_folder_is_renewed_by_one_command(start_server, tmp_path):
    server = start_server(EXEMPT)
    person = signed_up_user(server)
    folder = server.database_file.parent

    def renew():
        return run("keys", "renew-master", settings=server.settings, folder=tmp_path)

    said = renew().stderr
    assert "in use by a running server: stop it first" in said and "--local" not in said and "context" not in said

    server.stop()
    former = (folder / "master.key").read_text()
    done = renew()
    assert done.returncode == 0 and "other-master.key" in done.stdout, done
    assert (folder / "other-master.key").read_text() == former != (folder / "master.key").read_text()
    assert oct(os.stat(folder / "master.key").st_mode)[-3:] == "600"
    again = renew()
    assert again.returncode == 1 and "already" in again.stderr

    server.restart()
    eventually(lambda: server.admin().get("/v1/admin/secrets").json["sealedOtherwise"] == 0, "all is sealed anew")
    server.stop()
    (folder / "other-master.key").unlink()
    server.restart()
    assert person.device.at(server).refresh().is_signed_in()


# --- the command line


def test_keys_on_the_command_line(start_server, tmp_path):
    server = start_server(EXEMPT)
    cli = Cli(tmp_path, server).log_in(server)
    listed = cli.json("keys", "list")
    (signing,) = [key["id"] for key in listed if key["purpose"] == "signing" and key["state"] == "active"]
    assert signing in cli.ok("keys", "list")
    assert f'"kid":"{signing}"' in cli.ok("keys", "show", signing)
    assert "no such key" in cli.refused("keys", "show", "../users", code=2)

    said = cli.ok("keys", "rotate", "--dry-run")
    (following,) = [key["id"] for key in listed if key["purpose"] == "signing" and key["state"] == "next"]
    assert "Nobody is logged out" in said and f"It is {following}, of 2" in said and "becomes active" in said
    assert cli.json("keys", "rotate", "--dry-run")["next"]["id"] == following
    assert cli.json("keys", "list") == listed
    assert "becomes active at" in cli.ok("keys", "rotate", "--yes")
    assert f"It is {following}, and becomes active at 2" in cli.ok("keys", "rotate", "--dry-run")
    assert "a node may not know it" in cli.ok("keys", "rotate", "--purpose", "refresh-mac", "--dry-run")
    assert "goes with --compromised" in cli.refused("keys", "rotate", "--revoke", "tokens", code=2)

    said = cli.refused("keys", "rotate", "--compromised", "1", "--reason", "in a log", "--dry-run", code=2)
    assert "have to end" in said
    assert "safawinet keys rotate --compromised 1 --revoke sessions --reason 'in a log' --dry-run\n" in said
    assert "--purpose" in cli.refused("keys", "rotate", "--purpose", "refresh-mac", "--compromised", signing, code=2)
    seen = cli.json("keys", "rotate", "--compromised", signing, "--revoke", "sessions", "--dry-run")
    assert (seen["dryRun"], seen["id"], seen["revoke"]) == (True, signing, "sessions")
    assert "Everybody is signed out" in seen["effects"]
    done = cli.ok("keys", "rotate", "--compromised", signing, "--reason", "in a log", "--yes")
    assert done.startswith(f"Distrusted {signing}; the key ")
    assert "was distrusted already" in cli.ok("keys", "rotate", "--compromised", signing, "--yes")
    said = cli.ok("keys", "rotate", "--compromised", signing, "--revoke", "tokens", "--dry-run")
    assert f"The signing key {signing} was distrusted already. " in said
    states = {key["id"]: key["state"] for key in cli.json("keys", "list")}
    assert states[signing] == "compromised"

    secrets = cli.ok("keys", "secrets")
    for word in ("master-key", "root-secret", "signing-key", "refresh-mac-key", "api-keys"):
        assert word in secrets
    assert cli.json("keys", "secrets")["sealedOtherwise"] == 0


@pytest.mark.parametrize("columns", [40, 80])
def test_keys_are_named_whole_on_a_narrow_terminal(shared_server, tmp_path, columns):
    cli = Cli(tmp_path, shared_server).log_in(shared_server)
    terminal = cli.on_terminal("keys", "list", columns=columns)
    assert terminal.end() == 0
    assert "…" not in terminal.shown
    for key in cli.json("keys", "list"):
        assert key["id"] in terminal.shown and key["since"][:19].replace("T", " ") in terminal.shown
    secrets = cli.on_terminal("keys", "secrets", columns=columns)
    assert secrets.end() == 0
    assert "…" not in secrets.shown and all(key["id"] in secrets.shown for key in cli.json("keys", "list"))
