"""The zoo's formulas, written so that a test can compute them: what training raises, in Python.

Names are those of the page's head, and the objective's hyper-parameters. A definition that a
formula needs comes before it.
"""

HEAD = (
    "`chosen` and `rejected` are a pair's log-probs; `chosen_ratio` and `rejected_ratio` the same "
    "minus the reference's; `margin` is chosen minus rejected, of log-ratios where there is a "
    "reference. `mean`, `sum`, `std`, `var`, `sort`, `quantile` and `sparsemax` are over the "
    "batch, and over earlier batches where an objective has a memory; `n` is the number of pairs "
    "and `t` training's progress. `chances(w, share)` are a pair's chances to be among that share "
    "of the batch, drawn by weight `exp(w)`; `targets(x, gamma, tau)` have the mean gamma and "
    "minimise `mean(-log(sigmoid(x - targets)))` plus tau times the divergence of their shares "
    "from equal ones. `psi`, `Phi`, `g` and `schedule` are functions of your choice, the first two "
    "of a log-prob."
)

_X = "x = beta * margin"

FORMULAS: dict[str, tuple[str, ...]] = {
    "1s-mpo": ("psi(chosen) + weight * g(beta * (Phi(chosen) - Phi(rejected)))",),
    "2s-mpo": (
        "d = (Phi(chosen) - Phi(reference_chosen)) - (Phi(rejected) - Phi(reference_rejected))",
        "psi(chosen) + weight * g(beta * d)",
    ),
    "alpha-dpo": (
        "z = (margin - mean(margin)) / std(margin)",
        "log(sigmoid(beta * (chosen - rejected) - gamma - beta * alpha * z))",
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
    "beta-dpo": (
        "k = chances(-0.5 * ((margin - mean(margin)) / std(margin)) ** 2, kept)",
        "change = mean(k * margin) / mean(k) - mean(margin)",
        "k / mean(k) * log(sigmoid(max(beta * (1 + alpha * change), 0.001) * margin))",
    ),
    "cal-dpo": (
        "w, l = chosen_ratio - 1 / (2 * beta), rejected_ratio + 1 / (2 * beta)",
        "log(sigmoid(margin)) - calibration * (w ** 2 + l ** 2)",
    ),
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
    "cpo-smoothed": (
        _X,
        "d = (1 - label_smoothing) * log(sigmoid(x)) + label_smoothing * log(sigmoid(-x))",
        "sft_weight * chosen + d",
    ),
    "dbaql": (
        _X,
        "v = var(x / tau)",
        "sigmoid(v) * log(sigmoid(x / 0.9)) - sigmoid(-v) * exp(-0.9 * x)",
    ),
    "discopop": (_X, "sigmoid(-x / tau) * log(sigmoid(x)) - sigmoid(x / tau) * exp(-x)"),
    "dpo": ("log(sigmoid(beta * margin))",),
    "dpo-filtered": ("log(sigmoid(beta * margin))",),
    "dpo-norm": ("log(sigmoid(beta * margin))",),
    "dpop": ("log(sigmoid(beta * (margin - penalty * max(0, -chosen_ratio))))",),
    "dr-dpo": (
        "p = sigmoid(beta * margin)",
        "0 * p + beta_prime * log(mean(p ** (1 / beta_prime)))",
    ),
    "exo": (
        "q = sigmoid(beta * margin)",
        "-q * log(q / (1 - label_smoothing)) - (1 - q) * log((1 - q) / label_smoothing)",
    ),
    "fdpo": (
        "w = log(2 * exp(chosen_ratio) / (1 + exp(chosen_ratio)))",
        "l = log(2 * exp(rejected_ratio) / (1 + exp(rejected_ratio)))",
        "log(sigmoid(beta * (w - l)))",
    ),
    "focalpo": ("p = sigmoid(beta * margin)", "p ** gamma * log(p)"),
    "gamma-dpo": (
        _X,
        "log(sigmoid(x - targets(x, gamma, tau) + gamma))",
    ),
    "gamma-simpo": (
        _X,
        "log(sigmoid(x - targets(x, gamma, tau)))",
    ),
    "gated": (
        "m, s = chosen - rejected, mean(abs(chosen - rejected))",
        "a = min(1, max(0, mean(m) / s / trust))",
        "q = 1 - a * (1 - sigmoid((m / s - lower) / softness))",
        "lead = tilt * (1 - 2 * t)",
        "q * ((1 + lead) * chosen - (1 - lead) * weight * max(0, delta - m))",
    ),
    "gated-reference": (
        "m, s = margin, mean(abs(margin))",
        "a = min(1, max(0, mean(m) / s / trust))",
        "q = 1 - a * (1 - sigmoid((m / s - lower) / softness))",
        "lead = tilt * (1 - 2 * t)",
        "h = max(0, delta - (chosen - rejected))",
        "q * ((1 + lead) * chosen - (1 - lead) * weight * h)",
    ),
    "hinge": ("-max(0, 1 - beta * margin)",),
    "ipo": ("-(margin - 1 / (2 * tau)) ** 2",),
    "irpo": ("log(sigmoid(beta * margin)) + alpha * chosen / chosen_length",),
    "kto": (
        "z = max(0, mean(0.5 * (chosen_ratio + rejected_ratio)))",
        "w = chosen_weight * sigmoid(beta * (z - chosen_ratio))",
        "l = rejected_weight * sigmoid(beta * (rejected_ratio - z))",
        "-0.5 * (w + l)",
    ),
    "lpo": ("weight * chosen - rejected",),
    "mixdpo": ("where(ease >= 1 - easy, log(sigmoid(beta * margin)), sft_weight * chosen)",),
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
    "ropo": (
        _X,
        "4 * alpha / (1 + alpha) ** 2 * (log(sigmoid(x)) - alpha * sigmoid(-x))",
    ),
    "rpo": ("log(sigmoid(beta * margin)) + eta * beta * chosen",),
    "rrhf": ("weight * chosen - max(0, -margin)",),
    "sft": ("chosen",),
    "sft-simpo": ("chosen + weight * log(sigmoid(beta * margin - gamma))",),
    "simper": ("exp(chosen) - exp(rejected)",),
    "simpo": ("log(sigmoid(beta * margin - gamma))",),
    "simpo-smoothed": (
        "x = beta * margin - gamma",
        "(1 - label_smoothing) * log(sigmoid(x)) + label_smoothing * log(sigmoid(-x))",
    ),
    "slic": ("weight * chosen - max(0, delta - margin)",),
    "slic-filtered": ("weight * chosen - max(0, delta - margin)",),
    "slic-smoothed": (
        "d = (1 - label_smoothing) * max(0, delta - margin)",
        "weight * chosen - d - label_smoothing * max(0, delta + margin)",
    ),
    "sppo": ("-(chosen_ratio - 1 / (2 * beta)) ** 2 - (rejected_ratio + 1 / (2 * beta)) ** 2",),
    "ta-mpo": (
        "a = schedule(t)",
        "(1 - a) * psi(chosen) + a * g(beta * (Phi(chosen) - Phi(rejected)) - gamma)",
    ),
    "tr-dpo": ("log(sigmoid(beta * margin))",),
    "wdpo": (
        _X,
        "a = sparsemax(max(0, -x))",
        "f = min(1, flip_share * n * a)",
        "free = where(f < 1, a, 0)",
        "f = (t >= warm_up) * min(1, f + (flip_share * n - sum(f)) * free / sum(free))",
        "l = -(1 - f) * log(sigmoid(x)) - f * log(sigmoid(-x))",
        "share = 0.02 + (winsor_share - 0.02) * mean(sigmoid(-x / mean(abs(x))))",
        "over = max(0, l - quantile(l, tail))",
        "r = min(1, where(t >= warm_up, share, 0.15) * n * over / sum(over))",
        "-(1 - r) * l - r * quantile(l, tail)",
    ),
    "wpo": (
        "w = (chosen - chosen_agreement) / chosen_length",
        "l = (rejected - rejected_agreement) / rejected_length",
        "min(1, exp(w + l)) * log(sigmoid(beta * margin))",
    ),
}
