"""The bench on reviews: every objective on every variant, on a language model.

As on robots: the search has its own seeds and is scored on training prompts, the reported score
comes from fresh agents on test prompts, every agent is logged as it is finished, and the same
command continues after a kill to the same table.
"""

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mirrorpo import files, json_lines, plain_text, runs, typed, variants
from mirrorpo.language.sentiment_task import measures, prompts, training
from mirrorpo.language.sentiment_task.agents import Scored, score
from mirrorpo.language.sentiment_task.preparation import Prepared, prepare
from mirrorpo.language.sentiment_task.settings import SentimentSettings
from mirrorpo.language.stages import Recipe
from mirrorpo.objectives import Objective
from mirrorpo.study import tables, tuned
from mirrorpo.study.algorithms import Algorithm, load
from mirrorpo.study.records import AgentRecord, Log, hyperparameters_text
from mirrorpo.study.tables import SourceAgent

TASK = "sentiment"
SEARCH_SEED_BASE = 1_000_000
SEARCH_SAMPLES_SEED = 7_001
FINAL_SAMPLES_SEED = 7_002
ORIGINAL = "original"
SOURCES = ("better: target", "worse: original")
SOURCE_MEASURES = "source_measures.json"
SAMPLES = "samples"

Report = Callable[[float, float, str], None]


@runs.holding()
def run(
    settings: SentimentSettings,
    out: Path,
    report: Report = lambda done, of, doing: None,
    cache: Path | None = None,
) -> tuple[Log, list[SourceAgent]]:
    """Measure what `settings` asks for, or what is left of it.

    Args:
        settings: see `SentimentSettings`.
        out: run folder, new or of the same settings.
        report: told agents done, all agents, and what is being done.
        cache: folder of what runs share, see `prepare`; None for the user's cache.

    Returns:
        The log of all agents, and the rewards of target and original. `out` then holds
        results.parquet and results.csv, one row a trained agent, sources.json and
        source_measures.json, and the continuations of each final agent, of target and of original
        in samples/, with their rewards.

    Raises:
        ValueError: an unknown name, a setting out of range, a folder of another run, or a model
            that cannot be loaded. Names are checked before anything is computed.
    """
    algorithms = [load(text, "torch") for text in settings.algorithms]
    for algorithm in algorithms:
        Recipe.of(algorithm.objective, settings.aggregation, True).plan(settings.steps, 0)
    prompts.train(settings.rows)
    prompts.test(settings.test_prompts)
    contents = {algorithm.text: algorithm.checksum for algorithm in algorithms}
    runs.claim(out, {"task": TASK, **asdict(settings)}, contents, kind="sentiment")
    bench = _Bench(settings, out, algorithms, report, cache)
    sources = bench.sources()
    for variant in settings.variants:
        for algorithm in algorithms:
            bench.measure(variant, algorithm)
    frame = bench.log.frame()
    files.write_atomically(out / "results.parquet", lambda path: frame.to_parquet(path))
    plain_text.write_csv(out / "results.csv", frame)
    return bench.log, sources


def win_rates(frame: pd.DataFrame, settings: SentimentSettings, out: Path) -> tables.ResultTable:
    """The table of win rates against the original, in percent: how often a model's continuation of
    a test prompt has the higher true reward, ties half.

    Args:
        frame: one row a trained agent, of `Log.frame`.
        settings: of the run.
        out: its folder.
    """
    others = files.read_json(out / SOURCE_MEASURES, "measures of the sources")
    sources = [
        SourceAgent(label, own["win_rate"], own["win_rate_standard_error"])
        for label, own in others.items()
    ]
    # No agent of a run has one where all diverged.
    won = frame.assign(score=frame.get("win_rate", math.nan))
    return tables.build(won, TASK, settings.algorithms, settings.variants, sources)


