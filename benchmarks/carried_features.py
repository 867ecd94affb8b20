r"""Which feature of a loss moves it in the order of losses between two tables.

    python -m benchmarks.carried_features \
        results/leaderboard-hopper-noisy results/reviews-small-8-noisy

The last table, or with `--last N` the last N taken together, is compared with all before it, as in
carry_over.py. A loss's place is its rank among the losses that both sides have, from 0 (last) to 1
(first). For every feature and variant: the mean place of the losses that have it less that of the
others, on each side; the shift between the two sides, with a permutation test over losses and
Holm's correction for the number of features.

The features are computed from the loss with the values that it has in the last table:

- reference: it compares the policy with a reference policy.
- sft: without a reference, it still raises the chosen log-prob where the pair is ordered by far.
- flat: it leaves the rejected log-prob alone where the pair is ordered by far, as SFT always does.
- lets-go: it leaves the rejected log-prob alone where the pair looks mislabelled by far.
- filter: pairs that a preference model takes for mislabelled are left out.
- schedule: it changes in the course of training.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import tyro
from scipy import stats

from benchmarks import carry_over, which_losses
from mirrorpo import files
from mirrorpo.cli.console import fail
from mirrorpo.objectives import Objective, naming
from mirrorpo.runtime.start import start_jax
from mirrorpo.study import algorithms
from mirrorpo.study.phases import FINAL
from mirrorpo.study.statistics import holm

FAR = 100.0
"""A margin, in log-probs per step, at which a loss shows what it does in the end."""
MARGINS = (-FAR, -10.0, -1.0, -0.1, 0.0, 0.1, 1.0, 10.0, FAR)
STILL = 0.01
"""The share of its largest pull below which a loss leaves a log-prob alone."""
USUAL, BATCHES = 10.0, 200
"""What a loss with a memory saw before: this margin, in so many batches."""
LEAST = 2
"""How many losses must have a feature, and how many must lack it."""
RESAMPLES = 20_000
NONE = f"No feature that {LEAST} losses have and {LEAST} lack."


def main(
    paths: tyro.conf.Positional[tuple[Path, ...]],
    out: Path | None = None,
    last: int = 1,
) -> None:
    """Print one table per variant.

    Args:
        paths: published runs; two or more.
        out: JSON file for what is printed.
        last: how many of the paths are the second side.
    """
    first, second = carry_over.split(paths, last)
    start_jax()
    try:
        found = compare(first, second)
    except ValueError as error:
        fail(str(error))
    if not found:
        fail("These tables have no variant in common.")
    for variant, rows in found.items():
        print(f"{variant}:")
        print(rows.round(3).to_string() if len(rows) else NONE)
    if out is not None:
        tables = {
            variant: rows.astype(object).where(rows.notna(), None).to_dict("index")
            for variant, rows in found.items()
        }
        files.write_json(out, {"tables": [str(path) for path in paths], "variants": tables})


def compare(first: Sequence[Path], last: Sequence[Path]) -> dict[str, pd.DataFrame]:
    """`shifts` of every variant that both sides have."""
    from mirrorpo.reporting.published import unpacking

    with unpacking.folders((*first, *last)) as found:
        sides = [carry_over.read(found[: len(first)]), carry_over.read(found[len(first) :])]
        agents = which_losses.agents(found[len(first) :])
    return {
        variant: shifts(*(side[side["variant"] == variant] for side in sides), described)
        for variant in dict.fromkeys(sides[0]["variant"])
        if len(described := features(agents[agents["variant"] == variant]))
    }


def features(agents: pd.DataFrame) -> pd.DataFrame:
    """One row per loss, one column per feature, from the rows of its agents."""
    final = agents[agents["phase"] == FINAL]
    rows = {}
    for name, cell in final.groupby("algorithm"):
        values = json.loads(cell["hyperparameters"].iloc[0])
        plain = str(name).replace(carry_over.DEFAULT_SCHEDULE, "")
        rows[plain] = describe(algorithms.load(naming.with_values(str(name), values)).objective)
    return pd.DataFrame.from_dict(rows, orient="index")


def describe(objective: Objective) -> dict[str, bool]:
    """Which of the features a loss has."""
    chosen, rejected = pulls(objective, progress=0.0)
    late = pulls(objective, progress=1.0)
    return {
        "reference": objective.needs_reference,
        "sft": not objective.needs_reference and not _still(chosen)[-1],
        "flat": bool(_still(rejected)[-1]),
        "lets-go": bool(_still(rejected)[0]),
        "filter": objective.pair_plan is not None and float(objective.pair_plan.dropped) > 0,
        "schedule": not np.allclose(late, [chosen, rejected], rtol=0.01, atol=1e-6),
    }


def pulls(objective: Objective, progress: float) -> np.ndarray:
    """Derivatives of the loss in the chosen and in the rejected log-prob, `(2, margins)`.

    Each of `MARGINS` is a batch of its own. Before it a loss with a memory saw batches whose pairs
    all were in order, with the margin `USUAL`.
    """
    middle = -1.0 - FAR

    def sides(margin: float) -> tuple[np.ndarray, np.ndarray]:
        return np.array([middle + margin / 2]), np.array([middle - margin / 2])

    memory = None
    if objective.memory_size:
        before = which_losses.pairs_around(*sides(USUAL), middle)
        for _ in range(BATCHES):
            memory = np.asarray(objective.remember(before, memory))
    found = [
        which_losses.gradients(objective, *sides(margin), memory, middle, progress)
        for margin in MARGINS
    ]
    return np.concatenate(found, axis=1)


def _still(pull: np.ndarray) -> np.ndarray:
    return np.abs(pull) <= STILL * np.abs(pull).max()


def shifts(first: pd.DataFrame, last: pd.DataFrame, described: pd.DataFrame) -> pd.DataFrame:
    """One row per feature that at least `LEAST` losses have and `LEAST` lack.

    Columns: losses (with the feature), of (all), first and last (mean place of those with the
    feature less that of those without, on each side), shift (last less first), p (corrected).
    """
    sides = [side.set_index("algorithm")["mean"] for side in (first, last)]
    shared = [name for name in sides[0].index if name in sides[1] and name in described.index]
    places = [(side[shared].rank() - 1) / max(len(shared) - 1, 1) for side in sides]
    rows = {}
    for feature in described:
        has = described.loc[shared, feature].to_numpy(bool)
        if min(has.sum(), (~has).sum()) < LEAST:
            continue
        gaps = [_gap(place[has].to_numpy(), place[~has].to_numpy()) for place in places]
        moved = (places[1] - places[0]).to_numpy()
        test = stats.permutation_test(
            (moved[has], moved[~has]), _gap, n_resamples=RESAMPLES, vectorized=True, rng=0
        )
        rows[feature] = [has.sum(), len(shared), *gaps, gaps[1] - gaps[0], test.pvalue]
    columns = ["losses", "of", "first", "last", "shift", "p"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return table.assign(p=holm(table["p"]))


def _gap(having: np.ndarray, lacking: np.ndarray, axis: int = -1) -> np.ndarray:
    return having.mean(axis=axis) - lacking.mean(axis=axis)


if __name__ == "__main__":
    tyro.cli(main)
