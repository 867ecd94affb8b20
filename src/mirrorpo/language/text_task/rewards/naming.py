"""Rewards by name: built in, a function in a file of the user's, or a reward model."""

from pathlib import Path

from mirrorpo import near_names, task_names

from .opinion import OpinionReward
from .reviews import ReviewReward
from .reward import Reward
from .reward_model import ModelReward
from .user_function import FunctionReward

BUILT_IN: dict[str, Reward] = {one.name: one for one in (ReviewReward(), OpinionReward())}
_KINDS = (
    f"{', '.join(BUILT_IN)}, FILE.py:FUNCTION, or a reward model's folder or hub name (OWNER/NAME)"
)


def reward(text: str) -> Reward:
    """The reward of a name; what it needs is not loaded.

    Args:
        text: one of `BUILT_IN`; or, as the user typed it (see `UserText`), ``FILE.py:FUNCTION`` or
            a reward model's folder or hub name.

    Raises:
        ValueError: it is none of these.
    """
    if text in BUILT_IN:
        return BUILT_IN[text]
    if task_names.names_function(text):
        return FunctionReward(text)
    if Path(text).is_file():
        hint = f", as in {text}:score" if text.endswith(".py") else ""
        raise ValueError(f"The reward {text} is a file: name a function in it{hint}.")
    if Path(text).is_dir() or "/" in text.strip("/"):
        return ModelReward(text)
    hint = near_names.hint(text, BUILT_IN, most=1)
    raise ValueError(f"Unknown reward {text!r}.{hint} Rewards: {_KINDS}.")
