"""Objectives without a reference policy: members of the mirror family with a uniform one."""

from dataclasses import dataclass
from typing import ClassVar

from ..arrays import Array, Number
from ..base import Batch, Paper, aggregation, grid
from ..component import function, number
from ..functions.links import Cubic, Hinge, Identity, LogSigmoid, SquareOrLine
from ..functions.scalars import Log, Logit, Power, ScalarFunction
from ..functions.schedules import Linear
from ..ranges import Range, ranges
from .mirror import MirrorObjective, Terms, mirror_paper


@dataclass(frozen=True, kw_only=True)
class SFT(MirrorObjective):
    """``log pi(chosen)``: imitation of the preferred sequence."""

    name: ClassVar[str] = "sft"
    paper: ClassVar[Paper] = mirror_paper("section 2.1")
    formula: ClassVar[tuple[str, ...]] = ("chosen",)

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(sft_weight=1.0, po_weight=None)


@dataclass(frozen=True, kw_only=True)
class LPO(MirrorObjective):
    """``weight log pi(chosen) - log pi(rejected)``: SLiC whose hinge never closes."""

    name: ClassVar[str] = "lpo"
    paper: ClassVar[Paper] = mirror_paper("section 4.2")
    formula: ClassVar[tuple[str, ...]] = ("weight * chosen - rejected",)
    search_grid = grid(weight=(1.25, 1.75, 2.5, 3.5, 6.0, 10.0))
    search_ranges = ranges(weight=Range(1.05, 20.0, 1.75, least=1.001, sft_end="high"))

    weight: Number = number(1.0, above=0)

    def terms(self, batch: Batch, progress: Array) -> Terms:
        # One chosen log-prob is already inside the margin.
        return Terms(sft_weight=self.weight - 1.0, link=Identity())


@dataclass(frozen=True, kw_only=True)
class RRHF(MirrorObjective):
    """``weight log pi(chosen) - max(0, -margin)``, on length-normalised log-probs."""

    name: ClassVar[str] = "rrhf"
    paper: ClassVar[Paper] = Paper(
        "RRHF: Rank Responses to Align Language Models with Human Feedback without tears",
        "Yuan, Yuan, Tan, Wang, Huang and Huang",
        2023,
        "2304.05302",
        "eq. (2)-(4)",
    )
    formula: ClassVar[tuple[str, ...]] = ("weight * chosen - max(0, -margin)",)
    search_grid = grid(weight=(0.1, 0.3, 1.0, 3.0, 10.0))
    search_ranges = ranges(weight=Range(0.01, 20.0, 1.0, least=1e-4, sft_end="high"))

    weight: Number = number(1.0, above=0)
    aggregation: str = aggregation("mean")

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(sft_weight=self.weight, link=Hinge(margin=0.0))


@dataclass(frozen=True, kw_only=True)
class SLiC(MirrorObjective):
    """``weight log pi(chosen) - max(0, delta - margin)``."""

    name: ClassVar[str] = "slic"
    paper: ClassVar[Paper] = Paper(
        "SLiC-HF: Sequence Likelihood Calibration with Human Feedback",
        "Zhao, Joshi, Liu, Khalman, Saleh and Liu",
        2023,
        "2305.10425",
        "eq. (1)",
    )
    formula: ClassVar[tuple[str, ...]] = ("weight * chosen - max(0, delta - margin)",)
    search_grid = grid(weight=(0.3, 1.0, 3.0), delta=(1.0, 5.0))
    search_ranges = ranges(
        weight=Range(0.01, 20.0, 0.1, least=1e-4, sft_end="high"),
        delta=Range(0.1, 10.0, 1.0, least=0.001, most=100.0),
    )

    weight: Number = number(0.1, above=0)
    delta: Number = number(1.0, at_least=0)

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(sft_weight=self.weight, link=Hinge(margin=self.delta))


