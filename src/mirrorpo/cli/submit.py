"""``mirrorpo submit`` and ``mirrorpo verify``: rows of the leaderboard, and whether they hold."""

from pathlib import Path
from typing import Annotated

import tyro

import mirrorpo as mpo
from mirrorpo.cli.console import console, fail, new_table, progress
from mirrorpo.front.run_folder import BY_NAME


def submit(
    objective: Annotated[str, tyro.conf.Positional],
    tier: str = "quick",
    out: Path | None = None,
    cache: Path | None = None,
    ray: str | None = None,
) -> None:
    """Measure a loss in the leaderboard's suite and write its rows to one JSON file.

    The same command resumes an interrupted submission. See docs/howto/leaderboard.md for
    how to send the file.

    Args:
        objective: a name, with or without values as in dpo[beta=3], or my_loss.py:MyLoss.
        tier: quick, Hopper alone, at most half an hour on two cores; or full, all robots.
        out: folder for the file and the runs; by default runs/submit-... named by the loss.
        cache: folder for simulated trajectories; the user's cache by default.
        ray: train and score on a Ray cluster (extra `cluster`): auto, HOST:PORT, or local:N.
    """
    with progress("agents") as told:
        result = mpo.submit(
            objective, tier=tier, out=out or BY_NAME, cache=cache, ray=ray, progress=told
        )
    from mirrorpo.study.tables import mean_text

    numbers, title = ("true return ± s.e.", "agents"), result.submission.objective
    table = new_table("task", "variant", *numbers, numbers=numbers, title=title)
    for row in result.table.itertuples():
        mean = mean_text(row.mean, row.standard_error, 0)
        table.add_row(row.task, row.variant, mean, str(row.agents))
    console.print(table)
    console.print(f"{result.file} holds all rows of suite {result.submission.suite}.")


def verify(
    file: Annotated[Path, tyro.conf.Positional],
    objective: Annotated[str | None, tyro.conf.Positional] = None,
    cells: int = 3,
    seed: int | None = None,
    cache: Path | None = None,
) -> None:
    """Measure random cells of a submission again, and say whether they agree.

    No code that the file names is run: name the file of a user's own loss yourself. Exit code 1
    says that a cell differs by more than chance.

    Args:
        file: a submission, as `mirrorpo submit` writes it.
        objective: the loss; by default the one that the file names, if it is MirrorPO's own.
        cells: how many to measure, drawn at random.
        seed: the seed of that draw; by default another one each time.
        cache: folder for simulated trajectories; the user's cache by default.
    """
    with progress("agents") as told:
        found = mpo.verify(file, objective, cells=cells, seed=seed, cache=cache, progress=told)
    from mirrorpo.study.tables import mean_text

    numbers = ("submitted", "again", "equal")
    table = new_table("task", "variant", *numbers, "verdict", numbers=numbers)
    for one in found.cells:
        table.add_row(
            one.task,
            one.variant,
            mean_text(one.submitted, one.submitted_error, 1),
            mean_text(one.measured, one.measured_error, 1),
            f"{one.equal} of {one.agents}",
            one.verdict,
        )
    console.print(table)
    console.print("True returns ± standard error; equal: agents whose return agrees in all digits.")
    if not found.agrees:
        fail("The submission does not agree with what was measured again.", code=1)
