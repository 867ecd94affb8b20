"""What is said of a dataset and of the objectives that suit it: in words, and as a document."""

import dataclasses
import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mirrorpo.advising.advice import Advice, Distance, Recommendation
from mirrorpo.advising.conditions import Conditions
from mirrorpo.objectives import naming

_SHOWN = 5
_SURE, _LIKELY = 0.9, 0.5
_WEAK = 0.35
_LEAST_SHOWN = 0.1
_COLUMNS = 80
_COMMAND = "    "
HELD_ON_TEXTS = "slic-robust"
"""The loss to try first on texts, by the latest runs on a language model (docs/language.md)."""

TRIED_ON_TEXTS = ("slic-robust", "gated", "sft", "hopper-noisy", "slic", "gated-reference")
"""The losses of those runs, by their mean reward."""

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
            f"rejected (medians per step, word or token); it prefers the chosen in "
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
    """The objectives that did best on such data, by evidence from `where`.

    Args:
        where: what the evidence was measured on.
        ranked: the recommendation.
    """
    if not ranked.ranking:
        return [f"{where}: no objective was measured on enough of the data that are like these."]
    shown, first = ranked.ranking[:_SHOWN], ranked.ranking[0]
    width = max(len(item.algorithm) for item in shown)
    behind = "; ".join(
        f"{figure.variant} of {figure.task} {figure.score:.2f} ± {figure.error:.2f} "
        f"({figure.agents} agents)"
        for figure in first.figures
        if figure.weight >= _LEAST_SHOWN
    )
    return [
        f"{where}, on {', '.join(ranked.tasks)}: {_surely(first)} The first of "
        f"{len(ranked.ranking)} objectives, by mean score (0 is the worse source agent, 1 the "
        "better), each with its probability of being the best and the share of the evidence near "
        "your data on which it was measured:",
        f"     {'objective':{width}}         score   best  measured",
        *(
            f"  {place}. {item.algorithm:{width}}  {item.score:5.2f} ± {item.error:.2f}   "
            f"{item.best:.2f}     {100 * item.covered:3.0f} %"
            for place, item in enumerate(shown, 1)
        ),
        f"{first.algorithm} in the nearest evidence: {behind}.",
        _nearest(ranked.nearest),
    ]


def use(ranked: Recommendation, kind: str) -> list[str]:
    """How to train with the first of a ranking; nothing where there is none.

    Args:
        ranked: the recommendation.
        kind: the kind of the user's pairs, "trajectories" or "texts".
    """
    if not ranked.ranking:
        return []
    text = ranked.ranking[0].text
    has_values = not {"aggregation"}.issuperset(naming.parse(text).values)
    tuned = " Its values are those of that evidence: tune them on your own data." * has_values
    return [f"To train with {ranked.ranking[0].algorithm}:{tuned}", *_commands(text, kind)]


def on_texts(robots: Recommendation) -> list[str]:
    """What the evidence says for texts, where what wins on robots need not win."""
    first = robots.ranking[0].algorithm if robots.ranking else None
    lines = [
        "The language model above has 1.6 million parameters and knows openings of reviews alone. "
        "Robots are another kind of data: each is a first guess."
    ]
    if first in TRIED_ON_TEXTS:
        lines.append(
            f"{first} won on robots, but does not carry over to texts: on a model of 135 million "
            "parameters, with three labels in ten wrong, it earned no more than plain SFT, within "
            "the errors."
        )
    lines.append(
        f"Of those tried on 135 million parameters ({', '.join(TRIED_ON_TEXTS)}), only "
        f"{HELD_ON_TEXTS} held: it reached the model that was trained on the best texts, and on "
        "four draws of the data it was ahead of SFT. On the small model, with three labels in ten "
        "wrong, it was ahead of SFT on each of eight draws, and no other loss was. So try it "
        "first, beside what you use now. It is slic-filtered with given values: tuned, that "
        "earned no more there, and more where fewer labels were wrong:"
    )
    return [*lines, *_commands(HELD_ON_TEXTS, "texts")]


def wrapped(lines: Iterable[str]) -> Iterator[str]:
    """Sentences in lines of at most 80 columns; commands stay whole, to be copied."""
    for line in lines:
        if len(line) <= _COLUMNS or line.startswith(_COMMAND):
            yield line
        else:
            yield from textwrap.wrap(line, _COLUMNS, break_long_words=False, break_on_hyphens=False)


def _commands(text: str, kind: str) -> list[str]:
    command = (
        f'{_COMMAND}mirrorpo align RECIPE --set objective="{text}"'
        if kind == "texts"
        else f'{_COMMAND}mirrorpo train "{text}" --data FILE'
    )
    return [command, f'{_COMMAND}mpo.objective("{text}")  # from Python']


def _surely(first: Advice) -> str:
    """The winner, and how sure it is."""
    if first.best >= _SURE:
        how = "it is clearly ahead"
    elif first.best >= _LIKELY:
        how = "it is probably ahead"
    else:
        how = "the first ones are too close to tell apart"
    return f"{first.algorithm} did best on such data, and {how} (probability {first.best:.2f})."


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
