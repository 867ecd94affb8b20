"""What was measured: the scores of objectives on data of known faults, as cells of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from mirrorpo import bounded, standard_error
from mirrorpo.objectives import naming
from mirrorpo.resampling import agents_sample
from mirrorpo.variants import MixedQuality, Noisy, parse

MIXED_NEAR_EQUAL = 0.5
"""Share of a mixed-quality dataset's pairs whose sequences come from one agent."""

AGENTS_COLUMNS = (
    "task",
    "variant",
    "noise",
    "near_equal",
    "pairs",
    "algorithm",
    "text",
    "seed",
    "data_draw",
    "score",
    "run",
)
"""Columns of a table of agents, see `of_agents`."""

Redraw = Callable[[int, np.random.Generator], np.ndarray]


class EvidenceCell(NamedTuple):
    """One kind of data.

    Attributes:
        task: the robot, or the task on texts.
        variant: the faults of the data.
        noise: the rate of labels flipped on purpose, in [0, 0.5).
        near_equal: share of pairs whose two sequences come from one agent.
        pairs: their number; None where it is not known.
    """

    task: str
    variant: str
    noise: float
    near_equal: float
    pairs: int | None


@dataclass(frozen=True, eq=False)
class Evidence:
    """Scores by cell and objective; 0 is the worse source agent's return, 1 the better one's.

    Attributes:
        cells: the rows.
        algorithms: the columns.
        mean: shape (cells, algorithms); NaN where an objective was not measured.
        error: standard error of the mean over agents and data draws, shape (cells, algorithms); NaN
            where an objective was not measured.
        agents: how many agents were scored, shape (cells, algorithms), int.
        texts: what `mirrorpo.objective` takes for what was measured, its hyper-parameters
            included, shape (cells, algorithms), object.
        redraw: (resamples, source of chance) -> the means with agents and data draws drawn anew,
            shape (resamples, cells, algorithms).
    """

    cells: tuple[EvidenceCell, ...]
    algorithms: tuple[str, ...]
    mean: np.ndarray
    error: np.ndarray
    agents: np.ndarray
    texts: np.ndarray
    redraw: Redraw

    @property
    def known(self) -> np.ndarray:
        """Where an objective was measured, shape (cells, algorithms), bool."""
        return np.isfinite(self.mean)

    def only(self, cells: Sequence[int], algorithms: Sequence[int]) -> Evidence:
        """The part of some cells and objectives, by their positions."""
        at = np.ix_(cells, algorithms)

        def redraw(resamples: int, rng: np.random.Generator) -> np.ndarray:
            return self.redraw(resamples, rng)[:, at[0], at[1]]

        return replace(
            self,
            cells=tuple(self.cells[i] for i in cells),
            algorithms=tuple(self.algorithms[i] for i in algorithms),
            mean=self.mean[at],
            error=self.error[at],
            agents=self.agents[at],
            texts=self.texts[at],
            redraw=redraw,
        )


def of_agents(frame: pd.DataFrame) -> Evidence:
    """Evidence from one row per trained agent.

    A diverged agent, whose score is NaN, counts as much as the lowest agent of its cell.

    Args:
        frame: with the columns `AGENTS_COLUMNS`.
    """
    frame = frame.copy()
    key = ["task", "variant", "pairs"]
    frame["score"] = frame["score"].fillna(frame.groupby(key)["score"].transform("min"))
    cells = tuple(
        EvidenceCell(row.task, row.variant, float(row.noise), float(row.near_equal), int(row.pairs))
        for row in frame.drop_duplicates(key).sort_values(key).itertuples()
    )
    algorithms = tuple(sorted(map(str, frame["algorithm"].unique())))
    empty = _empty(cells, algorithms)
    scores: list[dict[int, pd.Series]] = []
    by_cell = dict(iter(frame.groupby(key)))
    for place, cell in enumerate(cells):
        here = by_cell[cell.task, cell.variant, cell.pairs]
        scores.append({})
        for name, rows in here.groupby("algorithm"):
            at = algorithms.index(str(name))
            found = rows.set_index(["data_draw", "seed"])["score"].sort_index()
            draws = found.index.get_level_values(0)
            empty.mean[place, at], empty.error[place, at] = standard_error.mean_and_error(
                found, draws
            )
            empty.agents[place, at] = len(found)
            empty.texts[place, at] = str(rows["text"].iloc[0])
            scores[place][at] = found

    def redraw(resamples: int, rng: np.random.Generator) -> np.ndarray:
        drawn = np.full((resamples, len(cells), len(algorithms)), np.nan)
        for place, of_cell in enumerate(scores):
            # The losses of a cell share their data draws and seeds, so they are drawn together.
            shared: dict[tuple[object, ...], np.ndarray] = {}
            for at, found in of_cell.items():
                agents = tuple(found.index)
                if agents not in shared:
                    draws = found.index.get_level_values(0).to_numpy()
                    shared[agents] = agents_sample(draws, resamples, rng)
                drawn[:, place, at] = found.to_numpy()[shared[agents]].mean(axis=1)
        return drawn

    return replace(empty, redraw=redraw)


