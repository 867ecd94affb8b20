"""Wall time of something that is run several times."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Timed(NamedTuple):
    """Seconds of some runs.

    Attributes:
        fastest: seconds of the fastest run after the first.
        first_extra: seconds of the first run beyond the fastest, at least 0: mostly compilation.
    """

    fastest: float
    first_extra: float


def timed(run: Callable[[], Any], least_seconds: float) -> Timed:
    """Run it once, and then again until that took `least_seconds`, twice at least."""
    first = _seconds(run)
    others: list[float] = []
    while len(others) < 2 or sum(others) < least_seconds:
        others.append(_seconds(run))
    fastest = min(others)
    return Timed(fastest, max(first - fastest, 0.0))


def _seconds(run: Callable[[], Any]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began
