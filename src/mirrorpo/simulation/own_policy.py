"""Policies of the user's, from a file of code: observations in, actions out, in batches."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mirrorpo import user_functions
from mirrorpo.objectives import user_files
from mirrorpo.simulation import brax_robots
from mirrorpo.simulation.policy import Policy


@dataclass(frozen=True)
class OwnPolicy:
    """A function of NumPy arrays as a policy. Its noise, if any, is its own.

    Attributes:
        name: ``FILE.py:FUNCTION``.
        code: what tells one content of the file from another.
    """

    name: str
    code: str
    _act: Callable[[np.ndarray], Any] = field(repr=False, compare=False)

    @classmethod
    def load(cls, name: str, option: str) -> "OwnPolicy":
        """The policy of ``FILE.py:FUNCTION``; arguments and errors as `user_functions.load`."""
        brax_robots.import_quietly()  # which the file may import
        act = user_functions.load(name, "policy", option)
        return cls(name, user_functions.digest(name), act)

    def act(self, observations: np.ndarray, action_size: int) -> np.ndarray:
        """Actions, shape (episodes, actions), float32.

        Args:
            observations: shape (episodes, observations), float32, not normalised.
            action_size: numbers of an action of the task.

        Raises:
            ValueError: the function fails, or gives another shape, or numbers that are not finite.
        """
        try:
            actions = np.asarray(self._act(observations), np.float32)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise ValueError(f"{self.name} fails: {user_files.one_line(error):.300}") from error
        wanted = (len(observations), action_size)
        if actions.shape == wanted[:1] and action_size == 1:
            actions = actions[:, None]
        if actions.shape != wanted:
            raise ValueError(
                f"{self.name} gives actions of shape {actions.shape} for {len(observations)} "
                f"observations, but must give {wanted}: one row per observation."
            )
        if not np.isfinite(actions).all():
            raise ValueError(f"{self.name} gives an action that is not finite.")
        return actions


Actor = Policy | OwnPolicy
