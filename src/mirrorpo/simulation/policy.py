"""The policies that agents here share, source agents by PPO and trained ones: Gaussian ones, and
categorical ones where actions are discrete."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import struct
from jax.typing import ArrayLike

from mirrorpo.simulation.categorical import CategoricalActor
from mirrorpo.training_settings import LEAST_STD, fixed_std

LOG_PROB_LIMIT_PER_DIMENSION = -0.5 * math.log(2 * math.pi) - math.log(LEAST_STD)
"""Largest log-density of one action dimension, about -0.0027: just below zero."""


class GaussianActor(nn.Module):
    """MLP with tanh units, a mean for each action and a state-independent standard deviation.

    The distribution is an unsquashed diagonal Gaussian whose mean stays within the motors' range:
    a loss that pushes log-probs down cannot push the mean away for ever. Actions are clipped by
    the environment (see `tasks.Task.step`), never inside the log-prob.

    Attributes:
        action_size: number of action dimensions.
        hidden: units of each hidden layer.
        initial_std: standard deviation of a new policy, above `LEAST_STD`.
        mean_limit: the mean lies in (-mean_limit, mean_limit); None for a mean without bound, as
            in agents of version 0.1.0.
    """

    action_size: int
    hidden: tuple[int, ...] = (64, 64)
    initial_std: float = 1.0
    mean_limit: float | None = 1.0

    def setup(self) -> None:
        self.layers = [
            nn.Dense(size, kernel_init=nn.initializers.orthogonal(math.sqrt(2)))
            for size in self.hidden
        ]
        self.mean = nn.Dense(self.action_size, kernel_init=nn.initializers.orthogonal(0.01))
        self.raw_std = self.param(
            "raw_std",
            nn.initializers.constant(math.log(self.initial_std / LEAST_STD - 1.0)),
            (self.action_size,),
        )

    def moments(self, observation: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Mean, shape (..., actions), and log standard deviation, shape (actions,)."""
        x = observation
        for layer in self.layers:
            x = nn.tanh(layer(x))
        mean = self.mean(x)
        if self.mean_limit is not None:
            mean = self.mean_limit * jnp.tanh(mean / self.mean_limit)
        # std = floor * (1 + e^raw): smooth, above the floor for every parameter.
        return mean, math.log(LEAST_STD) + jax.nn.softplus(self.raw_std)

    __call__ = moments

    def log_prob(self, observation: jax.Array, action: jax.Array) -> jax.Array:
        """Log-density of `action`, summed over action dimensions; shape (...)."""
        mean, log_std = self.moments(observation)
        z = (action - mean) * jnp.exp(-log_std)
        constant = jnp.sum(log_std) + 0.5 * self.action_size * math.log(2 * math.pi)
        return -0.5 * jnp.sum(z * z, axis=-1) - constant

    def log_agreement(self, observation: jax.Array) -> jax.Array:
        """Log of the integral of the squared density: how far two draws agree; shape (...)."""
        mean, log_std = self.moments(observation)
        constant = jnp.sum(log_std) + 0.5 * self.action_size * math.log(4 * math.pi)
        return jnp.broadcast_to(-constant, mean.shape[:-1])

    def sample(self, observation: jax.Array, key: jax.Array) -> jax.Array:
        """An action, not clipped; shape (..., actions)."""
        mean, log_std = self.moments(observation)
        return mean + jnp.exp(log_std) * jax.random.normal(key, mean.shape)

    def entropy(self, observation: jax.Array) -> jax.Array:
        """Differential entropy in nats, summed over action dimensions; a scalar, since it does not
        depend on the observation."""
        del observation
        log_std = math.log(LEAST_STD) + jax.nn.softplus(self.raw_std)
        return jnp.sum(log_std) + 0.5 * self.action_size * (1 + math.log(2 * math.pi))


def start_std(parameters: Any, std: str) -> Any:
    """Parameters of `GaussianActor` whose standard deviation is as `std` says, for every leading
    axis; those given where it is learned. See `training_settings.fixed_std`. A `CategoricalActor`
    has none, and keeps its own."""
    value = fixed_std(std)
    inner = parameters["params"]
    if value is None or "raw_std" not in inner:
        return parameters
    # std = floor * (1 + e^raw); at the floor itself raw would be minus infinity.
    raw = math.log(max(value / LEAST_STD - 1.0, 1e-6))
    return {"params": {**inner, "raw_std": jnp.full_like(inner["raw_std"], raw)}}


def hold_std(gradient: Any, std: str) -> Any:
    """The gradient of `GaussianActor`'s parameters, without the standard deviation's where that
    is fixed."""
    inner = gradient["params"]
    if fixed_std(std) is None or "raw_std" not in inner:
        return gradient
    return {"params": {**inner, "raw_std": jnp.zeros_like(inner["raw_std"])}}


