"""The base of every objective: what it is asked, how sums are aggregated, where it comes from."""

import dataclasses
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from array_api_compat import is_array_api_obj

from .arrays import (
    AnyArray,
    Array,
    ArrayT,
    Number,
    as_array,
    at_least_single,
    detach,
    namespace,
)
from .component import Component, choice
from .needs import PairPlan, ReferenceUpdate
from .numerics import at_least_lowest
from .pairs import PairLogProbs
from .ranges import Range, ranges

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

    @property
    def short(self) -> str:
        """As one cites it in a line: "Mitchell 2023", "Jung and On 2024", "Xu et al. 2024"."""
        names = self.authors.replace(" and ", ", ").split(", ")
        first = " and ".join(names) if len(names) < 3 else f"{names[0]} et al."
        return f"{first} {self.year}"


@dataclass(frozen=True)
class Batch:
    """Aggregated log-probs of a batch of pairs, each ``(batch,)``, at least single precision.

    The reference's are None if they were not given and the objective does not need them. What
    `PairLogProbs` calls agreement is a mean over steps here, whatever the aggregation. `memory` is
    what `Objective.remember` returned of the batch before, ``(memory_size,)``, or None.
    """

    chosen: Array
    rejected: Array
    reference_chosen: Array
    reference_rejected: Array
    chosen_length: Number
    rejected_length: Number
    chosen_agreement: Array = None
    rejected_agreement: Array = None
    ease: Array = None
    memory: Array = None


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
        formula: what training raises (the loss is its negative), as lines of Python: definitions,
            then the value. The names are those of docs/zoo.md; a test computes it.
        search_grid: hyper-parameters to search on the control bench (at most 6 combinations),
            where log-probs are means over time.
        search_ranges: the ranges that the same hyper-parameters are tuned over by trials, in the
            same unit; read them by `ranges.of`, which falls back to the spans of the grid.
        uses_agreement: whether it reads the pairs' agreement, see `PairLogProbs`. Training gives
            it then; without, it counts as certain.
        uses_ease: whether it reads the pairs' ease, see `PairPlan`. Training gives it then;
            without, all pairs are easy.
        memory_size: how many numbers training carries for it from one batch to the next, see
            `remember`; 0 for none.
    Properties that training reads:
        reference_update: how the reference policy follows the trained one; None if it is fixed.
        pair_plan: which pairs to train on and in which order; None for all, shuffled.
    Fields:
        aggregation: "sum" uses a sequence's summed log-prob, "mean" divides it by its length, for
            policy and reference alike. The default is the publication's convention.
    """

    family: ClassVar[str] = "objective"
    needs_reference: ClassVar[bool] = False
    after_sft: ClassVar[bool] = False
    uses_agreement: ClassVar[bool] = False
    uses_ease: ClassVar[bool] = False
    memory_size: ClassVar[int] = 0
    paper: ClassVar[Paper]
    formula: ClassVar[tuple[str, ...]] = ()
    search_grid: ClassVar[Mapping[str, tuple[float, ...]]] = grid()
    search_ranges: ClassVar[Mapping[str, Range]] = ranges()

    aggregation: str = aggregation("sum")

    @property
    def stages(self) -> tuple[tuple[str, int], ...]:
        """The training recipe: (objective name, epochs) in order (paper, section 4.2)."""
        if self.after_sft:
            return (("sft", SFT_EPOCHS), (self.name, PREFERENCE_EPOCHS))
        return ((self.name, SINGLE_PHASE_EPOCHS),)

    @property
    def reference_update(self) -> ReferenceUpdate | None:
        """How the reference policy follows the trained one; None if it is fixed."""
        return None

    @property
    def pair_plan(self) -> PairPlan | None:
        """Which pairs its stage trains on and in which order; None for all, shuffled."""
        return None

    @property
    def needs_ease(self) -> bool:
        """Whether training must know each pair's ease, for the loss or for the plan."""
        return self.uses_ease or self.pair_plan is not None

    def __call__(
        self,
        pairs: PairLogProbs[ArrayT],
        progress: float | AnyArray = 0.0,
        memory: AnyArray | None = None,
    ) -> ArrayT:
        """The loss of each pair, to **minimise**.

        Args:
            pairs: summed log-probs, each of shape ``(batch,)``.
            progress: how much of training is done, in [0, 1]; only objectives with a schedule
                use it.
            memory: what `remember` returned of the batch before, shape ``(memory_size,)``; None
                if there was none. Only objectives with a ``memory_size`` use it.

        Returns:
            An array of shape ``(batch,)`` in the pairs' library. Its batch mean is the published
            loss. Half-precision input is computed in float32. Log-probs below `numerics.LOWEST`
            count as that, with their gradient.

        Raises:
            ValueError: if reference log-probs are needed but missing, lengths or agreements are
                those of one side alone, or progress is outside [0, 1]; or if `loss` returns
                something else than a real number for each pair.
            TypeError: if the pairs are not arrays.
        """
        if isinstance(progress, (int, float)) and not 0.0 <= progress <= 1.0:
            raise ValueError(f"{self.name}: progress is {progress!r}, but must be in [0, 1]")
        batch = self._aggregate(pairs, memory)
        losses = self.loss(batch, as_array(progress, batch.chosen))
        self._check_losses(losses, tuple(batch.chosen.shape))
        return losses

    @abstractmethod
    def loss(self, batch: Batch, progress: Array) -> Array:
        """The loss of each pair, ``(batch,)``, from aggregated log-probs."""

    def remember(self, pairs: PairLogProbs[ArrayT], memory: AnyArray | None = None) -> ArrayT:
        """What the next batch is to know of this one, and of those before.

        Args:
            pairs: the batch that the loss was computed on, with the same policy.
            memory: what this returned of the batch before; None if there was none.

        Returns:
            Shape ``(memory_size,)``, constant for the gradient. Entries that nothing is known of
            yet are NaN.
        """
        batch = self._aggregate(pairs, memory)
        if batch.memory is None:
            blank = as_array(np.full(self.memory_size, np.nan), batch.chosen)
            batch = dataclasses.replace(batch, memory=blank)
        return detach(self.remembered(batch))

    def remembered(self, batch: Batch) -> Array:
        """`remember` from aggregated log-probs; ``batch.memory`` is given."""
        return batch.memory

    def per_step(self, batch: Batch) -> tuple[Array, Array]:
        """Chosen and rejected log-probs as means over steps, whatever the aggregation."""
        if self.aggregation == "mean":
            return batch.chosen, batch.rejected
        return batch.chosen / batch.chosen_length, batch.rejected / batch.rejected_length

    def _check_losses(self, losses: Array, shape: tuple[int, ...]) -> None:
        """Refuse what a mean would hide: a loss of another shape is that of no pair.

        Shapes and types are known while a program is traced, so this costs training nothing.
        """
        if not is_array_api_obj(losses):
            found = "None" if losses is None else f"a {type(losses).__name__}"
        elif tuple(losses.shape) != shape:
            found = f"an array of shape {tuple(losses.shape)}"
        elif not namespace(losses).isdtype(losses.dtype, "real floating"):
            found = f"an array of {losses.dtype}"
        else:
            return
        raise ValueError(
            f"{type(self).__name__}.loss returns {found}, but must return the loss of each pair: "
            f"an array of floating-point numbers of shape {shape}"
        )

    def _aggregate(self, pairs: PairLogProbs[ArrayT], memory: AnyArray | None = None) -> Batch:
        missing = pairs.reference_chosen is None or pairs.reference_rejected is None
        if self.needs_reference and missing:
            raise ValueError(
                f"{self.name} compares the policy with a reference policy: pass reference_chosen "
                "and reference_rejected (its summed log-probs, shape (batch,)) to PairLogProbs"
            )
        for name in ("length", "agreement"):
            sides = {side: getattr(pairs, f"{side}_{name}") for side in ("chosen", "rejected")}
            given = [side for side, value in sides.items() if value is not None]
            if len(given) == 1:
                raise ValueError(
                    f"{self.name}: the pairs have {given[0]}_{name} alone: pass {name}s of both "
                    "sides to PairLogProbs, or of none"
                )
        namespace(pairs.chosen, pairs.rejected)
        like = at_least_single(pairs.chosen)

        def length(value: Array | None) -> Number:
            if value is None:
                return 1.0
            xp = namespace(value)
            return as_array(at_least_single(xp.clip(value, min=1)), like)

        def single(value: Array | None) -> Array:
            return None if value is None else as_array(at_least_single(value), like)

        def log_prob(value: Array | None, steps: Number) -> Array:
            return mean(value, 1.0 if self.aggregation == "sum" else steps)

        def mean(value: Array | None, steps: Number) -> Array:
            return None if value is None else at_least_lowest(single(value) / steps)

        chosen_length, rejected_length = length(pairs.chosen_length), length(pairs.rejected_length)
        return Batch(
            chosen=log_prob(pairs.chosen, chosen_length),
            rejected=log_prob(pairs.rejected, rejected_length),
            reference_chosen=log_prob(pairs.reference_chosen, chosen_length),
            reference_rejected=log_prob(pairs.reference_rejected, rejected_length),
            chosen_length=chosen_length,
            rejected_length=rejected_length,
            chosen_agreement=mean(pairs.chosen_agreement, chosen_length),
            rejected_agreement=mean(pairs.rejected_agreement, rejected_length),
            ease=single(pairs.ease),
            memory=single(memory),
        )