class _Bench:
    """A run while it is computed; the model is loaded when the first agent needs it."""

    def __init__(
        self,
        settings: SentimentSettings,
        out: Path,
        algorithms: list[Algorithm],
        report: Report,
        cache: Path | None,
    ):
        self.log = Log(out / runs.METRICS)
        self._settings = settings
        self._out = out
        self._report = report
        self._cache = cache
        self._prepared: Prepared | None = None
        self._total = len(settings.variants) * sum(
            settings.seeds + settings.search_seeds * len(self._points(algorithm))
            for algorithm in algorithms
        )

    def sources(self) -> list[SourceAgent]:
        """Rewards of target and original on the test prompts: sources.json, and what else was
        measured of them in source_measures.json. Their texts are in samples/."""
        path = self._out / "sources.json"
        if not path.is_file():
            found = {
                name: self._score(adapter, "final", name)
                for name, adapter in (("target", self._task().target), (ORIGINAL, None))
            }
            rows, others = [], {}
            for (name, scored), label in zip(found.items(), SOURCES, strict=True):
                own = scored.measures
                rows.append(SourceAgent(label, own.reward, own.reward_standard_error))
                won = measures.win_rate(scored.rewards, found[ORIGINAL].rewards)
                others[label] = {**own.others, **won}
                self._keep(name, name, scored)
            files.write_json(self._out / SOURCE_MEASURES, others)
            files.write_json(path, [row._asdict() for row in rows])
        return files.read_rows(path, "the sources' rewards", SourceAgent)

    def measure(self, variant: str, algorithm: Algorithm) -> None:
        """Search, then score."""
        settings = self._settings
        points = self._points(algorithm)
        scores: dict[str, list[float]] = {}
        for point in points:
            for number in range(settings.search_seeds):
                seed = SEARCH_SEED_BASE + number
                record = self._agent(variant, algorithm, "search", point, seed)
                # A diverged agent ranks below every other.
                mean = -math.inf if record.return_mean is None else record.return_mean
                scores.setdefault(record.hyperparameters, []).append(mean)
        if scores:
            chosen = json.loads(max(scores, key=lambda text: float(np.mean(scores[text]))))
        else:
            chosen = tuned.hyperparameters(TASK, variant, algorithm)
        for seed in range(settings.seeds):
            self._agent(variant, algorithm, "final", chosen, seed)

    def _points(self, algorithm: Algorithm) -> list[dict[str, float]]:
        """What the search tries; nothing where there is nothing to choose."""
        points = algorithm.grid_points
        return points if self._settings.search and len(points) > 1 else []

    def _agent(
        self, variant: str, algorithm: Algorithm, phase: str, point: Mapping[str, Any], seed: int
    ) -> AgentRecord:
        """One agent's record, read back or measured now."""
        key = (variant, algorithm.text, phase, hyperparameters_text(point), seed)
        name = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
        if key in self.log:
            self._drop_model(name)  # where a kill has kept it from being dropped
            return self.log.get(key)
        doing = f"{variant}: {algorithm.text} ({phase})"
        trained = self._train(variant, replace(algorithm.objective, **point), seed, name, doing)
        found = None
        if not trained.diverged:
            found = self._score(trained.folder, phase, name)
        others: dict[str, float] = {}
        if found:
            others = found.measures.others
            if phase == "final":
                others |= measures.win_rate(found.rewards, self._rewards_of_original())
                self._keep(f"{variant}-{name}", algorithm.text, found)
        record = AgentRecord(
            task=TASK,
            variant=variant,
            algorithm=algorithm.text,
            phase=phase,
            hyperparameters=key[3],
            seed=seed,
            return_mean=found.measures.reward if found else None,
            return_standard_error=found.measures.reward_standard_error if found else None,
            episodes=self._episodes(phase),
            diverged=trained.diverged,
            train_seconds=trained.seconds,
            evaluate_seconds=found.seconds if found else 0.0,
            measures=others,
        )
        self.log.add(record, trained.curves)
        self._drop_model(name)
        return record

    def _drop_model(self, name: str) -> None:
        if not self._settings.keep_models:
            shutil.rmtree(self._out / "agents" / name, ignore_errors=True)

    def _keep(self, name: str, algorithm: str, found: Scored) -> None:
        """Write down a model's continuations of test prompts."""
        rows = zip(found.prompts, found.texts, found.rewards, strict=True)
        json_lines.write(
            self._out / SAMPLES / f"{files.file_name(name)}.jsonl",
            [
                {"algorithm": algorithm, "prompt": p, "text": t, "reward": float(r)}
                for p, t, r in rows
            ],
        )

    def _rewards_of_original(self) -> np.ndarray:
        """Of its continuations of the test prompts, in their order."""
        path = self._out / SAMPLES / f"{ORIGINAL}.jsonl"
        found = json_lines.read(path, lambda row: typed.check(row["reward"], float, "reward"))
        if len(found) != self._settings.episodes:
            raise ValueError(
                f"{path} is damaged: it holds {len(found)} of {self._settings.episodes} "
                "continuations. Remove it and sources.json: the same command makes them again."
            )
        return np.array(found)

    def _train(
        self, variant: str, objective: Objective, seed: int, name: str, doing: str
    ) -> training.Training:
        settings = self._settings
        pairs = self._task().pool.pairs(variants.parse(variant), settings.seed)
        return training.fine_tune(
            training.TrainSettings(
                settings.model,
                settings.steps,
                settings.batch,
                settings.learning_rate,
                settings.lora_r,
                settings.aggregation,
                settings.bf16,
            ),
            objective,
            pairs,
            seed,
            self._out / "agents" / name,
            lambda done, of: self._report(len(self.log) + 0.8 * done / of, self._total, doing),
        )

    def _score(self, adapter: Path | None, phase: str, name: str) -> Scored:
        settings = self._settings
        final = phase == "final"
        asked = prompts.test(settings.test_prompts) if final else prompts.train(settings.rows)
        path = self._out / "agents" / name / "samples.jsonl"
        return score(
            adapter,
            self._task(),
            settings,
            asked,
            self._episodes(phase),
            FINAL_SAMPLES_SEED if final else SEARCH_SAMPLES_SEED,
            path,
            lambda done, of: self._report(
                len(self.log) + 0.8 + 0.2 * done / of, self._total, f"continuations: {name}"
            ),
        )

    def _episodes(self, phase: str) -> int:
        final = phase == "final"
        return self._settings.episodes if final else self._settings.search_episodes

    def _task(self) -> Prepared:
        if self._prepared is None:
            self._prepared = prepare(
                self._settings,
                lambda doing, done, of: self._report(
                    len(self.log), self._total, f"{doing}: {done:.0f} of {of:.0f}"
                ),
                self._cache,
            )
        return self._prepared
