"""One objective on one dataset file: agents, curves and returns in a run folder."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mirrorpo import files, json_lines, runs, typed
from mirrorpo.agents import files as agent_files
from mirrorpo.agents import sources
from mirrorpo.discovery import shapes
from mirrorpo.divergence import finite_or_none
from mirrorpo.preferences import data, validation
from mirrorpo.simulation import evaluation, tasks
from mirrorpo.standard_error import mean_and_error
from mirrorpo.study import kept_agents
from mirrorpo.study.algorithms import Algorithm
from mirrorpo.study.column import FINAL_EPISODES_SEED
from mirrorpo.training import learner
from mirrorpo.training_settings import TrainSettings


def task_of(path: Path) -> tasks.Task:
    """The task that a dataset file's trajectories are of.

    Raises:
        ValueError: no such file, another kind of file, or one whose card does not say.
    """
    card = files.load_card(path, data.FORMAT, "a preference dataset")
    try:
        made = typed.build(_Made, card, unknown=True)
        penalty = typed.build(_Penalty, made.penalty, unknown=True) if made.penalty else None
    except ValueError as error:
        raise ValueError(f"{path} is not a preference dataset: {error}.") from None
    coefficient = penalty.coefficient if penalty else None
    return tasks.load(made.task, made.backend, made.episode_length, coefficient)


@dataclass(frozen=True)
class _Penalty:
    coefficient: float


@dataclass(frozen=True)
class _Made:
    """What the card of a dataset says of the task that its trajectories are of."""

    task: str
    backend: str
    episode_length: int
    penalty: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Result:
    """One trained agent: its seed, its true return, None where it diverged."""

    seed: int
    return_mean: float | None
    return_standard_error: float | None
    diverged: bool


@runs.holding()
def run(
    algorithm: Algorithm,
    path: Path,
    out: Path,
    settings: TrainSettings,
    seeds: Sequence[int],
    start_from: str | None = None,
    episodes: int = 100,
    deterministic: bool = False,
) -> list[dict[str, Any]]:
    """Train one agent for each seed, save it and score it.

    Returns:
        For each agent: seed, return_mean, return_standard_error (None where it diverged, the
        latter also for one episode), diverged. `out` then holds agents/seed-N.safetensors,
        metrics.jsonl with each agent's curves, and results.json. A finished run is read back, not
        repeated.

    Raises:
        ValueError: see `learner.train`, `runs.claim` and `data.PreferenceDataset.load`.
    """
    dataset = data.PreferenceDataset.load(path)
    validation.check_names_task(dataset.card, path)
    task = task_of(path)
    own = sources.SOURCES.get(task.name)
    start_name = start_from or (own.start if own else None)
    start = agent_files.load(start_name)[0] if start_name else None
    runs.claim(
        out,
        {
            "objective": repr(algorithm.objective),
            "data": files.checksum(path),
            "training": asdict(settings),
            "seeds": list(seeds),
            "start": start_name,
            "episodes": episodes,
            "deterministic": deterministic,
        },
    )
    shapes.remember(out, algorithm.text, algorithm.objective, {})
    results_file = out / "results.json"
    if results_file.is_file():
        return [asdict(row) for row in files.read_rows(results_file, "results", Result)]
    trained = learner.train(
        algorithm.objective,
        dataset,
        seeds=seeds,
        settings=settings,
        start=start,
    )
    returns = np.full((len(seeds), episodes), np.nan)
    if not trained.diverged.all():
        returns = evaluation.returns(
            trained.policies, task, episodes, FINAL_EPISODES_SEED, deterministic
        )
    results: list[Result] = []
    lines = []
    curves = jax.tree.map(np.asarray, trained.curves)
    for position, seed in enumerate(seeds):
        diverged = bool(trained.diverged[position])
        score = returns[position].astype(np.float64)
        mean, error = mean_and_error(score)
        results.append(
            Result(
                seed=seed,
                return_mean=None if diverged else mean,
                return_standard_error=None if diverged else finite_or_none(error),
                diverged=diverged,
            )
        )
        for epoch, stage in enumerate(trained.stages):
            values = {k: finite_or_none(v[position, epoch]) for k, v in curves._asdict().items()}
            lines.append({"seed": seed, "epoch": epoch + 1, "stage": stage, **values})
        if not diverged:
            policy = jax.tree.map(lambda x, at=position: x[at], trained.policies)
            kept_agents.save(
                out / kept_agents.FOLDER / f"seed-{seed}.safetensors",
                f"{algorithm.objective.name}-seed-{seed}",
                policy,
                task,
                score,
                FINAL_EPISODES_SEED,
                algorithm.objective,
                settings,
                seed,
            )
    json_lines.write(out / runs.METRICS, lines)
    rows = [asdict(result) for result in results]
    files.write_json(results_file, rows)
    return rows
