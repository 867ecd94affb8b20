"""What is said of a dataset and of the objectives that suit it: in words, and as a document."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from mirrorpo.advising.advice import Recommendation
from mirrorpo.advising.conditions import Conditions

_SHOWN = 5
_SURE, _LIKELY = 0.9, 0.5
_WEAK = 0.35


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


def advice(where: str, ranked: Recommendation) -> list[str]:
    """The objectives that did best on such data, by evidence from `where`."""
    if not ranked.ranking:
        return [f"{where}: no objective was measured on all benches with such data."]
    lines = [
        f"{where}: {len(ranked.ranking)} objectives were measured with such data "
        f"({', '.join(ranked.tasks)}), the best first:"
    ]
    for place, item in enumerate(ranked.ranking[:_SHOWN], 1):
        behind = "; ".join(
            f"{task} {variant}: {score:.2f} ± {error:.2f} of {agents} agents"
            for task, variant, score, error, agents, _ in item.figures
        )
        lines.append(
            f"  {place}. {item.algorithm}: {item.score:.2f} ± {item.error:.2f} between the source "
            f"agents; the best with probability {item.best:.2f} ({behind})"
        )
    top = max(item.best for item in ranked.ranking)
    word = "clear" if top >= _SURE else "likely" if top >= _LIKELY else "close"
    sure = {
        "clear": "The first is clearly ahead there.",
        "likely": "The first is probably ahead there.",
        "close": "The first ones are too close to tell apart.",
    }[word]
    task, variant = ranked.nearest
    lines.append(f"{sure} The nearest bench is {variant} of {task}.")
    if ranked.is_far:
        lines.append(
            f"No bench had such data: even the nearest is {ranked.distance:.1f} widths away. Take "
            "this as a first guess."
        )
    return lines


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
        "recommendations": {name: dataclasses.asdict(ranking) for name, ranking in ranked.items()},
    }


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
