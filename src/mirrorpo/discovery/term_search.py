"""Which few terms of the closed forms' basis have a given gradient: a sparse regression.

Orthogonal matching pursuit that follows several sets of terms in parallel and, in each, also fits
the numbers inside the terms, such as the k of ``log sigmoid(k d)``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from scipy.optimize import least_squares
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, cross_val_score

from mirrorpo.objectives.losses.closed_form import Term
from mirrorpo.standard_error import mean_and_error

FormulaTerms: TypeAlias = tuple[Term, ...]

ROUNDING = 3e-6
"""A relative error of the gradient that is float32 arithmetic's, not the terms'."""

FOLDS = 5

_FOLLOWED = 6
_MOST_KNOWN = 1000
_STEP = 1e-6
_STEEPEST = 30.0
_LARGEST_CANCELLATION = 30.0
_SCALES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
_KINKED = "min({}, 0)"
_SCALED = ("log sigmoid({})", "sigmoid({})", "e^({})")


@dataclass(frozen=True, eq=False)
class Gradients:
    """What is to be explained.

    Fields:
        x, y, t: (n,), the two log-probs (or log-ratios) of each pair, and progress.
        ascent: (n, 2), minus the loss's derivatives in x and y.
    """

    x: np.ndarray
    y: np.ndarray
    t: np.ndarray
    ascent: np.ndarray
    _known: dict[Term, np.ndarray] = dataclasses.field(default_factory=dict, repr=False)

    def at(self, rows: np.ndarray) -> Gradients:
        """Some of the pairs."""
        return Gradients(self.x[rows], self.y[rows], self.t[rows], self.ascent[rows])

    @property
    def target(self) -> np.ndarray:
        """(2 n,): the derivatives in x, then those in y."""
        return self.ascent.T.ravel()

    def columns(self, terms: Sequence[Term]) -> np.ndarray:
        """(2 n, number of terms): the terms' own derivatives, in the order of `target`."""
        return np.stack([self._known_column(term) for term in terms], axis=1)

    def _known_column(self, term: Term) -> np.ndarray:
        # While one number is fitted, all other terms stay.
        if term not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[term] = self._column(term)
        return self._known[term]

    def _column(self, term: Term) -> np.ndarray:
        def value(dx: float, dy: float) -> np.ndarray:
            return term(self.x + dx, self.y + dy, self.t, -np.inf, np.inf)

        # In float64 these differences are exact to 1e-8, kinks aside.
        in_x = in_y = np.zeros_like(self.x)
        if term.variable != "y":
            in_x = (value(_STEP, 0.0) - value(-_STEP, 0.0)) / (2.0 * _STEP)
        if term.variable != "x":
            in_y = (value(0.0, _STEP) - value(0.0, -_STEP)) / (2.0 * _STEP)
        return np.concatenate([in_x, in_y])


@dataclass(frozen=True, eq=False)
class Candidate:
    """Some terms and their mean squared error, relative to the gradient's mean square.

    Fields:
        terms: with the numbers inside them fitted.
        error, standard_error: by cross-validation: mean over the folds, and its standard error.
    """

    terms: FormulaTerms
    error: float
    standard_error: float

    @property
    def numbers(self) -> int:
        """How many numbers there are inside the terms."""
        return sum((term.scale != 1.0) + (term.shift != 0.0) for term in self.terms)


def search(
    data: Gradients, ratios: bool, moving: bool, max_terms: int, seed: int
) -> list[Candidate]:
    """Good sets of 1, 2, ... ``max_terms`` terms, several of each size, the best first.

    Args:
        data: the gradient at the pairs of the fit.
        ratios: whether x and y are log-ratios, so that terms of probabilities mean nothing.
        moving: whether to use terms with powers of t.
        max_terms: the most terms.
        seed: draws the folds.
    """
    dictionary = tuple(_dictionary(data, ratios, moving))
    columns = _standardised(data.columns(dictionary))
    followed: list[FormulaTerms] = [()]
    found: list[Candidate] = []
    for _ in range(max_terms):
        grown: dict[tuple[Any, ...], tuple[float, FormulaTerms]] = {}
        for terms in followed:
            for left, term in _extensions(data, terms, dictionary, columns):
                extended = (*terms, term)
                kinds = _kinds(extended)
                if kinds not in grown or left < grown[kinds][0]:
                    grown[kinds] = (left, extended)
        left_by = {terms: left for left, terms in grown.values()}
        fitted = [with_fitted_numbers(data, terms) for terms in _best(left_by, 2 * _FOLLOWED)]
        sane = [terms for terms in fitted if not _cancels(data, terms) and not _unreadable(terms)]
        errors = {terms: squared_error(data, terms) for terms in sane}
        followed = _best(errors, _FOLLOWED)
        found += [cross_validated(data, terms, seed) for terms in followed]
        if not followed or errors[followed[0]] < ROUNDING**2:
            break
    return found


