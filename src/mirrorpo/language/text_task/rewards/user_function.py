"""A user's function as the reward: lists of prompts and completions in, one number each out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mirrorpo import user_functions
from mirrorpo.objectives import user_files
from mirrorpo.preference_texts.place import found, quoted
from mirrorpo.preference_texts.prompts import Prompt

from .reward import Said, Scorer

OPTION = "--reward"
_TRIAL = (" A first sentence, and a second one.", "")


@dataclass(frozen=True)
class FunctionReward:
    """``FILE.py:FUNCTION``, which the user typed, and is run as code; a `reward.Reward`."""

    name: str
    in_points: bool = False

    def facts(self) -> Mapping[str, str]:
        function = self.name.rpartition(":")[2]
        return {"reward": function, "reward_code": user_functions.digest(self.name)}

    def contents(self) -> Mapping[str, str]:
        return {self.name: user_functions.digest(self.name)}

    def check(self, prompts: Sequence[Prompt]) -> None:
        """Load the function and call it once, on two prompts and two texts, one of them empty."""
        self._scores(self._load(), prompts[: len(_TRIAL)], _TRIAL[: len(prompts)])

    def scorer(self, model: Any, tokenizer: Any, batch: int) -> Scorer:
        function = self._load()

        def score(said: Said, usual: float) -> np.ndarray:
            parts = [
                self._scores(
                    function, said.prompts[first : first + batch], said.texts[first : first + batch]
                )
                for first in range(0, len(said.texts), batch)
            ]
            return np.concatenate(parts)

        return score

    def _load(self) -> Callable[..., Any]:
        return user_functions.load(self.name, "reward", OPTION)

    def _scores(
        self, function: Callable[..., Any], prompts: Sequence[Prompt], texts: Sequence[str]
    ) -> np.ndarray:
        try:
            values = function([prompt.plain for prompt in prompts], list(texts))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise ValueError(
                f"{self.name} fails on {len(texts)} completions, beginning with "
                f"{quoted(texts[0])}: {user_files.one_line(error):.300}"
            ) from error
        return finite_rewards(values, texts, self.name)


def finite_rewards(values: Any, texts: Sequence[str], name: str) -> np.ndarray:
    """What a reward returned as an array of finite numbers, shape (texts,), float64.

    Args:
        values: a list, a tuple, or a one-dimensional array or tensor.
        texts: the texts that it scored.
        name: the name of the reward, for messages.

    Raises:
        ValueError: anything else, another length, or a number that is not finite.
    """
    wanted = f"{name} must return one number per completion, a list of {len(texts)}"
    if hasattr(values, "detach"):  # a tensor of PyTorch
        values = values.detach().cpu().tolist()
    if isinstance(values, np.ndarray):
        if values.ndim != 1:
            raise ValueError(f"{wanted}, not an array of shape {values.shape}.")
        values = values.tolist()
    if not isinstance(values, list | tuple):
        raise ValueError(f"{wanted}, not {found(values)}.")
    if len(values) != len(texts):
        raise ValueError(f"{wanted}, not of {len(values)}.")
    made = np.empty(len(texts))
    for position, (value, text) in enumerate(zip(values, texts, strict=True)):
        is_text = isinstance(value, str | bytes)
        try:
            made[position] = np.nan if is_text else float(value)
        except (TypeError, ValueError, OverflowError):
            is_text = True
        if is_text:
            raise ValueError(
                f"{name} returned {found(value)} for the completion {quoted(text)}: a reward is a "
                "finite number."
            )
        if not np.isfinite(made[position]):
            raise ValueError(
                f"{name} returned {made[position]} for the completion {quoted(text)}: a reward is "
                "a finite number."
            )
    return made
