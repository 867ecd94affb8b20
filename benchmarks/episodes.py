"""How many episodes per agent does a score need? From the records of a bench.

    python benchmarks/episodes.py results/tla-paper [more runs, published or in a folder]

A cell's mean over A agents has the variance (between + within / n) / A: `between` is the variance
of the agents' true means, `within` that of one episode's return, n the episodes per agent. Printed
per run: both standard deviations (median over cells), and the smallest n whose standard error is
within 10 % of that of 100 episodes, for the median cell and for nine cells of ten.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from mirrorpo.cli.console import fail
from mirrorpo.reporting.published import unpacking
from mirrorpo.study.records import read, to_frame

ENOUGH, REFERENCE = 1.10, 100
FEWEST_AGENTS = 3


def cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Variance components of each cell of final agents, negative estimates of `between` as 0."""
    rows = []
    final = frame[(frame.phase == "final") & frame.return_mean.notna()]
    for (variant, algorithm), part in final.groupby(["variant", "algorithm"]):
        if len(part) < FEWEST_AGENTS:
            continue
        of_mean = part.return_standard_error**2
        between = max(part.return_mean.var() - of_mean.mean(), 0.0)
        within = (of_mean * part.episodes).mean()
        rows.append((variant, algorithm, between, within))
    return pd.DataFrame(rows, columns=["variant", "algorithm", "between", "within"])


def episodes_needed(between: float, within: float) -> int:
    """Smallest n with (between + within / n) <= ENOUGH^2 (between + within / REFERENCE)."""
    room = ENOUGH**2 * (between + within / REFERENCE) - between
    return max(int(np.ceil(within / room)), 1)


def main(paths: list[Path]) -> None:
    try:
        with unpacking.folders(paths) as folders:
            show(folders)
    except ValueError as error:
        fail(str(error))


def show(folders: list[Path]) -> None:
    print(
        "| run | cells | sd between agents | sd of an episode | median cell | nine of ten cells |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for folder in folders:
        found = cells(to_frame([record for record, _ in read(folder / "metrics.jsonl")]))
        if found.empty:
            raise SystemExit(f"{folder} has no cell of {FEWEST_AGENTS} final agents.")
        needed = [episodes_needed(*row) for row in found[["between", "within"]].to_numpy()]
        between, within = np.sqrt(found[["between", "within"]].median())
        print(
            f"| {folder.name} | {len(found)} | {between:.0f} | {within:.0f} "
            f"| {np.median(needed):.0f} | {np.quantile(needed, 0.9):.0f} |"
        )


if __name__ == "__main__":
    main([Path(text) for text in sys.argv[1:]])
