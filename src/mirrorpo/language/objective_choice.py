"""The objective that a user names."""

import os
from pathlib import Path

from mirrorpo import objectives
from mirrorpo.objectives import Objective, found


def choose(objective: Objective | str | os.PathLike[str]) -> Objective:
    """An objective, one of the zoo or a shipped discovery by its name, or a saved one by its file.

    Raises:
        ValueError: an unknown name, a file that is no saved objective, or something else.
        OSError: no such file.
    """
    if isinstance(objective, Objective):
        return objective
    if isinstance(objective, os.PathLike) or (
        isinstance(objective, str) and objective.endswith((".json", ".safetensors"))
    ):
        return objectives.load(Path(objective))
    if isinstance(objective, str):
        own = found.shipped()
        return objectives.load(own[objective]) if objective in own else objectives.get(objective)
    raise ValueError(
        f"objective is a {type(objective).__name__}: pass an Objective, a name such as 'ta-mpo', "
        "or the file of a saved objective."
    )
