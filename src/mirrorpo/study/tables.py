"""The table of a bench in the paper's layout: algorithms by variants, source agents on top."""

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from rich.table import Table as RichTable
from rich.text import Text

from mirrorpo import digits, plain_text
from mirrorpo.divergence import Diverged
from mirrorpo.study import statistics
from mirrorpo.study.measures import AGREEMENT, MEASURE, OWN_REWARD, RETURN, REWARD
from mirrorpo.study.phases import FINAL
from mirrorpo.study.statistics import BestOf, Summary
from mirrorpo.text_tasks import TEXT, TEXT_TASKS

NOT_RUN = "\N{EN DASH}"

Measure = Literal["mean", "iqm"]

_USED = ("task", "variant", "algorithm", "phase", "hyperparameters", "seed", "diverged")
_TESTED = ("behind", "behind_error", "p_value", "corrected_p", "best")
_FRAME_COLUMNS = (
    "variant",
    "algorithm",
    "agents",
    "draws",
    "diverged",
    "mean",
    "standard_error",
    "error_over",
    "iqm",
    "iqm_low",
    "iqm_high",
    *_TESTED,
    "hyperparameters",
)


class SourceAgent(NamedTuple):
    """A source agent's true return on the task: a row to compare with."""

    label: str
    mean: float
    standard_error: float


@dataclass(frozen=True)
class Cell:
    """What one algorithm scored on one variant.

    Attributes:
        summary: the summary of its agents.
        hyperparameters: the hyper-parameters of its agents, as JSON text.
        behind: mean of the best of the variant minus this one's, over the agents that both have of
            a data draw and seed; 0 for the best itself.
        behind_error: standard error of `behind`.
        p_value: the p value of a paired t-test of `behind`; NaN for the best and where there is no
            test.
        corrected_p: the same, corrected for the number of algorithms compared with the best.
        best: whether it is the best, or not found worse: `corrected_p` is not below 5 %.
        best_iqm: the same of the interquartile mean, by a permutation test; false for all where
            there are too few agents for it to find any worse.
    """

    summary: Summary
    hyperparameters: str
    behind: float
    behind_error: float
    p_value: float
    corrected_p: float
    best: bool
    best_iqm: bool

    def is_best(self, measure: Measure) -> bool:
        """Whether the cell is not found worse than its column's best."""
        return self.best if measure == "mean" else self.best_iqm

    def text(self, measure: Measure, decimals: int = 0) -> str:
        """The cell's text: "2049 ± 13", "2051 [2020, 2080]" or "diverged 3/25"."""
        found = self.summary
        if found.diverged:
            return f"diverged {found.diverged}/{found.agents}"
        if measure == "mean":
            return mean_text(found.mean, found.standard_error, decimals)
        low, high = _number(found.iqm_low, decimals), _number(found.iqm_high, decimals)
        return f"{_number(found.iqm, decimals)} [{low}, {high}]"


@dataclass(frozen=True)
class ResultTable:
    """What every rendering shows.

    Attributes:
        task: on which all agents were scored.
        algorithms: the rows, in order.
        variants: the columns, in order.
        sources: the rows above.
        cells: by (algorithm, variant); one that has not run is missing.
        leaders: by variant, whether the best algorithm is better than the next; missing where
            fewer than two have a number.
        scored_by: what the numbers are.
    """

    task: str
    algorithms: tuple[str, ...]
    variants: tuple[str, ...]
    sources: tuple[SourceAgent, ...]
    cells: dict[tuple[str, str], Cell]
    leaders: dict[str, BestOf] = field(default_factory=dict)
    scored_by: str = RETURN

    @property
    def decimals(self) -> int:
        """Digits after the point that its numbers are worth."""
        if self.scored_by in (OWN_REWARD, RETURN):  # a robot of the user's has a unit of its own
            means = [source.mean for source in self.sources]
            means += [cell.summary.mean for cell in self.cells.values()]
            return digits.after_point(means)
        return 1 if self.scored_by == REWARD else 0


