"""``mirrorpo.submit`` and ``mirrorpo.verify``: rows of the leaderboard, and whether they hold."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorpo import locks, places, runs
from mirrorpo.front import options as given
from mirrorpo.front.run_folder import Out, PathLike, Progress, RunFolder, as_path, choose, silent
from mirrorpo.runtime.start import start_jax

if TYPE_CHECKING:
    import pandas as pd

    from mirrorpo.objectives import Objective
    from mirrorpo.study.submissions import Comparison, Submission


@runs.holding()
def submit(
    objective: PathLike | Objective,
    *,
    tier: str = "quick",
    out: Out = None,
    cache: PathLike | None = None,
    ray: str | None = None,
    progress: Progress = silent,
) -> SubmissionResult:
    """Measure a loss in the leaderboard's suite and write its rows to one JSON file.

    The loss is tuned and scored as every other row of the leaderboard, beside plain SFT, which
    shows whether two machines give the same numbers.

    Args:
        objective: as `mirrorpo.objective` takes it. Values in brackets are not tuned, and of an
            object none is.
        tier: "quick", Hopper alone, at most half an hour on two cores; or "full", all robots.
        out: folder for the file, and for one run folder per robot; an interrupted submission
            resumes with the same call. By default a temporary folder, which is removed with the
            result.
        cache: folder for simulated trajectories; the user's cache by default.
        ray: as of `mirrorpo.bench`.
        progress: told the agents done of one robot, all of them, and what is being done.

    Raises:
        ValueError: an unknown loss or tier, or a folder of another submission.
    """
    from mirrorpo.front.bench import bench
    from mirrorpo.study import suite

    if not isinstance(tier, str) or tier not in suite.TIERS:
        raise ValueError(f"tier must be {' or '.join(suite.TIERS)}, not {tier!r:.40}.")
    text = given.objective_text(objective)
    given.check_objectives([text])
    start_jax()
    from mirrorpo import versions
    from mirrorpo.study import algorithms, submissions

    algorithm = algorithms.load(text)
    label = submissions.label(text)
    folder = choose(out, "submit", f"suite-{suite.CURRENT}-{tier}-{algorithm.objective.name}")
    file = folder.path / submissions.FILE
    submitted = submissions.Submission(
        format=submissions.FORMAT,
        suite=suite.CURRENT,
        tier=tier,
        objective=label,
        content=algorithm.checksum,
        agents=[],
        versions=versions.installed(),
    )
    places.check(file, f"--out {folder.path}")
    locks.hold_beside(folder.path)
    submissions.refuse_another(file, submitted)
    agents = []
    for robot in suite.TIERS[tier]:
        result = bench(
            suite.settings(robot, tuple(dict.fromkeys((suite.ANCHOR, text)))),
            out=folder.path / robot,
            cache=cache,
            ray=ray,
            progress=_of(robot, progress),
        )
        agents += submissions.agents_of(result.agents, {str(text): label})
    written = submissions.write(file, dataclasses.replace(submitted, agents=agents))
    return SubmissionResult(written, folder)


@dataclass(frozen=True, eq=False, repr=False)
class SubmissionResult:
    """A measured loss.

    Attributes:
        submission: its rows, as the file has them.
    """

    submission: Submission
    _folder: RunFolder

    @property
    def file(self) -> Path:
        """The file to send, for as long as this result is there, if no folder was named."""
        from mirrorpo.study import submissions

        return self._folder.path / submissions.FILE

    @property
    def table(self) -> pd.DataFrame:
        """One row per cell: task, variant, mean true return, standard error, agents."""
        from mirrorpo.study import submissions

        return submissions.table(self.submission)

    def __repr__(self) -> str:
        one = self.submission
        return f"SubmissionResult({one.objective}, suite {one.suite}, {len(one.agents)} agents)"


def verify(
    file: PathLike,
    objective: PathLike | Objective | None = None,
    *,
    cells: int = 3,
    seed: int | None = None,
    cache: PathLike | None = None,
    progress: Progress = silent,
) -> Verification:
    """Measure random cells of a submission again, and say whether they agree.

    The file is data: no code that it names is run. The loss of a user's file must be given.

    Args:
        file: a submission, as `submit` writes it.
        objective: the loss, as `mirrorpo.objective` takes it; by default the one that the
            file names, which must then be MirrorPO's own.
        cells: how many to measure, drawn at random.
        seed: the seed of that draw; by default another one each time.
        cache: folder for simulated trajectories; the user's cache by default.
        progress: told the agents done of one cell, all of them, and what is being done.

    Raises:
        ValueError: a file that is not a submission or was changed, of another suite, or a loss that
            is not the submitted one.
    """
    from mirrorpo.study import submissions, suite

    submitted = submissions.read(as_path(file, "file"))
    if submitted.suite != suite.CURRENT:
        raise ValueError(
            f"{file} is of suite {submitted.suite!r:.20}, and this version of MirrorPO measures "
            f"suite {suite.CURRENT}: use the version that its rows were made with."
        )
    if cells < 1:
        raise ValueError(f"cells must be at least 1, not {cells}.")
    start_jax()
    from mirrorpo.study import algorithms

    text = submitted.objective if objective is None else given.objective_text(objective)
    if algorithms.load(text).checksum != submitted.content:
        raise ValueError(f"{text} is not the loss whose rows {file} holds: its content differs.")
    everything = submitted.cells()
    drawn = random.Random(seed).sample(everything, min(cells, len(everything)))
    named = {cell: _tuned(submitted, text, *cell) for cell in everything}
    return Verification(
        [_measured_again(submitted, named[cell], *cell, cache, progress) for cell in sorted(drawn)]
    )


def _tuned(submitted: Submission, text: str, task: str, variant: str) -> str:
    """The text of a cell's loss with the hyper-parameters that tuning found.

    Raises:
        ValueError: no cell of the suite, or one that cannot be measured again.
    """
    from mirrorpo.objectives import naming
    from mirrorpo.study import algorithms, submissions, suite

    settings = suite.settings(task, (suite.ANCHOR,), search=False)
    if variant not in settings.variants:
        raise ValueError(
            f"Suite {suite.CURRENT} has no variant {variant!r:.40}: its variants are "
            f"{', '.join(settings.variants)}."
        )
    submissions.check_cell(submitted, task, variant, settings.scoring.seeds)
    named = naming.with_values(text, submissions.values_of(submitted.of_cell(task, variant)[0]))
    algorithms.load(named)
    return named


def _measured_again(
    submitted: Submission,
    named: str,
    task: str,
    variant: str,
    cache: PathLike | None,
    progress: Progress,
) -> Comparison:
    """One cell beside its agents, trained again."""
    from mirrorpo.front.bench import bench
    from mirrorpo.study import submissions, suite

    before = submitted.of_cell(task, variant)
    settings = suite.settings(task, (named,), search=False)
    result = bench(
        dataclasses.replace(settings, variants=(variant,)),
        cache=cache,
        progress=_of(task, progress),
    )
    again = submissions.agents_of(result.agents, {})
    return submissions.compare(before, again)


def _of(task: str, progress: Progress) -> Progress:
    """The progress that also says which task is being done."""

    def told(done: float, total: float, doing: str) -> None:
        progress(done, total, f"{task}, {doing}")

    return told


@dataclass(frozen=True, eq=False, repr=False)
class Verification:
    """Cells of a submission, each beside what was measured again.

    Attributes:
        cells: in the order of task and variant.
    """

    cells: Sequence[Comparison]

    @property
    def agrees(self) -> bool:
        """Whether no cell differs by more than chance."""
        from mirrorpo.study import submissions

        return all(one.verdict != submissions.DIFFERS for one in self.cells)

    @property
    def table(self) -> pd.DataFrame:
        """One row per cell: see `mirrorpo.study.submissions.Comparison`; and the verdict."""
        import pandas as pd

        return pd.DataFrame(
            [{**dataclasses.asdict(one), "verdict": one.verdict} for one in self.cells]
        )

    def __repr__(self) -> str:
        return f"Verification({len(self.cells)} cells, agrees: {self.agrees})"
