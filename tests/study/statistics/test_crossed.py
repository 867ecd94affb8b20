"""Errors over agents and prompts at once, on data whose variance components are known."""

import math

import numpy as np
import pytest

from mirrorpo.standard_error import mean_and_error, of_mean
from mirrorpo.study.statistics.crossed import crossed, redrawn

SIGMA = {"draw": 2.0, "agent": 1.5, "prompt": 6.0, "both": 9.0}


def simulated(rng, draws=1, agents=5, prompts=20, **changes):
    """Scores of `agents` per draw, and the draw of each."""
    sigma = SIGMA | changes
    of_draw = np.repeat(np.arange(draws), agents)
    count = len(of_draw)
    own_draw = sigma["draw"] if draws > 1 else 0.0
    return (
        10.0
        + rng.normal(0, own_draw, draws)[of_draw][:, None]
        + rng.normal(0, sigma["agent"], (count, 1))
        + rng.normal(0, sigma["prompt"], (1, prompts))
        + rng.normal(0, sigma["both"], (count, prompts))
    ), of_draw


def true_variance(draws, agents, prompts, **changes):
    sigma = SIGMA | changes
    count = draws * agents
    return (
        (sigma["draw"] ** 2 / draws if draws > 1 else 0.0)
        + sigma["agent"] ** 2 / count
        + sigma["prompt"] ** 2 / prompts
        + sigma["both"] ** 2 / (count * prompts)
    )


@pytest.mark.parametrize(
    ("draws", "changes"),
    [(1, {}), (6, {}), (1, {"prompt": 0.0, "agent": 0.0}), (1, {"both": 1.0})],
)
def test_the_squared_error_is_the_known_one_on_average(draws, changes):
    rng = np.random.default_rng(0)
    found = []
    for _ in range(150):
        scores, of_draw = simulated(rng, draws, **changes)
        found.append(crossed(scores, of_draw).standard_error ** 2)
    truth = true_variance(draws, 5, 20, **changes)
    # Never below what one side leaves alone: where neither varies by itself, that is a little.
    upper = 1.5 if changes.get("prompt") == 0.0 else 1.15
    assert 0.88 * truth < np.mean(found) < upper * truth


@pytest.mark.parametrize("draws", [1, 4])
def test_95_percent_intervals_hold_the_mean_about_as_often(draws):
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(120):
        found = crossed(*simulated(rng, draws, agents=6, prompts=40), seed=int(rng.integers(99)))
        inside.append(found.low < 10.0 < found.high)
    assert 0.89 < np.mean(inside) < 0.995


def test_an_error_over_agents_alone_misses_the_prompts():
    rng = np.random.default_rng(2)
    scores, of_draw = simulated(rng, agents=8, prompts=30, prompt=20.0)
    found = crossed(scores, of_draw)
    alone = mean_and_error(scores.mean(axis=1))[1]
    assert found.mean == pytest.approx(scores.mean())
    assert found.standard_error > 1.5 * alone
    assert found.standard_error == pytest.approx(of_mean(scores.mean(axis=0)), rel=0.1)


def test_without_prompts_that_differ_it_is_the_error_over_agents_and_draws():
    draws = np.repeat([0, 1, 2], 4)
    agents = np.random.default_rng(3).normal(0, 3, 12) + draws
    found = crossed(np.repeat(agents[:, None], 7, axis=1), draws)
    mean, error = mean_and_error(agents, draws)
    assert (found.mean, found.standard_error) == pytest.approx((mean, error))
    assert (found.agents, found.prompts, found.draws) == (12, 7, 3)


def test_the_bootstrap_redraws_both_and_counts_their_interaction_three_times():
    scores, of_draw = simulated(np.random.default_rng(4), agents=6, prompts=25)
    means = redrawn(scores, of_draw, np.random.default_rng(5))
    rest = scores - scores.mean(0) - scores.mean(1, keepdims=True) + scores.mean()
    both = (rest**2).sum() / (5 * 24) / scores.size
    expected = crossed(scores, of_draw).standard_error ** 2 + 2 * both
    assert np.var(means) == pytest.approx(expected, rel=0.1)


def test_what_prompts_have_in_common_cancels_in_a_difference():
    rng = np.random.default_rng(6)
    scores, _ = simulated(rng, agents=8, prompts=40, prompt=30.0)
    other = scores - 2.0 + rng.normal(0, 1.0, scores.shape)
    difference = crossed(scores - other)
    assert difference.standard_error < 0.1 * crossed(scores).standard_error
    assert difference.p_value < 1e-6
    assert crossed(scores - scores).p_value == 1.0


def test_prompts_that_are_answered_more_often_weigh_more():
    scores, _ = simulated(np.random.default_rng(7), agents=4, prompts=3)
    weights = [2, 1, 1]
    found = crossed(scores, weights=weights)
    assert found.mean == pytest.approx(np.average(scores, axis=1, weights=weights).mean())
    moved = crossed(scores + 1000.0, weights=weights)
    assert moved.standard_error == pytest.approx(found.standard_error)
    equal = crossed(scores, weights=[5, 5, 5])
    assert equal == crossed(scores)


def test_one_agent_or_one_prompt_has_no_such_error():
    for shape in ((1, 5), (5, 1)):
        found = crossed(np.random.default_rng(0).normal(size=shape))
        assert math.isnan(found.standard_error)
        assert math.isnan(found.p_value)


@pytest.mark.parametrize(
    ("scores", "settings", "message"),
    [
        ([1.0, 2.0], {}, "shape"),
        ([[1.0, math.nan]], {}, "finite"),
        ([[1.0, 2.0]], {"draws": [0, 1]}, "do not fit"),
        ([[1.0, 2.0]], {"weights": [1.0]}, "do not fit"),
    ],
)
def test_wrong_shapes_and_numbers_are_refused(scores, settings, message):
    with pytest.raises(ValueError, match=message):
        crossed(scores, **settings)
