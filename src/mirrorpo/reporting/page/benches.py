"""A bench, of robots or of language models, as the page shows it.

It shows leaderboard, every seed, training curves, the paper and the cost.
"""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from mirrorpo.language.text_task.settings import logging_steps
from mirrorpo.preferences.facts import Facts, recall
from mirrorpo.reporting import comparison
from mirrorpo.reporting.page import quantities, reviews
from mirrorpo.reporting.page.folders import Folder
from mirrorpo.reporting.page.quantities import Quantities
from mirrorpo.reporting.paper import RESULTS
from mirrorpo.study import statistics, table_notes
from mirrorpo.study.phases import FINAL
from mirrorpo.study.tables import Cell
from mirrorpo.text_tasks import TEXT_TASKS

LOST = 2.0


@dataclass(frozen=True)
class Standing:
    """One row of the leaderboard: an algorithm on a variant in one run.

    A number is NaN or None where it is not known.

    Attributes:
        run: name of the run.
        task: the task of the run.
        variant: the variant of the data.
        algorithm: as the user named it.
        cell: what it scored.
        normalised: 0 at the worse source agent's mean return, 1 at the better's.
        normalised_error: the mean's standard error on that scale. The source agents' own errors,
            which all rows of a run share, are not in it: they do not move one row against another.
        rank: among the run's algorithms on the variant, 1 is the best; None if one diverged.
        paper: the paper's mean and standard error; None where it has none.
        wanted: agents that the run was asked for.
        ranks: our rank and the paper's among the algorithms that both have, and their number.
        decimals: the decimals of its scores.
    """

    run: str
    task: str
    variant: str
    algorithm: str
    cell: Cell
    normalised: float
    normalised_error: float
    rank: int | None
    paper: tuple[float, float] | None
    wanted: int
    ranks: tuple[int, int, int] | None
    decimals: int

    @property
    def hyperparameters(self) -> str:
        """As ``name=value, ...``."""
        return hyperparameters_words(self.cell.hyperparameters)


@dataclass(frozen=True)
class BenchPart:
    """One bench of the page.

    Attributes:
        folder: the folder of the run.
        run: its table and agents.
        curves: mean over a cell's final agents by (variant, algorithm): name -> one value
            per epoch.
        stages: the stages of each epoch, by algorithm; empty where the log has none.
        finished: whether the bench has ended.
        expected: final agents that it was asked for.
    """

    folder: Folder
    run: comparison.BenchRun
    curves: Mapping[tuple[str, str], Mapping[str, list[float]]]
    stages: Mapping[str, list[str]]
    finished: bool
    expected: int

    @property
    def task(self) -> str:
        """The name of the task."""
        return str(self.run.settings["task"])

    @property
    def quantities(self) -> Quantities:
        """What it measures."""
        table = self.run.table
        return replace(
            quantities.of_task(self.task), score=table.scored_by, decimals=table.decimals
        )

    @property
    def curve_titles(self) -> list[tuple[str, str]]:
        """(name, title) of the training curves that any cell has."""
        found = {name for of_cell in self.curves.values() for name in of_cell}
        return [(name, title) for name, title in self.quantities.curves if name in found]

    @property
    def curve_step(self) -> int:
        """How far apart the points of a training curve are: epochs, or optimiser steps."""
        if self.task not in TEXT_TASKS:
            return 1
        return logging_steps(int(self.run.settings["steps"]))

    @cached_property
    def final(self) -> pd.DataFrame:
        """The reported agents."""
        return self.run.agents[self.run.agents.phase == FINAL]

    def shown_from(self, variant: str) -> float | None:
        """Where a chart of a variant's agents begins: a little below the lowest that is not lost.

        An agent is lost if its score is below the worse source agent's by more than `LOST` times
        what the better has more. A few of them would press all others together. None where no
        agent is lost.
        """
        return self._shown_from[variant]

    def _first_shown(self, variant: str) -> float | None:
        sources = [source.mean for source in self.run.table.sources]
        scores = self.final[self.final.variant == variant].return_mean.dropna().to_numpy()
        if len(sources) != 2 or not np.isfinite(sources).all():
            return None
        kept = scores[scores >= min(sources) - LOST * abs(sources[0] - sources[1])]
        if len(kept) == len(scores):
            return None
        values = np.concatenate([kept, sources])
        return float(values.min() - 0.25 * (values.max() - values.min()))

    @cached_property
    def _shown_from(self) -> dict[str, float | None]:
        return {variant: self._first_shown(variant) for variant in self.run.table.variants}

    def is_lost(self, algorithm: str, variant: str) -> bool:
        """Whether the mean of a cell lies below what `shown_from` says."""
        low, cell = self.shown_from(variant), self.run.table.cells.get((algorithm, variant))
        return low is not None and cell is not None and cell.summary.mean < low

    @property
    def diverged(self) -> int:
        """Reported agents that diverged."""
        return int(self.final.diverged.sum())

    @property
    def seconds(self) -> float:
        """Wall time of training and evaluation, all agents together."""
        return float(self.run.agents.train_seconds.sum() + self.run.agents.evaluate_seconds.sum())

    @property
    def environment_steps(self) -> int | None:
        """The most that evaluation can have taken: episodes may end early.

        It is None of a language model.
        """
        if self.task in TEXT_TASKS:
            return None
        episodes = int(self.run.agents.episodes.sum())
        along = self.run.settings.get("curve_episodes") or 0
        episodes += len(self.final) * int(self.run.settings["epochs"]) * along
        return episodes * quantities.EPISODE_LENGTH

    @property
    def facts(self) -> list[Facts]:
        """Facts of the run's data, one per variant; none where the run wrote none."""
        return recall(self.folder.path)

    @property
    def measured(self) -> list[reviews.MeasuredTexts]:
        """What was measured of language models beside their reward; nothing on robots."""
        if self.task not in TEXT_TASKS:
            return []
        return reviews.measured(self.folder, self.run.table, self.final)

    @property
    def notes(self) -> list[str]:
        """What the errors contain, and whether the best row of each variant really leads."""
        return [table_notes.errors(self.run.table), *table_notes.leaders(self.run.table)]

    def has(self, variant: str) -> bool:
        """Whether any reported agent was trained on a variant."""
        return any(of == variant for _, of in self.run.table.cells)

    def compared(self) -> list[comparison.ComparedVariant]:
        """The variants where both have an algorithm; none before the source agents are scored."""
        return [column for column in self.run.columns if column.common]


