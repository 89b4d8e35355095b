"""Users, made as users are made: through the API and the mail."""

import base64
import dataclasses
import itertools
import json

from .client import Api
from .mail import VERIFY
from .server import Server

_numbers = itertools.count(1)
PASSWORD = "Eleven brass kettles, one whistle"
OTHER_PASSWORD = "A slow green tram under rain"
THIRD_PASSWORD = "Nine folded maps of nowhere"


@dataclasses.dataclass
class Device:
    """One signed-in device: what a login or a refresh answered."""

    api: Api
    refresh_token: str
    email: str

    @property
    def access_token(self) -> str:
        return self.api.token

    def at(self, server: Server) -> "Device":
        """The same device, asking another node."""
        return Device(server.api(self.access_token), self.refresh_token, self.email)

    def is_signed_in(self) -> bool:
        """By the access token; anything but yes or 401 is a failure."""
        reply = self.api.me()
        assert reply.status in (200, 401), reply
        return reply.status == 200

    def refresh(self) -> "Device":
        """The device after one refresh; this one keeps the old tokens."""
        reply = self.api.refresh(self.refresh_token)
        assert reply.status == 200, reply
        return Device(self.api.with_token(reply.json["accessToken"]), reply.json["refreshToken"], self.email)

    def may_refresh(self) -> bool:
        """Asks with the refresh token, and thereby rotates it when the answer is yes."""
        reply = self.api.refresh(self.refresh_token)
        assert reply.status in (200, 401), reply
        return reply.status == 200

    @property
    def session_id(self) -> str:
        items = self.api.sessions().json["items"]
        return next(item["id"] for item in items if item["current"])


@dataclasses.dataclass
class Person:
    server: Server
    id: str
    email: str
    password: str
    device: Device

    @property
    def api(self) -> Api:
        return self.device.api

    def log_in(self, device_name: str | None = None, password: str | None = None) -> Device:
        return log_in(self.server, self.email, password or self.password, device_name)


def claims_of(token: str) -> dict:
    """What an access token says, unverified."""
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def new_address(word: str = "person") -> str:
    return f"{word}-{next(_numbers)}@example.test"


def log_in(server: Server, email: str, password: str, device_name: str | None = None) -> Device:
    api = server.api()
    reply = api.login(email, password, device_name)
    assert reply.status == 200, reply
    return Device(api.with_token(reply.json["accessToken"]), reply.json["refreshToken"], email)


def registered(server: Server, email: str | None = None, password: str = PASSWORD) -> str:
    """An address that was registered and not verified yet."""
    email = email or new_address()
    reply = server.api().register(email, password)
    assert reply.status == 202, reply
    return email


def verified(server: Server, email: str | None = None, password: str = PASSWORD) -> str:
    """An address that was registered and verified."""
    email = registered(server, email, password)
    reply = server.api().verify_email(server.mail.wait_for(email, VERIFY).token)
    assert reply.status == 204, reply
    return email


def signed_up_user(server: Server, email: str | None = None, password: str = PASSWORD) -> Person:
    """A user who is registered, verified and logged in on one device."""
    email = verified(server, email, password)
    device = log_in(server, email, password)
    return Person(server, device.api.me().json["id"], email, password, device)


def with_role(server: Server, role: str) -> Person:
    """A user with another role, which is given in SQL: the API for it belongs to a later version."""
    person = signed_up_user(server, new_address(role))
    server.sql("UPDATE users SET role = ? WHERE id = ?", role, person.id)
    person.device = person.log_in()
    return person
