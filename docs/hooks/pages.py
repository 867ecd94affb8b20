"""Pages of the site that the code and the repository write: the zoo of objectives, the recipes,
and results that the navigation does not name yet."""

import io
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from mirrorpo import objectives
from mirrorpo.cli.console import start_jax

start_jax()

from mirrorpo.report.page import explorer  # noqa: E402

ROOT = Path(__file__).parents[2]
RECIPES, RECIPES_PAGE = "../recipes/README.md", "recipes.md"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add result pages that are not in the navigation to its last part."""
    named = str(config.nav)
    results = config.nav[-1]["Results"]
    results += [
        path.name for path in sorted((ROOT / "docs").glob("*.md")) if path.name not in named
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made here."""
    recipes = (ROOT / "recipes" / "README.md").read_text(encoding="utf-8")
    files.append(File.generated(config, RECIPES_PAGE, content=recipes))
    files.append(File.generated(config, "zoo.md", content=zoo()))
    for choice in explorer.zoo():
        name = f"zoo/{choice.label}.png"
        files.append(File.generated(config, name, content=picture(choice)))
    return files


def on_page_markdown(markdown: str, **kwargs: object) -> str:
    """Links to the recipes lead to their page on the site."""
    return markdown.replace(RECIPES, RECIPES_PAGE)


def zoo() -> str:
    """The page of all objectives, in alphabetical order."""
    results = bench_results()
    parts = [
        "# The zoo\n\nEvery named objective. Formulas are what training raises; the loss is their "
        "negative. A margin is chosen minus rejected: of log-probs, or, where there is a "
        "reference, of log-ratios to it. Pictures: the size of the gradient over the chosen "
        "log-prob (across) and the rejected (up), at the first values of the list; arrows show "
        "where training moves a pair.\n"
    ]
    parts += [entry(choice, results) for choice in explorer.zoo()]
    return "\n".join(parts)


def entry(choice: explorer.Choice, results: pd.DataFrame) -> str:
    """One objective: what its class says, its paper, hyper-parameters, picture and results."""
    objective = choice.objective
    lines = [f"## {choice.label}\n", (type(objective).__doc__ or "").strip().split("\n\n")[0], ""]
    lines += [f"![Gradient map of {choice.label}](zoo/{choice.label}.png){{ width=260 }}\n"]
    lines += [f"- **Paper**: {objective.paper}"]
    if choice.grid:
        grid = "; ".join(f"{name}: {', '.join(map(str, v))}" for name, v in choice.grid.items())
        lines += [f"- **Hyper-parameters** searched on the bench: {grid}"]
    published = objectives.get(choice.label)
    reference = "the reference's log-probs too" if objective.needs_reference else "log-probs alone"
    stages = ", then ".join(f"{epochs} epochs of {name}" for name, epochs in objective.stages)
    lines += [
        f"- **Needs** {reference}; aggregation as published: {published.aggregation}",
        f"- **Recipe on the bench**: {stages}",
    ]
    own = results[results.algorithm == choice.label].sort_values("normalised", ascending=False)
    if len(own):
        scores = ", ".join(
            f"{row.task} {row.variant} {row.normalised:.2f} ± {row.normalised_error:.2f} "
            f"(place {row.rank:.0f})"
            for row in own.itertuples()
        )
        lines += [
            "- **On our bench**, 0 the worse and 1 the better source agent, from where it does "
            f"best to where it does worst: {scores}"
        ]
    return "\n".join([*lines, ""])


def bench_results() -> pd.DataFrame:
    """The bench results that come with the package."""
    folder = Path(str(resources.files("mirrorpo"))) / "assets" / "bench"
    return pd.concat(pd.read_csv(path) for path in sorted(folder.glob("*.csv")))


def picture(choice: explorer.Choice) -> bytes:
    """The gradient map as PNG."""
    objective = choice.objective
    for name, values in choice.grid.items():
        objective = objectives.get(
            choice.label, **{**fields_of(objective), name: values[0], "aggregation": "mean"}
        )
    _, chosen, rejected = explorer.maps(objective, 0.5)
    size = np.hypot(chosen, rejected)
    shown = np.log10(np.maximum(size, size.max() * 1e-4)) if size.max() > 20 * size.min() else size
    figure = Figure(figsize=(2.6, 2.6), dpi=100, layout="constrained")
    axis = figure.subplots()
    ends = [explorer.LOW, explorer.HIGH]
    axis.imshow(shown.T, origin="lower", extent=[*ends, *ends], cmap="viridis")
    some = slice(4, None, 8)
    places = explorer.grid_axis()[some]
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
