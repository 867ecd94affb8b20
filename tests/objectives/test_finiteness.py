"""Losses and gradients are finite for every float32 log-prob from -1e6 to just below 0."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorpo import objectives
from mirrorpo.objectives import numerics

LIMIT = np.nextafter(np.float32(0), np.float32(-1))  # the largest negative float32, subnormal
EDGES = [-1e6, -1e5, -1e3, -88.8, -11.0, -1.0, -0.6931472, -1e-3, -1e-7, -1e-20, float(LIMIT)]

one = st.sampled_from(EDGES) | st.floats(-45, 6).map(lambda exponent: -(10.0**exponent))
four_of_three = st.lists(one, min_size=12, max_size=12).map(
    lambda values: np.minimum(np.reshape(values, (4, 3)).astype(np.float32), LIMIT)
)

VARIANTS = [
    *((name, {}) for name in objectives.available()),
    *(("fdpo", {"divergence": d}) for d in ("reverse-kl", "forward-kl", "alpha")),
    *(("ta-mpo", {"schedule": s}) for s in ("quadratic", "sigmoid")),
    ("bco", {"shift": "batch"}),
    ("alphapo", {"alpha": -1.0}),
    ("discopop", {"tau": 5.0}),
    ("1s-mpo", {"psi": "logit", "inverse_potential": "probability", "link": "square"}),
]


@functools.cache
def built():
    return [objectives.get(name, **hyper) for name, hyper in VARIANTS]


@functools.cache
def values_and_gradients():

    def everything(chosen, rejected, ref_chosen, ref_rejected):
        def losses(chosen, rejected):
            pairs = objectives.PairLogProbs(chosen, rejected, ref_chosen, ref_rejected)
            return jnp.stack([objective(pairs, 0.3) for objective in built()])

        return losses(chosen, rejected), jax.jacrev(
            lambda c, r: losses(c, r).sum(axis=1), argnums=(0, 1)
        )(chosen, rejected)

    return jax.jit(everything)


def assert_finite(log_probs):
    values, gradients = values_and_gradients()(*log_probs)
    for found in map(np.asarray, (values, *gradients)):
        lost = np.flatnonzero(~np.isfinite(found).reshape(len(VARIANTS), -1).all(axis=1))
        assert not lost.size, ([VARIANTS[row] for row in lost], log_probs)


@settings(max_examples=100, deadline=None)
@given(four_of_three)
def test_jax_losses_and_gradients_are_finite_everywhere(log_probs):
    assert_finite(log_probs)


def test_jax_losses_and_gradients_are_finite_at_all_pairs_of_edges():
    for chosen in EDGES:
        for rejected in EDGES:
            rows = [[chosen] * 3, [rejected] * 3, [-1.0, *[chosen] * 2], [-1.0, *[rejected] * 2]]
            assert_finite(np.minimum(np.asarray(rows, np.float32), LIMIT))


def test_torch_losses_and_gradients_are_finite_at_all_pairs_of_edges(every_name):
    torch = pytest.importorskip("torch")
    grid = np.array(np.meshgrid(EDGES, EDGES, [-1e6, -1.0, LIMIT])).reshape(3, -1)
    chosen, rejected, reference = (
        torch.tensor(np.minimum(row.astype(np.float32), LIMIT)) for row in grid
    )
    chosen.requires_grad_()
    rejected.requires_grad_()
    pairs = objectives.PairLogProbs(chosen, rejected, reference, reference.flip(0))
    loss = objectives.get(every_name)(pairs, 0.3)
    assert torch.isfinite(loss).all()
    for gradient in torch.autograd.grad(loss.sum(), (chosen, rejected), allow_unused=True):
        assert gradient is None or torch.isfinite(gradient).all()


@settings(max_examples=200, deadline=None)
@given(four_of_three)
def test_numpy_losses_are_finite_everywhere(log_probs):
    pairs = objectives.PairLogProbs(*log_probs)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for objective in built():
            assert np.isfinite(objective(pairs, 0.3)).all(), objective


def test_a_density_above_one_gives_a_finite_loss(every_name):
    above = np.asarray([0.0, 0.5, 40.0], np.float32)
    pairs = objectives.PairLogProbs(above, -above, -above, above)
    assert np.isfinite(objectives.get(every_name)(pairs, 0.3)).all()


@pytest.mark.parametrize("x", [-1e-12, -1e-7, -1e-3, -0.5, -0.7, -1.0, -20.0, -50.0])
def test_log1mexp_is_accurate_on_both_sides_of_its_switch(x):
    exact = np.log(-np.expm1(np.longdouble(x)))
    assert float(numerics.log1mexp(np.asarray(x))) == pytest.approx(float(exact), rel=1e-13)


def test_hinge_is_exact_on_both_sides_of_its_corner():
    near = np.asarray([1 - 2.0**-20, 1.0, 1 + 2.0**-20])
    np.testing.assert_array_equal(objectives.Hinge()(near), [-(2.0**-20), 0.0, 0.0])


def test_functions_are_increasing_over_the_whole_range():
    x = np.asarray(sorted(EDGES[1:-2]), np.float64)
    for function in (
        objectives.Log(),
        objectives.Logit(),
        objectives.Power(alpha=0.3),
        objectives.Power(alpha=-0.3),
        objectives.ChiSquared(),
        objectives.JensenShannon(),
        objectives.Probability(),
    ):
        assert (np.diff(function(x)) >= 0).all(), function


def test_exponential_links_keep_a_gradient_beyond_the_largest_exponent():
    slope = jax.grad(lambda x: objectives.LogisticPlusExponential()(x))(-1e4)
    assert 0 < slope < np.finfo(np.float32).max


def test_spread_of_equal_margins_has_a_finite_gradient():
    def total(chosen, name):
        pairs = objectives.PairLogProbs(chosen, -jnp.ones(3), -jnp.ones(3), -jnp.ones(3))
        return objectives.get(name)(pairs).sum()

    for name in ("aqfl", "dbaql"):
        gradient = jax.grad(total)(-jnp.ones(3), name)
        assert np.isfinite(gradient).all()
