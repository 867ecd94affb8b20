"""What a bench on texts measures of language models beside their reward."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from mirrorpo import files
from mirrorpo.reporting.page.folders import Folder
from mirrorpo.study import statistics, tables

_REWARD = ("return_mean", "true reward")
_OTHERS = (
    ("win_rate", "win rate against the original, %", 1),
    ("kl", "KL from the original, nats", 2),
    ("distinct_1", "distinct words", 3),
    ("distinct_2", "distinct pairs of words", 3),
    ("tokens", "tokens", 1),
    ("perplexity", "perplexity", 1),
)
TITLES = (_REWARD[1], *(title for _, title, _ in _OTHERS))
"""Titles of the table's columns, after the model's name."""


@dataclass(frozen=True)
class MeasuredTexts:
    """The models of one variant.

    Attributes:
        variant: the variant of the data.
        rows: (name, a text for each of `TITLES`); target and original first.
    """

    variant: str
    rows: tuple[tuple[str, tuple[str, ...]], ...]


def measured(folder: Folder, table: tables.ResultTable, final: pd.DataFrame) -> list[MeasuredTexts]:
    """One table a variant that has agents: mean ± standard error over an algorithm's agents.

    Target and original are one model each; only their reward has an error, over texts.

    Args:
        folder: the folder of the run.
        table: the table of the run.
        final: the reported agents, with a column for each measure.
    """
    path = folder.path / "source_measures.json"
    others = files.read_json(path, "measures of the sources") if path.is_file() else {}
    sources = [
        (source.label, _source(source, others.get(source.label, {}), table.decimals))
        for source in table.sources
    ]
    groups = dict(list(final.groupby(["algorithm", "variant"])))
    return [
        MeasuredTexts(variant, (*sources, *rows))
        for variant in table.variants
        if (
            rows := [
                (name, _agents(groups[name, variant], table.decimals))
                for name in table.algorithms
                if (name, variant) in groups
            ]
        )
    ]


def _source(
    source: tables.SourceAgent, others: Mapping[str, float], of_reward: int
) -> tuple[str, ...]:
    reward = tables.mean_text(source.mean, source.standard_error, of_reward)
    return reward, *(
        f"{others[name]:.{decimals}f}" if name in others else tables.NOT_RUN
        for name, _, decimals in _OTHERS
    )


def _agents(agents: pd.DataFrame, of_reward: int) -> tuple[str, ...]:
    if agents.diverged.any():
        lost = f"diverged {int(agents.diverged.sum())}/{len(agents)}"
        return lost, *[tables.NOT_RUN] * len(_OTHERS)
    return tuple(
        tables.mean_text(*statistics.mean_and_error(agents[name]), decimals)
        if name in agents
        else tables.NOT_RUN
        for name, _, decimals in ((*_REWARD, of_reward), *_OTHERS)
    )
