"""Tasks of Gymnasium: the environment steps in Python, in batches; the policy is compiled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mirrorpo.objectives import user_files

if TYPE_CHECKING:
    import gymnasium

BACKEND = "gymnasium"
UNLIMITED = 1000
"""Steps of an episode of an environment that names no limit of its own."""

Maker = Callable[[], "gymnasium.Env"]


@dataclass(frozen=True)
class GymTask:
    """A Gymnasium environment as a task: flat observations, one vector of actions, a true reward.

    A policy gives an action in [-1, 1], which the task scales to the environment's bounds; or,
    where actions are discrete, the number of a choice, counted from 0.

    Attributes:
        name: ``gym:ID``, or ``FILE.py:FUNCTION``.
        episode_length: number of steps after which an episode is cut.
        code: what tells one content of the user's file from another; None for ``gym:ID``.
        observation_size: numbers of an observation.
        action_size: numbers of an action.
        choices: number of discrete actions; None for a vector of real numbers.
        backend: the backend of every such task.
    """

    name: str
    episode_length: int
    code: str | None
    observation_size: int
    action_size: int
    choices: int | None
    _low: tuple[float, ...] = field(repr=False)
    _high: tuple[float, ...] = field(repr=False)
    _make: Maker = field(repr=False, compare=False, hash=False)

    backend: ClassVar[str] = BACKEND
    penalty: ClassVar[None] = None

    @classmethod
    def of(
        cls, name: str, make: Maker, episode_length: int | None = None, code: str | None = None
    ) -> GymTask:
        """The task of an environment.

        Args:
            name: the name of the task.
            make: returns a new environment each time.
            episode_length: steps after which an episode is cut; None for the environment's own
                limit, or `UNLIMITED` where it has none.
            code: see the attributes.

        Raises:
            ValueError: spaces that no policy here fits, or a longer episode than the environment's.
        """
        env = make()
        try:
            size = _observation_size(name, env.observation_space)
            choices = _choices(env.action_space)
            low, high = _bounds(name, env.action_space)
            limit = _limit(env)
        finally:
            env.close()
        if episode_length is not None and episode_length < 1:
            raise ValueError(f"episode_length must be at least 1, not {episode_length}.")
        if limit is not None and episode_length is not None and episode_length > limit:
            raise ValueError(
                f"Task {name}: episodes end after {limit} steps by themselves, so none has "
                f"{episode_length}."
            )
        steps = episode_length or limit or UNLIMITED
        return cls(name, steps, code, size, len(low), choices, tuple(low), tuple(high), make)

    def make(self) -> gymnasium.Env:
        """A new environment.

        Raises:
            ValueError: it cannot be made.
        """
        return self._make()

    def scaled(self, actions: np.ndarray) -> np.ndarray:
        """A policy's actions, shape (slots, actions), as the environment takes them.

        They are clipped to [-1, 1] and in its units. Where they are discrete, they are its numbers,
        shape (slots,).
        """
        if self.choices is not None:
            return np.round(actions[:, 0]).astype(np.int64) + int(self._low[0])
        low, high = np.asarray(self._low, np.float32), np.asarray(self._high, np.float32)
        clipped = np.clip(actions, -1.0, 1.0).astype(np.float32)
        # Exact where the bounds are -1 and 1; elsewhere rounding may pass a bound.
        return np.clip(0.5 * (high + low) + 0.5 * (high - low) * clipped, low, high)


def gymnasium_module() -> Any:
    """Gymnasium.

    Raises:
        ValueError: it is not installed.
    """
    try:
        import gymnasium
    except ImportError as error:
        raise ValueError(
            f"This task needs Gymnasium, which cannot be imported ({user_files.one_line(error)}"
            "): pip install 'mirrorpo[gym]'."
        ) from error
    return gymnasium


def _limit(env: Any) -> int | None:
    """Steps after which an environment ends its episodes by itself; None where it does not say."""
    gym = gymnasium_module()
    if env.spec is not None and env.spec.max_episode_steps is not None:
        return int(env.spec.max_episode_steps)
    while isinstance(env, gym.Wrapper):
        if isinstance(env, gym.wrappers.TimeLimit):
            return int(env._max_episode_steps)
        env = env.env
    return None


def _observation_size(name: str, space: Any) -> int:
    spaces = gymnasium_module().spaces
    if isinstance(space, spaces.Box) and len(space.shape) == 1 and space.shape[0]:
        return int(space.shape[0])
    shape = f" of shape {space.shape}" if isinstance(space, spaces.Box) else ""
    raise ValueError(
        f"Task {name} has {type(space).__name__} observations{shape}, but a policy takes one flat "
        "vector: write a function that wraps the environment in "
        "gymnasium.wrappers.FlattenObservation, and name it by --task FILE.py:FUNCTION."
    )


def _choices(space: Any) -> int | None:
    return int(space.n) if isinstance(space, gymnasium_module().spaces.Discrete) else None


def _bounds(name: str, space: Any) -> tuple[np.ndarray, np.ndarray]:
    spaces = gymnasium_module().spaces
    if isinstance(space, spaces.Discrete):
        return np.array([space.start]), np.array([space.start + space.n - 1])
    if not isinstance(space, spaces.Box) or len(space.shape) != 1 or not space.shape[0]:
        raise ValueError(
            f"Task {name} has {type(space).__name__} actions, but a policy gives one vector of "
            "real numbers (a Box of one axis) or one choice (Discrete): choose another environment."
        )
    low, high = space.low.astype(np.float32), space.high.astype(np.float32)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise ValueError(
            f"Task {name} has actions without bounds, but a policy acts in [-1, 1]: write a "
            "function that wraps the environment in gymnasium.wrappers.RescaleAction or gives its "
            "action space bounds, and name it by --task FILE.py:FUNCTION."
        )
    return low, high