def build(
    results: pd.DataFrame,
    task: str,
    algorithms: Sequence[str],
    variants: Sequence[str],
    sources: Iterable[tuple[str, float, float]] = (),
) -> ResultTable:
    """The table of one task.

    Args:
        results: one row per trained agent, with columns task, variant, algorithm, phase,
            hyperparameters (JSON text), seed, score or return_mean (NaN if it diverged), diverged
            and, where there are several data draws, data_draw. Only rows of `task` and of phase
            "final" count.
        task: name of the task.
        algorithms: the rows, in order; results of others are left out.
        variants: the columns, in order; results of others are left out.
        sources: (label, mean true return, its standard error) of each source agent.

    Raises:
        ValueError: a column is missing; a cell holds a seed of one data draw twice, or agents of
            several hyper-parameter settings, whose mean would stand for neither.
    """
    missing = [name for name in _USED if name not in results.columns]
    if missing:
        raise ValueError(f"The results have no column {', '.join(missing)}.")
    counted = results[(results["task"] == task) & (results["phase"] == FINAL)]
    counted = statistics.agent_rows(counted)
    cells: dict[tuple[str, str], Cell] = {}
    leaders: dict[str, BestOf] = {}
    for variant in variants:
        column = counted[counted["variant"] == variant]
        groups = dict(list(column.groupby("algorithm", sort=False)))
        ran = [name for name in algorithms if name in groups]
        if not ran:
            continue
        rows = pd.concat([groups[name] for name in ran])
        settings = {name: _one_setting(groups[name], variant) for name in ran}
        tests = statistics.differences_to_best(rows).set_index("algorithm")
        of_iqm = statistics.differences_to_best(rows, "iqm").set_index("algorithm")["not_worse"]
        fewest = min(len(groups[name]) for name in ran)
        of_iqm &= statistics.can_find_worse(fewest, len(ran) - 1)
        for name in ran:
            line, agents = tests.loc[name], groups[name]
            cells[name, variant] = Cell(
                statistics.summarise(
                    agents["score"], agents["diverged"], draws=agents["data_draw"]
                ),
                settings[name],
                float(line["behind"]),
                float(line["standard_error"]),
                float(line["p_value"]),
                float(line["corrected_p"]),
                bool(line["not_worse"]),
                bool(of_iqm[name]),
            )
        leader = statistics.best_of(rows)
        if leader is not None:
            leaders[variant] = leader
    return ResultTable(
        task,
        tuple(algorithms),
        tuple(variants),
        tuple(SourceAgent(*source) for source in sources),
        cells,
        leaders,
        _scored_by(task, counted),
    )


def _scored_by(task: str, agents: pd.DataFrame) -> str:
    if task in TEXT_TASKS:
        return OWN_REWARD if task == TEXT else REWARD
    return AGREEMENT if MEASURE in agents and agents[MEASURE].notna().any() else RETURN


def refuse_diverged(table: ResultTable, out: Path) -> None:
    """See that no agent of a table diverged; called when all results are written.

    Raises:
        Diverged: one did. The message names its cell.
    """
    lost = [
        f"{algorithm} on {variant} ({cell.summary.diverged} of {cell.summary.agents} agents)"
        for (algorithm, variant), cell in table.cells.items()
        if cell.summary.diverged
    ]
    if lost:
        raise Diverged(f"Diverged: {', '.join(lost)}. All results are in {out}.")


def to_frame(table: ResultTable) -> pd.DataFrame:
    """One row per cell that has run, by variant and algorithm in the table's order.

    Columns: variant, algorithm, agents, draws (of the data), diverged, mean, standard_error,
    error_over ("agents" or "agents and draws"), iqm, iqm_low, iqm_high, behind, behind_error,
    p_value, corrected_p and best (see `Cell`), and hyperparameters. The numbers are NaN where any
    agent diverged.
    """
    rows = [
        {
            "variant": variant,
            "algorithm": algorithm,
            **asdict(cell.summary),
            "error_over": cell.summary.error_over,
            **{name: getattr(cell, name) for name in _TESTED},
            "hyperparameters": cell.hyperparameters,
        }
        for variant in table.variants
        for algorithm in table.algorithms
        if (cell := table.cells.get((algorithm, variant))) is not None
    ]
    return pd.DataFrame(rows, columns=list(_FRAME_COLUMNS))


