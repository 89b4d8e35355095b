"""The README's commands, in order, as somebody pastes them who has never seen this before."""

import os
import pathlib
import re
import signal
import subprocess

import pytest

from harness.documents import blocks, run_in_one_shell
from harness.server import BINARY, PATIENCE_SECONDS, REPOSITORY, environment, eventually

README = "README.md"
# Building is what script/test has just done; the scripts find these instead of the compiler's tools.
BUILD_TOOLS = ("cmake", "ninja")
NAME = re.compile(r"`((?:src|script|test|bench|migrations|docs|cmake)/[\w./-]+)`")
PORT = re.compile(r"\b127\.0\.0\.1:8080\b")


@pytest.fixture
def checkout(tmp_path: pathlib.Path) -> pathlib.Path:
    """A clean folder with the scripts and the finished binary: what a checkout is after its first build."""
    (tmp_path / "script").symlink_to(REPOSITORY / "script")
    release = tmp_path / "build" / "release"
    release.mkdir(parents=True)
    (release / "safawinet").symlink_to(BINARY)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in BUILD_TOOLS:
        (tools / name).write_text("#!/bin/sh\n")
        (tools / name).chmod(0o755)
    return tmp_path


@pytest.fixture
def variables(checkout: pathlib.Path) -> dict[str, str]:
    path = f"{checkout / 'tools'}:{os.environ['PATH']}"
    listen = {"SAFAWINET_LISTEN": "127.0.0.1:0", "SAFAWINET_OPERATIONS_LISTEN": "127.0.0.1:0"}
    # The command line keeps its contexts in a home of its own.
    home = {"HOME": str(checkout), "XDG_CONFIG_HOME": str(checkout / "config")}
    return environment({"PATH": path} | listen | home)


@pytest.fixture
def address(checkout: pathlib.Path, variables: dict[str, str]):
    """Where the server answers that the README's own command has started."""
    command = blocks(README, "sh")[0].text
    assert command == "script/server\n"
    log = checkout / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=checkout,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=file,
        )
    try:
        found = eventually(
            lambda: process.poll() is not None or re.search(r'"listening","address":"([^"]+)"', log.read_text()),
            "the server listens",
        )
        assert process.poll() is None, log.read_text()
        yield found[1]
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_SECONDS) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


@pytest.mark.embedded_only
def test_the_tour_prints_what_the_readme_says(checkout, variables, address):
    # The first two start the server and run the tests, this one among them.
    _, run_the_tests, *tour = blocks(README, "sh")
    assert run_the_tests.text == "script/test\n"
    assert os.access(checkout / "script/test", os.X_OK)
    assert sum(block.prints is not None for block in tour) >= 8

    printed = run_in_one_shell([PORT.sub(address, block.text) for block in tour], checkout, variables)
    for block, output in zip(tour, printed):
        block.expect(output)


def test_links_in_the_documents_lead_somewhere():
    documents = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")]
    missing = []
    for document in documents:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text()):
            is_elsewhere = target.startswith(("http:", "https:", "mailto:"))
            if not is_elsewhere and not (document.parent / target).exists():
                missing.append(f"{document.relative_to(REPOSITORY)}: {target}")
    assert not missing


def test_names_of_files_in_the_documents_are_right():
    """Documents that follow the code through its files must follow it when it moves."""
    missing = []
    for document in ("ARCHITECTURE.md", "docs/life-of-a-request.md"):
        for name in NAME.findall((REPOSITORY / document).read_text()):
            if not (REPOSITORY / name).exists():
                missing.append(f"{document}: {name}")
    assert not missing
