"""Published losses and their parts, written out a second time in plain NumPy."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def logistic(x):
    return np.logaddexp(0, -x)


def hinge(x):
    return np.maximum(0, 1 - x)


class Case:
    """The arrays of a case by their usual letters: w the winner, l the loser."""

    def __init__(self, arrays, mean):
        *sums, self.n_w, self.n_l = arrays
        n_w, n_l = (self.n_w, self.n_l) if mean else (1, 1)
        self.w, self.ref_w = sums[0] / n_w, sums[2] / n_w
        self.l, self.ref_l = sums[1] / n_l, sums[3] / n_l
        self.d = self.w - self.l
        self.step_w, self.step_l = sums[0] / self.n_w, sums[1] / self.n_l
        self.r_w, self.r_l = self.w - self.ref_w, self.l - self.ref_l
        self.rho = self.r_w - self.r_l


def kl(c, beta, smoothing):
    win, lose = sigmoid(beta * c.rho), sigmoid(-beta * c.rho)
    return win * np.log(win / (1 - smoothing)) + lose * np.log(lose / smoothing)


def kto(c, beta, weight_w, weight_l):
    z = max(0, np.mean([c.r_w, c.r_l]))
    return 0.5 * (
        weight_w * (1 - sigmoid(beta * (c.r_w - z))) + weight_l * (1 - sigmoid(beta * (z - c.r_l)))
    )


def dbaql(c, beta, tau):
    blend = sigmoid(np.var(beta * c.rho / tau, ddof=1))
    return blend * logistic(beta * c.rho / 0.9) + (1 - blend) * np.exp(-beta * c.rho * 0.9)


def aql(c, beta, tau):
    x = beta * c.rho
    quantile = 0.5 + 0.01 * (sigmoid(np.mean(x / tau)) - 0.5)
    q = sigmoid(tau * quantile - x)
    return q * logistic(x) + (1 - q) * hinge(x)


def aqfl(c, beta, tau):
    x = beta * c.rho
    z = x / tau
    quantile = np.std(z, ddof=1) * np.mean(sigmoid(-z))
    quantile += 0.05 * (sigmoid(np.mean(z)) - quantile)
    r = sigmoid(0.1 * np.abs(z - quantile))
    return r * logistic(x) + (1 - r) * hinge(x)


def ta(c, a):
    return -((1 - a) * c.w - a * logistic(0.4 * c.d - 0.6))


def odds(log_prob):
    return np.exp(log_prob) / (1 - np.exp(log_prob))


def power(ratio, alpha):
    return (1 - ratio**-alpha) / alpha


def gated(c, weight, delta, lower, softness, trust, means=None, evidence=None, lead=0.0):
    m = c.d if evidence is None else evidence
    mean, size = means or (np.mean(m), np.mean(np.abs(m)))
    trusted = min(1, max(0, mean / size / trust))
    gate = 1 - trusted * (1 - sigmoid((m / size - lower) / softness))
    hinge = weight * np.maximum(0, delta - c.d)
    return -gate * ((1 + lead) * c.w - (1 - lead) * hinge)


def dr(c, beta, beta_prime):
    value = -beta_prime * np.log(np.mean(np.exp(-logistic(beta * c.rho) / beta_prime)))
    return np.full_like(c.rho, value)


def projected(v):
    """The probability vector nearest to v: the one whose common threshold leaves a sum of 1."""
    low, high = v.min() - 1, v.max()
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.maximum(v - middle, 0).sum() > 1 else (low, middle)
    return np.maximum(v - low, 0)


def winsorised(c, beta, flip_share, winsor_share, tail, warm):
    z, n = beta * c.rho, len(c.rho)
    flips, share = np.zeros(n), 0.15
    if warm:
        a = projected(np.maximum(logistic(z) - logistic(-z), 0))
        flips = np.minimum(flip_share * n * a, 1)
        rest, free = flip_share * n - flips.sum(), flips < 1
        if rest > 0 and a[free].sum() > 0:
            flips[free] = np.minimum(flips[free] + rest * a[free] / a[free].sum(), 1)
        share = 0.02 + (winsor_share - 0.02) * np.mean(sigmoid(-z / np.mean(np.abs(z))))
    mixed = (1 - flips) * logistic(z) + flips * logistic(-z)
    cap = np.quantile(mixed, tail)
    excess = np.maximum(mixed - cap, 0)
    r = np.minimum(share * n * excess / excess.sum(), 1)
    return (1 - r) * mixed + r * cap


def kept_chances(weights, share):
    """Chances 1 - exp(-t w) with the wanted mean, by Newton's method."""
    t = 1.0
    for _ in range(100):
        t -= np.mean(1 - np.exp(-t * weights) - share) / np.mean(weights * np.exp(-t * weights))
    return 1 - np.exp(-t * weights)


def beta_dpo(c, beta, alpha, kept, moments=None):
    mean, std = moments or (np.mean(c.rho), np.std(c.rho, ddof=1))
    chance = kept_chances(np.exp(-0.5 * ((c.rho - mean) / std) ** 2), kept)
    used = max(beta * (1 + alpha * (np.average(c.rho, weights=chance) - mean)), 1e-3)
    return len(chance) * chance / chance.sum() * logistic(used * c.rho)


def alpha_dpo(c, beta, gamma, alpha, moments=None):
    mean, std = moments or (np.mean(c.rho), np.std(c.rho, ddof=1))
    return logistic(beta * c.d - gamma - beta * alpha * (c.rho - mean) / std)


def targets(gaps, gamma, tau):
    """Exponentiated gradient on the simplex, twenty steps, times gamma and the count."""
    n = len(gaps)
    p = np.full(n, 1 / n)
    for _ in range(20):
        slope = tau * (1 + np.log(n * p)) + gamma * sigmoid(gamma * n * p - gaps)
        p = p * np.exp(-min(0.5 / tau, 1) * slope)
        p = p / p.sum()
    return gamma * n * p
