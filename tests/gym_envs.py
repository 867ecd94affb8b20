"""Small Gymnasium environments for the tests. Importing this file needs Gymnasium."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete


class Mass(gymnasium.Env):
    """A mass on a line, pushed by the action in [0, 4], 2 being no push; lost beyond 2."""

    observation_space = Box(-np.inf, np.inf, (2,), np.float64)
    action_space = Box(0.0, 4.0, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.speed = self.np_random.uniform(-1, 1, 2)
        return np.array([self.place, self.speed]), {}

    def step(self, action):
        assert self.action_space.contains(action), action
        return self.pushed(float(action[0]) - 2.0)

    def pushed(self, force):
        self.speed = 0.9 * self.speed + 0.1 * force
        self.place += 0.2 * self.speed
        fell = bool(abs(self.place) > 2)
        return np.array([self.place, self.speed]), 1 - self.place**2, fell, False, {}


class Raises(Mass):
    def step(self, action):
        raise RuntimeError("the motor\nis hot")


class NotANumber(Mass):
    def step(self, action):
        return super().step(action)[0], float("nan"), False, False, {}


class Dictionary(Mass):
    observation_space = Dict({"place": Box(-1, 1, (1,))})


class Image(Mass):
    observation_space = Box(0, 255, (8, 8, 3), np.uint8)


class Unbounded(Mass):
    action_space = Box(-np.inf, np.inf, (1,))


class Several(Mass):
    action_space = gymnasium.spaces.MultiDiscrete([2, 3])


class Choice(Mass):
    """Push left, not, or right."""

    action_space = Discrete(3)

    def step(self, action):
        assert self.action_space.contains(action), action
        return self.pushed(2.0 * float(action) - 2.0)


for name, kind in list(globals().items()):
    if isinstance(kind, type) and issubclass(kind, Mass):
        gymnasium.register(f"mirrorpo/{name}-v0", kind, max_episode_steps=60)

_ONE = Mass()


def make():
    return gymnasium.wrappers.TimeLimit(Mass(), 30)


def endless():
    return Mass()


def same():
    return _ONE


def number():
    return 3


def leaving():
    raise SystemExit(0)


def failing():
    raise OSError("no such robot")
