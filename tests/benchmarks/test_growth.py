"""Growth: exponents of power laws, and their plot."""

import numpy as np
import pytest
from benchmarks.speed import growth, growth_plot
from PIL import Image
from scipy import stats

AT = np.array([2.0, 8.0, 32.0, 128.0])


def lines_of(against, seconds, memory=None):
    memory = seconds if memory is None else memory
    return [
        {"what": "growth", "against": against, "at": at, "seconds": s, "added_memory_mib": m}
        for at, s, m in zip(AT, seconds, memory, strict=True)
    ]


@pytest.mark.parametrize("exponent", [-0.5, 0.0, 1.0, 2.0])
def test_a_power_law_is_found_exactly(exponent):
    found = growth.power_law(AT, 3.0 * AT**exponent)
    assert found == pytest.approx((exponent, 0.0, 3.0), abs=1e-6)


def test_the_standard_error_is_that_of_least_squares():
    values = AT * np.exp(np.random.default_rng(0).normal(size=AT.size))
    expected = stats.linregress(np.log(AT), np.log(values))
    found = growth.power_law(AT, values)
    assert found.exponent == pytest.approx(expected.slope)
    assert found.standard_error == pytest.approx(expected.stderr)
    assert found.factor == pytest.approx(np.exp(expected.intercept))


def test_curves_are_the_points_that_were_measured():
    lines = lines_of("rows", AT, 2 * AT)
    failed = {"what": "growth", "against": "rows", "at": 512, "note": "failed with code 137"}
    fitted = {"what": "growth", "against": "rows", "seconds_exponent": 1.0}
    other = {"what": "training", "seconds": 1.0}
    (curve,) = growth.curves([*lines, failed, fitted, other])
    assert curve.against == "rows"
    np.testing.assert_array_equal(curve.at, AT)
    np.testing.assert_array_equal(curve.seconds, AT)
    np.testing.assert_array_equal(curve.memory, 2 * AT)


def test_two_points_are_no_curve():
    assert growth.curves(lines_of("rows", AT)[:2]) == []


def test_the_plot_has_a_column_a_quantity_and_says_the_exponents(tmp_path):
    curves = growth.curves([*lines_of("population", AT, AT**0.5), *lines_of("rows", AT**2)])
    figure = growth_plot.draw(curves)
    titles = [axis.get_title() for axis in figure.axes]
    assert titles == [
        f"exponent {exponent} ± 0.00" for exponent in ("1.00", "2.00", "0.50", "2.00")
    ]
    assert [axis.get_xlabel() for axis in figure.axes] == ["", "", "population", "rows"]
    growth_plot.save(tmp_path / "growth.png", curves)
    with Image.open(tmp_path / "growth.png") as image:
        image.load()
        assert image.format == "PNG"
