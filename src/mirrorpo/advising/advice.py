"""Which objectives did best on benches whose data were like the user's, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from mirrorpo import bounded
from mirrorpo.advising.conditions import Conditions
from mirrorpo.variants import parse

NOISE_WIDTH, NEAR_WIDTH = 0.05, 0.15
"""How far a bench's data may differ before its result counts for less: one standard deviation of
a Gaussian weight, of the rate of wrong labels and of the share of near-equal pairs."""

MIXED_NEAR_EQUAL = 0.5
"""Share of a mixed-quality bench's pairs whose sequences come from one agent."""

FAR = 2.0
DRAWS = 4000
_LEAST_COVERED = 0.8
_NEEDED = ("task", "variant", "algorithm", "agents", "normalised", "normalised_error", "run")


@dataclass(frozen=True)
class Advice:
    """One objective on data like the user's.

    Attributes:
        algorithm: its name.
        score: normalised: 0 is the worse source agent's return, 1 the better's.
        error: its standard error, of the agents alone.
        best: probability that it is the best of those compared, given the uncertainty of the
            estimates and of the benches, and how far their tasks agree: each draw takes tasks
            with replacement. It knows nothing of how alike the user's data and theirs are.
        figures: (task, variant, score, standard error, agents, weight) of each bench behind it.
    """

    algorithm: str
    score: float
    error: float
    best: float
    figures: tuple[tuple[str, str, float, float, int, float], ...]


@dataclass(frozen=True)
class Recommendation:
    """Objectives, the best first.

    Attributes:
        ranking: the ranking of all that the near benches have measured.
        nearest: (task, variant) of the nearest bench.
        distance: to it, in the weight's standard deviations.
        tasks: on which the evidence was measured.
    """

    ranking: tuple[Advice, ...]
    nearest: tuple[str, str]
    distance: float
    tasks: tuple[str, ...]

    @property
    def is_far(self) -> bool:
        """Whether no bench had data like these."""
        return self.distance > FAR


def shipped(what: str = "robots") -> list[Path]:
    """Results of benches that come with the package; `mirrorpo report` writes such tables.

    Args:
        what: measured on "robots", or on "texts" by a language model.
    """
    folder = Path(str(resources.files("mirrorpo"))) / "assets" / "bench" / what
    return sorted(folder.glob("*.csv"))


def evidence(paths: Sequence[Path]) -> pd.DataFrame:
    """The usable results of benches: a row for each task, variant and algorithm.

    Columns: those of `mirrorpo report`'s results.csv, and noise and near_equal, the variant's.
    Variants with a bad judge are left out, for their labels' noise depends on the pair; so are
    algorithms with fixed values or files of a user's, and diverged ones.

    Raises:
        ValueError: a file that is missing or no such table, or nothing usable in them.
    """
    frames = []
    for path in paths:
        if not path.is_file():
            raise ValueError(f"No table of results at {path}: the file does not exist.")
        bounded.check_size(path, "a table of results", bounded.TABLE)
        frame = pd.read_csv(path)
        missing = [name for name in _NEEDED if name not in frame.columns]
        if missing:
            raise ValueError(
                f"{path} is no table of results: it has no column {', '.join(missing)}. "
                "`mirrorpo report RUN` writes one, tables/results.csv."
            )
        frames.append(frame)
    if not frames:
        raise ValueError("No table of results is given.")
    together = pd.concat(frames, ignore_index=True)
    faults = [parse(text) for text in together.variant]
    together["noise"] = [fault.noise for fault in faults]
    together["near_equal"] = [MIXED_NEAR_EQUAL if fault.mixed else 0.0 for fault in faults]
    usable = (
        np.isfinite(together.normalised)
        & np.array([fault.temperature == 1.0 for fault in faults])
        & ~together.algorithm.str.contains(r"[\[/.]", regex=True)
    )
    together = together[usable].sort_values("agents", ascending=False, kind="stable")
    together = together.drop_duplicates(["task", "variant", "algorithm"])
    if together.empty:
        raise ValueError("The tables hold no result that can be used.")
    return together.sort_values(["task", "variant", "algorithm"], ignore_index=True)


