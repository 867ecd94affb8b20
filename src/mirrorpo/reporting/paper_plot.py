"""A picture of our scores against the paper's: one panel per protocol, task and column."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mirrorpo.plain_text import in_figure
from mirrorpo.reporting import paper
from mirrorpo.reporting.claims import WITHOUT_SFT_TERM, ScoreKey, our_scores, papers_scores
from mirrorpo.reporting.joined import JoinedRuns
from mirrorpo.reporting.paper import RESULTS
from mirrorpo.reporting.picture import Picture
from mirrorpo.study import statistics

FEWEST = 3
"""Losses in common from which on a column has a panel."""

LOW, HIGH = -1.0, 1.15
"""Ends of both axes, in normalised scores; what lies outside is drawn at the edge."""

_DPI, _WIDTH, _HEIGHT, _PER_ROW = 120, 2.95, 2.75, 3
_NAMES, _GAP, _SIZE = 1.22, 0.125, 6.8
"""Where names begin, the least distance between two, both in units of the axes, and their size."""

_KEPT, _FADING, _NONE = "SFT term in the loss", "one that fades", "no SFT term"
_COLOURS = {_KEPT: "#D55E00", _FADING: "#AA4499", _NONE: "#0072B2"}
_SHORT = {
    "ta-mpo[schedule=linear]": "ta-mpo t",
    "ta-mpo[schedule=quadratic]": "ta-mpo t²",
    "ta-mpo[schedule=sigmoid]": "ta-mpo \N{GREEK SMALL LETTER SIGMA}",
}


@dataclass(frozen=True)
class _Point:
    name: str
    ours: float
    our_error: float
    theirs: float
    their_error: float

    @property
    def colour(self) -> str:
        if self.name in WITHOUT_SFT_TERM:
            return _COLOURS[_NONE]
        return _COLOURS[_FADING if self.name in _SHORT else _KEPT]


def paper_plot(every: Sequence[JoinedRuns]) -> Figure:
    """Draw every column that has losses in common with the paper.

    Scores are 0 at the worse and 1 at the better source agent; the paper's scores are normalised by
    the paper's own two.
    Bars are one standard error.

    Raises:
        ValueError: no column has `FEWEST` losses in common.
    """
    panels = [
        (joined, variant, points)
        for joined in every
        for variant in joined.variants
        if len(points := _points(joined, variant)) >= FEWEST
    ]
    if not panels:
        raise ValueError(f"No column has {FEWEST} losses in common with the paper.")
    columns = min(_PER_ROW, len(panels))
    rows = -(-len(panels) // columns)
    figure = Picture(
        figsize=(_WIDTH * columns + 0.3, _HEIGHT * rows + 0.6), dpi=_DPI, layout="constrained"
    )
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, (joined, variant, points) in zip(axes, panels, strict=False):
        pairs = statistics.concordance(joined.column(variant), paper.table(joined.task, variant))
        protocol = f"protocol {joined.protocol}" if joined.protocol else "no protocol"
        title = f"{protocol}, {joined.task}: {variant}"
        agreement = f"{pairs.alike} of {pairs.both} pairs as in the paper"
        axis.set_title(f"{in_figure(title)}\n{agreement}", fontsize=8.5, loc="left")
        _draw(axis, points)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    figure.supxlabel("score in the paper: 0 worse, 1 better source agent", fontsize=8.5)
    figure.supylabel("our score, likewise", fontsize=8.5)
    figure.legend(
        handles=_legend(), loc="outside upper center", ncols=5, frameon=False, fontsize=8.5
    )
    return figure


def _points(joined: JoinedRuns, variant: str) -> list[_Point]:
    ours, theirs = our_scores(joined), papers_scores(joined.task)
    known = RESULTS[joined.task]
    found = []
    for name in known.scores[variant]:
        cell = ScoreKey(variant, name)
        if cell not in ours:
            continue
        better, worse = joined.sources_of(variant, name)
        found.append(
            _Point(
                name,
                *_normalised(*ours[cell], worse.mean, better.mean),
                *_normalised(*theirs[cell], known.worse, known.better),
            )
        )
    return found


def _normalised(mean: float, error: float, worse: float, better: float) -> tuple[float, float]:
    score = float(statistics.normalised_score(mean, worse, better))
    return score, float(statistics.normalised_error(mean, error, worse, better))


def _draw(axis: Axes, points: Sequence[_Point]) -> None:
    axis.plot([LOW, HIGH], [LOW, HIGH], color="#BBBBBB", linewidth=0.9, zorder=0)
    for end in (0.0, 1.0):
        axis.axhline(end, color="#EEEEEE", linewidth=0.8, zorder=-1)
        axis.axvline(end, color="#EEEEEE", linewidth=0.8, zorder=-1)
    ordered = sorted(points, key=lambda point: point.ours)
    heights = _spread([_inside(point.ours) for point in ordered])
    for point, height in zip(ordered, heights, strict=True):
        x, y = _inside(point.theirs), _inside(point.ours)
        colour = point.colour
        is_outside = (x, y) != (point.theirs, point.ours)
        axis.errorbar(
            x,
            y,
            xerr=0.0 if is_outside else point.their_error,
            yerr=0.0 if is_outside else np.nan_to_num(point.our_error),
            fmt="^" if is_outside else "o",
            markerfacecolor="white" if is_outside else colour,
            color=colour,
            markersize=4,
            elinewidth=0.8,
        )
        axis.plot([x, _NAMES - 0.03], [y, height], color=colour, linewidth=0.35, alpha=0.55)
        axis.text(
            _NAMES,
            height,
            in_figure(_SHORT.get(point.name, point.name)),
            color=colour,
            fontsize=_SIZE,
            va="center",
        )
    # Names stand right of the axes.
    axis.set_xlim(LOW - 0.05, _NAMES + 0.75)
    axis.set_ylim(LOW - 0.05, HIGH)
    ticks = [-1.0, -0.5, 0.0, 0.5, 1.0]
    axis.set_xticks(ticks)
    axis.set_yticks(ticks)
    axis.tick_params(labelsize=7, length=2)
    axis.spines[["top", "right"]].set_visible(False)


def _inside(score: float) -> float:
    return float(np.clip(score, LOW, HIGH - 0.05))


def _spread(heights: Sequence[float]) -> list[float]:
    """Heights of names, in ascending order as the points' are, none nearer than `_GAP`.

    Groups of names that would overlap are centred on their points, and kept inside the axes.
    """
    groups: list[list[float]] = []
    for height in heights:
        groups.append([height])
        while len(groups) > 1 and _low(groups[-1]) - _high(groups[-2]) < _GAP:
            last = groups.pop()
            groups[-1] += last
    return [_low(group) + _GAP * place for group in groups for place in range(len(group))]


def _low(group: Sequence[float]) -> float:
    half = 0.5 * _GAP * (len(group) - 1)
    middle = float(np.mean(group))
    return float(np.clip(middle, LOW + half, HIGH - half)) - half


def _high(group: Sequence[float]) -> float:
    return _low(group) + _GAP * (len(group) - 1)


def _legend() -> list[Line2D]:
    marks = [
        Line2D([], [], marker="o", linestyle="", color=colour, label=label)
        for label, colour in _COLOURS.items()
    ]
    outside = Line2D([], [], marker="^", linestyle="", color="#666666", markerfacecolor="white")
    outside.set_label("beyond the edge")
    return [*marks, outside, Line2D([], [], color="#BBBBBB", label="as in the paper")]
