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

from mirrorpo import digits, standard_error
from mirrorpo.discovery import listing
from mirrorpo.reporting import comparison
from mirrorpo.reporting.picture import save
from mirrorpo.reporting.published import unpacking
from mirrorpo.study.phases import FINAL

ROOT = Path(__file__).parents[2]
ROBOTS = {
    "Hopper": (
        "leaderboard-hopper-noisy",
        "leaderboard-hopper-mixed",
        "leaderboard-hopper-base",
        "leaderboard-hopper-half",
        "leaderboard-hopper-second-mixture",
        "discovered-gated-hopper",
        "discovered-hopper",
        "judged-hopper",
        "hopper-delta",
    ),
    "Three-Legged Ant": (
        "leaderboard-tla-noisy",
        "leaderboard-tla-mixed",
        "leaderboard-tla-base",
        "leaderboard-tla-less-noise",
        "leaderboard-tla-half",
        "leaderboard-tla-second-mixture",
        "discovered-gated-tla",
    ),
    "Walker2d": (
        "leaderboard-walker2d-noisy",
        "leaderboard-walker2d-mixed",
        "leaderboard-walker2d-base",
        "leaderboard-walker2d-half",
        "leaderboard-walker2d-second-mixture",
    ),
}
"""Published runs of each robot: the same data and protocol. Of several results of a cell the first
run's counts."""

TEXTS = {
    "Reviews (small model)": (
        "reviews-small-8-noisy",
        "reviews-small-8-mixed",
        "reviews-small-8-noisy01",
        "reviews-small-8-base",
        "reviews-small-8-noisy-temporal",
        "reviews-small-8-mixed-temporal",
        "reviews-small-8-noisy01-temporal",
        "reviews-small-8-base-temporal",
        "reviews-small-noisy",
        "reviews-small-base",
    ),
    "Plain English (small model)": (
        "plain-small-noisy",
        "plain-small-mixed",
        "plain-small-noisy01",
        "plain-small-base",
    ),
    "Reviews (SmolLM2)": (
        "reviews-filtered",
        "reviews-gated",
        "reviews-found",
        "reviews-gated-reference",
    ),
}
"""Published runs of benches on language models."""

ON_TEXTS = {
    "Reviews (small model)": "1.6 million parameters, tuned",
    "Plain English (small model)": "1.6 million parameters, a second reward, tuned",
    "Reviews (SmolLM2)": "135 million parameters, untuned",
}
"""What is said of each below its columns' heads."""

VARIANTS = {
    "noisy:0.3": "3 in 10 labels wrong",
    "mixed-quality": "mixed quality",
    "base": "clean",
}
"""Kinds of data that all losses of a robot have."""

MORE_VARIANTS = {
    "noisy:0.2": "2 in 10 labels wrong",
    "noisy:0.1": "1 in 10 labels wrong",
    "bad-judge:1000": "bad judge",
    "bad-judge:1500": "bad judge",
    "bad-judge:2000": "bad judge",
    "mixed-quality+noisy:0.2": "mixed quality, 2 in 10 labels wrong",
}
"""Kinds of data that few losses have: their columns appear when the kind is chosen."""

ON_THE_PICTURE = ("noisy:0.3", "mixed-quality")
KNOWN = (
    *("sft", "dpo", "ipo", "simpo", "cpo", "orpo", "kto", "slic"),
    *("robust-dpo", "ropo", "cdpo", "dr-dpo", "ta-mpo"),
)
"""Losses that the picture shows wherever they stand, beside the best `BEST`."""
BEST = 16
NAMES = {
    "gated[weight=1,lower=0.5]": "gated",
    "gated-reference[weight=1,lower=0.5]": "gated-reference",
    "mirror-robust": "hopper-gated",
    "slic-filtered[drop=0.4,weight=1,delta=5]": "slic-robust",
    "ta-mpo[schedule=linear]": "ta-mpo",
}
"""Names of today for those that the runs have."""
OURS = (
    *("gated", "gated-reference", "hopper-gated"),
    *("hopper-noisy", "hopper-robust", "hopper-all", "hopper-hinge"),
)
AT_EDGE = "°"
LOWEST = -0.6
"""Scores below are drawn here on the picture."""

MARK = "<!-- the leaderboard -->"
"""In a page's text: where the table stands on the site."""


@cache
def agents() -> pd.DataFrame:
    """Every final agent, with `robot`, `loss` and `score`: 0 the worse source agent, 1 the
    better one. With them `edge_distance` and `at_edge` of its loss's tuning, as in summary.csv."""
    parts = [
        of_run(robot, run).assign(folder=at)
        for robot, runs in (ROBOTS | TEXTS).items()
        for at, run in enumerate(runs)
    ]
    together = pd.concat(parts)
    cells = together.groupby(["robot", "variant", "loss"])["folder"]
    return together[together["folder"] == cells.transform("min")]


