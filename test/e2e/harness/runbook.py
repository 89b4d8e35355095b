"""The runbook's own commands, cut out of a copy of its text byte for byte."""

import pathlib
import re

from .server import REPOSITORY

COMMANDS = pathlib.Path(__file__).parents[1] / "runbook_commands.md"
RUNBOOK = REPOSITORY.parent / "shared" / "seed-runbook.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", COMMANDS.read_text(), re.DOTALL)


def block_with(path: str) -> str:
    """The commands that call a path of the API."""
    return next(block for block in blocks("bash") if re.search(rf"{path}\s", block))


def statements() -> list[str]:
    return "".join(blocks("sql")).splitlines()


def statement_with(*words: str) -> str:
    return next(line for line in statements() if all(word in line for word in words))
