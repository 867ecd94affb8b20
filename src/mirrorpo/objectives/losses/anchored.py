"""Losses that hold on to the chosen sequences themselves, besides ranking the pair."""

from dataclasses import dataclass
from typing import ClassVar

from ..arrays import Array, Number
from ..base import Batch, Paper, aggregation, grid
from ..component import number
from ..functions.links import Identity
from ..functions.scalars import Probability
from ..numerics import log_sigmoid, relu
from ..ranges import Range, ranges, scale
from .mirror import MirrorObjective, Terms
from .rewards import RewardObjective
from .two_step import DPO


@dataclass(frozen=True, kw_only=True)
class DPOPositive(RewardObjective):
    """DPO whose margin loses ``penalty`` times what the chosen sequence has lost in log-prob."""

    name: ClassVar[str] = "dpop"
    paper: ClassVar[Paper] = Paper(
        "Smaug: Fixing Failure Modes of Preference Optimisation with DPO-Positive",
        "Pal, Karkhanis, Dooley, Roberts, Naidu and White",
        2024,
        "2402.13228",
        "eq. (3)",
    )
    formula: ClassVar[tuple[str, ...]] = (
        "log(sigmoid(beta * (margin - penalty * max(0, -chosen_ratio))))",
    )
    search_grid = grid(beta=(10.0, 30.0, 100.0), penalty=(5.0, 50.0))
    search_ranges = ranges(
        beta=scale(start=300.0), penalty=Range(0.5, 500.0, 50.0, least=0.01, most=5000.0)
    )

    beta: Number = number(0.3, above=0)
    penalty: Number = number(50.0, at_least=0)

    def reward_loss(self, chosen: Array, rejected: Array) -> Array:
        return -log_sigmoid(self.beta * (chosen - rejected - self.penalty * relu(-chosen)))


@dataclass(frozen=True, kw_only=True)
class IRPO(DPO):
    """DPO plus ``alpha`` times the chosen sequence's negative log-likelihood per step.

    The second term is per step whatever the aggregation.
    """

    name: ClassVar[str] = "irpo"
    paper: ClassVar[Paper] = Paper(
        "Iterative Reasoning Preference Optimization",
        "Pang, Yuan, Cho, He, Sukhbaatar and Weston",
        2024,
        "2404.19733",
        "eq. (1)",
    )
    formula: ClassVar[tuple[str, ...]] = (
        "log(sigmoid(beta * margin)) + alpha * chosen / chosen_length",
    )
    search_grid = grid(beta=(10.0, 30.0, 100.0), alpha=(1.0, 10.0))
    search_ranges = ranges(
        beta=scale(3.0, least=3.0), alpha=Range(0.1, 30.0, 1.0, least=0.001, sft_end="high")
    )

    alpha: Number = number(1.0, at_least=0)

    def terms(self, batch: Batch, progress: Array) -> Terms:
        per_step = 1.0 if self.aggregation == "mean" else 1.0 / batch.chosen_length
        return Terms(beta=self.beta, sft_weight=self.alpha * per_step)


@dataclass(frozen=True, kw_only=True)
class RPO(DPO):
    """DPO plus ``eta beta`` times the chosen sequence's negative log-likelihood."""

    name: ClassVar[str] = "rpo"
    paper: ClassVar[Paper] = Paper(
        "Provably Mitigating Overoptimization in RLHF: Your SFT Loss is Implicitly an Adversarial "
        "Regularizer",
        "Liu, Lu, Zhang, Liu, Guo, Yang, Blanchet and Wang",
        2024,
        "2405.16436",
        "Algorithm 2",
    )
    formula: ClassVar[tuple[str, ...]] = ("log(sigmoid(beta * margin)) + eta * beta * chosen",)
    search_grid = grid(beta=(10.0, 30.0, 100.0), eta=(0.005, 0.2))
    search_ranges = ranges(
        beta=scale(start=10.0), eta=Range(5e-4, 5.0, 0.005, least=1e-5, sft_end="high")
    )

    beta: Number = number(0.01, above=0)
    eta: Number = number(0.005, at_least=0)

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(beta=self.beta, sft_weight=self.eta * self.beta)


@dataclass(frozen=True, kw_only=True)
class CalDPO(RewardObjective):
    """``-log sigmoid(margin)``, and squares that hold the log-ratios at ``± 1 / (2 beta)``.

    The margin of the log-ratios has no scale. ``calibration`` weighs the squares: 1 in the paper,
    0.5 in the released code.
    """

    name: ClassVar[str] = "cal-dpo"
    paper: ClassVar[Paper] = Paper(
        "Cal-DPO: Calibrated Direct Preference Optimization for Language Model Alignment",
        "Xiao, Yuan, Zhu, Li and Honavar",
        2024,
        "2412.14516",
        "the Cal-DPO objective",
    )
    formula: ClassVar[tuple[str, ...]] = (
        "w, l = chosen_ratio - 1 / (2 * beta), rejected_ratio + 1 / (2 * beta)",
        "log(sigmoid(margin)) - calibration * (w ** 2 + l ** 2)",
    )
    search_grid = grid(beta=(0.1, 0.3, 1.0, 3.0, 10.0, 30.0))
    search_ranges = ranges(beta=Range(0.03, 100.0, 1.0, least=0.001, most=1000.0))

    beta: Number = number(1e-3, above=0)
    calibration: Number = number(1.0, at_least=0)

    def reward_loss(self, chosen: Array, rejected: Array) -> Array:
        target = 0.5 / self.beta
        high, low = chosen - target, rejected + target
        return self.calibration * (high * high + low * low) - log_sigmoid(chosen - rejected)


@dataclass(frozen=True, kw_only=True)
class SimPER(MirrorObjective):
    """``pi(chosen)^(1/n) - pi(rejected)^(1/n)``, the inverse perplexities; nothing to tune."""

    name: ClassVar[str] = "simper"
    after_sft: ClassVar[bool] = True
    paper: ClassVar[Paper] = Paper(
        "SimPER: A Minimalist Approach to Preference Alignment without Hyperparameters",
        "Xiao, Yuan, Chen, Li, Liang, Ren and Honavar",
        2025,
        "2502.00883",
        "the SimPER objective",
    )
    formula: ClassVar[tuple[str, ...]] = ("exp(chosen) - exp(rejected)",)

    aggregation: str = aggregation("mean")

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(inverse_potential=Probability(), link=Identity())
