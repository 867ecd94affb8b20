"""What is said of a dataset and of the objectives that suit it: in words, and as a document."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from mirrorpo.advising.advice import Advice, Distance, Recommendation
from mirrorpo.advising.conditions import Conditions
from mirrorpo.objectives import naming

_SHOWN = 5
_SURE, _LIKELY = 0.9, 0.5
_WEAK = 0.35
_WHOLE = 0.9
_LEAST_SHOWN = 0.1
_FAR = {
    "noise": "the rate of wrong labels",
    "quality": "the share of near-equal pairs",
    "size": "the number of pairs",
}


def about(facts: Conditions) -> list[str]:
    """What a dataset is like."""
    noise = facts.noise
    drawn = facts.modelled < facts.pairs
    lines = [
        f"{facts.pairs} pairs of {facts.kind}"
        + (f"; labels are judged from {facts.modelled} of them, drawn at random" * drawn),
        f"wrong labels: {_percent(noise.rate)} (90 % interval {_percent(noise.low)} to "
        f"{_percent(noise.high)}); models trained on other pairs disagree with "
        f"{_percent(noise.disagreement)} of the labels",
        f"pairs of nearly equal quality: {_percent(facts.near_equal)}"
        + (f"; identical: {_percent(facts.identical)}" if facts.identical else ""),
    ]
    if math.isnan(facts.longer_chosen):
        lines.append("length: chosen and rejected are equally long in every pair")
    else:
        lines.append(
            f"length: the chosen is the longer in {_percent(facts.longer_chosen)} of pairs, by a "
            f"factor of {facts.length_ratio:.2f} on average"
        )
    if facts.coverage is not None:
        of = facts.coverage
        lines.append(
            f"reference: log-prob {of.chosen[1]:.2f} of the chosen, {of.rejected[1]:.2f} of the "
            f"rejected (medians, a step, word or token); it prefers the chosen in "
            f"{_percent(of.prefers_chosen)} of pairs; {_percent(of.uncovered)} of the chosen are "
            "less likely than 19 of 20 rejected"
        )
    if noise.disagreement > _WEAK and noise.high - noise.low > 0.15:
        lines.append(
            "The models hardly predict these labels, so noise and their own errors are hard to "
            "tell apart: read the interval, not the number."
        )
    return lines


def advice(where: str, ranked: Recommendation, kind: str) -> list[str]:
    """The objectives that did best on such data, by evidence from `where`.

    Args:
        where: what the evidence was measured on.
        ranked: the recommendation.
        kind: the kind of the user's pairs, "trajectories" or "texts".
    """
    if not ranked.ranking:
        return [f"{where}: no objective was measured on enough of the data that are like these."]
    first = ranked.ranking[0]
    lines = [
        f"{where} ({', '.join(ranked.tasks)}): {_surely(first)} Of {len(ranked.ranking)} "
        "objectives, by mean score between the two source agents (0 the worse, 1 the better):"
    ]
    for place, item in enumerate(ranked.ranking[:_SHOWN], 1):
        behind = "; ".join(
            f"{figure.task} {figure.variant}: {figure.score:.2f} ± {figure.error:.2f}, "
            f"{figure.agents} agents"
            for figure in item.figures
            if figure.weight >= _LEAST_SHOWN
        )
        partly = (
            f"; measured on {100 * item.covered:.0f} % of the evidence that counts here"
            if item.covered < _WHOLE
            else ""
        )
        lines.append(
            f"  {place}. {item.algorithm}: {item.score:.2f} ± {item.error:.2f}; the best with "
            f"probability {item.best:.2f} ({behind}{partly})"
        )
    lines += [_use(first, kind), _nearest(ranked.nearest)]
    return lines


def _surely(first: Advice) -> str:
    """The winner, and how sure it is."""
    if first.best >= _SURE:
        how = "it is clearly ahead"
    elif first.best >= _LIKELY:
        how = "it is probably ahead"
    else:
        how = "the first ones are too close to tell apart"
    return f"{first.algorithm} did best on such data, and {how} (probability {first.best:.2f})."


def _use(first: Advice, kind: str) -> str:
    """What to type."""
    command = (
        f'mirrorpo align RECIPE --set objective="{first.text}"'
        if kind == "texts"
        else f'mirrorpo train "{first.text}" --data FILE'
    )
    has_values = not {"aggregation"}.issuperset(naming.parse(first.text).values)
    tuned = " Its values were tuned there: tune them on your own data." if has_values else ""
    return f'To train with it: {command}, or mpo.objective("{first.text}").{tuned}'


def _nearest(nearest: Distance) -> str:
    """How far the user's data are from the evidence."""
    cell = nearest.cell
    size = f" with {cell.pairs} pairs" if cell.pairs else ""
    parts = [
        f"{100 * abs(nearest.noise):.0f} percentage points "
        f"{'more' if nearest.noise > 0 else 'fewer'} wrong labels",
        f"{100 * abs(nearest.near_equal):.0f} points "
        f"{'more' if nearest.near_equal > 0 else 'fewer'} near-equal pairs",
    ]
    if cell.pairs:
        times = 2**nearest.doublings
        parts.append(
            f"{times:.{0 if times >= 10 else 1 if times >= 1 else 2}f} times as many pairs"
        )
    said = f"Nearest evidence: {cell.variant} of {cell.task}{size}; yours have {', '.join(parts)}."
    if nearest.far:
        what = " and in ".join(_FAR[name] for name in nearest.far)
        said += f" No evidence is near in {what}: take this as a first guess."
    return said


def document(facts: Conditions, ranked: Mapping[str, Recommendation]) -> dict[str, Any]:
    """All figures, as JSON."""
    noise = {k: v for k, v in vars(facts.noise).items() if k != "samples"}
    about = {k: v for k, v in vars(facts).items() if k not in ("noise", "coverage")}
    if math.isnan(facts.longer_chosen):
        about["longer_chosen"] = None
    return {
        **about,
        "noise": noise,
        "coverage": None if facts.coverage is None else vars(facts.coverage),
        "recommendations": {name: _as_json(ranking) for name, ranking in ranked.items()},
    }


def _as_json(ranked: Recommendation) -> dict[str, Any]:
    found = dataclasses.asdict(ranked)
    found["nearest"]["cell"] = ranked.nearest.cell._asdict()
    return {**found, "far": list(ranked.nearest.far)}


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
