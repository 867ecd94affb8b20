"""How much agents use each limb, as a table and as bars."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from mirrorpo import files
from mirrorpo.agents.limb_use import LimbUse
from mirrorpo.reporting.picture import Picture

_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
"""Told apart by colour-blind readers too (Okabe and Ito)."""

MARK = "agent,limb,mean_absolute_action,"
"""How every table of `to_frame` begins as CSV."""


def to_frame(uses: Mapping[str, LimbUse]) -> pd.DataFrame:
    """One row per agent and limb: mean over episodes of the mean |action|, and standard errors.

    The column `squared_sum` is the mean over episodes of the sum of squared clipped actions.
    """
    rows = []
    for agent, use in uses.items():
        for limb in use.limbs:
            absolute, squared = use.mean_use(limb), use.mean_squared_sum(limb)
            rows.append(
                {
                    "agent": agent,
                    "limb": limb,
                    "mean_absolute_action": absolute.value,
                    "mean_absolute_action_standard_error": absolute.standard_error,
                    "squared_sum": squared.value,
                    "squared_sum_standard_error": squared.standard_error,
                    "episodes": len(use.returns),
                }
            )
    return pd.DataFrame(rows)


def draw(uses: Mapping[str, LimbUse], penalised: str | None, title: str) -> Figure:
    """A group of bars for each limb, one for each agent, with standard errors.

    Args:
        uses: the uses of each agent, by its label; all of one robot.
        penalised: the limb that is marked as penalised; None for none.
        title: the title of the plot.
    """
    limbs = next(iter(uses.values())).limbs
    figure = Picture(figsize=(max(6.4, 1.0 + 0.35 * len(limbs) * len(uses)), 3.8), dpi=150)
    axis = figure.subplots()
    width = 0.8 / len(uses)
    for i, (agent, use) in enumerate(uses.items()):
        estimates = [use.mean_use(limb) for limb in limbs]
        axis.bar(
            [place + (i - (len(uses) - 1) / 2) * width for place in range(len(limbs))],
            [found.value for found in estimates],
            width=0.92 * width,
            yerr=[found.standard_error for found in estimates],
            capsize=3,
            color=_COLOURS[i % len(_COLOURS)],
            error_kw={"elinewidth": 1, "ecolor": "#333333"},
            label=agent,
        )
    axis.set_xticks(
        range(len(limbs)), [f"{limb}\n(penalised)" if limb == penalised else limb for limb in limbs]
    )
    axis.set_ylabel("mean |clipped action|")
    axis.set_ylim(0, 1)
    axis.set_title(title, fontsize=10)
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis="y", color="#dddddd", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def save(path: Path, figure: Figure) -> None:
    """Write the figure as PNG."""
    files.write_atomically(
        path, lambda part: figure.savefig(part, format="png", bbox_inches="tight")
    )
