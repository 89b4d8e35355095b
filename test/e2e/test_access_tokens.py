"""What an access token says, how others verify it, and which are refused."""

import base64
import json
import time

import pytest
from jwcrypto import jwk, jwt

from harness.people import signed_up_user
from harness.server import PUBLIC_URL


def encoded(value) -> str:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decoded(part: str) -> dict:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_a_resource_server_verifies_it_with_the_published_keys(person):
    keys = person.server.api().get("/.well-known/jwks.json")
    assert "max-age" in keys.headers["Cache-Control"]
    keyring = jwk.JWKSet.from_json(keys.text)
    assert all(not key.has_private for key in keyring)

    token = jwt.JWT(jwt=person.device.access_token, key=keyring, algs=["EdDSA"])
    header, claims = json.loads(token.header), json.loads(token.claims)
    assert header["typ"] == "at+jwt"
    assert header["alg"] == "EdDSA"
    assert claims["iss"] == PUBLIC_URL
    assert claims["aud"] == PUBLIC_URL
    assert claims["client_id"] == "safawinet"
    assert claims["sub"] == person.id
    assert claims["sid"] == person.device.session_id
    assert claims["role"] == "customer"
    assert claims["exp"] - claims["iat"] == 600
    assert claims["iat"] <= time.time() + 1
    assert {"jti", "amr", "auth_time", "ep", "tv"} <= set(claims)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_another_algorithm_is_a_setting(start_server, algorithm):
    person = signed_up_user(start_server({"SAFAWINET__TOKENS__ALGORITHM": algorithm}))
    keyring = jwk.JWKSet.from_json(person.server.api().get("/.well-known/jwks.json").text)
    token = jwt.JWT(jwt=person.device.access_token, key=keyring, algs=[algorithm])

    assert json.loads(token.claims)["sub"] == person.id
    assert person.device.is_signed_in()


def test_two_tokens_of_one_session_differ_and_name_the_same_login(person):
    claims = [decoded(device.access_token.split(".")[1]) for device in (person.device, person.device.refresh())]

    assert claims[0]["jti"] != claims[1]["jti"]
    assert claims[0]["sid"] == claims[1]["sid"]
    assert claims[0]["auth_time"] == claims[1]["auth_time"]


def forged(token: str) -> dict[str, str]:
    """Tokens that nobody may accept, made from one that is good."""
    header, payload, signature = token.split(".")
    head, claims = decoded(header), decoded(payload)
    raw_signature = base64.urlsafe_b64decode(signature + "==")

    def signed(key: jwk.JWK, **head_changes) -> str:
        made = jwt.JWT(header=head | head_changes, claims=claims, algs=["EdDSA", "HS256", "ES256", "RS256"])
        made.make_signed_token(key)
        return made.serialize()

    okp, other_kid = jwk.JWK.generate(kty="OKP", crv="Ed25519"), "0" * len(head.get("kid", "0"))
    ec, rsa = jwk.JWK.generate(kty="EC", crv="P-256"), jwk.JWK.generate(kty="RSA", size=2048)
    secret = jwk.JWK.generate(kty="oct", size=256)
    flipped = bytes([raw_signature[0] ^ 1]) + raw_signature[1:]
    return {
        "empty": "",
        "nonsense": "nonsense",
        "two dots": "..",
        "four parts": token + ".x",
        "without a signature": f"{header}.{payload}.",
        "without a signature and a dot": f"{header}.{payload}",
        "cut": token[:-1],
        "longer": token + "A",
        "padded": token + "==",
        "signature flipped": f"{header}.{payload}.{encoded(flipped)}",
        "signature short": f"{header}.{payload}.{encoded(raw_signature[:32])}",
        "signature of zeros": f"{header}.{payload}.{encoded(bytes(64))}",
        "algorithm none": f"{encoded(head | {'alg': 'none'})}.{payload}.",
        "algorithm None": f"{encoded(head | {'alg': 'None'})}.{payload}.{signature}",
        "algorithm changed": f"{encoded(head | {'alg': 'HS256'})}.{payload}.{signature}",
        "no algorithm": f"{encoded({'typ': 'at+jwt', 'kid': head.get('kid')})}.{payload}.{signature}",
        "role raised": f"{header}.{encoded(claims | {'role': 'superadmin'})}.{signature}",
        "life longer": f"{header}.{encoded(claims | {'exp': claims['exp'] + 9999})}.{signature}",
        "claims empty": f"{header}.{encoded({})}.{signature}",
        "claims no object": f"{header}.{encoded([])}.{signature}",
        "header no object": f"{encoded([])}.{payload}.{signature}",
        "header no JSON": f"{encoded(b'{')}.{payload}.{signature}",
        "header not UTF-8": f"{encoded(bytes([255, 254]))}.{payload}.{signature}",
        "foreign key": signed(okp),
        "foreign key of unknown id": signed(okp, kid=other_kid),
        "foreign key in the header": signed(okp, jwk=json.loads(okp.export_public())),
        "foreign key by address": signed(okp, jku="http://127.0.0.1:1/jwks.json"),
        "foreign algorithm ES256": signed(ec, alg="ES256"),
        "foreign algorithm RS256": signed(rsa, alg="RS256"),
        "secret algorithm HS256": signed(secret, alg="HS256"),
        "id token": signed(okp, typ="JWT"),
        "critical extension": f"{encoded(head | {'crit': ['exp']})}.{payload}.{signature}",
        "very long": "a." * 3000,
        "deep": f"{encoded(b'[' * 2000)}.{payload}.{signature}",
    }