def to_rich(
    table: ResultTable, measure: Measure = "mean", decimals: int = 0, title: str | None = None
) -> RichTable:
    """The table for a terminal; bold: what is not found worse than the best, see `Cell.best`.

    Args:
        table: what to show.
        measure: "mean" with standard errors, or "iqm" with 95 % intervals. The source agents
            have a mean only and stand only beside means.
        decimals: digits after the point.
        title: the title of the numbers; None for that of true returns.
    """
    rich = RichTable(title=f"{table.task}: {title or _title(table, measure)}")
    # Where there is no room, a name continues in the next line; cut, two could look the same.
    rich.add_column("algorithm", overflow="fold")
    for variant in table.variants:
        rich.add_column(Text(variant), justify="right", overflow="fold")
    rows = _rows(table, measure, decimals)
    for position, (label, cells) in enumerate(rows):
        shown = [Text(text, style="bold" if bold else "") for text, bold in cells]
        last_source = position + 1 == len(rows) - len(table.algorithms)
        rich.add_row(Text(label), *shown, end_section=last_source)
    return rich


def texts(
    table: ResultTable, measure: Measure = "mean", decimals: int = 0
) -> list[tuple[str, list[str]]]:
    """Label and cells of each row as plain text. Arguments as of `to_rich`."""
    return [
        (label, [text for text, _ in cells]) for label, cells in _rows(table, measure, decimals)
    ]


def to_markdown(table: ResultTable, measure: Measure = "mean", decimals: int = 0) -> str:
    """The table in Markdown, bold as in `to_rich`. Arguments as of `to_rich`."""
    lines = [
        ["algorithm", *(plain_text.in_markdown(variant) for variant in table.variants)],
        ["---", *("---:" for _ in table.variants)],
    ]
    for label, cells in _rows(table, measure, decimals):
        shown = [f"**{text}**" if bold else text for text, bold in cells]
        lines.append([plain_text.in_markdown(label), *shown])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def to_html(table: ResultTable, decimals: int = 0) -> str:
    """The table of means for a notebook, bold and with digits as in `to_rich`."""
    heads = "".join(f"<th>{html.escape(text)}</th>" for text in ("algorithm", *table.variants))
    lines = []
    for label, cells in _rows(table, "mean", decimals):
        shown = "".join(
            f"<td>{f'<b>{html.escape(text)}</b>' if bold else html.escape(text)}</td>"
            for text, bold in cells
        )
        lines.append(f"<tr><th>{html.escape(label)}</th>{shown}</tr>")
    title = html.escape(f"{table.task}: {_title(table, 'mean')}")
    caption = f"<caption>{title}</caption>"
    return f"<table>{caption}<thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


_TITLES = {"mean": "mean {} ± standard error", "iqm": "interquartile mean {} [95 % interval]"}


def _title(table: ResultTable, measure: Measure) -> str:
    return _TITLES[measure].format(table.scored_by)


def _rows(
    table: ResultTable, measure: Measure, decimals: int
) -> list[tuple[str, list[tuple[str, bool]]]]:
    """Label of each row, and text and boldness of each of its cells."""
    rows = []
    if measure == "mean":
        for source in table.sources:
            text = mean_text(source.mean, source.standard_error, decimals)
            rows.append((source.label, [(text, False)] * len(table.variants)))
    for algorithm in table.algorithms:
        cells = [table.cells.get((algorithm, variant)) for variant in table.variants]
        shown = [
            (NOT_RUN, False)
            if cell is None
            else (cell.text(measure, decimals), cell.is_best(measure))
            for cell in cells
        ]
        rows.append((algorithm, shown))
    return rows


def _one_setting(agents: pd.DataFrame, variant: str) -> str:
    algorithm = agents["algorithm"].iloc[0]
    settings = agents["hyperparameters"].unique()
    if len(settings) > 1:
        raise ValueError(
            f"{algorithm} on {variant} has final agents of {len(settings)} hyper-parameter "
            f"settings: {'; '.join(settings)}. A table needs one for each cell."
        )
    twice = agents[agents.duplicated(["data_draw", "seed"])]
    if len(twice):
        draw, seed = twice[["data_draw", "seed"]].iloc[0]
        raise ValueError(
            f"{algorithm} on {variant} has more than one final agent of seed {seed} on data draw "
            f"{draw}."
        )
    return str(settings[0])


def mean_text(mean: float, error: float, decimals: int) -> str:
    """A mean and its standard error, as "2049 ± 13"; "?" for what is not known."""
    return f"{_number(mean, decimals)} ± {_number(error, decimals)}"


def _number(value: float, decimals: int) -> str:
    # Adding 0 turns the -0 that rounding leaves into 0.
    return "?" if math.isnan(value) else f"{np.round(value, decimals) + 0.0:.{decimals}f}"
