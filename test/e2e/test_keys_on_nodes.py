"""One keyring for all nodes."""

import pathlib

import pytest
from harness import postgres
from harness.people import signed_up_user
from harness.server import EXEMPT, Server, eventually, new_master_key

pytestmark = pytest.mark.postgres_only


def test_a_node_hears_of_the_key_that_another_one_has_made(tmp_path: pathlib.Path):
    database = postgres.shared_cluster().create_database()
    key = {"SAFAWINET_MASTER_KEY": new_master_key()}
    old = Server(tmp_path / "old", EXEMPT | key, database=database)
    new = Server(tmp_path / "new", EXEMPT | key | {"SAFAWINET__TOKENS__ALGORITHM": "ES256"}, database=database)
    try:
        person = signed_up_user(old.start())
        new.start()
        newer = new.api().login(person.email, person.password).json["accessToken"]
        eventually(lambda: old.api(newer).me().status == 200, "the old node accepts the new node's token")
        assert new.api(person.device.api.token).me().status == 200
        algorithms = {one["alg"] for one in old.api().get("/.well-known/jwks.json").json["keys"]}
        assert algorithms == {"EdDSA", "ES256"}
    finally:
        new.close()
        old.close()
