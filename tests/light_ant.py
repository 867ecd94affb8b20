"""A light stand-in for the Ant: its observations, actions and limbs without its physics, which
takes a quarter of a minute to compile."""

from collections.abc import Iterator
from contextlib import contextmanager

import jax
import jax.numpy as jnp
import pytest
from brax.envs.base import Env, State

from mirrorpo.simulation import tasks


class LightAnt(Env):
    """Speeds that follow the actions, and a tilt that actions 4 and 5 drive: it falls at 2."""

    def __init__(self, backend: str = "positional", **settings):
        self._backend = backend

    @property
    def observation_size(self) -> int:
        return 27

    @property
    def action_size(self) -> int:
        return 8

    @property
    def backend(self) -> str:
        return self._backend

    def reset(self, rng: jax.Array) -> State:
        at = jax.random.uniform(rng, (27,), minval=-1.0, maxval=1.0)
        return State(at, at, jnp.zeros(()), jnp.zeros(()))

    def step(self, state: State, action: jax.Array) -> State:
        tilt = state.obs[0] + 0.02 * (action[5] - action[4])
        speeds = 0.9 * state.obs[1:9] + 0.1 * action
        at = jnp.concatenate([tilt[None], speeds, state.obs[9:]])
        fell = (jnp.abs(tilt) > 2.0).astype(jnp.float32)
        return State(at, at, 1.0 + speeds[0], fell)


@contextmanager
def in_place_of_ant() -> Iterator[None]:
    """Let tasks of the Ant that are loaded inside have this robot."""
    real = tasks._brax_env
    # Programs are kept by the task, which does not tell one robot from the other.
    jax.clear_caches()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            tasks,
            "_brax_env",
            lambda robot, backend: LightAnt(backend) if robot == "ant" else real(robot, backend),
        )
        yield
    jax.clear_caches()