def _best(errors: Mapping[FormulaTerms, float], number: int) -> list[FormulaTerms]:
    """The ``number`` sets with the smallest errors, and as many of terms without numbers inside.

    Terms with numbers imitate anything for a while, and would leave no room for the plain ones.
    """
    ranked = sorted(errors, key=lambda terms: errors[terms])
    plain = [
        terms for terms in ranked if not any(t.shape in _SCALED or t.shift != 0.0 for t in terms)
    ]
    return list(dict.fromkeys([*ranked[:number], *plain[:number]]))


def coefficients(data: Gradients, terms: FormulaTerms) -> np.ndarray:
    """(number of terms,): the least-squares coefficients."""
    raw = data.columns(terms)
    return _weights(_standardised(raw), data.target) / _size(raw)


def squared_error(data: Gradients, terms: FormulaTerms, values: np.ndarray | None = None) -> float:
    """The relative mean squared error with these coefficients; the best ones by default."""
    values = coefficients(data, terms) if values is None else values
    rest = data.columns(terms) @ values - data.target
    return float(np.mean(rest**2) / np.mean(data.target**2))


def with_round_numbers(data: Gradients, terms: FormulaTerms) -> FormulaTerms:
    """The terms with as few digits inside as the error allows, at most 5."""
    rounded = list(terms)
    for index, term in enumerate(terms):
        for field in ("shift", "scale"):
            exact = getattr(term, field)

            def error(value: float, index: int = index, field: str = field) -> float:
                changed = _changed(rounded[index], field, value)
                return squared_error(data, (*rounded[:index], changed, *rounded[index + 1 :]))

            best = error(exact)
            if field == "shift" and _as_good(error(0.0), best):
                value = 0.0
            else:
                value = _fewest_digits(exact, error, best)
            rounded[index] = _changed(rounded[index], field, value)
    return tuple(rounded)


def _changed(term: Term, field: str, value: float) -> Term:
    if field == "shift":
        return dataclasses.replace(term, shift=value)
    return dataclasses.replace(term, scale=value)


def round_coefficients(data: Gradients, terms: FormulaTerms) -> np.ndarray:
    """The least-squares coefficients with as few digits as the error allows, at most 6."""
    values = coefficients(data, terms)
    best = squared_error(data, terms, values)
    for index, exact in enumerate(values):

        def error(value: float, index: int = index) -> float:
            changed = values.copy()
            changed[index] = value
            return squared_error(data, terms, changed)

        values[index] = _fewest_digits(exact, error, best, most=6)
    return values


def _fewest_digits(
    exact: float, error: Callable[[float], float], best: float, most: int = 5
) -> float:
    for digits in range(1, most):
        value = float(f"{exact:.{digits}g}")
        if _as_good(error(value), best):
            return value
    return float(f"{exact:.{most}g}")


def _as_good(error: float, best: float) -> bool:
    return error <= 1.02 * best + ROUNDING**2


def _dictionary(data: Gradients, ratios: bool, moving: bool) -> Iterator[Term]:
    """The basis at a few scales and shifts, and with powers of t if needed."""
    margins = np.quantile(data.x - data.y, (0.1, 0.3, 0.7, 0.9))
    bases = [Term("{}", "x"), Term("{}", "y"), Term("{}", "d"), Term("|{}|", "d")]
    bases += [Term("{}^2", "d"), Term("{}^3", "d"), Term("({})+", "d"), Term("({})+^2", "d")]
    bases += [Term("e^({})", "d", -scale) for scale in _SCALES[1:5]]
    if not ratios:
        bases += [Term("log(1-e^{})", v) for v in "xy"]
        bases += [Term("e^({})", v, scale) for v in "xy" for scale in _SCALES[1:5]]
        bases += [Term("log sigmoid({})", "o", scale) for scale in _SCALES]
    for place in (0.0, *margins):
        bases.append(Term("min({}, 0)", "d", shift=place))
        for scale in _SCALES:
            bases.append(Term("log sigmoid({})", "d", scale, scale * place))
            if scale < _STEEPEST:
                bases.append(Term("sigmoid({})", "d", scale, scale * place))
    for variable, values in (("x", data.x), ("y", data.y)):
        places = np.quantile(values, (0.25, 0.75))
        for place in (0.0, *places) if ratios else places:
            for scale in _SCALES[1:5]:
                # A rejected log-prob is pushed down.
                signed = scale if variable == "x" else -scale
                for shape in ("log sigmoid({})", "sigmoid({})"):
                    bases.append(Term(shape, variable, signed, signed * place))
    for time in (0, 1, 2) if moving else (0,):
        for base in bases:
            yield dataclasses.replace(base, time=time)


def _kinds(terms: FormulaTerms) -> tuple[Any, ...]:
    """What the terms are, whatever the numbers inside: one set of a kind is followed."""
    return tuple(sorted((t.shape, t.variable, t.shift != 0.0, t.time) for t in terms))


