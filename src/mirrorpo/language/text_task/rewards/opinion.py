"""The untouched model's own opinion of a text as the reward: is it praise, or blame?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mirrorpo.preference_texts.prompts import Prompt

from .reward import Said, Scorer

QUESTION = "\nSentiment:"
GOOD, BAD = " positive", " negative"
PENALTY = 0.5
"""Per nat: against the spread of the opinions of SmolLM2-135M what 20 points are on reviews."""


@dataclass(frozen=True)
class OpinionReward:
    """``log p(" positive") - log p(" negative")`` under the untouched model, in nats.

    It is asked after prompt, completion and `QUESTION`: a classifier of sentiment that needs no
    training and no word list, so that what holds with `TrueReward` can be seen to hold with
    another measure of the same quality. An unlikely text loses as much as there:
    `PENALTY` max(0, usual - m), with m and `usual` as in `TrueReward`. A `reward.Reward`.
    """

    name: str = "opinion"
    in_points: bool = False

    def facts(self) -> Mapping[str, str]:
        return {"reward": f"{self.name}: {QUESTION}{GOOD} or{BAD}"}

    def contents(self) -> Mapping[str, str]:
        return {}

    def check(self, prompts: Sequence[Prompt]) -> None: ...

    def scorer(self, model: Any, tokenizer: Any, batch: int) -> Scorer:
        from mirrorpo.language.models import log_probs

        def score(said: Said, usual: float) -> np.ndarray:
            whole = zip(said.begun, said.texts, strict=True)
            asked = [f"{begun}{text}{QUESTION}" for begun, text in whole]
            good, bad = (
                log_probs.measure(model, tokenizer, asked, [answer] * len(asked), batch).total
                for answer in (GOOD, BAD)
            )
            return good - bad - PENALTY * np.maximum(0.0, usual - said.original.mean)

        return score
