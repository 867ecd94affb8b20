"""``mirrorpo align``: fine-tune a language model as a recipe says."""

from pathlib import Path
from typing import Annotated

import tyro

import mirrorpo as mpo
from mirrorpo.cli.console import console, progress
from mirrorpo.divergence import Diverged
from mirrorpo.front.run_folder import BY_NAME
from mirrorpo.front.settings import AlignSettings


def align(
    recipe: Annotated[Path, tyro.conf.Positional],
    settings: tyro.conf.OmitArgPrefixes[AlignSettings],
    out: Path | None = None,
) -> None:
    """Fine-tune a language model on preference pairs, as a YAML recipe says (extra `llm`).

    The same command resumes an interrupted run. On several GPUs: `accelerate launch -m
    mirrorpo align RECIPE`.

    Args:
        recipe: a file such as those in recipes/.
        settings: changes to the recipe.
        out: run folder; by default runs/align-RECIPE-DATASET-seedSEED.
    """
    with progress("steps") as told:
        found = mpo.align(
            recipe, out=out or BY_NAME, progress=told, say=console.print, **vars(settings)
        )
    if not found.is_first:
        return
    if found.diverged:
        raise Diverged(found.lines[0])
    for line in found.lines:
        console.print(line)
