"""Gradient maps: the derivatives of the loss, each pair by itself, at the right place."""

import numpy as np
import pytest

from mirrorpo import objectives
from mirrorpo.discovery.gradient_map import depends_on_progress, gradient_map, loss_gradients
from mirrorpo.discovery.visited import Visited


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def get(name, **settings):
    return objectives.get(name, aggregation="mean", **settings)


def test_the_map_of_cpo_is_its_gradient():
    found = gradient_map(get("cpo", beta=0.5), Visited.grid(-12, -4), n=9)
    chosen, rejected = np.meshgrid(found.log_probs, found.log_probs, indexing="ij")
    pull = 0.5 * sigmoid(-0.5 * (chosen - rejected))
    np.testing.assert_allclose(found.log_probs, np.arange(-12.0, -3.0))
    np.testing.assert_allclose(found.chosen, -1 - pull, rtol=1e-5)
    np.testing.assert_allclose(found.rejected, pull, rtol=1e-5)
    np.testing.assert_allclose(found.size, np.hypot(1 + pull, pull), rtol=1e-5)
    assert found.reference is None
    size, *place = found.extreme(largest=True)
    assert place == [-12.0, -4.0]
    assert size == found.size.max()
    assert found.extreme(largest=False)[1:] == (-4.0, -12.0)
    wrong, right = found.mean_sizes()
    assert wrong == pytest.approx(found.size[chosen < rejected].mean())
    assert right == pytest.approx(found.size[chosen > rejected].mean())


def test_the_reference_is_the_mean_of_the_visited_or_as_given():
    rows = np.array([[-9.0, -9.0, -8.0, -10.0, 0.0], [-7.0, -12.0, -9.0, -11.0, 1.0]])
    visited = Visited(rows)
    found = gradient_map(get("dpo", beta=0.5), visited, n=5)
    assert found.reference == (-8.5, -10.5)
    chosen, rejected = np.meshgrid(found.log_probs, found.log_probs, indexing="ij")
    wanted = 0.5 * sigmoid(-0.5 * (chosen - rejected - 2.0))
    np.testing.assert_allclose(found.rejected, wanted, rtol=1e-5)
    given = gradient_map(get("dpo", beta=0.5), visited, n=5, reference=(-9.0, -9.0))
    np.testing.assert_allclose(given.rejected, 0.5 * sigmoid(-0.5 * (chosen - rejected)), rtol=1e-5)


def test_each_pair_is_a_batch_of_its_own():
    objective = get("kto", beta=0.3)
    points = Visited.grid(n=4, needs_reference=True).points
    together = loss_gradients(objective, points)
    for row in (0, 7):
        np.testing.assert_allclose(
            loss_gradients(objective, points[row : row + 1])[0], together[row]
        )


def test_progress_is_that_of_each_point():
    aware, visited = get("ta-mpo", beta=1.0), Visited.grid(n=4)
    np.testing.assert_allclose(gradient_map(aware, visited, 0.0, n=3).size, 1.0, rtol=1e-6)
    gradients = loss_gradients(aware, visited.points)
    x, y, *_, t = visited.points.T
    np.testing.assert_allclose(gradients[:, 1], t * sigmoid(1.0 - (x - y)), rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "depends"), [("cpo", False), ("dpo", False), ("ta-mpo", True), ("sft", False)]
)
def test_dependence_on_progress_is_seen(name, depends):
    objective = get(name)
    visited = Visited.grid(needs_reference=objective.needs_reference)
    assert depends_on_progress(objective, visited) is depends


def test_a_missing_reference_and_a_map_of_one_point_are_refused():
    with pytest.raises(ValueError, match="dpo compares the policy with a reference policy"):
        gradient_map(get("dpo"), Visited.grid())
    with pytest.raises(ValueError, match="n = 1 points"):
        gradient_map(get("cpo"), Visited.grid(), n=1)
