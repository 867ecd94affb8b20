"""One row per trained agent, appended as it is finished, so that a killed bench loses nothing."""

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from mirrorpo import damage, json_lines, typed


@dataclass(frozen=True)
class AgentRecord:
    """The result of one trained agent.

    Attributes:
        task: on which it was scored.
        variant: the variant of the dataset.
        algorithm: name of the objective, as the user gave it.
        phase: the phase of the bench, see `mirrorpo.study.phases`.
        hyperparameters: the hyper-parameters of the objective, as sorted JSON.
        seed: the seed of the agent.
        return_mean: mean true return over episodes; None where it diverged.
        return_standard_error: the standard error of that mean over episodes; None where it
            diverged.
        episodes: how many episodes the mean is over.
        data_draw: the draw of the trajectories and labels that it was trained on, see
            `mirrorpo.preferences.draws`.
        episodes_seed: the seed of the start states and the action noise of its episodes.
        trial: number of the search's trial that it belongs to, from 0; 0 of a final agent.
        diverged: whether its parameters are not finite.
        train_seconds: wall time of its training, its share of a batch of agents.
        evaluate_seconds: wall time of its evaluation, its share of a batch of agents.
        measures: what else was measured of it, by name; each becomes a column.
    """

    task: str
    variant: str
    algorithm: str
    phase: str
    hyperparameters: str
    seed: int
    return_mean: float | None
    return_standard_error: float | None
    episodes: int
    diverged: bool
    train_seconds: float
    evaluate_seconds: float
    data_draw: int = 0
    episodes_seed: int = 0
    trial: int = 0
    measures: Mapping[str, float] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """What identifies an agent within one bench."""
        return self.variant, self.algorithm, self.phase, self.hyperparameters, self.seed


def hyperparameters_text(values: Mapping[str, Any]) -> str:
    """Hyper-parameters as JSON with sorted names: equal settings give equal text."""
    return json.dumps(dict(values), sort_keys=True)


def read(path: Path) -> list[tuple[AgentRecord, dict[str, Any]]]:
    """Every agent of a log, once, with its training curves: one value per epoch, by name.

    See `json_lines.read` for logs that are being written, are cut, damaged or do not exist.
    """
    known: set[tuple[Any, ...]] = set()
    found = []
    for record, curves in json_lines.read(path, _parse):
        if _is_first(record, known, path):
            known.add(record.key)
            found.append((record, curves))
    return found


def to_frame(records: Iterable[AgentRecord]) -> pd.DataFrame:
    """One row per agent, in a fixed order whatever order they come in."""
    names = [name for name in AgentRecord.__dataclass_fields__ if name != "measures"]
    # Not `asdict`, which copies every value of thousands of rows.
    rows = [dict(vars(record)) for record in sorted(records, key=lambda record: record.key)]
    measures = [row.pop("measures") for row in rows]
    names += dict.fromkeys(name for found in measures for name in found)
    merged = [{**row, **found} for row, found in zip(rows, measures, strict=True)]
    frame = pd.DataFrame(merged, columns=names)
    return frame.astype({"return_mean": float, "return_standard_error": float})


def _parse(row: Mapping[str, Any]) -> tuple[AgentRecord, dict[str, Any]]:
    curves = typed.check(row["curves"], Mapping[str, Sequence[Any]], "curves")
    return typed.build(AgentRecord, row["agent"]), curves


def _is_first(record: AgentRecord, known: Container[tuple[Any, ...]], path: Path) -> bool:
    """Whether an agent is not known yet: one that two processes at once have logged counts once."""
    if record.key in known:
        damage.say(f"{path}: {record.key} is there twice; the second is left out.")
        return False
    return True


class BenchLog:
    """The agents of one bench, on disk as JSON lines: the record and its training curves."""

    def __init__(self, path: Path):
        self.path = path
        self._records: dict[tuple[Any, ...], AgentRecord] = {}
        self._cells: dict[tuple[str, str, str], list[AgentRecord]] = {}
        json_lines.resume(path, _parse, self._is_new)

    def _is_new(self, line: tuple[AgentRecord, dict[str, Any]]) -> bool:
        record, _ = line
        if not _is_first(record, self._records, self.path):
            return False
        self._remember(record)
        return True

    def _remember(self, record: AgentRecord) -> None:
        self._records[record.key] = record
        self._cells.setdefault(record.key[:3], []).append(record)

    def __contains__(self, key: tuple[Any, ...]) -> bool:
        return key in self._records

    def __len__(self) -> int:
        return len(self._records)

    def of(self, variant: str, algorithm: str, phase: str) -> list[AgentRecord]:
        """The agents of one phase of one cell, in the order they were logged."""
        return self._cells.get((variant, algorithm, phase), [])

    def add(self, record: AgentRecord, curves: Mapping[str, Sequence[Any]]) -> None:
        """Append one agent and flush it to disk."""
        json_lines.append(self.path, {"agent": asdict(record), "curves": dict(curves)})
        self._remember(record)

    def frame(self) -> pd.DataFrame:
        """All records, see `to_frame`."""
        return to_frame(self._records.values())