@dataclass(frozen=True, kw_only=True)
class CPO(MirrorObjective):
    """``sft_weight log pi(chosen) + log sigmoid(beta margin)``."""

    name: ClassVar[str] = "cpo"
    paper: ClassVar[Paper] = Paper(
        "Contrastive Preference Optimization: Pushing the Boundaries of LLM Performance in "
        "Machine Translation",
        "Xu, Sharaf, Chen, Tan, Shen, Van Durme, Murray and Kim",
        2024,
        "2401.08417",
        "eq. (3)",
    )
    formula: ClassVar[tuple[str, ...]] = ("sft_weight * chosen + log(sigmoid(beta * margin))",)
    search_grid = grid(beta=(0.2, 1.0), sft_weight=(0.05, 0.2, 1.0))
    search_ranges = ranges(
        beta=Range(0.1, 10.0, 0.3, most=300.0, sft_end="low"),
        sft_weight=Range(0.01, 1.0, 0.2, least=1e-4, sft_end="high"),
    )

    beta: Number = number(0.1, above=0)
    sft_weight: Number = number(1.0, at_least=0)

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(beta=self.beta, sft_weight=self.sft_weight)


@dataclass(frozen=True, kw_only=True)
class ORPO(MirrorObjective):
    """``log pi(chosen) + weight log sigmoid(log-odds(chosen) - log-odds(rejected))``."""

    name: ClassVar[str] = "orpo"
    paper: ClassVar[Paper] = Paper(
        "ORPO: Monolithic Preference Optimization without Reference Model",
        "Hong, Lee and Thorne",
        2024,
        "2403.07691",
        "eq. (6)-(7)",
    )
    formula: ClassVar[tuple[str, ...]] = (
        "w = chosen - log(1 - exp(chosen))",
        "l = rejected - log(1 - exp(rejected))",
        "chosen + weight * log(sigmoid(w - l))",
    )
    search_grid = grid(weight=(0.1, 0.3, 1.0, 3.0, 10.0, 30.0))
    search_ranges = ranges(weight=Range(0.09, 100.0, 0.1, most=3000.0, sft_end="low"))

    weight: Number = number(0.1, above=0)
    aggregation: str = aggregation("mean")

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(inverse_potential=Logit(), sft_weight=1.0, po_weight=self.weight)


@dataclass(frozen=True, kw_only=True)
class SimPO(MirrorObjective):
    """``log sigmoid(beta margin - gamma)``, on length-normalised log-probs."""

    name: ClassVar[str] = "simpo"
    after_sft: ClassVar[bool] = True
    paper: ClassVar[Paper] = Paper(
        "SimPO: Simple Preference Optimization with a Reference-Free Reward",
        "Meng, Xia and Chen",
        2024,
        "2405.14734",
        "eq. (6)",
    )
    formula: ClassVar[tuple[str, ...]] = ("log(sigmoid(beta * margin - gamma))",)
    search_grid = grid(beta=(1.0, 5.0), gamma=(0.5, 2.0, 10.0))
    search_ranges = ranges(
        beta=Range(0.5, 30.0, 2.0, least=0.01, most=300.0),
        gamma=Range(0.1, 30.0, 1.0, least=0.001, most=300.0),
    )

    beta: Number = number(2.0, above=0)
    gamma: Number = number(1.0, at_least=0)
    aggregation: str = aggregation("mean")

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(beta=self.beta, gamma=self.gamma)


@dataclass(frozen=True, kw_only=True)
class AlphaPO(MirrorObjective):
    """SimPO on the reward ``(1 - pi^-alpha) / alpha``; ``alpha = 0`` is SimPO."""

    name: ClassVar[str] = "alphapo"
    after_sft: ClassVar[bool] = True
    paper: ClassVar[Paper] = Paper(
        "AlphaPO: Reward Shape Matters for LLM Alignment",
        "Gupta, Tang, Song, Zhu, Hong, Saha, Gupta, Lee, Kim, Zhu, Agrawal, Pillai and Keerthi",
        2025,
        "2501.03884",
        "section 3",
    )
    formula: ClassVar[tuple[str, ...]] = (
        "log(sigmoid(beta * (exp(-alpha * rejected) - exp(-alpha * chosen)) / alpha - gamma))",
    )
    search_grid = grid(beta=(1.0,), gamma=(0.5, 10.0), alpha=(-0.25, 0.1, 0.25))
    search_ranges = ranges(
        beta=Range(0.5, 30.0, 2.5, least=0.01, most=300.0),
        gamma=Range(0.1, 30.0, 0.25, least=0.001, most=300.0),
        alpha=Range(-0.4, 0.4, 0.25, log=False, least=-1.0, most=1.0),
    )

    beta: Number = number(2.5, above=0)
    gamma: Number = number(0.25, at_least=0)
    alpha: Number = number(0.25)
    aggregation: str = aggregation("mean")

    def terms(self, batch: Batch, progress: Array) -> Terms:
        power = Power(alpha=self.alpha)
        return Terms(inverse_potential=power, beta=self.beta, gamma=self.gamma)


