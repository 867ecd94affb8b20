"""The mean log-prob of a trajectory is over its valid steps."""

import numpy as np

from benchmarks import log_prob_range
from mirrorpo.agents import agent_files
from mirrorpo.preferences.data import Trajectories


def test_steps_after_the_end_do_not_count():
    policy, _ = agent_files.load("hopper-expert")
    chance = np.random.default_rng(0)
    seen = chance.normal(size=(2, 5, policy.observation_size)).astype(np.float32)
    done = chance.normal(size=(2, 5, policy.action_size)).astype(np.float32)
    length = np.array([3, 5], np.int32)
    none = np.zeros(2, np.int32)
    found = log_prob_range.mean_log_probs(
        policy, Trajectories(seen, done, length, none.astype(np.float32), none, none)
    )
    for at, steps in enumerate(length):
        mean, log_std = policy.moments(policy.normalise(seen[at, :steps]))
        z = (done[at, :steps] - mean) / np.exp(log_std)
        each = (-0.5 * z**2 - log_std - 0.5 * np.log(2 * np.pi)).sum(axis=-1)
        np.testing.assert_allclose(found[at], each.mean(), rtol=1e-5)
