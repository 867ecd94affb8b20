"""PPO for source agents, in pure JAX.

Schulman et al., "Proximal Policy Optimization Algorithms", arXiv:1707.06347, with the usual
additions: generalised advantages (arXiv:1506.02438), running normalisation of observations and
rewards, and a value of the last observation where the time limit cuts an episode.

Here is the algorithm as pure functions; `ppo_trainer` runs them.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax import struct

from mirrorpo.simulation.policy import hold_std, start_std
from mirrorpo.simulation.policy_kinds import actor_of
from mirrorpo.simulation.tasks import AnyTask, Task
from mirrorpo.training_settings import PPOSettings


class _Critic(nn.Module):
    """Value of a normalised observation; shape (...)."""

    hidden: tuple[int, ...]

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for size in self.hidden:
            x = nn.tanh(nn.Dense(size, kernel_init=nn.initializers.orthogonal(2**0.5))(x))
        return nn.Dense(1, kernel_init=nn.initializers.orthogonal(1.0))(x)[..., 0]


@struct.dataclass
class Moments:
    """Running mean and variance; `count` values have been seen."""

    mean: jax.Array
    variance: jax.Array
    count: jax.Array

    @classmethod
    def new(cls, shape: tuple[int, ...]) -> "Moments":
        """Moments of nothing yet: mean 0 and variance 1."""
        return cls(jnp.zeros(shape), jnp.ones(shape), jnp.float32(1e-4))

    @property
    def std(self) -> jax.Array:
        """The standard deviation, positive."""
        return jnp.sqrt(self.variance + 1e-8)

    def normalise(self, x: jax.Array) -> jax.Array:
        """Values in standard deviations from the mean."""
        return (x - self.mean) / self.std

    def updated(self, x: jax.Array) -> "Moments":
        """With the values of `x`, shape (values, *shape), added."""
        count = x.shape[0]
        total = self.count + count
        delta = x.mean(axis=0) - self.mean
        between = delta**2 * self.count * count / total
        second = self.variance * self.count + x.var(axis=0) * count + between
        return Moments(self.mean + delta * count / total, second / total, total)


@struct.dataclass
class ActingRobots:
    """What acts; every leaf has a leading axis of robots.

    Attributes:
        state: the simulator's state.
        time: steps of the running episode, int32.
        discounted_return: running discounted sum of rewards, for their normalisation.
        key: draws the action noise and the next start states.
    """

    state: Any
    time: jax.Array
    discounted_return: jax.Array
    key: jax.Array


@struct.dataclass
class Learner:
    """What learns.

    Attributes:
        parameters: the parameters of actor and critic, by these names.
        optimiser: state of Adam, by the same names.
        observations: moments of the observations seen.
        returns: moments of the discounted returns seen.
        key: draws the minibatches.
    """

    parameters: dict[str, Any]
    optimiser: dict[str, Any]
    observations: Moments
    returns: Moments
    key: jax.Array


class RolloutSteps(NamedTuple):
    """Steps of one rollout; the leading axes are (robots, steps).

    Attributes:
        observation: before normalisation.
        action: as sampled, before clipping.
        log_prob: log-density of the action.
        reward: scaled, not normalised.
        next_observation: after the step, before a new episode's start state.
        fell: whether the robot fell.
        over: whether the episode ended, by a fall or by the time limit.
        discounted_return: see `ActingRobots`, after the step.
    """

    observation: jax.Array
    action: jax.Array
    log_prob: jax.Array
    reward: jax.Array
    next_observation: jax.Array
    fell: jax.Array
    over: jax.Array
    discounted_return: jax.Array


class Networks(NamedTuple):
    """Actor and critic of one task and settings."""

    actor: nn.Module
    critic: _Critic

    @classmethod
    def of(cls, task: AnyTask, settings: PPOSettings) -> "Networks":
        """New networks of a task's sizes, without parameters."""
        return cls(
            actor_of(
                task.action_size,
                task.choices,
                settings.hidden,
                settings.initial_std,
                settings.mean_limit,
            ),
            _Critic(settings.value_hidden),
        )


def new_learner(task: AnyTask, settings: PPOSettings, key: jax.Array) -> Learner:
    """Fresh networks."""
    networks = Networks.of(task, settings)
    actor_key, critic_key, key = jax.random.split(key, 3)
    observation = jnp.zeros(task.observation_size)
    parameters = {
        "actor": start_std(networks.actor.init(actor_key, observation), settings.std),
        "critic": networks.critic.init(critic_key, observation),
    }
    optimiser = _optimiser(settings)
    return Learner(
        parameters,
        {name: optimiser.init(value) for name, value in parameters.items()},
        Moments.new((task.observation_size,)),
        Moments.new(()),
        key,
    )


def new_robots(task: Task, keys: jax.Array) -> ActingRobots:
    """One robot for each key, each at another time of its episode.

    So they do not all meet the time limit in the same update.
    """

    def one(key: jax.Array) -> ActingRobots:
        start, clock, key = jax.random.split(key, 3)
        time = jax.random.randint(clock, (), 0, task.episode_length)
        return ActingRobots(task.reset(start), time, jnp.float32(0), key)

    return jax.vmap(one)(keys)


