"""Several equal nodes: processes of their own on one PostgreSQL database and one Redis, with one master key."""

import concurrent.futures
import pathlib
from collections.abc import Callable, Iterator

from . import postgres
from .client import Api
from .mail import Mailbox
from .people import Device
from .server import Server, eventually, new_master_key


class Nodes:
    """`database`: else a fresh one, taken away at the end. `each_settings`: what one node has that others have not.
    `prefixes`: what each is started with in front of its command.

    Mail of all of them goes into one folder, so that it is found whichever node sent it.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        count: int = 3,
        settings: dict[str, str] | None = None,
        each_settings: list[dict[str, str]] | None = None,
        database: postgres.Database | None = None,
        prefixes: list[list[str]] | None = None,
    ):
        self._own_database = None
        if database is None:
            database = self._own_database = postgres.shared_cluster().create_database()
        self.database = database
        self.mail = Mailbox(folder / "mail")
        shared = {"SAFAWINET_MASTER_KEY": new_master_key(), "SAFAWINET_MAIL_DIR": str(self.mail.folder)}
        self.all: list[Server] = []
        for number in range(count):
            own = each_settings[number] if each_settings else {}
            prefix = prefixes[number] if prefixes else None
            node = Server(folder / str(number), shared | (settings or {}) | own, database=database, prefix=prefix)
            node.mail = self.mail
            self.all.append(node)

    # --- life

    def start(self) -> "Nodes":
        """Starts all in one instant, and waits until all listen."""
        for node in self.all:
            node.launch()
        for node in self.all:
            node.wait_until_listening()
        return self

    def close(self) -> None:
        """The end of a test: all must end cleanly."""
        failures = []
        for node in self.all:
            try:
                node.close()
            except AssertionError as failure:
                failures.append(str(failure))
        if self._own_database is not None:
            self._own_database.drop()
        assert not failures, "\n".join(failures)

    # --- ways in

    def __getitem__(self, number: int) -> Server:
        return self.all[number]

    def __iter__(self) -> Iterator[Server]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    def move_to(self, database: postgres.Database) -> None:
        """Where operators find the data from now on; the nodes find them by themselves."""
        self.database = database
        for node in self.all:
            node.database = database

    def sql(self, statement: str, *parameters) -> list[tuple]:
        return self.database.sql(statement, *parameters)

    def at_once(self, work: Callable[[Server], object]) -> list:
        """Does the work with every node at the same time; what it returned, in the order of the nodes."""
        with concurrent.futures.ThreadPoolExecutor(len(self.all)) as threads:
            return list(threads.map(work, self.all))

    # --- what they say

    def accept(self, device: Device) -> bool:
        """Whether all accept the access token. One that says 401 is heard; anything else than 200 and 401 is a failure."""
        return all([device.at(node).is_signed_in() for node in self.all])

    def eventually_accept(self, device: Device) -> None:
        """Also where connections must be made anew first. 401 is a failure."""
        for node in self.all:
            eventually(lambda one=device.at(node): is_served(one.api), f"the node at {node.address} answers")

    def refuse(self, device: Device) -> bool:
        """Whether all refuse the access token."""
        return not any([device.at(node).is_signed_in() for node in self.all])

    def eventually_refuse(self, device: Device, patience_seconds: float = 5.0) -> None:
        """Waits for it: every node learns of it within milliseconds, on a busy machine a little later."""
        eventually(lambda: self.refuse(device), "every node refuses the access token", patience_seconds)

    def refuse_to_refresh(self, device: Device) -> bool:
        return not any([device.at(node).may_refresh() for node in self.all])

    def eventually_ready(self) -> None:
        for node in self.all:
            eventually(lambda one=node: is_ready(one.api()), f"the node at {node.address} is ready")


def is_served(api: Api) -> bool:
    reply = api.me()
    assert reply.status in (200, 503), reply
    return reply.status == 200


def is_ready(api: Api) -> bool:
    return api.get("/health/ready").status == 200
