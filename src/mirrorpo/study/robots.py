"""Robots as a bench's ground: data that it simulates on a task, or the data of a file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mirrorpo import files, protocols, task_names
from mirrorpo.agents import agent_files, sources
from mirrorpo.execution.batch import Supply
from mirrorpo.execution.workers import Alone, Workplace, at
from mirrorpo.preferences import data, pools, source_files, views
from mirrorpo.preferences.data import Pool, PreferenceDataset
from mirrorpo.preferences.own import holding
from mirrorpo.preferences.views import Source
from mirrorpo.simulation import evaluation, tasks
from mirrorpo.simulation.policy import Policy
from mirrorpo.standard_error import mean_and_error
from mirrorpo.study import kept_agents, recorded
from mirrorpo.study.algorithms import Algorithm
from mirrorpo.study.jobs import JobProgress
from mirrorpo.study.measures import AGREEMENT, RETURN
from mirrorpo.study.phases import FINAL, SEARCH
from mirrorpo.study.robot_trainer import RobotTrainer
from mirrorpo.study.settings import BenchSettings
from mirrorpo.study.tables import SourceAgent
from mirrorpo.training import learner
from mirrorpo.variants import BETTER, WORSE

SEARCH_EPISODES_SEED = 7_001
FINAL_EPISODES_SEED = 2_000_000
"""An agent's episodes have this seed plus the agent's: never those of another agent of its cell,
nor the search's; agents of equal number in two cells meet the same start states."""

SOURCE_EPISODES = 100
"""A source agent is scored as one agent of a cell after the other, until it has so many."""


def of(
    settings: BenchSettings,
    out: Path,
    cache: Path | None,
    place: Workplace | None,
    keep_agents: bool,
) -> RobotGround:
    """The ground of a bench on robots; arguments and errors as of `ground.of`."""
    keep = out / kept_agents.FOLDER if keep_agents else None
    if settings.data is None:
        return RobotGround(settings, Simulated.load(settings, cache), place, keep)
    return RobotGround(settings, Recorded.load(settings), place, keep)


@dataclass(frozen=True)
class RobotGround:
    """Robots that act on a task, or whose data lie in a file; a `ground.Ground`.

    Attributes:
        settings: the settings of the bench.
        data: the data that agents learn from.
        place: where they are trained and scored; None for this process.
        keep: folder of the agents that are kept; None for nowhere.
    """

    settings: BenchSettings
    data: Simulated | Recorded
    place: Workplace | None
    keep: Path | None
    takes_all_draws: bool = False  # the trajectories of one may fill much of the memory

    @property
    def claims(self) -> Mapping[str, Any]:
        return self.data.claims

    @property
    def checksums(self) -> Mapping[str, str]:
        return self.data.checksums

    def check(self, algorithms: Sequence[Algorithm]) -> None:
        training = self.settings.training
        for one in algorithms:
            learner.stage_epochs(one.objective, training.epochs, training.single_stage)
        self.data.check(self.settings)

    def episodes_seed(self, phase: str, seed: int) -> int:
        return FINAL_EPISODES_SEED + seed if phase == FINAL else SEARCH_EPISODES_SEED

    def source_agents(self, report: JobProgress) -> list[SourceAgent]:
        return self.data.source_agents(self.settings, FINAL_EPISODES_SEED)

    @contextmanager
    def trainer(
        self, phase: str, draws: Sequence[int], report: JobProgress
    ) -> Iterator[RobotTrainer]:
        report("trajectories")
        supply = self.data.supply(phase, draws, report)
        with at(self.place, Alone(supply)) as workers:
            yield RobotTrainer(
                self.settings, workers, supply, self.data.rows, self.data.scene, self.keep
            )

    def finish(self) -> None: ...