def roll_out(
    task: Task, settings: PPOSettings, learner: Learner, robots: ActingRobots
) -> tuple[ActingRobots, RolloutSteps]:
    """`rollout_steps` steps of every robot."""
    actor = Networks.of(task, settings).actor
    parameters, observations = learner.parameters["actor"], learner.observations

    def one(robot: ActingRobots) -> tuple[ActingRobots, RolloutSteps]:
        key, start_key = jax.random.split(robot.key)
        # A new start state per iteration: with the same few, agents fall from all others.
        start = task.reset(start_key)

        def step(carry: ActingRobots, _: None) -> tuple[ActingRobots, RolloutSteps]:
            key, noise = jax.random.split(carry.key)
            x = observations.normalise(carry.state.obs)
            action: Any = actor.apply(parameters, x, noise, method="sample")
            log_prob: Any = actor.apply(parameters, x, action, method="log_prob")
            after = task.step(carry.state, action)
            reward = after.reward * settings.reward_scale
            fell = after.done > 0.5
            over = fell | (carry.time + 1 >= task.episode_length)
            running = carry.discounted_return * settings.discount + reward
            seen = RolloutSteps(
                carry.state.obs, action, log_prob, reward, after.obs, fell, over, running
            )
            robot = ActingRobots(
                jax.tree.map(lambda new, first: jnp.where(over, first, new), after, start),
                jnp.where(over, 0, carry.time + 1),
                jnp.where(over, 0.0, running),
                key,
            )
            return robot, seen

        return jax.lax.scan(
            step,
            ActingRobots(robot.state, robot.time, robot.discounted_return, key),
            length=settings.rollout_steps,
        )

    return jax.vmap(one)(robots)


def update(task: AnyTask, settings: PPOSettings, learner: Learner, batch: RolloutSteps) -> Learner:
    """Several epochs of clipped policy gradient and value regression on one rollout."""
    networks = Networks.of(task, settings)
    # Acting used these moments, so learning does; the batch joins them afterwards.
    observations = learner.observations
    returns = learner.returns.updated(batch.discounted_return.reshape(-1))
    x = observations.normalise(batch.observation)

    def critic(x: jax.Array) -> jax.Array:
        value: Any = networks.critic.apply(learner.parameters["critic"], x)
        return value

    advantage, target = _advantages(
        critic(x),
        critic(observations.normalise(batch.next_observation)),
        batch._replace(reward=batch.reward / returns.std),
        settings,
    )
    steps = batch.log_prob.size
    samples = jax.tree.map(
        lambda a: a.reshape(steps, *a.shape[2:]),
        (x, batch.action, batch.log_prob, advantage, target),
    )
    optimiser = _optimiser(settings)

    def loss(parameters: dict[str, Any], sample: tuple[Any, ...]) -> jax.Array:
        x, action, old, advantage, target = sample
        new = networks.actor.apply(parameters["actor"], x, action, method="log_prob")
        ratio = jnp.exp(new - old)
        scaled = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        clipped = jnp.clip(ratio, 1 - settings.clip, 1 + settings.clip)
        gain = jnp.minimum(ratio * scaled, clipped * scaled).mean()
        entropy: Any = networks.actor.apply(parameters["actor"], x, method="entropy")
        value = networks.critic.apply(parameters["critic"], x)
        bonus = settings.entropy_weight * entropy.mean()
        return -gain - bonus + 0.5 * ((value - target) ** 2).mean()

    def minibatch(carry: tuple[Any, ...], rows: jax.Array) -> tuple[tuple[Any, ...], None]:
        parameters, states = carry
        gradients = jax.grad(loss)(parameters, jax.tree.map(lambda a: a[rows], samples))
        gradients = {**gradients, "actor": hold_std(gradients["actor"], settings.std)}
        changed = {name: optimiser.update(gradients[name], states[name]) for name in gradients}
        parameters = {
            name: optax.apply_updates(parameters[name], change)
            for name, (change, _) in changed.items()
        }
        return (parameters, {name: state for name, (_, state) in changed.items()}), None

    def epoch(carry: tuple[Any, ...], key: jax.Array) -> tuple[tuple[Any, ...], None]:
        rows = jax.random.permutation(key, steps).reshape(settings.minibatches, -1)
        return jax.lax.scan(minibatch, carry, rows)

    key, order_key = jax.random.split(learner.key)
    (parameters, states), _ = jax.lax.scan(
        epoch, (learner.parameters, learner.optimiser), jax.random.split(order_key, settings.epochs)
    )
    seen = batch.observation.reshape(steps, -1)
    return Learner(parameters, states, observations.updated(seen), returns, key)


def _advantages(
    value: jax.Array, next_value: jax.Array, batch: RolloutSteps, settings: PPOSettings
) -> tuple[jax.Array, jax.Array]:
    """Generalised advantages and value targets, shape (robots, steps)."""
    # A fall ends all reward; the time limit only cuts what is seen of it.
    future = settings.discount * jnp.where(batch.fell, 0.0, next_value)
    error = batch.reward + future - value
    keep = settings.discount * settings.gae_lambda * (1.0 - batch.over)

    def back(later: jax.Array, now: tuple[Any, ...]) -> tuple[jax.Array, jax.Array]:
        advantage = now[0] + now[1] * later
        return advantage, advantage

    _, advantage = jax.lax.scan(back, jnp.zeros(value.shape[0]), (error.T, keep.T), reverse=True)
    return advantage.T, advantage.T + value


def _optimiser(settings: PPOSettings) -> optax.GradientTransformation:
    iterations = settings.total_steps // settings.steps_an_iteration
    rate = optax.linear_schedule(
        settings.learning_rate,
        settings.final_learning_rate,
        max(iterations * settings.epochs * settings.minibatches, 1),
    )
    return optax.chain(
        optax.clip_by_global_norm(settings.max_gradient_norm), optax.adam(rate, eps=1e-5)
    )
