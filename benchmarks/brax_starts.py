"""MirrorPO's robots with brax's own start states, in which a foot may begin inside the floor.

Each function is a task, `--task benchmarks/brax_starts.py:tla`. A bench of one takes
`--allow-short`, and names its source agents and rows, as for any task of a file.
"""

import jax
import jax.numpy as jnp
from brax import envs
from brax.envs.base import Env, State, Wrapper

from mirrorpo.simulation import tasks


class _Penalised(Wrapper):
    """An environment with the penalty of a task."""

    def __init__(self, env: Env, penalty: tasks.LimbPenalty, limb: tuple[int, ...]):
        super().__init__(env)
        self._coefficient, self._limb = penalty.coefficient, jnp.array(limb)

    def step(self, state: State, action: jax.Array) -> State:
        state = self.env.step(state, action)
        cost = self._coefficient * jnp.sum(action[self._limb] ** 2)
        return state.replace(reward=state.reward - cost)


def ant() -> Env:
    return _unlifted("ant")


def tla() -> Env:
    return _unlifted("tla")


def hopper() -> Env:
    return _unlifted("hopper")


def walker2d() -> Env:
    return _unlifted("walker2d")


def halfcheetah() -> Env:
    return _unlifted("halfcheetah")


def _unlifted(task: str) -> Env:
    own = tasks.robot(task, "started as brax starts it")
    env = envs.get_environment(own.robot, backend=own.backend)
    if own.penalty is None:
        return env
    return _Penalised(env, own.penalty, tasks.LIMB_ACTIONS[own.robot][own.penalty.limb])
