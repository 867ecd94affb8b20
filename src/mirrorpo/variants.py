"""Variants of a preference dataset: its faults, `noisy:0.3`, `bad-judge:500`, ..., and its pairs.

The same for trajectories of robots and for texts: what counts is the true reward of each. Another
fault is a subclass of `Fault`, registered by `register`.
"""

import dataclasses
import zlib
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np

from mirrorpo import near_names

BETTER, WORSE = 0, 1
COPIES = 2
_MOST_NOISE = 0.4999995
"""What six digits tell from 0.5. Of data with more noise no one could learn a preference."""


@dataclass(frozen=True)
class PairDraws:
    """The random numbers behind the pairs of one variant, the same for every variant of a seed.

    Attributes:
        mixed: a source for each side of each pair, shape (rows, 2).
        noise: uniform in [0, 1), shape (rows,).
        own: a generator that no other fault draws from.
    """

    mixed: np.ndarray
    noise: np.ndarray
    own: np.random.Generator


@dataclass(frozen=True)
class Fault:
    """One fault.

    A subclass changes how pairs are drawn, judged or labelled; its one field, if it has one, is the
    number in its text, and has a default without effect.

    Attributes:
        name: as in a variant's text.
        example: how it is written, number and all.
        of_labels: whether labels that are there already can have it.
    """

    name: ClassVar[str]
    example: ClassVar[str]
    of_labels: ClassVar[bool] = False

    def sources(self, sources: np.ndarray, draws: PairDraws) -> np.ndarray:
        """The source, `BETTER` or `WORSE`, of both samples of each pair, shape (rows, 2)."""
        return sources

    def logits(self, logits: np.ndarray, draws: PairDraws) -> np.ndarray:
        """The judge's log-odds that the first sample of each pair is better, shape (rows,).

        It is the difference of their true rewards, before faults.
        """
        return logits

    def wins(self, wins: np.ndarray, draws: PairDraws) -> np.ndarray:
        """Whether the first sample of each pair is labelled as preferred, shape (rows,)."""
        return wins

    @property
    def has_effect(self) -> bool:
        """Whether it differs from the fault's default."""
        fields = dataclasses.fields(self)
        return not fields or any(getattr(self, one.name) != one.default for one in fields)

    def __str__(self) -> str:
        values = [_text(getattr(self, one.name)) for one in dataclasses.fields(self)]
        return ":".join((self.name, *values))


_FAULTS: dict[str, type[Fault]] = {}
AnyFault = TypeVar("AnyFault", bound=type[Fault])


def register(fault: AnyFault) -> AnyFault:
    """Add a fault; decorates its class.

    Raises:
        ValueError: the name is taken, or no text could name it.
    """
    if fault.name in _FAULTS or fault.name == "base" or set(fault.name) & set(":+, "):
        raise ValueError(f"A fault cannot be named {fault.name!r}: choose another name.")
    _FAULTS[fault.name] = fault
    return fault


@register
@dataclass(frozen=True)
class MixedQuality(Fault):
    """Each trajectory's source is drawn at random, in place of one from each source."""

    name: ClassVar[str] = "mixed-quality"
    example: ClassVar[str] = "mixed-quality"

    def sources(self, sources: np.ndarray, draws: PairDraws) -> np.ndarray:
        return draws.mixed


@register
@dataclass(frozen=True)
class Noisy(Fault):
    """A judged label is flipped with probability `epsilon`, in [0, 0.5)."""

    name: ClassVar[str] = "noisy"
    example: ClassVar[str] = "noisy:0.1"
    of_labels: ClassVar[bool] = True
    epsilon: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.epsilon <= _MOST_NOISE:
            raise ValueError(
                f"The noise of a variant must be at least 0 and below 0.5, not {self.epsilon}: at "
                "0.5 labels carry no preference, above it they are reversed."
            )

    def wins(self, wins: np.ndarray, draws: PairDraws) -> np.ndarray:
        return wins ^ (draws.noise < self.epsilon)


@register
@dataclass(frozen=True)
class BadJudge(Fault):
    """The judge is Bradley-Terry's at a temperature, in units of reward; positive.

    At 1 a judge of returns in the thousands is never wrong.
    """

    name: ClassVar[str] = "bad-judge"
    example: ClassVar[str] = "bad-judge:500"
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 < self.temperature < float("inf"):
            raise ValueError(
                f"The judge's temperature must be positive and finite, not {self.temperature}."
            )

    def logits(self, logits: np.ndarray, draws: PairDraws) -> np.ndarray:
        return logits / self.temperature


@dataclass(frozen=True)
class Variant:
    """How pairs are drawn and judged.

    Attributes:
        faults: those with an effect, in the order that they were registered.
    """

    faults: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        order = list(_FAULTS)
        kept = (fault for fault in self.faults if fault.has_effect)
        in_order = sorted(kept, key=lambda fault: order.index(fault.name))
        object.__setattr__(self, "faults", tuple(in_order))

    @property
    def mixed(self) -> bool:
        """Whether each trajectory's source is drawn at random."""
        return any(isinstance(fault, MixedQuality) for fault in self.faults)

    @property
    def noise(self) -> float:
        """The probability that a judged label is flipped."""
        return next((fault.epsilon for fault in self.faults if isinstance(fault, Noisy)), 0.0)

    @property
    def temperature(self) -> float:
        """The temperature of the Bradley-Terry judge, in units of reward."""
        found = (fault.temperature for fault in self.faults if isinstance(fault, BadJudge))
        return next(found, 1.0)

    def __str__(self) -> str:
        return "+".join(map(str, self.faults)) or "base"


