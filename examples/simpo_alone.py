"""SimPO without the SFT stage, as one reading of the paper has it."""

from dataclasses import dataclass
from typing import ClassVar

from mirrorpo.objectives.losses.reference_free import SimPO


@dataclass(frozen=True, kw_only=True)
class SimPOAlone(SimPO):
    """SimPO for all 12 epochs, from random networks."""

    name: ClassVar[str] = "simpo-alone"
    after_sft: ClassVar[bool] = False
