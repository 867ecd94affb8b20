"""The search: generations of agents, validation on fresh seeds, and a run that can be killed."""

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tensorboardX import SummaryWriter

from mirrorpo import files, json_lines, runs, typed, versions
from mirrorpo.agents import sources
from mirrorpo.discovery import artefact, ground, search_log, space, strategy
from mirrorpo.discovery.artefact import Discovery
from mirrorpo.discovery.fitness import Bench, Score
from mirrorpo.discovery.ground import Budget, Draws
from mirrorpo.discovery.search_log import RESULT, VALIDATIONS
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.discovery.visited import Visited
from mirrorpo.divergence import short_or_none
from mirrorpo.execution.workers import Workplace
from mirrorpo.objectives import Objective, naming, storage
from mirrorpo.progress import Progress, silent
from mirrorpo.runtime.pytrees import load_tree, save_tree
from mirrorpo.simulation import tasks
from mirrorpo.standard_error import mean_and_error
from mirrorpo.training import learner

STATE_FORMAT = "mirrorpo-discovery-state"
STATE = "state.safetensors"
PAR = "rivals.json"

SCOUT_SEEDS = (3_000_000, 3_000_001)
FITNESS_SEED_BASE = 4_000_000
VALIDATION_SEED_BASE = 5_000_000
RANGE_MARGIN = 0.25
VISITED_PAIRS = 2000

# What a search saves of its own beside the arrays, by type.
_SAVED = {
    "done": int,
    "best_advantage": float,
    "best_generation": int,
    "best_validated": int,
    "winner_score": float,
    "agents": int,
    "seconds": float,
}


@runs.holding()
def discover(
    settings: DiscoverySettings,
    out: Path,
    progress: Progress = silent,
    place: Workplace | None = None,
    cache: Path | None = None,
) -> Discovery:
    """Search an objective whose trained agents earn the most true return.

    Args:
        settings: see `DiscoverySettings`.
        out: run folder, new or of the same settings. After a kill the same call continues, and
            ends with the same parameters as it would have without. With more generations a
            search continues, ended or not.
        progress: told, after each step, the generations finished, earlier runs of the same command
            included, all of them, and what is being computed, with the last fitness.
        place: where agents are trained and scored; None for this process.
        cache: folder for simulated trajectories; None for the user's cache.

    Returns:
        The candidate with the best validation; `out/objective.safetensors` holds it. Candidates
        are the start, the search's mean and its best agent's objective every few generations, each
        validated with fresh seeds on the validation's budget.

    Raises:
        ValueError: unknown names, settings out of range, or a folder of another run, or of one
            with other source agents, or another content of a task or a rival that is a file.
    """
    # Both check settings before anything is computed.
    start = space.member(settings)
    for training in (settings.screen_training, settings.fitness_training):
        learner.stage_epochs(start, training.epochs, training.single_stage)
    sums = {text: storage.checksum(naming.resolve(text)) for text in settings.against}
    for task in settings.tasks:
        own = ground.choose(settings, task, settings.rows)
        sources.load_start(own.start, settings.hidden)  # raises where it cannot
        sums |= own.checksums() | tasks.contents(tasks.load(task, settings.backend))
    state = out / STATE
    runs.claim(out, settings.recorded, sums, "generations", state, kind="discover")
    if (out / RESULT).is_file():
        found = artefact.load(out / RESULT)
        if artefact.generations(found) == settings.generations:
            artefact.complete(out / RESULT, found)
            return found
    runs.refuse_lost_state(out, out / STATE)
    search = _Search(settings, out, progress, cache)
    with search.bench.at(place):
        search.run()
    return search.finish()


