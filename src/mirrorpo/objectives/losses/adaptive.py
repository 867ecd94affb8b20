"""Losses that set their scale or target from the margins of this batch and of those before.

Each has a memory: training carries a few numbers from batch to batch, so that the statistics are
not those of one small batch alone. Without a memory, they are the batch's own.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .. import numerics
from ..arrays import Array, Number, as_array, detach, namespace
from ..base import Batch, Objective, Paper, aggregation, grid
from ..component import number
from ..numerics import log_sigmoid, sigmoid
from ..ranges import Range, ranges, scale
from .mirror import MirrorObjective, Terms
from .noise_tolerant import log_ratio_margin
from .two_step import DPO

MOMENTUM = 0.9
"""Share of the old in a moving average of margins: beta-DPO's and alpha-DPO's."""

SMALLEST_BETA = 1e-3
"""beta-DPO's scale does not fall below this, as in its released code."""

QUEUE = 256
"""Margins, this batch's included, that gamma-PO sets its targets from, as many as in its released
code. That draws them from the last 2048; here they are the last 256, so that nothing is random."""

TARGET_STEPS = 20
"""Steps of mirror descent that gamma-PO takes to its targets, as in its released code."""

_SMALLEST_SPREAD = 1e-12
_FARTHEST = 1e6
"""beta-DPO takes margins further from the usual one than this, in spreads, as this far: squares of
distances stay finite where the spread is nearly 0."""

_GAMMA_PAPER = "Robust Preference Optimization via Dynamic Target Margins"
_GAMMA_AUTHORS = "Sun, Wu, Wu, Zhu, Lu, Zhou, Ma and Wang"


@dataclass(frozen=True, kw_only=True)
class BetaDPO(Objective):
    """DPO whose beta follows the batch's margins, with unusual pairs left out.

    ``beta (1 + alpha (mean of the kept margins - M))`` is the batch's beta, with M the moving
    average of the margins. Pairs are kept by draws without replacement, the share ``kept`` of the
    batch, where a pair's weight is the normal density of its margin around M. Here each loss is
    weighted by its chance to be kept (to first order in the number of draws; Rosen, 1972), so
    training is the same in expectation and needs no draws.
    """

    name: ClassVar[str] = "beta-dpo"
    needs_reference: ClassVar[bool] = True
    after_sft: ClassVar[bool] = True
    memory_size: ClassVar[int] = 2
    paper: ClassVar[Paper] = Paper(
        "beta-DPO: Direct Preference Optimization with Dynamic beta",
        "Wu, Xie, Yang, Wu, Gao, Ding, Wang and He",
        2024,
        "2407.08639",
        "batch-level beta and beta-guided filter",
    )
    formula: ClassVar[tuple[str, ...]] = (
        "k = chances(-0.5 * ((margin - mean(margin)) / std(margin)) ** 2, kept)",
        "change = mean(k * margin) / mean(k) - mean(margin)",
        "k / mean(k) * log(sigmoid(max(beta * (1 + alpha * change), 0.001) * margin))",
    )
    search_grid = grid(beta=(10.0, 30.0, 100.0), alpha=(0.2, 0.6))
    search_ranges = ranges(beta=scale(), alpha=Range(0.05, 50.0, 0.6, least=0.001, most=1000.0))

    beta: Number = number(0.1, above=0)
    alpha: Number = number(0.6, at_least=0)
    kept: Number = number(0.8, above=0, below=1)

    def loss(self, batch: Batch, progress: Array) -> Array:
        margin = log_ratio_margin(batch)
        known = detach(margin)
        xp = namespace(known)
        usual, spread = _moments(batch, known)
        distance = (known - usual) / xp.clip(spread, min=_SMALLEST_SPREAD)
        distance = xp.clip(distance, min=-_FARTHEST, max=_FARTHEST)
        chance = _chance_to_be_drawn(-0.5 * distance * distance, self.kept)
        weight = chance / numerics.mean(chance)
        change = numerics.mean(weight * known) - usual
        beta = xp.clip(self.beta * (1.0 + self.alpha * change), min=SMALLEST_BETA)
        return -weight * log_sigmoid(beta * margin)

    def remembered(self, batch: Batch) -> Array:
        return _stacked(_moments(batch, log_ratio_margin(batch)))


