"""Losses made for wrong labels: they pull less on pairs that look mislabelled.

Those that use statistics of the batch look at the batch alone, as published: a pair's loss then
depends on the others, and small batches blunt them.
"""

from dataclasses import dataclass
from typing import ClassVar

from .. import numerics
from ..arrays import Array, Number, detach, namespace
from ..base import Batch, Objective, Paper, grid
from ..component import number
from ..functions.links import FocalLogSigmoid, NoiseTolerant, SmoothedHinge, SmoothedLogSigmoid
from ..numerics import log_sigmoid, sigmoid
from ..ranges import Range, ranges, scale, smoothing
from .mirror import Terms
from .reference_free import CPO, SimPO, SLiC
from .two_step import DPO

WINSOR_FLOOR = 0.02
"""wDPO's least share of the batch that it winsorises, as in its released code."""

WARM_UP_WINSOR = 0.15
"""The same share while wDPO does not yet trust its margins, as in its released code."""

SMOOTHING_NOTE = Paper(
    "A note on DPO with noisy preferences and relationship to IPO",
    "Mitchell",
    2023,
    "https://ericmitchell.ai/cdpo.pdf",
    "eq. (3), on another loss",
)


@dataclass(frozen=True, kw_only=True)
class ROPO(DPO):
    """DPO plus ``alpha`` times a bounded loss, so that pairs ranked very wrongly pull less.

    Only the loss: ROPO also drops the pairs of largest loss between its rounds, and asks for new
    answers to their prompts.
    """

    name: ClassVar[str] = "ropo"
    paper: ClassVar[Paper] = Paper(
        "ROPO: Robust Preference Optimization for Large Language Models",
        "Liang, Chen, Qiu, Wang, Wu, Fu, Chen, Wu and Ye",
        2024,
        "2404.04102",
        "eq. (6)",
    )
    formula: ClassVar[tuple[str, ...]] = (
        "x = beta * margin",
        "4 * alpha / (1 + alpha) ** 2 * (log(sigmoid(x)) - alpha * sigmoid(-x))",
    )
    search_grid = grid(beta=(10.0, 30.0, 100.0), alpha=(6.0, 30.0))
    search_ranges = ranges(beta=scale(), alpha=Range(2.5, 100.0, 14.0, least=2.05, most=1000.0))

    alpha: Number = number(14.0, above=2)

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(link=NoiseTolerant(alpha=self.alpha), beta=self.beta)


@dataclass(frozen=True, kw_only=True)
class FocalPO(DPO):
    """``p^gamma log p`` of DPO's probability p that the label is right: focus on right pairs.

    A pair with ``log p < -1 / gamma`` is pushed the wrong way; at ``gamma`` above 1.44 that begins
    at the reference itself.
    """

    name: ClassVar[str] = "focalpo"
    paper: ClassVar[Paper] = Paper(
        "FocalPO: Enhancing Preference Optimizing by Focusing on Correct Preference Rankings",
        "Liu, Yu, Zhou, Gu and Tresp",
        2025,
        "2501.06645",
        "the FocalPO loss",
    )
    formula: ClassVar[tuple[str, ...]] = ("p = sigmoid(beta * margin)", "p ** gamma * log(p)")
    search_grid = grid(beta=(10.0, 30.0, 100.0), gamma=(0.05, 1.0))
    search_ranges = ranges(beta=scale(), gamma=Range(0.01, 1.0, 0.05, least=0.001, most=1.4))

    gamma: Number = number(0.05, at_least=0)

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(link=FocalLogSigmoid(gamma=self.gamma), beta=self.beta)


@dataclass(frozen=True, kw_only=True)
class DrDPO(Objective):
    """``-beta_prime log mean exp(-DPO / beta_prime)``: DPO on the batch's most favourable mixture.

    One number for the whole batch, which every pair gets: pairs of large loss have little part in
    it. A batch of one, or a large ``beta_prime``, is DPO.
    """

    name: ClassVar[str] = "dr-dpo"
    needs_reference: ClassVar[bool] = True
    after_sft: ClassVar[bool] = True
    paper: ClassVar[Paper] = Paper(
        "Towards Robust Alignment of Language Models: Distributionally Robustifying Direct "
        "Preference Optimization",
        "Wu, Xie, Yang, Wu, Chen, Gao, Ding, Wang and He",
        2024,
        "2407.07880",
        "the Dr. DPO objective",
    )
    formula: ClassVar[tuple[str, ...]] = (
        "p = sigmoid(beta * margin)",
        "0 * p + beta_prime * log(mean(p ** (1 / beta_prime)))",
    )
    search_grid = grid(beta=(10.0, 30.0, 100.0), beta_prime=(0.3, 1.0))
    search_ranges = ranges(beta=scale(), beta_prime=Range(0.1, 10.0, 1.0, least=0.01, most=100.0))

    beta: Number = number(0.1, above=0)
    beta_prime: Number = number(1.0, above=0)

    def loss(self, batch: Batch, progress: Array) -> Array:
        kept = log_sigmoid(scaled_margin(self.beta, batch))
        value = -self.beta_prime * numerics.log_mean_exp(kept / self.beta_prime)
        return namespace(kept).zeros_like(kept) + value


