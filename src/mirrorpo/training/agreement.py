"""How far policies agree with labels: whether they make the chosen actions likelier."""

import jax
import jax.numpy as jnp
import numpy as np

from mirrorpo.preferences.data import PreferenceDataset
from mirrorpo.simulation.policy import Policy, finite_agents

_AT_ONCE = 64


def agreement(policies: Policy, pairs: PreferenceDataset) -> np.ndarray:
    """Whether each policy agrees with the label of each pair.

    It agrees where the mean log-prob per step of the chosen trajectory's actions is above that of
    the rejected one's, as `accuracy` in training, without a reference.

    Args:
        policies: leaves with a leading axis of policies.
        pairs: with labels, which the policies were not trained on.

    Returns:
        Shape (policies, pairs), float32: 1 where it agrees, 0 where not, 0.5 where the two are
        equal; NaN where the policy's parameters are not finite.
    """
    compact = pairs.compact()
    trajectories = compact.trajectories
    means = []
    for first in range(0, len(trajectories), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        missing = max(0, first + _AT_ONCE - len(trajectories))
        arrays = (trajectories.observations, trajectories.actions, trajectories.length)
        padded = [np.concatenate([x[part], np.repeat(x[:1], missing, axis=0)]) for x in arrays]
        found = np.asarray(_mean_log_probs(policies, *padded))
        means.append(found[:, : _AT_ONCE - missing])
    mean = np.concatenate(means, axis=1)
    margin = mean[:, compact.chosen] - mean[:, compact.rejected]
    agrees = 0.5 * (1.0 + np.sign(margin))
    return np.where(finite_agents(policies)[:, None], agrees, np.nan).astype(np.float32)


@jax.jit
def _mean_log_probs(
    policies: Policy, observations: jax.Array, actions: jax.Array, length: jax.Array
) -> jax.Array:
    """Means over valid steps, shape (policies, trajectories)."""
    valid = jnp.arange(observations.shape[1]) < length[:, None]

    def of_one(policy: Policy) -> jax.Array:
        log_prob = policy.log_prob(policy.parameters, policy.normalise(observations), actions)
        return jnp.sum(jnp.where(valid, log_prob, 0.0), axis=1) / length

    return jax.lax.map(of_one, policies)