@dataclass(frozen=True)
class Simulated:
    """Two source agents on a task, and as many draws of their trajectories as are asked for."""

    task: tasks.AnyTask
    own: sources.Sources
    start: Policy | None
    cache: Path | None
    allow_short: bool

    @classmethod
    def load(cls, settings: BenchSettings, cache: Path | None) -> Simulated:
        """The data that a bench's settings ask for; agents are read, nothing is simulated."""
        task = tasks.load(settings.task, settings.backend)
        chosen = settings.better, settings.worse, settings.rows, settings.start_from
        own = sources.choose(settings.task, *chosen)
        start = sources.load_start(own.start, settings.hidden)
        return cls(task, own, start, cache, settings.allow_short)

    @property
    def scene(self) -> recorded.Scene:
        """Where agents act."""
        return recorded.Scene(self.task.name, self.task.backend)

    @property
    def rows(self) -> int | None:
        """Number of pairs to train on."""
        return self.own.rows

    @property
    def claims(self) -> Mapping[str, Any]:
        """The source agents and the start, which decide the run."""
        return asdict(self.own)

    @property
    def checksums(self) -> Mapping[str, str]:
        """Checksums of the agents' files and of a task that is code."""
        return {**self.own.checksums(), **tasks.contents(self.task)}

    def check(self, settings: BenchSettings) -> None:
        """Raise ValueError for too few pairs, or an agent of another robot."""
        minibatch = settings.training.minibatch
        if self.own.rows < minibatch:
            raise ValueError(f"rows ({self.own.rows}) is fewer than a minibatch of {minibatch}.")
        for name in (self.own.better, self.own.worse):
            policy, _ = agent_files.load_source(name, "--better and --worse")
            if isinstance(policy, Policy):
                evaluation.check_sizes(policy, self.task)
        if self.start is not None:
            evaluation.check_sizes(self.start, self.task)

    def source_agents(self, settings: BenchSettings, seed: int) -> list[SourceAgent]:
        """The source agents' rows, scored as the agents of a cell are.

        They start from the start states of the first of these, so that the rows above a table are
        as sure as those in it.
        """
        each = settings.scoring.episodes
        agents = min(settings.scoring.seeds, math.ceil(SOURCE_EPISODES / each))
        quiet = settings.actions == "mean"
        rows = []
        for role, name in (("better", self.own.better), ("worse", self.own.worse)):
            policy, _ = agent_files.load_source(name, f"--{role}")
            found = [
                agent_files.returns(policy, self.task, each, seed + agent, quiet)
                for agent in range(agents)
            ]
            mean, error = mean_and_error(np.concatenate(found))
            rows.append(SourceAgent(f"{role}: {Path(name).stem}", mean, error))
        return rows

    def supply(self, phase: str, draws: Sequence[int], report: Callable[[str], None]) -> Supply:
        """The trajectories of draws, simulated or from the cache."""
        found = {}
        for number in draws:
            found[number] = pools.cached(
                self.task,
                self.own.rows,
                number,
                self.own.better,
                self.own.worse,
                self.cache,
                pools.in_words(report),
                pools.in_line(report),
            )
            if not self.allow_short:
                data.refuse_short(found[number])
        return Supply(self.task, found, self.start, datasets=len(found))


