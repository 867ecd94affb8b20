"""Texts as a bench's ground: language models, scored by a known reward of what they write.

Hyper-parameters are searched on training prompts, the reported score is on test prompts. PyTorch
and what needs it are imported when a bench has something to compute.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mirrorpo import files, json_lines, typed, variants
from mirrorpo.divergence import finite_or_none
from mirrorpo.execution.workers import Alone, Workers, Workplace, at
from mirrorpo.language.text_task import task as text_tasks
from mirrorpo.language.text_task.task import TextTask
from mirrorpo.language.training.declarations import check_declarations
from mirrorpo.language.training.stages import TrainingStages
from mirrorpo.preferences.facts import Facts, pairings
from mirrorpo.study.algorithms import Algorithm
from mirrorpo.study.jobs import Job, JobProgress, Outcome
from mirrorpo.study.phases import FINAL
from mirrorpo.study.samples import ORIGINAL, TARGET, agent_name
from mirrorpo.study.samples import path as samples_path
from mirrorpo.study.settings import BenchSettings
from mirrorpo.study.tables import SourceAgent
from mirrorpo.study.win_rates import SOURCE_MEASURES

if TYPE_CHECKING:
    from mirrorpo.language.text_task.agents import Sampled, ScoredTexts
    from mirrorpo.language.text_task.pool import ContinuationPool
    from mirrorpo.language.text_task.preparation import PreparedTask
    from mirrorpo.language.text_task.worker import TextAgent, TextOrder
    from mirrorpo.preference_texts.prompts import Prompt

SEARCH_SAMPLES_SEED, FINAL_SAMPLES_SEED = 7_001, 7_002


def task_of(settings: BenchSettings) -> TextTask:
    """The task of a bench on texts; its files are read, and no model is loaded.

    Raises:
        ValueError: prompts or a reward that there are not, or that cannot be used.
    """
    model, seed = settings.texts.model, settings.data_seed
    return text_tasks.of(settings.task, model, settings.prompts, settings.reward, seed)


def settled(settings: BenchSettings) -> BenchSettings:
    """The settings with no more prompts than a file has, where no number was asked for.

    Raises:
        ValueError: as of `task_of`.
    """
    if settings.prompts is None:
        return settings
    found, texts = task_of(settings).prompts, settings.texts
    rows, test_prompts = settings.rows, settings.test_prompts
    return replace(
        settings,
        rows=min(texts.rows, len(found.training)) if rows is None else rows,
        test_prompts=min(texts.test_prompts, len(found.tested))
        if test_prompts is None
        else test_prompts,
    )


@dataclass(frozen=True)
class TextGround:
    """A `ground.Ground` of texts; the model is loaded when the first agent needs it.

    Attributes:
        settings: the settings of the bench.
        task: model, prompts and reward.
        out: its folder, which then also holds `SOURCE_MEASURES`, and in samples/ the continuations
            of each final agent, of target and of original, with their rewards.
        cache: folder of what benches share, see `preparation.prepare`; None for the user's cache.
        place: where agents are trained and write; None for this process.
        keep_agents: whether the adapters of each cell's first agent stay in agents/.
    """

    settings: BenchSettings
    task: TextTask
    out: Path
    cache: Path | None
    place: Workplace | None
    keep_agents: bool
    claims: dict[str, Any] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    _prepared: list[PreparedTask] = field(default_factory=list)

    def check(self, algorithms: Sequence[Algorithm]) -> None:
        asked = self.settings.texts
        for one in algorithms:
            check_declarations(one.objective, asked.rows)
            TrainingStages.of(one.objective, asked.aggregation, True).plan(asked.steps, 0)
        self.task.prompts.train(asked.rows)
        self.task.prompts.test(asked.test_prompts)
        self.task.check()
        self.checksums.update(self.task.contents())

    def episodes_seed(self, phase: str, seed: int) -> int:
        # One for all agents: each text stands beside the original's of equal number.
        return FINAL_SAMPLES_SEED if phase == FINAL else SEARCH_SAMPLES_SEED

    @property
    def takes_all_draws(self) -> bool:
        """Texts of many draws fit in memory; without workers a table grows evenly by draws."""
        return self.place is not None

    def source_agents(self, report: JobProgress) -> list[SourceAgent]:
        """Rewards of target and original on the test prompts."""
        from mirrorpo.language.text_task import measures

        prepared = self._task(report)
        found = {
            name: self._score(prepared, adapter, name, report)
            for name, adapter in ((TARGET, prepared.target), (ORIGINAL, None))
        }
        rows, others = [], {}
        for name, label in ((TARGET, f"better: {TARGET}"), (ORIGINAL, f"worse: {ORIGINAL}")):
            own = found[name].measures
            rows.append(SourceAgent(label, own.reward, own.reward_standard_error))
            won = measures.win_rate(found[name].rewards, found[ORIGINAL].rewards)
            others[label] = {**own.others, **won}
            self._keep(name, name, found[name])
        files.write_json(self.out / SOURCE_MEASURES, others)
        return rows

    @contextmanager
    def trainer(self, phase: str, draws: Sequence[int], report: JobProgress) -> Iterator[_Trainer]:
        prepared = self._task(report)
        from mirrorpo.language.text_task.worker import TextSupply, TextWorker

        pools = {draw: prepared.pool(draw, _in_line(report)) for draw in draws}
        supply = TextSupply(
            prepared.original,
            prepared.tokenizer,
            prepared.settings,
            self.task.prompts.are_openings,
            pools,
        )
        here = TextWorker(supply, self.out / "agents", report)
        with at(self.place, Alone(supply, here)) as workers:
            yield _Trainer(self, prepared, workers, pools)

    def finish(self) -> None:
        """Remove what a kill has kept from being removed, too."""
        if not self.keep_agents:
            shutil.rmtree(self.out / "agents", ignore_errors=True)

    def _task(self, report: JobProgress) -> PreparedTask:
        if not self._prepared:
            # TRL's own defaults have names that transformers will drop.
            warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
            from mirrorpo.language.text_task.preparation import prepare
            from mirrorpo.language.trl_names import datasets, transformers

            datasets.disable_progress_bars()
            transformers.utils.logging.disable_progress_bar()
            self._prepared.append(
                prepare(self.task, self.settings.texts, _in_line(report), self.cache)
            )
        return self._prepared[0]

    def _score(
        self, prepared: PreparedTask, adapter: Path | None, name: str, report: JobProgress
    ) -> ScoredTexts:
        """The score of a source agent."""
        from mirrorpo.language.text_task.agents import score

        return score(
            adapter,
            prepared,
            *self._asked(FINAL),
            self.episodes_seed(FINAL, 0),
            self.out / "agents" / name / "samples.jsonl",
            lambda done, of: report(f"continuations: {name}", done / of),
        )

    def _asked(self, phase: str) -> tuple[Sequence[Prompt], int]:
        """The prompts of a phase, and the number of continuations."""
        asked, prompts = self.settings.texts, self.task.prompts
        if phase == FINAL:
            return prompts.test(asked.test_prompts), self.settings.scoring.episodes
        return prompts.train(asked.rows), self.settings.search_episodes

    def _keep(self, name: str, algorithm: str, found: ScoredTexts) -> None:
        """Write down a model's continuations of test prompts."""
        rows = zip(found.prompts, found.texts, found.rewards, strict=True)
        json_lines.write(
            samples_path(self.out, name),
            [
                {"algorithm": algorithm, "prompt": p, "text": t, "reward": float(r)}
                for p, t, r in rows
            ],
        )

    def _rewards_of_original(self) -> np.ndarray:
        """Rewards of the original's continuations of the test prompts, in their order."""
        path, wanted = samples_path(self.out, ORIGINAL), self.settings.scoring.episodes
        found = json_lines.read(path, lambda row: typed.check(row["reward"], float, "reward"))
        if len(found) != wanted:
            raise ValueError(
                f"{path} is damaged: it holds {len(found)} of {wanted} continuations. Remove it "
                "and sources.json: the same command makes them again."
            )
        return np.array(found)


