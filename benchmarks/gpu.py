"""Everything that needs a GPU, by one command, in at most 25 minutes.

    python benchmarks/gpu.py --out runs/gpu                  # or: make gpu
    python benchmarks/gpu.py --out runs/gpu --show           # the table of what is there
    python benchmarks/gpu.py --out runs/gpu --only training  # parts whose names begin so
    python benchmarks/gpu.py --out FOLDER --small            # on a CPU: does it run?

Each part is a process of its own with a time limit. Its rows are in `rows.jsonl` as soon as they
are known. A part that fails or takes too long is a row that says so, and the others run. The same
command again runs the parts that are not measured yet. What each part is:
docs/performance-lines.md.
"""

import os
import shlex
import signal
import sys
import time
from pathlib import Path
from typing import Any

import tyro
from speed import apart, gpu_parts, gpu_table, table
from speed.gpu_parts import ROOT, Part

from mirrorpo import files, json_lines, versions
from mirrorpo.cli.console import fail

ROWS, TABLE, LOGS = "rows.jsonl", "table.md", "logs"
NOT_STARTED, NOT_THERE = "not started", "not there"


def main(
    out: Path,
    small: bool = False,
    show: bool = False,
    only: str | None = None,
    minutes: float = 25.0,
) -> None:
    """Measure what is not measured yet, and print and keep each row at once.

    Args:
        out: folder for rows.jsonl, table.md, and what the parts print.
        small: sizes that a CPU takes less than a minute for; the figures mean nothing.
        show: print the table of what is there, and measure nothing.
        only: names of parts, or beginnings of names, with commas between.
        minutes: the time limit for everything. A part that no time is left for is not started.
    """
    rows = json_lines.read(out / ROWS)
    if show:
        print(gpu_table.as_text(rows), end="")
        return
    if rows and rows[0]["small"] != small:
        size = "small" if rows[0]["small"] else "whole"
        fail(f"{out} holds rows of the {size} sizes: choose another folder.")
    # So that the part that runs is killed with this command.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    ends = time.monotonic() + 60 * minutes
    chosen = _chosen(small, only)
    done = _done(rows)
    json_lines.resume(out / ROWS, keep=lambda row: row["part"] in done)
    for part in chosen:
        if part.name not in done:
            _measure(part, out, small, ends)
    rows = json_lines.read(out / ROWS)
    files.write_text(out / TABLE, gpu_table.as_text(rows))
    bad = (apart.FAILED, apart.TIMED_OUT, NOT_STARTED)
    if lost := [row["part"] for row in rows if row["status"] in bad]:
        fail(f"Not measured: {', '.join(lost)}. What they said is in {out / LOGS}.")


def _chosen(small: bool, only: str | None) -> list[Part]:
    parts = gpu_parts.parts(small)
    if only is None:
        return parts
    wanted = [name.strip() for name in only.split(",")]
    for name in wanted:
        if not any(part.name.startswith(name) for part in parts):
            fail(f"Unknown part {name!r}; the parts are {', '.join(part.name for part in parts)}.")
    return [part for part in parts if part.name.startswith(tuple(wanted))]


def _done(rows: list[dict[str, Any]]) -> set[str]:
    """Parts that came to their end and had all that they need."""
    lacking = {row["part"] for row in rows if row["status"] != apart.MEASURED}
    return {row["part"] for row in rows if row["end"]} - lacking


def _measure(part: Part, out: Path, small: bool, ends: float) -> None:
    device = next((row["device"] for row in json_lines.read(out / ROWS) if "device" in row), None)
    about = {
        "part": part.name,
        "what": part.what,
        "size": part.size,
        "by": part.by,
        "command": shlex.join(part.command),
        "limit_seconds": part.limit,
        "device": device,
        "machine": versions.machine(),
        "versions": versions.installed(language=True),
        "git_commit": versions.git_commit(),
        "small": small,
    }
    found = []

    def keep(figures: dict[str, Any], status: str, end: bool = False) -> None:
        row = {**about, "status": status, "end": end, **figures}
        found.append(row)
        json_lines.append(out / ROWS, row)
        for line in gpu_table.lines([row]):
            print(table.as_text(line), flush=True)

    def take(figures: dict[str, Any]) -> None:
        keep(figures, NOT_THERE if "note" in figures else apart.MEASURED)

    limit = min(part.limit, ends - time.monotonic())
    if limit <= 0:
        keep({"note": "the time for all parts is over"}, NOT_STARTED, end=True)
        return
    files.make_folder(out / LOGS)
    log = out / LOGS / f"{part.name}.txt"
    # The parts run in the checkout, whatever folder this command was started in.
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    paths = [str(ROOT / "src"), *(str(Path(path).resolve()) for path in given if path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    ended = apart.run(part.command, limit, environment, ROOT, log, take)
    note = {"note": ended.note} if ended.note and not found else {}
    if ended.status != apart.MEASURED:
        note = {"note": ended.note}
    keep({**note, "seconds_of_part": ended.seconds}, ended.status, end=True)


if __name__ == "__main__":
    tyro.cli(main)