@dataclass(frozen=True)
class Recorded:
    """The trajectories of a file: one draw of the data.

    Where its card names a task of equal sizes, agents are scored by return there, and trained on
    all pairs. Elsewhere a part of the data is held out, and agents are scored by how many of its
    labels they agree with.

    Attributes:
        path: the path of the file.
        source: all of it.
        task: where agents are scored; None for by held-out labels.
        split: the parts; None where agents are scored on a task.
        rows: pairs to train on; None for all of a part.
        start_from: the agent that learners start from; None for random networks.
        start: its policy.
    """

    path: Path
    source: Source
    task: tasks.AnyTask | None
    split: holding.HeldOutSplit | None
    rows: int | None
    start_from: str | None
    start: Policy | None

    @classmethod
    def load(cls, settings: BenchSettings) -> Recorded:
        """The file of a bench's settings, and where its agents act."""
        path = Path(str(settings.data))
        source = source_files.load(path)
        named = settings.task if task_names.names_function(settings.task) else None
        task, _ = recorded.task_of(source, named)
        split = None if task is not None else holding.split(source, settings.data_seed)
        own = None if task is None else task.name
        start_from = sources.start_of(own, settings.start_from)
        start = sources.load_start(start_from, settings.hidden)
        return cls(path, source, task, split, settings.rows, start_from, start)

    @property
    def scene(self) -> recorded.Scene:
        """Where agents act."""
        return recorded.scene_on(self.source.card, self.path)

    @property
    def claims(self) -> Mapping[str, Any]:
        """The start, and how agents are scored."""
        start = {} if self.start_from is None else {"start": self.start_from}
        return {"scored_by": RETURN if self.task else AGREEMENT, **start}

    @property
    def checksums(self) -> Mapping[str, str]:
        """Checksums of the file, of a task that is code, and of the agent to start from."""
        data = {"data": files.checksum(self.path), **tasks.contents(self.task)}
        name = self.start_from
        return data if name is None else {**data, name: agent_files.source_checksum(name)}

    def check(self, settings: BenchSettings) -> None:
        """Raise ValueError for settings that the file's data cannot serve."""
        named = [name for name in ("backend", "better", "worse") if getattr(settings, name)]
        if named:
            raise ValueError(
                f"{' and '.join(named)} {'is' if len(named) == 1 else 'are'} of data that are "
                "simulated, but --data names a file."
            )
        if self.task is None and settings.curve_episodes:
            raise ValueError(
                f"curve_episodes needs a task to act on, but {recorded.task_of(self.source)[1]}."
            )
        if self.start is not None:
            learner.check_start(self.start, self.source)
        for text in settings.variants:
            views.check(self.source, text)
        parts = [self._part(phase)[0] for phase in (SEARCH, FINAL)]
        fewest, minibatch = min(part.rows for part in parts), settings.training.minibatch
        if not minibatch <= (self.rows or fewest) <= fewest:
            raise ValueError(
                f"rows must be between a minibatch of {minibatch} and the {fewest} pairs of "
                f"{self.path} that are trained on, not {self.rows or fewest}."
            )
        if isinstance(self.source, Pool) and not settings.allow_short:
            data.refuse_short(self.source)

    def source_agents(self, settings: BenchSettings, seed: int) -> list[SourceAgent]:
        """Mean returns of the file's own episodes; none of a dataset, or without a task."""
        if self.task is None or isinstance(self.source, PreferenceDataset):
            return []
        rows = []
        held = self.source.trajectories
        for which, role in ((BETTER, "better"), (WORSE, "worse")):
            mean, error = mean_and_error(held.returns[held.agent == which].astype(np.float64))
            name = self.source.card.get(role, {}).get("name", role)
            rows.append(SourceAgent(f"{role}: {name} (episodes of the file)", mean, error))
        return rows

    def supply(self, phase: str, draws: Sequence[int], report: Callable[[str], None]) -> Supply:
        """The part of the file that a phase learns from, the same for each draw."""
        source, pairs = self._part(phase)
        found = dict.fromkeys(draws, source)
        return Supply(self.task, found, self.start, held_out=pairs)

    def _part(self, phase: str) -> tuple[Source, PreferenceDataset | None]:
        if self.split is None:
            return self.source, None
        return self.split.search if phase == SEARCH else self.split.score


def settled(settings: BenchSettings) -> BenchSettings:
    """The settings of a bench with the name of its data's task, where they come from a file.

    Raises:
        ValueError: another task is named than the data's.
    """
    if settings.data is None:
        return settings
    path = Path(settings.data)
    # All steps, once settled, are None, which would be the protocol's again.
    steps = protocols.ALL_STEPS if settings.time_steps is None else settings.time_steps
    name = recorded.scene_on(source_files.card(path), path).name
    if settings.task not in (BenchSettings.task, name):
        raise ValueError(
            f"{path} is of the task {name:.60}, not of {settings.task}: leave the task out."
        )
    # A name of code stays the user's own, see `recorded.task_on`.
    name = settings.task if settings.task == name else name
    return replace(settings, time_steps=steps, task=name)
