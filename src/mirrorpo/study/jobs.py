"""The agents that a bench asks its ground to train and score, and the outcome of each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mirrorpo.objectives import Objective
from mirrorpo.preferences.facts import Facts
from mirrorpo.study.phases import FINAL


class JobProgress(Protocol):
    """Progress callback: what is being done, and the finished share of the current agent."""

    def __call__(self, doing: str, part: float = 0.0) -> None:
        """Hear of the progress."""
        ...


@dataclass(frozen=True)
class Job:
    """One agent to train and score; see `records.AgentRecord` for the fields."""

    variant: str
    algorithm: str
    objective: Objective
    phase: str
    seed: int
    hyperparameters: str
    draw: int
    episodes_seed: int
    trial: int

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """What identifies the agent within its bench."""
        return self.variant, self.algorithm, self.phase, self.hyperparameters, self.seed

    @property
    def is_first(self) -> bool:
        """Whether it is the one agent of its cell that a bench keeps."""
        return self.phase == FINAL and self.seed == 0


@dataclass(frozen=True)
class Outcome:
    """One trained and scored agent.

    Attributes:
        measured: the fields of its `records.AgentRecord` that its job does not know.
        curves: the curves of its training, by name.
    """

    measured: Mapping[str, Any]
    curves: Mapping[str, Sequence[Any]]


class Trainer(Protocol):
    """Trains and scores agents on draws of the data."""

    @property
    def agents_at_once(self) -> int:
        """Size of the batches that it works off best."""
        ...

    def facts(self, variant: str) -> Facts:
        """Facts of a variant's dataset, on the first draw."""
        ...

    def work_off(self, batches: Sequence[Sequence[Job]]) -> Iterator[tuple[int, Sequence[Outcome]]]:
        """Each batch's position and its agents' outcomes, as soon as they are there.

        They come in any order. The jobs of a batch are of one variant, algorithm, phase and draw.
        """
        ...
