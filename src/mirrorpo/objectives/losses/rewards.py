"""Objectives that judge the two sequences' implicit rewards apart, not only their margin.

The implicit reward of a sequence is its log-ratio ``log pi - log pi_ref``. No choice of the mirror
formula's scalars states these.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from .. import numerics
from ..arrays import Array, Number, detach, namespace
from ..base import BETAS, Batch, Objective, Paper, grid
from ..component import choice, number
from ..numerics import log_sigmoid, sigmoid
from ..ranges import ranges, scale

APO_PAPER = "Anchored Preference Optimization and Contrastive Revisions"
APO_AUTHORS = "D'Oosterlinck, Xu, Develder, Demeester, Singh, Potts, Kiela and Mehri"
AOT_PAPER = "Distributional Preference Alignment of LLMs via Optimal Transport"
AOT_AUTHORS = "Melnyk, Mroueh, Belgodere, Rigotti, Nitsure, Yurochkin and others"


@dataclass(frozen=True, kw_only=True)
class RewardObjective(Objective):
    """An objective of the pair's two log-ratios."""

    needs_reference: ClassVar[bool] = True
    after_sft: ClassVar[bool] = True
    search_grid = grid(beta=BETAS)
    search_ranges = ranges(beta=scale())

    beta: Number = number(0.1, above=0)

    def loss(self, batch: Batch, progress: Array) -> Array:
        return self.reward_loss(
            batch.chosen - batch.reference_chosen, batch.rejected - batch.reference_rejected
        )

    @abstractmethod
    def reward_loss(self, chosen: Array, rejected: Array) -> Array:
        """The loss of each pair from its log-ratios, both ``(batch,)``."""


@dataclass(frozen=True, kw_only=True)
class KTO(RewardObjective):
    """KTO in pair form: each sequence is compared with one reference point.

    The reference point is a batch estimate: the mean log-ratio of all the batch's sequences, at
    least 0 and constant for the gradient. (KTO itself estimates it on mismatched sequences, which
    pairs do not have.) A pair's loss is the mean of its two sequences' losses, so that the batch
    mean is KTO's.
    """

    name: ClassVar[str] = "kto"
    paper: ClassVar[Paper] = Paper(
        "KTO: Model Alignment as Prospect Theoretic Optimization",
        "Ethayarajh, Xu, Muennighoff, Jurafsky and Kiela",
        2024,
        "2402.01306",
        "eq. (8)",
    )
    formula: ClassVar[tuple[str, ...]] = (
        "z = max(0, mean(0.5 * (chosen_ratio + rejected_ratio)))",
        "w = chosen_weight * sigmoid(beta * (z - chosen_ratio))",
        "l = rejected_weight * sigmoid(beta * (rejected_ratio - z))",
        "-0.5 * (w + l)",
    )

    chosen_weight: Number = number(1.0, at_least=0)
    rejected_weight: Number = number(1.0, at_least=0)

    def reward_loss(self, chosen: Array, rejected: Array) -> Array:
        mean = 0.5 * (numerics.mean(chosen) + numerics.mean(rejected))
        point = detach(numerics.relu(mean))
        chosen_loss = self.chosen_weight * sigmoid(self.beta * (point - chosen))
        rejected_loss = self.rejected_weight * sigmoid(self.beta * (rejected - point))
        return 0.5 * (chosen_loss + rejected_loss)


@dataclass(frozen=True, kw_only=True)
class NCA(RewardObjective):
    """Noise-contrastive alignment on pairs: also holds the chosen log-ratio near 0."""

    name: ClassVar[str] = "nca"
    paper: ClassVar[Paper] = Paper(
        "Noise Contrastive Alignment of Language Models with Explicit Rewards",
        "Chen, He, Yuan, Cui, Su and Zhu",
        2024,
        "2402.05369",
        "NCA, preference case",
    )
    formula: ClassVar[tuple[str, ...]] = (
        "w, l = beta * chosen_ratio, beta * rejected_ratio",
        "log(sigmoid(w)) + 0.5 * log(sigmoid(-w)) + 0.5 * log(sigmoid(-l))",
    )
    search_ranges = ranges(beta=scale(start=10.0))

    beta: Number = number(0.01, above=0)

    def reward_loss(self, chosen: Array, rejected: Array) -> Array:
        chosen, rejected = self.beta * chosen, self.beta * rejected
        noise = log_sigmoid(-chosen) + log_sigmoid(-rejected)
        return -(log_sigmoid(chosen) + 0.5 * noise)


