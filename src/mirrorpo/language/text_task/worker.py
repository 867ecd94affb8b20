"""A worker that trains agents on texts and lets them write, wherever it runs.

It needs no reward and no file of the user's: rewards are given by the process that asks.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mirrorpo import variants
from mirrorpo.language.models import loading
from mirrorpo.objectives import Objective

from . import agents
from .agents import Sampled
from .fine_tuning import ADAPTER, FineTuning, fine_tune
from .pool import ContinuationPool
from .settings import TextSettings

TRAINING = 0.8
"""Share of an agent's time, the rest of which its continuations take."""


@dataclass(frozen=True)
class TextSupply:
    """What every worker needs once.

    Attributes:
        original: the untouched model.
        tokenizer: the tokenizer of the model.
        settings: the settings of trainings and continuations.
        are_openings: see `texts.draw`.
        pools: the continuations that pairs are drawn from, by their draw.
    """

    original: Any
    tokenizer: Any
    settings: TextSettings
    are_openings: bool
    pools: Mapping[int, ContinuationPool]

    def portable(self) -> "TextSupply":
        """With its model in the memory that every machine has."""
        if self.original.device.type == "cpu":
            return self
        return replace(self, original=loading.copied(self.original).to("cpu"))

    def worker(self) -> "TextWorker":
        """A worker in this process, on the GPU if there is one."""
        return TextWorker(replace(self, original=loading.on_device(self.original)))


@dataclass(frozen=True)
class TextOrder:
    """An agent to train, and the prompts that it is to continue.

    Attributes:
        objectives: its objective alone.
        seed: the seed of its training.
        variant: the variant of the data, as text.
        draw: the draw of the data.
        begun: prompts as the model reads them, one per continuation.
        samples_seed: the seed of the continuations.
        name: the name of its files.
        doing: what a user is told.
        keep: whether its files are wanted.
    """

    objectives: tuple[Objective]
    seed: int
    variant: str
    draw: int
    begun: Sequence[str]
    samples_seed: int
    name: str
    doing: str
    keep: bool = False


@dataclass(frozen=True)
class TextAgent:
    """What became of an order.

    Attributes:
        trained: its training.
        sampled: its continuations; None where it diverged.
        files: content of each wanted file, by its path within the agent's folder; without the files
            that the folder of that name has already.
    """

    trained: FineTuning
    sampled: Sampled | None
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class TextWorker:
    """Works orders off, one agent at a time.

    Attributes:
        supply: what it needs.
        home: the folder of its agents' folders, in which an interrupted agent resumes; None for a
            temporary one per agent.
        report: told what is being done, and the share of the agent that is done.
    """

    supply: TextSupply
    home: Path | None = None
    report: Callable[[str, float], None] = lambda doing, part: None
    agents_at_once: int = 1

    def work_off(self, order: TextOrder) -> TextAgent:
        """Train an order's agent, and let it write.

        Raises:
            ValueError: see `PreferenceTrainer` and `texts.draw`.
        """
        if self.home is not None:
            return TextAgent(*self._work_off(order, self.home / order.name), {})
        with tempfile.TemporaryDirectory(prefix="mirrorpo-") as name:
            folder = Path(name) / order.name
            done = self._work_off(order, folder)
            found = [*folder.rglob("*")] if order.keep else []
            return TextAgent(
                *done,
                {
                    path.relative_to(folder).as_posix(): path.read_bytes()
                    for path in found
                    if path.is_file()
                },
            )

    def _work_off(self, order: TextOrder, folder: Path) -> tuple[FineTuning, Sampled | None]:
        supply = self.supply
        original = supply.original, supply.tokenizer
        trained = fine_tune(
            supply.settings,
            *order.objectives,
            supply.pools[order.draw].pairs(variants.parse(order.variant), order.draw),
            order.seed,
            folder,
            lambda done, of: self.report(order.doing, TRAINING * done / of),
            original,
        )
        if trained.diverged:
            return trained, None
        sampled = agents.sample(
            folder / ADAPTER,
            original,
            supply.settings,
            order.begun,
            supply.are_openings,
            order.samples_seed,
            folder / "samples.jsonl",
            lambda done, of: self.report(
                f"continuations: {order.name}", TRAINING + (1 - TRAINING) * done / of
            ),
        )
        return trained, sampled