class _Search:
    """One search while it runs."""

    def __init__(
        self, settings: DiscoverySettings, out: Path, progress: Progress, cache: Path | None
    ):
        self.settings = settings
        self.out = out
        self._progress = progress
        self.done = 0
        self.report("loading")
        rivals = [naming.resolve(text) for text in settings.against]
        self.rivals = [replace(rival, aggregation="mean") for rival in rivals]
        self.bench = Bench(settings, self.report, cache)
        self.fitness_budget = Budget(None, settings.fitness_training, settings.episodes)
        self.screen = None
        if settings.screen_epochs is not None:
            small = Budget(None, settings.screen_training, settings.episodes)
            self.screen = (small, settings.screen_keep)
        self.validation_budget = Budget(
            None, settings.validation_training, settings.validation_episodes
        )
        self.report("scouting the range of log-probs")
        self.ranges = self._scout()
        self.space = space.build(settings, self.ranges)
        self.strategy = strategy.make(settings, len(self.space.start))
        self.state = self.strategy.start(self.space.start)
        self.best = self.winner = self.space.start
        self.best_advantage = -math.inf
        self.best_generation = self.best_validated = -1
        self.winner_score = -math.inf
        self.agents = 0
        self.seconds = 0.0
        self._resume()

    def report(self, doing: str) -> None:
        self._progress(self.done, self.settings.generations, doing)

    def run(self) -> None:
        """All generations that are left."""
        writer = SummaryWriter(str(self.out / "tensorboard"), purge_step=self.done)
        try:
            if not self.done and self.winner_score == -math.inf:
                self._validate("start", self.space.start)
                self._save()
            while self.done < self.settings.generations:
                line = self._generation()
                json_lines.append(self.out / runs.METRICS, line)
                for name, value in line.items():
                    if isinstance(value, (int, float)):
                        writer.add_scalar(name, value, self.done)
                writer.flush()
                self._save()
                self.report(
                    f"fitness {search_log.shown(line['fitness_mean'])} "
                    f"(start {search_log.shown(line['fitness_start'])}), "
                    f"best validation {self.winner_score:.3f}"
                )
        finally:
            writer.close()

    def finish(self) -> Discovery:
        """Write the winner."""
        self.report("what the winner visits")
        objective = self.space.objective(self.winner)
        points = self._visited(objective, self.validation_budget, self.bench.validation_draws)
        ranges = space.ranges_of(objective, points, RANGE_MARGIN)
        chosen = np.random.default_rng(self.settings.seed).permutation(len(points))
        validations = self._validations()
        provenance = {
            "settings": self.settings.recorded,
            "validation": validations,
            "winner": max(validations, key=lambda line: line["score"]),
            "source_agents": self.bench.source_agents,
            "tangents_beyond": {"log_prob": ranges.log_prob, "margin": ranges.margin},
            "agents_trained": self.agents,
            "seconds": round(self.seconds, 1),
            "machine": versions.machine(),
            "versions": versions.installed(),
        }
        found = Discovery(
            space.extended(objective, ranges),
            Visited(points[np.sort(chosen[:VISITED_PAIRS])]),
            files.as_json(provenance),
        )
        artefact.save(self.out / RESULT, found)
        self.report("done")
        # As it is read back: what is returned is what is on disk.
        return artefact.load(self.out / RESULT)

    def _generation(self) -> dict[str, Any]:
        """Ask, train, score, tell; now and then validate."""
        settings, began = self.settings, time.perf_counter()
        generation = self.done
        key = jax.random.fold_in(jax.random.key(settings.seed), generation)
        population, asked = self.strategy.ask(key, self.state)
        seeds = self._seeds(generation, len(population))
        draws = self.bench.draws(generation)
        par = self.bench.par(self.rivals, seeds[:1], self.fitness_budget, draws)
        score = self.bench.score(
            [self.space.objective(vector) for vector in population],
            seeds,
            self.fitness_budget,
            draws,
            self.screen,
            par,
        )
        # The start and the centre meet the generation's own random numbers.
        known = self.bench.score(
            [self.space.objective(self.space.start), self.space.objective(self.mean)],
            [seeds[0]] * 2,
            self.fitness_budget,
            draws,
            par=par,
        )
        self.state = self.strategy.tell(asked, population, score.fitness)
        self._remember_best(population, score, float(known.fitness[0]), generation)
        self.done = generation + 1
        self.agents += score.agents + 2
        self.seconds += time.perf_counter() - began
        if self.done % settings.validate_every == 0 or self.done == settings.generations:
            self._validate("mean", self.mean)
            if self.best_generation > self.best_validated:
                self._validate("best", self.best)
                self.best_validated = self.best_generation
        return self._line(generation, score, known, time.perf_counter() - began)

    @property
    def mean(self) -> np.ndarray:
        return self.strategy.mean(self.state)

    def _seeds(self, generation: int, count: int) -> list[int]:
        """Training seeds: one for all, or one for each antithetic pair."""
        first = FITNESS_SEED_BASE + generation * count
        if self.settings.shared_seed:
            return [first] * count
        pairs = count // 2 if self.strategy.pairs else count
        return [first + position % pairs for position in range(count)]

    def _remember_best(
        self, population: np.ndarray, score: Score, start: float, generation: int
    ) -> None:
        """Keep the agent that is furthest above the start with the same random numbers."""
        if not np.isfinite(score.fitness).any():
            return
        index = int(np.nanargmax(score.fitness))
        advantage = float(score.fitness[index]) - (start if math.isfinite(start) else 0.0)
        if advantage > self.best_advantage:
            self.best, self.best_advantage = population[index], advantage
            self.best_generation = generation

    def _line(self, generation: int, score: Score, known: Score, seconds: float) -> dict[str, Any]:
        full = np.isfinite(score.returns).all(axis=1)
        fitness = score.fitness[full] if full.any() else np.array([np.nan])
        returns = score.returns[full] if full.any() else np.full((1, 1), np.nan)
        numbers = {
            "fitness_mean": fitness.mean(),
            "fitness_best": fitness.max(),
            "fitness_std": fitness.std(),
            "fitness_start": known.fitness[0],
            "fitness_of_mean": known.fitness[1],
            "return_mean": returns.mean(),
            "return_start": known.returns[0].mean(),
            "return_of_mean": known.returns[1].mean(),
            "sigma": self.strategy.spread(self.state),
            "moved": np.linalg.norm(self.mean - self.space.start),
            "best_validation": self.winner_score,
            "train_seconds": score.train_seconds + known.train_seconds,
            "evaluate_seconds": score.evaluate_seconds + known.evaluate_seconds,
            "seconds": seconds,
        }
        line: dict[str, Any] = {"generation": generation}
        for name, value in numbers.items():
            line[name] = short_or_none(value)
        line["diverged"] = int((~np.isfinite(score.fitness)).sum())
        line["fitness"] = [
            float(f"{value:.4g}") if math.isfinite(value) else None for value in score.fitness
        ]
        return line

    def _validate(self, what: str, vector: np.ndarray) -> None:
        """Score one candidate on fresh seeds and the whole budget; keep it if it is the best."""
        settings = self.settings
        self.report(f"validating the {what}")
        objective = self.space.objective(vector)
        seeds = [VALIDATION_SEED_BASE + i for i in range(settings.validation_seeds)]
        given = seeds, self.validation_budget, self.bench.validation_draws
        par = self._validation_par(*given)
        score = self.bench.score([objective] * len(seeds), *given, par=par)
        # An agent that diverged earns what no agent earns: the worse agent's return, or less.
        fitness = np.nan_to_num(score.fitness, nan=min(0.0, search_log.lowest(score.fitness)))
        mean, error = mean_and_error(fitness)
        if mean > self.winner_score:
            self.winner, self.winner_score = vector, mean
        line = {
            "generation": self.done,
            "candidate": what,
            "score": mean,
            "standard_error": None if math.isnan(error) else error,
            "returns": {
                column: None if not np.isfinite(value) else float(value)
                for column, value in zip(
                    self.bench.columns, score.returns.mean(axis=0), strict=True
                )
            },
            "seeds": len(seeds),
            "diverged": int((~np.isfinite(score.fitness)).sum()),
            "seconds": round(score.train_seconds + score.evaluate_seconds, 2),
        }
        json_lines.append(self.out / VALIDATIONS, line)

    def _validation_par(self, seeds: list[int], budget: Budget, draws: Draws) -> np.ndarray | float:
        """What the best rivals score in a validation: measured once for all of them."""
        if not self.rivals:
            return 0.0
        path = self.out / PAR
        if not path.is_file():
            self.report("validating the rivals")
            found = np.asarray(self.bench.par(self.rivals, seeds, budget, draws))
            files.write_json(path, dict(zip(self.bench.columns, found.tolist(), strict=True)))
        par = files.read_object(path, "the rivals' scores")
        return np.array(
            [typed.check(par.get(column), float, column) for column in self.bench.columns]
        )

    def _validations(self) -> list[Mapping[str, Any]]:
        return json_lines.read(self.out / VALIDATIONS, search_log.validation)

    def _scout(self) -> space.Ranges:
        """The ranges that training with the start visits, widened."""
        path = self.out / "scout.json"
        if path.is_file():
            return files.read_as(path, "a search's ranges", space.Ranges)
        objective = space.member(self.settings)
        points = self._visited(objective, self.fitness_budget, self.bench.draws(0))
        if not len(points):
            raise ValueError(
                f"Training with the start, {self.settings.member}, diverges: choose another "
                "start, or a smaller beta or learning rate."
            )
        ranges = space.ranges_of(objective, points, RANGE_MARGIN)
        files.write_json(path, ranges._asdict())
        return ranges

    def _visited(self, objective: Objective, budget: Budget, draws: Draws) -> np.ndarray:
        return np.concatenate(
            [
                learner.visited(objective, data, seeds=SCOUT_SEEDS, settings=budget.training)
                for data in self.bench.prepared(budget, draws)
            ]
        )

    def _save(self) -> None:
        tree = {"strategy": self.state, "best": self.best, "winner": self.winner}
        card = {"format": STATE_FORMAT, **{name: getattr(self, name) for name in _SAVED}}
        save_tree(self.out / STATE, tree, card)

    def _resume(self) -> None:
        path = self.out / STATE
        if path.is_file():
            tree = {
                "strategy": self.state,
                "best": jax.numpy.asarray(self.best),
                "winner": jax.numpy.asarray(self.winner),
            }
            tree, card = load_tree(path, tree, STATE_FORMAT, "a discovery's state")
            self.state = tree["strategy"]
            self.best, self.winner = np.asarray(tree["best"]), np.asarray(tree["winner"])
            for name, kind in _SAVED.items():
                setattr(self, name, typed.check(card.get(name), kind, f"{path}: {name}"))
        # What was written after the saved state is about to be computed again.
        json_lines.resume(
            self.out / runs.METRICS,
            search_log.generation,
            lambda line: line["generation"] < self.done,
        )
        validated = path.is_file()
        json_lines.resume(
            self.out / VALIDATIONS,
            search_log.validation,
            lambda line: validated and line["generation"] <= self.done,
        )
