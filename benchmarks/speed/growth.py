"""How seconds and memory grow with the population, rows, time steps and episodes."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from .process import Measure
from .sizes import Sizes
from .workload import MINIBATCH, Workload

FEWEST_POINTS = 3


@dataclass(frozen=True)
class Curve:
    """What was measured against one quantity; all arrays have shape (sizes,).

    Attributes:
        against: the quantity.
        at: its sizes.
        seconds: those of the fastest run at each size.
        memory: MiB that the process added to what it held before the work began.
    """

    against: str
    at: np.ndarray
    seconds: np.ndarray
    memory: np.ndarray


class PowerLaw(NamedTuple):
    """``factor * size ** exponent``, with the standard error of the exponent."""

    exponent: float
    standard_error: float
    factor: float


def power_law(at: np.ndarray, values: np.ndarray) -> PowerLaw:
    """The power law through positive values by least squares of the logarithms.

    Args:
        at: sizes, shape (sizes,), positive, three or more, so that there is an error.
        values: at these sizes.
    """
    (slope, level), covariance = np.polyfit(np.log(at), np.log(values), deg=1, cov=True)
    return PowerLaw(float(slope), float(np.sqrt(covariance[0, 0])), float(np.exp(level)))


def lines(sizes: Sizes, measure: Measure) -> Iterator[dict[str, Any]]:
    """A line a size, and after those of one quantity a line with the exponents."""
    hidden, agents, rows = sizes.hidden[0], sizes.growth_populations[0], sizes.growth_rows[0]
    training = {
        "population": [(n, n, rows, sizes.time_steps) for n in sizes.growth_populations],
        "rows": [(n, agents, n, sizes.time_steps) for n in sizes.growth_rows],
        "time steps": [(n, agents, rows, n) for n in sizes.growth_time_steps],
    }
    for against, points in training.items():
        work = {at: Workload(n, hidden, pairs // MINIBATCH, time) for at, n, pairs, time in points}
        probes = {at: ("train", asdict(one)) for at, one in work.items()}
        yield from _against(against, probes, sizes.least_seconds, measure)
    evaluating = {
        n: ("evaluate", {"agents": agents, "episodes": n, "steps": sizes.episode_steps})
        for n in sizes.growth_episodes
    }
    yield from _against("episodes", evaluating, sizes.least_seconds, measure)


def _against(
    against: str,
    points: dict[int, tuple[str, dict[str, int]]],
    least_seconds: float,
    measure: Measure,
) -> Iterator[dict[str, Any]]:
    head = {"what": "growth", "by": "mirrorpo", "against": against}
    measured = []
    for at, (probe, settings) in points.items():
        found = measure(probe, by="mirrorpo", least_seconds=least_seconds, **settings)
        if "seconds" in found:
            added = found["peak_memory_mib"] - found["memory_before_mib"]
            found = {"seconds": found["seconds"], "added_memory_mib": added}
        measured.append({**head, "size": f"{against}: {at}", "at": at, **found})
        yield measured[-1]
    yield {**head, "size": f"exponents, {against}", **_exponents(measured)}


def _exponents(measured: list[dict[str, Any]]) -> dict[str, Any]:
    found = curves(measured)
    if not found:
        return {"note": f"fewer than {FEWEST_POINTS} sizes could be measured"}
    (curve,) = found
    seconds, memory = (power_law(curve.at, x) for x in (curve.seconds, curve.memory))
    return {
        "seconds_exponent": seconds.exponent,
        "seconds_exponent_standard_error": seconds.standard_error,
        "memory_exponent": memory.exponent,
        "memory_exponent_standard_error": memory.standard_error,
    }


def curves(lines: Iterable[dict[str, Any]]) -> list[Curve]:
    """The curves that the command's lines hold, those with enough points for a fit."""
    points: dict[str, list[tuple[float, float, float]]] = {}
    for line in lines:
        if line["what"] == "growth" and "at" in line and "seconds" in line:
            point = (line["at"], line["seconds"], line["added_memory_mib"])
            points.setdefault(line["against"], []).append(point)
    return [
        Curve(against, *np.array(found, float).T)
        for against, found in points.items()
        if len(found) >= FEWEST_POINTS
    ]
