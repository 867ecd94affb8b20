"""Visited points: checked, summarised, and the same after a trip through JSON."""

import json

import numpy as np
import pytest

from mirrorpo.discovery.visited import Visited

ROWS = np.array([[-9.0, -10.0, -9.5, -9.5, 0.0], [-7.0, -12.0, -9.0, -11.0, 1.0]])


def without_reference(rows):
    changed = np.array(rows)
    changed[:, 2:4] = np.nan
    return changed


def test_ranges_are_those_of_the_points():
    visited = Visited(ROWS)
    assert visited.has_reference
    assert visited.range == (-12.0, -7.0)
    assert visited.margin_range == (1.0, 3.0)
    assert visited.mean_reference == (-9.25, -10.25)
    np.testing.assert_allclose(visited.log_ratios, [[0.5, -0.5], [2.0, -1.0]])


def test_without_a_reference_the_margin_is_of_log_probs():
    visited = Visited(without_reference(ROWS))
    assert not visited.has_reference
    assert visited.margin_range == (1.0, 5.0)
    assert np.isnan(visited.mean_reference).all()


def test_points_are_a_read_only_copy():
    rows = ROWS.copy()
    visited = Visited(rows)
    rows[0, 0] = 5.0
    assert visited.points[0, 0] == -9.0
    with pytest.raises(ValueError, match="read-only"):
        visited.points[0, 0] = 1.0


@pytest.mark.parametrize("rows", [ROWS / 3.0, without_reference(ROWS / 3.0)])
@pytest.mark.parametrize("measured", [True, False])
def test_points_come_back_from_json_to_six_digits(rows, measured):
    document = json.loads(
        json.dumps(Visited(np.abs(rows) % 1.0, measured).to_dict(), allow_nan=False)
    )
    loaded = Visited.from_dict(document)
    assert loaded.measured is measured
    np.testing.assert_allclose(loaded.points, np.abs(rows) % 1.0, rtol=5e-6)
    assert Visited.from_dict(loaded.to_dict()).to_dict() == document


@pytest.mark.parametrize("needs_reference", [True, False])
def test_the_stand_in_fills_the_range_and_says_that_it_is_one(needs_reference):
    visited = Visited.grid(-5.0, -1.0, n=20, needs_reference=needs_reference)
    assert not visited.measured
    assert visited.points.shape == (400, 5)
    assert visited.has_reference is needs_reference
    assert visited.range == (-5.0, -1.0)
    for column in (0, 1):
        counts, _ = np.histogram(visited.points[:, column], bins=10, range=(-5, -1))
        assert counts.min() > 30
    cells, _, _ = np.histogram2d(*visited.points[:, :2].T, bins=5)
    assert cells.min() > 8
    assert len(np.unique(visited.points[:, 0] - visited.points[:, 1])) > 390
    if needs_reference:
        assert visited.points[:, 2:4].min() >= -5
        assert visited.points[:, 2:4].max() <= -1


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((3, 4)), r"shape \(3, 4\), but must have \(n, 5\)"),
        (np.zeros(5), r"shape \(5,\)"),
        (np.zeros((0, 5)), "n at least 1"),
        ([["a"] * 5], "must be an array of numbers"),
        ([[np.nan, 0, 0, 0, 0]], "chosen has values that are not finite"),
        ([[0, np.inf, 0, 0, 0]], "rejected has values that are not finite"),
        ([[0, 0, np.nan, 0, 0]], "finite for all pairs, or NaN for all"),
        ([[0, 0, 0, 0, 1.5]], r"progress is 1\.5, but must be in \[0, 1\]"),
    ],
)
def test_wrong_points_are_refused_in_one_line(points, message):
    with pytest.raises(ValueError, match=message) as error:
        Visited(points)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"low": -1.0, "high": -1.0}, r"low is -1\.0, but must be finite and below high"),
        ({"low": np.nan}, "low is nan"),
        ({"n": 1}, "n is 1, but must be at least 2"),
    ],
)
def test_a_wrong_stand_in_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Visited.grid(**arguments)


@pytest.mark.parametrize(
    "document",
    [
        *(None, [], {}, {"points": [[0] * 5]}, {"points": "no", "measured": True}),
        {"points": [[10**400] * 5], "measured": True},
        *({"points": [[0, 0]], "measured": True}, {"points": [[0] * 5], "measured": 1}),
    ],
)
def test_a_wrong_document_is_refused(document):
    with pytest.raises(ValueError, match="Visited: "):
        Visited.from_dict(document)
