"""How well a cheap fitness ranks objectives against the full one.

    python benchmarks/fitness_ranks.py results/leaderboard-hopper-noisy --least-agents 12 \
        --budgets rows=512,episodes=4 rows=512,episodes=4,epochs=6 rows=512,episodes=4,epochs=3

Every loss of the bench with its hyper-parameters is an objective with a full score, every point of
its search among them unless `--least-agents` asks for more agents than those have. Each budget
trains and scores them anew as a discovery's fitness would, and the table gives Spearman's rank
correlation with the full scores, how many of the best quarter by full score are in the better half
by the budget's (what a screening that keeps half would not lose), and the seconds per agent.
"""

import json
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from scipy.stats import spearmanr

from mirrorpo import files, runs
from mirrorpo.cli.console import console, fail
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.objectives import Objective
from mirrorpo.runtime.start import start_jax

FITNESS_SEED = 4_000_000
RESAMPLES = 2000
INTEGERS = ("rows", "epochs", "time_steps", "episodes", "minibatch")


@dataclass(frozen=True)
class Full:
    """An objective and its score with the whole budget.

    Attributes:
        algorithm: its row in the bench.
        objective: with the hyper-parameters of this point.
        score: mean true return of the bench's agents; a diverged one counts as 0.
        agents: behind the score.
    """

    algorithm: str
    objective: Objective
    score: float
    agents: int


def main(
    run: tyro.conf.Positional[Path],
    budgets: tuple[str, ...] = ("rows=1024,time_steps=32", "minibatch=8,time_steps=16"),
    variant: str = "noisy:0.3",
    seeds: int = 2,
    least_agents: int = 1,
    out: Path | None = None,
) -> None:
    """Rank a bench's objectives by each budget.

    Args:
        run: a bench with `--search`, published or in a folder; its settings are the full budget.
        budgets: changes to the full budget, as name=value with commas: rows, epochs, time_steps,
            episodes, minibatch, learning_rate.
        variant: one of the bench's.
        seeds: agents for each objective.
        least_agents: leave out objectives whose full score is of fewer agents.
        out: JSON file for the table.
    """
    start_jax()
    from mirrorpo.discovery.fitness import Bench
    from mirrorpo.reporting.published import unpacking

    try:
        with unpacking.folders([run]) as (folder,):
            config = files.read_json(folder / runs.CONFIG, "a run's settings")["settings"]
            fulls = _full_scores(folder, variant, least_agents)
    except ValueError as error:
        fail(str(error))
    console.print(f"{len(fulls)} objectives on {variant}, {seeds} agents each")
    full = DiscoverySettings(
        task=config["task"],
        variants=(variant,),
        rows=config["rows"],
        epochs=config["epochs"],
        time_steps=config["time_steps"],
        minibatch=config["minibatch"],
        learning_rate=config["learning_rate"],
        episodes=config["episodes"],
        data_seed=config.get("data_seed", config.get("seed", 0)),
    )
    lines = []
    cheap = {text: _reduced(full, text, fulls) for text in budgets}
    for text, settings in cheap.items():
        scores, seconds = _cheap_scores(Bench(settings), settings, fulls, seeds)
        wanted = np.array([f.score for f in fulls])
        correlation, error = _rank_correlation(wanted, scores)
        kept, best = _survivors(wanted, scores)
        line = {
            "budget": text,
            "spearman": round(correlation, 3),
            "standard_error": round(error, 3),
            "best_quarter_kept": kept,
            "best_quarter": best,
            "seconds_an_agent": round(seconds, 2),
            "scores": [round(float(score), 1) for score in scores],
        }
        lines.append(line)
        console.print(
            f"{text}: Spearman {correlation:.2f} ± {error:.2f}, {kept} of the best {best} in the "
            f"better half, {seconds:.2f} s per agent"
        )
    if out is not None:
        objectives: list[dict[str, Any]] = [
            {"algorithm": f.algorithm, "full_score": round(f.score, 1), "agents": f.agents}
            for f in fulls
        ]
        content = {"run": str(run), "variant": variant, "seeds": seeds}
        files.write_json(out, {**content, "objectives": objectives, "budgets": lines})


