"""The first half hour with Safawinet, from an empty folder to everybody signed out."""

import json
import os
import subprocess

from harness.mail import VERIFY
from harness.people import PASSWORD, Device, log_in
from harness.server import ADMIN_EMAIL, ADMIN_PASSWORD, PUBLIC_URL


def test_a_person_signs_up_and_in_and_an_operator_signs_everybody_out(server):
    api = server.api()
    address = "ada@example.test"

    registered = api.register(address, PASSWORD, name="Ada")
    assert (registered.status, registered.json) == (202, {})
    assert api.login(address, PASSWORD).status == 403

    mail = server.mail.wait_for(address, VERIFY)
    assert mail.link(VERIFY) == f"{PUBLIC_URL}/verify-email?token={mail.token}"
    assert api.verify_email(mail.token).status == 204

    login = api.login(address, PASSWORD, "Ada's laptop")
    assert login.status == 200, login
    assert login.json["tokenType"] == "Bearer"
    assert login.json["expiresIn"] == 600
    assert login.json["user"]["email"] == address
    laptop = Device(api.with_token(login.json["accessToken"]), login.json["refreshToken"], address)
    me = laptop.api.me().json
    assert (me["email"], me["emailVerified"], me["name"], me["role"]) == (address, True, "Ada", "customer")

    refreshed = laptop.api.refresh(laptop.refresh_token)
    assert refreshed.status == 200, refreshed
    assert set(refreshed.json) == {"accessToken", "refreshToken", "tokenType", "expiresIn"}
    laptop_later = Device(api.with_token(refreshed.json["accessToken"]), refreshed.json["refreshToken"], address)
    assert laptop_later.refresh_token != laptop.refresh_token

    phone = log_in(server, address, PASSWORD, "Ada's phone")
    names = [item["deviceName"] for item in phone.api.sessions().json["items"]]
    assert sorted(names) == ["Ada's laptop", "Ada's phone"]

    admin_token = api.login(ADMIN_EMAIL, ADMIN_PASSWORD).json["accessToken"]
    answer = force_logout_all_with_curl(server.address, admin_token)
    assert answer["sessionsEnded"] == 2

    for device in (laptop, laptop_later, phone):
        assert not device.is_signed_in()
        assert not device.may_refresh()
    assert api.with_token(admin_token).me().status == 200
    assert log_in(server, address, PASSWORD).is_signed_in()


def force_logout_all_with_curl(address: str, admin_token: str) -> dict:
    """The runbook's command, on this server's address."""
    command = (
        f'curl -sS -X POST http://{address}/v1/auth/force-logout-all -H "Authorization: Bearer $ADMIN_TOKEN" '
        '-H "Content-Type: application/json"'
    )
    environment = {"PATH": os.environ["PATH"], "ADMIN_TOKEN": admin_token}
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)
