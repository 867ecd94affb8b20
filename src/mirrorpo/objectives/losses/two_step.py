"""Objectives on the log-ratio margin: members of the mirror family with a reference policy."""

from dataclasses import dataclass
from typing import ClassVar

from ..arrays import Array, Number
from ..base import BETAS, Batch, Paper, aggregation, grid
from ..component import choice, number
from ..functions.links import Hinge, NegativeReverseKL, RobustLogSigmoid, SmoothedLogSigmoid, Square
from ..functions.scalars import ChiSquared, JensenShannon, Log, Power, ScalarFunction
from ..ranges import Range, ranges, scale, smoothing
from .mirror import MirrorObjective, Terms


@dataclass(frozen=True, kw_only=True)
class DPO(MirrorObjective):
    """``log sigmoid(beta (log-ratio(chosen) - log-ratio(rejected)))``."""

    name: ClassVar[str] = "dpo"
    reference = "difference"
    after_sft: ClassVar[bool] = True
    paper: ClassVar[Paper] = Paper(
        "Direct Preference Optimization: Your Language Model is Secretly a Reward Model",
        "Rafailov, Sharma, Mitchell, Ermon, Manning and Finn",
        2023,
        "2305.18290",
        "eq. (7)",
    )
    formula: ClassVar[tuple[str, ...]] = ("log(sigmoid(beta * margin))",)
    search_grid = grid(beta=BETAS)
    search_ranges = ranges(beta=scale())

    beta: Number = number(0.1, above=0)

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(beta=self.beta)


@dataclass(frozen=True, kw_only=True)
class NormalizedDPO(DPO):
    """DPO on length-normalised log-probs: it differs in its default aggregation and beta only."""

    name: ClassVar[str] = "dpo-norm"
    paper: ClassVar[Paper] = Paper(
        "Tulu 3: Pushing Frontiers in Open Language Model Post-Training",
        "Lambert, Morrison, Pyatkin, Huang, Ivison and others",
        2024,
        "2411.15124",
        "eq. (6)",
    )
    formula: ClassVar[tuple[str, ...]] = ("log(sigmoid(beta * margin))",)
    search_ranges = ranges(beta=scale(start=5.0))

    beta: Number = number(5.0, above=0)
    aggregation: str = aggregation("mean")


@dataclass(frozen=True, kw_only=True)
class HingeDPO(DPO):
    """``-max(0, 1 - beta margin)``: the SLiC loss on DPO's reward."""

    name: ClassVar[str] = "hinge"
    paper: ClassVar[Paper] = Paper(
        "Statistical Rejection Sampling Improves Preference Optimization",
        "Liu, Zhao, Joshi, Khalman, Saleh, Liu and Liu",
        2023,
        "2309.06657",
        "section 3.2, hinge-norm",
    )
    formula: ClassVar[tuple[str, ...]] = ("-max(0, 1 - beta * margin)",)

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(link=Hinge(), beta=self.beta)


@dataclass(frozen=True, kw_only=True)
class IPO(MirrorObjective):
    """``-(margin - 1 / (2 tau))^2``, on length-normalised log-probs as its authors advise."""

    name: ClassVar[str] = "ipo"
    reference = "difference"
    after_sft: ClassVar[bool] = True
    paper: ClassVar[Paper] = Paper(
        "A General Theoretical Paradigm to Understand Learning from Human Preferences",
        "Azar, Rowland, Piot, Guo, Calandriello, Valko and Munos",
        2023,
        "2310.12036",
        "eq. (17)",
    )
    formula: ClassVar[tuple[str, ...]] = ("-(margin - 1 / (2 * tau)) ** 2",)
    search_grid = grid(tau=(0.2, 0.5, 1.0, 2.0, 5.0))
    search_ranges = ranges(tau=Range(0.05, 50.0, 0.1, least=0.005, sft_end="high"))

    tau: Number = number(0.1, above=0)
    aggregation: str = aggregation("mean")

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(link=Square(target=0.5 / self.tau))


