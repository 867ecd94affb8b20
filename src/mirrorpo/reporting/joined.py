"""Benches of one protocol on one task as one table, to stand beside the paper's.

The losses and columns of the paper's table are often measured by several runs. Runs whose agents
were trained and scored alike are joined, whatever losses and columns each of them holds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from mirrorpo.reporting import comparison, paper
from mirrorpo.reporting.paper import RESULTS
from mirrorpo.study import statistics
from mirrorpo.study.phases import FINAL
from mirrorpo.study.statistics import Concordance, RankAgreement
from mirrorpo.study.tables import SourceAgent

PRINTED = {"cpo[sft_weight=1]": "cpo", "ta-mpo": "ta-mpo[schedule=linear]"}
"""Names of losses that are the paper's as it prints them -> the name of its row."""

_ALIKE = (
    *("task", "protocol", "rows", "epochs", "minibatch", "learning_rate", "schedule", "anneal"),
    *("reset_optimiser", "single_stage", "time_steps", "std", "backend"),
    *("better", "worse", "start", "start_from", "hidden"),
)
"""Settings that decide what a trained agent earns. How many there are, and how they were tuned,
does not keep runs apart."""


class ScoredSources(NamedTuple):
    """The source agents of a run, as it measured them."""

    better: SourceAgent
    worse: SourceAgent


class Repeated(NamedTuple):
    """A loss that two joined runs have in one column: which run is taken, and which is not."""

    variant: str
    algorithm: str
    taken: str
    left_out: str


@dataclass(frozen=True)
class JoinedRuns:
    """Benches of one protocol on one task.

    Attributes:
        names: the runs' names, in the order given.
        task: the paper's task.
        protocol: what the runs call their protocol; None in version 0.1.0.
        sources: the source agents of each run, by its name.
        agents: final agents with the paper's names of losses. All agents of one loss and column
            are from one run, which the column `run` names.
        repeated: what more than one run has; the first named run is taken.
    """

    names: tuple[str, ...]
    task: str
    protocol: str | None
    sources: Mapping[str, ScoredSources]
    agents: pd.DataFrame
    repeated: tuple[Repeated, ...]

    @property
    def title(self) -> str:
        """Protocol, task and runs in a few words."""
        more = f" + {len(self.names) - 1}" if len(self.names) > 1 else ""
        return f"{self.protocol or 'no protocol'}, {self.task}: {self.names[0]}{more}"

    @property
    def variants(self) -> list[str]:
        """The paper's columns in which both have a loss, in the paper's order."""
        return [name for name in RESULTS[self.task].scores if not self.column(name).empty]

    def column(self, variant: str) -> pd.DataFrame:
        """Agents of one column, of the losses that the paper has there."""
        theirs = RESULTS[self.task].scores.get(variant, {})
        rows = self.agents[self.agents["variant"] == variant]
        return rows[rows["algorithm"].isin(list(theirs))]

    def sources_of(self, variant: str, algorithm: str | None = None) -> ScoredSources:
        """The source agents of the run that has a loss in a column; without one, its first loss."""
        rows = self.column(variant)
        if algorithm is not None:
            rows = rows[rows["algorithm"] == algorithm]
        return self.sources[rows["run"].iloc[0]]


def join(
    runs: Sequence[tuple[str, Path]], under: Mapping[str, str] | None = None
) -> list[JoinedRuns]:
    """Join the runs that were trained and scored alike, in the order of their first runs.

    Args:
        runs: the name and folder of each bench, finished or not. Cells that do not have all their
            agents yet are left out.
        under: run's name -> the name of a protocol: runs on one task that have one name here are
            joined under it, though they may say the same in different settings.

    Raises:
        ValueError: a folder holds no bench, or none on a task of the paper, or its source agents
            are not scored yet.
    """
    named = under or {}
    groups: dict[tuple[str, ...], list[tuple[str, comparison.RunParts]]] = {}
    for name, folder in runs:
        run = comparison.read_parts(folder)
        if run.settings["task"] not in RESULTS:
            known = ", ".join(sorted(RESULTS))
            raise ValueError(f"{name}: the paper has no results on its task; it has {known}.")
        if len(run.sources) != 2:
            raise ValueError(f"{name} has not scored its source agents yet; resume it first.")
        key = _key(run.settings)
        if name in named:
            run = replace(run, settings={**run.settings, "protocol": named[name]})
            key = (named[name], run.settings["task"])
        groups.setdefault(key, []).append((name, run))
    return [_joined(group) for group in groups.values()]


def _key(settings: Mapping[str, Any]) -> tuple[str, ...]:
    # Before runs named their actions they said whether these were deterministic.
    actions = settings.get("actions") or ("mean" if settings.get("deterministic") else "sampled")
    return (actions, *(repr(settings.get(name)) for name in _ALIKE))


def _joined(group: Sequence[tuple[str, comparison.RunParts]]) -> JoinedRuns:
    taken: dict[tuple[str, str], str] = {}
    repeated, frames = [], []
    for name, run in group:
        final = run.agents[run.agents["phase"] == FINAL]
        cells = {
            cell: rows
            for cell, rows in final.groupby(["variant", "algorithm"], sort=False)
            if len(rows) >= run.settings.get("seeds", 0)
        }
        # Where one run has a loss both as the paper prints it and tuned, the printed one counts.
        for variant, algorithm in sorted(cells, key=lambda cell: cell[1] not in PRINTED):
            row = (variant, PRINTED.get(algorithm, algorithm))
            if row not in taken:
                taken[row] = name
                frames.append(cells[variant, algorithm].assign(algorithm=row[1], run=name))
            elif taken[row] != name:
                repeated.append(Repeated(*row, taken[row], name))
    _, run = group[0]
    agents = pd.concat(frames, ignore_index=True) if frames else run.agents.assign(run="")[:0]
    return JoinedRuns(
        tuple(name for name, _ in group),
        run.settings["task"],
        run.settings.get("protocol"),
        {name: ScoredSources(*run.sources) for name, run in group},
        agents,
        tuple(repeated),
    )


class Agreement(NamedTuple):
    """How far the order of losses in one column is the paper's."""

    variant: str
    ranks: RankAgreement
    pairs: Concordance


def agreements(joined: JoinedRuns) -> Iterator[Agreement]:
    """The agreement with the paper in each column that both have, over the losses in common."""
    for variant in joined.variants:
        ours, theirs = joined.column(variant), paper.table(joined.task, variant)
        yield Agreement(
            variant, statistics.rank_agreement(ours, theirs), statistics.concordance(ours, theirs)
        )