def parse(text: str) -> Variant:
    """A variant from its text; faults are joined by `+`.

    `base`, `noisy:EPSILON`, `mixed-quality`, `bad-judge:TEMPERATURE`, and for example
    `mixed-quality+noisy:0.1`.

    Raises:
        ValueError: unknown name, one that is given twice, or a number that is missing, not a
            number or out of range.
    """
    faults = []
    seen: set[str] = set()
    for part in text.split("+"):
        name, _, number = part.strip().partition(":")
        if name in seen:
            raise ValueError(f"Variant {text!r}: {name} is given twice. Give it once.")
        seen.add(name)
        if name != "base" and name not in _FAULTS:
            hint = near_names.hint(name, ("base", *_FAULTS), most=2)
            raise ValueError(
                f"Unknown variant {text!r}.{hint} Variants: {', '.join(forms())}, joined by '+'."
            )
        kind = _FAULTS.get(name)
        if kind is not None and dataclasses.fields(kind):
            faults.append(_with_number(kind, number, text))
        elif number:
            raise ValueError(f"Variant {text!r}: {name} takes no number.")
        elif kind is not None:
            faults.append(kind())
    return Variant(tuple(faults))


def forms() -> tuple[str, ...]:
    """How variants are written, as in ``noisy:NOISE``."""
    return ("base", *(":".join((kind.name, *_words(kind))) for kind in _FAULTS.values()))


def _words(kind: type[Fault]) -> list[str]:
    return [field.name.upper() for field in dataclasses.fields(kind)]


def _with_number(kind: type[Fault], number: str, text: str) -> Fault:
    try:
        value = float(number)
    except ValueError:
        raise ValueError(
            f"Variant {text!r}: {kind.name} needs a number, as in {kind.example}."
        ) from None
    return kind(**{dataclasses.fields(kind)[0].name: value})


def _text(number: float) -> str:
    """The shortest usual spelling that gives the same number again."""
    short = f"{number:g}"
    return short if float(short) == number else repr(number)


def draw_pairs(rewards: np.ndarray, variant: Variant, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a pair for each row and let a judge choose: Bradley-Terry on the true rewards.

    The variant's faults change the sources, then the judge's log-odds, then, after the verdict
    (paper, eq. 2), the labels.

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
    faults = [(fault, _draws(fault, mixed, noise, seed)) for fault in variant.faults]

    source = np.tile([BETTER, WORSE], (rows, 1))
    for fault, draws in faults:
        source = fault.sources(source, draws)
    # Two samples of one source must be different copies.
    copy = np.stack([np.zeros(rows, int), (source[:, 0] == source[:, 1]).astype(int)], axis=1)
    pair = (np.arange(rows)[:, None] * 2 + source) * COPIES + copy
    pair = np.where(order[:, None], pair[:, ::-1], pair)
    reward = rewards.reshape(-1)[pair].astype(np.float64)
    logits = reward[:, 0] - reward[:, 1]
    for fault, draws in faults:
        logits = fault.logits(logits, draws)
    wins = verdict < 0.5 * (1.0 + np.tanh(0.5 * logits))
    for fault, draws in faults:
        wins = fault.wins(wins, draws)
    return _either(wins, pair, 0), _either(wins, pair, 1)


def flipped_labels(rows: int, variant: Variant, seed: int) -> np.ndarray:
    """Which of the labels that are there already a variant flips, shape (rows,), bool.

    Raises:
        ValueError: a fault that draws pairs or judges them.
    """
    if not all(fault.of_labels for fault in variant.faults):
        able = [kind.name for kind in _FAULTS.values() if kind.of_labels]
        asked = [form for form in forms() if form.partition(":")[0] in ("base", *able)]
        raise ValueError(
            f"Variant {str(variant)!r} draws pairs or judges them, but these data are labelled "
            f"already: {' and '.join(asked)} are what can be asked of them."
        )
    noise = np.random.default_rng(seed).random(rows)
    wins = np.ones(rows, bool)
    for fault in variant.faults:
        wins = fault.wins(wins, _draws(fault, np.zeros((rows, 2), int), noise, seed))
    return ~wins


def _draws(fault: Fault, mixed: np.ndarray, noise: np.ndarray, seed: int) -> PairDraws:
    own = np.random.default_rng([seed, zlib.crc32(fault.name.encode())])
    return PairDraws(mixed, noise, own)


def _either(wins: np.ndarray, pair: np.ndarray, side: int) -> np.ndarray:
    """The first sample of each pair where it wins, and the second elsewhere.

    For side 1 it is the other one.
    """
    return np.where(wins, pair[:, side], pair[:, 1 - side]).astype(np.int32)
