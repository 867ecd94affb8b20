"""A loss that learns from a pair only as far as the policy itself confirms the pair's label."""

from dataclasses import dataclass
from typing import ClassVar

from .. import numerics
from ..arrays import Array, Number, detach, namespace
from ..base import Batch, Objective, Paper, aggregation, grid
from ..component import number
from ..numerics import sigmoid
from ..ranges import Range, ranges
from .mirror import mirror_paper
from .noise_tolerant import log_ratio_margin

MOMENTUM = 0.99
"""Share of the old in the moving averages of margins; at most so much in `GatedReference`'s."""

_SMALLEST_SIZE = 1e-12


@dataclass(frozen=True, kw_only=True)
class Gated(Objective):
    """SFT, and a hinge of the margin, on the pairs whose label the policy confirms.

    With ``m`` the log-prob of the chosen minus that of the rejected, ``S`` the moving mean of
    ``|m|`` and ``A`` in [-1, 1] the moving mean of ``m`` over ``S``, the loss is

        -q (log pi(chosen) - weight max(0, delta - m))
        q = 1 - min(1, max(0, A / trust)) (1 - sigmoid((m / S - lower) / softness))

    ``A`` is how far the policy's own order of the pairs agrees with the labels. While it does not
    (``A <= 0``), every pair counts fully and the SFT term is plain SFT. Once it does, the gate
    ``q`` closes for pairs far below ``lower``: those that look mislabelled, and those whose two
    sides the policy finds alike, such as two bad ones. ``q`` is constant for the gradient. The
    gate has no unit, so it means the same for robots and for texts. The hinge is flat beyond
    ``delta``, so nothing is pushed away for ever.

    With a ``tilt`` the two terms change places over training: at progress ``t`` the SFT term has
    the factor ``1 + tilt (1 - 2 t)`` and the hinge ``1 - tilt (1 - 2 t)``. Towards a tilt of 1
    that is twice the linear schedule of `TemporallyAware`; below 0 the hinge comes first.

    Known failures: with three labels in ten wrong it is level with SFT on texts by one reward of
    two (10.9 +- 1.1 and 10.0 +- 0.5, 8 agents each), and on 512 pairs of Hopper with two faults at
    once it earns 1883 +- 194, the expert 2361 (6 agents). Where more than half of the labels are
    wrong, the gate protects them. docs/gated.md and docs/should-i-use-it.md have the tables.

    Fields:
        weight: the weight of the hinge relative to the SFT term; at least 0.
        delta: margin that the hinge asks for, in log-probs as aggregated.
        lower: margin at which the gate is half open, in typical margins ``S``.
        softness: width of the gate's edge, in typical margins; positive.
        trust: agreement from which on the policy is trusted fully, in (0, 1].
        tilt: how much more the SFT term weighs at the start than in the middle of training, and
            the hinge at the end; in (-1, 1).
    """

    name: ClassVar[str] = "gated"
    memory_size: ClassVar[int] = 2
    paper: ClassVar[Paper] = mirror_paper("eq. (11), with a gate of this library's own")
    formula: ClassVar[tuple[str, ...]] = (
        "m, s = chosen - rejected, mean(abs(chosen - rejected))",
        "a = min(1, max(0, mean(m) / s / trust))",
        "q = 1 - a * (1 - sigmoid((m / s - lower) / softness))",
        "lead = tilt * (1 - 2 * t)",
        "q * ((1 + lead) * chosen - (1 - lead) * weight * max(0, delta - m))",
    )
    search_grid = grid(lower=(0.0, 0.5, 1.0), weight=(0.1, 1.0))
    search_ranges = ranges(
        lower=Range(-0.5, 1.5, 0.5, log=False, least=-1.0, most=2.0),
        weight=Range(0.05, 3.0, 0.3, most=30.0, sft_end="low"),
    )

    weight: Number = number(1.0, at_least=0)
    delta: Number = number(1.0, at_least=0)
    lower: Number = number(0.5)
    softness: Number = number(0.25, above=0)
    trust: Number = number(0.1, above=0)
    tilt: Number = number(0.0, above=-1, below=1, added_later=True)
    aggregation: str = aggregation("mean")

    def loss(self, batch: Batch, progress: Array) -> Array:
        margin = batch.chosen - batch.rejected
        gate = self.gate(self.evidence(batch), batch.memory)
        lead = self.tilt * (1.0 - 2.0 * progress)
        hinge = self.weight * numerics.relu(self.delta - margin)
        return -gate * ((1.0 + lead) * batch.chosen - (1.0 - lead) * hinge)

    def evidence(self, batch: Batch) -> Array:
        """What the gate judges a pair's label by, ``(batch,)``: here the margin."""
        return batch.chosen - batch.rejected

    def gate(self, evidence: Array, memory: Array | None) -> Array:
        """How far each pair counts, in [0, 1], constant for the gradient.

        Args:
            evidence: shape (batch,).
            memory: what `remember` returned of the batch before.
        """
        known = detach(evidence)
        xp = namespace(known)
        mean, size, *_ = self.moving_means(known, memory)
        size = xp.clip(size, min=_SMALLEST_SIZE)
        trusted = xp.clip(mean / (self.trust * size), min=0.0, max=1.0)
        confirmed = sigmoid((known / size - self.lower) / self.softness)
        return 1.0 - trusted * (1.0 - confirmed)

    def moving_means(self, evidence: Array, memory: Array | None) -> tuple[Array, ...]:
        """The scalars to remember, with this batch in them.

        The first two are the moving means of the evidence and of its absolute value.
        """
        return _moving_means(evidence, memory, MOMENTUM)

    def remembered(self, batch: Batch) -> Array:
        means = self.moving_means(self.evidence(batch), batch.memory)
        return namespace(batch.chosen).stack(means)


