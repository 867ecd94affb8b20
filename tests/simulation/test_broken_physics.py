"""Physics that are no number are seen in the return, though the compiler may order sums."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from brax import envs

from mirrorpo.agents import agent_files
from mirrorpo.runtime.devices import SIMULATION_OPTIONS
from mirrorpo.simulation import evaluation, rollout, tasks
from tests import point_task


class Fragile(point_task.Point):
    """A point whose reward is a root, which is no number where the point comes far out."""

    def step(self, state, action):
        state = super().step(state, action)
        return state.replace(reward=state.reward + jnp.sqrt(1.1 - jnp.abs(state.obs[0])))


@pytest.fixture(scope="module")
def fragile():
    envs.register_environment("fragile-point", Fragile)
    return tasks.Task("fragile-point", "fragile-point", "positional", None, 60)


def test_an_episode_whose_physics_break_has_no_return(optimised, fragile, tmp_path):
    """Just those that break in a program without fast-math."""
    policy = agent_files.load(point_task.write_agents(tmp_path)[0])[0]
    stacked = jax.tree.map(lambda x: x[None], policy)
    keys = rollout.episode_keys(jax.random.key(1), 40)
    found = evaluation.returns(stacked, fragile, 40, 1)[0]
    plain = jax.jit(lambda *keys: rollout.returns(fragile, policy, *keys, 60)[0])(*keys)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(plain))
    assert 0 < np.isnan(found).sum() < 40, "both kinds of episodes must be there"


@pytest.mark.parametrize("function", [jnp.sqrt, jnp.log, jnp.isnan, lambda x: x < 0.5])
def test_fast_math_keeps_what_is_no_number(optimised, function):
    given = np.array([-1.0, 0.0, 0.3, 1.0, np.inf, -np.inf, np.nan, 2.0], np.float32)
    fast = jax.jit(function, compiler_options=SIMULATION_OPTIONS)(given)
    np.testing.assert_allclose(fast, jax.jit(function)(given), rtol=1e-6)
