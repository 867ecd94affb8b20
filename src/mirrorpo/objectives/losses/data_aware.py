"""Losses that need more than the pair's log-probs: a moving reference, weights, a data plan.

What each declares to training is in `mirrorpo.objectives.needs`. Called on their own, without
what training gives them, they are DPO or SLiC.
"""

from dataclasses import dataclass
from typing import ClassVar

from .. import numerics
from ..arrays import Array, Number, detach, namespace
from ..base import Batch, Objective, Paper, aggregation, grid
from ..component import choice, number
from ..needs import PairPlan, ReferenceUpdate
from ..numerics import log_sigmoid
from ..ranges import Range, ranges, scale
from .noise_tolerant import scaled_margin
from .reference_free import SLiC
from .two_step import DPO

_FILTER_PAPER = Paper(
    "Impact of Preference Noise on the Alignment Performance of Generative Language Models",
    "Gao, Alon and Metzler",
    2024,
    "2404.09824",
    "confidence-based data filtering",
)


@dataclass(frozen=True, kw_only=True)
class TRDPO(DPO):
    """DPO whose reference follows the policy.

    After every ``tau`` steps the reference's parameters become ``alpha`` parts of the policy's
    and ``1 - alpha`` of its own: 1 is the paper's hard update, below 1 its soft one.
    """

    name: ClassVar[str] = "tr-dpo"
    paper: ClassVar[Paper] = Paper(
        "Learn Your Reference Model for Real Good Alignment",
        "Gorbatovski, Shaposhnikov, Malakhov, Surnachev, Aksenov, Maksimov, Balagansky and "
        "Gavrilov",
        2024,
        "2404.09656",
        "soft and hard update of the reference",
    )
    formula: ClassVar[tuple[str, ...]] = ("log(sigmoid(beta * margin))",)
    search_grid = grid(beta=(10.0, 30.0, 100.0), tau=(64.0, 512.0))
    search_ranges = ranges(beta=scale(), tau=Range(16.0, 4096.0, 512.0, least=1.0, most=65536.0))

    alpha: Number = number(0.6, above=0)
    tau: Number = number(512.0, at_least=1)

    @property
    def reference_update(self) -> ReferenceUpdate:
        return ReferenceUpdate(rate=self.alpha, every=self.tau)


@dataclass(frozen=True, kw_only=True)
class WPO(Objective):
    """DPO with each pair weighted by how likely the policy itself is to write it.

    The weight is the product of both sequences' probabilities per step, each divided by the
    probability that two draws of the policy agree (the paper's sampled alignment), constant for
    the gradient. Without agreements, nothing is divided. ``weights="clipped"`` takes at most 1,
    as the released code does; "free" is TRL's ``use_weighting``.
    """

    name: ClassVar[str] = "wpo"
    needs_reference: ClassVar[bool] = True
    after_sft: ClassVar[bool] = True
    uses_agreement: ClassVar[bool] = True
    paper: ClassVar[Paper] = Paper(
        "WPO: Enhancing RLHF with Weighted Preference Optimization",
        "Zhou, Agrawal, Zhang, Indurthi, Zhao, Song, Xu and Zhu",
        2024,
        "2406.11827",
        "eq. (2), sampled alignment",
    )
    formula: ClassVar[tuple[str, ...]] = (
        "w = (chosen - chosen_agreement) / chosen_length",
        "l = (rejected - rejected_agreement) / rejected_length",
        "min(1, exp(w + l)) * log(sigmoid(beta * margin))",
    )
    search_grid = grid(beta=(1.0, 10.0, 30.0, 100.0, 300.0))
    search_ranges = ranges(beta=scale(start=10.0))

    beta: Number = number(0.01, above=0)
    weights: str = choice("clipped", ("clipped", "free"))

    def loss(self, batch: Batch, progress: Array) -> Array:
        chosen, rejected = self.per_step(batch)
        if batch.chosen_agreement is not None:
            chosen = chosen - batch.chosen_agreement
        if batch.rejected_agreement is not None:
            rejected = rejected - batch.rejected_agreement
        weight = detach(numerics.exp(chosen + rejected))
        if self.weights == "clipped":
            weight = namespace(weight).clip(weight, max=1.0)
        return -weight * log_sigmoid(scaled_margin(self.beta, batch))