@dataclass(frozen=True, kw_only=True)
class RDPO(DPO):
    """``log sigmoid(beta margin + alpha (length(chosen) - length(rejected)))``.

    Lengths are in steps or tokens whatever the aggregation; at equal length this is DPO.
    """

    name: ClassVar[str] = "rdpo"
    paper: ClassVar[Paper] = Paper(
        "Disentangling Length from Quality in Direct Preference Optimization",
        "Park, Rafailov, Ermon and Finn",
        2024,
        "2403.19159",
        "eq. (9)",
    )
    formula: ClassVar[tuple[str, ...]] = (
        "log(sigmoid(beta * margin + alpha * (chosen_length - rejected_length)))",
    )
    search_grid = grid(beta=(10.0, 30.0, 100.0), alpha=(0.001, 0.01))
    search_ranges = ranges(beta=scale(), alpha=Range(1e-4, 0.1, 0.01, least=1e-6, most=1.0))

    alpha: Number = number(0.01, at_least=0)

    def terms(self, batch: Batch, progress: Array) -> Terms:
        longer = batch.chosen_length - batch.rejected_length
        return Terms(beta=self.beta, gamma=-self.alpha * longer)


@dataclass(frozen=True, kw_only=True)
class ConservativeDPO(DPO):
    """DPO's likelihood if each label were flipped with probability ``label_smoothing``."""

    name: ClassVar[str] = "cdpo"
    paper: ClassVar[Paper] = Paper(
        "A note on DPO with noisy preferences and relationship to IPO",
        "Mitchell",
        2023,
        "https://ericmitchell.ai/cdpo.pdf",
        "eq. (3)",
    )
    formula: ClassVar[tuple[str, ...]] = (
        "x = beta * margin",
        "(1 - label_smoothing) * log(sigmoid(x)) + label_smoothing * log(sigmoid(-x))",
    )
    search_grid = grid(beta=(10.0, 30.0, 100.0), label_smoothing=(0.1, 0.3))
    search_ranges = ranges(beta=scale(high=120.0), label_smoothing=smoothing())

    label_smoothing: Number = number(0.1, at_least=0, below=0.5)

    def terms(self, batch: Batch, progress: Array) -> Terms:
        link = SmoothedLogSigmoid(label_smoothing=self.label_smoothing)
        return Terms(link=link, beta=self.beta)


@dataclass(frozen=True, kw_only=True)
class RobustDPO(DPO):
    """An unbiased estimate of DPO on clean labels, from labels flipped that often."""

    name: ClassVar[str] = "robust-dpo"
    paper: ClassVar[Paper] = Paper(
        "Provably Robust DPO: Aligning Language Models with Noisy Feedback",
        "Ray Chowdhury, Kini and Natarajan",
        2024,
        "2403.00409",
        "eq. (12)",
    )
    formula: ClassVar[tuple[str, ...]] = (
        "x = beta * margin",
        "d = (1 - label_smoothing) * log(sigmoid(x)) - label_smoothing * log(sigmoid(-x))",
        "d / (1 - 2 * label_smoothing)",
    )
    search_grid = grid(beta=(10.0, 30.0, 100.0), label_smoothing=(0.1, 0.3))
    # Its pull never ends, however large the margin.
    search_ranges = ranges(
        beta=Range(1.0, 300.0, 100.0, least=0.01, most=1e4), label_smoothing=smoothing(sft_end="")
    )

    label_smoothing: Number = number(0.1, at_least=0, below=0.5)

    def terms(self, batch: Batch, progress: Array) -> Terms:
        link = RobustLogSigmoid(label_smoothing=self.label_smoothing)
        return Terms(link=link, beta=self.beta)