def of_run(robot: str, run: str) -> pd.DataFrame:
    """The final agents of one published run."""
    with unpacking.folders([ROOT / "results" / run]) as (folder,):
        found = comparison.read(folder)
        tuned = pd.read_csv(folder / "summary.csv")
    rows = found.agents[found.agents["phase"] == FINAL]
    edges = tuned[["variant", "algorithm", "edge_distance", "at_edge"]]
    # Without a name in it, the column is read as numbers.
    edges = edges.assign(at_edge=edges["at_edge"].astype(object).fillna(""))
    rows = rows.merge(edges, "left", ["variant", "algorithm"])
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
    """One row per robot, variant and loss: mean score, its standard error, agents, seconds, and
    how near an edge its tuning ended."""
    rows = []
    for key, found in agents().groupby(["robot", "variant", "loss"], sort=False):
        mean, error = standard_error.mean_and_error(found["score"], found["data_draw"])
        seconds = (found["train_seconds"] + found["evaluate_seconds"]).mean()
        first = found.iloc[0]
        tuned = (first["edge_distance"], first["at_edge"])
        rows.append((*key, mean, error, len(found), seconds, *tuned))
    columns = ["robot", "variant", "loss", "mean", "error", "agents", "seconds"]
    return pd.DataFrame(rows, columns=[*columns, "edge_distance", "at_edge"])


def table() -> str:
    """The table as HTML: docs/leaderboard.js sorts it and chooses robots, data and families."""
    found = cells()
    grounds = [*((robot, VARIANTS | MORE_VARIANTS) for robot in ROBOTS)]
    grounds += [(texts, VARIANTS) for texts in TEXTS]
    columns = [
        (robot, variant)
        for robot, variants in grounds
        for variant in variants
        if ((found["robot"] == robot) & (found["variant"] == variant)).any()
    ]
    by_cell = found.set_index(["robot", "variant", "loss"])
    kinds = {entry.name: entry.kind for entry in listing.entries()}
    by_loss = found[found["robot"].isin(ROBOTS)].groupby("loss")["mean"]
    order = pd.DataFrame({"columns": by_loss.size(), "worst": by_loss.min()})
    every = order.reindex(found["loss"].unique())
    losses = every.sort_values(["columns", "worst"], ascending=False).index
    robots = found[found["robot"].isin(ROBOTS)]
    head = [
        '<th data-sort="text">loss</th><th data-sort="text">family</th>',
        *(score_head(robot, variant) for robot, variant in columns),
        '<th data-sort="number" data-of="worst">worst</th>',
        '<th data-sort="number" data-of="mean">mean</th>',
        '<th data-sort="number" data-of="edge" title="how near tuned values came to an end of '
        'their ranges, as a share of the width: the nearest of the shown columns">edge</th>',
        '<th data-sort="number" title="training and evaluation of one agent on a robot">'
        "seconds</th>",
    ]
    rows = []
    for loss in losses:
        kind = kinds.get(loss.partition("[")[0], "")
        row = [
            f'<td><a href="zoo/#{loss.partition("[")[0]}">{html.escape(loss)}</a></td>',
            f"<td>{html.escape(kind)}</td>",
        ]
        for key in ((*column, loss) for column in columns):
            row.append(score_cell(by_cell.loc[key] if key in by_cell.index else None))
        row.append("<td></td>" * 3)
        seconds = robots.loc[robots["loss"] == loss, "seconds"].mean()
        timed = f' data-value="{seconds:.3f}">{seconds:.1f}' if np.isfinite(seconds) else ">"
        row.append(f"<td{timed}</td>")
        rows.append(f'<tr data-family="{html.escape(kind)}">{"".join(row)}</tr>')
    return "\n".join(
        [
            '<div class="leaderboard" markdown="0">',
            "<p>0 is the worse and 1 the better of the two agents that made the data; ± one "
            "standard error over agents and draws. Worst and mean are over the columns that are "
            "shown and that a loss has; sorted by them, a loss that lacks a column stands below "
            "those that have it. Click a head to sort, a loss for its formula and gradient "
            "map.</p>",
            '<p><label>robot or text <select data-choose="robot"></select></label> '
            '<label>data <select data-choose="variant"></select></label> '
            '<label>family <select data-choose="family"></select></label></p>',
            f"<table><thead><tr>{''.join(head)}</tr></thead>",
            f"<tbody>{''.join(rows)}</tbody></table>",
            f"<p>{notes(found)}</p>",
            "</div>",
        ]
    )


