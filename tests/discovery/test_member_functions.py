"""A member's scalar functions over what it was given."""

import numpy as np
import pytest

from mirrorpo import objectives
from mirrorpo.discovery.member_functions import member_functions
from mirrorpo.discovery.visited import Visited


def get(name, **settings):
    return objectives.get(name, aggregation="mean", **settings)


def curves(objective):
    visited = Visited.grid(needs_reference=objective.needs_reference)
    return {curve.name: curve for curve in member_functions(objective, visited)}


@pytest.mark.parametrize(
    ("objective", "names"),
    [
        (get("cpo"), ["psi", "inverse potential", "link"]),
        (get("sft"), ["psi"]),
        (get("simpo"), ["inverse potential", "link"]),
        (get("dpo"), ["inverse potential", "link"]),
        (get("2s-mpo"), ["inverse potential", "link"]),
        (get("fdpo"), ["inverse potential", "link"]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_only_the_functions_that_a_member_has_are_shown(objective, names):
    assert list(curves(objective)) == names


def test_the_link_is_shown_over_its_scaled_margins():
    link = curves(get("simpo", beta=2.0, gamma=1.0))["link"]
    assert (link.low, link.high) == (-17.0, 15.0)
    np.testing.assert_allclose(link.values[0], -np.logaddexp(0, -link.x))
    np.testing.assert_allclose(link.usual, link.values[0], atol=1e-9)
    x, slopes = link.slopes()
    assert (x.min() >= -17, x.max() <= 15) == (True, True)
    np.testing.assert_allclose(slopes[0], 1 / (1 + np.exp(x)), atol=1e-2)
    ((moment, at, slope),) = link.extremes(largest=True)
    assert (moment, at) == (0.0, pytest.approx(-17.0, abs=0.1))
    assert slope == pytest.approx(1.0, rel=1e-3)


def test_functions_of_a_probability_are_shown_from_below_the_visited_log_probs_to_zero():
    psi = curves(get("sft"))["psi"]
    assert (psi.low, psi.high) == (-14.0, -6.0)
    assert (psi.x[0], psi.x[-1]) == (-18.0, -2.0)
    np.testing.assert_array_equal(psi.values[0], psi.x)
    wide = Visited.grid(-10.0, -1.0)
    (psi,) = member_functions(get("1s-mpo", psi="probability", weight=1.0), wide)[:1]
    assert (psi.x[0], psi.x[-1]) == (-14.5, 0.0)
    np.testing.assert_allclose(psi.values[0], np.exp(psi.x))


def test_the_usual_function_agrees_in_the_middle():
    link = curves(get("paper-noisy"))["link"]
    middle = 0.5 * (link.low + link.high)
    assert np.interp(middle, link.x, link.usual) == pytest.approx(
        np.interp(middle, link.x, link.values[0])
    )


def test_a_function_that_changes_in_training_is_shown_at_three_moments():
    network = objectives.TimedNetwork.of(objectives.MonotoneNetwork.link(low=-8, high=8))
    drift = np.zeros((2, 9, 14))
    drift[0, 1] = 2.0
    output = np.full((9, 14), -0.015)
    output[1] = 0.01
    moved = objectives.TimedNetwork(
        network=objectives.MonotoneNetwork(
            output=output,
            coefficients=network.network.coefficients,
            input="margin",
            extra="log-sigmoid",
        ),
        drift=drift,
        coefficient_drift=network.coefficient_drift,
    )
    found = curves(get("1s-mpo", link=moved))
    assert found["link"].moments == (0.0, 0.5, 1.0)
    assert found["link"].values.shape == (3, len(found["link"].x))
    assert found["psi"].moments == (0.0,)
