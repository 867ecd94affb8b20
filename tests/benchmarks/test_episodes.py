"""How many episodes a score needs is told from agents and episodes of known variances."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import episodes


def bench(between, within, cells=400, agents=6, count=8):
    """A bench's final agents whose means and episodes are normal with these variances."""
    draw = np.random.default_rng(0)
    means = draw.normal(scale=np.sqrt(between), size=(cells, agents, 1))
    returns = means + draw.normal(scale=np.sqrt(within), size=(cells, agents, count))
    return pd.DataFrame(
        {
            "phase": "final",
            "variant": np.repeat(np.arange(cells), agents),
            "algorithm": "sft",
            "episodes": count,
            "return_mean": returns.mean(axis=2).ravel(),
            "return_standard_error": (returns.std(axis=2, ddof=1) / np.sqrt(count)).ravel(),
        }
    )


@pytest.mark.parametrize("between", [0.0, 4.0, 100.0])
def test_the_components_of_all_cells_together_are_those_drawn_and_not_cut_off_at_zero(between):
    found = episodes.cells(bench(between, within=100.0))[["between", "within"]].mean()
    assert found["within"] == pytest.approx(100.0, rel=0.05)
    # The standard error of the mean over 400 cells of 6 agents.
    assert found["between"] == pytest.approx(between, abs=4 * 0.032 * (between + 100.0 / 8))


@pytest.mark.parametrize(("between", "within"), [(0.0, 1.0), (1.0, 1.0), (1.0, 30.0)])
def test_the_number_of_episodes_is_the_least_within_a_tenth_of_a_hundreds_error(between, within):
    least = episodes.episodes_needed(between, within)
    assert episodes.times_as_large(between, within, least) <= 1.1
    assert least == 1 or episodes.times_as_large(between, within, least - 1) > 1.1


def test_where_agents_are_alike_the_error_goes_by_the_root_of_the_episodes():
    assert episodes.times_as_large(0.0, 5.0, 25) == pytest.approx(2.0)
    assert episodes.times_as_large(3.0, 0.0, 1) == 1.0


def test_a_cell_of_two_agents_does_not_count():
    assert episodes.cells(bench(1.0, 1.0, cells=3, agents=2)).empty
