"""Documents whose commands are run: fenced blocks, and what they print.

A ```sh block may be followed at once by a ```text block: that is what it prints. "…" in it stands for anything.
"""

import dataclasses
import pathlib
import re
import subprocess

from .server import PATIENCE_SECONDS, REPOSITORY

_FENCE = re.compile(r"^```([\w ]+)\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


@dataclasses.dataclass
class Block:
    language: str
    text: str
    prints: str | None
    line: int

    def expect(self, printed: str) -> None:
        """That it printed what the document says."""
        if self.prints is None:
            return
        pattern = ".*?".join(re.escape(part) for part in self.prints.strip("\n").split("…"))
        assert re.fullmatch(pattern, printed.strip("\n"), re.DOTALL), (
            f"line {self.line}:\n{self.text}\nshould print\n{self.prints}\nbut printed\n{printed}"
        )


def blocks(document: str, language: str | None = None) -> list[Block]:
    """The fenced blocks of a document of the repository, in order."""
    text = (REPOSITORY / document).read_text()
    found = [
        Block(match[1], match[2], match[3], text.count("\n", 0, match.start()) + 1) for match in _FENCE.finditer(text)
    ]
    return [block for block in found if language is None or block.language == language]


_END = "-- end of block"


def run_in_one_shell(
    texts: list[str], folder: pathlib.Path, environment: dict[str, str], patience_seconds: float = 4 * PATIENCE_SECONDS
) -> list[str]:
    """Runs blocks one after the other as a person does in one terminal: what one sets, the next ones see.

    Returns what each printed; fails when the last command of one does.
    """
    script = "".join(f"{{\n{text}}} </dev/null\nprintf '\\n{_END} %s\\n' $?\n" for text in texts)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=patience_seconds,
        check=False,
    )
    ends = re.split(rf"\n{_END} (\d+)\n", done.stdout)
    printed, codes = ends[0:-1:2], ends[1::2]
    assert len(printed) == len(texts), f"the shell ended early:\n{done.stdout}"
    for text, output, code in zip(texts, printed, codes):
        assert code == "0", f"{text}\nfailed with {code} and printed\n{output}"
    return printed
