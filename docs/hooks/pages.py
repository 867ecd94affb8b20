"""Pages of the site that the code and the repository write: the zoo of objectives, the recipes,
and results that the navigation does not name yet."""

import importlib
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from mirrorpo.runtime.start import start_jax

# Before what imports the simulator, which talks then.
start_jax()
zoo = importlib.import_module("zoo")
leaderboard = importlib.import_module("leaderboard")

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
    files.append(File.generated(config, "zoo.md", content=zoo.page()))
    for path, content in zoo.pictures():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, **kwargs: object) -> str:
    """Links to the recipes lead to their page on the site, and the leaderboard stands in place."""
    if leaderboard.MARK in markdown:
        markdown = markdown.replace(leaderboard.MARK, leaderboard.table())
    return markdown.replace(RECIPES, RECIPES_PAGE)
