"""The theory behind the family, checked by a solver that knows nothing of it."""

import jax
import numpy as np
import pytest
from scipy.optimize import minimize

from mirrorpo.objectives import (
    ChiSquared,
    JensenShannon,
    Log,
    Logit,
    MonotoneNetwork,
    Power,
    Probability,
    Rescaled,
    from_dict,
    get,
    to_dict,
)

from . import potentials
from .networks import perturbed

LEARNED = perturbed(MonotoneNetwork.inverse_potential("logit", input="probability"), 0.2, 0)
LEARNED_LOG = perturbed(MonotoneNetwork.inverse_potential(low=-6, high=0), 0.2, 1)

POTENTIALS = {
    "exp": Log(),
    "l2": Probability(scale=2.0),
    "tsallis-0.3": Power(alpha=0.3),
    "tsallis-0.9": Power(alpha=0.9),
    "reverse": Power(alpha=1.0),
    "orpo": Logit(),
    "learned": LEARNED,
    "learned-of-log": LEARNED_LOG,
}
SLOW = {"learned-of-log"}  # twice the time of the learned one, by the same code
every_potential = pytest.mark.parametrize(
    "potential",
    [
        pytest.param(potential, id=name, marks=[pytest.mark.slow] * (name in SLOW))
        for name, potential in POTENTIALS.items()
    ],
)

P = np.asarray([0.5, 0.3, 0.15, 0.05])
Q = np.asarray([0.1, 0.2, 0.3, 0.4])
UNIFORM = np.full(4, 0.25)
REWARDS = np.asarray([0.2, -0.3, 0.5, 0.1])


def solve(penalty, reward, beta):
    """The distribution that maximises ``reward - beta penalty``, by SQP from values alone."""
    size = len(reward)
    found = minimize(
        lambda p: -(reward @ p - beta * penalty(p)),
        np.full(size, 1 / size),
        method="SLSQP",
        jac="3-point",
        bounds=[(1e-6, 1.0)] * size,
        constraints={"type": "eq", "fun": lambda p: p.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-15, "maxiter": 500},
    )
    assert found.success
    assert found.x.min() > 1e-3  # inside, as a 0-potential's solution must be
    return found.x


@every_potential
@pytest.mark.parametrize(
    ("reference", "beta"),
    [
        ([0.25, 0.15, 0.35, 0.25], 2.5),
        pytest.param([0.4, 0.3, 0.2, 0.1], 1.0, marks=pytest.mark.slow),
    ],
)
def test_theorem_3_1_gives_the_reward_of_the_regularised_solution(potential, reference, beta):
    reference = np.asarray(reference)
    found = solve(lambda p: potentials.bregman_divergence(potential, p, reference), REWARDS, beta)
    implied = beta * (
        potentials.inverse(potential, found) - potentials.inverse(potential, reference)
    )
    constant = REWARDS - implied
    assert np.ptp(constant) < 1e-6


@pytest.mark.parametrize(
    "name",
    [
        # The learned one's quadrature is short in the theorem's test above.
        pytest.param(name, marks=[pytest.mark.slow] * (name == "learned"))
        for name in POTENTIALS
        if name != "learned-of-log"
    ],
)
def test_under_a_uniform_reference_an_f_divergence_is_a_bregman_divergence(name):
    """Appendix E: f-DPO's family with phi is MPO's with ``phi^-1(n x)``, and the other way."""
    potential = POTENTIALS[name]
    if isinstance(potential, (Logit, MonotoneNetwork)):  # of probabilities: not above 1
        of_ratio, of_probability = Rescaled(function=potential, scale=0.25), potential
    else:
        of_ratio, of_probability = potential, Rescaled(function=potential, scale=4.0)
    by_f = solve(lambda p: potentials.f_divergence(of_ratio, p, UNIFORM), REWARDS, 1.5)
    by_bregman = solve(
        lambda p: potentials.bregman_divergence(of_probability, p, UNIFORM), REWARDS, 1.5
    )
    np.testing.assert_allclose(by_f, by_bregman, atol=1e-6)
    implied = 1.5 * potentials.inverse(of_probability, by_f)
    assert np.ptp(REWARDS - implied) < 1e-6


