"""Log-probs of a robot dataset's trajectories under a policy."""

import jax
import numpy as np

from mirrorpo.preferences.data import PreferenceDataset
from mirrorpo.simulation.policy import Policy


def log_probs(dataset: PreferenceDataset, policy: Policy) -> np.ndarray:
    """Log-probs of the chosen and rejected trajectories' actions, means over valid steps.

    Returns:
        Shape (pairs, 2).

    Raises:
        ValueError: the policy is of another robot.
    """
    sizes = policy.observation_size, policy.action_size
    wanted = dataset.observation_size, dataset.action_size
    if sizes != wanted:
        raise ValueError(
            f"The policy has {sizes[0]} observations and {sizes[1]} actions, but the dataset "
            f"{wanted[0]} and {wanted[1]}: it is of another robot."
        )
    compact = dataset.compact()
    trajectories = compact.trajectories
    found = np.zeros(len(trajectories))
    score = jax.jit(
        lambda seen, done: policy.log_prob(policy.parameters, policy.normalise(seen), done)
    )
    for index, length in enumerate(trajectories.length):
        # All steps, so that nothing is compiled twice; those after the end are left out.
        values = np.asarray(score(trajectories.observations[index], trajectories.actions[index]))
        found[index] = values[: max(int(length), 1)].mean()
    return np.stack([found[compact.chosen], found[compact.rejected]], axis=1)
