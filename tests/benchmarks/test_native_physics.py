"""MuJoCo's own rollout: the task's model and time step, every step of every episode."""

import mujoco
import numpy as np
from benchmarks.speed import native_physics
from mujoco.rollout import Rollout

from mirrorpo.simulation import tasks
from mirrorpo.simulation.tasks import Task


def test_an_environment_step_lasts_as_long_as_the_tasks():
    for backend in ("positional", "mjx"):
        task = tasks.load("halfcheetah", backend)
        model = native_physics.model_of(task)
        lasts = native_physics.frames_of(task) * model.opt.timestep
        np.testing.assert_allclose(lasts, float(task.env.dt), rtol=1e-6)


def test_brax_keeps_its_own_model():
    task = tasks.load("halfcheetah")
    before = task.env.sys.mj_model.opt.timestep
    native_physics.model_of(task).opt.timestep = 1.0
    assert task.env.sys.mj_model.opt.timestep == before


def test_a_rollout_is_mujocos_steps_one_after_another():
    task = tasks.load("halfcheetah")
    model, frames = native_physics.model_of(task), native_physics.frames_of(task)
    commands = native_physics.controls(model, episodes=3, steps=4)
    with Rollout(nthread=2) as pool:
        found = native_physics.stepper(pool, model, commands, frames)()
    full = mujoco.mjtState.mjSTATE_FULLPHYSICS
    for states, episode in zip(found, commands, strict=True):
        data, expected = mujoco.MjData(model), []
        for command in episode:
            data.ctrl[:] = command
            for _ in range(frames):
                mujoco.mj_step(model, data)
                expected.append(np.empty(states.shape[-1]))
                mujoco.mj_getState(model, data, expected[-1], full)
        np.testing.assert_array_equal(states, expected)


def test_the_rate_counts_environment_steps_and_physics_steps():
    task = tasks.load("halfcheetah", episode_length=4)
    found = native_physics.measure(task, agents=2, episodes=3, least_seconds=0.0)
    assert found["steps_a_second"] > 0
    ratio = found["physics_steps_a_second"] / found["steps_a_second"]
    np.testing.assert_allclose(ratio, native_physics.frames_of(task))


def test_a_task_without_a_mujoco_model_says_so():
    # brax's "fast" is a point on a line that reads no model.
    found = native_physics.measure(Task("fast", "fast", "positional"), 1, 1, 0.0)
    assert found["note"].startswith("cannot state this task")
