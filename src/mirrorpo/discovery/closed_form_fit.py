"""What an objective does, as a formula: few terms whose gradient is the objective's.

Training sees the gradient of a loss alone, so it is the gradient that is fitted, in both log-probs
at once, at pairs that training has visited.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import train_test_split

from mirrorpo.discovery import term_search
from mirrorpo.discovery.formula import to_latex, to_text
from mirrorpo.discovery.gradient_map import depends_on_progress, loss_gradients, require_reference
from mirrorpo.discovery.term_search import Candidate, FormulaTerms, Gradients
from mirrorpo.discovery.visited import Visited
from mirrorpo.objectives import ClosedForm, ClosedFormReference, Objective
from mirrorpo.objectives.losses.closed_form import SEPARATOR, SHAPES, VARIABLES, Term

TOLERANCE = 5e-4
"""A relative error of the gradient that counts as none: fewer terms are worth more."""

_MOST_PAIRS = 1500
_FEWEST_PAIRS = 4 * term_search.FOLDS


@dataclass(frozen=True)
class Fit:
    """An objective's closed form, and how near it comes.

    The errors are of the gradient, at pairs that were held out of the fit.

    Fields:
        objective: the closed form, ready to train with: in one phase, or after SFT if the
            original has a reference policy.
        terms: the names of its terms, see `mirrorpo.objectives.losses.closed_form`.
        coefficients: the coefficients of the terms; the loss is minus their weighted sum.
        relative_error: root mean square of the error, relative to the gradient's; 0 is perfect.
        r_squared: share of the gradient's variation from pair to pair that is explained; 1 is
            perfect.
        max_error: the largest error of either derivative, relative to the gradient's root mean
            square.
        measured: whether training visited the pairs, or they are a stand-in.
    """

    objective: ClosedForm
    terms: tuple[str, ...]
    coefficients: tuple[float, ...]
    relative_error: float
    r_squared: float
    max_error: float
    measured: bool

    @property
    def text(self) -> str:
        """The formula in one line of plain text."""
        return to_text(self.objective)

    @property
    def latex(self) -> str:
        """The formula as an ``aligned`` block of LaTeX, in the paper's notation."""
        return to_latex(self.objective)


def closed_form(
    objective: Objective, visited: Visited | None = None, max_terms: int = 4, seed: int = 0
) -> Fit:
    """The few named terms whose weighted sum trains as ``objective`` does where it was visited.

    Their number is the smallest whose cross-validated error is within one standard error of the
    best (the rule of Breiman, Friedman, Olshen and Stone, 1984), or within `TOLERANCE`.

    Args:
        objective: any.
        visited: pairs to fit at; by default the stand-in `Visited.grid`.
        max_terms: the most terms.
        seed: the seed of the folds, and of the quarter of the pairs that is held out for the
            errors.

    Raises:
        ValueError: ``max_terms`` below 1, fewer than 20 pairs, a reference that is needed and was
            not visited, or a gradient that is not finite, or 0 at all pairs.
    """
    if max_terms < 1:
        raise ValueError(f"max_terms must be at least 1, not {max_terms!r}.")
    visited = visited or Visited.grid(needs_reference=objective.needs_reference)
    require_reference(objective, visited)
    if len(visited.points) < _FEWEST_PAIRS:
        raise ValueError(
            f"A closed form needs at least {_FEWEST_PAIRS} visited pairs, "
            f"got {len(visited.points)}."
        )
    # The gradient is taken in float32: the terms are, at those very points.
    points = visited.points.astype(np.float32).astype(np.float64)
    if len(points) > _MOST_PAIRS:
        points, _ = train_test_split(points, train_size=_MOST_PAIRS, random_state=seed)
    data = _data(objective, points)
    train, held_out = train_test_split(np.arange(len(points)), test_size=0.25, random_state=seed)
    moving = depends_on_progress(objective, visited)
    chosen = _choose(data.at(train), objective.needs_reference, moving, max_terms, seed)
    terms = _final(data.at(train), chosen)
    form = _build(objective, visited, terms, term_search.round_coefficients(data, terms))
    # The errors are those of coefficients that have not seen the held-out pairs either.
    values = term_search.coefficients(data.at(train), terms)
    relative_error, r_squared, max_error = _errors(data.at(held_out), terms, values)
    return Fit(
        objective=form,
        terms=tuple(map(str, terms)),
        coefficients=tuple(float(f"{value:.6g}") for value in form.coefficients),
        relative_error=relative_error,
        r_squared=r_squared,
        max_error=max_error,
        measured=visited.measured,
    )


