"""The leaderboard: every loss on every robot and fault, as the site's sortable table and a picture.

python docs/hooks/leaderboard.py docs/images/leaderboard.png
"""

import html
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mirrorpo import standard_error
from mirrorpo.discovery import listing
from mirrorpo.reporting import comparison
from mirrorpo.reporting.picture import save
from mirrorpo.reporting.published import unpacking
from mirrorpo.study.tables import FINAL_PHASE

ROOT = Path(__file__).parents[2]
ROBOTS = {
    "Hopper": (
        "leaderboard-hopper",
        "leaderboard-hopper-specialists",
        "leaderboard-hopper-rest",
        "discovered-gated-hopper",
        "discovered-hopper",
        "judged-hopper",
    ),
    "Three-Legged Ant": (
        "leaderboard-tla",
        "leaderboard-tla-specialists",
        "leaderboard-tla-each-side",
        "discovered-gated-tla",
        "discovered-tla",
        "fixed-tla",
        "fixed-tla-clean",
        "gated-reference-tla",
    ),
    "Walker2d": ("leaderboard-walker2d",),
}
"""Published runs of each robot: the same data and protocol. Of several results of a cell the first
run's counts."""

VARIANTS = {
    "noisy:0.3": "3 in 10 labels wrong",
    "mixed-quality": "mixed quality",
    "base": "clean",
}
ON_THE_PICTURE = ("noisy:0.3", "mixed-quality")
NAMES = {
    "gated[weight=1,lower=0.5]": "gated",
    "gated-reference[weight=1,lower=0.5]": "gated-reference",
    "mirror-robust": "hopper-gated",
}
"""Names of today for those that the runs have."""
OURS = (
    *("gated", "gated-reference", "hopper-gated"),
    *("hopper-noisy", "hopper-robust", "hopper-all", "hopper-hinge"),
)
LOWEST = -0.6
"""Scores below are drawn here on the picture."""

MARK = "<!-- the leaderboard -->"
"""In a page's text: where the table stands on the site."""


@cache
def agents() -> pd.DataFrame:
    """Every final agent, with `robot`, `loss` and `score`: 0 the worse source agent, 1 the
    better one."""
    parts = [
        of_run(robot, run).assign(folder=at)
        for robot, runs in ROBOTS.items()
        for at, run in enumerate(runs)
    ]
    together = pd.concat(parts)
    cells = together.groupby(["robot", "variant", "loss"])["folder"]
    return together[together["folder"] == cells.transform("min")]


def of_run(robot: str, run: str) -> pd.DataFrame:
    """The final agents of one published run."""
    with unpacking.folders([ROOT / "results" / run]) as (folder,):
        found = comparison.read(folder)
    rows = found.agents[found.agents["phase"] == FINAL_PHASE]
    better, worse = (source.mean for source in found.table.sources)
    return rows.assign(
        robot=robot,
        loss=rows["algorithm"].map(label),
        score=(rows["return_mean"] - worse) / (better - worse),
    )


def label(algorithm: str) -> str:
    """How a row is called."""
    name = "hopper-gated" if algorithm.endswith(".safetensors") else algorithm
    return NAMES.get(name, name)


def cells() -> pd.DataFrame:
    """One row per robot, variant and loss: mean score, its standard error, agents, seconds."""
    rows = []
    for key, found in agents().groupby(["robot", "variant", "loss"], sort=False):
        mean, error = standard_error.mean_and_error(found["score"], found["data_draw"])
        seconds = (found["train_seconds"] + found["evaluate_seconds"]).mean()
        rows.append((*key, mean, error, len(found), seconds))
    columns = ["robot", "variant", "loss", "mean", "error", "agents", "seconds"]
    return pd.DataFrame(rows, columns=columns)


