"""Environments by name of their library, and by a function of the user's."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

import jax

from mirrorpo import near_names, user_functions
from mirrorpo.objectives import user_files
from mirrorpo.simulation import brax_robots
from mirrorpo.simulation.gym_task import GymTask, gymnasium_module
from mirrorpo.user_text import UserText

if TYPE_CHECKING:
    import gymnasium

PLAYGROUND_BACKEND = "mjx"


def gym_task(name: str, episode_length: int | None) -> GymTask:
    """The task ``gym:ID``.

    Raises:
        ValueError: an unknown environment, with the near names; one that cannot be made or that
            no policy here fits; Gymnasium is missing.
    """
    gym = gymnasium_module()
    asked = name.removeprefix("gym:")
    module, colon, bare = asked.rpartition(":")
    if colon and not isinstance(name, UserText):
        raise ValueError(
            f"The task {name} imports the module {module}, and a file that is read may not name "
            f"code to run: name it yourself, by --task {name}."
        )
    if (
        not colon
        and asked not in gym.registry
        and _without_version(asked) not in {_without_version(known) for known in gym.registry}
    ):
        raise ValueError(_unknown(name, "gym:", bare, gym.registry))

    def make() -> gymnasium.Env:
        try:
            env: gymnasium.Env = gym.make(asked, disable_env_checker=True)
        except ImportError as error:
            raise _missing(name, "gym", error) from error
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise ValueError(
                f"Task {name} cannot be made: {user_files.one_line(error):.300}"
            ) from error
        return env

    return GymTask.of(name, make, episode_length)


@cache
def playground(name: str) -> tuple[Any, int]:
    """The environment ``playground:NAME`` on MJX's own physics, and the steps of its episodes.

    Raises:
        ValueError: an unknown environment, with the near names; one that cannot be made or that
            no policy here fits; MuJoCo Playground is missing.
    """
    brax_robots.import_quietly()  # Playground imports MJX
    try:
        from mujoco_playground import registry
    except ImportError as error:
        raise _missing(name, "playground", error) from error
    asked = name.removeprefix("playground:")
    if asked not in registry.ALL_ENVS:
        raise ValueError(_unknown(name, "playground:", asked, registry.ALL_ENVS))
    config = registry.get_default_config(asked)
    if config.get("action_repeat", 1) != 1:
        raise ValueError(
            f"Task {name} repeats each action {config.action_repeat} times, which is not "
            "supported: choose another task."
        )
    # Warp, the default of some tasks, needs a GPU; JAX's own physics runs everywhere.
    overrides = {"impl": "jax"} if "impl" in config else {}
    try:
        env = registry.load(asked, config_overrides=overrides)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise ValueError(
            f"Task {name} cannot be made: {user_files.one_line(error):.300}. Tasks of robots "
            "need MuJoCo Menagerie, which Playground downloads with git at first use."
        ) from error
    check(name, env)
    return env, int(config.episode_length)


def made(name: str) -> Any:
    """What the function ``FILE.py:FUNCTION`` returns.

    That is an environment of Gymnasium, MuJoCo Playground or brax.

    Raises:
        ValueError: the file or the function fails, or returns something else.
    """
    brax_robots.import_quietly()  # which the file may import
    function = user_functions.load(name, "task", "--task")
    try:
        env = function()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise ValueError(f"{name} fails: {user_files.one_line(error):.300}") from error
    if is_gym(env) or all(hasattr(env, one) for one in ("reset", "step", "action_size")):
        return env
    raise ValueError(
        f"{name} returns {type(env).__name__}: it must return an environment of Gymnasium "
        "(gymnasium.Env), MuJoCo Playground (MjxEnv) or brax (brax.envs.Env)."
    )


def user_gym_task(name: str, first: Any, episode_length: int | None) -> GymTask:
    """The task of a function of the user's that returns Gymnasium environments.

    Args:
        name: ``FILE.py:FUNCTION``.
        first: what the function returned.
        episode_length: see `GymTask.of`.

    Raises:
        ValueError: as `GymTask.of`, or a function that returns the same environment again.
    """

    def make() -> gymnasium.Env:
        env: gymnasium.Env = made(name)
        if env is first:
            raise ValueError(
                f"{name} returns the same environment again: it must make a new one at each call, "
                "since several episodes run side by side."
            )
        return env

    return GymTask.of(name, make, episode_length, user_functions.digest(name))


def is_gym(env: Any) -> bool:
    """Whether an object is a Gymnasium environment. Does not import Gymnasium for it."""
    return any(one.__module__.partition(".")[0] == "gymnasium" for one in type(env).__mro__)


def own_length(env: Any) -> int | None:
    """Steps of an episode that the settings of an environment of MuJoCo Playground name."""
    steps = getattr(getattr(env, "_config", None), "episode_length", None)
    return steps if isinstance(steps, int) else None


def check(name: str, env: Any) -> None:
    """Raise ValueError where a compiled environment is not one that a policy here fits.

    Such an environment cannot be traced, or its observations are not one flat vector.
    """
    try:
        state = jax.eval_shape(env.reset, jax.random.key(0))
        state = jax.eval_shape(env.step, state, jax.ShapeDtypeStruct((env.action_size,), "float32"))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise ValueError(
            f"Task {name} cannot be compiled by JAX: {user_files.one_line(error):.300}"
        ) from error
    missing = [one for one in ("obs", "reward", "done") if not hasattr(state, one)]
    if missing:
        raise ValueError(f"Task {name}: its state has no {' and no '.join(missing)}.")
    shape = getattr(state.obs, "shape", None)
    if shape is None or len(shape) != 1:
        kind = f"of shape {shape}" if shape is not None else f"as {type(state.obs).__name__}"
        raise ValueError(
            f"Task {name} has observations {kind}, but a policy takes one flat vector: write a "
            "function that wraps the environment, and name it by --task FILE.py:FUNCTION."
        )


def _missing(name: str, extra: str, error: Exception) -> ValueError:
    return ValueError(
        f"Task {name} needs a package that cannot be imported "
        f"({user_files.one_line(error):.200}): pip install 'mirrorpo[{extra}]'."
    )


def _unknown(name: str, prefix: str, asked: str, known: Iterable[str]) -> str:
    near = near_names.nearest(asked, known, cutoff=0.5)
    hint = f" Did you mean {' or '.join(prefix + one for one in near)}?" if near else ""
    return f"Unknown task {name!r}: its library has no environment {asked!r}.{hint}"


def _without_version(asked: str) -> str:
    return asked.rpartition("-v")[0] or asked
