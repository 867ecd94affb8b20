"""Pictures of runs for papers: every agent of a bench, training curves, a search's fitness."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mirrorpo.plain_text import in_figure
from mirrorpo.reporting import labels
from mirrorpo.reporting.page.benches import BenchPart
from mirrorpo.reporting.page.trainings import Chart
from mirrorpo.reporting.picture import Picture

_DPI = 150
_WIDTH, _ROW = 3.8, 0.28
_FITNESS = (
    ("fitness_best", "best agent"),
    ("fitness_mean", "population"),
    ("fitness_of_mean", "the centre"),
    ("fitness_start", "the start"),
)


def every_agent(bench: BenchPart) -> Figure:
    """A panel per variant, a row per algorithm, a point per agent; bars are mean ± standard error.

    What lies left of `BenchPart.shown_from` is said in words.
    """
    variants = [variant for variant in bench.run.table.variants if bench.has(variant)]
    algorithms = bench.run.table.algorithms
    height = 1.3 + _ROW * len(algorithms)
    figure = Picture(figsize=(_WIDTH * len(variants) + 0.8, height), dpi=_DPI, layout="constrained")
    axes = figure.subplots(1, len(variants), sharey=True, squeeze=False)[0]
    for axis, variant in zip(axes, variants, strict=True):
        _draw_agents(axis, bench, variant)
    axes[0].set_yticks(
        range(len(algorithms)), [in_figure(label) for label in labels.of(algorithms).values()]
    )
    axes[0].invert_yaxis()
    return figure


def training_curves(bench: BenchPart) -> Figure:
    """A row per variant and a column per quantity; lines are means over a cell's agents.

    Those of lost agents, see `BenchPart.shown_from`, may leave the axes.
    """
    variants = [variant for variant in bench.run.table.variants if bench.has(variant)]
    titles = bench.curve_titles
    shown = labels.of(bench.run.table.algorithms)
    figure = Picture(
        figsize=(3.0 * len(titles), 2.3 * len(variants) + 0.5), dpi=_DPI, layout="constrained"
    )
    axes = figure.subplots(len(variants), len(titles), squeeze=False)
    colours = matplotlib.colormaps["tab10" if len(bench.run.table.algorithms) <= 10 else "tab20"]
    for row, variant in zip(axes, variants, strict=True):
        row[0].set_ylabel(in_figure(variant))
        for axis, (name, title) in zip(row, titles, strict=True):
            near: list[float] = []
            for position, algorithm in enumerate(bench.run.table.algorithms):
                values = bench.curves.get((variant, algorithm), {}).get(name)
                if values:
                    lost = bench.is_lost(algorithm, variant)
                    near += [] if lost else [value for value in values if np.isfinite(value)]
                    x = bench.curve_step * np.arange(1, len(values) + 1)
                    colour = colours(position % colours.N)
                    axis.plot(
                        x, values, color=colour, label=in_figure(shown[algorithm]), linewidth=1.4
                    )
            axis.set(title=title, xlabel=bench.quantities.argument)
            if bench.shown_from(variant) is not None and near:
                edge = 0.05 * (max(near) - min(near)) or 1.0
                axis.set_ylim(min(near) - edge, max(near) + edge)
            axis.grid(color="#EEEEEE", linewidth=0.8)
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(),
        loc="outside right center",
        frameon=False,
        fontsize=8,
    )
    return figure


def charts(drawn: Sequence[Chart]) -> Figure:
    """A training's charts, a panel each."""
    figure = Picture(figsize=(4.4 * len(drawn), 3.2), dpi=_DPI, layout="constrained")
    axes = figure.subplots(1, len(drawn), squeeze=False)[0]
    for axis, chart in zip(axes, drawn, strict=True):
        names = list(dict.fromkeys(point["name"] for point in chart.points))
        for name in names:
            points = [point for point in chart.points if point["name"] == name]
            y = [np.nan if point["y"] is None else point["y"] for point in points]
            marker = "o" if len(points) == 1 else ""
            axis.plot(
                [p["x"] for p in points], y, marker=marker, label=in_figure(name), linewidth=1.4
            )
        axis.set_title(chart.caption, fontsize=9)
        axis.set_xlabel(chart.argument)
        axis.grid(color="#EEEEEE", linewidth=0.8)
        if len(names) > 1:
            axis.legend(frameon=False, fontsize=8)
    return figure


def fitness(
    generations: Sequence[Mapping[str, Any]], validations: Sequence[Mapping[str, Any]]
) -> Figure:
    """A search's fitness by generation, and its validations with standard errors."""
    figure = Picture(figsize=(7.4, 3.8), dpi=_DPI, layout="constrained")
    axis = figure.subplots()
    x = [line["generation"] + 1 for line in generations]
    for name, label in _FITNESS:
        values = [np.nan if line[name] is None else line[name] for line in generations]
        axis.plot(x, values, label=label, linewidth=1.4)
    if validations:
        axis.errorbar(
            [line["generation"] for line in validations],
            [line["score"] for line in validations],
            yerr=[line["standard_error"] or 0.0 for line in validations],
            fmt="ko",
            markersize=4,
            capsize=2,
            label="validation",
        )
    axis.set(xlabel="generation", ylabel="fitness")
    axis.grid(color="#EEEEEE", linewidth=0.8)
    figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    return figure


def _draw_agents(axis: Axes, bench: BenchPart, variant: str) -> None:
    for source in bench.run.table.sources:
        axis.axvline(source.mean, color="#999999", linewidth=0.9, linestyle="--", zorder=0)
    final, low = bench.final, bench.shown_from(variant)
    for row, algorithm in enumerate(bench.run.table.algorithms):
        cell = bench.run.table.cells.get((algorithm, variant))
        if cell is None:
            continue
        agents = final[(final.algorithm == algorithm) & (final.variant == variant)]
        # Spread over the row by the golden ratio, so that no two seeds lie on a line.
        places = row + 0.5 * ((agents.seed.to_numpy() * 0.618034) % 1 - 0.5)
        shown = agents.return_mean if low is None else agents.return_mean.clip(lower=low)
        axis.scatter(shown, places, s=9, alpha=0.6, linewidth=0, color="#0072B2", clip_on=False)
        found = cell.summary
        if found.diverged or bench.is_lost(algorithm, variant):
            text = cell.text("mean", bench.quantities.decimals)
            lost = f"{found.diverged} of {found.agents} diverged" if found.diverged else f"◂ {text}"
            axis.annotate(
                lost,
                (0.02, row),
                xycoords=("axes fraction", "data"),
                color="#B00000",
                fontsize=7,
                va="center",
            )
        else:
            axis.errorbar(
                found.mean, row, xerr=np.nan_to_num(found.standard_error), fmt="k|", capsize=2
            )
    axis.set(title=in_figure(variant), xlabel=bench.quantities.score)
    if low is not None:
        axis.set_xlim(left=low)
    axis.xaxis.set_major_locator(MaxNLocator(4))
    axis.grid(axis="x", color="#EEEEEE", linewidth=0.8)
    axis.set_axisbelow(True)
