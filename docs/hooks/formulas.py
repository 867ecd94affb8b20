"""The zoo's formulas, written so that a test can compute them: what training raises, in Python.

Names are those of the page's head, and the objective's hyper-parameters. A definition that a
formula needs comes before it.
"""

HEAD = (
    "`chosen` and `rejected` are a pair's log-probs; `chosen_ratio` and `rejected_ratio` the same "
    "minus the reference's; `margin` is chosen minus rejected, of log-ratios where there is a "
    "reference. `mean`, `std`, `var` and `sort` are over the batch; `t` is training's progress. "
    "`psi`, `Phi`, `g` and `schedule` are functions of your choice, the first two of a log-prob."
)

_X = "x = beta * margin"

FORMULAS: dict[str, tuple[str, ...]] = {
    "1s-mpo": ("psi(chosen) + weight * g(beta * (Phi(chosen) - Phi(rejected)))",),
    "2s-mpo": (
        "d = (Phi(chosen) - Phi(reference_chosen)) - (Phi(rejected) - Phi(reference_rejected))",
        "psi(chosen) + weight * g(beta * d)",
    ),
    "alphapo": (
        "log(sigmoid(beta * (exp(-alpha * rejected) - exp(-alpha * chosen)) / alpha - gamma))",
    ),
    "aot": (
        "d = sort(chosen - rejected) - sort(reference_chosen - reference_rejected)",
        "log(sigmoid(beta * d))",
    ),
    "aot-unpaired": ("log(sigmoid(beta * (sort(chosen_ratio) - sort(rejected_ratio))))",),
    "apo-down": ("-sigmoid(beta * chosen_ratio) - sigmoid(-beta * margin)",),
    "apo-zero": ("-sigmoid(-beta * chosen_ratio) - sigmoid(beta * rejected_ratio)",),
    "aqfl": (
        _X,
        "q = 0.95 * std(x / tau) * mean(sigmoid(-x / tau)) + 0.05 * sigmoid(mean(x / tau))",
        "d = 0.1 * abs(x / tau - q)",
        "sigmoid(d) * log(sigmoid(x)) - sigmoid(-d) * max(0, 1 - x)",
    ),
    "aql": (
        _X,
        "d = x - tau * (0.5 + 0.01 * (sigmoid(mean(x / tau)) - 0.5))",
        "sigmoid(-d) * log(sigmoid(x)) - sigmoid(d) * max(0, 1 - x)",
    ),
    "bco": ("log(sigmoid(beta * chosen_ratio)) + log(sigmoid(-beta * rejected_ratio))",),
    "cdpo": (
        _X,
        "(1 - label_smoothing) * log(sigmoid(x)) + label_smoothing * log(sigmoid(-x))",
    ),
    "cell": (_X, "0.5 * log(sigmoid(x)) - 0.5 * exp(-x)"),
    "chipo": (
        "d = exp(chosen_ratio) + chosen_ratio - exp(rejected_ratio) - rejected_ratio",
        "log(sigmoid(beta * d))",
    ),
    "cpo": ("sft_weight * chosen + log(sigmoid(beta * margin))",),
    "dbaql": (
        _X,
        "v = var(x / tau)",
        "sigmoid(v) * log(sigmoid(x / 0.9)) - sigmoid(-v) * exp(-0.9 * x)",
    ),
    "discopop": (_X, "sigmoid(-x / tau) * log(sigmoid(x)) - sigmoid(x / tau) * exp(-x)"),
    "dpo": ("log(sigmoid(beta * margin))",),
    "dpo-norm": ("log(sigmoid(beta * margin))",),
    "exo": (
        "q = sigmoid(beta * margin)",
        "-q * log(q / (1 - label_smoothing)) - (1 - q) * log((1 - q) / label_smoothing)",
    ),
    "fdpo": (
        "w = log(2 * exp(chosen_ratio) / (1 + exp(chosen_ratio)))",
        "l = log(2 * exp(rejected_ratio) / (1 + exp(rejected_ratio)))",
        "log(sigmoid(beta * (w - l)))",
    ),
    "hinge": ("-max(0, 1 - beta * margin)",),
    "ipo": ("-(margin - 1 / (2 * tau)) ** 2",),
    "kto": (
        "z = max(0, mean(0.5 * (chosen_ratio + rejected_ratio)))",
        "w = chosen_weight * sigmoid(beta * (z - chosen_ratio))",
        "l = rejected_weight * sigmoid(beta * (rejected_ratio - z))",
        "-0.5 * (w + l)",
    ),
    "lpo": ("weight * chosen - rejected",),
    "nca": (
        "w, l = beta * chosen_ratio, beta * rejected_ratio",
        "log(sigmoid(w)) + 0.5 * log(sigmoid(-w)) + 0.5 * log(sigmoid(-l))",
    ),
    "orpo": (
        "w = chosen - log(1 - exp(chosen))",
        "l = rejected - log(1 - exp(rejected))",
        "chosen + weight * log(sigmoid(w - l))",
    ),
    "padll": (_X, "0.9 * (1 - tau * (x < 0)) * log(sigmoid(x))"),
    "paper-mixed": ("0.82 * chosen + 1.7 * margin + 0.33 * margin ** 2 + 0.36 * margin ** 3",),
    "paper-noisy": ("0.82 * chosen + max(1.39 * max(margin, 0) ** 2, 0.12 * margin)",),
    "pfl": (
        "x = beta * margin / tau",
        "where(chosen > rejected, 0.5 * log(sigmoid(x)), -2 * max(0, 1 - x))",
    ),
    "rdpo": ("log(sigmoid(beta * margin + alpha * (chosen_length - rejected_length)))",),
    "robust-dpo": (
        _X,
        "d = (1 - label_smoothing) * log(sigmoid(x)) - label_smoothing * log(sigmoid(-x))",
        "d / (1 - 2 * label_smoothing)",
    ),
    "rrhf": ("weight * chosen - max(0, -margin)",),
    "sft": ("chosen",),
    "sft-simpo": ("chosen + weight * log(sigmoid(beta * margin - gamma))",),
    "simpo": ("log(sigmoid(beta * margin - gamma))",),
    "slic": ("weight * chosen - max(0, delta - margin)",),
    "sppo": ("-(chosen_ratio - 1 / (2 * beta)) ** 2 - (rejected_ratio + 1 / (2 * beta)) ** 2",),
    "ta-mpo": (
        "a = schedule(t)",
        "(1 - a) * psi(chosen) + a * g(beta * (Phi(chosen) - Phi(rejected)) - gamma)",
    ),
}