def table() -> str:
    """The table as HTML: docs/leaderboard.js sorts it and chooses robots and families."""
    found = cells()
    found = found[found["variant"].isin(VARIANTS)]
    columns = [
        (robot, variant)
        for robot in ROBOTS
        for variant in VARIANTS
        if ((found["robot"] == robot) & (found["variant"] == variant)).any()
    ]
    by_cell = found.set_index(["robot", "variant", "loss"])
    kinds = {entry.name: entry.kind for entry in listing.entries()}
    losses = found.groupby("loss")["mean"].min().sort_values(ascending=False).index
    head = [
        '<th data-sort="text">loss</th><th data-sort="text">family</th>',
        *(
            f'<th data-robot="{robot}" data-sort="number">{robot}<br>{VARIANTS[variant]}</th>'
            for robot, variant in columns
        ),
        '<th data-sort="number" data-of="worst">worst</th>',
        '<th data-sort="number" data-of="mean">mean</th>',
        '<th data-sort="number" title="training and evaluation of one agent">seconds</th>',
    ]
    rows = []
    for loss in losses:
        kind = kinds.get(loss.partition("[")[0], "")
        row = [
            f'<td><a href="zoo/#{loss.partition("[")[0]}">{html.escape(loss)}</a></td>',
            f"<td>{html.escape(kind)}</td>",
        ]
        for robot, variant in columns:
            key = (robot, variant, loss)
            row.append(score_cell(robot, by_cell.loc[key] if key in by_cell.index else None))
        seconds = found.loc[found["loss"] == loss, "seconds"].mean()
        row.append(f'<td></td><td></td><td data-value="{seconds:.3f}">{seconds:.1f}</td>')
        rows.append(f'<tr data-family="{html.escape(kind)}">{"".join(row)}</tr>')
    return "\n".join(
        [
            '<div class="leaderboard" markdown="0">',
            "<p>0 is the worse and 1 the better of the two agents that made the data; ± one "
            "standard error over agents and draws. Worst and mean are over the columns that a loss "
            "has. Click a head to sort, a loss for its formula and gradient map.</p>",
            '<p><label>robot <select data-choose="robot"></select></label> '
            '<label>family <select data-choose="family"></select></label></p>',
            f"<table><thead><tr>{''.join(head)}</tr></thead>",
            f"<tbody>{''.join(rows)}</tbody></table>",
            "</div>",
        ]
    )


def score_cell(robot: str, cell: pd.Series | None) -> str:
    """One score of the table; empty where a loss was not measured."""
    if cell is None or not np.isfinite(cell["mean"]):
        return f'<td data-robot="{robot}"></td>'
    shown = f"{cell['mean']:.2f} ± {cell['error']:.2f}"
    return f'<td data-robot="{robot}" data-value="{cell["mean"]:.4f}">{shown}</td>'


def picture(path: Path) -> None:
    """Every agent of the losses that were measured on two robots or more, a panel per robot and
    fault, as a PNG file."""
    shown = agents()[agents()["variant"].isin(ON_THE_PICTURE)]
    shown = shown[shown.groupby("loss")["robot"].transform("nunique") > 1]
    order = list(shown.groupby("loss")["score"].mean().sort_values().index)
    figure = Figure(figsize=(11, 8), dpi=110, layout="constrained")
    axes = figure.subplots(
        len(ON_THE_PICTURE), len(ROBOTS), sharex=True, sharey=True, squeeze=False
    )
    for row, variant in enumerate(ON_THE_PICTURE):
        for column, robot in enumerate(ROBOTS):
            here = shown[(shown["robot"] == robot) & (shown["variant"] == variant)]
            panel(axes[row, column], here, order)
            axes[row, column].set_title(f"{robot}, {VARIANTS[variant]}", fontsize=10)
    figure.supxlabel(
        "true return of each trained agent: 0 the worse of the two agents that made the data, "
        "1 the better; bars are means; orange: this library's own",
        fontsize=10,
    )
    save(figure, path)


def panel(axis: Axes, found: pd.DataFrame, order: list[str]) -> None:
    """Draw one robot and fault: a row per loss, a dot per agent, a bar at the mean."""
    for end in (0.0, 1.0):
        axis.axvline(end, color="0.8", linewidth=1, zorder=0)
    for height, name in enumerate(order):
        scores = found.loc[found["loss"] == name, "score"].clip(lower=LOWEST)
        if scores.empty:
            continue
        colour = "tab:orange" if name in OURS else "tab:blue"
        axis.scatter(scores, [height] * len(scores), s=16, alpha=0.5, color=colour, linewidths=0)
        axis.plot([scores.mean()] * 2, [height - 0.35, height + 0.35], color=colour, linewidth=2)
    axis.set_yticks(range(len(order)), order, fontsize=9)
    axis.set_xlim(LOWEST - 0.05, 1.12)
    axis.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    picture(Path(sys.argv[1]))
