"""The categorical policy: one of a few discrete actions, as the number of a choice."""

import math

import jax
import jax.numpy as jnp
from flax import linen as nn

LEAST_SHARE = 0.005
"""Part of the probability that is spread evenly over all choices. It keeps that of each choice
below one, so that odds and logit of pi(trajectory) are defined."""


class CategoricalActor(nn.Module):
    """MLP with tanh units and a probability for each choice.

    An action is one number, that of the choice, so that data of both kinds of policy have one
    shape. Of n choices each has probability ``(1 - LEAST_SHARE) softmax + LEAST_SHARE / n``.

    Attributes:
        choices: number of discrete actions, at least 2.
        hidden: units of each hidden layer.
    """

    choices: int
    hidden: tuple[int, ...] = (64, 64)

    def setup(self) -> None:
        """Make the layers, as flax calls this."""
        self.layers = [
            nn.Dense(size, kernel_init=nn.initializers.orthogonal(math.sqrt(2)))
            for size in self.hidden
        ]
        self.logits = nn.Dense(self.choices, kernel_init=nn.initializers.orthogonal(0.01))

    def log_probs(self, observation: jax.Array) -> jax.Array:
        """Log-probability of each choice, shape (..., choices)."""
        x = observation
        for layer in self.layers:
            x = nn.tanh(layer(x))
        learned = jax.nn.log_softmax(self.logits(x)) + math.log1p(-LEAST_SHARE)
        return jnp.logaddexp(learned, math.log(LEAST_SHARE / self.choices))

    __call__ = log_probs

    def log_prob(self, observation: jax.Array, action: jax.Array) -> jax.Array:
        """Log-probability of `action`, shape (..., 1); result of shape (...)."""
        choice = jnp.round(action).astype(jnp.int32)
        return jnp.take_along_axis(self.log_probs(observation), choice, axis=-1)[..., 0]

    def log_agreement(self, observation: jax.Array) -> jax.Array:
        """Log of the sum of squared probabilities: how far two draws agree; shape (...)."""
        return jax.nn.logsumexp(2 * self.log_probs(observation), axis=-1)

    def sample(self, observation: jax.Array, key: jax.Array) -> jax.Array:
        """An action; shape (..., 1)."""
        choice = jax.random.categorical(key, self.log_probs(observation))
        return choice[..., None].astype(jnp.float32)

    def mode(self, observation: jax.Array) -> jax.Array:
        """The likeliest action; shape (..., 1)."""
        choice = jnp.argmax(self.log_probs(observation), axis=-1)
        return choice[..., None].astype(jnp.float32)

    def entropy(self, observation: jax.Array) -> jax.Array:
        """Entropy in nats, shape (...)."""
        log_probs = self.log_probs(observation)
        return -jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1)