def _full_scores(run: Path, variant: str, least_agents: int) -> list[Full]:
    from mirrorpo.study import algorithms, records

    points: Mapping[tuple[str, str], list[float]] = defaultdict(list)
    for record, _ in records.read(run / runs.METRICS):
        if record.variant == variant:
            points[record.algorithm, record.hyperparameters].append(record.return_mean or 0.0)
    points = {place: scores for place, scores in points.items() if len(scores) >= least_agents}
    if len(points) < 3:
        raise SystemExit(f"{run} has {len(points)} objectives on {variant}; ranks need 3 or more.")
    return [
        Full(
            algorithm,
            replace(algorithms.load(algorithm).objective, **json.loads(text)),
            float(np.mean(scores)),
            len(scores),
        )
        for (algorithm, text), scores in sorted(points.items())
    ]


def _cheap_scores(
    bench: Any, settings: DiscoverySettings, fulls: list[Full], seeds: int
) -> tuple[np.ndarray, float]:
    """Mean return of each objective's agents, and seconds per agent, compilation included."""
    from mirrorpo.discovery.ground import Budget

    budget = Budget(None, settings.fitness_training, settings.episodes)
    scores = np.zeros(len(fulls))
    seconds = 0.0
    for algorithm in sorted({full.algorithm for full in fulls}):
        places = [i for i, full in enumerate(fulls) if full.algorithm == algorithm]
        objectives = [fulls[i].objective for i in places for _ in range(seeds)]
        training_seeds = [FITNESS_SEED + s for _ in places for s in range(seeds)]
        began = time.perf_counter()
        score = bench.score(objectives, training_seeds, budget, bench.draws(0))
        seconds += time.perf_counter() - began
        returns = np.nan_to_num(score.returns[:, 0], nan=0.0)
        scores[places] = returns.reshape(len(places), seeds).mean(axis=1)
    return scores, seconds / (len(fulls) * seeds)


def _rank_correlation(full: np.ndarray, cheap: np.ndarray) -> tuple[float, float]:
    """Spearman's correlation and its bootstrap standard error over objectives."""
    draw = np.random.default_rng(0)
    found = []
    for _ in range(RESAMPLES):
        chosen = draw.integers(len(full), size=len(full))
        if np.unique(full[chosen]).size > 1 and np.unique(cheap[chosen]).size > 1:
            found.append(spearmanr(full[chosen], cheap[chosen]).statistic)
    return float(spearmanr(full, cheap).statistic), float(np.std(found))


def _survivors(full: np.ndarray, cheap: np.ndarray) -> tuple[int, int]:
    """How many of the best quarter by full score a screening keeps, and their number.

    The screening keeps the better half by cheap score.

    Args:
        full, cheap: a score for each objective.
    """
    best = np.argsort(-full)[: max(len(full) // 4, 1)]
    kept = np.argsort(-cheap)[: (len(full) + 1) // 2]
    return len(set(best) & set(kept)), len(best)


def _reduced(full: DiscoverySettings, text: str, fulls: list[Full]) -> DiscoverySettings:
    """The settings of a budget, after a check that every objective can be trained with it."""
    from mirrorpo.training.learner import stage_epochs

    try:
        settings = replace(full, **_changes(text))
        for one in fulls:
            stage_epochs(one.objective, settings.epochs)
    except ValueError as error:
        raise SystemExit(f"Budget {text!r}: {error}") from None
    return settings


def _changes(text: str) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for item in text.split(","):
        name, _, value = item.partition("=")
        name = name.strip()
        if name in INTEGERS:
            changes[name] = int(value)
        elif name == "learning_rate":
            changes[name] = float(value)
        else:
            raise SystemExit(f"{item!r}: a budget changes {', '.join(INTEGERS)}, learning_rate.")
    return changes


if __name__ == "__main__":
    tyro.cli(main)