def test_forged_and_garbled_tokens_are_refused_all_alike(person):
    answers = set()
    for what, token in forged(person.device.access_token).items():
        reply = person.server.api(token).me()
        assert reply.status == 401, (what, reply)
        assert reply.headers["WWW-Authenticate"].startswith("Bearer"), what
        answers.add((json.dumps(reply.without_request_id(), sort_keys=True), reply.headers["WWW-Authenticate"]))

    assert len(answers) <= 2, answers  # none sent (an empty one) may be told from one that is not good
    assert person.device.is_signed_in()


def test_a_public_key_used_as_a_secret_signs_nothing(person):
    published = json.loads(person.server.api().get("/.well-known/jwks.json").text)["keys"][0]
    header, payload, _ = person.device.access_token.split(".")
    secret = jwk.JWK(kty="oct", k=published["x"])
    made = jwt.JWT(header=decoded(header) | {"alg": "HS256"}, claims=decoded(payload))
    made.make_signed_token(secret)

    assert person.server.api(made.serialize()).me().status == 401


@pytest.mark.parametrize("value", ["Basic cm9vdDpyb290", "Bearer", "Bearer ", "bearer", "Token x", "Bearer a b"])
def test_an_authorization_that_is_no_bearer_token_is_refused(person, value):
    reply = person.server.api().get("/v1/users/me", headers={"Authorization": value})

    assert reply.status in (400, 401), reply


def test_the_scheme_is_read_in_any_case(person):
    reply = person.server.api().get("/v1/users/me", headers={"Authorization": f"bEARER {person.device.access_token}"})

    assert reply.status == 200


def test_a_token_of_another_server_is_refused(person, start_server):
    stranger = signed_up_user(start_server(folder="another"))

    assert person.server.api(stranger.device.access_token).me().status == 401
    assert person.server.api().refresh(stranger.device.refresh_token).status == 401


def test_a_token_in_the_query_or_a_cookie_is_not_looked_at(person):
    token = person.device.access_token

    assert person.server.api().get(f"/v1/users/me?access_token={token}").status in (401, 422)
    assert person.server.api().get("/v1/users/me", headers={"Cookie": f"access_token={token}"}).status == 401


def test_metadata_names_the_endpoints_that_exist(person):
    metadata = person.server.api().get("/.well-known/oauth-authorization-server").json

    assert metadata["issuer"] == PUBLIC_URL
    assert metadata["jwks_uri"] == f"{PUBLIC_URL}/.well-known/jwks.json"
