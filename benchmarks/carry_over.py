"""Whether two tables rank objectives alike, such as a robot's and a language model's.

    python benchmarks/carry_over.py results/leaderboard-hopper-noisy results/sentiment-smollm2

The last one, or with `--last N` the last N taken together, is compared with all before it, taken
together. For every variant that both have: both scores of every objective that both have;
Spearman's and Kendall's rank correlation with 95 % intervals that redraw objectives and agents; and
how many of the pairs that both tell apart by two standard errors are ordered alike. An objective of
several paths counts with the first path's result; one that a path has more than once, with other
hyper-parameters, counts with its best mean; one with a diverged agent is last.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import tyro

from mirrorpo import files
from mirrorpo.cli.console import fail
from mirrorpo.runtime.start import start_jax
from mirrorpo.study.statistics import Concordance, RankAgreement, concordance, rank_agreement
from mirrorpo.study.tables import mean_text

DEFAULT_SCHEDULE = "[schedule=linear]"  # of ta-mpo, which need not be said
FAR_BELOW = 1e6
"""How far below all others an objective with a diverged agent counts: finite, so that it has a
rank."""


def main(
    paths: tyro.conf.Positional[tuple[Path, ...]],
    out: Path | None = None,
    last: int = 1,
) -> None:
    """Compare two tables.

    Args:
        paths: runs, published or in a folder, or results.csv of `mirrorpo report`; two or more.
        out: JSON file for what is printed.
        last: how many of the paths are the second table.
    """
    one, other = split(paths, last)
    start_jax()
    from mirrorpo.reporting.published import unpacking

    try:
        with unpacking.folders((*one, *other)) as found:
            tables = [read(found[: len(one)]), read(found[len(one) :])]
    except ValueError as error:
        fail(str(error))
    variants = [list(dict.fromkeys(table["variant"])) for table in tables]
    shared = [name for name in variants[0] if name in variants[1]]
    if not shared:
        have = " and ".join(", ".join(names) for names in variants)
        fail(f"These tables have no variant in common: {have}.")
    compared = {}
    for variant in shared:
        sides = [table[table["variant"] == variant] for table in tables]
        ranks, pairs = compare(*sides)
        compared[variant] = as_json(ranks, pairs)
        print(f"{variant}:")
        for name in ranks.algorithms:
            rows = [side.set_index("algorithm").loc[name] for side in sides]
            both = (mean_text(row["mean"], row["standard_error"], 2) for row in rows)
            print(f"  {name}: " + ", ".join(both))
        print(f"  {ranks.sentence}")
        print(f"  {pairs.sentence}")
    if out is not None:
        files.write_json(out, {"tables": [str(path) for path in paths], "variants": compared})


def split(paths: Sequence[Path], last: int) -> tuple[Sequence[Path], Sequence[Path]]:
    """The paths of the first table and of the second, which are the last so many; ends the command
    where one of them would have none."""
    if len(paths) < 2:
        fail("Name two tables or more.")
    if not 1 <= last < len(paths):
        fail(f"--last is {last}, but must leave some of the {len(paths)} tables for the first.")
    return paths[:-last], paths[-last:]


def read(paths: Sequence[Path]) -> pd.DataFrame:
    """Columns variant, algorithm, mean and standard_error of some tables together; an algorithm
    has one row per variant."""
    rows = [_rows(path).assign(path=at) for at, path in enumerate(paths)]
    frame = pd.concat(rows, ignore_index=True)
    frame["algorithm"] = frame["algorithm"].str.replace(DEFAULT_SCHEDULE, "", regex=False)
    lowest = frame.groupby("variant")["mean"].transform("min").fillna(0.0)
    frame["mean"] = frame["mean"].fillna(lowest - FAR_BELOW)
    order = frame.sort_values(["path", "mean"], ascending=[True, False])
    counted = order.groupby(["variant", "algorithm"]).head(1).sort_index()
    return counted[["variant", "algorithm", "mean", "standard_error"]].reset_index(drop=True)


def _rows(path: Path) -> pd.DataFrame:
    if path.is_dir():
        from mirrorpo.reporting import export
        from mirrorpo.reporting.page import reading

        frame = export.results(reading.read([path]).places)
    elif path.is_file():
        frame = pd.read_csv(path)
    else:
        fail(f"{path} is neither a run folder nor a table.")
    missing = {"variant", "algorithm", "mean", "standard_error"} - set(frame)
    if missing:
        fail(f"{path} is no table of results: it has no column {', '.join(sorted(missing))}.")
    return frame


def compare(first: pd.DataFrame, second: pd.DataFrame) -> tuple[RankAgreement, Concordance]:
    """Agreement of two tables of one variant."""
    return rank_agreement(first, second), concordance(first, second)


def as_json(ranks: RankAgreement, pairs: Concordance) -> dict:
    """What was found, for a file; null for what is not known."""
    numbers = {
        "spearman": ranks.spearman,
        "spearman_interval": list(ranks.spearman_interval),
        "kendall": ranks.kendall,
        "kendall_interval": list(ranks.kendall_interval),
        "concordance": pairs.share,
        "pairs_told_apart_by_both": pairs.both,
        "pairs_ordered_alike": pairs.alike,
    }
    known = {name: None if np.isnan(value).any() else value for name, value in numbers.items()}
    return {"algorithms": list(ranks.algorithms), **known}


if __name__ == "__main__":
    tyro.cli(main)
