"""Closed forms: their names, known losses as sums of terms, finite everywhere, and as files."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mirrorpo import objectives
from mirrorpo.objectives import ClosedForm, ClosedFormReference, get
from mirrorpo.objectives.losses.closed_form import SHAPES, Term

from .test_finiteness import EDGES, LIMIT

NAMES = (
    *("x", "y", "d", "o", "d^2", "d^3", "o^2", "|d|", "|2 d - 1|", "(d)+", "(d)+^2", "(d - 1)+^2"),
    *("min(d, 0)", "min(-3 d + 0.5, 0)", "e^(x)", "e^(-2 d)", "log(1-e^y)", "log sigmoid(100 d)"),
    *("log sigmoid(-x)", "log sigmoid(0.1 o - 2)", "sigmoid(0.3 d)", "t x", "t^2 e^(-0.5 d)"),
    *("t log sigmoid(1e-05 d + 1e+02)",),
)


def form(*terms, coefficients=None, **settings):
    values = np.ones(len(terms)) if coefficients is None else np.asarray(coefficients)
    return ClosedForm(terms=terms, coefficients=values, **settings)


WIDE = {"low": -1e3, "high": 1e3}


@pytest.mark.parametrize(
    ("closed", "known"),
    [
        (form("x"), get("sft")),
        (form("x", "d", coefficients=[0.5, 1.0]), get("lpo", weight=1.5)),
        (form("x", "log sigmoid(0.3 d)"), get("cpo", beta=0.3)),
        (form("x", "log sigmoid(o)", coefficients=[1, 0.5]), get("orpo", weight=0.5)),
        (form("log sigmoid(2 d - 0.7)"), get("simpo", beta=2.0, gamma=0.7)),
        (form("x", "min(d - 2, 0)", coefficients=[0.25, 1]), get("slic", weight=0.25, delta=2.0)),
        (
            form("x", "d", "d^2", "d^3", coefficients=[0.82, 1.7, 0.33, 0.36], **WIDE),
            get("paper-mixed"),
        ),
        (
            form("x", "t x", "t log sigmoid(0.5 d - 1)", coefficients=[1, -1, 1]),
            get("ta-mpo", beta=0.5, gamma=1.0),
        ),
        (ClosedFormReference(terms="log sigmoid(0.3 d)"), get("dpo", beta=0.3)),
        (
            ClosedFormReference(terms=("log sigmoid(x)", "log sigmoid(-y)"), coefficients=[1, 1]),
            get("bco", beta=1.0),
        ),
    ],
    ids=lambda value: value.name if value.name[:6] != "closed" else value.terms,
)
def test_known_losses_are_sums_of_terms(arrays, closed, known):
    for aggregation in ("sum", "mean"):
        pairs = objectives.PairLogProbs(*arrays)
        ours = dataclasses.replace(closed, aggregation=aggregation)(pairs, 0.3)
        theirs = dataclasses.replace(known, aggregation=aggregation)(pairs, 0.3)
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_ipo_is_a_parabola_up_to_a_constant(pairs):
    closed = ClosedFormReference(terms=("d", "d^2"), coefficients=[2.5, -1], **WIDE)
    ipo = get("ipo", tau=0.4, aggregation="sum")
    np.testing.assert_allclose(closed(pairs) + 1.25**2, ipo(pairs), rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_read_as_it_is_written(name):
    if name != "t log sigmoid(1e-05 d + 1e+02)":
        assert str(Term.parse(name)) == name
    assert Term.parse(str(Term.parse(name))) == Term.parse(name)


def test_the_names_cover_every_shape():
    assert {Term.parse(name).shape for name in NAMES} == set(SHAPES)


@pytest.mark.parametrize("cls", [ClosedForm, ClosedFormReference])
def test_every_term_is_finite_with_finite_gradients_for_all_log_probs(cls):
    grid = np.array(np.meshgrid(EDGES, EDGES, [-1e6, -1.0, LIMIT])).reshape(3, -1)
    chosen, rejected, reference = np.minimum(grid.astype(np.float32), LIMIT)
    single = [dataclasses.replace(cls(), terms=name, coefficients=np.ones(1)) for name in NAMES]

    def losses(chosen, rejected):
        pairs = objectives.PairLogProbs(chosen, rejected, reference, reference[::-1])
        return jnp.stack([objective(pairs, 0.3).sum() for objective in single])

    values, gradients = jax.jit(lambda c, r: (losses(c, r), jax.jacrev(losses, (0, 1))(c, r)))(
        chosen, rejected
    )
    for row, name in enumerate(NAMES):
        assert np.isfinite(values[row]), name
        for gradient in gradients:
            assert np.isfinite(gradient[row]).all(), name


def test_all_libraries_agree_on_every_term(arrays):
    torch = pytest.importorskip("torch")
    single = [np.asarray(array, np.float32) for array in arrays]
    objective = form(*NAMES, coefficients=np.linspace(0.1, 1, len(NAMES)), aggregation="mean")
    expected = objective(objectives.PairLogProbs(*single), 0.3)

    def total(chosen, rejected):
        rest = map(jnp.asarray, single[2:])
        return objective(objectives.PairLogProbs(chosen, rejected, *rest), 0.3)

    chosen, rejected = map(jnp.asarray, single[:2])
    np.testing.assert_allclose(jax.jit(total)(chosen, rejected), expected, rtol=1e-5)
    tensors = [torch.tensor(array, requires_grad=True) for array in single[:2]]
    loss = objective(objectives.PairLogProbs(*tensors, *map(torch.tensor, single[2:])), 0.3)
    np.testing.assert_allclose(loss.detach().numpy(), expected, rtol=1e-5)
    gradients = torch.autograd.grad(loss.sum(), tensors)
    wanted = jax.grad(lambda c, r: total(c, r).sum(), (0, 1))(chosen, rejected)
    for found, other in zip(gradients, wanted, strict=True):
        np.testing.assert_allclose(found.numpy(), other, rtol=1e-4, atol=1e-5)


def margins(values):
    return objectives.PairLogProbs(np.asarray(values) - 9.0, np.full(len(values), -9.0))


@pytest.mark.parametrize("term", ["d^2", "d^3", "(d)+^2", "(d - 1)+^2", "e^(-0.5 d)"])
def test_powers_go_on_along_their_tangents_outside_the_range(term):
    narrow, wide = form(term, low=-2.0, high=3.0), form(term, **WIDE)
    inside = margins(np.linspace(-2, 3, 11))
    np.testing.assert_allclose(narrow(inside), wide(inside), rtol=1e-12)
    for end, outward in ((-2.0, -1.0), (3.0, 1.0)):
        step = 1e-6
        near = wide(margins([end - step, end + step]))
        slope, value = (near[1] - near[0]) / (2 * step), wide(margins([end]))[0]
        for distance in (0.5, 5.0, 500.0):
            beyond = narrow(margins([end + outward * distance]))[0]
            assert beyond == pytest.approx(value + slope * outward * distance, rel=1e-6, abs=1e-6)
    gradient = jax.grad(lambda c: narrow(objectives.PairLogProbs(c, jnp.zeros(1)))[0])
    np.testing.assert_allclose(gradient(jnp.full(1, 1e6))[0], slope, rtol=1e-4)


def test_coefficients_are_differentiated_and_batched(pairs):
    objective = form("x", "d")

    def losses(coefficients):
        return dataclasses.replace(objective, coefficients=coefficients)(pairs)

    gradient = jax.grad(lambda values: losses(values).sum())(jnp.asarray([0.5, 2.0]))
    wanted = [-pairs.chosen.sum(), (pairs.rejected - pairs.chosen).sum()]
    np.testing.assert_allclose(gradient, wanted, rtol=1e-5)
    both = jax.vmap(losses)(jnp.asarray([[0.5, 2.0], [1.0, 0.0]]))
    np.testing.assert_allclose(both[1], -pairs.chosen, rtol=1e-5)


@pytest.mark.parametrize("suffix", ["json", "safetensors"])
def test_a_form_comes_back_exactly(tmp_path, pairs, suffix):
    objective = form("x", "t log sigmoid(0.3 d - 1)", coefficients=[1 / 3, 0.1], low=-0.1, high=1e3)
    path = tmp_path / f"form.{suffix}"
    objectives.save(objective, path)
    loaded = objectives.load(path)
    assert loaded == objective
    assert hash(loaded) == hash(objective)
    assert loaded != form("x", "t log sigmoid(0.3 d - 1)", coefficients=[1 / 3, 0.2])
    np.testing.assert_array_equal(loaded(pairs, 0.7), objective(pairs, 0.7))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"terms": "z"}, "terms is 'z', but must be one of: 'x', 'y'"),
        ({"terms": ""}, "terms is ''"),
        ({"terms": "x;d"}, "terms is 'x;d'"),
        ({"terms": "2 d^2"}, "terms is '2 d^2'"),
        ({"terms": "log sigmoid(q d)"}, "terms is 'log sigmoid"),
        ({"terms": ("x", "d")}, "2 terms (x; d) need as many coefficients, got shape (1,)"),
        ({"coefficients": [np.nan]}, "coefficients has values that are not finite"),
        ({"low": 2.0, "high": 1.0}, "low is 2.0, but must be below 1.0"),
    ],
)
def test_a_wrong_form_is_refused(settings, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        get("closed-form", **settings)
