"""What the final agents of a bench on texts wrote, and their rewards by prompt."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mirrorpo import files, json_lines, typed
from mirrorpo.study.phases import FINAL

SAMPLES = "samples"
TARGET, ORIGINAL = "target", "original"
AGENT = ["variant", "algorithm", "data_draw", "seed"]
_NEAR = 1e-6


def path(out: Path, name: str) -> Path:
    """The file of the continuations of one agent, or of `TARGET` or `ORIGINAL`."""
    return out / SAMPLES / f"{name}.jsonl"


def agent_name(key: tuple[str, str, str, str, int]) -> str:
    """The name of an agent's files, readable and no other agent's; `key` is its record's."""
    variant, algorithm, *_ = key
    return files.file_name(f"{variant}-{algorithm:.40}-{files.digest(key)[:16]}")


class Sample(NamedTuple):
    """A continuation's prompt and true reward."""

    prompt: str
    reward: float


@dataclass(frozen=True)
class PromptRewards:
    """Mean rewards by prompt, of all final agents of a bench and of its two sources.

    Attributes:
        agents: a row per agent with the index `AGENT`, and a column per prompt.
        sources: a row for each of `TARGET` and `ORIGINAL`, and the same columns.
        weights: how many continuations there are of each prompt, in the columns' order.
    """

    agents: pd.DataFrame
    sources: pd.DataFrame
    weights: np.ndarray


def read(out: Path, frame: pd.DataFrame) -> PromptRewards:
    """The rewards of the agents that have not diverged.

    Args:
        out: folder of the bench.
        frame: one row per trained agent, of `BenchLog.frame`.

    Raises:
        ValueError: samples that are missing, cut, or of other agents; the message is a sentence
            that says which.
    """
    final = frame[(frame["phase"] == FINAL) & ~frame["diverged"].astype(bool)]
    if not (out / SAMPLES).is_dir():
        raise ValueError(f"this run has no folder {SAMPLES}/ with the texts of its agents.")
    rows, counts = {}, None
    for agent in final.to_dict("records"):
        key = (agent["variant"], agent["algorithm"], FINAL, agent["hyperparameters"], agent["seed"])
        found = _samples(path(out, agent_name(key)))
        if abs(float(found["reward"].mean()) - agent["return_mean"]) > _NEAR * _scale(found):
            raise ValueError(f"{agent_name(key)}.jsonl holds other texts than were scored.")
        counts = _same_prompts(found, counts)
        rows[tuple(agent[name] for name in AGENT)] = found.groupby("prompt")["reward"].mean()
    sources = {}
    for name in (TARGET, ORIGINAL):
        found = _samples(path(out, name))
        counts = _same_prompts(found, counts)
        sources[name] = found.groupby("prompt")["reward"].mean()
    assert counts is not None
    agents = pd.DataFrame(list(rows.values()), columns=counts.index)
    agents.index = pd.MultiIndex.from_tuples(list(rows), names=AGENT) if rows else _no_agents()
    return PromptRewards(
        agents.astype(float).sort_index(),
        pd.DataFrame(list(sources.values()), index=list(sources), columns=counts.index),
        counts.to_numpy(float),
    )


def _samples(file: Path) -> pd.DataFrame:
    if not file.is_file():
        raise ValueError(f"{SAMPLES}/{file.name} is missing.")
    rows = json_lines.read(file, _parse)
    if not rows:
        raise ValueError(f"{SAMPLES}/{file.name} is empty.")
    return pd.DataFrame(rows)


def _parse(row: Mapping[str, Any]) -> Sample:
    return Sample(
        typed.check(row["prompt"], str, "prompt"), typed.check(row["reward"], float, "reward")
    )


def _same_prompts(found: pd.DataFrame, counts: pd.Series | None) -> pd.Series:
    own = found.groupby("prompt").size()
    if counts is not None and not own.equals(counts):
        raise ValueError("its agents were not asked the same prompts equally often.")
    return own


def _scale(found: pd.DataFrame) -> float:
    return 1.0 + float(found["reward"].abs().mean())


def _no_agents() -> pd.MultiIndex:
    return pd.MultiIndex.from_arrays([[]] * len(AGENT), names=AGENT)
