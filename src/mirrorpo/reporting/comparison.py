"""A bench beside the paper.

It compares scores, both normalised by their source agents, and says how far the orders agree.

Digits differ with the agents and the simulator's version. What can carry over is the order of
the algorithms and the size of the gaps relative to the source agents.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from mirrorpo import bounded, files, plain_text, run_kinds, runs
from mirrorpo.reporting import paper
from mirrorpo.reporting.paper import RESULTS
from mirrorpo.run_kinds import Kind
from mirrorpo.study import records, statistics, tables
from mirrorpo.study.phases import FINAL, SEARCH
from mirrorpo.study.statistics import Concordance, RankAgreement
from mirrorpo.study.tables import SourceAgent

KIND: Kind = "bench"

_MOST_NAMES = 1000


@dataclass(frozen=True)
class RunParts:
    """What a bench's folder holds, before anything is computed of it.

    Attributes:
        settings: the settings of the bench, as in its config.json.
        sources: the better and the worse source agent; none before they are scored.
        agents: one row per trained agent, as in results.csv.
        lines: the lines of the log: each agent with its training curves, see `records.read`.
    """

    settings: dict[str, Any]
    sources: tuple[SourceAgent, ...]
    agents: pd.DataFrame
    lines: Sequence[tuple[records.AgentRecord, Mapping[str, Any]]]


@dataclass(frozen=True)
class BenchRun(RunParts):
    """A finished or unfinished bench, read from its folder.

    Attributes:
        table: its results.
    """

    table: tables.ResultTable

    @cached_property
    def columns(self) -> list["ComparedVariant"]:
        """The comparison of each variant that the paper has too, which takes a second.

        There is none where the paper has no such task or the run no source agents yet.
        """
        published = RESULTS.get(self.settings["task"])
        if published is None or len(self.table.sources) != 2:
            return []
        variants = published.scores
        return [_column(self, variant) for variant in self.table.variants if variant in variants]


def read(out: Path) -> BenchRun:
    """Read a bench's folder, and build its table.

    Raises:
        ValueError: the folder holds no bench.
    """
    parts = read_parts(out)
    settings = parts.settings
    table = tables.build(
        parts.agents, settings["task"], settings["algorithms"], settings["variants"], parts.sources
    )
    return BenchRun(**vars(parts), table=table)


def read_parts(out: Path) -> RunParts:
    """Read a bench's folder.

    Raises:
        ValueError: the folder holds no bench.
    """
    config = files.read_json(out / runs.CONFIG, "a run's configuration")
    settings = config.get("settings") if isinstance(config, dict) else None
    if not isinstance(settings, dict):
        raise ValueError(f"{out / runs.CONFIG} holds no settings of a run.")
    if run_kinds.of(config) != KIND:
        raise ValueError(f"{out} is not a folder of `mirrorpo bench`.")
    for name in ("algorithms", "variants"):
        _check_names(out, name, settings.get(name))
    bounded.check_size(out / runs.METRICS, "the log of a bench", bounded.LOG)
    lines = records.read(out / runs.METRICS)
    agents = records.to_frame(record for record, _ in lines)
    path = out / "sources.json"
    sources = files.read_json(path, "the source agents' returns") if path.is_file() else []
    return RunParts(settings, tuple(SourceAgent(**row) for row in sources), agents, lines)


def _check_names(out: Path, what: str, names: object) -> None:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{out / runs.CONFIG}: {what} is not a list of names.")
    if len(names) > _MOST_NAMES:
        raise ValueError(f"{out / runs.CONFIG}: {what} has more than {_MOST_NAMES} names.")


@dataclass(frozen=True)
class ComparedVariant:
    """One variant: ours beside the paper's.

    Attributes:
        variant: text of the variant.
        rows: (algorithm, our score, our normalised score, the paper's score, the paper's
            normalised score), each score with its standard error; texts, "–" where there is none.
        ranks: rank correlations over the algorithms that both have.
        pairs: over the pairs of them that both tell apart, how many are ordered alike.
    """

    variant: str
    rows: tuple[tuple[str, str, str, str, str], ...]
    ranks: RankAgreement
    pairs: Concordance

    @property
    def common(self) -> int:
        """Number of algorithms that both have."""
        return len(self.ranks.algorithms)

    @property
    def agreement(self) -> str:
        """Both kinds of agreement in words."""
        return f"{self.ranks.sentence}. Concordance: {self.pairs.sentence}"


def _column(run: BenchRun, variant: str) -> ComparedVariant:
    task = run.settings["task"]
    published = RESULTS[task]
    theirs = published.scores[variant]
    better, worse = run.table.sources
    # The paper gives its source agents' returns without errors.
    their_better, their_worse = (
        SourceAgent(name, mean, 0.0)
        for name, mean in (("better", published.better), ("worse", published.worse))
    )
    rows = []
    for algorithm in run.table.algorithms:
        cell = run.table.cells.get((algorithm, variant))
        score, normalised = tables.NOT_RUN, tables.NOT_RUN
        if cell is not None:
            score = cell.text("mean", 0)
            if not cell.summary.diverged:
                found = (cell.summary.mean, cell.summary.standard_error)
                normalised = _normalised(*found, better, worse)
        other, other_normalised = tables.NOT_RUN, tables.NOT_RUN
        if algorithm in theirs:
            other = tables.mean_text(*theirs[algorithm], 0)
            other_normalised = _normalised(*theirs[algorithm], their_better, their_worse)
        rows.append((algorithm, score, normalised, other, other_normalised))
    agents = run.agents[
        (run.agents["phase"] == FINAL)
        & (run.agents["variant"] == variant)
        & run.agents["algorithm"].isin(run.table.algorithms)
    ]
    reference = paper.table(task, variant)
    return ComparedVariant(
        variant,
        tuple(rows),
        statistics.rank_agreement(agents, reference),
        statistics.concordance(agents, reference),
    )


def _normalised(mean: float, error: float, better: SourceAgent, worse: SourceAgent) -> str:
    value = float(statistics.normalised_score(mean, worse.mean, better.mean))
    wide = float(
        statistics.normalised_error(
            mean, error, worse.mean, better.mean, worse.standard_error, better.standard_error
        )
    )
    return tables.mean_text(value, wide, 2)


def to_markdown(run: BenchRun) -> str:
    """The comparison as Markdown: one table per variant."""
    parts = []
    for column in run.columns:
        where = RESULTS[run.settings["task"]].table
        parts.append(
            f"### {plain_text.in_markdown(column.variant)}\n\n"
            f"| algorithm | ours | normalised | paper ({where}) | normalised |\n"
            "| --- | ---: | ---: | ---: | ---: |\n"
            + "".join(
                f"| {' | '.join(map(plain_text.in_markdown, row))} |\n" for row in column.rows
            )
            + f"\n{column.agreement}.\n"
        )
    return "\n".join(parts)


def cost(run: BenchRun) -> str:
    """What a run has cost so far, in one line."""
    agents = run.agents
    if agents.empty:
        return "No agent has been trained and scored yet."
    hours = (agents.train_seconds.sum() + agents.evaluate_seconds.sum()) / 3600
    return (
        f"{len(agents)} agents trained and scored ({(agents.phase == SEARCH).sum()} of them in "
        f"the search) in {hours:.2f} hours: {agents.train_seconds.mean():.1f} s of training and "
        f"{agents.evaluate_seconds.mean():.1f} s of evaluation per agent."
    )
