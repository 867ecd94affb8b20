"""Faults of a preference dataset, `noisy:0.3`, `bad-judge:500`, ..., and the pairs that have them.

The same for trajectories of robots and for texts: what counts is the true reward of each.
"""

import difflib
from dataclasses import dataclass, replace

import numpy as np

BETTER, WORSE = 0, 1
COPIES = 2
_MOST_NOISE = 0.4999995
"""What six digits tell from 0.5. Of data with more noise no one could learn a preference."""

_NAMES = ("base", "noisy", "mixed-quality", "bad-judge")


@dataclass(frozen=True)
class Variant:
    """How pairs are drawn and judged.

    Attributes:
        mixed: draw each trajectory's agent at random, in place of one from each agent.
        noise: probability in [0, 0.5) that a judged label is flipped.
        temperature: the temperature of the Bradley-Terry judge, in units of reward; positive. At 1
            a judge of returns in the thousands is never wrong.
    """

    mixed: bool = False
    noise: float = 0.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.noise <= _MOST_NOISE:
            raise ValueError(
                f"The noise of a variant must be at least 0 and below 0.5, not {self.noise}: at "
                "0.5 labels carry no preference, above it they are reversed."
            )
        if not 0.0 < self.temperature < float("inf"):
            raise ValueError(
                f"The judge's temperature must be positive and finite, not {self.temperature}."
            )

    def __str__(self) -> str:
        parts = []
        if self.mixed:
            parts.append("mixed-quality")
        if self.noise:
            parts.append(f"noisy:{_text(self.noise)}")
        if self.temperature != 1.0:
            parts.append(f"bad-judge:{_text(self.temperature)}")
        return "+".join(parts) or "base"


def parse(text: str) -> Variant:
    """A variant from its text; faults are joined by `+`.

    `base`, `noisy:EPSILON`, `mixed-quality`, `bad-judge:TEMPERATURE`, and for example
    `mixed-quality+noisy:0.1`.

    Raises:
        ValueError: unknown name, one that is given twice, or a number that is missing, not a
            number or out of range.
    """
    variant = Variant()
    seen: set[str] = set()
    for part in text.split("+"):
        name, _, number = part.strip().partition(":")
        if name in seen:
            raise ValueError(f"Variant {text!r}: {name} is given twice. Give it once.")
        seen.add(name)
        if name not in _NAMES:
            near = difflib.get_close_matches(name, _NAMES, n=2, cutoff=0.4)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise ValueError(
                f"Unknown variant {text!r}.{hint} Variants: base, noisy:EPSILON, mixed-quality, "
                "bad-judge:TEMPERATURE, joined by '+'."
            )
        if name in ("noisy", "bad-judge"):
            try:
                value = float(number)
            except ValueError:
                raise ValueError(
                    f"Variant {text!r}: {name} needs a number, as in "
                    f"{'noisy:0.1' if name == 'noisy' else 'bad-judge:500'}."
                ) from None
            if name == "noisy":
                variant = replace(variant, noise=value)
            else:
                variant = replace(variant, temperature=value)
        elif number:
            raise ValueError(f"Variant {text!r}: {name} takes no number.")
        elif name == "mixed-quality":
            variant = replace(variant, mixed=True)
    return variant


def _text(number: float) -> str:
    """The shortest usual spelling that gives the same number again."""
    short = f"{number:g}"
    return short if float(short) == number else repr(number)


def draw_pairs(rewards: np.ndarray, variant: Variant, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a pair for each row and let a judge choose: Bradley-Terry on the true rewards.

    After the verdict (paper, eq. 2, at the variant's temperature) labels are flipped with the
    variant's noise.

    Args:
        rewards: true rewards, shape (rows, 2, COPIES): of each row's `BETTER` and `WORSE` source,
            two samples each.
        variant: the faults.
        seed: draws the sources of mixed pairs, the order within pairs, the judge and the noise.

    Returns:
        Positions of the chosen and of the rejected samples in the flattened `rewards`, each of
        shape (rows,), int32.
    """
    rows = len(rewards)
    draw = np.random.default_rng(seed)
    # All draws are made for every variant, so that variants differ in their faults alone.
    mixed = draw.integers(0, 2, size=(rows, 2))
    order = draw.random(rows) < 0.5
    verdict, noise = draw.random(rows), draw.random(rows)

    source = mixed if variant.mixed else np.tile([BETTER, WORSE], (rows, 1))
    # Two samples of one source must be different copies.
    copy = np.stack([np.zeros(rows, int), (source[:, 0] == source[:, 1]).astype(int)], axis=1)
    pair = (np.arange(rows)[:, None] * 2 + source) * COPIES + copy
    pair = np.where(order[:, None], pair[:, ::-1], pair)
    reward = rewards.reshape(-1)[pair].astype(np.float64)
    logit = (reward[:, 0] - reward[:, 1]) / variant.temperature
    probability = 0.5 * (1.0 + np.tanh(0.5 * logit))
    first_wins = (verdict < probability) ^ (noise < variant.noise)
    chosen = np.where(first_wins, pair[:, 0], pair[:, 1]).astype(np.int32)
    rejected = np.where(first_wins, pair[:, 1], pair[:, 0]).astype(np.int32)
    return chosen, rejected
