import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from mirrorpo.simulation.policy import hold_std, new_policy, start_std
from mirrorpo.training_settings import LEAST_STD, fixed_std


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
    assert float(jnp.exp(log_std).min()) >= LEAST_STD * (1 - 1e-6)
    best = policy.actor.apply(parameters, jnp.zeros(3), mean, method="log_prob")
    of_one_dimension = -0.5 * math.log(2 * math.pi) - math.log(LEAST_STD)  # about -0.0027
    assert float(best) <= 2 * of_one_dimension + 1e-6 < 0


def test_a_new_policy_has_its_initial_std():
    _, log_std = small_policy().actor.apply(small_policy().parameters, jnp.zeros(3))
    np.testing.assert_allclose(np.exp(log_std), 1.0, rtol=1e-6)


def test_sizes_are_read_off_the_parameters():
    policy = small_policy()
    assert (policy.observation_size, policy.action_size, policy.hidden) == (3, 2, (8, 8))


@settings(max_examples=50, deadline=None)
@given(st.floats(-1e4, 1e4))
def test_the_mean_stays_within_the_motors_range_for_every_parameter(scale):
    policy = small_policy()
    parameters = jax.tree.map(lambda x: x * scale, policy.parameters)
    mean, _ = policy.actor.apply(parameters, jnp.array([30.0, -20.0, 10.0]))
    assert float(jnp.abs(mean).max()) <= 1.0


def test_a_policy_without_a_limit_is_version_0_1_0s():
    bounded = small_policy()
    free = new_policy(jax.random.key(0), 2, jnp.zeros(3), jnp.ones(3), (8, 8), mean_limit=None)
    x = jnp.array([3.0, -2.0, 1.0])
    np.testing.assert_allclose(bounded.moments(x)[0], jnp.tanh(free.moments(x)[0]), rtol=1e-6)


@pytest.mark.parametrize("value", [0.4, 0.65, 1.0])
def test_a_fixed_std_is_set_and_has_no_gradient(value):
    policy = small_policy()
    parameters = start_std(policy.parameters, f"fixed:{value}")
    _, log_std = policy.actor.apply(parameters, jnp.zeros(3))
    np.testing.assert_allclose(np.exp(log_std), value, rtol=1e-4)
    gradient = jax.grad(
        lambda p: policy.actor.apply(p, jnp.ones(3), jnp.ones(2), method="log_prob")
    )(parameters)
    assert np.abs(gradient["params"]["raw_std"]).max() > 0
    held = hold_std(gradient, f"fixed:{value}")
    assert not np.asarray(held["params"]["raw_std"]).any()
    np.testing.assert_array_equal(
        held["params"]["mean"]["kernel"], gradient["params"]["mean"]["kernel"]
    )


@pytest.mark.parametrize("text", ["fixed", "fixed:", "fixed:0.39", "fixed:nan", "fixed:inf", "0.5"])
def test_a_std_that_says_nothing_sound_is_refused(text):
    with pytest.raises(ValueError, match='std must be "learned" or "fixed:VALUE"'):
        fixed_std(text)
