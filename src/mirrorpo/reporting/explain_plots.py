"""Pictures of what an objective does: its gradient's map, and the scalar functions of a member."""

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from mirrorpo.discovery.gradient_map import GradientMap
from mirrorpo.discovery.member_functions import Curve
from mirrorpo.discovery.visited import Visited
from mirrorpo.plain_text import in_figure
from mirrorpo.reporting.picture import Picture

_DPI = 150
_COLOURS = "viridis"
_SCALAR, _COMPARED, _SHADE = ("#0072B2", "#009E73", "#CC79A7"), "#D55E00", "#DDDDDD"
_STYLES = ("-", "--", ":")
_LOG_SCALE_FROM = 20.0
_MOST_DECADES = 4.0
_MOST_DOTS = 400
_COLUMNS = 4
_TITLE_WIDTH = 26
_ARROWS = 9
_LABELS = {
    "psi": (r"$\psi$", r"$\log\,\pi(\tau_w)$", "log, shifted"),
    "inverse potential": (r"$\phi^{-1}$", r"$\log\,\pi(\tau)$", "log, shifted"),
    "link": ("g", r"$\beta\,(\Phi(\tau_w) - \Phi(\tau_l)) - \gamma$", r"$\log\,\sigma$, shifted"),
}


def gradient_maps(maps: Sequence[GradientMap], visited: Visited, title: str) -> Figure:
    """The size of the gradient over the two log-probs, one panel per map.

    All panels share one colour scale, logarithmic if the sizes differ by a factor of 20 or more.
    Arrows show where a small step of training moves a pair, all of one length; dots are pairs that
    training visited, a sample if there are many.

    Args:
        maps: the maps of one objective, at one or more moments of training.
        visited: the pairs; a stand-in's are not drawn.
        title: the title of the figure.
    """
    sizes = np.stack([found.size for found in maps])
    norm = _norm(sizes)
    figure = Picture(figsize=(4.3 * len(maps) + 1.4, 4.8), dpi=_DPI, layout="constrained")
    axes = figure.subplots(1, len(maps), sharey=True, squeeze=False)[0]
    for axis, found in zip(axes, maps, strict=True):
        image = _draw_map(axis, found, norm)
        _draw_dots(axis, visited)
        axis.set_xlabel(r"$\log\,\pi(\tau_w)$, chosen")
        if len(maps) > 1:
            axis.set_title(f"progress t = {found.progress:g}", fontsize=10)
    axes[0].set_ylabel(r"$\log\,\pi(\tau_l)$, rejected")
    bar = figure.colorbar(image, ax=list(axes), pad=0.02)
    bar.set_label("size of the gradient")
    figure.suptitle(in_figure(title), fontsize=11)
    return figure


def side_by_side(maps: Sequence[tuple[str, GradientMap]]) -> Figure:
    """Maps of several objectives, a panel and a colour scale each.

    Args:
        maps: title and map, at least one.
    """
    columns = min(len(maps), _COLUMNS)
    rows = -(-len(maps) // columns)
    figure = Picture(figsize=(3.1 * columns, 2.9 * rows), dpi=_DPI, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(maps) :]:
        axis.set_axis_off()
    for axis, (title, found) in zip(axes, maps, strict=False):
        image = _draw_map(axis, found, _norm(found.size))
        text = "\n".join(wrap(title, _TITLE_WIDTH, break_long_words=False))
        axis.set_title(in_figure(text), fontsize=8)
        figure.colorbar(image, ax=axis)
    return figure


def functions(curves: Sequence[Curve], visited: Visited, title: str) -> Figure:
    """A member's scalar functions, each beside the usual one in its place.

    Args:
        curves: the curves that `member_functions` gives, at least one.
        visited: the pairs that they were looked at, for the label of their range.
        title: the title of the figure.
    """
    figure = Picture(figsize=(3.7 * len(curves) + 0.6, 3.9), dpi=_DPI, layout="constrained")
    axes = figure.subplots(1, len(curves), squeeze=False)[0]
    for axis, curve in zip(axes, curves, strict=True):
        _draw_curve(axis, curve, "visited" if visited.measured else "looked at")
    figure.suptitle(in_figure(title), fontsize=11)
    return figure


def _draw_map(axis: Axes, found: GradientMap, norm: Normalize) -> QuadMesh:
    image = axis.pcolormesh(
        found.log_probs, found.log_probs, found.size.T, norm=norm, cmap=_COLOURS, rasterized=True
    )
    ends = found.log_probs[[0, -1]]
    axis.plot(ends, ends, color="white", linewidth=1, linestyle="--")
    _draw_arrows(axis, found)
    axis.set(xlim=ends, ylim=ends, aspect="equal")
    return image


def _draw_curve(axis: Axes, curve: Curve, range_name: str) -> None:
    name, argument, usual = _LABELS[curve.name]
    axis.axvspan(curve.low, curve.high, color=_SHADE, linewidth=0, label=range_name)
    axis.plot(curve.x, curve.usual, color=_COMPARED, linewidth=5, alpha=0.5, label=usual)
    for moment, values, colour, style in zip(
        curve.moments, curve.values, _SCALAR, _STYLES, strict=False
    ):
        label = name if len(curve.moments) == 1 else f"{name} at t = {moment:g}"
        axis.plot(curve.x, values, color=colour, linestyle=style, linewidth=1.6, label=label)
    axis.set(xlabel=argument, xlim=(curve.x[0], curve.x[-1]))
    axis.set_title(name, fontsize=11)
    axis.grid(color="#EEEEEE", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.legend(fontsize=8, framealpha=0.9)


def _norm(sizes: np.ndarray) -> Normalize:
    largest = max(float(sizes.max()), 1e-12)
    smallest = float(sizes.min())
    if largest > _LOG_SCALE_FROM * smallest:
        floor = largest * 10.0**-_MOST_DECADES
        return LogNorm(max(smallest, floor), largest, clip=True)
    if largest - smallest < 1e-3 * largest:
        return Normalize(0.0, 1.05 * largest)
    return Normalize(smallest, largest)


def _draw_arrows(axis: Axes, found: GradientMap) -> None:
    step = max(len(found.log_probs) // _ARROWS, 1)
    rows = np.arange(step // 2, len(found.log_probs), step)
    chosen, rejected = np.meshgrid(found.log_probs[rows], found.log_probs[rows], indexing="ij")
    at = np.ix_(rows, rows)
    size = np.where(found.size[at] > 0, found.size[at], 1.0)
    axis.quiver(
        chosen,
        rejected,
        -found.chosen[at] / size,
        -found.rejected[at] / size,
        angles="xy",
        pivot="middle",
        color="white",
        edgecolor="black",
        linewidth=0.4,
        scale=18,
        width=0.007,
    )


def _draw_dots(axis: Axes, visited: Visited) -> None:
    if not visited.measured:
        return
    points = visited.points
    if len(points) > _MOST_DOTS:
        points = points[np.linspace(0, len(points) - 1, _MOST_DOTS).astype(int)]
    axis.scatter(points[:, 0], points[:, 1], s=9, color="#E69F00", edgecolor="black", linewidth=0.3)
