"""``mirrorpo explain``: what an objective does, as pictures and as a formula."""

from pathlib import Path
from typing import Annotated

import tyro

import mirrorpo as mpo
from mirrorpo.cli.console import console
from mirrorpo.front.run_folder import BY_NAME
from mirrorpo.front.settings import ExplainSettings


def explain(
    objective: Annotated[str, tyro.conf.Positional],
    settings: tyro.conf.OmitArgPrefixes[ExplainSettings],
    out: Path | None = None,
) -> None:
    """Draw what an objective pulls at, and write it as a formula of few terms.

    Writes gradient_map and, for a member of the mirror family, functions as PNG and SVG;
    closed_form.json (an objective, to be trained like any other), closed_form.tex, explain.json.

    Args:
        objective: a name, a name with values as in dpo[beta=100], a saved or shipped
            discovery, or PATH.py:CLASS.
        settings: what to look at.
        out: run folder; by default runs/explain-OBJECTIVE-... named by the settings.
    """
    found = mpo.explain(objective, out=out or BY_NAME, **vars(settings))
    for line in found.lines:
        console.print(line)
    console.print(f"{found.folder} holds the pictures, the formula and its error.")