def test_otherwise_they_share_only_the_kl_divergence():
    def gap(potential):
        by_f = solve(lambda p: potentials.f_divergence(potential, p, Q), REWARDS, 1.5)
        by_bregman = solve(lambda p: potentials.bregman_divergence(potential, p, Q), REWARDS, 1.5)
        return np.abs(by_f - by_bregman).max()

    assert gap(Log()) < 1e-6
    assert gap(Power(alpha=0.5)) > 1e-2


@every_potential
def test_the_mirror_maps_gradient_is_the_inverse_potential(potential):
    step = 1e-6 * np.eye(4)
    rise = potentials.mirror_map(potential, P + step) - potentials.mirror_map(potential, P - step)
    np.testing.assert_allclose(rise / 2e-6, potentials.inverse(potential, P), rtol=1e-6, atol=1e-7)


@every_potential
def test_divergences_are_zero_only_between_equals(potential):
    assert potentials.bregman_divergence(potential, P, P) == pytest.approx(0, abs=1e-12)
    assert potentials.bregman_divergence(potential, P, Q) > 1e-3
    assert potentials.bregman_divergence(potential, Q, P) > 1e-3
    both = potentials.bregman_divergence(potential, np.stack([P, Q]), Q)
    assert both.shape == (2,)


@pytest.mark.parametrize(
    "potential",
    [Log(), Probability(scale=2.0), Power(alpha=0.3), Power(alpha=1.0), Power(alpha=-1.0), Logit()],
)
def test_closed_forms_are_the_quadratures(potential):
    p = np.asarray([1e-6, 0.01, 0.3, 0.999, *([] if potential == Logit() else [1.0, 3.0, 50.0])])
    by_quadrature = potentials._quadrature(potential, np.log(p))
    np.testing.assert_allclose(
        potentials.integral(potential, p), by_quadrature, rtol=1e-9, atol=1e-12
    )


def test_the_papers_two_examples():
    kl = np.sum(P * np.log(P / Q))
    assert potentials.bregman_divergence(Log(), P, Q) == pytest.approx(kl, rel=1e-12)
    assert potentials.f_divergence(Log(), P, Q) == pytest.approx(kl, rel=1e-12)
    l2 = Probability(scale=2.0)
    assert potentials.bregman_divergence(l2, P, Q) == pytest.approx(np.sum((P - Q) ** 2))
    assert potentials.mirror_map(l2, P) == pytest.approx(np.sum(P**2) - 4)


def test_known_f_divergences():
    ratio = P / Q
    forward = potentials.f_divergence(Power(alpha=1.0), P, Q)
    assert forward == pytest.approx(np.sum(Q * -np.log(ratio)), rel=1e-9)
    middle = (P + Q) / 2
    jensen_shannon = np.sum(P * np.log(P / middle)) + np.sum(Q * np.log(Q / middle))
    assert potentials.f_divergence(JensenShannon(), P, Q) == pytest.approx(jensen_shannon)
    chi_squared = 0.5 * np.sum(Q * (ratio - 1) ** 2) + np.sum(P * np.log(ratio))
    mixed = potentials.f_divergence(ChiSquared(), P, Q)
    assert mixed == pytest.approx(chi_squared, rel=1e-9)


def test_zero_probabilities_have_a_finite_mirror_map():
    corner = np.asarray([1.0, 0.0, 0.0])
    for potential in POTENTIALS.values():
        assert np.isfinite(potentials.mirror_map(potential, corner))
    assert potentials.mirror_map(Log(), corner) == pytest.approx(2.0)


def test_a_rescaled_potential_trains_and_is_saved(pairs):
    objective = get("1s-mpo", inverse_potential=Rescaled(function=Log(), scale=4.0))
    same = get("1s-mpo", inverse_potential=Log())
    np.testing.assert_allclose(objective(pairs), same(pairs), rtol=1e-12)
    assert from_dict(to_dict(objective)) == objective


def test_divergences_are_differentiable_in_jax():
    for potential in (Log(), Power(alpha=0.3), JensenShannon()):
        gradient = jax.grad(lambda p, f=potential: potentials.mirror_map(f, p))(
            jax.numpy.asarray(P, np.float32)
        )
        np.testing.assert_allclose(gradient, potentials.inverse(potential, P), rtol=1e-3)
