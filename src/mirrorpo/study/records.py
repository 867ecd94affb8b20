"""One row a trained agent, appended as it is finished, so that a killed bench loses nothing."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from mirrorpo import files


@dataclass(frozen=True)
class AgentRecord:
    """The result of one trained agent.

    Attributes:
        task: on which it was scored.
        variant: of the dataset.
        algorithm: name of the objective, as the user gave it.
        phase: "search" (choosing hyper-parameters) or "final" (the reported score).
        hyperparameters: of the objective, as sorted JSON.
        seed: of the agent.
        return_mean: mean true return over episodes; None where it diverged.
        return_standard_error: of that mean over episodes; None where it diverged.
        episodes: behind the mean.
        data_draw: of the trajectories and labels that it was trained on, see
            `mirrorpo.preferences.draws`.
        episodes_seed: of the start states and the action noise of its episodes.
        diverged: whether its parameters are not finite.
        train_seconds: wall time of its training, its share of a batch of agents.
        evaluate_seconds: wall time of its evaluation, likewise.
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
    measures: Mapping[str, float] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """What identifies an agent within one bench."""
        return self.variant, self.algorithm, self.phase, self.hyperparameters, self.seed


def hyperparameters_text(values: Mapping[str, Any]) -> str:
    """Hyper-parameters as JSON with sorted names: equal settings give equal text."""
    return json.dumps(dict(values), sort_keys=True)


def read(path: Path) -> list[tuple[AgentRecord, dict[str, Any]]]:
    """Every agent of a log, with its training curves: a value an epoch by name.

    The file is only read, so a bench may be writing it. A last line that is cut is left out; a
    log that does not exist is empty.
    """
    return [(AgentRecord(**row["agent"]), row["curves"]) for _, row in _whole_lines(path)]


def to_frame(records: Iterable[AgentRecord]) -> pd.DataFrame:
    """One row an agent, in a fixed order whatever order they come in."""
    names = [name for name in AgentRecord.__dataclass_fields__ if name != "measures"]
    rows = [asdict(record) for record in sorted(records, key=lambda record: record.key)]
    measures = [row.pop("measures") for row in rows]
    names += dict.fromkeys(name for found in measures for name in found)
    merged = [{**row, **found} for row, found in zip(rows, measures, strict=True)]
    frame = pd.DataFrame(merged, columns=names)
    return frame.astype({"return_mean": float, "return_standard_error": float})


def _whole_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The lines up to the first that is cut, with their end, and what they say."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        try:
            row = json.loads(line) if line.endswith("\n") else None
        except json.JSONDecodeError:
            row = None
        if row is None:
            return
        yield line, row


class Log:
    """The agents of one bench, on disk as JSON lines: the record and its training curves."""

    def __init__(self, path: Path):
        self.path = path
        self._records: dict[tuple, AgentRecord] = {}
        if path.is_file():
            self._read()

    def _read(self) -> None:
        # A kill may have cut the last line: leave it out, and out of the file.
        whole = list(_whole_lines(self.path))
        for _, row in whole:
            record = AgentRecord(**row["agent"])
            self._records[record.key] = record
        files.write_text(self.path, "".join(line for line, _ in whole))

    def __contains__(self, key: tuple) -> bool:
        return key in self._records

    def __len__(self) -> int:
        return len(self._records)

    def get(self, key: tuple) -> AgentRecord:
        return self._records[key]

    def add(self, record: AgentRecord, curves: Mapping[str, Sequence]) -> None:
        """Append one agent and flush it to disk."""
        files.append_json_line(self.path, {"agent": asdict(record), "curves": dict(curves)})
        self._records[record.key] = record

    def frame(self) -> pd.DataFrame:
        """All records, see `to_frame`."""
        return to_frame(self._records.values())
