from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mirrorpo.simulation import tasks
from mirrorpo.simulation.brax_robots import SIZES
from mirrorpo.simulation.tasks import LIMB_ACTIONS, LimbPenalty, Task
from tests.light_ant import in_place_of_ant


@pytest.mark.parametrize(
    ("name", "observations", "actions"),
    [
        ("ant", 27, 8),
        ("tla", 27, 8),
        ("hopper", 11, 3),
        ("walker2d", 17, 6),
        ("halfcheetah", 17, 6),
    ],
)
def test_every_registered_task_loads_with_its_sizes(name, observations, actions):
    task = tasks.load(name)
    assert (task.observation_size, task.action_size) == (observations, actions)


@pytest.mark.parametrize("robot", SIZES)
@pytest.mark.parametrize(
    "backend",
    ["positional", *(pytest.param(one, marks=pytest.mark.slow) for one in tasks.BACKENDS[1:])],
)
def test_a_robot_of_brax_has_the_listed_sizes(robot, backend):
    task = tasks.load(robot, backend)
    seen = jax.eval_shape(task.reset, jax.random.key(0)).obs.shape
    assert (*seen, task.env.action_size) == SIZES[robot]


def test_unknown_task_names_the_near_ones():
    with pytest.raises(ValueError, match=r"Unknown task 'hoper'.*hopper"):
        tasks.load("hoper")


def test_unknown_backend_names_the_known_ones():
    with pytest.raises(ValueError, match="positional"):
        tasks.load("hopper", backend="bullet")


def test_a_limb_that_the_robot_lacks_is_refused():
    with pytest.raises(ValueError, match="no limb 'leg_9'"):
        Task("x", "ant", "mjx", LimbPenalty("leg_9", 1.0))


@cache
def ant():
    """The Ant with its start and its step compiled, on the engine that compiles fastest."""
    task = Task("an ant", "ant", "spring")
    return task, jax.jit(task.reset)(jax.random.key(0)), jax.jit(task.step)


@cache
def light_ant(coefficient=None):
    penalty = None if coefficient is None else LimbPenalty("leg_4", coefficient)
    with in_place_of_ant():
        task = Task("an ant", "ant", "spring", penalty)
        return task.reset(jax.random.key(0)), task.step


def test_actions_are_clipped_before_physics_and_penalty():
    start, step = light_ant(2.0)
    wild = step(start, jnp.full(8, 50.0))
    tame = step(start, jnp.ones(8))
    np.testing.assert_array_equal(wild.obs, tame.obs)
    assert float(wild.reward) == float(tame.reward)


def test_the_penalty_is_the_coefficient_times_the_limbs_squared_actions():
    action = jnp.array([0.5, -1.0, 0.3, 0.2, 0.1, -0.4, 0.9, 0.7])
    plain, penalised = (step(start, action).reward for start, step in (light_ant(), light_ant(2.0)))
    np.testing.assert_allclose(plain - penalised, 2.0 * (0.5**2 + 1.0**2), rtol=1e-4)


@pytest.mark.parametrize(("limb", "actions"), LIMB_ACTIONS["ant"].items())
def test_the_ants_limb_actions_move_that_leg_and_no_other(limb, actions):
    """Drive one action in the air: only the joint that the table names may accelerate."""
    task, start, step = ant()
    system = task.env.sys
    number = limb.removeprefix("leg_")
    for action, part in zip(actions, ("hip", "ankle"), strict=True):
        driven = system.actuator.qd_id[action]
        # Degrees of freedom in the asset's order: 6 of the torso, then hip and ankle of legs 1-4.
        expected = 6 + 2 * (int(number) - 1) + ("hip", "ankle").index(part)
        assert int(driven) == expected, (limb, part)
    rest = step(start, jnp.zeros(8))
    joint_velocities = slice(13 + 6, 27)
    for action in actions:
        moved = step(start, jnp.zeros(8).at[action].set(1.0))
        change = np.abs(np.asarray(moved.obs - rest.obs)[joint_velocities])
        leg = 2 * (int(number) - 1)
        assert int(change.argmax()) in (leg, leg + 1), (limb, action, change)
