"""The ranges that hyper-parameters are tuned over, and where their optimum lies in them.

Ranges are for log-probs that are means over about 1000 steps, as on the control bench.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

EDGE = 0.1
"""An optimum within this share of its range's width is at the edge."""

GROWTH = 0.5
"""By this share of its width a range is widened."""

_DIGITS = 4


@dataclass(frozen=True)
class Range:
    """The values of one hyper-parameter that tuning may try, both ends included.

    Attributes:
        low: the smallest value.
        high: the largest value.
        start: the value tried first: the published default, times 1000 where it scales a sum of
            log-probs; the middle of the search grid where that makes no sense for means.
        log: draw and measure distances by the logarithm, as fits a scale.
        least: the smallest value that widening may reach; None for `low`.
        most: the largest value that widening may reach; None for `high`.
        sft_end: the end at which the loss turns into plain SFT, "low" or "high"; "" for neither.
            The range stops short of it and is not widened there.
    """

    low: float
    high: float
    start: float
    log: bool = True
    least: float | None = None
    most: float | None = None
    sft_end: str = ""

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(f"{self.low} to {self.high} is not a range of values.")
        if not self.low <= self.start <= self.high:
            raise ValueError(f"the start {self.start} is not in {self.low} to {self.high}.")
        if self.sft_end not in ("", "low", "high"):
            raise ValueError(f"sft_end must be low, high or empty, not {self.sft_end!r}.")

    def at(self, share: float) -> float:
        """The value at a share of the width, in [0, 1], rounded to 4 digits."""
        rounded = float(f"{self.exactly_at(share):.{_DIGITS}g}")
        return min(max(rounded, self.low), self.high)

    def exactly_at(self, share: float) -> float:
        """`at` without rounding."""
        low, high = self._scale(self.low), self._scale(self.high)
        value = low + share * (high - low)
        return min(max(math.exp(value) if self.log else value, self.low), self.high)

    def share(self, value: float) -> float:
        """Where a value lies: 0 at the low end, 1 at the high one."""
        low, high = self._scale(self.low), self._scale(self.high)
        return (self._scale(value) - low) / (high - low)

    def distance_from_edge(self, value: float) -> float:
        """Share of the width between a value and the nearest end, in [0, 0.5]."""
        share = self.share(value)
        return min(max(min(share, 1.0 - share), 0.0), 0.5)

    def edge(self, value: float) -> str:
        """The end that a value is at: "low", "high" or ""."""
        share = self.share(value)
        return "low" if share <= EDGE else "high" if share >= 1.0 - EDGE else ""

    def added(self, end: str) -> Range | None:
        """What widening at an end adds; None where it may not be widened there."""
        if end == self.sft_end:
            return None
        low, high = self._scale(self.low), self._scale(self.high)
        step = GROWTH * (high - low)
        if end == "high":
            most = self.high if self.most is None else self.most
            wanted = min(self._value(high + step), most)
            return _between(self, self.high, wanted)
        least = self.low if self.least is None else self.least
        wanted = max(self._value(low - step), least)
        return _between(self, wanted, self.low)

    def widened(self, end: str) -> Range:
        """The range with what `added` adds at an end."""
        more = self.added(end)
        if more is None:
            return self
        return replace(self, low=min(self.low, more.low), high=max(self.high, more.high))

    def _scale(self, value: float) -> float:
        return math.log(value) if self.log else value

    def _value(self, scaled: float) -> float:
        value = math.exp(scaled) if self.log else scaled
        return float(f"{value:.{_DIGITS}g}")


def _between(range_: Range, low: float, high: float) -> Range | None:
    return replace(range_, low=low, high=high, start=low) if low < high else None


def ranges(**values: Range) -> Mapping[str, Range]:
    """Read-only ranges by the name of the hyper-parameter."""
    return MappingProxyType(values)


def scale(
    low: float = 1.0, high: float = 300.0, start: float = 100.0, least: float = 0.01
) -> Range:
    """The range of the scale of a margin to the reference.

    The larger it is, the sooner a pair stops to pull, so that its high end is SFT.
    """
    return Range(low, high, start, least=least, sft_end="high")


def smoothing(sft_end: str = "high") -> Range:
    """The range of an assumed share of wrong labels: at one half no label says anything."""
    return Range(0.01, 0.4, 0.1, log=False, least=0.0, sft_end=sft_end)


def of(kind: type) -> dict[str, Range]:
    """The ranges of an objective's class.

    Its `search_ranges` where they are declared beside, or below, its `search_grid`; else the
    spans of the grid, by the logarithm where all values are positive, started from the middle.
    """
    for base in kind.__mro__:
        if "search_ranges" in vars(base):
            return dict(vars(base)["search_ranges"])
        if "search_grid" in vars(base):
            return spans(vars(base)["search_grid"])
    return {}


def spans(grid: Mapping[str, Sequence[float]]) -> dict[str, Range]:
    """The range that each number of a grid spans; none of a single value, nor of texts."""
    return {
        name: Range(min(values), max(values), values[len(values) // 2], log=min(values) > 0)
        for name, values in grid.items()
        if len(set(values)) > 1 and not any(isinstance(value, str) for value in values)
    }


def sft_limit(found: Mapping[str, Range]) -> str:
    """Where the SFT limit lies: "outside, beyond large beta", or "none" in these ranges."""
    ends = [
        f"{'large' if one.sft_end == 'high' else 'small'} {name}"
        for name, one in found.items()
        if one.sft_end
    ]
    return f"outside, beyond {' and '.join(ends)}" if ends else "none"