def read(folder: Folder) -> BenchPart:
    """A bench, finished or not.

    Raises:
        ValueError: as `comparison.read`.
    """
    run = comparison.read(folder.path)
    names = [name for name, _ in quantities.of_task(str(run.settings["task"])).curves]
    gathered: dict[tuple[str, str], dict[str, list[list[float]]]] = {}
    stages: dict[str, list[str]] = {}
    for record, curves in run.lines:
        if record.phase != FINAL:
            continue
        stages[record.algorithm] = list(curves.get("stage", ()))
        of_cell = gathered.setdefault((record.variant, record.algorithm), defaultdict(list))
        for name in names:
            if name in curves:
                of_cell[name].append(
                    [math.nan if value is None else value for value in curves[name]]
                )
    settings = run.settings
    return BenchPart(
        folder,
        replace(run, lines=()),  # the curves below are all that is shown of them
        {
            cell: {name: _mean_of_finite(rows) for name, rows in of_cell.items()}
            for cell, of_cell in gathered.items()
        },
        stages,
        (folder.path / "results.csv").is_file(),
        len(settings["algorithms"]) * len(settings["variants"]) * int(settings.get("seeds", 0)),
    )


def places(part: BenchPart) -> list[Standing]:
    """The leaderboard's rows: by variant, and then the highest mean first."""
    table = part.run.table
    paper = RESULTS[part.task].scores if part.task in RESULTS else {}
    found = []
    for variant in table.variants:
        ran = {
            name: table.cells[name, variant]
            for name in table.algorithms
            if (name, variant) in table.cells
        }
        means = {
            name: cell.summary.mean
            for name, cell in ran.items()
            if math.isfinite(cell.summary.mean)
        }
        theirs = {name: score[0] for name, score in paper.get(variant, {}).items()}
        common = [name for name in means if name in theirs]
        ours = _ranks({name: means[name] for name in common})
        papers = _ranks({name: theirs[name] for name in common})
        ranks = _ranks(means)
        for name in sorted(ran, key=lambda name: -means.get(name, -math.inf)):
            found.append(
                Standing(
                    part.folder.name,
                    part.task,
                    variant,
                    name,
                    ran[name],
                    *_normalised(part, ran[name]),
                    ranks.get(name),
                    paper.get(variant, {}).get(name),
                    int(part.run.settings.get("seeds", 0)),
                    (ours[name], papers[name], len(common)) if name in ours else None,
                    table.decimals,
                )
            )
    return found


def hyperparameters_words(text: str) -> str:
    """A cell's hyper-parameters, JSON text, as ``name=value, ...``."""
    return text.strip("{}").replace('"', "").replace(": ", "=")


def _normalised(part: BenchPart, cell: Cell) -> tuple[float, float]:
    """A cell's mean and its standard error on the scale of the source agents."""
    if len(part.run.table.sources) != 2:
        return math.nan, math.nan
    better, worse = (source.mean for source in part.run.table.sources)
    if not better > worse:
        return math.nan, math.nan
    score, error = cell.summary.mean, cell.summary.standard_error
    return (
        float(statistics.normalised_score(score, worse, better)),
        float(statistics.normalised_error(score, error, worse, better)),
    )


def _ranks(means: Mapping[str, float]) -> dict[str, int]:
    """1 for the highest; equal scores share the better rank."""
    return {name: 1 + sum(other > mean for other in means.values()) for name, mean in means.items()}


def _mean_of_finite(rows: list[list[float]]) -> list[float]:
    """Mean over agents at each epoch, of those whose value is finite; NaN where none is."""
    values = np.array(rows, np.float64)
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    count = known.sum(axis=0)
    return [float(t / c) if c else math.nan for t, c in zip(total, count, strict=True)]
