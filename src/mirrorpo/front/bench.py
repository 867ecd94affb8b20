"""``mirrorpo.bench``: every objective on every dataset variant, scored by true return."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Unpack

from mirrorpo import files
from mirrorpo.front import options as given
from mirrorpo.front.options import BenchOptions
from mirrorpo.front.run_folder import (
    Out,
    PathLike,
    Progress,
    ResultInFolder,
    RunFolder,
    choose,
    opened,
    silent,
    writing,
)
from mirrorpo.runtime.start import start_jax
from mirrorpo.study.settings import BenchSettings
from mirrorpo.user_text import UserText, users_own

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from mirrorpo.reporting.page.benches import BenchPart
    from mirrorpo.study.prompt_errors import PromptErrors
    from mirrorpo.study.tables import ResultTable


def bench(
    settings: BenchSettings | None = None,
    /,
    *,
    out: Out = None,
    cache: PathLike | None = None,
    ray: str | None = None,
    keep_agents: bool = False,
    progress: Progress = silent,
    **options: Unpack[BenchOptions],
) -> BenchResult:
    """Train every objective on every dataset variant and score it by true return, or true reward.

    With task="reviews" the agents are language models (extra `llm`), scored by a known reward of
    what they write; with task="text" the model, the prompts and the reward are yours.

    >>> import mirrorpo as mpo
    >>> result = mpo.bench(task="hopper", algorithms=["dpo", "orpo"], seeds=2)  # doctest: +SKIP
    >>> result.table  # doctest: +SKIP

    Args:
        settings: what to measure, ready-made, in place of single options.
        out: run folder. The same call resumes an interrupted bench. By default a temporary
            folder, which is removed with the result; `BenchResult.save` keeps it.
        cache: folder for simulated trajectories, or sampled texts; the user's cache by default.
        ray: train and score on a Ray cluster (extra `cluster`): auto, HOST:PORT, or local:N for
            one of N cores on this machine. The table is the same.
        keep_agents: write the agent of each cell's first seed, a policy or an adapter, to
            OUT/agents, where `report` finds it.
        progress: told the agents done, all agents, and what is being done.
        **options: fields of `mirrorpo.study.settings.BenchSettings`, which says what each is and
            has their defaults. An objective is given as `mirrorpo.objective` takes it; none of an
            object's hyper-parameters is searched.

    Raises:
        ValueError: an unknown name, a setting out of range, or a folder of another run. All names
            are checked before anything is computed.
    """
    settings = _spelled(given.build(BenchSettings, settings, options, bench))
    given.check_task(settings.task, ray)
    given.check_objectives(settings.algorithms)
    kept = given.cache_folder(cache)
    start_jax()
    from mirrorpo.execution import executor
    from mirrorpo.study import bench as benches
    from mirrorpo.study import ground, prompt_errors, side_tables, table_files, tables, tuning

    settings = ground.settled(settings)
    folder = choose(out, "bench", f"{settings.task}-{files.digest(settings.recorded)[:8]}")
    with writing(folder) as path, executor.workplace(ray) as place:
        log, source_agents = benches.run(settings, path, progress, kept, place, keep_agents)
        frame = log.frame()
        table = tables.build(
            frame, settings.task, settings.algorithms, settings.variants, source_agents
        )
        errors = prompt_errors.of(path, table, frame)
        others = side_tables.of(path, table, frame, errors)
        table_files.write(path, table, others, tuning.read(path), errors)
    return BenchResult._read(folder)


class BenchResult(ResultInFolder):
    """A finished bench: its table, its agents, and the folder of its files.

    Attributes:
        settings: the settings of the bench, as its run folder records them.
        results: what every rendering of the table shows, with the tests behind it.
        agents: one row per trained agent, those of the search for hyper-parameters included; see
            `mirrorpo.study.records.AgentRecord` for the columns.
    """

    settings: Mapping[str, object]
    results: ResultTable
    agents: pd.DataFrame

    def __init__(self, part: BenchPart, folder: RunFolder):
        self._part = part
        self._folder = folder
        self.settings = part.run.settings
        self.results = part.run.table
        self.agents = part.run.agents

    @classmethod
    def load(cls, folder: PathLike) -> BenchResult:
        """The bench in a run folder, finished or not, or a published one, results/NAME.

        Raises:
            ValueError: there is no such folder, or it holds no bench.
        """
        return cls._read(opened(folder))

    @classmethod
    def _read(cls, folder: RunFolder) -> BenchResult:
        start_jax()
        from mirrorpo.reporting import comparison
        from mirrorpo.reporting.page import benches, folders

        found = folders.read_one(folder.path, comparison.KIND)
        return cls(benches.read(found), folder)

    @property
    def table(self) -> pd.DataFrame:
        """One row per variant and objective, as in summary.csv.

        See `mirrorpo.study.tables.to_frame`. Further columns say how each cell was tuned.
        """
        from mirrorpo.study import prompt_errors, tables, tuning

        is_said = (self.folder / tuning.FILE).is_file()
        searches = tuning.read(self.folder) if is_said else {}
        summary = tuning.with_columns(tables.to_frame(self.results), searches)
        return prompt_errors.with_columns(summary, self._prompt_errors)

    @property
    def side_tables(self) -> list[tuple[str, ResultTable]]:
        """Title and table of what else was measured.

        For texts these are win rates, and errors that hold for new prompts.
        """
        from mirrorpo.study import side_tables

        return side_tables.of(self.folder, self.results, self.agents, self._prompt_errors)

    @cached_property
    def _prompt_errors(self) -> PromptErrors:
        from mirrorpo.study import prompt_errors

        return prompt_errors.of(self.folder, self.results, self.agents)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the errors contain, what bold means, and who leads by how much."""
        from mirrorpo.study import table_notes

        found = self.results
        return (
            table_notes.errors(found),
            table_notes.bold(found),
            *table_notes.leaders(found),
            *([self.prompts_note] if self.prompts_note else []),
        )

    @property
    def prompts_note(self) -> str:
        """Say whether errors hold for new prompts; empty for robots."""
        return self._prompt_errors.note

    @property
    def diverged(self) -> int:
        """Number of reported agents that diverged: they have no return."""
        return self._part.diverged

    def plot(self) -> Figure:
        """Every agent as a point, a panel per variant, with means and standard errors."""
        from mirrorpo.reporting import run_plots

        return run_plots.every_agent(self._part)

    def plot_curves(self) -> Figure:
        """Training curves, means over the agents of a cell."""
        from mirrorpo.reporting import run_plots

        return run_plots.training_curves(self._part)

    def __str__(self) -> str:
        from mirrorpo.study import tables

        return f"{tables.to_markdown(self.results, decimals=self.results.decimals)}\n" + "\n".join(
            self.notes
        )

    def __repr__(self) -> str:
        found = self.results
        return (
            f"BenchResult({found.task}: {len(found.algorithms)} objectives, "
            f"{len(found.variants)} variants, {len(self.agents)} agents)"
        )

    def _repr_html_(self) -> str:
        from mirrorpo.study import tables

        return tables.to_html(self.results, decimals=self.results.decimals)


def _spelled(settings: BenchSettings) -> BenchSettings:
    """The settings with lists split and variants in their usual spelling.

    Names of objectives and of the task are the caller's own.
    """
    from mirrorpo import variants
    from mirrorpo.objectives.naming import split_list

    return given.changed(
        settings,
        task=UserText(settings.task),
        better=None if settings.better is None else UserText(settings.better),
        worse=None if settings.worse is None else UserText(settings.worse),
        reward=None if settings.reward is None else UserText(settings.reward),
        variants=tuple(str(variants.parse(text)) for text in split_list(settings.variants)),
        algorithms=users_own(split_list(settings.algorithms)),
    )