@dataclass(frozen=True, kw_only=True)
class BCO(RewardObjective):
    """Binary classification of chosen and rejected rewards.

    ``shift="batch"`` subtracts the paper's reward shift, estimated as the batch's mean reward and
    constant for the gradient; "none" is TRL's ``bco_pair``, which has none.
    """

    name: ClassVar[str] = "bco"
    paper: ClassVar[Paper] = Paper(
        "Binary Classifier Optimization for Large Language Model Alignment",
        "Jung, Han, Nam and On",
        2024,
        "2404.04656",
        "section 3",
    )
    formula: ClassVar[tuple[str, ...]] = (
        "log(sigmoid(beta * chosen_ratio)) + log(sigmoid(-beta * rejected_ratio))",
    )

    shift: str = choice("none", ("none", "batch"))

    def reward_loss(self, chosen: Array, rejected: Array) -> Array:
        chosen, rejected = self.beta * chosen, self.beta * rejected
        if self.shift == "batch":
            shift = detach(0.5 * (numerics.mean(chosen) + numerics.mean(rejected)))
            chosen, rejected = chosen - shift, rejected - shift
        return -(log_sigmoid(chosen) + log_sigmoid(-rejected))


@dataclass(frozen=True, kw_only=True)
class SPPO(RewardObjective):
    """Pulls the log-ratios to ``1 / (2 beta)`` and ``-1 / (2 beta)`` (SPPO with hard labels)."""

    name: ClassVar[str] = "sppo"
    paper: ClassVar[Paper] = Paper(
        "Self-Play Preference Optimization for Language Model Alignment",
        "Wu, Sun, Yuan, Ji, Yang and Gu",
        2024,
        "2405.00675",
        "eq. (4.7), hard labels",
    )
    formula: ClassVar[tuple[str, ...]] = (
        "-(chosen_ratio - 1 / (2 * beta)) ** 2 - (rejected_ratio + 1 / (2 * beta)) ** 2",
    )
    search_ranges = ranges(beta=scale(0.03, 100.0, 1.0, least=0.001))

    beta: Number = number(1e-3, above=0)

    def reward_loss(self, chosen: Array, rejected: Array) -> Array:
        target = 0.5 / self.beta
        return (chosen - target) * (chosen - target) + (rejected + target) * (rejected + target)


@dataclass(frozen=True, kw_only=True)
class APOZero(RewardObjective):
    """Raises the chosen and lowers the rejected likelihood, each on its own."""

    name: ClassVar[str] = "apo-zero"
    paper: ClassVar[Paper] = Paper(APO_PAPER, APO_AUTHORS, 2024, "2408.06266", "eq. (7)")
    formula: ClassVar[tuple[str, ...]] = (
        "-sigmoid(-beta * chosen_ratio) - sigmoid(beta * rejected_ratio)",
    )

    def reward_loss(self, chosen: Array, rejected: Array) -> Array:
        return sigmoid(-self.beta * chosen) + sigmoid(self.beta * rejected)


@dataclass(frozen=True, kw_only=True)
class APODown(RewardObjective):
    """Lowers both likelihoods, the rejected one more."""

    name: ClassVar[str] = "apo-down"
    paper: ClassVar[Paper] = Paper(APO_PAPER, APO_AUTHORS, 2024, "2408.06266", "eq. (8)")
    formula: ClassVar[tuple[str, ...]] = (
        "-sigmoid(beta * chosen_ratio) - sigmoid(-beta * margin)",
    )

    def reward_loss(self, chosen: Array, rejected: Array) -> Array:
        return sigmoid(self.beta * chosen) + sigmoid(-self.beta * (chosen - rejected))


@dataclass(frozen=True, kw_only=True)
class AOT(RewardObjective):
    """Stochastic dominance of the policy's margins over the reference's, by optimal transport.

    Both sets of margins are sorted over the batch, so entry i of the loss belongs to the i-th
    smallest margins and not to pair i: only the batch mean has a meaning. A batch of one is DPO.
    """

    name: ClassVar[str] = "aot"
    paper: ClassVar[Paper] = Paper(AOT_PAPER, AOT_AUTHORS, 2024, "2406.05882", "paired, logistic")
    formula: ClassVar[tuple[str, ...]] = (
        "d = sort(chosen - rejected) - sort(reference_chosen - reference_rejected)",
        "log(sigmoid(beta * d))",
    )

    def loss(self, batch: Batch, progress: Array) -> Array:
        policy = batch.chosen - batch.rejected
        reference = batch.reference_chosen - batch.reference_rejected
        return self.reward_loss(policy, reference)

    def reward_loss(self, chosen: Array, rejected: Array) -> Array:
        return -log_sigmoid(self.beta * (_sorted(chosen) - _sorted(rejected)))


@dataclass(frozen=True, kw_only=True)
class UnpairedAOT(AOT):
    """Stochastic dominance of the chosen log-ratios over the rejected ones, each set sorted."""

    name: ClassVar[str] = "aot-unpaired"
    paper: ClassVar[Paper] = Paper(AOT_PAPER, AOT_AUTHORS, 2024, "2406.05882", "unpaired, logistic")
    formula: ClassVar[tuple[str, ...]] = (
        "log(sigmoid(beta * (sort(chosen_ratio) - sort(rejected_ratio))))",
    )

    def loss(self, batch: Batch, progress: Array) -> Array:
        return RewardObjective.loss(self, batch, progress)


def _sorted(x: Array) -> Array:
    return namespace(x).sort(x) if x.ndim else x
