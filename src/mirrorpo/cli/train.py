"""``mirrorpo train``: one objective on one dataset."""

from pathlib import Path
from typing import Annotated

import tyro

from mirrorpo import protocols
from mirrorpo.cli.console import console, start_jax
from mirrorpo.divergence import Diverged


def train(
    objective: Annotated[str, tyro.conf.Positional],
    data: Path,
    settings: tyro.conf.OmitArgPrefixes[protocols.Training],
    out: Path | None = None,
    seeds: int = 1,
    seed: int = 0,
    start_from: str | None = None,
    episodes: int = 100,
    deterministic: bool = False,
) -> None:
    """Train agents with one objective on one dataset; save them, their curves and returns.

    Args:
        objective: a name, a name with values as in dpo[beta=0.3], or PATH.py:CLASS.
        data: a dataset of `mirrorpo data generate`.
        settings: of inner training.
        out: run folder; by default runs/train-OBJECTIVE-DATA-seedSEED.
        seeds: number of agents.
        seed: of the first agent; the others count on.
        start_from: an agent's name or file to start from; by default the task's own start.
        episodes: of the evaluation.
        deterministic: score mean actions in place of sampled ones.
    """
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, not {seeds}.")
    start_jax()
    from mirrorpo import runs
    from mirrorpo.objectives.user_text import UserText
    from mirrorpo.study import algorithms, single_run

    algorithm = algorithms.load(UserText(objective))
    name = f"{algorithm.objective.name}-{data.stem}-seed{seed}"
    out = out or runs.default_out("train", name)
    results = single_run.run(
        algorithm,
        data,
        out,
        protocols.training(settings),
        range(seed, seed + seeds),
        start_from,
        episodes,
        deterministic,
    )
    for result in results:
        if result["diverged"]:
            console.print(f"seed {result['seed']}: diverged")
            continue
        error = result["return_standard_error"]
        spread = "" if error is None else f" ± {error:.0f}"
        console.print(
            f"seed {result['seed']}: true return {result['return_mean']:.0f}{spread} "
            f"({episodes} episodes)"
        )
    console.print(f"Agents and training curves are in {out}.")
    lost = [str(result["seed"]) for result in results if result["diverged"]]
    if lost:
        raise Diverged(
            f"Diverged: {len(lost)} of {len(results)} agents (seed {', '.join(lost)}), which are "
            f"not saved. Their curves are in {out}."
        )