@dataclass(frozen=True, kw_only=True)
class EXO(DPO):
    """Reverse KL of the pair's softmax from smoothed labels (the pair form of EXO)."""

    name: ClassVar[str] = "exo"
    paper: ClassVar[Paper] = Paper(
        "Towards Efficient Exact Optimization of Language Model Alignment",
        "Ji, Lu, Niu, Ke, Wang, Zhu, Tang and Huang",
        2024,
        "2402.00856",
        "eq. (16)",
    )
    formula: ClassVar[tuple[str, ...]] = (
        "q = sigmoid(beta * margin)",
        "-q * log(q / (1 - label_smoothing)) - (1 - q) * log((1 - q) / label_smoothing)",
    )
    search_grid = grid(beta=(10.0, 30.0, 100.0), label_smoothing=(0.001, 0.1))
    search_ranges = ranges(
        beta=scale(), label_smoothing=Range(1e-4, 0.2, 1e-3, least=1e-6, sft_end="high")
    )

    label_smoothing: Number = number(1e-3, above=0, below=0.5)

    def terms(self, batch: Batch, progress: Array) -> Terms:
        link = NegativeReverseKL(label_smoothing=self.label_smoothing)
        return Terms(link=link, beta=self.beta)


@dataclass(frozen=True, kw_only=True)
class FDPO(MirrorObjective):
    """DPO under another f-divergence: the potential is ``f'`` of the probability ratio.

    ``alpha`` is read by the "alpha" divergence only and is the paper's: 0 is the reverse KL, 1 the
    forward KL. (TRL's ``f_alpha_divergence_coef`` is ``1 - alpha``.)
    """

    name: ClassVar[str] = "fdpo"
    reference = "ratio"
    after_sft: ClassVar[bool] = True
    paper: ClassVar[Paper] = Paper(
        "Beyond Reverse KL: Generalizing Direct Preference Optimization with Diverse Divergence "
        "Constraints",
        "Wang, Jiang, Yang, Liu and Chen",
        2023,
        "2309.16240",
        "Table 2",
    )
    formula: ClassVar[tuple[str, ...]] = (
        "w = log(2 * exp(chosen_ratio) / (1 + exp(chosen_ratio)))",
        "l = log(2 * exp(rejected_ratio) / (1 + exp(rejected_ratio)))",
        "log(sigmoid(beta * (w - l)))",
    )
    search_grid = grid(beta=BETAS)
    search_ranges = ranges(beta=scale())

    beta: Number = number(0.1, above=0)
    divergence: str = choice(
        "jensen-shannon", ("reverse-kl", "forward-kl", "jensen-shannon", "alpha")
    )
    alpha: Number = number(0.5, above=0, below=1)

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(inverse_potential=self._derivative(), beta=self.beta)

    def _derivative(self) -> ScalarFunction:
        if self.divergence == "reverse-kl":
            return Log()
        if self.divergence == "forward-kl":
            return Power(alpha=1.0)
        if self.divergence == "jensen-shannon":
            return JensenShannon()
        return Power(alpha=self.alpha)


@dataclass(frozen=True, kw_only=True)
class ChiPO(MirrorObjective):
    """DPO with the potential ``z + log z`` of the probability ratio (chi-squared plus KL)."""

    name: ClassVar[str] = "chipo"
    reference = "ratio"
    after_sft: ClassVar[bool] = True
    paper: ClassVar[Paper] = Paper(
        "Correcting the Mythos of KL-Regularization: Direct Alignment without Overoptimization "
        "via Chi-Squared Preference Optimization",
        "Huang, Zhan, Xie, Lee, Sun, Krishnamurthy and Foster",
        2024,
        "2407.13399",
        "Algorithm 1",
    )
    formula: ClassVar[tuple[str, ...]] = (
        "d = exp(chosen_ratio) + chosen_ratio - exp(rejected_ratio) - rejected_ratio",
        "log(sigmoid(beta * d))",
    )
    search_grid = grid(beta=BETAS)
    search_ranges = ranges(beta=scale(start=50.0))

    beta: Number = number(0.05, above=0)

    def terms(self, batch: Batch, progress: Array) -> Terms:
        return Terms(inverse_potential=ChiSquared(), beta=self.beta)
