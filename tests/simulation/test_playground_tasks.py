"""Tasks of MuJoCo Playground: on a stand-in of its registry, and for real where it is installed."""

import sys
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct

from mirrorpo.agents.ppo_trainer import PPOTrainer
from mirrorpo.simulation import evaluation, libraries, tasks
from mirrorpo.simulation.policy import new_policy
from mirrorpo.training_settings import PPOSettings


@struct.dataclass
class State:
    """The fields of Playground's own."""

    data: Any
    obs: Any
    reward: jax.Array
    done: jax.Array
    metrics: dict[str, jax.Array]
    info: dict[str, Any]


class Mass:
    """What MirrorPO takes of Playground's MjxEnv: a mass on a line."""

    action_size = 1

    def __init__(self, observations="flat"):
        self.observations = observations

    def seen(self, data):
        return {"state": data, "privileged_state": data} if self.observations == "dict" else data

    def reset(self, rng):
        rng, key = jax.random.split(rng)
        data = jax.random.uniform(key, (2,), minval=-1.0, maxval=1.0)
        zero = jnp.zeros(())
        return State(data, self.seen(data), zero, zero, {"speed": zero}, {"rng": rng})

    def step(self, state, action):
        speed = 0.9 * state.data[1] + 0.1 * action[0]
        data = jnp.stack([state.data[0] + 0.2 * speed, speed])
        fell = (jnp.abs(data[0]) > 2).astype(jnp.float32)
        return state.replace(
            data=data,
            obs=self.seen(data),
            reward=1 - data[0] ** 2,
            done=fell,
            metrics={"speed": speed},
        )


class Config(dict):
    __getattr__ = dict.__getitem__


@pytest.fixture
def registry(monkeypatch):
    """A stand-in of `mujoco_playground.registry`; what it was asked for is kept."""
    asked = []

    def load(name, config=None, config_overrides=None):
        asked.append((name, config_overrides))
        if name == "Go1Getup":
            raise OSError("git clone failed\nno network")
        return Mass("dict" if name == "G1Joystick" else "flat")

    def default(name):
        repeat = 4 if name == "PushCube" else 1
        return Config(episode_length=40, action_repeat=repeat, impl="warp")

    made = SimpleNamespace(
        ALL_ENVS=("MassBalance", "Go1Getup", "G1Joystick", "PushCube"),
        load=load,
        get_default_config=default,
        asked=asked,
    )
    monkeypatch.setitem(sys.modules, "mujoco_playground", SimpleNamespace(registry=made))
    libraries.playground.cache_clear()
    yield made
    libraries.playground.cache_clear()


def policies(size, actions):
    policy = new_policy(jax.random.key(0), actions, np.zeros(size, "f4"), np.ones(size, "f4"), (8,))
    return jax.tree.map(lambda x: x[None], policy)


def test_an_environment_is_compiled_like_brax_and_ends_after_its_own_steps(registry):
    task = tasks.load("playground:MassBalance")
    assert tasks.is_compiled(task)
    assert (task.observation_size, task.action_size, task.backend) == (2, 1, "mjx")
    assert task.episode_length == 40
    assert registry.asked == [("MassBalance", {"impl": "jax"})]
    scored = evaluation.score(policies(2, 1), task, 6, 0)
    assert scored.lengths.max() == 40
    shorter = tasks.load("playground:MassBalance", episode_length=9)
    assert (evaluation.score(policies(2, 1), shorter, 6, 0).lengths == 9).all()
    # The same program, cut earlier.
    assert len(registry.asked) == 1


def test_ppo_runs_on_it(registry):
    task = tasks.load("playground:MassBalance")
    settings = PPOSettings(total_steps=512, environments=8, rollout_steps=16, minibatches=2)
    trainer = PPOTrainer(task, settings)
    policy = trainer.policy(trainer.advance(trainer.start(0), 2))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(policy))


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("MassBalanc", "no environment 'MassBalanc'.* Did you mean playground:MassBalance"),
        ("Go1Getup", "cannot be made: OSError: git clone failed no network.*Menagerie"),
        ("G1Joystick", "has observations as dict, but a policy takes one flat vector"),
        ("PushCube", "repeats each action 4 times"),
    ],
)
def test_what_is_no_task_is_said_in_one_line(name, said):
    with pytest.raises(ValueError, match=said) as error:
        tasks.load(f"playground:{name}")
    assert "\n" not in str(error.value)


def test_the_real_cartpole_balances_longer_the_less_it_is_pushed():
    pytest.importorskip("mujoco_playground")
    task = tasks.load("playground:CartpoleBalance", episode_length=100)
    assert (task.observation_size, task.action_size) == (5, 1)
    policy = policies(5, 1)
    noisy = evaluation.returns(policy, task, 20, 0).mean()
    quiet = evaluation.returns(policy, task, 20, 0, deterministic=True).mean()
    assert 0 < noisy < quiet <= 100
