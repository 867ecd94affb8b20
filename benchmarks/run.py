"""Speed and memory of the hot loops, beside what a user would write or pick instead.

    python benchmarks/run.py --out FOLDER               # everything, on a quiet machine
    python benchmarks/run.py --only training,growth     # some parts
    python benchmarks/run.py --quick                    # tiny sizes: does it run?

What is measured is in FOLDER/measured.jsonl at once, and the same command resumes. What each line
means: docs/performance-lines.md.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tyro
from speed import growth, growth_plot, lines, page, process, table
from speed.process import Measure
from speed.sizes import QUICK, Sizes

from mirrorpo import files, versions
from mirrorpo.cli.console import fail

PARTS: dict[str, Callable[[Sizes, Measure], Iterator[lines.Line]]] = {
    "training": lines.training,
    "evaluation": lines.evaluation,
    "generation": lines.generation,
    "language": lines.language,
    "scaling": lines.scaling,
    "start-up": lines.start_up,
    "growth": growth.lines,
}


def main(quick: bool = False, only: str | None = None, out: Path | None = None) -> None:
    """Measure, print the lines and the tables, and keep them with a description of the machine.

    Args:
        quick: tiny sizes, to see that everything runs; its figures mean nothing.
        only: parts to measure, with commas between: training, evaluation, generation, language,
            scaling, start-up, growth; all of them without it.
        out: folder for measured.jsonl, benchmarks.json, table.md, page.md and growth.png; nothing
            is kept without it.
    """
    parts = list(PARTS) if only is None else [name.strip() for name in only.split(",")]
    for name in parts:
        if name not in PARTS:
            fail(f"Unknown part {name!r}; the parts are {', '.join(PARTS)}.")
    sizes = QUICK if quick else Sizes()
    about = {
        "machine": versions.machine(),
        "versions": versions.installed(language=True),
        "git_commit": versions.git_commit(),
        "sizes": asdict(sizes),
    }
    measure: Measure = process.measure
    if out is not None:
        measure = process.Kept(out / "measured.jsonl", about)
    found: list[lines.Line] = []
    for line in (line for name in parts for line in PARTS[name](sizes, measure)):
        found.append(line)
        print(table.as_text(line), flush=True)
    print(f"\n{page.as_page(found)}", end="", flush=True)
    if out is not None:
        _keep(out, about, found)


def _keep(out: Path, about: dict[str, Any], found: list[lines.Line]) -> None:
    files.write_json(out / "benchmarks.json", {**about, "lines": found})
    files.write_text(out / "table.md", table.as_table(found))
    files.write_text(out / "page.md", page.as_page(found))
    if curves := growth.curves(found):
        growth_plot.save(out / "growth.png", curves)


if __name__ == "__main__":
    tyro.cli(main)
