"""``mirrorpo recommend``: what a preference dataset is like, and which objectives suit it."""

from pathlib import Path
from typing import Annotated

import tyro

import mirrorpo as mpo
from mirrorpo.cli.console import console, progress
from mirrorpo.front.settings import RecommendSettings


def recommend(
    data: Annotated[Path, tyro.conf.Positional],
    settings: tyro.conf.OmitArgPrefixes[RecommendSettings],
    out: Path | None = None,
) -> None:
    """Estimate what a preference dataset is like, and name the objectives that won on such data.

    The rate of wrong labels comes from preference models trained on the other pairs; see
    docs/recommend.md for how good the estimates are.

    Args:
        data: a dataset of `mirrorpo data generate` (.safetensors), or texts with the columns
            prompt, chosen and rejected: .jsonl, .json, .csv, .parquet, or a folder; see
            docs/howto/pairs.md. Columns ref_chosen_logps and ref_rejected_logps, a reference's
            summed log-probs, are used where they are there.
        settings: how to read it, and what to compare with.
        out: JSON file for all figures; nothing is written by default.
    """
    with progress("steps") as told:
        found = mpo.recommend(data, out=out, progress=told, **vars(settings))
    for line in found.lines:
        console.print(line)
    if out is not None:
        console.print(f"{out} holds all figures.")
