import contextlib
import dataclasses

import jax
import numpy as np
import pytest

from mirrorpo.agents import limb_use
from mirrorpo.simulation import evaluation, tasks
from mirrorpo.simulation.policy import new_policy
from tests.light_ant import in_place_of_ant


@pytest.fixture(scope="module", params=["light", pytest.param("ant", marks=pytest.mark.slow)])
def penalised(request):
    """Short episodes of the light Ant; of the real one on the engine that compiles fastest."""
    with in_place_of_ant() if request.param == "light" else contextlib.nullcontext():
        yield tasks.load("tla", backend="spring", episode_length=80, penalty_coefficient=3.0)


@pytest.fixture(scope="module")
def policy():
    return new_policy(jax.random.key(0), 8, np.zeros(27, "f4"), np.ones(27, "f4"), (8,))


def always(policy, means):
    """`policy` with other, unbounded mean actions, the same in all states; its noise remains."""
    layers = policy.parameters["params"]
    last = {"kernel": 0 * layers["mean"]["kernel"], "bias": np.array(means, "f4")}
    return dataclasses.replace(
        policy, parameters={"params": {**layers, "mean": last}}, mean_limit=None
    )


def test_the_return_with_a_penalty_is_the_plain_one_less_coefficient_times_squares(
    penalised, policy
):
    found = limb_use.measure(policy, penalised, episodes=4, seed=7)
    stacked = jax.tree.map(lambda x: x[None], policy)
    returns = evaluation.returns(stacked, penalised, episodes=4, seed=7)[0]
    expected = found.returns - 3.0 * found.squared_sums("leg_4")
    np.testing.assert_allclose(returns, expected, rtol=1e-3, atol=1e-2)
    assert len(np.unique(found.returns)) == 4, "every episode has its own start state"


def test_limbs_that_are_driven_fully_have_mean_1_and_squares_clipped(penalised, policy):
    # Actions 0 and 1 drive leg 4, actions 2 and 3 leg 1; noise cannot bring them below 1.
    driven = always(policy, [50, -50, 50, 50, 0, 0, 0, 0])
    found = limb_use.measure(driven, penalised, episodes=4, seed=1)
    assert found.limbs == ("leg_4", "leg_1", "leg_2", "leg_3")
    np.testing.assert_allclose(found.mean_absolute[:, :2], 1.0, rtol=1e-6)
    np.testing.assert_allclose(found.squared_sum[:, :2], 2.0 * found.length[:, None] * [1, 1])
    std = float(np.exp(policy.moments(np.zeros(27, "f4"))[1][0]))
    noise = np.minimum(np.abs(std * np.random.default_rng(0).normal(size=100_000)), 1.0)
    samples = 2 * 2 * found.length.sum()
    allowed = 5 * 0.4 / np.sqrt(samples)
    assert abs(found.mean_absolute[:, 2:].mean() - noise.mean()) < allowed
    assert abs(found.squared_sum[:, 2:].sum() / samples - (noise**2).mean()) < allowed
    assert found.mean_use("leg_4").value == pytest.approx(1.0)
    assert found.mean_use("leg_4").standard_error == pytest.approx(0.0, abs=1e-6)
    assert found.mean_squared_sum("leg_1").value == pytest.approx(2 * found.length.mean())


def test_steps_after_a_fall_do_not_count(penalised, policy):
    falling = always(policy, [-50, -50, 50, 50, -50, 50, 50, -50])
    found = limb_use.measure(falling, penalised, episodes=4, seed=1)
    assert found.length.min() < penalised.episode_length, "one of them falls"
    np.testing.assert_allclose(found.mean_absolute, 1.0, rtol=1e-6)
    np.testing.assert_allclose(found.squared_sum, 2.0 * found.length[:, None] * np.ones(4))


def test_an_estimate_is_the_mean_and_its_standard_error():
    found = limb_use.estimate(np.array([1.0, 2.0, 6.0], "f4"))
    assert found.value == pytest.approx(3.0)
    assert found.standard_error == pytest.approx(np.sqrt(7.0 / 3.0))
    assert np.isnan(limb_use.estimate(np.ones(1)).standard_error)


def test_bad_calls_say_what_is_wrong(penalised, policy, hopper):
    with pytest.raises(ValueError, match="episodes must be at least 1"):
        limb_use.measure(policy, penalised, episodes=0)
    with pytest.raises(ValueError, match=r"limbs of robot 'hopper' are not listed.*ant"):
        limb_use.measure(policy, hopper)
    with pytest.raises(ValueError, match="not finite"):
        limb_use.measure(always(policy, [np.nan] * 8), penalised)
    small = new_policy(jax.random.key(0), 3, np.zeros(11, "f4"), np.ones(11, "f4"), (8,))
    with pytest.raises(ValueError, match="11 observations"):
        limb_use.measure(small, penalised)
    with pytest.raises(ValueError, match=r"No limb 'leg_9'.*leg_4"):
        limb_use.measure(policy, penalised, episodes=4).mean_use("leg_9")
