import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from mirrorpo.simulation.policy import LOG_PROB_LIMIT_PER_DIMENSION, MINIMUM_STD, new_policy


def small_policy(seed=0):
    return new_policy(jax.random.key(seed), 2, jnp.zeros(3), jnp.ones(3), (8, 8))


def test_log_prob_is_the_sum_of_normal_log_densities():
    policy = small_policy()
    key = jax.random.key(1)
    observation = jax.random.normal(key, (5, 3))
    action = jax.random.normal(key, (5, 2))
    mean, log_std = policy.actor.apply(policy.parameters, observation)
    expected = norm.logpdf(action, mean, np.exp(log_std)).sum(axis=-1)
    found = policy.actor.apply(policy.parameters, observation, action, method="log_prob")
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@settings(max_examples=50, deadline=None)
@given(st.floats(-100, 100))
def test_density_stays_below_one_for_every_parameter(raw):
    policy = small_policy()
    parameters = {"params": {**policy.parameters["params"], "raw_std": jnp.full(2, raw)}}
    mean, log_std = policy.actor.apply(parameters, jnp.zeros(3))
    assert float(jnp.exp(log_std).min()) >= MINIMUM_STD * (1 - 1e-6)
    best = policy.actor.apply(parameters, jnp.zeros(3), mean, method="log_prob")
    assert float(best) <= 2 * LOG_PROB_LIMIT_PER_DIMENSION + 1e-6 < 0


def test_a_new_policy_has_its_initial_std():
    _, log_std = small_policy().actor.apply(small_policy().parameters, jnp.zeros(3))
    np.testing.assert_allclose(np.exp(log_std), 1.0, rtol=1e-6)


def test_sizes_are_read_off_the_parameters():
    policy = small_policy()
    assert (policy.observation_size, policy.action_size, policy.hidden) == (3, 2, (8, 8))
