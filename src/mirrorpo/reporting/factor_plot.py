"""A picture of a designed experiment: the effect of each factor, with its interval."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mirrorpo.study.statistics.factors import ORDER, SPREAD, TO_REFERENCE

_TITLES = {
    ORDER: "reorders the losses\n(fall of Kendall's tau)",
    TO_REFERENCE: "brings the order nearer\nto the reference (Kendall's tau)",
    SPREAD: "spreads the losses\n(standard deviation of means)",
}
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9")
_ROW, _WIDTH = 0.32, 3.4


def factor_plot(effects: pd.DataFrame) -> Figure:
    """Draw what `factor_effects` found.

    There is a panel per response, a row per factor and level, a point and its 95 % interval per
    variant.

    Args:
        effects: as `mirrorpo.study.statistics.factors.factor_effects` returns it.

    Raises:
        ValueError: there is nothing to draw.
    """
    if effects.empty:
        raise ValueError("There are no effects to draw.")
    rows = list(dict.fromkeys(zip(effects["factor"], effects["level"], strict=True)))
    baselines = dict(zip(effects["factor"], effects["baseline"], strict=True))
    responses = [name for name in _TITLES if name in set(effects["response"])]
    if "variant" not in effects:
        effects = effects.assign(variant="")
    variants = list(dict.fromkeys(effects["variant"]))
    figure = Figure(
        figsize=(_WIDTH * len(responses) + 1.8, 1.4 + _ROW * len(rows) * max(len(variants), 1.5)),
        dpi=150,
        layout="constrained",
    )
    axes = figure.subplots(1, len(responses), sharey=True, squeeze=False)[0]
    for axis, response in zip(axes, responses, strict=True):
        for position, variant in enumerate(variants):
            part = effects[(effects["response"] == response) & (effects["variant"] == variant)]
            shift = 0.6 * ((position + 0.5) / len(variants) - 0.5)
            _draw(axis, part, rows, shift, str(variant), _COLOURS[position % len(_COLOURS)])
        axis.axvline(0.0, color="#999999", linewidth=0.9, zorder=0)
        axis.set_title(_TITLES[response], fontsize=9)
        axis.grid(axis="x", color="#EEEEEE", linewidth=0.8)
        axis.set_axisbelow(True)
    names = [
        f"{factor}: {baselines[factor]} \N{RIGHTWARDS ARROW} {level}" for factor, level in rows
    ]
    axes[0].set_yticks(range(len(rows)), names)
    axes[0].invert_yaxis()
    if len(variants) > 1:
        handles = axes[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=len(variants), frameon=False)
    return figure


def _draw(
    axis: Axes,
    part: pd.DataFrame,
    rows: list[tuple[object, object]],
    shift: float,
    label: str,
    colour: str,
) -> None:
    heights = [rows.index(row) + shift for row in zip(part["factor"], part["level"], strict=True)]
    axis.hlines(heights, part["low"], part["high"], color=colour, linewidth=1.6)
    axis.plot(part["effect"], heights, "o", color=colour, markersize=5, label=label)
