"""The base of every objective: what it is asked, how sums are aggregated, where it comes from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from .arrays import Array, Number, as_array, at_least_single, namespace
from .component import Component, choice
from .pairs import PairLogProbs

SFT_EPOCHS, PREFERENCE_EPOCHS = 10, 2
SINGLE_PHASE_EPOCHS = SFT_EPOCHS + PREFERENCE_EPOCHS

BETAS = (1.0, 10.0, 30.0, 100.0, 300.0)
"""The default search of a margin's scale. The control bench takes means over 1000 steps, so 100
there is what the usual 0.1 is to a sum over as many steps or tokens."""


@dataclass(frozen=True)
class Paper:
    """Where an objective was published. ``arxiv`` is an arXiv number, or an address if none."""

    title: str
    authors: str
    year: int
    arxiv: str
    equation: str

    def __str__(self) -> str:
        where = f"arXiv:{self.arxiv}" if self.arxiv[:1].isdigit() else self.arxiv
        return f"{self.authors} ({self.year}). {self.title}. {where}, {self.equation}"


@dataclass(frozen=True)
class Batch:
    """Aggregated log-probs of a batch of pairs, each ``(batch,)``, at least single precision.

    The reference's are None if they were not given and the objective does not need them.
    """

    chosen: Array
    rejected: Array
    reference_chosen: Array
    reference_rejected: Array
    chosen_length: Number
    rejected_length: Number


def aggregation(default: str) -> Any:
    """The field that every objective has: what it makes of a sequence's summed log-prob."""
    return choice(default, ("sum", "mean"))


def grid(**values: tuple[float, ...]) -> Mapping[str, tuple[float, ...]]:
    """A read-only search grid: the values to try for each hyper-parameter."""
    return MappingProxyType(values)


@dataclass(frozen=True, kw_only=True)
class Objective(Component):
    """A preference objective: a callable frozen dataclass of its hyper-parameters.

    Class attributes:
        name: what `get` and saved files call it.
        needs_reference: whether it compares the policy with a reference policy.
        paper: its source.
        search_grid: hyper-parameters to search on the control bench (at most 6 combinations),
            where log-probs are means over time.
    Fields:
        aggregation: "sum" uses a sequence's summed log-prob, "mean" divides it by its length, for
            policy and reference alike. The default is the publication's convention.
    """

    family: ClassVar[str] = "objective"
    needs_reference: ClassVar[bool] = False
    after_sft: ClassVar[bool] = False
    paper: ClassVar[Paper]
    search_grid: ClassVar[Mapping[str, tuple[float, ...]]] = grid()

    aggregation: str = aggregation("sum")

    @property
    def stages(self) -> tuple[tuple[str, int], ...]:
        """The training recipe: (objective name, epochs) in order (paper, section 4.2)."""
        if self.after_sft:
            return (("sft", SFT_EPOCHS), (self.name, PREFERENCE_EPOCHS))
        return ((self.name, SINGLE_PHASE_EPOCHS),)

    def __call__(self, pairs: PairLogProbs, progress: Number = 0.0) -> Array:
        """The loss of each pair, to **minimise**.

        Args:
            pairs: summed log-probs, each of shape ``(batch,)``.
            progress: how much of training is done, in [0, 1]; only objectives with a schedule
                use it.

        Returns:
            An array of shape ``(batch,)`` in the pairs' library. Its batch mean is the published
            loss. Half-precision input is computed in float32.

        Raises:
            ValueError: if reference log-probs are needed but missing, or progress is outside
                [0, 1].
            TypeError: if the pairs are not arrays.
        """
        if isinstance(progress, (int, float)) and not 0.0 <= progress <= 1.0:
            raise ValueError(f"{self.name}: progress is {progress!r}, but must be in [0, 1]")
        batch = self._aggregate(pairs)
        return self.loss(batch, as_array(progress, batch.chosen))

    @abstractmethod
    def loss(self, batch: Batch, progress: Array) -> Array:
        """The loss of each pair, ``(batch,)``, from aggregated log-probs."""

    def _aggregate(self, pairs: PairLogProbs) -> Batch:
        missing = pairs.reference_chosen is None or pairs.reference_rejected is None
        if self.needs_reference and missing:
            raise ValueError(
                f"{self.name} compares the policy with a reference policy: pass reference_chosen "
                "and reference_rejected (its summed log-probs, shape (batch,)) to PairLogProbs"
            )
        namespace(pairs.chosen, pairs.rejected)
        like = at_least_single(pairs.chosen)

        def length(value: Array | None) -> Number:
            if value is None:
                return 1.0
            xp = namespace(value)
            return as_array(at_least_single(xp.clip(value, min=1)), like)

        def log_prob(value: Array | None, steps: Number) -> Array:
            if value is None:
                return None
            value = as_array(at_least_single(value), like)
            return value / steps if self.aggregation == "mean" else value

        chosen_length, rejected_length = length(pairs.chosen_length), length(pairs.rejected_length)
        return Batch(
            chosen=log_prob(pairs.chosen, chosen_length),
            rejected=log_prob(pairs.rejected, rejected_length),
            reference_chosen=log_prob(pairs.reference_chosen, chosen_length),
            reference_rejected=log_prob(pairs.reference_rejected, rejected_length),
            chosen_length=chosen_length,
            rejected_length=rejected_length,
        )
