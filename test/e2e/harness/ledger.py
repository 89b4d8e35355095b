"""What one user did, what was acknowledged, and what must be true after the server died in the middle of it."""

import http.client
import itertools
import random
import threading

from .client import Api, Reply
from .mail import PATIENCE_AFTER_DEATH_SECONDS, VERIFY
from .people import Device, log_in, new_address, verified
from .server import Server

LOST = (ConnectionError, http.client.HTTPException, TimeoutError, OSError)


class Account:
    """A user with a ledger: one thread works on it until the server dies, then `check` holds the server to it.

    Any answer that is neither the expected one nor a death is a failure of the test, kept in `failure` for `check`.
    """

    def __init__(self, server: Server, admin: Api, seed: int):
        self.server = server
        self.admin = admin
        self.chance = random.Random(seed)
        self.passwords = (f"Ledger {seed}, page {number}, in brown ink" for number in itertools.count())
        self.password = next(self.passwords)
        self.email = verified(server, password=self.password)
        self.devices: list[Device] = [log_in(server, self.email, self.password)]
        self.ended: list[Device] = []
        self.newcomers: list[str] = []  # registered and acknowledged since the last check
        self.pending: tuple = ()  # what was asked and not yet answered
        self.acknowledged = 0
        self.failure: BaseException | None = None
        self.id = server.sql("SELECT id FROM users WHERE email = ?", self.email)[0][0]

    # --- work

    def work_until_death(self, stop: threading.Event | None = None) -> None:
        """Or until it is told to stop, where the server may live on."""
        actions = [self.log_in, self.refresh, self.refresh, self.refresh, self.log_out, self.force_logout]
        actions += [self.change_password, self.register]
        try:
            while stop is None or not stop.is_set():
                self.chance.choice(actions)()
                self.pending = ()
                self.acknowledged += 1
        except LOST:
            pass
        except AssertionError as failure:
            self.failure = failure

    def move_to(self, server: Server) -> None:
        """Goes on at another node, which must know all that was acknowledged."""
        self.server = server

    def answered(self, reply: Reply, *expected: int) -> Reply:
        if reply.status == 503:  # the server refuses while it dies; nothing was done
            raise ConnectionError
        assert reply.status in expected, (self.pending[0], reply)
        return reply

    def log_in(self) -> None:
        if len(self.devices) >= 4:
            return
        self.pending = ("log in",)
        reply = self.answered(self.server.api().login(self.email, self.password), 200).json
        self.devices.append(Device(self.server.api(reply["accessToken"]), reply["refreshToken"], self.email))

    def refresh(self) -> None:
        if not self.devices:
            return
        device = self.chance.choice(self.devices)
        self.pending = ("refresh", device)
        reply = self.answered(self.server.api().refresh(device.refresh_token), 200).json
        self.adopt(device, reply)

    def adopt(self, device: Device, tokens: dict) -> None:
        device.api = self.server.api(tokens["accessToken"])
        device.refresh_token = tokens["refreshToken"]

    def log_out(self) -> None:
        if not self.devices:
            return
        device = self.chance.choice(self.devices)
        self.pending = ("log out", device)
        self.answered(self.server.api().logout(device.refresh_token), 204)
        self.end([device])

    def force_logout(self) -> None:
        self.pending = ("force logout",)
        self.answered(self.admin.force_logout(userId=self.id), 200)
        self.end(list(self.devices))

    def change_password(self) -> None:
        if not self.devices:
            return
        device, new = self.chance.choice(self.devices), next(self.passwords)
        self.pending = ("change password", device, new)
        self.answered(device.api.change_password(self.password, new), 204)
        self.password = new
        self.end([other for other in self.devices if other is not device])

    def register(self) -> None:
        address = new_address("newcomer")
        self.pending = ("register", address)
        self.answered(self.server.api().register(address, self.password), 202)
        self.newcomers.append(address)

    def end(self, devices: list[Device]) -> None:
        self.ended += devices
        self.devices = [device for device in self.devices if device not in devices]

    # --- the check

    def check(self) -> None:
        """After the restart: what was acknowledged holds, what was ended stays ended, the rest is whole or absent."""
        if self.failure is not None:
            raise self.failure
        what, *details = self.pending or ("nothing",)
        for device in [*self.devices, *self.ended]:
            device.api.address = self.server.address
        self.admin.address = self.server.address
        for device in self.ended:
            assert not device.is_signed_in(), f"an ended session's access token works after {what}"
            assert not device.may_refresh(), f"an ended session's refresh token works after {what}"

        alive = [device for device in self.devices if device.is_signed_in()]
        dead = [device for device in self.devices if device not in alive]
        match what:
            case "log out":
                assert dead in ([], details)
            case "force logout":
                assert dead in ([], self.devices)
            case "change password":
                others = [device for device in self.devices if device is not details[0]]
                probe = self.server.api().login(self.email, details[1])
                done = probe.status == 200
                assert dead == (others if done else []), "a change of password was done by half"
                if done:
                    self.password = details[1]
                    assert self.server.api().logout(probe.json["refreshToken"]).status == 204
            case _:
                assert dead == [], f"an acknowledged session is gone after {what}"
        self.check_count(alive, possibly_more=what == "log in")
        for device in dead:
            assert not device.may_refresh()
        for device in alive:
            self.adopt(device, self.server.api().refresh(device.refresh_token).json)
            assert device.is_signed_in()
        self.ended = (self.ended + dead)[-20:]
        self.devices = alive
        self.check_newcomers(details[0] if what == "register" else None)
        self.pending = ()

    def check_count(self, alive: list[Device], possibly_more: bool) -> None:
        """Looks with a session of its own, since none of the user's need be alive. A session that was made and never
        answered is ended, with all others, so that later checks count from nothing."""
        witness = log_in(self.server, self.email, self.password)
        more = len(witness.api.sessions().json["items"]) - 1 - len(alive)
        assert more in ((0, 1) if possibly_more else (0,)), "a session that nobody was given"
        if more:
            witness.api.end_other_sessions()
            self.ended += alive
            alive.clear()
        assert self.server.api().logout(witness.refresh_token).status == 204

    def check_newcomers(self, unanswered: str | None) -> None:
        for address in self.newcomers:
            known = self.server.sql("SELECT count(*) FROM users WHERE email = ?", address)
            assert known == [(1,)], f"{address} was acknowledged and is gone"
            mail = self.server.mail.wait_for(address, VERIFY, patience_seconds=PATIENCE_AFTER_DEATH_SECONDS)
            assert self.server.api().verify_email(mail.token).status == 204, f"{address} was acknowledged and is gone"
            assert self.server.api().login(address, self.password).status in (200, 401)
        if unanswered is not None:
            exists = self.server.sql("SELECT count(*) FROM users WHERE email = ?", unanswered) == [(1,)]
            if exists:  # then wholly: the mail arrives too
                self.server.mail.wait_for(unanswered, VERIFY, patience_seconds=PATIENCE_AFTER_DEATH_SECONDS)
        self.newcomers = []
