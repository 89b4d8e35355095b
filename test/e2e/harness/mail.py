"""The mail that the server wrote to files."""

import email
import email.policy
import pathlib
import re
import time

PATIENCE_SECONDS = 30.0
# A mail that a node had in its hands when it was killed is taken up by another after a minute.
PATIENCE_AFTER_DEATH_SECONDS = 100.0
VERIFY = "/verify-email"
RESET = "/reset-password"


class Mail:
    def __init__(self, source: bytes):
        self.message = email.message_from_bytes(source, policy=email.policy.default)
        self.source = source

    @property
    def subject(self) -> str:
        return self.message["Subject"]

    @property
    def recipient(self) -> str:
        return self.message["To"].addresses[0].addr_spec

    @property
    def text(self) -> str:
        return self.message.get_body(("plain",)).get_content()

    @property
    def links(self) -> list[str]:
        return re.findall(r"https?://\S+", self.text)

    def link(self, path: str) -> str | None:
        """The link whose path ends in `path`, whole."""
        return next((link for link in self.links if f"{path}?token=" in link), None)

    @property
    def token(self) -> str:
        """The one-time token of the mail's link."""
        return next(link.partition("?token=")[2] for link in self.links if "?token=" in link)


class Mailbox:
    def __init__(self, folder: pathlib.Path):
        self.folder = folder

    def all(self) -> list[Mail]:
        """Every mail, oldest first."""
        files = sorted(self.folder.glob("*.eml"), key=lambda file: (file.stat().st_mtime_ns, file.name))
        return [Mail(file.read_bytes()) for file in files]

    def to(self, address: str, link: str | None = None) -> list[Mail]:
        """Those to an address; `link`: only those that carry such a link (VERIFY or RESET)."""
        wanted = address.casefold()
        return [
            mail
            for mail in self.all()
            if mail.recipient.casefold() == wanted and (link is None or mail.link(link) is not None)
        ]

    def wait_for(
        self, address: str, link: str | None = None, number: int = 1, patience_seconds: float = PATIENCE_SECONDS
    ) -> Mail:
        """Waits for the `number`-th mail of that kind to an address."""
        deadline = time.monotonic() + patience_seconds
        while True:
            found = self.to(address, link)
            if len(found) >= number:
                return found[number - 1]
            assert time.monotonic() < deadline, (
                f"{len(found)} of {number} mails to {address}; all: "
                f"{[(mail.recipient, mail.subject) for mail in self.all()]}"
            )
            time.sleep(0.005)