@struct.dataclass
class Policy:
    """A policy with its frozen observation normaliser. A pytree: leaves may have a leading
    axis of agents, which `learner.train` returns and `evaluation.returns` takes.

    Attributes:
        parameters: the parameters of `GaussianActor`, or of `CategoricalActor` where actions are
            discrete.
        observation_mean: shape (observations,).
        observation_std: shape (observations,), positive.
        mean_limit: the mean limit of `GaussianActor`; the same for all agents of a stack.
    """

    parameters: Any
    observation_mean: jax.Array
    observation_std: jax.Array
    mean_limit: float | None = struct.field(pytree_node=False, default=1.0)

    @property
    def observation_size(self) -> int:
        return int(self.observation_mean.shape[-1])

    @property
    def action_size(self) -> int:
        """Numbers of an action; one, that of the choice, where actions are discrete."""
        if self.choices is not None:
            return 1
        return int(self.parameters["params"]["raw_std"].shape[-1])

    @property
    def choices(self) -> int | None:
        """Number of discrete actions; None for a vector of real numbers."""
        logits = self.parameters["params"].get("logits")
        return None if logits is None else int(logits["kernel"].shape[-1])

    @property
    def hidden(self) -> tuple[int, ...]:
        layers = self.parameters["params"]
        count = sum(name.startswith("layers_") for name in layers)
        return tuple(int(layers[f"layers_{i}"]["kernel"].shape[-1]) for i in range(count))

    @property
    def actor(self) -> GaussianActor | CategoricalActor:
        if self.choices is not None:
            return CategoricalActor(self.choices, self.hidden)
        return GaussianActor(self.action_size, self.hidden, mean_limit=self.mean_limit)

    def with_parameters(self, parameters: Any) -> "Policy":
        """The same policy with other parameters."""
        return Policy(parameters, self.observation_mean, self.observation_std, self.mean_limit)

    def normalise(self, observation: jax.Array) -> jax.Array:
        return (observation - self.observation_mean) / self.observation_std

    def act(self, observation: jax.Array, key: jax.Array | None) -> jax.Array:
        """A sampled action, or the mean or likeliest one where `key` is None; not clipped."""
        x = self.normalise(observation)
        if self.choices is not None:
            chosen: Any = (
                self.actor.apply(self.parameters, x, method="mode")
                if key is None
                else self.actor.apply(self.parameters, x, key, method="sample")
            )
            return chosen
        if key is None:
            return self.moments(x)[0]
        mean, log_std = self.moments(x)
        return mean + jnp.exp(log_std) * jax.random.normal(key, mean.shape)

    def moments(self, normalised: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Mean actions and log standard deviations for normalised observations."""
        result: Any = self.actor.apply(self.parameters, normalised)
        return result

    def log_prob(self, parameters: Any, normalised: jax.Array, action: jax.Array) -> jax.Array:
        """Log-density of actions under other parameters of this policy's shape, summed over
        action dimensions, for normalised observations; shape (...)."""
        result: Any = self.actor.apply(parameters, normalised, action, method="log_prob")
        return result

    def log_agreement(self, parameters: Any, normalised: jax.Array) -> jax.Array:
        """Log of the integral of the squared density of actions under other parameters of this
        policy's shape, for normalised observations; shape (...)."""
        result: Any = self.actor.apply(parameters, normalised, method="log_agreement")
        return result


def finite_agents(policies: Policy) -> np.ndarray:
    """Whether all parameters of each policy are finite; shape (policies,), bool."""
    flat = [np.asarray(leaf).reshape(len(leaf), -1) for leaf in jax.tree.leaves(policies)]
    return np.isfinite(np.concatenate(flat, axis=1)).all(axis=1)


def actor_of(
    action_size: int,
    choices: int | None,
    hidden: tuple[int, ...],
    initial_std: float,
    mean_limit: float | None = 1.0,
) -> GaussianActor | CategoricalActor:
    """The actor for actions of one kind: the one place where the kind is decided."""
    if choices is not None:
        return CategoricalActor(choices, hidden)
    return GaussianActor(action_size, hidden, initial_std, mean_limit)


def new_policy(
    key: jax.Array,
    action_size: int,
    observation_mean: ArrayLike,
    observation_std: ArrayLike,
    hidden: tuple[int, ...] = (64, 64),
    initial_std: float = 1.0,
    mean_limit: float | None = 1.0,
    choices: int | None = None,
) -> Policy:
    """A randomly initialised policy; see `GaussianActor` for the arguments, and `CategoricalActor`
    for `choices`, which are None where actions are real numbers."""
    actor = actor_of(action_size, choices, hidden, initial_std, mean_limit)
    mean, std = jnp.asarray(observation_mean), jnp.asarray(observation_std)
    return Policy(actor.init(key, mean), mean, std, mean_limit)