@dataclass(frozen=True, kw_only=True)
class WinsorizedDPO(Objective):
    """DPO whose surest wrong labels are part turned around and whose largest losses are capped.

    Both shares are budgets of the batch, spent on the worst pairs. ``flip_share`` of the batch's
    labels are turned around in part, by sparsemax of how much smaller the other label's loss is.
    Then losses above the quantile ``tail`` move to that quantile, with a budget that grows to
    ``winsor_share`` as more margins are negative. Labels are left alone until the share
    ``warm_up`` of training is done. All weights are constant for the gradient. Where the paper
    leaves a scale open, it is that of the released code.
    """

    name: ClassVar[str] = "wdpo"
    needs_reference: ClassVar[bool] = True
    after_sft: ClassVar[bool] = True
    paper: ClassVar[Paper] = Paper(
        "wDPO: Winsorized Direct Preference Optimization for Robust LLM Alignment",
        "Liu, Yang, Shao, Ma, Qin and Hong",
        2026,
        "2603.07211",
        "stages I and II, released code",
    )
    formula: ClassVar[tuple[str, ...]] = (
        "x = beta * margin",
        "a = sparsemax(max(0, -x))",
        "f = min(1, flip_share * n * a)",
        "free = where(f < 1, a, 0)",
        "f = (t >= warm_up) * min(1, f + (flip_share * n - sum(f)) * free / sum(free))",
        "l = -(1 - f) * log(sigmoid(x)) - f * log(sigmoid(-x))",
        "share = 0.02 + (winsor_share - 0.02) * mean(sigmoid(-x / mean(abs(x))))",
        "over = max(0, l - quantile(l, tail))",
        "r = min(1, where(t >= warm_up, share, 0.15) * n * over / sum(over))",
        "-(1 - r) * l - r * quantile(l, tail)",
    )
    search_grid = grid(beta=(10.0, 30.0, 100.0), flip_share=(0.15, 0.3))
    search_ranges = ranges(
        beta=scale(), flip_share=Range(0.02, 0.5, 0.15, log=False, least=0.0, most=0.9)
    )

    beta: Number = number(0.1, above=0)
    flip_share: Number = number(0.15, at_least=0, below=1)
    winsor_share: Number = number(0.5, at_least=WINSOR_FLOOR, below=1)
    tail: Number = number(0.7, at_least=0, below=1)
    warm_up: Number = number(0.3, at_least=0, below=1)

    def loss(self, batch: Batch, progress: Array) -> Array:
        x = scaled_margin(self.beta, batch)
        xp = namespace(x, progress)
        settled = xp.where(progress >= self.warm_up, xp.ones_like(x), xp.zeros_like(x))
        flipped = settled * self._flipped(detach(x))
        mixed = -(1.0 - flipped) * log_sigmoid(x) - flipped * log_sigmoid(-x)
        budget = settled * self._winsor_budget(detach(x)) + (1.0 - settled) * WARM_UP_WINSOR
        capped, cap = self._capped(detach(mixed), budget)
        return (1.0 - capped) * mixed + capped * cap

    def _flipped(self, x: Array) -> Array:
        """How far each label is turned around, in [0, 1]."""
        xp = namespace(x)
        # What turning a label gains: the loss as labelled minus the loss turned around is -x.
        wanted = numerics.relu(-x)
        share = numerics.sparsemax(wanted)
        budget = self.flip_share * numerics.count(x)
        first = xp.clip(budget * share, max=1.0)
        # What full labels leave over goes to the others, once.
        open_share = xp.where(first < 1.0, share, xp.zeros_like(share))
        left = numerics.relu(budget - xp.sum(first))
        second = left * open_share / xp.clip(xp.sum(open_share), min=1e-12)
        any_wanted = xp.where(xp.max(wanted) > 0, xp.ones_like(x), xp.zeros_like(x))
        return any_wanted * xp.clip(first + second, max=1.0)

    def _winsor_budget(self, x: Array) -> Array:
        xp = namespace(x)
        size = xp.clip(numerics.mean(xp.abs(x)), min=1e-12)
        wrong = numerics.mean(sigmoid(-x / size))
        return WINSOR_FLOOR + (self.winsor_share - WINSOR_FLOOR) * wrong

    def _capped(self, mixed: Array, budget: Array) -> tuple[Array, Array]:
        """How far each loss moves to the cap, in [0, 1], and the cap."""
        xp = namespace(mixed)
        cap = numerics.quantile(mixed, self.tail)
        excess = numerics.relu(mixed - cap)
        share = excess / xp.clip(xp.sum(excess), min=1e-12)
        return xp.clip(budget * numerics.count(mixed) * share, max=1.0), cap