def notes(found: pd.DataFrame) -> str:
    """What a reader of the table must know of its marks and of the columns that few losses have."""
    tuned = found[found["edge_distance"].notna() & found["variant"].isin(VARIANTS)]
    at_edge = tuned[tuned["at_edge"] != ""]
    toward = at_edge["at_edge"].str.contains("toward SFT").sum()
    texts = " ".join(
        f"{name}: a language model of {ON_TEXTS[name]}, "
        f"{found.loc[found['robot'] == name, 'agents'].min()} agents or more per cell; its sources "
        f"earn {' and '.join(source_means(runs[0]))} (± over texts), so the scale itself is rough."
        for name, runs in TEXTS.items()
    )
    return (
        f"{AT_EDGE} tuning ended within a tenth of an end of a range, at {len(at_edge)} of "
        f"{len(tuned)} optima, {toward} of them toward plain SFT, where ranges are not widened; "
        "point at a score for which. Kinds of data that few losses have appear when chosen. "
        f"{texts} Texts count when chosen."
    )


def source_means(run: str) -> list[str]:
    """What a published run's source agents earn, the worse first."""
    with unpacking.folders([ROOT / "results" / run]) as (folder,):
        sources = comparison.read(folder).table.sources
    places = digits.after_point(one.mean for one in sources)
    return [f"{one.mean:.{places}f} ± {one.standard_error:.{places}f}" for one in reversed(sources)]


def score_head(robot: str, variant: str) -> str:
    """The head of a column of scores. `data-only` names the choice that makes it appear."""
    more = variant in MORE_VARIANTS
    kind = MORE_VARIANTS[variant] if more else VARIANTS[variant]
    only = ' data-only="robot"' if robot in TEXTS else ' data-only="variant"' if more else ""
    said = f"<br>{ON_TEXTS[robot]}" if robot in TEXTS else ""
    return (
        f'<th data-robot="{robot}" data-variant="{kind}"{only} data-sort="number" '
        f'title="{variant}">{robot}<br>{kind}{said}</th>'
    )


def score_cell(cell: pd.Series | None) -> str:
    """One score of the table; empty where a loss was not measured."""
    if cell is None or not np.isfinite(cell["mean"]):
        return "<td></td>"
    shown = f"{cell['mean']:.2f} ± {cell['error']:.2f}"
    tuned = ""
    if np.isfinite(cell["edge_distance"]):
        where = f" ({cell['at_edge']})" if cell["at_edge"] else ""
        shown += AT_EDGE if where else ""
        said = html.escape(f"distance from an edge {cell['edge_distance']:.2f}{where}")
        tuned = f' data-edge="{cell["edge_distance"]:.4f}" title="{said}"'
    return f'<td data-value="{cell["mean"]:.4f}"{tuned}>{shown}</td>'


def picture(path: Path) -> None:
    """Every agent of well-known losses and of the best of those that were measured on two robots or
    more, a panel per robot and fault, as a PNG file."""
    every = agents()
    shown = every[every["variant"].isin(ON_THE_PICTURE) & every["robot"].isin(ROBOTS)]
    shown = shown[shown.groupby("loss")["robot"].transform("nunique") > 1]
    # A robot that some losses lack would move them: the order is by the robots that all have.
    measured = shown.groupby("robot")["loss"].nunique()
    shared = shown["robot"].isin(measured.index[measured == measured.max()])
    means = shown[shared].groupby("loss")["score"].mean().sort_values()
    order = [name for name in means.index if name in KNOWN or name in means.index[-BEST:]]
    figure = Figure(figsize=(11, 9), dpi=110, layout="constrained")
    axes = figure.subplots(
        len(ON_THE_PICTURE), len(ROBOTS), sharex="col", sharey=True, squeeze=False
    )
    for row, variant in enumerate(ON_THE_PICTURE):
        for column, robot in enumerate(ROBOTS):
            here = shown[(shown["robot"] == robot) & (shown["variant"] == variant)]
            panel(axes[row, column], here, order)
            axes[row, column].set_title(f"{robot}, {VARIANTS[variant]}", fontsize=10)
    figure.supxlabel(
        "true return of each trained agent: 0 the worse of the two agents that made the data, "
        f"1 the better\n(below {LOWEST:g} drawn there); bars are means; orange: this library's own",
        fontsize=10,
    )
    save(figure, path)


def panel(axis: Axes, found: pd.DataFrame, order: list[str]) -> None:
    """Draw one robot and fault: a row per loss, a dot per agent, a bar at the mean."""
    for end in (0.0, 1.0):
        axis.axvline(end, color="0.8", linewidth=1, zorder=0)
    for height, name in enumerate(order):
        exact = found.loc[found["loss"] == name, "score"]
        if exact.empty:
            continue
        scores, mean = exact.clip(lower=LOWEST), max(exact.mean(), LOWEST)
        colour = "tab:orange" if name in OURS else "tab:blue"
        axis.scatter(scores, [height] * len(scores), s=16, alpha=0.5, color=colour, linewidths=0)
        axis.plot([mean] * 2, [height - 0.35, height + 0.35], color=colour, linewidth=2)
    axis.set_yticks(range(len(order)), order, fontsize=8)
    axis.set_xlim(LOWEST - 0.05, max(1.12, found["score"].max() + 0.05))
    axis.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    picture(Path(sys.argv[1]))
