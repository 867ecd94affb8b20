"""The registry of tasks: brax environments with a known true reward, episodes of 1000 steps."""

import difflib
import math
from dataclasses import dataclass, field, fields, replace
from functools import cache, partial

import jax
import jax.numpy as jnp
from brax import envs
from brax.envs.base import Env, State

from mirrorpo.simulation.start_states import stand_on_floor

BACKENDS = ("positional", "mjx", "spring", "generalized")
EPISODE_LENGTH = 1000

LIMB_ACTIONS: dict[str, dict[str, tuple[int, ...]]] = {
    # brax's Ant lists its motors as hip_4, ankle_4, hip_1, ankle_1, hip_2, ankle_2, hip_3,
    # ankle_3 (assets/ant.xml); the table in its docstring starts with leg 1 and is wrong.
    "ant": {"leg_4": (0, 1), "leg_1": (2, 3), "leg_2": (4, 5), "leg_3": (6, 7)},
}
"""For each robot, the actions that drive each limb."""


@dataclass(frozen=True)
class LimbPenalty:
    """A stylistic constraint: -coefficient * sum of squared clipped actions of one limb, a step.

    Attributes:
        limb: name in `LIMB_ACTIONS` of the robot.
        coefficient: reward lost for each unit of squared action; finite, not negative.

    Raises:
        ValueError: the coefficient is out of range.
    """

    limb: str
    coefficient: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.coefficient) and self.coefficient >= 0):
            raise ValueError(
                f"The penalty's coefficient is {self.coefficient}; choose a finite number that is "
                "not negative."
            )


@dataclass(frozen=True)
class Task:
    """A robot, its physics and its true reward. Stateless: `reset` and `step` are pure.

    Attributes:
        name: the registered name.
        robot: brax's environment.
        backend: brax's physics engine.
        penalty: the stylistic constraint, if any.
        episode_length: number of steps after which an episode is cut.
    """

    name: str
    robot: str
    backend: str
    penalty: LimbPenalty | None = None
    episode_length: int = EPISODE_LENGTH
    _env: Env = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise ValueError(
                f"Task {self.name!r}: unknown backend {self.backend!r}; use one of "
                f"{', '.join(BACKENDS)}."
            )
        if self.episode_length < 1:
            raise ValueError(f"episode_length must be at least 1, not {self.episode_length}.")
        if self.penalty is not None:
            limbs = LIMB_ACTIONS.get(self.robot, {})
            if self.penalty.limb not in limbs:
                raise ValueError(
                    f"Robot {self.robot!r} has no limb {self.penalty.limb!r}; it has "
                    f"{', '.join(limbs) or 'none listed'}."
                )
        object.__setattr__(self, "_env", _brax_env(self.robot, self.backend))

    def __reduce__(self) -> tuple:
        # The simulator is made anew in the process that receives the task.
        return type(self), tuple(getattr(self, one.name) for one in fields(self) if one.init)

    @property
    def observation_size(self) -> int:
        return _observation_size(self.robot, self.backend)

    @property
    def action_size(self) -> int:
        return int(self._env.action_size)

    @property
    def env(self) -> Env:
        """brax's environment, without the penalty, clipping or an episode's end."""
        return self._env

    def reset(self, key: jax.Array) -> State:
        """The start state of one episode, drawn by `key`."""
        return self._env.reset(key)

    def step(self, state: State, action: jax.Array) -> State:
        """One step of one robot. `action`, motor commands of shape (actions,), is clipped to
        [-1, 1] first; the reward includes the penalty. `done` tells a fall, not the end of the
        time."""
        action = jnp.clip(action, -1.0, 1.0)
        state = self._env.step(state, action)
        if self.penalty is None:
            return state
        used = action[jnp.array(LIMB_ACTIONS[self.robot][self.penalty.limb])]
        return state.replace(reward=state.reward - self.penalty.coefficient * jnp.sum(used**2))


@cache
def _brax_env(robot: str, backend: str) -> Env:
    return stand_on_floor(envs.get_environment(robot, backend=backend))


@cache
def _observation_size(robot: str, backend: str) -> int:
    """Once a robot: every evaluation asks, and tracing a reset takes a quarter of a second."""
    # brax's own property runs a reset, operation by operation; its shape is enough.
    reset = _brax_env(robot, backend).reset
    return int(jax.eval_shape(reset, jax.random.key(0)).obs.shape[-1])


_REGISTRY: dict[str, partial[Task]] = {}


def register(
    name: str,
    robot: str,
    backend: str,
    penalty: LimbPenalty | None = None,
) -> None:
    """Add a task. `backend` is its default physics engine; `load` can choose another.

    Raises:
        ValueError: the name is taken.
    """
    if name in _REGISTRY:
        raise ValueError(f"A task named {name!r} is registered already.")
    _REGISTRY[name] = partial(Task, name=name, robot=robot, backend=backend, penalty=penalty)


def available() -> tuple[str, ...]:
    """The names of the registered tasks."""
    return tuple(sorted(_REGISTRY))


def load(
    name: str,
    backend: str | None = None,
    episode_length: int = EPISODE_LENGTH,
    penalty_coefficient: float | None = None,
) -> Task:
    """A task by name.

    Args:
        name: one of `available()`.
        backend: brax's physics engine; None for the task's default.
        episode_length: steps after which an episode is cut.
        penalty_coefficient: in place of the coefficient of the task's penalty; None for its own.

    Raises:
        ValueError: unknown task or backend, with the near names; a coefficient for a task without
            a penalty, or one that is negative or not finite.
    """
    if name not in _REGISTRY:
        near = difflib.get_close_matches(name, _REGISTRY, n=3, cutoff=0.4)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise ValueError(f"Unknown task {name!r}.{hint} Tasks: {', '.join(available())}.")
    chosen = {} if backend is None else {"backend": backend}
    task = _REGISTRY[name](episode_length=episode_length, **chosen)
    if penalty_coefficient is None:
        return task
    if task.penalty is None:
        raise ValueError(
            f"Task {name!r} has no penalty, so it takes no penalty coefficient: leave it out, or "
            f"choose a task with a penalty ({', '.join(with_penalty())})."
        )
    return replace(task, penalty=replace(task.penalty, coefficient=penalty_coefficient))


def with_penalty() -> tuple[str, ...]:
    """The names of the registered tasks that have a penalty."""
    return tuple(name for name in available() if _REGISTRY[name].keywords["penalty"] is not None)


register("ant", "ant", backend="positional")
register("tla", "ant", backend="positional", penalty=LimbPenalty("leg_4", coefficient=4.3))
register("hopper", "hopper", backend="positional")
register("walker2d", "walker2d", backend="positional")
register("halfcheetah", "halfcheetah", backend="positional")
