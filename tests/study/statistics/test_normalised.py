import math

import numpy as np
import pytest

from mirrorpo.study import statistics


def test_normalised_score_is_0_at_the_worse_agent_and_1_at_the_better():
    found = statistics.normalised_score([900.0, 1500.0, 2100.0, 2400.0], worse=900, better=2100)
    np.testing.assert_allclose(found, [0.0, 0.5, 1.0, 1.25])


@pytest.mark.parametrize("better", [900.0, 800.0, math.nan])
def test_normalised_score_needs_agents_that_differ(better):
    with pytest.raises(ValueError, match="better must exceed worse"):
        statistics.normalised_score(1000.0, worse=900.0, better=better)


def test_the_error_of_a_score_between_sure_sources_is_scaled():
    found = statistics.normalised_error(1500.0, 60.0, worse=900.0, better=2100.0)
    assert found == pytest.approx(0.05)


def test_at_a_source_agents_own_score_only_that_agents_error_counts():
    at_worse, at_better = statistics.normalised_error([0.0, 10.0], 0.0, 0.0, 10.0, 1.0, 2.0)
    assert at_worse == pytest.approx(0.1)
    assert at_better == pytest.approx(0.2)


def test_the_error_is_that_of_simulated_scores():
    rng = np.random.default_rng(0)
    score, worse, better = (
        rng.normal(mean, error, 20_000)
        for mean, error in ((3000.0, 60.0), (1700.0, 20.0), (3900.0, 40.0))
    )
    seen = np.std((score - worse) / (better - worse))
    found = statistics.normalised_error(3000.0, 60.0, 1700.0, 3900.0, 20.0, 40.0)
    assert found == pytest.approx(seen, rel=0.03)


def test_an_unknown_error_stays_unknown():
    assert math.isnan(statistics.normalised_error(1.0, math.nan, 0.0, 2.0))
