"""A real SMTP server that takes mail, and that can be told to behave as servers do on their bad days."""

import asyncio
import dataclasses
import ssl
import threading
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from .mail import Mail


@dataclasses.dataclass
class Taken:
    """A mail with its envelope."""

    sender: str
    recipients: list[str]
    mail: Mail
    peer: tuple
    was_encrypted: bool
    user: str | None

    @property
    def message_id(self) -> str:
        return self.mail.message["Message-ID"]


class Behaviour:
    """What the server answers. `recipient` and `data` are replies by address or for all (None: as it should)."""

    def __init__(self):
        self.recipient: dict[str, str] = {}
        self.sender: str | None = None
        self.data: str | None = None
        self.drops_after_data = False
        self.seconds_before_data = 0.0


class _Handler:
    def __init__(self, server: "SmtpServer"):
        self.server = server

    async def handle_MAIL(self, smtp, session, envelope, address, options):
        if self.server.behaviour.sender:
            return self.server.behaviour.sender
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, smtp, session, envelope, address, options):
        reply = self.server.behaviour.recipient.get(address.casefold())
        if reply:
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, smtp, session, envelope):
        behaviour = self.server.behaviour
        self.server.in_data += 1
        if behaviour.seconds_before_data:
            await asyncio.sleep(behaviour.seconds_before_data)
        if behaviour.data:
            return behaviour.data
        login = session.auth_data.login.decode() if getattr(session, "auth_data", None) else None
        taken = Taken(envelope.mail_from, list(envelope.rcpt_tos), Mail(envelope.content), session.peer,
                      self.server.is_implicit or session.ssl is not None, login)
        self.server.keep(taken)
        if behaviour.drops_after_data:
            smtp.transport.abort()
            return "250 you will not hear this"
        return "250 OK"


class _Smtp(SMTP):
    def connection_made(self, transport):
        super().connection_made(transport)
        if transport.get_extra_info("sslcontext") is None:
            self._owner.connections += 1


class SmtpServer(Controller):
    """`tls`: the file of a certificate and of its key; with it STARTTLS is offered, or spoken from the first byte.
    `login`: a user and a password, who must then log in."""

    def __init__(self, tls: tuple[str, str] | None = None, is_implicit: bool = False,
                 login: tuple[str, str] | None = None, port: int = 0, host: str = "127.0.0.1"):
        self.behaviour = Behaviour()
        self.taken: list[Taken] = []
        self.connections = 0
        self.in_data = 0  # mails whose contents it was given, taken or not
        self.logins: list[str] = []
        self._changed = threading.Condition()
        self._login = login
        self.is_implicit = is_implicit
        self._is_stopped = True
        self._context = None
        if tls:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*tls)
        super().__init__(_Handler(self), hostname=host, port=port, ready_timeout=30.0,
                         ssl_context=self._context if is_implicit else None)

    def factory(self):
        starts_tls = self._context is not None and not self.is_implicit
        smtp = _Smtp(self.handler, hostname="mx.example.test", enable_SMTPUTF8=True,
                     tls_context=self._context if starts_tls else None, require_starttls=starts_tls,
                     authenticator=self._authenticate if self._login else None,
                     auth_required=self._login is not None, auth_require_tls=starts_tls)
        smtp._owner = self
        return smtp

    def _trigger_server(self):
        """The port is the kernel's choice, which the base class does not expect."""
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()

    def start(self):
        self._is_stopped = False
        super().start()
        self.connections = 0  # one was the controller's own

    def stop(self):
        if not self._is_stopped:
            self._is_stopped = True
            super().stop()

    def _authenticate(self, server, session, envelope, mechanism, data):
        right = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) == self._login
        self.logins.append("right" if right else "wrong")
        return AuthResult(success=right, auth_data=data if right else None)

    def keep(self, taken: Taken) -> None:
        with self._changed:
            self.taken.append(taken)
            self._changed.notify_all()

    def to(self, address: str) -> list[Taken]:
        return [taken for taken in self.taken if address.casefold() in [to.casefold() for to in taken.recipients]]

    def wait_for(self, address: str, number: int = 1, patience_seconds: float = 30.0) -> Taken:
        """The `number`-th mail to an address."""
        deadline = time.monotonic() + patience_seconds
        with self._changed:
            while len(self.to(address)) < number:
                left = deadline - time.monotonic()
                assert left > 0, f"{len(self.to(address))} of {number} mails to {address} arrived"
                self._changed.wait(left)
            return self.to(address)[number - 1]

    @property
    def settings(self) -> dict[str, str]:
        """Those by which a server of ours sends through this one."""
        security = "none" if self._context is None else "tls" if self.is_implicit else "starttls"
        settings = {
            "SAFAWINET__MAIL__TRANSPORT": "smtp",
            "SAFAWINET__MAIL__SMTP_HOST": self.hostname,
            "SAFAWINET__MAIL__SMTP_PORT": str(self.port),
            "SAFAWINET__MAIL__SMTP_SECURITY": security,
            "SAFAWINET__MAIL__FROM": "Example Accounts <no-reply@example.test>",
        }
        if self._login:
            settings |= {"SAFAWINET_SMTP_USER": self._login[0], "SAFAWINET_SMTP_PASSWORD": self._login[1]}
        return settings