@dataclass(frozen=True, kw_only=True)
class GatedReference(Gated):
    """`Gated`, whose gate judges a pair by what training has changed of its margin.

    In the gate, ``m`` is the margin less the reference policy's, and its means are plain means over
    all batches so far until these are a hundred. A margin by itself may be mostly what the policy
    knew before: in texts, their lengths and how frequent their words are. And a training of a few
    dozen batches ends before a moving mean has forgotten its first batch. The SFT term and the
    hinge are those of `Gated`. Measured, it is level with `Gated` on robots and worse on texts.
    """

    name: ClassVar[str] = "gated-reference"
    formula: ClassVar[tuple[str, ...]] = (
        "m, s = margin, mean(abs(margin))",
        "a = min(1, max(0, mean(m) / s / trust))",
        "q = 1 - a * (1 - sigmoid((m / s - lower) / softness))",
        "lead = tilt * (1 - 2 * t)",
        "h = max(0, delta - (chosen - rejected))",
        "q * ((1 + lead) * chosen - (1 - lead) * weight * h)",
    )
    needs_reference: ClassVar[bool] = True
    memory_size: ClassVar[int] = 3

    def evidence(self, batch: Batch) -> Array:
        """What the gate judges a pair's label by, ``(batch,)``: the change of its margin."""
        return log_ratio_margin(batch)

    def moving_means(self, evidence: Array, memory: Array | None) -> tuple[Array, ...]:
        """As `Gated.moving_means`, and third the number of batches."""
        one = numerics.mean(evidence) * 0.0 + 1.0
        if memory is None:
            return *_moving_means(evidence, None, MOMENTUM), one
        xp = namespace(evidence)
        batches = xp.where(xp.isnan(memory[2]), one, memory[2] + 1.0)
        old_share = xp.clip(1.0 - 1.0 / batches, max=MOMENTUM)
        return *_moving_means(evidence, memory[:2], old_share), batches


def _moving_means(
    values: Array, memory: Array | None, old_share: Number | Array
) -> tuple[Array, Array]:
    """Moving means of some values and of their absolute values, this batch's included."""
    xp = namespace(values)
    now = numerics.mean(values), numerics.mean(xp.abs(values))
    if memory is None:
        return now
    before = [xp.where(xp.isnan(old), new, old) for old, new in zip(memory, now, strict=True)]
    mean, size = (
        old_share * old + (1.0 - old_share) * new for old, new in zip(before, now, strict=True)
    )
    return mean, size