@dataclass(frozen=True, kw_only=True)
class SFTSimPO(MirrorObjective):
    """``log pi(chosen) + weight log sigmoid(beta margin - gamma)``: the paper's ablation."""

    name: ClassVar[str] = "sft-simpo"
    paper: ClassVar[Paper] = mirror_paper("Table 3")
    formula: ClassVar[tuple[str, ...]] = ("chosen + weight * log(sigmoid(beta * margin - gamma))",)
    search_grid = grid(beta=(1.0, 5.0), gamma=(0.5, 2.0, 10.0))
    search_ranges = ranges(
        beta=Range(0.1, 30.0, 1.0, most=300.0, sft_end="low"),
        gamma=Range(0.1, 30.0, 1.0, least=0.001, most=300.0),
    )

    beta: Number = number(0.05, above=0)
    gamma: Number = number(1.0, at_least=0)
    weight: Number = number(1.0, above=0)

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(beta=self.beta, gamma=self.gamma, sft_weight=1.0, po_weight=self.weight)


@dataclass(frozen=True, kw_only=True)
class TemporallyAware(MirrorObjective):
    """``(1 - a(t)) psi(pi(chosen)) + a(t) g(beta (Phi(chosen) - Phi(rejected)) - gamma)``.

    ``schedule`` is a scalar function a of progress, or the name of one: "linear" (1), "quadratic"
    (2) and "sigmoid" (3) are the paper's; `LearnedSchedule` is searched. The other functions'
    defaults make the loss of eq. (13).
    """

    name: ClassVar[str] = "ta-mpo"
    paper: ClassVar[Paper] = mirror_paper("eq. (12)-(13)")
    formula: ClassVar[tuple[str, ...]] = (
        "a = schedule(t)",
        "(1 - a) * psi(chosen) + a * g(beta * (Phi(chosen) - Phi(rejected)) - gamma)",
    )
    search_grid = grid(beta=(1.0, 5.0), gamma=(0.5, 2.0, 10.0))
    search_ranges = ranges(
        beta=Range(0.1, 30.0, 1.0, most=300.0, sft_end="low"),
        gamma=Range(0.1, 30.0, 1.0, least=0.001, most=300.0),
    )

    psi: ScalarFunction = function(Log())
    inverse_potential: ScalarFunction = function(Log())
    link: ScalarFunction = function(LogSigmoid())
    beta: Number = number(0.05, above=0)
    gamma: Number = number(1.0, at_least=0)
    schedule: ScalarFunction = function(Linear())

    def terms(self, batch: Batch, progress: Array) -> Terms:
        weight = self.schedule(progress)
        return Terms(
            psi=self.psi,
            inverse_potential=self.inverse_potential,
            link=self.link,
            beta=self.beta,
            gamma=self.gamma,
            sft_weight=1.0 - weight,
            po_weight=weight,
        )


@dataclass(frozen=True, kw_only=True)
class PaperMixed(MirrorObjective):
    """``0.82 log pi(chosen) + 1.7 d + 0.33 d^2 + 0.36 d^3`` of the margin d.

    Discovered by the paper on mixed-quality data, on log-probs between -14 and -8.
    """

    name: ClassVar[str] = "paper-mixed"
    paper: ClassVar[Paper] = mirror_paper("appendix I.2, first form")
    formula: ClassVar[tuple[str, ...]] = (
        "0.82 * chosen + 1.7 * margin + 0.33 * margin ** 2 + 0.36 * margin ** 3",
    )

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(link=Cubic(), sft_weight=0.82)


@dataclass(frozen=True, kw_only=True)
class PaperNoisy(MirrorObjective):
    """``0.82 log pi(chosen) + max(1.39 max(d, 0)^2, 0.12 d)`` of the margin d.

    Discovered by the paper on noisy data (flip probability 0.3); see `SquareOrLine` for the sign.
    """

    name: ClassVar[str] = "paper-noisy"
    paper: ClassVar[Paper] = mirror_paper("appendix I.2, second form")
    formula: ClassVar[tuple[str, ...]] = (
        "0.82 * chosen + max(1.39 * max(margin, 0) ** 2, 0.12 * margin)",
    )

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(link=SquareOrLine(), sft_weight=0.82)
