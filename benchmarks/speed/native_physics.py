"""MuJoCo's own multi-threaded rollout of a task's model: physics alone.

There is no policy, no observation and no reward: controls are drawn beforehand, and hold for one
environment step each.
"""

import copy
from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np
from mujoco.rollout import Rollout

from mirrorpo.runtime.devices import available_cores
from mirrorpo.simulation.tasks import Task

from .timing import timed


def measure(task: Task, agents: int, episodes: int, least_seconds: float) -> dict[str, Any]:
    """Environment steps a second, with a thread for each core.

    Args:
        task: its episode length is rolled out.
        agents: whose evaluation is stood in for, one rollout each.
        episodes: the number per agent, rolled out together.
        least_seconds: see `timed`.
    """
    model = model_of(task)
    if model is None:
        return {"note": f"cannot state this task: {task.name} has no MuJoCo model"}
    frames = frames_of(task)
    steps = agents * episodes * task.episode_length
    with Rollout(nthread=available_cores()) as pool:
        roll_out = stepper(pool, model, controls(model, episodes, task.episode_length), frames)
        seconds = timed(lambda: [roll_out() for _ in range(agents)], least_seconds).fastest
    return {"steps_a_second": steps / seconds, "physics_steps_a_second": steps * frames / seconds}


def model_of(task: Task) -> mujoco.MjModel | None:
    """The MuJoCo model that brax reads the task from, with the task's time step; None where it
    reads none."""
    system = getattr(task.env, "sys", None)
    if getattr(system, "mj_model", None) is None:
        return None
    model = copy.deepcopy(system.mj_model)
    # brax gives its positional back end a shorter step than the file does, and more of them.
    model.opt.timestep = float(system.opt.timestep)
    return model


def frames_of(task: Task) -> int:
    """Physics steps of one environment step."""
    return round(float(task.env.dt) / float(task.env.sys.opt.timestep))


def controls(model: mujoco.MjModel, episodes: int, steps: int, seed: int = 0) -> np.ndarray:
    """Uniform motor commands in [-1, 1], shape (episodes, steps, motors), float64."""
    return np.random.default_rng(seed).uniform(-1, 1, (episodes, steps, model.nu))


def stepper(
    pool: Rollout, model: mujoco.MjModel, commands: np.ndarray, frames: int
) -> Callable[[], np.ndarray]:
    """A function that rolls all episodes out from the model's start.

    It returns the full physics states after each physics step, shape (episodes, steps * frames,
    state), float64: the same array at each call.
    """
    full = mujoco.mjtState.mjSTATE_FULLPHYSICS
    start = np.empty(mujoco.mj_stateSize(model, full))
    data = [mujoco.MjData(model) for _ in range(max(pool.nthread, 1))]
    mujoco.mj_getState(model, data[0], start, full)
    held = np.repeat(commands, frames, axis=1)
    states = np.empty((*held.shape[:2], start.size))
    sensors = np.empty((*held.shape[:2], model.nsensordata))

    def roll_out() -> np.ndarray:
        pool.rollout(model, data, start, held, state=states, sensordata=sensors)
        return states

    return roll_out
