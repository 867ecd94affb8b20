"""Tasks by name: brax's robots with a known true reward, and environments of other libraries.

A `Task` is compiled whole, a `GymTask` steps in Python; `AnyTask` is either.
"""

from __future__ import annotations

import copyreg
import math
from dataclasses import dataclass, field, fields, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeGuard

import jax
import jax.numpy as jnp

from mirrorpo import limits, near_names, task_names, user_functions
from mirrorpo.simulation import brax_robots, libraries
from mirrorpo.simulation.brax_robots import Sizes
from mirrorpo.simulation.gym_task import GymTask
from mirrorpo.task_names import Origin
from mirrorpo.user_text import UserText

if TYPE_CHECKING:
    from brax.envs.base import Env, State

BACKENDS = ("positional", "mjx", "spring", "generalized")
EPISODE_LENGTH = 1000

LIMB_ACTIONS: dict[str, dict[str, tuple[int, ...]]] = {
    # brax's Ant lists its motors as hip_4, ankle_4, hip_1, ankle_1, hip_2, ankle_2, hip_3,
    # ankle_3 (assets/ant.xml); the table in its docstring starts with leg 1 and is wrong.
    "ant": {"leg_4": (0, 1), "leg_1": (2, 3), "leg_2": (4, 5), "leg_3": (6, 7)}
}
"""For each robot, the actions that drive each limb."""


@dataclass(frozen=True)
class LimbPenalty:
    """A stylistic constraint: a step costs coefficient * sum of squared clipped actions of a limb.

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

    def cost(self, robot: str, action: jax.Array) -> jax.Array:
        """What one step of a robot loses by clipped motor commands, shape (actions,)."""
        used = action[jnp.array(LIMB_ACTIONS[robot][self.limb])]
        return self.coefficient * jnp.sum(used**2)


@dataclass(frozen=True)
class Task:
    """A robot, its physics and its true reward. Stateless: `reset` and `step` are pure.

    Attributes:
        name: the name by which `load` finds it.
        robot: brax's environment; or ``playground:NAME``, or ``FILE.py:FUNCTION#CODE``.
        backend: the physics engine.
        penalty: the stylistic constraint, if any.
        episode_length: number of steps after which an episode is cut.
    """

    name: str
    robot: str
    backend: str
    penalty: LimbPenalty | None = None
    episode_length: int = EPISODE_LENGTH
    _env: Env | None = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise ValueError(
                f"Task {self.name!r}: unknown backend {self.backend!r}; use one of "
                f"{', '.join(BACKENDS)}."
            )
        limits.at_least(1, episode_length=self.episode_length)
        if self.penalty is not None:
            limbs = LIMB_ACTIONS.get(self.robot, {})
            if self.penalty.limb not in limbs:
                raise ValueError(
                    f"Robot {self.robot!r} has no limb {self.penalty.limb!r}; it has "
                    f"{', '.join(limbs) or 'none listed'}."
                )
        later = brax_robots.is_untouched(self.robot)
        env = None if later else _environment(self.robot, self.backend)
        object.__setattr__(self, "_env", env)

    def __reduce__(self) -> tuple[Any, ...]:
        # The simulator is made anew in the process that receives the task.
        return type(self), tuple(getattr(self, one.name) for one in fields(self) if one.init)

    @property
    def choices(self) -> None:
        """Number of discrete actions: a compiled task takes real numbers."""
        return None

    @property
    def code(self) -> str | None:
        """Digest of the user's file that defines the task; None for any other task."""
        return self.robot.partition("#")[2] or None

    @property
    def observation_size(self) -> int:
        """Numbers of an observation."""
        return _sizes(self.robot, self.backend).observation

    @property
    def action_size(self) -> int:
        """Numbers of an action."""
        return _sizes(self.robot, self.backend).action

    @property
    def env(self) -> Env:
        """The environment, without the penalty, clipping or an episode's end."""
        return _environment(self.robot, self.backend) if self._env is None else self._env

    @property
    def is_of_brax(self) -> bool:
        """Whether the environment is brax's own code, whose version tells what it does."""
        return brax_robots.is_untouched(self.robot) or _is_of_brax(self.env)

    def reset(self, key: jax.Array) -> State:
        """The start state of one episode, drawn by `key`."""
        return self.env.reset(key)

    def step(self, state: State, action: jax.Array) -> State:
        """One step of one robot.

        `action`, motor commands of shape (actions,), is clipped to [-1, 1] first; the reward
        includes the penalty. `done` tells a fall, not the end of the time.
        """
        action = jnp.clip(action, -1.0, 1.0)
        state = self.env.step(state, action)
        if self.penalty is None:
            return state
        return state.replace(reward=state.reward - self.penalty.cost(self.robot, action))


AnyTask = Task | GymTask


def _by_name(task: GymTask) -> tuple[Any, ...]:
    """How a task goes to another process, which makes the environment anew."""
    return load, (task.name, None, task.episode_length)


copyreg.pickle(GymTask, _by_name)


def is_compiled(task: AnyTask) -> TypeGuard[Task]:
    """Whether JAX compiles the task's steps, or they are taken in Python."""
    return isinstance(task, Task)


def _environment(robot: str, backend: str) -> Env:
    source = task_names.origin(robot.partition("#")[0])
    if source is Origin.PLAYGROUND:
        return libraries.playground(robot)[0]
    return _user_env(robot) if source is Origin.FILE else _brax_env(robot, backend)


@cache
def _brax_env(robot: str, backend: str) -> Env:
    return brax_robots.environment(robot, backend)


