"""A robot begins on the floor, and is not thrown."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import short_episodes
from mirrorpo.agents import agent_files
from mirrorpo.simulation import evaluation, tasks
from mirrorpo.simulation.evaluation import SHORT_EPISODE
from mirrorpo.simulation.start_states import _depth_below_floor
from tests import point_task

ROBOTS = ("ant", "hopper", "walker2d", "halfcheetah")
RISE = 0.05
"""Metres that a torso may rise by where no motor pushes it; from brax's own starts it is 0.12."""


@pytest.mark.parametrize(
    "robot",
    # A robot that turns in space and one in the plane; the others are slow, on any backend.
    ["ant", "hopper"],
)
def test_no_start_state_lies_inside_the_floor(robot):
    task = tasks.load(robot)
    keys = jax.random.split(jax.random.key(5), 200)
    states = jax.jit(jax.vmap(task.reset))(keys)
    depth = jax.jit(jax.vmap(lambda state: _depth_below_floor(task.env, state)))
    assert float(depth(states.pipeline_state).max()) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("backend", tasks.BACKENDS)
@pytest.mark.parametrize("robot", ROBOTS)
def test_no_start_state_lies_inside_the_floor_on_any_backend(robot, backend):
    task = tasks.load(robot, backend)
    keys = jax.random.split(jax.random.key(6), 200)
    states = jax.jit(jax.vmap(task.reset))(keys)
    depth = jax.jit(jax.vmap(lambda state: _depth_below_floor(task.env, state)))
    assert float(depth(states.pipeline_state).max()) < 1e-5


@pytest.mark.parametrize(
    ("task", "most"),
    [
        ("hopper", {"hopper-expert": 0.01, "hopper-bad": 0.01}),
        pytest.param("tla", {"ant-original": 0.01, "tla-target": 0.01}, marks=pytest.mark.slow),
        pytest.param("ant", {"ant-original": 0.01}, marks=pytest.mark.slow),
        pytest.param(
            "walker2d",
            {"walker2d-expert": 0.01, "walker2d-steady": 0.01, "walker2d-bad": 0.01},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_few_episodes_of_a_shipped_agent_end_at_once(task, most):
    policies = [agent_files.load(agent)[0] for agent in most]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *policies)
    short = replace(tasks.load(task), episode_length=SHORT_EPISODE)
    lengths = evaluation.score(stacked, short, episodes=500, seed=4).lengths
    assert (np.mean(lengths < SHORT_EPISODE, axis=1) < list(most.values())).all()


@pytest.mark.slow
def test_a_robot_without_agents_keeps_to_the_floor_under_commands_of_zero():
    """brax ends no episode of halfcheetah, thrown or not; so its height is looked at, too."""
    length, rise = short_episodes.measure(tasks.load("halfcheetah"), None, episodes=500, seed=4)
    assert np.mean(length < SHORT_EPISODE) < 0.01
    assert rise.max() < RISE


def test_each_policy_may_have_episodes_of_its_own(tmp_path):
    point = tasks.load(point_task.NAME, episode_length=60)
    policy, _ = agent_files.load(point_task.write_agents(tmp_path)[0])
    twice = jax.tree.map(lambda x: jnp.stack([x, x]), policy)
    apart = evaluation.returns(twice, point, episodes=3, seed=[1, 2])
    assert not np.array_equal(apart[0], apart[1])
    together = evaluation.returns(twice, point, episodes=3, seed=2)
    np.testing.assert_array_equal(together[0], together[1])
    np.testing.assert_array_equal(together[0], apart[1])
    with pytest.raises(ValueError, match="2 policies need one seed each, not 3"):
        evaluation.returns(twice, point, episodes=3, seed=[1, 2, 3])