@dataclass(frozen=True, kw_only=True)
class AlphaDPO(Objective):
    """SimPO whose target margin grows with how far the policy has left the reference on a pair.

    ``log sigmoid(beta margin - gamma - beta alpha z)``, where z is the log-ratio margin minus its
    moving average, over its moving standard deviation, constant for the gradient.
    """

    name: ClassVar[str] = "alpha-dpo"
    needs_reference: ClassVar[bool] = True
    after_sft: ClassVar[bool] = True
    memory_size: ClassVar[int] = 2
    paper: ClassVar[Paper] = Paper(
        "alpha-DPO: Adaptive Reward Margin is What Direct Preference Optimization Needs",
        "Wu, Wang, Yang, Wu, Gao, Ding, Wang and He",
        2024,
        "2410.10148",
        "the alpha-DPO loss, as in the released code",
    )
    formula: ClassVar[tuple[str, ...]] = (
        "z = (margin - mean(margin)) / std(margin)",
        "log(sigmoid(beta * (chosen - rejected) - gamma - beta * alpha * z))",
    )
    search_grid = grid(beta=(1.0, 5.0), gamma=(0.5, 2.0, 10.0))
    search_ranges = ranges(
        beta=Range(0.5, 30.0, 2.5, least=0.01, most=300.0),
        gamma=Range(0.1, 30.0, 1.5, least=0.001, most=300.0),
    )

    beta: Number = number(2.5, above=0)
    gamma: Number = number(1.5, at_least=0)
    alpha: Number = number(0.2, at_least=0)
    aggregation: str = aggregation("mean")

    def loss(self, batch: Batch, progress: Array) -> Array:
        known = detach(log_ratio_margin(batch))
        xp = namespace(known)
        usual, spread = _moments(batch, known)
        moved = (known - usual) / xp.clip(spread, min=_SMALLEST_SPREAD)
        target = self.gamma + self.beta * self.alpha * moved
        return -log_sigmoid(self.beta * (batch.chosen - batch.rejected) - target)

    def remembered(self, batch: Batch) -> Array:
        return _stacked(_moments(batch, log_ratio_margin(batch)))


@dataclass(frozen=True, kw_only=True)
class GammaSimPO(MirrorObjective):
    """SimPO whose target margin is set pair by pair: ambiguous pairs get a smaller one.

    The targets of the last 256 margins have the mean ``gamma``, and minimise those margins' loss
    plus ``tau`` times the divergence of the targets' shares from equal ones.
    """

    name: ClassVar[str] = "gamma-simpo"
    after_sft: ClassVar[bool] = True
    memory_size: ClassVar[int] = QUEUE
    paper: ClassVar[Paper] = Paper(
        _GAMMA_PAPER, _GAMMA_AUTHORS, 2025, "2506.03690", "Algorithms 1 and 2, on SimPO"
    )
    formula: ClassVar[tuple[str, ...]] = (
        "x = beta * margin",
        "log(sigmoid(x - targets(x, gamma, tau)))",
    )
    search_grid = grid(gamma=(0.5, 2.0, 10.0), tau=(1.0, 10.0))
    search_ranges = ranges(
        gamma=Range(0.1, 30.0, 4.0, least=0.001, most=300.0),
        tau=Range(0.1, 100.0, 10.0, least=0.001, most=10000.0),
    )

    beta: Number = number(10.0, above=0)
    gamma: Number = number(4.0, at_least=0)
    tau: Number = number(10.0, above=0)
    aggregation: str = aggregation("mean")

    def terms(self, batch: Batch, progress: Array) -> Terms:
        margins = detach(self.beta * (batch.chosen - batch.rejected))
        targets = _targets(margins, batch.memory, self.gamma, self.tau)
        return Terms(beta=self.beta, gamma=targets)

    def remembered(self, batch: Batch) -> Array:
        return _queued(batch.memory, self.beta * (batch.chosen - batch.rejected))


@dataclass(frozen=True, kw_only=True)
class GammaDPO(DPO):
    """DPO with a target margin set pair by pair, of mean 0: see ``gamma-simpo``."""

    name: ClassVar[str] = "gamma-dpo"
    memory_size: ClassVar[int] = QUEUE
    paper: ClassVar[Paper] = Paper(
        _GAMMA_PAPER, _GAMMA_AUTHORS, 2025, "2506.03690", "Algorithms 1 and 2, on DPO"
    )
    formula: ClassVar[tuple[str, ...]] = (
        "x = beta * margin",
        "log(sigmoid(x - targets(x, gamma, tau) + gamma))",
    )
    search_grid = grid(beta=(10.0, 30.0, 100.0), gamma=(1.0, 4.0))
    search_ranges = ranges(beta=scale(), gamma=Range(0.1, 30.0, 4.0, least=0.001, most=300.0))

    gamma: Number = number(4.0, at_least=0)
    tau: Number = number(10.0, above=0)

    def terms(self, batch: Batch, progress: Array) -> Terms:
        margins = detach(self.beta * log_ratio_margin(batch))
        targets = _targets(margins, batch.memory, self.gamma, self.tau)
        return Terms(beta=self.beta, gamma=targets - self.gamma)

    def remembered(self, batch: Batch) -> Array:
        return _queued(batch.memory, self.beta * log_ratio_margin(batch))


