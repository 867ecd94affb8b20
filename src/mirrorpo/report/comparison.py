"""A bench beside the paper: scores, both normalised by their source agents, and rank correlation.

Digits differ with the agents and the simulator's version. What can carry over is the order of
the algorithms and the size of the gaps relative to the source agents.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mirrorpo import files, runs
from mirrorpo.report.paper import RESULTS, PaperTask
from mirrorpo.study import records, statistics, tables

FEWEST = 3
"""Of fewer algorithms the order says nothing: of two it is 1 or -1."""


@dataclass(frozen=True)
class Run:
    """A finished or unfinished bench, read from its folder.

    Attributes:
        settings: of the bench, as in its config.json.
        table: its results.
        agents: one row a trained agent, as in results.csv.
    """

    settings: dict
    table: tables.ResultTable
    agents: pd.DataFrame


def read(out: Path) -> Run:
    """Read a bench's folder.

    Raises:
        ValueError: the folder holds no bench.
    """
    settings = files.read_json(out / runs.CONFIG, "a run's configuration").get("settings", {})
    if "algorithms" not in settings or "variants" not in settings:
        raise ValueError(f"{out} is not a folder of `mirrorpo bench`.")
    agents = records.to_frame(record for record, _ in records.read(out / runs.METRICS))
    path = out / "sources.json"
    sources = files.read_json(path, "the source agents' returns") if path.is_file() else []
    table = tables.build(
        agents,
        settings["task"],
        settings["algorithms"],
        settings["variants"],
        [tables.SourceAgent(**row) for row in sources],
    )
    return Run(settings, table, agents)


@dataclass(frozen=True)
class Column:
    """One variant: ours beside the paper's.

    Attributes:
        variant: text of the variant.
        rows: (algorithm, our score, our normalised score, the paper's score, the paper's
            normalised score); scores as text, "–" where there is none.
        rank_correlation: Spearman's, over the algorithms that both have; NaN below `FEWEST`.
        common: number of those algorithms.
    """

    variant: str
    rows: tuple[tuple[str, str, str, str, str], ...]
    rank_correlation: float
    common: int

    @property
    def agreement(self) -> str:
        """The rank correlation in words."""
        if self.common < FEWEST:
            return f"{self.common} common algorithms, too few for a rank correlation"
        return (
            f"Spearman's rank correlation over {self.common} common algorithms: "
            f"{self.rank_correlation:.2f}"
        )


def columns(run: Run) -> list[Column]:
    """The comparison of each variant that the paper has too.

    Raises:
        ValueError: the paper has no results on the run's task, or the run has not yet scored
            its source agents.
    """
    task = run.settings["task"]
    if task not in RESULTS:
        raise ValueError(
            f"The paper has no results on {task!r}; it has {', '.join(sorted(RESULTS))}."
        )
    if len(run.table.sources) != 2:
        raise ValueError("The run has not scored its source agents yet; let it go on first.")
    paper = RESULTS[task]
    return [
        _column(run.table, variant, paper)
        for variant in run.table.variants
        if variant in paper.scores
    ]


def _column(table: tables.ResultTable, variant: str, paper: PaperTask) -> Column:
    theirs = paper.scores[variant]
    better, worse = (source.mean for source in table.sources)
    ours, rows = {}, []
    for algorithm in table.algorithms:
        cell = table.cells.get((algorithm, variant))
        score, normalised = tables.NOT_RUN, tables.NOT_RUN
        if cell is not None:
            score = cell.text("mean", 0)
            if math.isfinite(cell.summary.mean):
                ours[algorithm] = cell.summary.mean
                value = statistics.normalised_score(cell.summary.mean, worse, better)
                normalised = f"{float(value):.2f}"
        other, other_normalised = tables.NOT_RUN, tables.NOT_RUN
        if algorithm in theirs:
            mean, error = theirs[algorithm]
            other = f"{mean:.0f} ± {error:.0f}"
            value = statistics.normalised_score(mean, paper.worse, paper.better)
            other_normalised = f"{float(value):.2f}"
        rows.append((algorithm, score, normalised, other, other_normalised))
    common = [name for name in ours if name in theirs]
    correlation = (
        statistics.rank_correlation(
            {name: ours[name] for name in common}, {name: theirs[name][0] for name in common}
        )
        if len(common) >= FEWEST
        else math.nan
    )
    return Column(variant, tuple(rows), correlation, len(common))


def to_markdown(run: Run) -> str:
    """The comparison as Markdown: one table a variant."""
    parts = []
    for column in columns(run):
        where = RESULTS[run.settings["task"]].table
        parts.append(
            f"### {column.variant}\n\n"
            f"| algorithm | ours | normalised | paper ({where}) | normalised |\n"
            "| --- | ---: | ---: | ---: | ---: |\n"
            + "".join(f"| {' | '.join(row)} |\n" for row in column.rows)
            + f"\n{column.agreement}\n"
        )
    return "\n".join(parts)


def cost(run: Run) -> str:
    """What a run has cost so far, in one line."""
    agents = run.agents
    if agents.empty:
        return "No agent has been trained and scored yet."
    hours = (agents.train_seconds.sum() + agents.evaluate_seconds.sum()) / 3600
    return (
        f"{len(agents)} agents trained and scored ({(agents.phase == 'search').sum()} of them in "
        f"the search) in {hours:.2f} hours: {agents.train_seconds.mean():.1f} s of training and "
        f"{agents.evaluate_seconds.mean():.1f} s of evaluation an agent."
    )