@dataclass(frozen=True)
class _Trainer:
    """Trains and scores models on pools by draw; a `jobs.Trainer`.

    Workers train and write. Rewards, which may be code of the user's, are given here.
    """

    ground: TextGround
    prepared: PreparedTask
    workers: Workers[TextOrder, TextAgent]
    pools: Mapping[int, ContinuationPool]

    @property
    def agents_at_once(self) -> int:
        return self.workers.agents_at_once

    def facts(self, variant: str) -> Facts:
        draw, pool = next(iter(self.pools.items()))
        return of_pool(pool, self.ground.settings.task, variant, draw)

    def work_off(self, batches: Sequence[Sequence[Job]]) -> Iterator[tuple[int, Sequence[Outcome]]]:
        for position, agent in self.workers.work_off([self._order(*jobs) for jobs in batches]):
            (job,) = batches[position]
            yield position, [self._outcome(job, agent)]
            if not self._is_kept(job):  # it is logged by now
                shutil.rmtree(self._folder(job), ignore_errors=True)

    def _order(self, job: Job) -> TextOrder:
        from mirrorpo.language.text_task.worker import TextOrder

        return TextOrder(
            (job.objective,),
            job.seed,
            job.variant,
            job.draw,
            self.prepared.begun(self._asked(job)),
            job.episodes_seed,
            agent_name(job.key),
            f"{job.variant}: {job.algorithm} ({job.phase})",
            self._is_kept(job),
        )

    def _asked(self, job: Job) -> list[Prompt]:
        from mirrorpo.language.text_task import texts

        return texts.cycle(*self.ground._asked(job.phase))

    def _folder(self, job: Job) -> Path:
        return self.ground.out / "agents" / agent_name(job.key)

    def _is_kept(self, job: Job) -> bool:
        return self.ground.keep_agents and job.is_first

    def _outcome(self, job: Job, agent: TextAgent) -> Outcome:
        if agent.files:
            _write(self._folder(job), agent.files)
        measured: dict[str, Any] = {
            "return_mean": None,
            "return_standard_error": None,
            "episodes": self.ground._asked(job.phase)[1],
            "diverged": agent.trained.diverged,
            "train_seconds": agent.trained.seconds,
            "evaluate_seconds": 0.0,
        }
        if agent.sampled is not None:
            measured |= self._scored(job, agent.sampled)
        return Outcome(measured, agent.trained.curves)

    def _scored(self, job: Job, sampled: Sampled) -> dict[str, Any]:
        from mirrorpo.language.text_task import agents, measures

        found = agents.rewarded(self.prepared, self._asked(job), sampled)
        others = found.measures.others
        if job.phase == FINAL:
            others |= measures.win_rate(found.rewards, self.ground._rewards_of_original())
            self.ground._keep(agent_name(job.key), job.algorithm, found)
        return {
            "return_mean": found.measures.reward,
            "return_standard_error": finite_or_none(found.measures.reward_standard_error),
            "evaluate_seconds": found.seconds,
            "measures": others,
        }


