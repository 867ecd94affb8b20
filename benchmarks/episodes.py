"""How many episodes per agent does a score need? From the records of a bench.

    python benchmarks/episodes.py results/tla-paper [more runs, published or in a folder]

A cell's mean over A agents has the variance (between + within / n) / A: `between` is the variance
of the agents' true means, `within` that of one episode's return, n the episodes per agent. Printed
per run, once by cell and once for all of its cells together:

- by cell: both standard deviations (median over cells), and the smallest n whose standard error
  is within 10 % of that of 100 episodes, for the median cell and for nine cells of ten;
- together: both from the mean variances of all cells, the same n, and how many times as large as
  with 100 episodes the standard error is with 6, 8 and 16.

With few agents and few episodes the difference that `between` is estimated by is often below
zero. By cell it then counts as 0, as if that cell's agents were alike; together it counts as it
is, so that the mean over cells is unbiased.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from mirrorpo.cli.console import fail
from mirrorpo.reporting.published import unpacking
from mirrorpo.study.phases import FINAL
from mirrorpo.study.records import read, to_frame

ENOUGH, REFERENCE = 1.10, 100
SHOWN = (6, 8, 16)
FEWEST_AGENTS = 3


def cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Variance components of each cell of final agents; `between` may be negative."""
    rows = []
    final = frame[(frame.phase == FINAL) & frame.return_mean.notna()]
    for (variant, algorithm), part in final.groupby(["variant", "algorithm"]):
        if len(part) < FEWEST_AGENTS:
            continue
        of_mean = part.return_standard_error**2
        between = part.return_mean.var() - of_mean.mean()
        within = (of_mean * part.episodes).mean()
        rows.append((variant, algorithm, between, within))
    return pd.DataFrame(rows, columns=["variant", "algorithm", "between", "within"])


def episodes_needed(between: float, within: float) -> int:
    """Smallest n with (between + within / n) <= ENOUGH^2 (between + within / REFERENCE)."""
    room = ENOUGH**2 * (between + within / REFERENCE) - between
    return max(int(np.ceil(within / room)), 1)


def times_as_large(between: float, within: float, episodes: int) -> float:
    """The standard error with so many episodes, in units of that with REFERENCE."""
    return float(np.sqrt((between + within / episodes) / (between + within / REFERENCE)))


def main(paths: list[Path]) -> None:
    try:
        with unpacking.folders(paths) as folders:
            show(folders)
    except ValueError as error:
        fail(str(error))


def show(folders: list[Path]) -> None:
    print(
        "| run | cells | by cell: sd of agents | of an episode | median cell | nine of ten cells "
        "| together: sd of agents | of an episode | episodes | "
        + " | ".join(f"error with {count}" for count in SHOWN)
        + " |"
    )
    print("| --- |" + " ---: |" * (8 + len(SHOWN)))
    for folder in folders:
        found = cells(to_frame([record for record, _ in read(folder / "metrics.jsonl")]))
        if found.empty:
            raise SystemExit(f"{folder} has no cell of {FEWEST_AGENTS} final agents.")
        each = found[["between", "within"]].clip(lower=0.0)
        needed = [episodes_needed(*row) for row in each.to_numpy()]
        together = found[["between", "within"]].mean().clip(lower=0.0)
        agents, episode = np.sqrt(each.median())
        all_agents, any_episode = np.sqrt(together)
        print(
            f"| {folder.name} | {len(found)} | {agents:.0f} | {episode:.0f} "
            f"| {np.median(needed):.0f} | {np.quantile(needed, 0.9):.0f} "
            f"| {all_agents:.0f} | {any_episode:.0f} | {episodes_needed(*together)} | "
            + " | ".join(f"{times_as_large(*together, count):.2f}" for count in SHOWN)
            + " |"
        )


if __name__ == "__main__":
    main([Path(text) for text in sys.argv[1:]])