@cache
def _user_env(robot: str) -> Env:
    text, _, code = robot.partition("#")
    if user_functions.digest(text) != code:
        raise ValueError(f"The file of the task {text} has changed: run the command again.")
    return libraries.made(UserText(text))


def _is_of_brax(env: Env) -> bool:
    return type(env).__module__.startswith("brax.envs.")


@cache
def _sizes(robot: str, backend: str) -> Sizes:
    """Once a robot: every evaluation asks, and tracing a reset takes half a second."""
    if brax_robots.is_untouched(robot):
        return brax_robots.SIZES[robot]
    env = _environment(robot, backend)
    if _is_of_brax(env) and robot in brax_robots.SIZES:
        return brax_robots.SIZES[robot]
    # brax's own property runs a reset, operation by operation; its shape is enough.
    reset = env.reset
    seen = int(jax.eval_shape(reset, jax.random.key(0)).obs.shape[-1])
    return Sizes(seen, int(env.action_size))


_REGISTRY: dict[str, partial[Task]] = {}


def register(name: str, robot: str, backend: str, penalty: LimbPenalty | None = None) -> None:
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
    episode_length: int | None = None,
    penalty_coefficient: float | None = None,
) -> AnyTask:
    """A task by name.

    Args:
        name: one of `available()`; ``gym:ID``, an environment of Gymnasium; ``playground:NAME``,
            one of MuJoCo Playground; or ``FILE.py:FUNCTION``, whose function returns an
            environment of either or of brax. A file's name must be a `UserText`.
        backend: physics engine; None for the task's default.
        episode_length: steps after which an episode is cut; None for the task's own.
        penalty_coefficient: in place of the coefficient of the task's penalty; None for its own.

    Raises:
        ValueError: unknown task or backend, with the near names; an environment that cannot be
            made, or that no policy here fits; a coefficient for a task without a penalty, or one
            that is negative or not finite.
    """
    task = _load(name, backend, episode_length)
    if penalty_coefficient is None:
        return task
    if task.penalty is None:
        raise ValueError(
            f"Task {name!r} has no penalty, so it takes no penalty coefficient: leave it out, or "
            f"choose a task with a penalty ({', '.join(with_penalty())})."
        )
    assert is_compiled(task)  # no other has a penalty
    return replace(task, penalty=replace(task.penalty, coefficient=penalty_coefficient))


def contents(task: AnyTask | None) -> dict[str, str]:
    """The digest of a task that is code, as a run folder keeps it; none of any other task."""
    return {} if task is None or task.code is None else {"task": task.code}


def on_card(task: AnyTask) -> dict[str, Any]:
    """What the card of a dataset says of its task; `study.recorded.task_on` loads it from there."""
    about = {
        "task": task.name,
        "backend": task.backend,
        "episode_length": task.episode_length,
    }
    return about if task.code is None else {**about, "code": task.code}


def robot(
    name: str, purpose: str, backend: str | None = None, episode_length: int | None = None
) -> Task:
    """One of MirrorPO's own robots by name.

    Args:
        name: the name of the task.
        purpose: what the robot is needed for, as in "drawn", for the message.
        backend: see `load`.
        episode_length: see `load`.

    Raises:
        ValueError: as `load`, and for a task of another library.
    """
    if task_names.origin(name) is Origin.OWN:
        return _own(name, backend, EPISODE_LENGTH if episode_length is None else episode_length)
    raise ValueError(
        f"Task {name} cannot be {purpose}: only MirrorPO's own robots can "
        f"({', '.join(available())})."
    )


def _load(name: str, backend: str | None, episode_length: int | None) -> AnyTask:
    source = task_names.origin(name)
    if source is Origin.OWN:
        return _own(name, backend, EPISODE_LENGTH if episode_length is None else episode_length)
    task: AnyTask
    if source is Origin.GYM:
        task = libraries.gym_task(name, episode_length)
    elif source is Origin.PLAYGROUND:
        _, steps = libraries.playground(name)
        steps = steps if episode_length is None else episode_length
        task = Task(name, name, libraries.PLAYGROUND_BACKEND, None, steps)
    else:
        env = libraries.made(name)
        if libraries.is_gym(env):
            task = libraries.user_gym_task(name, env, episode_length)
        else:
            libraries.check(name, env)
            robot = f"{name}#{user_functions.digest(name)}"
            own = libraries.own_length(env) or EPISODE_LENGTH
            steps = own if episode_length is None else episode_length
            # An environment of brax says what it runs on; one of Playground need not.
            own_backend = getattr(env, "backend", libraries.PLAYGROUND_BACKEND)
            task = Task(name, robot, own_backend, None, steps)
    if backend not in (None, task.backend):
        raise ValueError(f"Task {name} has no choice of a backend: leave --backend out.")
    return task


def _own(name: str, backend: str | None, episode_length: int) -> Task:
    if name not in _REGISTRY:
        hint = near_names.hint(name, _REGISTRY)
        raise ValueError(
            f"Unknown task {name!r}.{hint} Tasks: {', '.join(available())}; and gym:ID, "
            "playground:NAME and FILE.py:FUNCTION."
        )
    chosen = {} if backend is None else {"backend": backend}
    return _REGISTRY[name](episode_length=episode_length, **chosen)


def with_penalty() -> tuple[str, ...]:
    """The names of the registered tasks that have a penalty."""
    return tuple(name for name in available() if _REGISTRY[name].keywords["penalty"] is not None)


register("ant", "ant", backend="positional")
register("tla", "ant", backend="positional", penalty=LimbPenalty("leg_4", coefficient=4.3))
register("hopper", "hopper", backend="positional")
register("walker2d", "walker2d", backend="positional")
register("halfcheetah", "halfcheetah", backend="positional")
