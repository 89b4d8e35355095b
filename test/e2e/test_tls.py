"""TLS without anything in front."""

import http.client
import ssl

import pytest

from harness.authority import Authority
from harness.client import Api
from harness.people import signed_up_user
from harness.races import connected
from harness.server import Server, run

HOST = "accounts.example.test"


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def server(start_server, authority) -> Server:
    return start_server(authority.settings_for(HOST), tls=(HOST, str(authority.ca_file)))


def test_everything_works_over_tls_and_says_to_stay_with_it(server):
    person = signed_up_user(server)

    assert person.device.refresh().is_signed_in()
    assert "max-age" in person.api.me().headers["Strict-Transport-Security"]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_versions_are_refused(server, authority):
    context = ssl.create_default_context(cafile=authority.ca_file)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with connected(server) as plain, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(plain, server_hostname=HOST)


def test_plain_http_on_the_port_is_not_served(server):
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        Api(server.address).get("/health/live")


def test_a_client_that_does_not_begin_the_handshake_does_not_keep_others_out(server):
    silent = [connected(server) for _ in range(20)]
    assert server.api().get("/health/live").status == 200
    for connection in silent:
        connection.close()


def test_without_tls_no_promise_is_made_about_it(start_server):
    assert "Strict-Transport-Security" not in start_server(folder="plain").api().get("/health").headers


def test_a_certificate_without_its_key_stops_the_start(tmp_path, authority):
    settings = authority.settings_for(HOST)
    del settings["SAFAWINET__TLS__PRIVATE_KEY_FILE"]
    done = run("config", "check", folder=tmp_path, settings=settings)
    assert done.returncode != 0
    assert "tls.private_key_file" in done.stderr