@dataclass(frozen=True, kw_only=True)
class SmoothedCPO(CPO):
    """CPO whose preference term allows for labels flipped with probability ``label_smoothing``."""

    name: ClassVar[str] = "cpo-smoothed"
    paper: ClassVar[Paper] = SMOOTHING_NOTE
    formula: ClassVar[tuple[str, ...]] = (
        "x = beta * margin",
        "d = (1 - label_smoothing) * log(sigmoid(x)) + label_smoothing * log(sigmoid(-x))",
        "sft_weight * chosen + d",
    )
    search_grid = grid(beta=(0.2, 1.0), label_smoothing=(0.1, 0.2, 0.3))
    search_ranges = ranges(
        beta=Range(0.45, 30.0, 1.0, most=300.0, sft_end="low"),
        label_smoothing=smoothing(sft_end=""),
    )

    label_smoothing: Number = number(0.1, at_least=0, below=0.5)

    def terms(self, batch: Batch, progress: Array) -> Terms:
        link = SmoothedLogSigmoid(label_smoothing=self.label_smoothing)
        return Terms(link=link, beta=self.beta, sft_weight=self.sft_weight)


@dataclass(frozen=True, kw_only=True)
class SmoothedSimPO(SimPO):
    """SimPO's likelihood if each label were flipped with probability ``label_smoothing``."""

    name: ClassVar[str] = "simpo-smoothed"
    paper: ClassVar[Paper] = SMOOTHING_NOTE
    formula: ClassVar[tuple[str, ...]] = (
        "x = beta * margin - gamma",
        "(1 - label_smoothing) * log(sigmoid(x)) + label_smoothing * log(sigmoid(-x))",
    )
    search_grid = grid(gamma=(0.5, 2.0, 10.0), label_smoothing=(0.1, 0.3))
    search_ranges = ranges(
        gamma=Range(0.1, 30.0, 1.0, least=0.001, most=300.0), label_smoothing=smoothing(sft_end="")
    )

    label_smoothing: Number = number(0.1, at_least=0, below=0.5)

    def terms(self, batch: Batch, progress: Array) -> Terms:
        link = SmoothedLogSigmoid(label_smoothing=self.label_smoothing)
        return Terms(link=link, beta=self.beta, gamma=self.gamma)


@dataclass(frozen=True, kw_only=True)
class SmoothedSLiC(SLiC):
    """SLiC whose hinge allows for labels flipped with probability ``label_smoothing``."""

    name: ClassVar[str] = "slic-smoothed"
    paper: ClassVar[Paper] = SMOOTHING_NOTE
    formula: ClassVar[tuple[str, ...]] = (
        "d = (1 - label_smoothing) * max(0, delta - margin)",
        "weight * chosen - d - label_smoothing * max(0, delta + margin)",
    )
    search_grid = grid(delta=(1.0, 5.0), label_smoothing=(0.1, 0.2, 0.3))
    search_ranges = ranges(
        delta=Range(0.1, 10.0, 1.0, least=0.001, most=100.0), label_smoothing=smoothing()
    )

    label_smoothing: Number = number(0.1, at_least=0, below=0.5)

    def terms(self, batch: Batch, progress: Array) -> Terms:
        link = SmoothedHinge(margin=self.delta, label_smoothing=self.label_smoothing)
        return Terms(link=link, sft_weight=self.weight)


def log_ratio_margin(batch: Batch) -> Array:
    """Log-ratio of the chosen minus that of the rejected, ``(batch,)``."""
    return (batch.chosen - batch.reference_chosen) - (batch.rejected - batch.reference_rejected)


def scaled_margin(beta: Number, batch: Batch) -> Array:
    """DPO's reward margin, ``(batch,)``."""
    return beta * log_ratio_margin(batch)
