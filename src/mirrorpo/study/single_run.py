"""One objective on one dataset file: agents, curves and returns in a run folder."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mirrorpo import files, runs
from mirrorpo.agents import files as agent_files
from mirrorpo.agents import sources
from mirrorpo.discovery import shapes
from mirrorpo.preferences import data
from mirrorpo.simulation import evaluation, tasks
from mirrorpo.standard_error import mean_and_error
from mirrorpo.study import kept_agents
from mirrorpo.study.algorithms import Algorithm
from mirrorpo.study.bench import FINAL_EPISODES_SEED
from mirrorpo.training import learner
from mirrorpo.training_settings import TrainSettings


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
        For each agent: seed, return_mean, return_standard_error (None where it diverged),
        diverged. `out` then holds agents/seed-N.safetensors, metrics.jsonl with each agent's
        curves, and results.json. A finished run is read back, not repeated.

    Raises:
        ValueError: see `learner.train`, `runs.claim` and `data.PreferenceDataset.load`.
    """
    card = files.load_card(path, data.FORMAT, "a preference dataset")
    penalty = card.get("penalty")
    task = tasks.load(
        card["task"],
        card["backend"],
        card["episode_length"],
        penalty["coefficient"] if penalty else None,
    )
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
        return files.read_json(results_file, "results")
    trained = learner.train(
        algorithm.objective,
        data.PreferenceDataset.load(path),
        seeds=seeds,
        settings=settings,
        start=start,
    )
    returns = evaluation.returns(
        trained.policies, task, episodes, FINAL_EPISODES_SEED, deterministic
    )
    results, lines = [], []
    curves = jax.tree.map(np.asarray, trained.curves)
    for position, seed in enumerate(seeds):
        diverged = bool(trained.diverged[position])
        score = returns[position].astype(np.float64)
        mean, error = mean_and_error(score)
        result = {
            "seed": seed,
            "return_mean": None if diverged else mean,
            "return_standard_error": None if diverged else error,
            "diverged": diverged,
        }
        results.append(result)
        for epoch, stage in enumerate(trained.stages):
            values = {k: float(v[position, epoch]) for k, v in curves._asdict().items()}
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
    files.write_json_lines(out / runs.METRICS, lines)
    files.write_json(results_file, results)
    return results