def _moments(batch: Batch, margin: Array) -> tuple[Array, Array]:
    """Moving mean and standard deviation of the margins, this batch's included.

    From zero, as published; the batch's own where there is no memory.
    """
    now = numerics.mean(margin), numerics.standard_deviation(margin)
    if batch.memory is None:
        return now
    xp = namespace(batch.memory)
    before = xp.where(xp.isnan(batch.memory), xp.zeros_like(batch.memory), batch.memory)
    return (
        MOMENTUM * before[0] + (1.0 - MOMENTUM) * now[0],
        MOMENTUM * before[1] + (1.0 - MOMENTUM) * now[1],
    )


def _stacked(moments: tuple[Array, Array]) -> Array:
    return namespace(*moments).stack(list(moments))


def _queued(memory: Array, margins: Array) -> Array:
    xp = namespace(memory, margins)
    return xp.concat([memory, xp.reshape(margins, (-1,))])[-QUEUE:]


def _chance_to_be_drawn(log_weight: Array, share: Number) -> Array:
    """Each pair's chance to be among ``share`` of the batch, drawn one by one by weight.

    ``1 - exp(-t w)``, where t makes the chances' mean the share. Its logarithm is looked for on
    a grid, then on a finer one, then by Newton's method.
    """
    xp = namespace(log_weight)
    weights = xp.reshape(log_weight - xp.max(log_weight), (1, -1))
    share = as_array(share, weights)
    places = as_array(np.linspace(0.0, 1.0, 64), weights)
    low, high = as_array(-40.0, weights), as_array(40.0, weights)
    for _ in range(2):
        tried = low + (high - low) * places
        enough = xp.mean(_drawn(weights + xp.reshape(tried, (-1, 1))), axis=-1) >= share
        low, high = (
            xp.max(xp.where(enough, xp.full_like(tried, -40.0), tried)),
            xp.min(xp.where(enough, tried, xp.full_like(tried, 40.0))),
        )
    log_t = 0.5 * (low + high)
    for _ in range(3):
        rate = numerics.exp(weights + log_t)
        slope = xp.clip(xp.mean(rate * xp.exp(-rate)), min=_SMALLEST_SPREAD)
        log_t = log_t - (xp.mean(_drawn(weights + log_t)) - share) / slope
        log_t = xp.where(log_t < low, low, xp.where(log_t > high, high, log_t))
    return xp.reshape(_drawn(weights + log_t), log_weight.shape)


def _drawn(log_rate: Array) -> Array:
    return -namespace(log_rate).expm1(-numerics.exp(log_rate))


def _targets(margins: Array, memory: Array | None, gamma: Number, tau: Number) -> Array:
    """gamma-PO's target of each margin, by mirror descent from equal targets."""
    xp = namespace(margins)
    every = own = xp.reshape(margins, (-1,))
    count = own.shape[0]
    if memory is not None and count < QUEUE:
        every = xp.concat([memory[count:], own])
    known = xp.where(xp.isnan(every), xp.zeros_like(every), xp.ones_like(every))
    every = xp.where(known > 0, every, xp.zeros_like(every))
    number_known = xp.sum(known)
    tau = as_array(tau, every)
    rate = xp.clip(0.5 / tau, max=1.0)
    # Of the share p of the targets' sum; log(number p), which is 0 where all are equal.
    relative = xp.zeros_like(every)
    for _ in range(TARGET_STEPS):
        slope = tau * (1.0 + relative) + gamma * sigmoid(gamma * xp.exp(relative) - every)
        relative = relative - rate * slope
        largest = xp.max(xp.where(known > 0, relative, xp.full_like(relative, -1e30)))
        total = xp.sum(known * xp.exp(known * (relative - largest)))
        relative = known * (relative - largest - xp.log(total / number_known))
    own_targets = gamma * xp.exp(relative[every.shape[0] - count :])
    return xp.reshape(own_targets, margins.shape)
