"""One objective on one dataset file: agents, curves and returns in a run folder.

Agents are trained and scored by the worker of a bench, `execution.batch.Worker`. What differs is
what is kept: every agent, whole curves, and one file of results in place of a table of cells."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mirrorpo import files, json_lines, runs
from mirrorpo.agents import agent_files, sources
from mirrorpo.discovery import shapes
from mirrorpo.divergence import finite_or_none
from mirrorpo.execution.batch import Order, Supply, Worker
from mirrorpo.preferences import source_files, validation
from mirrorpo.preferences.own import holding
from mirrorpo.preferences.own.holding import Held
from mirrorpo.preferences.views import Source
from mirrorpo.simulation import tasks
from mirrorpo.standard_error import mean_and_error
from mirrorpo.study import kept_agents, recorded
from mirrorpo.study.algorithms import Algorithm
from mirrorpo.study.measures import AGREEMENT, RETURN
from mirrorpo.study.robots import FINAL_EPISODES_SEED
from mirrorpo.training_settings import TrainSettings

LABEL_SEED = 0
"""The seed of a pool's labels, and of what is held out."""


def _task_or_pairs(
    source: Source, path: Path, named: str | None
) -> tuple[tasks.AnyTask | None, Held | None]:
    """The task that agents are scored on, or, without one, what is trained on and held out."""
    if "backend" not in source.card or source.card.get("origin") is None:
        validation.check_names_task(source.card, path)
        return recorded.task_on(source.card, path, named), None
    task, _ = recorded.task_of(source, named)
    return task, None if task else holding.split(source, LABEL_SEED).score


@dataclass(frozen=True)
class Result:
    """One trained agent: its seed, its score, None where it diverged, and what that is.

    The standard error of one episode is NaN; files hold null for it.
    """

    seed: int
    return_mean: float | None
    return_standard_error: float | None
    diverged: bool
    scored_by: str = RETURN

    def __post_init__(self) -> None:
        if self.return_standard_error is None and not self.diverged:
            object.__setattr__(self, "return_standard_error", math.nan)


@runs.holding()
def run(
    algorithm: Algorithm,
    path: Path,
    out: Path,
    settings: TrainSettings,
    seeds: Sequence[int],
    start_from: str | None = None,
    episodes: int = 100,
    actions: str = "mean",
    named: str | None = None,
) -> list[dict[str, Any]]:
    """Train one agent for each seed, save it and score it.

    Where the data's card names a task, agents are trained on all pairs and scored by return there.
    Elsewhere a fifth of the data is held out, and they are scored by how many of its labels they
    agree with. A pool's pairs are those of the variant `base`. `named` is as in
    `recorded.task_on`.

    Returns:
        For each agent: seed, return_mean, return_standard_error (None where it diverged, the
        latter also for one episode), diverged, and scored_by, what the two numbers are. `out`
        then holds agents/seed-N.safetensors, metrics.jsonl with each agent's curves, and
        results.json. A finished run is read back, not repeated.

    Raises:
        ValueError: see `learner.train`, `runs.claim` and `data.PreferenceDataset.load`.
    """
    source = source_files.load(path)
    task, held_out = _task_or_pairs(source, path, named)
    scene = recorded.scene_on(source.card, path)
    trained_on = source if held_out is None else held_out.source
    start_name = sources.start_of(scene.name if task else None, start_from)
    start = sources.load_start(start_name, settings.hidden)
    runs.claim(
        out,
        {
            "objective": repr(algorithm.objective),
            "data": files.checksum(path),
            "training": asdict(settings),
            "seeds": list(seeds),
            "start": start_name,
            "episodes": episodes,
            "actions": actions,
        },
        _contents(algorithm, task, start_name),
        kind="train",
    )
    shapes.remember(out, algorithm.text, algorithm.objective, {})
    results_file = out / "results.json"
    if results_file.is_file():
        return [asdict(row) for row in files.read_rows(results_file, "results", Result)]
    pairs = None if held_out is None else held_out.pairs
    worker = Worker(Supply(task, {LABEL_SEED: trained_on}, start, held_out=pairs))
    scored = worker.work_off(
        Order(
            objectives=[algorithm.objective] * len(seeds),
            seeds=seeds,
            variant="base",
            draw=LABEL_SEED,
            label_seed=LABEL_SEED,
            rows=None,
            training=settings,
            episodes=episodes,
            episodes_seeds=[FINAL_EPISODES_SEED] * len(seeds),
            deterministic=actions == "mean",
        )
    )
    scored_by = RETURN if scored.on_task else AGREEMENT
    results: list[Result] = []
    lines = []
    for position, seed in enumerate(seeds):
        diverged = bool(scored.diverged[position])
        score = scored.returns[position].astype(np.float64)
        mean, error = mean_and_error(score)
        results.append(
            Result(
                seed=seed,
                return_mean=None if diverged else mean,
                return_standard_error=None if diverged else error,
                diverged=diverged,
                scored_by=scored_by,
            )
        )
        for epoch, stage in enumerate(scored.stages):
            values = {k: finite_or_none(v[position, epoch]) for k, v in scored.curves.items()}
            lines.append({"seed": seed, "epoch": epoch + 1, "stage": stage, **values})
        if not diverged:
            policy = jax.tree.map(lambda x, at=position: x[at], scored.policies)
            kept_agents.save(
                out / kept_agents.FOLDER / f"seed-{seed}.safetensors",
                f"{algorithm.objective.name}-seed-{seed}",
                policy,
                scene,
                score,
                FINAL_EPISODES_SEED,
                algorithm.objective,
                settings,
                seed,
                scored_by,
            )
    json_lines.write(out / runs.METRICS, lines)
    rows = [asdict(result) for result in results]
    files.write_json(
        results_file,
        [{**row, "return_standard_error": _or_null(row["return_standard_error"])} for row in rows],
    )
    return rows


def _contents(
    algorithm: Algorithm, task: tasks.AnyTask | None, start: str | None
) -> dict[str, str]:
    """Checksums of the files that a training names: they may change while their names stay."""
    return {
        "objective": algorithm.checksum,
        **tasks.contents(task),
        **({} if start is None else {start: agent_files.source_checksum(start)}),
    }


def _or_null(error: float | None) -> float | None:
    return None if error is None else finite_or_none(error)
