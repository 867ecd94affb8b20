"""PPO's robots where the environment steps in Python; the update is the same program as elsewhere.

A simulator of Gymnasium cannot be saved, so each call of `begin` starts new episodes, at times of
their own: a run that is resumed is then, number for number, one that was never interrupted.
"""

from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mirrorpo.agents.ppo import ActingRobots, Learner, Networks, RolloutSteps
from mirrorpo.simulation.slots import Slots, open_slots, seeds_of
from mirrorpo.simulation.tasks import AnyTask
from mirrorpo.training_settings import PPOSettings


class Stepping:
    """Robots of one task and settings, and the program by which they act."""

    def __init__(self, task: AnyTask, settings: PPOSettings):
        self._task = task
        self._settings = settings
        actor = Networks.of(task, settings).actor

        def act(learner: Learner, seen: jax.Array, keys: jax.Array) -> tuple[Any, ...]:
            parameters = learner.parameters["actor"]

            def one(seen: jax.Array, key: jax.Array) -> tuple[Any, ...]:
                key, noise, start = jax.random.split(key, 3)
                x = learner.observations.normalise(seen)
                action: Any = actor.apply(parameters, x, noise, method="sample")
                log_prob: Any = actor.apply(parameters, x, action, method="log_prob")
                return action, log_prob, key, jax.random.key_data(start)

            return jax.vmap(one)(seen, keys)

        self._act = jax.jit(act)

    @cached_property
    def _slots(self) -> Slots:
        return open_slots(self._task, self._settings.environments)

    def new_robots(self, keys: jax.Array) -> ActingRobots:
        """One robot for each key; `begin` gives it its episode."""
        count = len(keys)
        # Separate arrays: none is donated twice.
        return ActingRobots(
            jnp.zeros((count, 0)), jnp.zeros(count, jnp.int32), jnp.zeros(count), keys
        )

    def begin(self, robots: ActingRobots) -> ActingRobots:
        """Start an episode for each robot, each at another time of it.

        So they do not all meet the time limit in the same update.
        """
        start, clock, key = jnp.moveaxis(
            jax.vmap(lambda k: jax.random.split(k, 3))(robots.key), 1, 0
        )
        self._slots.restart(np.ones(len(key), bool), seeds_of(start))
        length = self._task.episode_length
        time = jax.vmap(lambda k: jax.random.randint(k, (), 0, length))(clock)
        return ActingRobots(robots.state, time, jnp.zeros(len(key)), key)

    def roll_out(self, learner: Learner, robots: ActingRobots) -> tuple[ActingRobots, RolloutSteps]:
        """`rollout_steps` steps of every robot; see `RolloutSteps` for what comes back."""
        settings, slots = self._settings, self._slots
        time = np.array(robots.time)
        running = np.array(robots.discounted_return)
        key = robots.key
        steps = []
        for _ in range(settings.rollout_steps):
            seen = slots.observations
            action, log_prob, key, start = self._act(learner, seen, key)
            gave = slots.step(np.asarray(action))
            reward = gave.reward * np.float32(settings.reward_scale)
            over = gave.fell | gave.cut | (time + 1 >= self._task.episode_length)
            running = running * np.float32(settings.discount) + reward
            steps.append(
                (seen, action, log_prob, reward, slots.observations, gave.fell, over, running)
            )
            time = np.where(over, 0, time + 1)
            running = np.where(over, np.float32(0), running)
            if over.any():
                slots.restart(over, np.asarray(start))
        batch = RolloutSteps(
            *(jnp.asarray(np.stack(each, axis=1)) for each in zip(*steps, strict=True))
        )
        return ActingRobots(robots.state, jnp.asarray(time), jnp.asarray(running), key), batch
