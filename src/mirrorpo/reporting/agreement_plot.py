"""A picture of how far the order of losses is the paper's: a bar per column and protocol."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mirrorpo.plain_text import in_figure
from mirrorpo.reporting.joined import JoinedRuns, agreements
from mirrorpo.reporting.paper import RESULTS
from mirrorpo.reporting.picture import Picture

_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
_DPI, _WIDTH, _ROW, _BAR = 120, 4.4, 0.26, 0.8
_COIN = 50.0
"""Per cent of the pairs that an order has in common with one drawn at random."""


def agreement_plot(every: Sequence[JoinedRuns]) -> Figure:
    """Draw the share of the pairs that both sides tell apart which are ordered as in the paper.

    A panel per task, a group of bars per column, a bar per protocol; beside it the pairs.

    Raises:
        ValueError: no column has a pair that both sides tell apart.
    """
    shares = {
        (joined.task, found.variant, str(joined.protocol)): found.pairs
        for joined in every
        for found in agreements(joined)
        if found.pairs.both
    }
    if not shares:
        raise ValueError("No column has a pair of losses that both sides tell apart.")
    protocols = list(dict.fromkeys(protocol for _, _, protocol in shares))
    tasks = list(dict.fromkeys(task for task, _, _ in shares))
    columns = {
        task: [name for name in RESULTS[task].scores if any(k[:2] == (task, name) for k in shares)]
        for task in tasks
    }
    most = max(map(len, columns.values()))
    height = 1.1 + _ROW * most * (len(protocols) + 0.8)
    figure = Picture(figsize=(_WIDTH * len(tasks), height), dpi=_DPI, layout="constrained")
    for axis, task in zip(figure.subplots(1, len(tasks), squeeze=False)[0], tasks, strict=True):
        axis.set_title(in_figure(task), fontsize=9.5, loc="left")
        for row, variant in enumerate(columns[task]):
            for place, protocol in enumerate(protocols):
                if (pairs := shares.get((task, variant, protocol))) is not None:
                    at = row + _BAR * ((place + 0.5) / len(protocols) - 0.5)
                    _draw_bar(axis, at, pairs.alike, pairs.both, place, len(protocols))
        _dress(axis, columns[task], most)
    handles = [
        Patch(color=_COLOURS[place % len(_COLOURS)], label=in_figure(protocol))
        for place, protocol in enumerate(protocols)
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=4, frameon=False, fontsize=9)
    figure.supxlabel("pairs of losses that are ordered as in the paper, per cent", fontsize=9)
    return figure


def _draw_bar(axis: Axes, at: float, alike: int, both: int, place: int, of: int) -> None:
    share = 100.0 * alike / both
    axis.barh(at, share, height=0.9 * _BAR / of, color=_COLOURS[place % len(_COLOURS)])
    axis.text(share + 1.5, at, f"{alike} of {both}", va="center", fontsize=7.5)


def _dress(axis: Axes, columns: Sequence[str], most: int) -> None:
    axis.axvline(_COIN, color="#999999", linewidth=0.9, linestyle="--", zorder=0)
    axis.set_xlim(0, 122)
    axis.set_xticks([0, 25, 50, 75, 100])
    axis.set_yticks(range(len(columns)), [in_figure(name) for name in columns])
    axis.set_ylim(most - 0.4, -0.6)
    axis.tick_params(labelsize=8.5, length=2)
    axis.spines[["top", "right"]].set_visible(False)