def _extensions(
    data: Gradients, terms: FormulaTerms, dictionary: FormulaTerms, columns: np.ndarray
) -> Iterator[tuple[float, Term]]:
    """Every further term, and the sum of squared errors that it would leave."""
    rest, others = data.target, columns
    if terms:
        basis, _ = np.linalg.qr(_standardised(data.columns(terms)))
        rest = rest - basis @ (basis.T @ rest)
        others = others - basis @ (basis.T @ others)
    norms = np.sum(others**2, axis=0)
    new = norms > 1e-9 * len(rest)
    gains = (others.T @ rest) ** 2 / np.where(new, norms, np.inf)
    for index in np.flatnonzero(new):
        yield float(rest @ rest - gains[index]), dictionary[index]


def _standardised(raw: np.ndarray) -> np.ndarray:
    """The columns with a mean square of 1 each; not centred, for gradients have no intercept."""
    return raw / _size(raw)


def _size(raw: np.ndarray) -> np.ndarray:
    size = np.sqrt(np.mean(raw**2, axis=0))
    return np.where(size > 0, size, 1.0)


def _weights(standardised: np.ndarray, target: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(standardised, target, rcond=None)[0]


def _cancels(data: Gradients, terms: FormulaTerms) -> bool:
    """Whether terms far larger than their sum cancel each other: no formula to read."""
    weights = _weights(_standardised(data.columns(terms)), data.target)
    size = math.sqrt(np.mean(data.target**2))
    return bool(np.abs(weights).max() > _LARGEST_CANCELLATION * size)


def _unreadable(terms: FormulaTerms) -> bool:
    """Whether a term has lost its shape.

    So has a step, whose gradient is a spike that fits one pair or two, an exponential that is a
    line, and one with a coefficient beyond imagination.
    """
    return any(
        (term.shape == "sigmoid({})" and abs(term.scale) > _STEEPEST)
        or (term.shape == "e^({})" and not 0.03 < abs(term.scale) < 3.1)
        for term in terms
    )


def cross_validated(data: Gradients, terms: FormulaTerms, seed: int) -> Candidate:
    """The terms with their error on pairs that their coefficients have not seen."""
    columns, target = _standardised(data.columns(terms)), data.target
    n = len(data.x)
    folds = KFold(FOLDS, shuffle=True, random_state=seed).split(data.x)
    # Both derivatives of a pair are in the same fold.
    both = [tuple(np.concatenate([rows, rows + n]) for rows in fold) for fold in folds]
    scores = cross_val_score(
        LinearRegression(fit_intercept=False),
        columns,
        target,
        cv=both,
        scoring="neg_mean_squared_error",
    )
    errors = -scores / np.mean(target**2)
    return Candidate(terms, *mean_and_error(errors))


def with_fitted_numbers(data: Gradients, terms: FormulaTerms) -> FormulaTerms:
    """The terms with the scales and shifts that fit best; a shift of 0 stays."""
    terms = _with_kinks_placed(data, terms)
    start = _numbers(terms)
    if not len(start):
        return terms
    target = data.target

    def errors(numbers: np.ndarray) -> np.ndarray:
        columns = _standardised(data.columns(_with_numbers(terms, numbers)))
        return columns @ _weights(columns, target) - target

    room = 5.0 + np.abs(start)
    size = math.sqrt(np.mean(target**2))
    best = least_squares(
        lambda numbers: errors(numbers) / size,
        start,
        bounds=(start - room, start + room),
        x_scale=np.maximum(np.abs(start), 1.0),
        xtol=1e-10,
        ftol=1e-10,
        gtol=1e-12,
        max_nfev=60,
    )
    return _with_numbers(terms, best.x)


def _with_kinks_placed(data: Gradients, terms: FormulaTerms) -> FormulaTerms:
    """The terms with each kink where it fits best, by trial: the error is not smooth in it."""
    placed = list(terms)
    for index, term in enumerate(terms):
        if term.shape != _KINKED or not term.shift:
            continue
        width = 0.2 * np.ptp(data.x - data.y)
        for _ in range(4):
            shifts = placed[index].shift + width * np.linspace(-1.0, 1.0, 21)
            trials = [dataclasses.replace(term, shift=float(shift)) for shift in shifts]
            errors = [
                squared_error(data, (*placed[:index], trial, *placed[index + 1 :]))
                for trial in trials
            ]
            placed[index] = trials[int(np.argmin(errors))]
            width *= 0.1
    return tuple(placed)


def _numbers(terms: FormulaTerms) -> np.ndarray:
    """The numbers to fit: the logarithms of the scales, and the shifts that are not 0."""
    numbers: list[float] = []
    for term in terms:
        if term.shape in _SCALED:
            numbers.append(math.log(abs(term.scale)))
        if term.shift:
            numbers.append(term.shift)
    return np.asarray(numbers)


def _with_numbers(terms: FormulaTerms, numbers: np.ndarray) -> FormulaTerms:
    left = iter(numbers)
    changed = []
    for term in terms:
        scale, shift = term.scale, term.shift
        if term.shape in _SCALED:
            scale = math.copysign(math.exp(next(left)), scale)
        if shift:
            shift = float(next(left))
        changed.append(dataclasses.replace(term, scale=scale, shift=shift))
    return tuple(changed)
