"""The Gaussian policy: a vector of real numbers."""

import math

import jax
import jax.numpy as jnp
from flax import linen as nn

from mirrorpo.training_settings import LEAST_STD


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
        """Make the layers, as flax calls this."""
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

    def mode(self, observation: jax.Array) -> jax.Array:
        """The mean action; shape (..., actions)."""
        return self.moments(observation)[0]

    def entropy(self, observation: jax.Array) -> jax.Array:
        """Differential entropy in nats, summed over action dimensions.

        It is a scalar, since it does not depend on the observation.
        """
        del observation
        log_std = math.log(LEAST_STD) + jax.nn.softplus(self.raw_std)
        return jnp.sum(log_std) + 0.5 * self.action_size * (1 + math.log(2 * math.pi))
