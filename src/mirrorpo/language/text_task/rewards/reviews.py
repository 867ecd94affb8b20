"""The true reward of a review: how positive it is, less how unlike the original's language."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mirrorpo.language.models import sentiment
from mirrorpo.preference_texts.prompts import Prompt

from .reward import Said, Scorer

if TYPE_CHECKING:
    from mirrorpo.language.models.log_probs import LogProbs

POINTS = 100.0
PENALTY = 20.0
_WORD = re.compile(r"\w[\w'-]*")


@dataclass(frozen=True)
class TrueReward:
    """``100 s - 20 max(0, usual - m)``, in points; at most 100.

    s: VADER's compound sentiment, in [-1, 1], of the text in which every word counts only where it
        first stands, so that saying it again earns nothing.
    m: mean log-prob of the text's tokens under the untouched model, given the prompt.

    A text that the untouched model finds as likely, token by token, as its own samples, or
    likelier, loses nothing; heaps of positive words do.

    Attributes:
        usual: mean of m over the untouched model's own samples, in nats per token.
    """

    usual: float

    def __call__(self, texts: Sequence[str], original: LogProbs) -> np.ndarray:
        """Rewards of texts, shape (texts,).

        Args:
            texts: without their prompts.
            original: the texts' log-probs under the untouched model.
        """
        positive = np.array([sentiment.compound(once(text)) for text in texts])
        return POINTS * positive - PENALTY * np.maximum(0.0, self.usual - original.mean)


def once(text: str) -> str:
    """A text without the words that it has said before, whatever their case."""
    seen: set[str] = set()

    def first(found: re.Match[str]) -> str:
        word = found.group().lower()
        if word in seen:
            return ""
        seen.add(word)
        return found.group()

    return " ".join(_WORD.sub(first, text).split())


@dataclass(frozen=True)
class ReviewReward:
    """`TrueReward` by name; a `reward.Reward`."""

    name: str = "reviews"
    in_points: bool = True

    def facts(self) -> Mapping[str, str]:
        return {}  # as the caches of version 0.1.0 have it, which knew no other

    def contents(self) -> Mapping[str, str]:
        return {}

    def check(self, prompts: Sequence[Prompt]) -> None: ...

    def scorer(self, model: Any, tokenizer: Any, batch: int) -> Scorer:
        def score(said: Said, usual: float) -> np.ndarray:
            return TrueReward(usual)(said.texts, said.original)

        return score
