import math

import numpy as np
import pytest
from scipy import stats

from mirrorpo.standard_error import mean_and_error, of_mean


def test_mean_and_error_use_the_sample_standard_deviation():
    mean, error = mean_and_error([1.0, 2.0, 3.0, 6.0])
    assert mean == 3.0
    assert error == pytest.approx(math.sqrt((4 + 1 + 0 + 9) / 3) / 2)


def test_one_agent_has_a_mean_and_no_error():
    mean, error = mean_and_error([5.0])
    assert mean == 5.0
    assert math.isnan(error)


def test_it_is_scipys_standard_error():
    scores = np.random.default_rng(0).normal(size=25)
    assert of_mean(scores) == pytest.approx(stats.sem(scores))


def test_equal_draws_are_no_draws():
    scores = [1.0, 2.0, 3.0, 6.0]
    assert mean_and_error(scores, [5, 5, 5, 5]) == mean_and_error(scores)


def test_balanced_draws_have_the_error_of_their_means():
    # Means 2 and 12: standard deviation sqrt(50), over root 2.
    assert mean_and_error([1.0, 3.0, 11.0, 13.0], [0, 0, 1, 1]) == pytest.approx((7.0, 5.0))


def test_draws_of_one_agent_each_are_independent_values():
    scores = [1.0, 2.0, 3.0, 6.0]
    assert mean_and_error(scores, [4, 5, 6, 7]) == pytest.approx(mean_and_error(scores))


def test_every_draw_weighs_alike_however_many_agents_it_has():
    mean, error = mean_and_error([0.0, 0.0, 0.0, 0.0, 10.0], [0, 0, 0, 0, 1])
    assert mean == 5.0
    assert error == pytest.approx(5.0)


def test_draws_that_happen_to_agree_do_not_hide_the_spread_of_agents():
    # Both draws have mean 0; what agents leave: variance 4/3 over 4.
    scores, draws = [-1.0, 1.0, 1.0, -1.0], [0, 0, 1, 1]
    assert mean_and_error(scores, draws)[1] == pytest.approx(math.sqrt(2.0 / 4))


def test_a_value_that_is_not_known_leaves_no_number():
    assert np.isnan(mean_and_error([1.0, math.nan])).all()


@pytest.mark.parametrize(("draws", "agents"), [(2, 12), (3, 4), (10, 3)])
@pytest.mark.parametrize("spread", [0.0, 0.3, 3.0])
def test_intervals_contain_the_truth_as_often_as_they_say(draws, agents, spread):
    rng = np.random.default_rng(draws)
    label = np.repeat(np.arange(draws), agents)
    wide = stats.t.ppf(0.975, draws - 1)
    found = []
    for _ in range(400):
        scores = spread * rng.normal(size=draws)[label] + rng.normal(size=draws * agents)
        mean, error = mean_and_error(scores, label)
        found.append(abs(mean) <= wide * error)
    assert np.mean(found) >= 0.93
    if spread == 3.0:
        assert np.mean(found) <= 0.975


def test_the_error_over_agents_alone_misses_the_draws():
    rng = np.random.default_rng(1)
    label = np.repeat(np.arange(5), 5)
    found = []
    for _ in range(200):
        scores = rng.normal(size=5)[label] + rng.normal(size=25)
        found.append(abs(scores.mean()) <= stats.t.ppf(0.975, 24) * of_mean(scores))
    assert np.mean(found) < 0.8


def test_input_of_other_shapes_is_refused():
    with pytest.raises(ValueError, match="values is empty: at least one"):
        mean_and_error([])
    with pytest.raises(ValueError, match=r"one dimension, not shape \(2, 2\)"):
        mean_and_error(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="got 2 values and draws of shape"):
        mean_and_error([1.0, 2.0], [0])