def _write(folder: Path, content: Mapping[str, bytes]) -> None:
    """Write a folder's files, in place of those that a run in this process may have left."""

    def fill(part: Path) -> None:
        for name, own in content.items():
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            (part / name).write_bytes(own)

    shutil.rmtree(folder, ignore_errors=True)
    files.write_folder_atomically(folder, fill)


def of_pool(pool: ContinuationPool, task: str, variant: str, seed: int) -> Facts:
    """The facts of a variant's pairs; lengths are in words."""
    rewards = pool.rewards.reshape(-1)
    chosen, rejected = pool.draw(variants.parse(variant), seed)
    better = [which // variants.COPIES % 2 == variants.BETTER for which in (chosen, rejected)]
    words = np.array([len(text.split()) for text in pool.texts])
    return Facts(
        task=task,
        variant=variant,
        rows=len(chosen),
        flipped=float((rewards[chosen] < rewards[rejected]).mean()),
        chosen_better=float(better[0].mean()),
        pairings=pairings(*better),
        chosen_return=(float(rewards[chosen].mean()), float(rewards[chosen].std())),
        rejected_return=(float(rewards[rejected].mean()), float(rewards[rejected].std())),
        chosen_length=float(words[chosen].mean()),
        rejected_length=float(words[rejected].mean()),
        agents=(TARGET, ORIGINAL),
    )


def _in_line(report: JobProgress) -> Any:
    """A report of stages with counts as one of what is being done."""
    return lambda doing, done, of: report(f"{doing}: {done:.0f} of {of:.0f}")
