"""The table: on the terminal, and in docs/performance.md between its markers."""

from pathlib import Path

from runner.processes import BenchError
from runner.rows import Row

START = "<!-- table: written by bench/run -->"
END = "<!-- end of table -->"


def as_markdown(rows: list[Row], cores: int, repetitions: int, bystanders: float) -> str:
    return "\n".join(
        [
            f"On {cores} cores, which the load generator shares; medians of {repetitions} repetitions in turns, and their "
            f"range. Everything else on the machine used {bystanders:.0%} of it meanwhile.",
            "",
            "| what | beside | aim | result | met | figures |",
            "|---|---|---|---|---|---|",
            *(_line(row) for row in rows),
        ]
    )


def _line(row: Row) -> str:
    met = "yes" if row.is_met else "**no**"
    return f"| {row.what} | {row.against} | {row.aim} | {row.result} | {met} | {row.figures} |"


def write_into(document: Path, table: str) -> None:
    before, _, after = _parts(document)
    document.write_text(f"{before}{START}\n{table}\n{END}{after}")


def put_into(document: Path, rows: list[Row]) -> None:
    """Some rows only: each takes the place of the one that says the same, or comes last."""
    before, table, after = _parts(document)
    lines = table.strip("\n").split("\n")
    for row in rows:
        same = [number for number, line in enumerate(lines) if line.startswith(f"| {row.what} |")]
        if same:
            lines[same[0]] = _line(row)
        else:
            lines.append(_line(row))
    document.write_text("\n".join([f"{before}{START}", *lines, f"{END}{after}"]))


def _parts(document: Path) -> tuple[str, str, str]:
    """What stands before the table, the table, and what stands after it."""
    before, start, rest = document.read_text().partition(START)
    table, end, after = rest.partition(END)
    if not start or not end:
        raise BenchError(f"{document} has lost its markers")
    return before, table, after
