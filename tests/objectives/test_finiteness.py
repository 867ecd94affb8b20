"""Losses and gradients are finite for every float32 log-prob, in every library."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mirrorpo import objectives
from mirrorpo.objectives import found, numerics, ranges

LIMIT = np.nextafter(np.float32(0), np.float32(-1))  # the largest negative float32, subnormal
FARTHEST = float(np.finfo(np.float32).min)
EDGES = [
    *(FARTHEST, -1e30, numerics.LOWEST, -1e6, -1e3, -88.8, -11.0, -1.0, -0.6931472),
    *(-1e-3, -1e-7, -1e-20, float(LIMIT), -0.0),
]
BATCH = 3

log_probs = (
    st.sampled_from(EDGES)
    | st.floats(FARTHEST, -0.0, width=32)
    | st.floats(-45, 6).map(lambda exponent: -(10.0**exponent))
)


def batch(values, near):
    """Policy's and reference's log-probs of chosen and rejected, (4, BATCH) float32. Where `near`
    is not None, the rejected are the chosen or their next smaller neighbours."""
    sides = np.minimum(np.reshape(values, (4, BATCH)).astype(np.float32), np.float32(-0.0))
    if near is not None:
        smaller = np.nextafter(sides[0], np.float32(FARTHEST))
        sides[1] = np.where(near, smaller, sides[0])
    return sides


batches = st.builds(
    batch,
    st.lists(log_probs, min_size=4 * BATCH, max_size=4 * BATCH),
    st.none() | st.lists(st.booleans(), min_size=BATCH, max_size=BATCH),
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
    """Every objective by its name, those that were discovered and ship with the package too."""
    named = {f"{name} {values}": objectives.get(name, **values) for name, values in VARIANTS}
    return named | {name: objectives.load(path) for name, path in found.shipped().items()}


def at_the_ends_of_its_ranges(name):
    spans = ranges.of(type(objectives.get(name)))
    for ends in itertools.product(*((span.low, span.high) for span in spans.values())):
        yield objectives.get(name, **dict(zip(spans, ends, strict=True)))


def with_and_without_memory(objective, pairs):
    """The losses after no other batch and, where it remembers any, after this batch."""
    losses = [objective(pairs, 0.3)]
    if objective.memory_size:
        losses.append(objective(pairs, 0.3, objective.remember(pairs)))
    return losses


def numpys(sides):
    pairs = objectives.PairLogProbs(*sides)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        return {
            name: with_and_without_memory(objective, pairs) for name, objective in built().items()
        }


@functools.cache
def compiled():
    def losses(sides, rest):
        pairs = objectives.PairLogProbs(*sides, *rest)
        return jnp.stack(
            [sum(with_and_without_memory(objective, pairs)) for objective in built().values()]
        )

    def both(sides, rest):
        return losses(sides, rest), *jax.jacrev(lambda s: losses(s, rest).sum(axis=1))(sides)

    return jax.jit(both)


def jaxs(sides):
    results = compiled()(tuple(sides[:2]), tuple(sides[2:]))
    return dict(zip(built(), zip(*map(np.asarray, results), strict=True), strict=True))


def torchs_of(objective, sides):
    import torch

    chosen, rejected, *rest = map(torch.tensor, sides)
    leaves = (chosen.requires_grad_(), rejected.requires_grad_())
    losses = sum(with_and_without_memory(objective, objectives.PairLogProbs(*leaves, *rest)))
    gradients = torch.autograd.grad(losses.sum(), leaves, allow_unused=True)
    return [losses.detach().numpy(), *(part.numpy() for part in gradients if part is not None)]


def torchs(sides):
    return {name: torchs_of(objective, sides) for name, objective in built().items()}


LIBRARIES = {"numpy": numpys, "jax": jaxs, "torch": torchs}
"""Values, and gradients where the library has them, of every objective by name."""


def assert_finite(library, sides):
    lost = [name for name, parts in library(sides).items() if not all(map(_all_finite, parts))]
    assert not lost, (lost, sides)


def _all_finite(values):
    return np.isfinite(values).all()


@pytest.mark.parametrize(("library", "examples"), [("numpy", 60), ("jax", 200), ("torch", 15)])
def test_values_and_gradients_are_finite_for_every_float32_log_prob(library, examples):
    pytest.importorskip(library)

    @settings(max_examples=examples, deadline=None)
    @given(batches)
    @example(batch([FARTHEST] * 9 + [-1e6] * 3, None))
    @example(batch([FARTHEST, -0.0, -1.0] * 2 + [-0.0, FARTHEST, -1.0] * 2, [True] * 3))
    def holds(sides):
        assert_finite(LIBRARIES[library], sides)

    holds()


def test_jax_losses_and_gradients_are_finite_at_all_pairs_of_edges():
    for chosen, rejected in itertools.product(EDGES, EDGES):
        rows = [[chosen] * 3, [rejected] * 3, [-1.0, *[chosen] * 2], [-1.0, *[rejected] * 2]]
        assert_finite(jaxs, np.asarray(rows, np.float32))


def test_torch_losses_and_gradients_are_finite_at_all_pairs_of_edges(every_name):
    pytest.importorskip("torch")
    grid = np.array(np.meshgrid(EDGES, EDGES, [FARTHEST, -1.0, LIMIT])).reshape(3, -1)
    chosen, rejected, reference = grid.astype(np.float32)
    sides = (chosen, rejected, reference, reference[::-1].copy())
    assert all(map(_all_finite, torchs_of(objectives.get(every_name), sides)))


def test_torch_losses_and_gradients_are_finite_at_the_ends_of_the_search_ranges(every_name):
    pytest.importorskip("torch")
    far, ends = FARTHEST, (FARTHEST, -1.0, float(LIMIT))
    for objective in at_the_ends_of_its_ranges(every_name):
        for rows in ([[far] * 3, ends, ends[::-1], [far] * 3], [ends[::-1], [far] * 3, ends, ends]):
            parts = torchs_of(objective, np.asarray(rows, np.float32))
            assert all(map(_all_finite, parts)), (objective, rows)


@pytest.mark.parametrize("library", ["jax", "torch"])
def test_a_log_prob_beyond_the_lowest_still_has_its_gradient(library):
    pytest.importorskip(library)
    lowest, sft = np.float32(numerics.LOWEST), objectives.get("sft")
    values = np.asarray([FARTHEST, 2 * lowest, lowest, -5.0], np.float32)
    if library == "torch":
        losses, gradient = torchs_of(sft, (values, values))
    else:

        def loss(chosen):
            return sft(objectives.PairLogProbs(chosen, chosen))

        losses, gradient = loss(values), jax.grad(lambda chosen: loss(chosen).sum())(values)
    np.testing.assert_array_equal(losses, [-lowest, -lowest, -lowest, 5.0])
    np.testing.assert_array_equal(gradient, [-1.0] * 4)


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
