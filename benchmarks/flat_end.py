"""Discovered losses with a flat end: does it cure their collapse on clean data?

    mirrorpo bench --task hopper --variants base,noisy:0.1,noisy:0.3 --rows 1024 --seeds 6 \
        --time-steps 64 --episodes 8 --out runs/flat-end --algorithms "hopper-noisy,\
benchmarks/flat_end.py:FlatNoisy[upper=1],benchmarks/flat_end.py:FlatNoisy[upper=4]"
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from mirrorpo import objectives
from mirrorpo.objectives import Objective
from mirrorpo.objectives.arrays import detach, namespace

_FOUND = objectives.get("hopper-noisy")


@dataclass(frozen=True, kw_only=True)
class FlatNoisy(Objective):
    """`hopper-noisy`, whose pull on the rejected sequence ends at a margin.

    Beyond what its search visited, its link is continued by its tangent, so it never stops pulling.
    Here a pair whose margin is above `upper` counts as one with just that margin, constant for the
    gradient: only what raises the chosen log-prob is left.

    Fields:
        upper: margin in log-probs per time step.
    """

    name: ClassVar[str] = "flat-hopper-noisy"
    upper: float = 1.0

    def loss(self, batch, progress):
        lowest = detach(batch.chosen) - self.upper
        rejected = namespace(batch.chosen).maximum(batch.rejected, lowest)
        return _FOUND.loss(replace(batch, rejected=rejected), progress)
