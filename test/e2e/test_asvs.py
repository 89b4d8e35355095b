"""docs/security/asvs.csv claims nothing that is not there: its ids are those of the standard, its tests exist."""

import ast
import csv
import json
import re

import pytest

from harness.server import REPOSITORY

TABLE = REPOSITORY / "docs/security/asvs.csv"
STANDARD = REPOSITORY.parent / "shared/asvs-5.0.0.flat.json"
REFERENCE = re.compile(r"(\S+)::(\S+)")
CPP_TEST = re.compile(r"^TEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)", re.MULTILINE)


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    with TABLE.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines, strict=True))


def evidence(row: dict) -> tuple[list[tuple[str, str]], list[str]]:
    """The tests that a row names, and what it says in words."""
    tests, words = [], []
    for part in row["evidence"].split("; "):
        reference = REFERENCE.fullmatch(part)
        if reference:
            tests.append((reference[1], reference[2]))
        elif part.strip():
            words.append(part)
    return tests, words


def names_in(path: str) -> set[str]:
    file = REPOSITORY / path
    if not file.is_file():
        return set()
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".py":
        return {node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
    return {f"{suite}.{name}" for suite, name in CPP_TEST.findall(text)}


def test_every_row_is_whole(rows):
    assert len(rows) >= 80
    for row in rows:
        assert list(row) == ["requirement", "level", "what", "state", "evidence"], row
        assert re.fullmatch(r"V[1-9][0-9]?(\.[1-9][0-9]?){2}", row["requirement"]), row
        assert row["level"] in ("1", "2", "3"), row
        assert row["what"].strip(), row
        assert row["state"] in ("yes", "partly", "no"), row


def test_every_requirement_is_there_once_in_order(rows):
    numbers = [[int(number) for number in row["requirement"][1:].split(".")] for row in rows]
    assert numbers == sorted(numbers)
    assert len({row["requirement"] for row in rows}) == len(rows)


def test_requirements_and_levels_are_those_of_the_standard_in_other_words(rows):
    if not STANDARD.is_file():
        pytest.skip("the standard's list is not beside this checkout")
    requirements = json.loads(STANDARD.read_text(encoding="utf-8"))["requirements"]
    standard = {one["req_id"]: one for one in requirements}
    unknown = [row["requirement"] for row in rows if row["requirement"] not in standard]
    assert unknown == []
    for row in rows:
        one = standard[row["requirement"]]
        assert row["level"] == one["L"], row
        assert row["what"].lower() not in one["req_description"].lower(), row


def test_every_test_that_is_named_exists(rows):
    missing = [
        (row["requirement"], f"{path}::{name}")
        for row in rows
        for path, name in evidence(row)[0]
        if name not in names_in(path)
    ]
    assert missing == []


def test_a_yes_names_a_test_and_anything_less_gives_its_reason(rows):
    for row in rows:
        tests, words = evidence(row)
        if row["state"] == "yes":
            assert tests, row
            assert not words, row
        else:
            assert words, row
