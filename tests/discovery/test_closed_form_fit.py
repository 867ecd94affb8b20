"""Known objectives are recovered as formulas, on what was visited and to a small error."""

import dataclasses
import functools

import numpy as np
import pytest

from mirrorpo import objectives
from mirrorpo.discovery.closed_form_fit import closed_form
from mirrorpo.discovery.gradient_map import loss_gradients
from mirrorpo.discovery.visited import Visited


def get(name, **settings):
    return objectives.get(name, aggregation="mean", **settings)


@functools.cache
def fitted(objective):
    """Its closed form, found once."""
    return closed_form(objective)


TEMPORAL = get("ta-mpo", beta=5.0, gamma=2.0, schedule="quadratic")
EXACT = [
    (get("sft"), {"x": 1}),
    (get("lpo", weight=1.5), {"x": 0.5, "d": 1}),
    (get("cpo"), {"x": 1, "log sigmoid(0.1 d)": 1}),
    (get("cpo", beta=2.7, sft_weight=0.2), {"x": 0.2, "log sigmoid(2.7 d)": 1}),
    (get("orpo"), {"x": 1, "log sigmoid(o)": 0.1}),
    (get("simpo"), {"log sigmoid(2 d - 1)": 1}),
    (get("dpo"), {"log sigmoid(0.1 d)": 1}),
    (get("dpo", beta=37.0), {"log sigmoid(37 d)": 1}),
    (get("ipo"), {"d": 10, "d^2": -1}),
    (get("paper-mixed"), {"x": 0.82, "d": 1.7, "d^2": 0.33, "d^3": 0.36}),
    (get("slic", weight=0.3), {"x": 0.3, "min(d - 1, 0)": 1}),
    (TEMPORAL, {"x": 1, "t^2 x": -1, "t^2 log sigmoid(5 d - 2)": 1}),
]


@pytest.mark.parametrize(
    ("objective", "terms"), EXACT, ids=[" + ".join(terms) for _, terms in EXACT]
)
def test_a_sum_of_terms_is_found_exactly(objective, terms):
    fit = fitted(objective)
    assert dict(zip(fit.terms, fit.coefficients, strict=True)) == pytest.approx(terms, rel=1e-4)
    assert fit.relative_error < 1e-5
    assert fit.max_error < 1e-4
    assert fit.r_squared > 0.9999
    assert not fit.measured
    assert fit.objective.aggregation == "mean"
    assert fit.objective.needs_reference is objective.needs_reference
    points = Visited.grid(n=7, needs_reference=objective.needs_reference).points
    gradients = loss_gradients(objective, points)
    np.testing.assert_allclose(
        loss_gradients(fit.objective, points), gradients, rtol=1e-3, atol=1e-4
    )


def test_the_papers_noisy_form_is_a_one_sided_square_to_a_thousandth():
    fit = closed_form(get("paper-noisy"))
    assert fit.terms == ("x", "(d)+^2")
    assert fit.coefficients == pytest.approx((0.82, 1.39), rel=2e-3)
    assert fit.relative_error < 3e-3
    assert fit.text.startswith("loss = -[0.82 x + 1.39 (d)+^2], where x = log pi(chosen)")


def test_the_visited_pairs_decide_where_the_form_holds():
    rng = np.random.default_rng(0)
    points = np.full((300, 5), np.nan)
    points[:, :2] = -9.0 + 0.05 * rng.normal(size=(300, 2))
    points[:, 4] = rng.uniform(size=300)
    fit = closed_form(get("cpo"), Visited(points))
    assert fit.measured
    assert fit.terms == ("x", "d"), "so near to 0, log sigmoid is a line"
    assert fit.coefficients == pytest.approx((1.0, 0.05), rel=1e-2)


def test_more_terms_come_nearer_and_their_number_is_bounded():
    objective = get("alphapo")
    errors = [closed_form(objective, max_terms=number).relative_error for number in (1, 2)]
    assert errors[1] < errors[0]
    assert len(closed_form(get("paper-mixed"), max_terms=2).terms) <= 2


def test_the_same_seed_gives_the_same_form():
    objective = get("discopop", beta=1.0)
    assert closed_form(objective, max_terms=2) == closed_form(objective, max_terms=2)


def test_the_form_is_written_in_the_papers_notation():
    assert fitted(get("cpo")).latex == (
        "\\begin{aligned}\n"
        "\\ell(\\tau_w, \\tau_l) &= -\\bigl[ \\log \\pi(\\tau_w) + \\log \\sigma(0.1 \\, d) \\bigr]"
        " \\\\\n"
        "d &= \\log \\pi(\\tau_w) - \\log \\pi(\\tau_l)\n"
        "\\end{aligned}\n"
    )
    dpo = fitted(get("dpo"))
    assert r"\log \frac{\pi(\tau_w)}{\pi_{\text{ref}}(\tau_w)}" in dpo.latex
    assert "x = log pi(chosen) - log pi_ref(chosen)" in dpo.text
    assert r"\tau_l, t)" in fitted(TEMPORAL).latex


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shaped(objectives.Objective):
    """A loss with a gradient of the tests' choice."""

    slope: float = objectives.number(0.0)

    def loss(self, batch, progress):
        return self.slope * batch.chosen + 0.0 * batch.rejected


Shaped.name = "shaped"


@pytest.mark.parametrize(
    ("objective", "arguments", "message"),
    [
        (get("cpo"), {"max_terms": 0}, "max_terms must be at least 1, not 0"),
        (get("dpo"), {"visited": Visited.grid()}, "no reference log-probs"),
        (get("cpo"), {"visited": Visited.grid(n=4)}, "at least 20 visited pairs, got 16"),
        (Shaped(), {}, "shaped: the gradient is 0 at all visited pairs"),
        (Shaped(slope=1e39), {}, "shaped: the gradient is not finite"),
    ],
)
def test_what_has_no_form_is_refused(objective, arguments, message):
    with pytest.raises(ValueError, match=message):
        closed_form(objective, **arguments)