def recommend(conditions: Conditions, results: pd.DataFrame, seed: int = 0) -> Recommendation:
    """Rank objectives by their results on benches with such data.

    Each bench's weight falls with its distance from the estimated conditions. Benches of several
    tasks count alike. An objective that the near benches have not measured is left out.

    Args:
        conditions: the conditions of `conditions.estimate`.
        results: the results of `evidence`.
        seed: the seed of the draws behind the probabilities.
    """
    cells = results.groupby(["task", "variant"], as_index=False)[["noise", "near_equal"]].first()
    scores = results.pivot_table(
        index="algorithm", columns=["task", "variant"], values="normalised"
    ).reindex(columns=pd.MultiIndex.from_frame(cells[["task", "variant"]]))
    errors = results.pivot_table(
        index="algorithm", columns=["task", "variant"], values="normalised_error", dropna=False
    ).reindex(index=scores.index, columns=scores.columns)
    known = scores.notna().to_numpy()
    mean = np.nan_to_num(scores.to_numpy())
    spread = np.nan_to_num(errors.to_numpy())

    noise, near = cells.noise.to_numpy(), cells.near_equal.to_numpy()
    weights = _weights(np.array([conditions.noise.rate]), conditions.near_equal, noise, near)[0]
    covered = known @ weights
    kept = np.flatnonzero(covered >= _LEAST_COVERED)
    draw = np.random.default_rng(seed)
    rates = draw.choice(conditions.noise.samples, DRAWS)
    near_drawn = conditions.near_equal + 0.5 * NEAR_WIDTH * draw.standard_normal(DRAWS)
    names, task = np.unique(cells.task, return_inverse=True)
    times = draw.multinomial(len(names), np.full(len(names), 1 / len(names)), DRAWS)[:, task]
    drawn_weights = _weights(rates, near_drawn, noise, near, times)
    wins = np.zeros(len(kept))
    for row in drawn_weights:
        drawn = mean[kept] + spread[kept] * draw.standard_normal(spread[kept].shape)
        held = known[kept] * row
        share = held.sum(1)
        average = (drawn * held).sum(1) / np.maximum(share, 1e-12)
        wins[int(np.argmax(np.where(share > 0, average, -np.inf)))] += 1
    ranking = []
    for position, index in enumerate(kept):
        share = known[index] * weights / covered[index]
        figures = [
            (
                str(cells.task[at]),
                str(cells.variant[at]),
                float(mean[index, at]),
                float(spread[index, at]),
                int(_agents(results, cells.task[at], cells.variant[at], scores.index[index])),
                float(share[at]),
            )
            for at in np.argsort(-share)
            if share[at] >= 0.05
        ]
        ranking.append(
            Advice(
                str(scores.index[index]),
                float(share @ mean[index]),
                float(math.sqrt(float(share**2 @ spread[index] ** 2))),
                float(wins[position] / DRAWS),
                tuple(figures),
            )
        )
    ranking.sort(key=lambda advice: -advice.score)
    distances = _distance(conditions.noise.rate, conditions.near_equal, noise, near)
    nearest = int(np.argmin(distances))
    return Recommendation(
        tuple(ranking),
        (str(cells.task[nearest]), str(cells.variant[nearest])),
        float(distances[nearest]),
        tuple(sorted(map(str, cells.task.unique()))),
    )


def _distance(
    rate: float | np.ndarray, share: float | np.ndarray, noise: np.ndarray, near: np.ndarray
) -> np.ndarray:
    return np.hypot((noise - rate) / NOISE_WIDTH, (near - share) / NEAR_WIDTH)


def _weights(
    rates: np.ndarray,
    shares: float | np.ndarray,
    noise: np.ndarray,
    near: np.ndarray,
    times: np.ndarray | float = 1.0,
) -> np.ndarray:
    """Shape (draws, benches), each bench taken so many `times`; each row sums to 1."""
    shares = np.broadcast_to(shares, rates.shape)
    distance = _distance(rates[:, None], shares[:, None], noise, near)
    far = np.where(times > 0, distance**2, np.inf)
    # Relative to the nearest, so that far data do not underflow.
    closeness = times * np.exp(-0.5 * (far - far.min(axis=1, keepdims=True)))
    return closeness / closeness.sum(axis=1, keepdims=True)


def _agents(results: pd.DataFrame, task: str, variant: str, algorithm: str) -> int:
    found = results[
        (results.task == task) & (results.variant == variant) & (results.algorithm == algorithm)
    ]
    return int(found.agents.iloc[0]) if len(found) else 0
