"""``mirrorpo judge``: two models' answers, compared by a judge."""

from pathlib import Path
from typing import Annotated

import tyro

import mirrorpo as mpo
from mirrorpo import runs
from mirrorpo.cli.console import console, progress
from mirrorpo.front.run_folder import BY_NAME
from mirrorpo.front.settings import JudgeSettings


def judge(
    model: Annotated[str, tyro.conf.Positional],
    settings: tyro.conf.OmitArgPrefixes[JudgeSettings],
    out: Path | None = None,
    cache: Path | None = None,
) -> None:
    """Win rate of a model's answers, plain and length-controlled, by a judge (extra `llm`).

    Answers come from a file, or are generated. Without a baseline they are only generated. The
    same command resumes an interrupted run, and no call of a judge is made twice.

    Args:
        model: a file of answers (instruction, output, generator): .json, .jsonl, .csv or
            .parquet; or a model: a folder, also one of `mirrorpo align`, a hub's name, or smollm2.
        settings: what to compare, and how.
        out: run folder; by default runs/judge-MODEL-... named by the settings.
        cache: folder of what judges have said; the user's cache by default.
    """
    with progress("done") as told:
        found = mpo.judge(model, out=out or BY_NAME, cache=cache, progress=told, **vars(settings))
    for line in found.lines:
        console.print(line)
    if found.results is not None:
        console.print(f"Every verdict is in {found.folder / runs.METRICS}.")
