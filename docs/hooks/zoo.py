"""The site's page of all objectives: formula, paper, picture, and results of the bench."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mirrorpo import objectives
from mirrorpo.discovery import artefact, shapes
from mirrorpo.reporting import export
from mirrorpo.reporting.page import benches, explorer, reading
from mirrorpo.reporting.picture import save
from mirrorpo.reporting.published import unpacking

ROOT = Path(__file__).parents[2]
BENCHES = (
    "leaderboard-hopper-noisy",
    "leaderboard-hopper-mixed",
    "leaderboard-hopper-base",
    "leaderboard-hopper-half",
    "leaderboard-hopper-second-mixture",
    "discovered-hopper",
    "hopper-delta",
    "leaderboard-tla-noisy",
    "leaderboard-tla-mixed",
    "leaderboard-tla-base",
    "leaderboard-tla-less-noise",
    "leaderboard-tla-half",
    "leaderboard-tla-second-mixture",
    "leaderboard-walker2d-noisy",
    "leaderboard-walker2d-mixed",
    "leaderboard-walker2d-base",
    "leaderboard-walker2d-half",
    "leaderboard-walker2d-second-mixture",
)
"""Runs that are, of one task, of the same data and budget: they can stand beside each other. How
many agents are behind a number, the standard error tells."""

NAMES = {"slic-filtered[drop=0.4,weight=1,delta=5]": "slic-robust"}
"""Names of today for those that the runs have."""

HEAD = (
    "`chosen` and `rejected` are a pair's log-probs; `chosen_ratio` and `rejected_ratio` the same "
    "minus the reference's; `margin` is chosen minus rejected, of log-ratios where there is a "
    "reference. `mean`, `sum`, `std`, `var`, `sort`, `quantile` and `sparsemax` are over the "
    "batch, and over earlier batches where an objective has a memory; `n` is the number of pairs "
    "and `t` training's progress. `chances(w, share)` are a pair's chances to be among that share "
    "of the batch, drawn by weight `exp(w)`; `targets(x, gamma, tau)` have the mean gamma and "
    "minimise `mean(-log(sigmoid(x - targets)))` plus tau times the divergence of their shares "
    "from equal ones. `psi`, `Phi`, `g` and `schedule` are functions of your choice, the first two "
    "of a log-prob."
)
"""The names that the formulas use."""

MEMBERS = {
    "1s-mpo": "a family; its members are measured under their own names: cpo, orpo, discoveries"
}
"""What stands in place of results that a name has none of."""


def page() -> str:
    """The page of all objectives, in alphabetical order, discoveries last."""
    results = bench_results()
    parts = [
        "# The zoo\n\nEvery named objective. Formulas are what training raises; the loss is their "
        f"negative. {HEAD} Pictures: the size of the gradient over the chosen "
        "log-prob (across) and the rejected (up), at the first values of the list; arrows show "
        "where training moves a pair.\n",
        overview(results),
    ]
    parts += [entry(choice, results) for choice in explorer.zoo()]
    parts += [found_entry(choice, results) for choice in discovered()]
    return "\n".join(parts)


def overview(results: pd.DataFrame) -> str:
    """All on one table: normalised scores by objective, and by task and variant."""
    table = side_by_side(results)
    head = [f"{task}<br>{variant}" for task, variant in table.columns]
    lines = [
        "## All on one table\n",
        "Normalised: 0 the worse and 1 the better source agent; bold: the best three of a column. "
        "By the mean over Hopper's columns, where what is below -1 counts as -1. Errors and "
        "hyper-parameters: below, and in the results.\n",
        f"| objective | {' | '.join(head)} |",
        f"| --- |{' ---: |' * len(head)}",
    ]
    for name, row in table.iterrows():
        cells = []
        for column, value in row.items():
            top = np.isfinite(value) and (table[column] > value).sum() < 3
            cells.append(f"**{said(value)}**" if top else said(value))
        lines.append(f"| [{name}](#{str(name).partition('[')[0]}) | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def side_by_side(results: pd.DataFrame) -> pd.DataFrame:
    """Normalised scores by objective, and by task and variant where most have one."""
    table = results.pivot_table(
        index="algorithm", columns=["task", "variant"], values="normalised", dropna=False
    )
    known = table.notna().sum()
    table = table.loc[:, known > known.groupby("task").transform("max") / 2]
    order = table["hopper"].clip(lower=-1).mean(axis=1).sort_values(ascending=False).index
    return table.loc[order]


def said(value: float) -> str:
    """A score with two decimals."""
    if np.isnan(value):
        return ""
    return f"{round(value, 2) + 0.0:.2f}" if value >= -1 else "< -1"


def picture_of_all(table: pd.DataFrame, path: Path) -> None:
    """Draw `side_by_side` in colours."""
    figure = Figure(figsize=(8.2, 0.235 * len(table) + 1.2), dpi=110, layout="constrained")
    axis = figure.subplots()
    image = axis.imshow(table.to_numpy(), cmap="viridis", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(table.to_numpy()):
        colour = "black" if value > 0.6 else "white"
        axis.text(column, row, said(value), ha="center", va="center", fontsize=7, color=colour)
    axis.set_yticks(range(len(table)), table.index, fontsize=8)
    names = [f"{task}\n{variant}".replace("-", "\n") for task, variant in table.columns]
    axis.set_xticks(range(len(names)), names, fontsize=8)
    axis.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    axis.tick_params(left=False)
    figure.colorbar(image, ax=axis, shrink=0.4, label="0: worse source agent, 1: better")
    save(figure, path)


def pictures() -> Iterator[tuple[str, bytes]]:
    """The page's pictures: path on the site, and PNG."""
    for choice in (*explorer.zoo(), *discovered()):
        yield f"zoo/{choice.label}.png", picture(choice)