def of_table(frame: pd.DataFrame) -> Evidence:
    """Evidence from a table of results that `mirrorpo report` writes.

    The table has one row per cell and objective.

    Means are redrawn from the normal distribution of their standard error. Variants with other
    faults than noise and mixed quality are left out: what rate of wrong labels a bad judge makes
    depends on the pair. So are algorithms with fixed values or files of a user's, diverged ones,
    and those of one agent, whose error is not known: as none it would make them sure.

    Args:
        frame: with the columns task, variant, algorithm, agents, normalised and normalised_error;
            the column hyperparameters is used if it is there.

    Raises:
        ValueError: nothing in it is usable, or a variant is unknown.
    """
    known = [
        all(isinstance(fault, (MixedQuality, Noisy)) for fault in parse(text).faults)
        for text in frame.variant
    ]
    usable = (
        np.isfinite(frame.normalised)
        & np.isfinite(frame.normalised_error)
        & np.array(known, dtype=bool)
        & ~frame.algorithm.str.contains(r"[\[/.]", regex=True)
    )
    kept = frame[usable].sort_values("agents", ascending=False, kind="stable")
    kept = kept.drop_duplicates(["task", "variant", "algorithm"])
    if kept.empty:
        raise ValueError(
            "The tables hold no result that can be used: one needs two agents or more, none of "
            "them diverged, and an objective's plain name."
        )
    places = sorted(set(kept[["task", "variant"]].itertuples(index=False, name=None)))
    cells = []
    for task, variant in places:
        faults = parse(variant)
        near = MIXED_NEAR_EQUAL if faults.mixed else 0.0
        cells.append(EvidenceCell(task, variant, faults.noise, near, None))
    algorithms = tuple(sorted(map(str, kept.algorithm.unique())))
    empty = _empty(tuple(cells), algorithms)
    for row in kept.itertuples():
        at = places.index((row.task, row.variant)), algorithms.index(row.algorithm)
        empty.mean[at] = row.normalised
        empty.error[at] = row.normalised_error
        empty.agents[at] = int(row.agents)
        empty.texts[at] = _of_json(row.algorithm, getattr(row, "hyperparameters", None))
    error = np.nan_to_num(empty.error)  # of what was not measured

    def redraw(resamples: int, rng: np.random.Generator) -> np.ndarray:
        return empty.mean + error * rng.standard_normal((resamples, *error.shape))

    return replace(empty, redraw=redraw)


def _of_json(algorithm: str, text: object) -> str:
    if not isinstance(text, str):
        return algorithm
    values = bounded.parse_json(text)
    return naming.with_values(algorithm, values if isinstance(values, dict) else {})


def _empty(cells: tuple[EvidenceCell, ...], algorithms: tuple[str, ...]) -> Evidence:
    shape = len(cells), len(algorithms)
    nothing = np.full(shape, np.nan)
    texts = np.full(shape, "", dtype=object)
    return Evidence(
        cells,
        algorithms,
        nothing,
        nothing.copy(),
        np.zeros(shape, int),
        texts,
        lambda resamples, rng: np.broadcast_to(nothing, (resamples, *shape)),
    )
