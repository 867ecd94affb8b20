"""Each objective equals its published formula, written out here a second time in plain NumPy."""

import numpy as np
import pytest

from mirrorpo import objectives

from .numpy_formulas import (
    Case,
    alpha_dpo,
    aqfl,
    aql,
    beta_dpo,
    dbaql,
    dr,
    gated,
    hinge,
    kl,
    kto,
    logistic,
    odds,
    power,
    sigmoid,
    ta,
    targets,
    winsorised,
)

TA = {"beta": 0.4, "gamma": 0.6}
WDPO = {"flip_share": 0.3, "winsor_share": 0.6, "tail": 0.6}
FORMULAS = [
    ("sft", {}, lambda c: -c.w),
    ("lpo", {"weight": 1.7}, lambda c: -(1.7 * c.w - c.l)),
    ("rrhf", {"weight": 0.4}, lambda c: -(0.4 * c.w - np.maximum(0, -c.d))),
    ("slic", {"weight": 0.4, "delta": 2.0}, lambda c: -0.4 * c.w + np.maximum(0, 2 - c.d)),
    ("cpo", {"beta": 0.4, "sft_weight": 0.7}, lambda c: -0.7 * c.w + logistic(0.4 * c.d)),
    ("orpo", {"weight": 0.4}, lambda c: -c.w + 0.4 * logistic(np.log(odds(c.w) / odds(c.l)))),
    ("simpo", {"beta": 2.0, "gamma": 0.7}, lambda c: logistic(2 * c.d - 0.7)),
    (
        "alphapo",
        {"beta": 2.0, "gamma": 0.7, "alpha": 0.3},
        lambda c: logistic(2 * (power(np.exp(c.w), 0.3) - power(np.exp(c.l), 0.3)) - 0.7),
    ),
    (
        "sft-simpo",
        {"beta": 0.4, "gamma": 0.7, "weight": 1.5},
        lambda c: -c.w + 1.5 * logistic(0.4 * c.d - 0.7),
    ),
    ("ta-mpo", {**TA, "schedule": "linear"}, lambda c: ta(c, 0.7)),
    ("ta-mpo", {**TA, "schedule": "quadratic"}, lambda c: ta(c, 0.49)),
    ("ta-mpo", {**TA, "schedule": "sigmoid"}, lambda c: ta(c, sigmoid(20 * (0.7 - 0.75)))),
    (
        "paper-mixed",
        {},
        lambda c: -(0.82 * c.w + 1.7 * c.d + 0.33 * c.d**2 + 0.36 * c.d**3),
    ),
    (
        "paper-noisy",
        {},
        lambda c: -(0.82 * c.w + np.maximum(1.39 * np.maximum(c.d, 0) ** 2, 0.12 * c.d)),
    ),
    ("dpo", {"beta": 0.4}, lambda c: logistic(0.4 * c.rho)),
    ("dpo-norm", {"beta": 0.4}, lambda c: logistic(0.4 * c.rho)),
    ("hinge", {"beta": 0.4}, lambda c: hinge(0.4 * c.rho)),
    ("ipo", {"tau": 0.4}, lambda c: (c.rho - 1 / 0.8) ** 2),
    (
        "rdpo",
        {"beta": 0.4, "alpha": 0.2},
        lambda c: logistic(0.4 * c.rho + 0.2 * c.n_w - 0.2 * c.n_l),
    ),
    (
        "cdpo",
        {"beta": 0.4, "label_smoothing": 0.2},
        lambda c: 0.8 * logistic(0.4 * c.rho) + 0.2 * logistic(-0.4 * c.rho),
    ),
    (
        "robust-dpo",
        {"beta": 0.4, "label_smoothing": 0.2},
        lambda c: (0.8 * logistic(0.4 * c.rho) - 0.2 * logistic(-0.4 * c.rho)) / 0.6,
    ),
    ("exo", {"beta": 0.4, "label_smoothing": 0.2}, lambda c: kl(c, 0.4, 0.2)),
    ("fdpo", {"beta": 0.4, "divergence": "reverse-kl"}, lambda c: logistic(0.4 * c.rho)),
    (
        "fdpo",
        {"beta": 0.4, "divergence": "forward-kl"},
        lambda c: logistic(0.4 * (np.exp(-c.r_l) - np.exp(-c.r_w))),
    ),
    (
        "fdpo",
        {"beta": 0.4, "divergence": "jensen-shannon"},
        lambda c: logistic(0.4 * (np.log(sigmoid(c.r_w)) - np.log(sigmoid(c.r_l)))),
    ),
    (
        "fdpo",
        {"beta": 0.4, "divergence": "alpha", "alpha": 0.3},
        lambda c: logistic(0.4 * (power(np.exp(c.r_w), 0.3) - power(np.exp(c.r_l), 0.3))),
    ),
    (
        "chipo",
        {"beta": 0.4},
        lambda c: logistic(0.4 * (np.exp(c.r_w) + c.r_w - np.exp(c.r_l) - c.r_l)),
    ),
    (
        "kto",
        {"beta": 0.4, "chosen_weight": 1.5, "rejected_weight": 0.5},
        lambda c: kto(c, 0.4, 1.5, 0.5),
    ),
    (
        "nca",
        {"beta": 0.4},
        lambda c: logistic(0.4 * c.r_w) + 0.5 * (logistic(-0.4 * c.r_w) + logistic(-0.4 * c.r_l)),
    ),
    ("bco", {"beta": 0.4}, lambda c: logistic(0.4 * c.r_w) + logistic(-0.4 * c.r_l)),
    (
        "bco",
        {"beta": 0.4, "shift": "batch"},
        lambda c: (
            logistic(0.4 * (c.r_w - np.mean([c.r_w, c.r_l])))
            + logistic(-0.4 * (c.r_l - np.mean([c.r_w, c.r_l])))
        ),
    ),
    ("sppo", {"beta": 0.4}, lambda c: (c.r_w - 1.25) ** 2 + (c.r_l + 1.25) ** 2),
    ("apo-zero", {"beta": 0.4}, lambda c: 1 - sigmoid(0.4 * c.r_w) + sigmoid(0.4 * c.r_l)),
    ("apo-down", {"beta": 0.4}, lambda c: sigmoid(0.4 * c.r_w) + 1 - sigmoid(0.4 * c.rho)),
    (
        "aot",
        {"beta": 0.4},
        lambda c: logistic(0.4 * (np.sort(c.w - c.l) - np.sort(c.ref_w - c.ref_l))),
    ),
    ("aot-unpaired", {"beta": 0.4}, lambda c: logistic(0.4 * (np.sort(c.r_w) - np.sort(c.r_l)))),
    (
        "discopop",
        {"beta": 0.4, "tau": 0.3},
        lambda c: (
            (1 - sigmoid(0.4 * c.rho / 0.3)) * logistic(0.4 * c.rho)
            + sigmoid(0.4 * c.rho / 0.3) * np.exp(-0.4 * c.rho)
        ),
    ),
    ("dbaql", {"beta": 0.1, "tau": 0.3}, lambda c: dbaql(c, 0.1, 0.3)),
    ("aql", {"beta": 0.1, "tau": 0.3}, lambda c: aql(c, 0.1, 0.3)),
    ("aqfl", {"beta": 0.1, "tau": 0.3}, lambda c: aqfl(c, 0.1, 0.3)),
    (
        "padll",
        {"beta": 0.4, "tau": 0.3},
        lambda c: 0.9 * np.where(c.rho < 0, 0.7, 1) * logistic(0.4 * c.rho),
    ),
    ("cell", {"beta": 0.4}, lambda c: 0.5 * logistic(0.4 * c.rho) + 0.5 * np.exp(-0.4 * c.rho)),
    (
        "pfl",
        {"beta": 0.4, "tau": 0.3},
        lambda c: np.where(
            c.w > c.l, 0.5 * logistic(0.4 * c.rho / 0.3), 2 * hinge(0.4 * c.rho / 0.3)
        ),
    ),
    (
        "ropo",
        {"beta": 0.4, "alpha": 6.0},
        lambda c: 24 / 49 * (logistic(0.4 * c.rho) + 6 * sigmoid(-0.4 * c.rho)),
    ),
    (
        "focalpo",
        {"beta": 0.4, "gamma": 0.7},
        lambda c: sigmoid(0.4 * c.rho) ** 0.7 * logistic(0.4 * c.rho),
    ),
    ("dr-dpo", {"beta": 0.4, "beta_prime": 0.6}, lambda c: dr(c, 0.4, 0.6)),
    (
        "wdpo",
        {"beta": 0.4, **WDPO, "warm_up": 0.7},
        lambda c: winsorised(c, 0.4, **WDPO, warm=True),
    ),
    (
        "wdpo",
        {"beta": 0.4, **WDPO, "warm_up": 0.71},
        lambda c: winsorised(c, 0.4, **WDPO, warm=False),
    ),
    (
        "cpo-smoothed",
        {"beta": 0.4, "sft_weight": 0.7, "label_smoothing": 0.2},
        lambda c: -0.7 * c.w + 0.8 * logistic(0.4 * c.d) + 0.2 * logistic(-0.4 * c.d),
    ),
    (
        "simpo-smoothed",
        {"beta": 2.0, "gamma": 0.7, "label_smoothing": 0.2},
        lambda c: 0.8 * logistic(2 * c.d - 0.7) + 0.2 * logistic(0.7 - 2 * c.d),
    ),
    (
        "slic-smoothed",
        {"weight": 0.4, "delta": 2.0, "label_smoothing": 0.2},
        lambda c: -0.4 * c.w + 0.8 * np.maximum(0, 2 - c.d) + 0.2 * np.maximum(0, 2 + c.d),
    ),
    (
        "dpop",
        {"beta": 0.4, "penalty": 3.0},
        lambda c: logistic(0.4 * (c.rho - 3 * np.maximum(0, c.ref_w - c.w))),
    ),
    (
        "irpo",
        {"beta": 0.4, "alpha": 0.7},
        lambda c: logistic(0.4 * c.rho) - 0.7 * c.step_w,
    ),
    ("rpo", {"beta": 0.4, "eta": 0.7}, lambda c: logistic(0.4 * c.rho) - 0.28 * c.w),
    (
        "cal-dpo",
        {"beta": 0.4, "calibration": 0.5},
        lambda c: logistic(c.rho) + 0.5 * ((c.r_w - 1.25) ** 2 + (c.r_l + 1.25) ** 2),
    ),
    ("simper", {}, lambda c: -np.exp(c.w) + np.exp(c.l)),
    (
        "gated",
        {"weight": 0.7, "delta": 1.5, "lower": 0.4, "softness": 0.3, "trust": 0.5, "tilt": 0.5},
        lambda c: gated(c, 0.7, 1.5, 0.4, 0.3, 0.5, lead=0.5 * (1 - 2 * 0.7)),
    ),
    (
        "gated-reference",
        {"weight": 0.7, "delta": 1.5, "lower": 0.4, "softness": 0.3, "trust": 0.5, "tilt": -0.9},
        lambda c: gated(c, 0.7, 1.5, 0.4, 0.3, 0.5, evidence=c.rho, lead=0.9 * (2 * 0.7 - 1)),
    ),
    (
        "beta-dpo",
        {"beta": 0.4, "alpha": 0.3, "kept": 0.7},
        lambda c: beta_dpo(c, 0.4, 0.3, 0.7),
    ),
    (
        "alpha-dpo",
        {"beta": 2.0, "gamma": 0.7, "alpha": 0.3},
        lambda c: alpha_dpo(c, 2.0, 0.7, 0.3),
    ),
    (
        "gamma-simpo",
        {"beta": 2.0, "gamma": 0.7, "tau": 0.8},
        lambda c: logistic(2 * c.d - targets(2 * c.d, 0.7, 0.8)),
    ),
    (
        "gamma-dpo",
        {"beta": 0.4, "gamma": 0.7, "tau": 0.3},
        lambda c: logistic(0.4 * c.rho - targets(0.4 * c.rho, 0.7, 0.3) + 0.7),
    ),
    ("tr-dpo", {"beta": 0.4}, lambda c: logistic(0.4 * c.rho)),
    (
        "wpo",
        {"beta": 0.4},
        lambda c: np.exp(c.step_w + c.step_l) * logistic(0.4 * c.rho),
    ),
    ("mixdpo", {"beta": 0.4}, lambda c: logistic(0.4 * c.rho)),
    ("dpo-filtered", {"beta": 0.4}, lambda c: logistic(0.4 * c.rho)),
    (
        "slic-filtered",
        {"weight": 0.4, "delta": 2.0},
        lambda c: -0.4 * c.w + np.maximum(0, 2 - c.d),
    ),
    ("slic-robust", {}, lambda c: -c.w + np.maximum(0, 5 - c.d)),
    ("1s-mpo", {"weight": 0.4}, lambda c: -c.w + 0.4 * logistic(np.log(odds(c.w) / odds(c.l)))),
    (
        "2s-mpo",
        {"inverse_potential": "probability", "link": "identity", "beta": 0.4, "weight": 2.0},
        lambda c: -0.8 * (np.exp(c.w) - np.exp(c.ref_w) - np.exp(c.l) + np.exp(c.ref_l)),
    ),
    ("closed-form", {}, lambda c: -c.w),
    (
        "closed-form",
        {
            "terms": ("t d^2", "min(d - 1, 0)", "t^2 log sigmoid(2 o)", "e^(-0.5 y + 0.1)"),
            "coefficients": [0.5, 2.0, -1.0, 0.25],
            "low": -100.0,
            "high": 100.0,
        },
        lambda c: (
            -0.5 * 0.7 * c.d**2
            + 2 * hinge(c.d)
            - 0.49 * logistic(2 * np.log(odds(c.w) / odds(c.l)))
            - 0.25 * np.exp(0.1 - 0.5 * c.l)
        ),
    ),
    ("closed-form-reference", {}, lambda c: logistic(0.1 * c.rho)),
    (
        "closed-form-reference",
        {"terms": ("x", "(d)+^2"), "coefficients": [0.5, 2.0], "low": -100.0, "high": 100.0},
        lambda c: -0.5 * c.r_w - 2 * np.maximum(c.rho, 0) ** 2,
    ),
]


@pytest.mark.parametrize("aggregation", ["sum", "mean"])
@pytest.mark.parametrize(
    ("name", "hyperparameters", "formula"), FORMULAS, ids=[name for name, _, _ in FORMULAS]
)
def test_loss_equals_the_published_formula(arrays, name, hyperparameters, formula, aggregation):
    objective = objectives.get(name, aggregation=aggregation, **hyperparameters)
    loss = objective(objectives.PairLogProbs(*arrays), progress=0.7)
    np.testing.assert_allclose(loss, formula(Case(arrays, aggregation == "mean")), rtol=1e-9)


def test_every_objective_has_a_formula_here(every_name):
    assert every_name in {name for name, _, _ in FORMULAS}


def test_default_aggregation_is_the_published_one(every_name):
    means = {
        *("ipo", "orpo", "simpo", "rrhf", "dpo-norm", "alphapo"),
        *("simpo-smoothed", "simper", "alpha-dpo", "gamma-simpo", "gated", "gated-reference"),
        "slic-robust",
    }
    expected = "mean" if every_name in means else "sum"
    assert objectives.get(every_name).aggregation == expected
