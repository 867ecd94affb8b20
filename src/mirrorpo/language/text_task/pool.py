"""The continuations that preference pairs are drawn from, and their file's form."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mirrorpo import typed, variants
from mirrorpo.variants import COPIES


@dataclass(frozen=True)
class ContinuationPool:
    """For each training prompt two continuations of the target and two of the original.

    Attributes:
        prompts: as the model reads them, shape (rows,).
        texts: the continuations, by row, source (the target first) and copy, flattened to one axis.
        rewards: true rewards, shape (rows, 2, COPIES).
        points: what the judge of the pairs multiplies them by.
    """

    prompts: Sequence[str]
    texts: Sequence[str]
    rewards: np.ndarray
    points: float = 1.0

    def draw(self, variant: variants.Variant, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the chosen and the rejected texts of a variant, each of shape (rows,)."""
        return variants.draw_pairs(self.rewards * self.points, variant, seed)

    def pairs(self, variant: variants.Variant, seed: int) -> list[dict[str, str]]:
        """Preference pairs of a variant, one per row, with prompt, chosen and rejected."""
        chosen, rejected = self.draw(variant, seed)
        return [
            {"prompt": prompt, "chosen": self.texts[first], "rejected": self.texts[second]}
            for prompt, first, second in zip(self.prompts, chosen, rejected, strict=True)
        ]


@dataclass(frozen=True)
class PoolContent:
    """A pool as its file holds it, flattened."""

    prompts: list[str]
    texts: list[str]
    rewards: list[float]

    def __post_init__(self) -> None:
        if not len(self.texts) == len(self.rewards) == 2 * COPIES * len(self.prompts):
            raise typed.WrongTypeError("texts are missing")
