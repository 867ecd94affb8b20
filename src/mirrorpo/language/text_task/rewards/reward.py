"""What a reward is: a number for each completion, and what tells it from another reward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mirrorpo.preference_texts.prompts import Prompt

if TYPE_CHECKING:
    from mirrorpo.language.models.log_probs import LogProbs


@dataclass(frozen=True)
class Said:
    """Completions, and what a reward may know of them.

    Attributes:
        prompts: as the task has them, one per completion.
        begun: the same as the model read them, with its chat template.
        texts: the completions.
        original: their log-probs under the untouched model.
    """

    prompts: Sequence[Prompt]
    begun: Sequence[str]
    texts: Sequence[str]
    original: LogProbs


class Scorer(Protocol):
    """A reward, ready to score."""

    def __call__(self, said: Said, usual: float) -> np.ndarray:
        """Finite rewards of completions, shape (texts,).

        Args:
            said: the completions.
            usual: mean log-prob per token of the untouched model's own completions, in nats.

        Raises:
            ValueError: the reward has none for one of them.
        """
        ...


class Reward(Protocol):
    """A reward by name, light to make: nothing is loaded before `scorer`."""

    @property
    def name(self) -> str:
        """As the user wrote it."""
        ...

    @property
    def in_points(self) -> bool:
        """Whether its numbers are points, which a judge's temperature is made for.

        Others are scaled for the judge, see `preparation.PreparedTask`.
        """
        ...

    def facts(self) -> Mapping[str, str]:
        """What decides its numbers, for the name of what is cached."""
        ...

    def contents(self) -> Mapping[str, str]:
        """Checksums of its files by name: a run is not resumed with others."""
        ...

    def check(self, prompts: Sequence[Prompt]) -> None:
        """See that it can score completions of these prompts, as far as that can be told at once.

        Raises:
            ValueError: it cannot.
        """
        ...

    def scorer(self, model: Any, tokenizer: Any, batch: int) -> Scorer:
        """The reward, loaded.

        Args:
            model: the untouched one.
            tokenizer: the tokenizer of the model.
            batch: completions at once.

        Raises:
            ValueError: it cannot be loaded.
        """
        ...
