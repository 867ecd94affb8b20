"""One row a trained agent, appended as it is finished, so that a killed bench loses nothing."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
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
        diverged: whether its parameters are not finite.
        train_seconds: wall time of its training, its share of a batch of agents.
        evaluate_seconds: wall time of its evaluation, likewise.
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

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """What identifies an agent within one bench."""
        return self.variant, self.algorithm, self.phase, self.hyperparameters, self.seed


def hyperparameters_text(values: Mapping[str, Any]) -> str:
    """Hyper-parameters as JSON with sorted names: equal settings give equal text."""
    return json.dumps(dict(values), sort_keys=True)


class Log:
    """The agents of one bench, on disk as JSON lines: the record and its training curves."""

    def __init__(self, path: Path):
        self.path = path
        self._records: dict[tuple, AgentRecord] = {}
        if path.is_file():
            self._read()

    def _read(self) -> None:
        # A kill may have cut the last line: leave it out, and out of the file.
        whole = []
        for line in self.path.read_text(encoding="utf-8").splitlines(keepends=True):
            try:
                row = json.loads(line) if line.endswith("\n") else None
            except json.JSONDecodeError:
                row = None
            if row is None:
                break
            whole.append(line)
            record = AgentRecord(**row["agent"])
            self._records[record.key] = record
        files.write_text(self.path, "".join(whole))

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
        """All records, one row an agent, in a fixed order whatever order they came in."""
        names = list(AgentRecord.__dataclass_fields__)
        rows = [asdict(self._records[key]) for key in sorted(self._records)]
        frame = pd.DataFrame(rows, columns=names)
        return frame.astype({"return_mean": float, "return_standard_error": float})
