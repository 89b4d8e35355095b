"""Second factors as an authenticator app sees them: an implementation of its own (RFC 6238 over RFC 4226)."""

import base64
import dataclasses
import hashlib
import hmac
import struct
import time
import urllib.parse

from .people import PASSWORD, Device, Person
from .server import Server

STEP_SECONDS = 30


def totp_code(secret: str, at: float | None = None, steps: int = 0) -> str:
    """The code of a base32 secret at a moment, so many steps away."""
    moving_factor = int((time.time() if at is None else at) // STEP_SECONDS) + steps
    digest = hmac.new(base64.b32decode(secret), struct.pack(">Q", moving_factor), hashlib.sha1).digest()
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset:offset + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def wrong_codes(secret: str, count: int) -> list[str]:
    """Codes that are not those of any step around now."""
    near = {totp_code(secret, steps=steps) for steps in range(-4, 12)}
    return [code for code in (f"{number * 997 % 1_000_000:06d}" for number in range(2 * count + 50)) if code not in near][
        :count
    ]


@dataclasses.dataclass
class App:
    """The app on somebody's phone. It gives each code once: of the three steps that are taken at a moment it uses one after
    the other, from the earliest that will still be taken in some seconds, and then waits for the next one."""

    secret: str
    backup_codes: list[str]
    last_step: int = 0

    def code(self, at: float | None = None) -> str:
        now = time.time() if at is None else at
        current = int(now // STEP_SECONDS)
        earliest = current - 1 if now % STEP_SECONDS < STEP_SECONDS / 2 else current
        step = max(earliest, self.last_step + 1)
        while step > current + 1:
            assert at is None, "three codes were used at this moment: move the clock"
            time.sleep(0.5)
            current = int(time.time() // STEP_SECONDS)
        self.last_step = step
        return totp_code(self.secret, step * STEP_SECONDS)


def offer(person: Person, password: str = PASSWORD) -> dict:
    reply = person.api.post("/v1/users/me/factors/totp", {"password": password})
    assert reply.status == 200, reply
    return reply.json


def enrolled(person: Person, password: str = PASSWORD, at: float | None = None) -> App:
    """Gives the person a second factor. Their device is refreshed, so that its tokens say so."""
    app = App(offer(person, password)["secret"], [])
    reply = person.api.post("/v1/users/me/factors/totp/confirm", {"code": app.code(at)})
    assert reply.status == 200, reply
    app.backup_codes = reply.json["backupCodes"]
    person.device = person.device.refresh()
    return app


def ticket(server: Server, email: str, password: str = PASSWORD, device_name: str | None = None) -> str:
    reply = server.api().login(email, password, device_name)
    assert reply.status == 403 and reply.problem == "second-factor-required", reply
    return reply.json["ticket"]


def second_step(server: Server, ticket_text: str, code: str):
    return server.api().post("/v1/auth/login/second-factor", {"ticket": ticket_text, "code": code})


def log_in_with(server: Server, email: str, code: str, password: str = PASSWORD) -> Device:
    reply = second_step(server, ticket(server, email, password), code)
    assert reply.status == 200, reply
    api = server.api(reply.json["accessToken"])
    return Device(api, reply.json["refreshToken"], email)


def qr_size(png: str) -> tuple[int, int]:
    """Width and height of a PNG in base64."""
    data = base64.b64decode(png, validate=True)
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", data[16:24])


def parameters_of(uri: str) -> dict[str, str]:
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(uri).query))