def discovered() -> list[explorer.Choice]:
    """The discoveries that come with the package."""
    return [explorer.Choice(name, artefact.load(name).objective, {}) for name in artefact.shipped()]


def entry(choice: explorer.Choice, results: pd.DataFrame) -> str:
    """One objective: what its class says, its paper, hyper-parameters, picture and results."""
    objective = choice.objective
    lines = [f"## {choice.label}\n", (type(objective).__doc__ or "").strip().split("\n\n")[0], ""]
    lines += ["```python", *objective.formula, "```\n"]
    lines += [image(choice), f"- **Paper**: {objective.paper}"]
    if choice.grid:
        grid = "; ".join(f"{name}: {', '.join(map(str, v))}" for name, v in choice.grid.items())
        lines += [f"- **Hyper-parameters** searched on the bench: {grid}"]
    published = objectives.get(choice.label)
    reference = "the reference's log-probs too" if objective.needs_reference else "log-probs alone"
    stages = ", then ".join(f"{epochs} epochs of {name}" for name, epochs in objective.stages)
    lines += [
        f"- **Needs** {reference}; aggregation as published: {published.aggregation}",
        f"- **Recipe on the bench**: {stages}",
        scores(choice, results),
    ]
    return "\n".join([*lines, ""])


def found_entry(choice: explorer.Choice, results: pd.DataFrame) -> str:
    """One discovery: what was searched, where, picture, known failures and results."""
    provenance = artefact.load(choice.label).provenance
    settings = provenance["settings"]
    formula = (
        "The formula in few terms of what was found" if "formula_of" in provenance else "Found"
    )
    lines = [
        f"## {choice.label}\n",
        f"{formula} by `mirrorpo discover` on {settings['task']}, "
        f"{', '.join(settings['variants'])}: a member of the {settings['family']} family with "
        f"learned {', '.join(settings['learn'])}. What "
        "it does: [gated](gated.md#what-searches-had-found).\n",
        image(choice),
        f"- **Known failures**: {provenance['known_failures'].replace('+-', '±')}",
        scores(choice, results),
    ]
    return "\n".join([*lines, ""])


def image(choice: explorer.Choice) -> str:
    """The picture of its gradient."""
    return f"![Gradient map of {choice.label}](zoo/{choice.label}.png){{ width=260 }}\n"


def scores(choice: explorer.Choice, results: pd.DataFrame) -> str:
    """When it wins and when it fails on our bench."""
    named = results.algorithm.str.partition("[")[0]
    own = results[named == choice.label].sort_values("normalised", ascending=False)
    if own.empty:
        return f"- **On our bench**: {MEMBERS.get(choice.label, 'not measured yet')}"
    shown = ", ".join(
        f"{row.task} {row.variant}{_given(row.algorithm)} {row.normalised:.2f} ± "
        f"{row.normalised_error:.2f} (place {row.place} of {row.of})"
        for row in own.itertuples()
    )
    return (
        "- **On our bench**, 0 the worse and 1 the better source agent, from where it does "
        f"best to where it does worst: {shown}"
    )


def _given(algorithm: str) -> str:
    """What stands in an algorithm's brackets, if anything."""
    values = algorithm.partition("[")[2].rstrip("]")
    return f" with {values}" if values else ""


def bench_results() -> pd.DataFrame:
    """Results of `BENCHES`, with the place among all objectives measured on a variant.

    Of several results of a cell the first bench's counts.
    """
    with unpacking.folders([ROOT / "results" / name for name in BENCHES]) as found:
        parts = reading.read(found)
    together = pd.concat([export.results(benches.places(bench)) for bench in parts.benches])
    together["algorithm"] = together["algorithm"].replace(NAMES)
    together = together.drop_duplicates(["task", "variant", "algorithm"])
    cells = together.groupby(["task", "variant"]).normalised
    together["place"] = cells.rank(ascending=False, method="min").astype(int)
    together["of"] = cells.transform("size")
    return together


def picture(choice: explorer.Choice) -> bytes:
    """The gradient map as PNG."""
    objective = choice.objective
    for name, values in choice.grid.items():
        objective = objectives.get(
            choice.label, **{**fields_of(objective), name: values[0], "aggregation": "mean"}
        )
    _, chosen, rejected = shapes.maps(objective, 0.5)
    size = np.hypot(chosen, rejected)
    shown = np.log10(np.maximum(size, size.max() * 1e-4)) if size.max() > 20 * size.min() else size
    figure = Figure(figsize=(2.6, 2.6), dpi=100, layout="constrained")
    axis = figure.subplots()
    ends = [shapes.LOW, shapes.HIGH]
    axis.imshow(shown.T, origin="lower", extent=[*ends, *ends], cmap="viridis")
    some = slice(4, None, 8)
    places = shapes.axis()[some]
    length = np.maximum(size[some, some], 1e-12)
    axis.quiver(
        *np.meshgrid(places, places, indexing="ij"),
        -chosen[some, some] / length,
        -rejected[some, some] / length,
        color="white",
        pivot="middle",
        scale=14,
    )
    axis.set(xlabel="chosen", ylabel="rejected")
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def fields_of(objective: objectives.Objective) -> dict:
    """Its numbers and choices by name."""
    return {
        name: value
        for name, value in vars(objective).items()
        if isinstance(value, (int, float, str))
    }


if __name__ == "__main__":
    picture_of_all(side_by_side(bench_results()), Path(sys.argv[1]))
