"""The data that every objective takes: a batch of preference pairs, as log-probabilities."""

import dataclasses
from dataclasses import dataclass
from typing import Generic

from .arrays import AnyArray, ArrayT


@dataclass(frozen=True)
class PairLogProbs(Generic[ArrayT]):
    """Log-probabilities of a batch of preference pairs, all of shape ``(batch,)``.

    Fields:
        chosen, rejected: the policy's log-probability of each preferred and each other sequence
            (trajectory or completion), **summed** over its steps or tokens. At most 0, except
            that a continuous density may exceed 1. Of every finite float32 up to 0 all losses and
            their gradients are finite; below -1e8, as aggregated, a log-prob counts as -1e8.
        reference_chosen, reference_rejected: the same under the reference policy; only
            objectives with ``needs_reference`` look at them.
        chosen_length, rejected_length: how many steps or tokens were summed; 1 if not given.
        chosen_agreement, rejected_agreement: the log of the probability that two draws of the
            policy agree, ``log sum_v pi(v)^2`` (of a density the integral), **summed** over the
            same steps or tokens; only objectives with ``uses_agreement`` look at them.
        ease: in [0, 1], see `mirrorpo.objectives.PairPlan`; only objectives with ``uses_ease``
            look at it.

    Arrays are NumPy, JAX or PyTorch. The class is a plain container: it neither copies nor
    converts, and holds tracers as well.

    Raises:
        ValueError: if a field is a list, a tuple or a string, or if the shapes differ.
    """

    chosen: ArrayT
    rejected: ArrayT
    reference_chosen: ArrayT | None = None
    reference_rejected: ArrayT | None = None
    chosen_length: AnyArray | None = None
    rejected_length: AnyArray | None = None
    chosen_agreement: ArrayT | None = None
    rejected_agreement: ArrayT | None = None
    ease: AnyArray | None = None

    def __post_init__(self) -> None:
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for name, value in values.items():
            if isinstance(value, (list, tuple, str)):
                raise ValueError(
                    f"PairLogProbs: {name} is a {type(value).__name__}; pass a NumPy, JAX or "
                    "PyTorch array of shape (batch,)"
                )
        # Placeholders, which containers are rebuilt with, have no shape to compare.
        shapes = {
            name: tuple(value.shape) for name, value in values.items() if hasattr(value, "shape")
        }
        if len(set(shapes.values())) > 1:
            found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise ValueError(
                f"PairLogProbs: all arrays must have the same shape (batch,), got {found}; "
                "sum log-probs over steps or tokens first"
            )
