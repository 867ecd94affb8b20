"""MirrorPO's robots with brax's own start states, in which a foot may begin inside the floor.

Each function is a task, `--task benchmarks/brax_starts.py:tla`. A bench of one takes
`--allow-short`, and names its source agents and rows, as for any task of a file.
"""

import jax
from brax import envs
from brax.envs.base import Env, State, Wrapper

from mirrorpo.simulation import tasks


class Penalised(Wrapper):
    """An environment with the penalty of a task."""

    def __init__(self, env: Env, penalty: tasks.LimbPenalty, robot: str):
        super().__init__(env)
        self._penalty, self._robot = penalty, robot

    def step(self, state: State, action: jax.Array) -> State:
        state = self.env.step(state, action)
        return state.replace(reward=state.reward - self._penalty.cost(self._robot, action))


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
    return env if own.penalty is None else Penalised(env, own.penalty, own.robot)