@dataclass(frozen=True, kw_only=True)
class MixDPO(Objective):
    """DPO on the easy pairs and SFT on the others, from easy to hard.

    ``easy`` is the share of pairs that are easy. The paper ranks pairs by the margin of their
    ratings; here a preference model that has not seen the pair rates it, see `PairPlan`.
    """

    name: ClassVar[str] = "mixdpo"
    needs_reference: ClassVar[bool] = True
    after_sft: ClassVar[bool] = True
    uses_ease: ClassVar[bool] = True
    paper: ClassVar[Paper] = Paper(
        "Small-Margin Preferences Still Matter - If You Train Them Right",
        "Pang, Zhu, Di, Zhang, Wang, Qian and Liu",
        2026,
        "2602.00954",
        "the MixDPO objective",
    )
    formula: ClassVar[tuple[str, ...]] = (
        "where(ease >= 1 - easy, log(sigmoid(beta * margin)), sft_weight * chosen)",
    )
    search_grid = grid(beta=(10.0, 30.0, 100.0), easy=(0.5, 0.8))
    search_ranges = ranges(
        beta=scale(start=10.0), easy=Range(0.2, 0.95, 0.5, log=False, most=0.99, sft_end="low")
    )

    beta: Number = number(0.01, above=0)
    easy: Number = number(0.5, at_least=0, below=1)
    sft_weight: Number = number(1.0, at_least=0)

    @property
    def pair_plan(self) -> PairPlan:
        return PairPlan(easy_first=True)

    def loss(self, batch: Batch, progress: Array) -> Array:
        preference = -log_sigmoid(scaled_margin(self.beta, batch))
        if batch.ease is None:
            return preference
        xp = namespace(preference, batch.ease, self.easy)
        easy = batch.ease >= 1.0 - self.easy
        return xp.where(easy, preference, -self.sft_weight * batch.chosen)


@dataclass(frozen=True, kw_only=True)
class FilteredDPO(DPO):
    """DPO on the pairs that are left when the ``drop`` share of likely wrong labels is left out.

    A preference model that has not seen a pair says how likely its label is, see `PairPlan`.
    """

    name: ClassVar[str] = "dpo-filtered"
    paper: ClassVar[Paper] = _FILTER_PAPER
    formula: ClassVar[tuple[str, ...]] = ("log(sigmoid(beta * margin))",)
    search_grid = grid(beta=(10.0, 30.0, 100.0), drop=(0.1, 0.3))
    search_ranges = ranges(beta=scale(), drop=Range(0.02, 0.5, 0.2, log=False, least=0.0, most=0.9))

    drop: Number = number(0.2, at_least=0, below=1)

    @property
    def pair_plan(self) -> PairPlan:
        return PairPlan(dropped=self.drop)


@dataclass(frozen=True, kw_only=True)
class FilteredSLiC(SLiC):
    """SLiC on the pairs that are left when the ``drop`` share of likely wrong labels is left out.

    A preference model that has not seen a pair says how likely its label is, see `PairPlan`.
    """

    name: ClassVar[str] = "slic-filtered"
    paper: ClassVar[Paper] = _FILTER_PAPER
    formula: ClassVar[tuple[str, ...]] = ("weight * chosen - max(0, delta - margin)",)
    search_grid = grid(weight=(0.3, 1.0, 3.0), drop=(0.1, 0.3))
    search_ranges = ranges(
        weight=Range(0.01, 20.0, 0.1, least=1e-4, sft_end="high"),
        drop=Range(0.02, 0.5, 0.2, log=False, least=0.0, most=0.9),
    )

    drop: Number = number(0.2, at_least=0, below=1)

    @property
    def pair_plan(self) -> PairPlan:
        return PairPlan(dropped=self.drop)


@dataclass(frozen=True, kw_only=True)
class RobustSLiC(FilteredSLiC):
    """Filtered SLiC for labels that may be wrong: ``drop`` 0.4, ``weight`` 1, ``delta`` 5.

    These are for log-probs that are means over steps or tokens. Nothing of it needs tuning.

    Chosen on texts of one language model, then measured as it is on three robots and two language
    models, with wrong labels, mixed quality and clean data. Known failures: with true labels it
    earns 33.5 +- 1.5 on texts where tuned `slic-filtered` earns 44.9 +- 1.3 (8 agents each), and
    on Walker2d with mixed quality and two labels in ten wrong it is level with SFT (1687 +- 186
    and 1598 +- 123, 12 agents each). docs/should-i-use-it.md has all of them.
    """

    name: ClassVar[str] = "slic-robust"
    search_grid = grid()
    search_ranges = ranges()

    weight: Number = number(1.0, above=0)
    delta: Number = number(5.0, at_least=0)
    drop: Number = number(0.4, at_least=0, below=1)
    aggregation: str = aggregation("mean")
