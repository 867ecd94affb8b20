"""Whether two tables rank objectives alike, such as a robot's and a language model's.

    python benchmarks/carry_over.py runs/hopper-noisy-0.3 runs/sentiment-smollm2

The last one is compared with all before it, taken together. For every variant that both have: both
scores of every objective that both have, and Spearman's rank correlation of the two with the
interval that their standard errors leave. An objective that a table has more than once, with other
hyper-parameters, counts with its best mean; one of which an agent diverged is last.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import tyro

from mirrorpo import files
from mirrorpo.cli.console import fail, start_jax
from mirrorpo.study.statistics import rank_correlation

RESAMPLES = 2000
LEAST = 3
DEFAULT_SCHEDULE = "[schedule=linear]"  # of ta-mpo, which need not be said
Scores = Mapping[str, tuple[float, float]]


def main(
    paths: tyro.conf.Positional[tuple[Path, ...]],
    out: Path | None = None,
) -> None:
    """Compare two tables.

    Args:
        paths: run folders, or results.csv of `mirrorpo report`; two or more.
        out: JSON file for what is printed.
    """
    if len(paths) < 2:
        fail("Name two tables or more.")
    start_jax()
    tables = [read(paths[:-1]), read(paths[-1:])]
    shared = [name for name in tables[0] if name in tables[1]]
    if not shared:
        have = " and ".join(", ".join(table) for table in tables)
        fail(f"These tables have no variant in common: {have}.")
    found = {variant: compare(tables[0][variant], tables[1][variant]) for variant in shared}
    for variant, line in found.items():
        print(f"{variant}:")
        for name in line["algorithms"]:
            both = [tables[side][variant][name] for side in (0, 1)]
            print(f"  {name}: " + ", ".join(f"{m:.4g} ± {e:.2g}" for m, e in both))
        if "spearman" in line:
            low, high = line["interval"]
            print(
                f"  Spearman's rank correlation of {len(line['algorithms'])} objectives: "
                f"{line['spearman']:.2f}, 95 % interval {low:.2f} to {high:.2f}"
            )
        else:
            print(f"  fewer than {LEAST} objectives in common: no correlation")
    if out is not None:
        files.write_json(out, {"tables": [str(path) for path in paths], "variants": found})


def read(paths: Sequence[Path]) -> dict[str, Scores]:
    """Mean and standard error of each algorithm on each variant of some tables together."""
    frame = pd.concat([_rows(path) for path in paths], ignore_index=True)
    frame["mean"] = frame["mean"].fillna(-math.inf)
    frame["algorithm"] = frame["algorithm"].str.replace(DEFAULT_SCHEDULE, "", regex=False)
    best = frame.sort_values("mean").groupby(["variant", "algorithm"]).tail(1).sort_index()
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for row in best.itertuples():
        error = 0.0 if math.isnan(row.standard_error) else row.standard_error
        found.setdefault(row.variant, {})[row.algorithm] = (row.mean, error)
    return found


def _rows(path: Path) -> pd.DataFrame:
    if path.is_dir():
        from mirrorpo.report import export
        from mirrorpo.report.page import reading

        frame = export.results(reading.read([path]).places)
    elif path.is_file():
        frame = pd.read_csv(path)
    else:
        fail(f"{path} is neither a run folder nor a table.")
    missing = {"variant", "algorithm", "mean", "standard_error"} - set(frame)
    if missing:
        fail(f"{path} is no table of results: it has no column {', '.join(sorted(missing))}.")
    return frame


def compare(first: Scores, second: Scores) -> dict:
    """Algorithms that both have and, of `LEAST` or more, their rank correlation: `spearman`, and
    the 95 % `interval` over scores drawn anew with their standard errors."""
    names = [name for name in first if name in second]
    if len(names) < LEAST:
        return {"algorithms": names}
    draw = np.random.default_rng(0)
    means, errors = (
        np.array([[side[name][k] for name in names] for side in (first, second)]) for k in (0, 1)
    )
    # Last of all, and finite, so that ranks exist.
    least = np.where(np.isfinite(means), means, np.inf).min(axis=1, keepdims=True)
    means = np.where(np.isfinite(means), means, least - 1e6)
    drawn = draw.normal(means, errors, (RESAMPLES, *means.shape))
    correlations = [_spearman(names, scores) for scores in drawn]
    return {
        "algorithms": names,
        "spearman": _spearman(names, means),
        "interval": [float(q) for q in np.quantile(correlations, (0.025, 0.975))],
    }


def _spearman(names: list[str], scores: np.ndarray) -> float:
    return rank_correlation(*(dict(zip(names, side, strict=True)) for side in scores))


if __name__ == "__main__":
    tyro.cli(main)
