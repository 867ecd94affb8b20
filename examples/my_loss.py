"""A preference objective of your own, on the bench beside the others:

mirrorpo bench --algorithms orpo,examples/my_loss.py:SoftLPO --rows 256 --seeds 4
"""

from dataclasses import dataclass
from typing import ClassVar

from mirrorpo.objectives import Objective, Paper


@dataclass(frozen=True, kw_only=True)
class SoftLPO(Objective):
    """SFT, plus a margin whose pull fades as it grows: a soft version of LPO."""

    name: ClassVar[str] = "soft-lpo"
    paper: ClassVar[Paper] = Paper("An example", "You", 2026, "unpublished", "none")
    search_grid: ClassVar[dict] = {"scale": (0.3, 1.0, 3.0)}

    scale: float = 1.0

    def loss(self, batch, progress):
        margin = batch.chosen - batch.rejected
        return -batch.chosen - self.scale * margin / (1.0 + abs(margin) / self.scale)
