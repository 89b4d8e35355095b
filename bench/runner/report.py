"""The table: on the terminal, and in docs/performance.md between its markers."""

from pathlib import Path

from runner.processes import BenchError
from runner.rows import Row

START = "<!-- table: written by bench/run -->"
END = "<!-- end of table -->"


def as_markdown(rows: list[Row], cores: int, repetitions: int, bystanders: float) -> str:
    lines = [
        f"On {cores} cores, which the load generator shares; medians of {repetitions} repetitions in turns, and their range. "
        f"Everything else on the machine used {bystanders:.0%} of it meanwhile.",
        "",
        "| what | beside | aim | result | met | figures |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        met = "yes" if row.is_met else "**no**"
        lines.append(f"| {row.what} | {row.against} | {row.aim} | {row.result} | {met} | {row.figures} |")
    return "\n".join(lines)


def write_into(document: Path, table: str) -> None:
    text = document.read_text()
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise BenchError(f"{document} has lost its markers")
    document.write_text(f"{before}{START}\n{table}\n{END}{after}")