def _data(objective: Objective, points: np.ndarray) -> Gradients:
    ascent = -loss_gradients(objective, points)
    if not np.isfinite(ascent).all():
        raise ValueError(f"{objective.name}: the gradient is not finite at all visited pairs.")
    if not ascent.any():
        raise ValueError(f"{objective.name}: the gradient is 0 at all visited pairs.")
    seen = points[:, :2] - points[:, 2:4] if objective.needs_reference else points[:, :2]
    return Gradients(seen[:, 0], seen[:, 1], points[:, 4], ascent)


def _choose(data: Gradients, ratios: bool, moving: bool, max_terms: int, seed: int) -> FormulaTerms:
    found = term_search.search(data, ratios, moving, max_terms, seed)
    best = min(found, key=lambda candidate: candidate.error)
    enough = max(best.error + best.standard_error, TOLERANCE**2)

    def simplest(candidates: Iterable[Candidate]) -> Candidate:
        return min(
            (candidate for candidate in candidates if candidate.error <= enough),
            key=lambda candidate: (len(candidate.terms), candidate.numbers, candidate.error),
        )

    chosen = simplest(found)
    while len(chosen.terms) > 1:
        # A term that helped on the way there may have become useless.
        fewer = [chosen.terms[:i] + chosen.terms[i + 1 :] for i in range(len(chosen.terms))]
        refitted = [term_search.with_fitted_numbers(data, terms) for terms in fewer]
        shorter = [term_search.cross_validated(data, terms, seed) for terms in refitted]
        if simplest([chosen, *shorter]) is chosen:
            break
        chosen = simplest([chosen, *shorter])
    return chosen.terms


def _final(data: Gradients, terms: FormulaTerms) -> FormulaTerms:
    """The terms as they are written: round numbers inside, in the order of the basis."""
    rounded = term_search.with_round_numbers(data, _with_margins(terms))
    return tuple(Term.parse(str(term)) for term in rounded)


def _with_margins(terms: FormulaTerms) -> FormulaTerms:
    """x, y and d are two numbers in three forms: of any two of them, x and d are kept."""
    changed = list(terms)
    for time in (0, 1, 2):
        x, y, d = (Term("{}", variable, time=time) for variable in "xyd")
        if y in changed and x in changed:
            changed[changed.index(y)] = d
        elif y in changed and d in changed:
            changed[changed.index(y)] = x

    def place(term: Term) -> tuple[int, int, int]:
        return list(SHAPES).index(term.shape), VARIABLES.index(term.variable), term.time

    return tuple(sorted(changed, key=place))


def _build(
    objective: Objective, visited: Visited, terms: FormulaTerms, values: np.ndarray
) -> ClosedForm:
    low, high = visited.margin_range
    cls = ClosedFormReference if objective.needs_reference else ClosedForm
    return cls(
        terms=SEPARATOR.join(map(str, terms)),
        coefficients=values,
        low=float(math.floor(low)),
        high=float(math.ceil(high)),
        aggregation=objective.aggregation,
    )


def _errors(data: Gradients, terms: FormulaTerms, values: np.ndarray) -> tuple[float, float, float]:
    """Relative error, share of the variation explained, and largest relative error."""
    target = data.target
    rest = data.columns(terms) @ values - target
    size = math.sqrt(np.mean(target**2))
    relative = math.sqrt(np.mean(rest**2)) / size
    variation = np.sum((data.ascent - data.ascent.mean(axis=0)) ** 2)
    # A gradient that is the same at all pairs has no variation to explain.
    constant = variation <= (term_search.ROUNDING * size) ** 2 * len(target)
    r_squared = float(relative < TOLERANCE) if constant else 1.0 - np.sum(rest**2) / variation
    return relative, float(r_squared), float(np.abs(rest).max() / size)
