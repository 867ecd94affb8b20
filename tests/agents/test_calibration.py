import jax
import numpy as np
import pytest

from mirrorpo.agents import limb_use
from mirrorpo.agents.calibration import Calibration, calibrate
from mirrorpo.simulation import tasks
from mirrorpo.simulation.policy import new_policy
from mirrorpo.simulation.tasks import LimbPenalty
from tests.light_ant import in_place_of_ant


def episodes(count, seed=0):
    """Returns and squared sums that hang together, as those of an episode that ends early do."""
    draw = np.random.default_rng(seed)
    squared = draw.gamma(20.0, 50.0, count)
    return 2500.0 + 1.5 * (squared - 1000.0) + 200.0 * draw.normal(size=count), squared


def test_the_curve_meets_the_target_at_the_found_coefficient():
    found = Calibration("leg_4", 1700.0, *episodes(50))
    returns, squared = episodes(50)
    coefficient = (returns.mean() - 1700.0) / squared.mean()
    assert found.coefficient.value == pytest.approx(coefficient)
    start, middle, end = found.curve([0.0, coefficient, 2 * coefficient])
    assert start == found.plain_return
    assert start.value == pytest.approx(returns.mean())
    assert middle.value == pytest.approx(1700.0)
    assert end.value == pytest.approx(2 * 1700.0 - returns.mean())
    assert found.limb_use.value == pytest.approx(squared.mean())


def test_the_curves_errors_are_those_of_the_penalised_episodes():
    found = Calibration("leg_4", 1700.0, *episodes(50))
    returns, squared = episodes(50)
    error = np.std(returns - 0.4 * squared, ddof=1) / np.sqrt(50)
    assert found.curve([0.4])[0].standard_error == pytest.approx(error)


def test_returns_that_follow_the_limb_exactly_leave_no_error():
    squared = np.array([800.0, 1000.0, 1300.0])
    found = Calibration("leg_4", 1700.0, 1700.0 + 0.5 * squared, squared)
    assert found.coefficient.value == pytest.approx(0.5)
    assert found.coefficient.standard_error == pytest.approx(0.0, abs=1e-12)


def test_a_constant_limb_passes_the_returns_error_on():
    returns = np.array([2000.0, 2100.0, 2600.0])
    found = Calibration("leg_4", 1700.0, returns, np.full(3, 500.0))
    expected = found.plain_return.standard_error / 500.0
    assert found.coefficient.standard_error == pytest.approx(expected)


def test_the_coefficients_error_is_its_spread_over_repeated_measurements():
    found = [Calibration("leg_4", 1700.0, *episodes(100, seed)) for seed in range(400)]
    spread = np.std([one.coefficient.value for one in found], ddof=1)
    stated = np.mean([one.coefficient.standard_error for one in found])
    assert stated == pytest.approx(spread, rel=0.15)


def test_a_simulated_policy_gets_the_coefficient_that_its_return_was_measured_with():
    """The return at coefficient 3 is the target; then 3 must come out."""
    policy = new_policy(jax.random.key(0), 8, np.zeros(27, "f4"), np.ones(27, "f4"), (8,))
    with in_place_of_ant():
        task = tasks.load("tla", backend="spring", episode_length=30, penalty_coefficient=3.0)
        use = limb_use.measure(policy, task, episodes=4, seed=7)
        target = float(np.mean(use.returns - 3.0 * use.squared_sums("leg_4")))
        found = calibrate(policy, task, target, episodes=4, seed=7)
    assert found.limb == "leg_4"
    assert found.coefficient.value == pytest.approx(3.0, rel=1e-4)
    assert found.coefficient.standard_error > 0


@pytest.mark.parametrize(
    ("target", "returns", "squared", "message"),
    [
        (2500.0, [2000.0, 2100.0], [9.0, 8.0], "above the policy's return without the penalty, 2"),
        (1700.0, [2000.0, 2100.0], [0.0, 0.0], "never uses leg_4"),
        (float("nan"), [2000.0, 2100.0], [9.0, 8.0], "finite"),
        (1700.0, [2000.0], [9.0], "episodes must be at least 2"),
    ],
)
def test_what_cannot_be_calibrated_says_why(target, returns, squared, message):
    with pytest.raises(ValueError, match=message):
        Calibration("leg_4", target, np.array(returns), np.array(squared))


def test_a_task_without_a_penalty_is_refused():
    policy = new_policy(jax.random.key(0), 8, np.zeros(27, "f4"), np.ones(27, "f4"), (8,))
    with pytest.raises(ValueError, match=r"'ant' has no penalty to calibrate.*tla"):
        calibrate(policy, tasks.load("ant", backend="spring"), 0.0)


def test_a_loaded_coefficient_replaces_the_tasks_own_and_nothing_else():
    own = tasks.load("tla")
    assert own.penalty is not None
    assert own.penalty.limb == "leg_4"
    changed = tasks.load("tla", penalty_coefficient=0.5)
    assert changed.penalty == LimbPenalty("leg_4", 0.5)
    assert (changed.name, changed.backend, changed.env) == (own.name, own.backend, own.env)
    assert tasks.load("tla", penalty_coefficient=0.0).penalty == LimbPenalty("leg_4", 0.0)


@pytest.mark.parametrize("coefficient", [-0.1, float("nan"), float("inf")])
def test_coefficients_out_of_range_are_refused(coefficient):
    with pytest.raises(ValueError, match="not negative"):
        tasks.load("tla", penalty_coefficient=coefficient)


def test_a_coefficient_for_a_task_without_a_penalty_is_refused():
    with pytest.raises(ValueError, match=r"'hopper' has no penalty.*\(tla\)"):
        tasks.load("hopper", penalty_coefficient=1.0)
