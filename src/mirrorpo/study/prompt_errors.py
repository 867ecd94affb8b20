"""The table of a bench on texts with errors that hold for new prompts and new agents."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from mirrorpo.standard_error import of_mean
from mirrorpo.study import samples
from mirrorpo.study.samples import PromptRewards
from mirrorpo.study.statistics import holm
from mirrorpo.study.statistics.best import LEVEL
from mirrorpo.study.statistics.crossed import Crossed, crossed
from mirrorpo.study.tables import Cell, ResultTable
from mirrorpo.text_tasks import TEXT_TASKS

TITLE = "Mean reward, with errors over agents and prompts"
COLUMNS = (
    "prompts",
    "crossed_error",
    "crossed_low",
    "crossed_high",
    "crossed_behind_error",
    "crossed_p_value",
    "crossed_corrected_p",
)
"""Columns of summary.csv: see `CellErrors`."""


@dataclass(frozen=True)
class CellErrors:
    """The errors of one cell of a table, over agents and prompts.

    Attributes:
        own: mean, error and interval of the cell.
        behind: the same of its distance to the best of its variant, on the same prompts and on
            agents of the same data draw and seed; None for the best itself, or without such agents.
        corrected_p: the p value of `behind`, corrected by Holm; NaN where there is none.
    """

    own: Crossed
    behind: Crossed | None
    corrected_p: float

    @property
    def is_worse(self) -> bool:
        """Whether it is found worse than the best."""
        return self.behind is not None and self.corrected_p < LEVEL and self.behind.mean > 0


@dataclass(frozen=True)
class PromptErrors:
    """What is known of the errors over prompts of a bench.

    Attributes:
        cells: by (algorithm, variant); none where samples are missing.
        table: the bench's table, with these errors in place of those over agents; None where
            samples are missing.
        note: what the errors contain, or why there are none; empty of a bench on robots.
    """

    cells: Mapping[tuple[str, str], CellErrors]
    table: ResultTable | None
    note: str


def of(out: Path, table: ResultTable, frame: pd.DataFrame) -> PromptErrors:
    """The errors over agents and prompts of a bench on texts, from what its agents wrote.

    Args:
        out: folder of the bench.
        table: the table of its scores.
        frame: one row per trained agent, of `BenchLog.frame`.
    """
    if table.task not in TEXT_TASKS or not table.cells:
        return PromptErrors({}, None, "")
    try:
        rewards = samples.read(out, frame)
    except ValueError as error:
        return PromptErrors(
            {}, None, f"No error here holds for new prompts, which needs every text: {error}"
        )
    cells: dict[tuple[str, str], CellErrors] = {}
    for variant in table.variants:
        names = [one for one in table.algorithms if _has_number(table, one, variant)]
        cells |= {
            (name, variant): found for name, found in _column(rewards, variant, names).items()
        }
    return PromptErrors(cells, _with_errors(table, cells, rewards), _note(rewards))


def with_columns(summary: pd.DataFrame, found: PromptErrors) -> pd.DataFrame:
    """The summary of a bench with `COLUMNS`, where there are such errors."""
    if found.table is None:
        return summary
    rows = []
    for key in zip(summary["algorithm"], summary["variant"], strict=True):
        cell = found.cells.get(key)
        if cell is None:
            rows.append([math.nan] * len(COLUMNS))
            continue
        own, behind = cell.own, cell.behind
        tested = [behind.standard_error, behind.p_value] if behind else [math.nan] * 2
        rows.append([own.prompts, own.standard_error, own.low, own.high, *tested, cell.corrected_p])
    return summary.join(pd.DataFrame(rows, columns=list(COLUMNS), index=summary.index))


def _has_number(table: ResultTable, algorithm: str, variant: str) -> bool:
    cell = table.cells.get((algorithm, variant))
    return cell is not None and not math.isnan(cell.summary.mean)


def _column(rewards: PromptRewards, variant: str, names: list[str]) -> dict[str, CellErrors]:
    """The cells of one variant."""
    scores = {name: rewards.agents.loc[(variant, name)] for name in names}
    own = {name: _crossed(found, rewards) for name, found in scores.items()}
    if not own:
        return {}
    best = max(own, key=lambda name: own[name].mean)
    behind: dict[str, Crossed | None] = dict.fromkeys(names)
    for name in names:
        common = scores[best].index.intersection(scores[name].index)
        if name != best and len(common):
            behind[name] = _crossed(scores[best].loc[common] - scores[name].loc[common], rewards)
    p_values = {name: math.nan if one is None else one.p_value for name, one in behind.items()}
    corrected = holm(pd.Series(p_values, dtype=float))
    return {name: CellErrors(own[name], behind[name], float(corrected[name])) for name in names}


def _crossed(scores: pd.DataFrame, rewards: PromptRewards) -> Crossed:
    ordered = scores.sort_index()
    draws = ordered.index.get_level_values("data_draw").to_numpy()
    return crossed(ordered.to_numpy(), draws, rewards.weights)


def _with_errors(
    table: ResultTable, cells: Mapping[tuple[str, str], CellErrors], rewards: PromptRewards
) -> ResultTable:
    changed = {
        key: _cell(cell, cells[key]) if key in cells else cell for key, cell in table.cells.items()
    }
    of_sources = dict(zip((samples.TARGET, samples.ORIGINAL), table.sources, strict=False))
    sources = tuple(
        source._replace(standard_error=_over_prompts(rewards, name))
        for name, source in of_sources.items()
    )
    return replace(table, cells=changed, sources=sources, leaders={})


def _cell(cell: Cell, found: CellErrors) -> Cell:
    behind = found.behind
    return replace(
        cell,
        summary=replace(cell.summary, standard_error=found.own.standard_error),
        behind_error=math.nan if behind is None else behind.standard_error,
        p_value=math.nan if behind is None else behind.p_value,
        corrected_p=found.corrected_p,
        best=not found.is_worse,
    )


def _over_prompts(rewards: PromptRewards, source: str) -> float:
    """Standard error of a source's mean over prompts, each of which counts by its continuations."""
    own = rewards.sources.loc[source].to_numpy(float)
    share = rewards.weights / rewards.weights.mean()
    mean = float((share * own).mean())
    return of_mean(mean + share * (own - mean))


def _note(rewards: PromptRewards) -> str:
    return (
        f"Errors over agents and prompts: the same {len(rewards.weights)} prompts were put to all "
        "agents, and this error holds for new prompts and new agents. Bold there: not found worse "
        "than the best by it, on common prompts, data draws and seeds (5 %, corrected by Holm)."
    )
