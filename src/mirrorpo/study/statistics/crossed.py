"""Errors of a mean that hold for new agents and for new prompts at once.

Every agent of a bench on texts answers the same prompts: agents and prompts are crossed. An error
over agents alone says nothing about other prompts, and one over texts takes those of one agent,
and those of one prompt, for independent.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mirrorpo.resampling import agents_sample
from mirrorpo.standard_error import mean_and_error, of_mean
from mirrorpo.study.statistics.paired import t_test

CONFIDENCE = 0.95
RESAMPLES = 1999


@dataclass(frozen=True)
class Crossed:
    """A mean over agents and prompts, or of their differences.

    Attributes:
        agents: how many.
        prompts: how many.
        draws: data draws that the agents were trained on.
        mean: with several draws the mean of the draws' means.
        standard_error: over prompts and agents, with several draws over draws too; NaN for one
            agent or one prompt.
        degrees_of_freedom: the error's degrees of freedom, by Satterthwaite's rule.
        low: lower end of the 95 % interval of the two-way bootstrap; NaN as the error.
        high: upper end.
    """

    agents: int
    prompts: int
    draws: int
    mean: float
    standard_error: float
    degrees_of_freedom: float
    low: float
    high: float

    @property
    def p_value(self) -> float:
        """Two-sided, of a mean of 0."""
        return t_test(self.mean, self.standard_error, self.degrees_of_freedom)


def crossed(
    scores: ArrayLike,
    draws: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    seed: int = 0,
) -> Crossed:
    """Mean and error of scores of which rows and columns are samples, of agents and of prompts.

    The squared error is what agents leave plus what prompts leave, minus what their interaction
    leaves, which both contain: an unbiased estimate, as of a regression with clusters in two ways
    (Cameron, Gelbach and Miller 2011). The interval is of a bootstrap that redraws agents and
    prompts independently, agents nested in draws. Such a bootstrap counts the interaction three
    times (Owen 2007, "The pigeonhole bootstrap"), so its deviations shrink by as much.

    Args:
        scores: shape (agents, prompts), an agent's mean over its texts for a prompt; or differences
            of two agents that share draw and seed.
        draws: the data draw of each agent, shape (agents,); None for one.
        weights: how often each prompt was answered, shape (prompts,); None for equally often.
        seed: the seed of the bootstrap.

    Raises:
        ValueError: shapes that do not fit, no scores, or one that is not finite.
    """
    table, of_draw = _checked(scores, draws, weights)
    agents, prompts = table.shape
    count = len(np.unique(of_draw))
    mean, of_agents = mean_and_error(table.mean(axis=1), of_draw)
    units = _by_draw(table, of_draw) if count > 1 else table
    of_prompts = of_mean(units.mean(axis=0))
    sizes = agents, prompts, count, mean
    if math.isnan(of_agents) or math.isnan(of_prompts):
        return Crossed(*sizes, *[math.nan] * 4)
    both = _interaction(units)
    parts = of_agents**2, of_prompts**2, both
    square = max(parts[0] + parts[1] - both, parts[0], parts[1])
    free = len(units) - 1, prompts - 1, (len(units) - 1) * (prompts - 1)
    spread = sum(part**2 / freedom for part, freedom in zip(parts, free, strict=True))
    freedom = square**2 / spread if spread else math.inf
    low, high = _interval(table, of_draw, mean, square, both, seed)
    return Crossed(*sizes, math.sqrt(square), freedom, low, high)


def redrawn(table: np.ndarray, draws: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Means with agents and prompts drawn anew, independently; shape (RESAMPLES,).

    Args:
        table: shape (agents, prompts).
        draws: the data draw of each agent, shape (agents,).
        rng: source of chance.
    """
    agents, prompts = table.shape
    rows = _shares(agents_sample(draws, RESAMPLES, rng), agents)
    columns = _shares(agents_sample(np.zeros(prompts), RESAMPLES, rng), prompts)
    means: np.ndarray = ((rows @ table) * columns).sum(axis=1)
    return means


def _checked(
    scores: ArrayLike, draws: ArrayLike | None, weights: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray]:
    """Scores whose plain mean over prompts is the weighted one, and draws."""
    table = np.asarray(scores, float)
    if table.ndim != 2 or table.size == 0 or not np.isfinite(table).all():
        raise ValueError(
            f"scores must be finite and have the shape (agents, prompts), not shape {table.shape}."
        )
    of_draw = np.zeros(len(table)) if draws is None else np.asarray(draws)
    share = np.ones(table.shape[1]) if weights is None else np.asarray(weights, float)
    if of_draw.shape != table.shape[:1] or share.shape != table.shape[1:]:
        raise ValueError(
            f"{len(table)} agents and {table.shape[1]} prompts do not fit draws of shape "
            f"{of_draw.shape} and weights of shape {share.shape}."
        )
    share = share / share.mean()
    # Deviations, so that a prompt that was answered more often is no better by it.
    centre = mean_and_error((table * share).mean(axis=1), of_draw)[0]
    return centre + share * (table - centre), of_draw


def _by_draw(table: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Means over the agents of each draw, shape (draws, prompts)."""
    return np.array([table[draws == draw].mean(axis=0) for draw in np.unique(draws)])


def _interaction(units: np.ndarray) -> float:
    """Variance of the mean that the interaction of rows and columns leaves."""
    rows, columns = units.shape
    rest = units - units.mean(axis=0) - units.mean(axis=1, keepdims=True) + units.mean()
    return float(np.sum(rest**2) / ((rows - 1) * (columns - 1)) / units.size)


def _interval(
    table: np.ndarray, draws: np.ndarray, mean: float, square: float, both: float, seed: int
) -> tuple[float, float]:
    means = redrawn(table, draws, np.random.default_rng(seed))
    variance = float(np.var(means))
    shrunk = math.sqrt(max(variance - 2.0 * both, square) / variance) if variance else 1.0
    tail = 0.5 * (1.0 - CONFIDENCE)
    low, high = mean + min(shrunk, 1.0) * (np.quantile(means, [tail, 1.0 - tail]) - mean)
    return float(low), float(high)


def _shares(sample: np.ndarray, members: int) -> np.ndarray:
    """How large a share of each resample every member is, shape (resamples, members)."""
    resamples, chosen = sample.shape
    at = sample + members * np.arange(resamples)[:, None]
    counts = np.bincount(at.reshape(-1), minlength=resamples * members)
    return counts.reshape(resamples, members) / chosen
