"""The space of a search: a member of the mirror family as a vector, and the way back."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from mirrorpo.discovery import few_numbers
from mirrorpo.discovery.settings import FUNCTIONS, NUMBERS, DiscoverySettings
from mirrorpo.objectives import (
    Augmented,
    Extended,
    Hinge,
    Identity,
    LearnedSchedule,
    Log,
    Logit,
    LogSigmoid,
    MirrorObjective,
    MonotoneNetwork,
    Objective,
    ScalarFunction,
    TimedNetwork,
    Zero,
    parameter_vector,
    registry,
)
from mirrorpo.objectives.arrays import namespace
from mirrorpo.objectives.functions.networks import ABSENT

DEFAULTS = {
    "cpo": {"beta": 1.0, "weight": 1.0},
    "orpo": {"beta": 1.0, "weight": 1.0},
    "lpo": {"beta": 1.0, "weight": 1.0},
    "slic": {"beta": 1.0, "weight": 1.0, "delta": 5.0},
    "dpo": {"beta": 100.0, "weight": 1.0},
    "simpo": {"beta": 1.0, "gamma": 0.5},
}
"""Numbers of each start, for log-probs that are means over time steps."""

_NAMES = {"one-step": "1s-mpo", "two-step": "2s-mpo", "temporal": "ta-mpo"}


class Ranges(NamedTuple):
    """The ranges in which networks are flexible: the values that training with the start visits.

    Attributes:
        log_prob: lowest and highest log-prob, a mean over time steps.
        margin: lowest and highest of the link's argument, beta and gamma included.
    """

    log_prob: tuple[float, float]
    margin: tuple[float, float]


@dataclass(frozen=True)
class Space:
    """What is searched.

    Attributes:
        start: the vector of the known member, shape (size,), float32.
        objective: makes the objective of a vector of that shape; traceable by JAX.
        member: the known member itself, its functions not yet networks.
    """

    start: np.ndarray
    objective: Callable[[Any], Objective]
    member: Objective


def member(settings: DiscoverySettings) -> Objective:
    """The known member of the family where the search starts, in its ordinary functions."""
    if settings.family == "gated":
        return few_numbers.start()
    numbers = _numbers(settings)
    functions: dict[str, ScalarFunction] = {
        "psi": Zero() if settings.family == "two-step" else Log(),
        "inverse_potential": Logit() if settings.member == "orpo" else Log(),
        "link": _link(settings),
    }
    numbers.pop("delta", None)  # the link's
    return registry.make(_NAMES[settings.family], **functions, **numbers, aggregation="mean")


def build(settings: DiscoverySettings, ranges: Ranges) -> Space:
    """The space of a search: `member` with networks for the functions that are learned.

    Args:
        settings: which functions are learned, and how.
        ranges: where the networks shall be most flexible.
    """
    known = member(settings)
    if settings.family == "gated":
        names = settings.learned
        at = functools.partial(few_numbers.member_at, names)
        return Space(few_numbers.origin(names), at, known)
    learned: dict[str, Any] = {
        name: _network(name, settings, ranges) for name in settings.learned if name in FUNCTIONS
    }
    if "schedule" in settings.learned:
        learned["schedule"] = LearnedSchedule()
    objective: Any = replace(known, **learned)
    numbers = tuple(name for name in settings.learned if name in NUMBERS)
    start, rebuild = parameter_vector(objective, numbers)
    if settings.parameters == "all":
        return Space(start, rebuild, known)
    labels: dict[str, ScalarFunction] = {}
    used = 0
    for name, value in learned.items():
        labels[name], used = _labelled(value, settings.parameters, used)
    labelled: Any = replace(objective, **labels)
    group = parameter_vector(labelled, numbers)[0].astype(int)
    # The numbers are always searched, each by itself.
    group[len(group) - len(numbers) :] = used + 1 + np.arange(len(numbers))
    size = used + len(numbers)
    first = np.zeros(size + 1, np.float32)
    first[group] = start

    def from_groups(vector: Any) -> Objective:
        xp = namespace(vector)
        padded = xp.concat([xp.zeros(1, dtype=vector.dtype), vector])
        return rebuild(xp.where(group > 0, padded[group], start))

    return Space(first[1:], from_groups, known)


def extended(objective: Objective, ranges: Ranges) -> Objective:
    """The objective with its networks continued by their tangents outside `ranges`."""
    functions: dict[str, Any] = {}
    for field in FUNCTIONS:
        function = getattr(objective, field, None)
        if isinstance(function, (MonotoneNetwork, TimedNetwork, Augmented)):
            low, high = ranges.margin if field == "link" else ranges.log_prob
            functions[field] = Extended(function=function, low=low, high=high)
    return replace(objective, **functions)


def margins(objective: Objective, points: np.ndarray) -> np.ndarray:
    """The link's argument of each visited pair.

    Args:
        objective: a member of one of the families; the gated one has no link, and takes the
            difference of the log-probs.
        points: shape (pairs, 5), see `learner.visited`.

    Returns:
        Shape (pairs,), float64.
    """
    if not isinstance(objective, MirrorObjective):
        return np.asarray(points[:, 0] - points[:, 1])
    values: Any = objective
    result = np.empty(len(points))
    for moment in np.unique(points[:, 4]):
        at = points[:, 4] == moment
        phi = values.inverse_potential.at(float(moment))
        chosen, rejected = (phi(points[at, column]) for column in (0, 1))
        if objective.needs_reference:
            chosen = chosen - phi(points[at, 2])
            rejected = rejected - phi(points[at, 3])
        result[at] = values.beta * (chosen - rejected) - getattr(values, "gamma", 0.0)
    return result


def ranges_of(objective: Objective, points: np.ndarray, widen: float = 0.0) -> Ranges:
    """The ranges of log-probs and margins among visited pairs.

    Args:
        objective: the objective that trained on them.
        points: shape (pairs, 5), see `learner.visited`.
        widen: share of each range that is added at both ends.
    """
    log_probs = points[:, :4] if objective.needs_reference else points[:, :2]
    low, high = _widened(log_probs, widen)
    # A log-probability is at most 0, and a network needs some width.
    return Ranges((min(low, -1e-3), min(high, 0.0)), _widened(margins(objective, points), widen))


def _widened(values: np.ndarray, widen: float) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    more = widen * (high - low) + 1e-3
    return low - more, high + more


def _link(settings: DiscoverySettings) -> ScalarFunction:
    if settings.member == "slic":
        return Hinge(margin=_numbers(settings)["delta"])
    return Identity() if settings.member == "lpo" else LogSigmoid()


def _numbers(settings: DiscoverySettings) -> dict[str, float]:
    given = {name: getattr(settings, name) for name in DEFAULTS[settings.member]}
    return {
        name: default if given[name] is None else given[name]
        for name, default in DEFAULTS[settings.member].items()
    }


def _network(name: str, settings: DiscoverySettings, ranges: Ranges) -> ScalarFunction:
    network: MonotoneNetwork
    if name == "link":
        low, high = ranges.margin
        start = "identity" if settings.member == "lpo" else "log-sigmoid"
        network = MonotoneNetwork.link(start, low=low, high=high)
        if settings.member == "slic":
            network = _absent(network)
    else:
        low, high = ranges.log_prob
        if settings.sees == "probability":
            low, high = float(np.exp(low)), float(np.exp(high))
        if name == "inverse_potential":
            start = "logit" if settings.member == "orpo" else "log"
            network = MonotoneNetwork.inverse_potential(
                start, input=settings.sees, low=low, high=high
            )
        else:
            network = MonotoneNetwork.psi(input=settings.sees, low=low, high=high)
            if settings.family == "two-step":
                network = _absent(network)
    function = TimedNetwork.of(network) if settings.timed else network
    if name == "link" and settings.member == "slic":
        return Augmented(term=_link(settings), network=function)
    return function


def _absent(network: MonotoneNetwork) -> MonotoneNetwork:
    """The network without its extra terms: almost 0, and ready to grow anything."""
    return replace(network, coefficients=np.full(len(network.coefficients), ABSENT))


def _labelled(function: Any, parameters: str, used: int) -> tuple[Any, int]:
    """The function with labels in place of its parameters, and the last label.

    Parameters with the same label, `used` + 1 or more, are searched as one; those with 0 stay as
    they are. Each weight of an extra term has its own label, and so has each hidden unit's output,
    or each activation's outputs together.
    """
    if isinstance(function, MonotoneNetwork):
        shape = np.shape(function.output)
        tied = parameters == "activations"
        count = shape[0] if tied else shape[0] * shape[1]
        outputs = used + 1 + np.arange(count)
        outputs = np.repeat(outputs, shape[1]) if tied else outputs
        coefficients, last = _new_labels(function.coefficients, used + count)
        network = replace(
            function,
            kernel=np.zeros_like(function.kernel),
            bias=np.zeros_like(function.bias),
            output=outputs.reshape(shape),
            coefficients=coefficients,
        )
        return network, last
    network, used = _labelled(function.network, parameters, used)
    if isinstance(function, TimedNetwork):
        drift, used = _new_labels(function.coefficient_drift, used)
        still = np.zeros_like(function.drift)
        return replace(function, network=network, drift=still, coefficient_drift=drift), used
    if isinstance(function, Augmented):
        coefficient, used = _new_labels(function.coefficient, used)
        return replace(function, network=network, coefficient=coefficient), used
    assert isinstance(function, LearnedSchedule)
    offset, used = _new_labels(function.offset, used)
    return replace(function, network=network, offset=offset), used


def _new_labels(values: Any, used: int) -> tuple[np.ndarray, int]:
    count = np.size(values)
    return used + 1 + np.arange(count).reshape(np.shape(values)), used + count
