"""The formulas that the zoo prints are what the objectives compute."""

import numpy as np
import pytest

from mirrorpo import objectives
from mirrorpo.objectives import PairLogProbs
from mirrorpo.reporting.page import explorer
from tests.objectives.numpy_formulas import kept_chances, projected, targets

T = 0.3


def ours():
    """The zoo's own objectives; documents that run in the same process register others."""
    return [
        choice.label
        for choice in explorer.zoo()
        if type(choice.objective).__module__.startswith("mirrorpo.")
    ]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def computed(lines, objective, pairs):
    """The value of a formula's last line, with the names of the page's head."""
    names = {name: np.asarray(value) for name, value in vars(pairs).items()}
    names["chosen_ratio"] = pairs.chosen - pairs.reference_chosen
    names["rejected_ratio"] = pairs.rejected - pairs.reference_rejected
    names["margin"] = pairs.chosen - pairs.rejected
    if objective.needs_reference:
        names["margin"] = names["chosen_ratio"] - names["rejected_ratio"]
    names |= {
        "log": np.log,
        "exp": np.exp,
        "abs": np.abs,
        "max": np.maximum,
        "min": np.minimum,
        "sum": np.sum,
        "quantile": np.quantile,
        "sparsemax": projected,
        "chances": lambda w, share: kept_chances(np.exp(w), share),
        "targets": targets,
        "n": len(pairs.chosen),
        "where": np.where,
        "sort": np.sort,
        "mean": np.mean,
        "sigmoid": sigmoid,
        "std": lambda x: np.std(x, ddof=1),
        "var": lambda x: np.var(x, ddof=1),
        "t": T,
    }
    for name, field in (("psi", "psi"), ("Phi", "inverse_potential"), ("g", "link")):
        names[name] = getattr(objective, field, None)
    names["schedule"] = getattr(objective, "schedule", None)
    names |= {k: v for k, v in vars(objective).items() if isinstance(v, (int, float))}
    *definitions, formula = lines
    for line in definitions:
        exec(line, {}, names)
    return eval(formula, {}, names)


@pytest.mark.parametrize("name", ours())
def test_the_printed_formula_is_the_objective_s_own(name):
    draw = np.random.default_rng(0)
    logs = draw.uniform(-6, -0.5, (4, 64))
    lengths = draw.integers(1, 30, (2, 64)).astype(float)
    agreement = -draw.uniform(0.5, 3.0, (2, 64)) * lengths
    pairs = PairLogProbs(*logs, *lengths, *agreement, ease=draw.permutation(64) / 63)
    objective = objectives.get(name, aggregation="sum")
    assert objective.formula, f"{type(objective).__name__} states no formula"
    np.testing.assert_allclose(
        objective(pairs, T), -computed(objective.formula, objective, pairs), rtol=1e-6, atol=1e-9
    )
