"""Faults of a preference dataset, as text and as settings: `noisy:0.3`, `bad-judge:500`, ..."""

import difflib
from dataclasses import dataclass, replace

_NAMES = ("base", "noisy", "mixed-quality", "bad-judge")


@dataclass(frozen=True)
class Variant:
    """How pairs are drawn and judged.

    Attributes:
        mixed: draw each trajectory's agent at random, in place of one from each agent.
        noise: probability in [0, 0.5) that a judged label is flipped.
        temperature: of the Bradley-Terry judge, in units of return; positive. At 1 a judge of
            returns in the thousands is never wrong.
    """

    mixed: bool = False
    noise: float = 0.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.noise < 0.5:
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
            parts.append(f"noisy:{self.noise:g}")
        if self.temperature != 1.0:
            parts.append(f"bad-judge:{self.temperature:g}")
        return "+".join(parts) or "base"


def parse(text: str) -> Variant:
    """A variant from its text; faults are joined by `+`.

    `base`, `noisy:EPSILON`, `mixed-quality`, `bad-judge:TEMPERATURE`, and for example
    `mixed-quality+noisy:0.1`.

    Raises:
        ValueError: unknown name, or a number that is missing, not a number or out of range.
    """
    variant = Variant()
    for part in text.split("+"):
        name, _, number = part.strip().partition(":")
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
