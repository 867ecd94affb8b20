"""``mirrorpo.train``: agents of one objective on one dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from mirrorpo import json_lines, protocols, runs
from mirrorpo.front import options as given
from mirrorpo.front.options import TrainingOptions
from mirrorpo.front.run_folder import (
    Out,
    PathLike,
    ResultInFolder,
    RunFolder,
    as_path,
    choose,
    writing,
)
from mirrorpo.front.settings import TrainedAgents
from mirrorpo.runtime.start import start_jax
from mirrorpo.user_text import UserText

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from mirrorpo.objectives import Objective
    from mirrorpo.study.single_run import Result


def train(
    objective: PathLike | Objective,
    data: PathLike,
    settings: protocols.Training | None = None,
    *,
    out: Out = None,
    seeds: int = TrainedAgents.seeds,
    seed: int = TrainedAgents.seed,
    start_from: PathLike | None = TrainedAgents.start_from,
    episodes: int = TrainedAgents.episodes,
    actions: str | None = TrainedAgents.actions,
    task: str | None = TrainedAgents.task,
    **options: Unpack[TrainingOptions],
) -> TrainResult:
    """Train agents with one objective on one dataset, and score them.

    Args:
        objective: as `mirrorpo.objective` takes it. An object is trained with its own values.
        data: a dataset of `mirrorpo data generate` or `mirrorpo data import`. Where its card names
            no task of MirrorPO's, a fifth is held out, and agents are scored by its labels.
        settings: the settings of inner training, ready-made, in place of single options.
        out: run folder. By default a temporary folder, which is removed with the result;
            `TrainResult.save` keeps it.
        seeds: number of agents.
        seed: the seed of the first agent; the others count on.
        start_from: an agent's name or file to start from, or "random" for random networks; by
            default the task's own start.
        episodes: the number of episodes of the evaluation.
        actions: what agents are scored with: "sampled" actions, or their "mean" ones; default: the
            protocol's.
        task: the robot's task; default: that of the data. A FILE.py:FUNCTION must be named.
        **options: fields of `mirrorpo.protocols.Training`.

    Raises:
        ValueError: an unknown name, a setting out of range, a file that is not a dataset, or
            a folder of another run.
    """
    agents = TrainedAgents(seeds, seed, given.text_of(start_from), episodes, actions, task)
    training = given.build(protocols.Training, settings, options, train)
    text = given.objective_text(objective)
    given.check_objectives([text])
    start_jax()
    from mirrorpo.study import algorithms, single_run

    # `data` may be a result whose file goes with it, so it keeps its name until the end.
    pairs = as_path(data, "data")
    algorithm = algorithms.load(text)
    folder = choose(out, "train", f"{algorithm.objective.name}-{pairs.stem}-seed{seed}")
    with writing(folder) as path:
        rows = single_run.run(
            algorithm,
            pairs,
            path,
            protocols.training(training),
            range(agents.seed, agents.seed + agents.seeds),
            agents.start_from,
            agents.episodes,
            agents.actions or protocols.bundle_of(training.protocol)["actions"],
            None if agents.task is None else UserText(agents.task),
        )
    return TrainResult([single_run.Result(**row) for row in rows], folder)


@dataclass(frozen=True, eq=False, repr=False)
class TrainResult(ResultInFolder):
    """Trained agents.

    Attributes:
        agents: seed, true return and its standard error of each; NaN for one episode.
    """

    agents: Sequence[Result]
    _folder: RunFolder

    @property
    def table(self) -> pd.DataFrame:
        """One row per agent; a return is NaN where the agent diverged."""
        import pandas as pd

        names = ("seed", "return_mean", "return_standard_error", "diverged")
        rows = [[getattr(agent, name) for name in names] for agent in self.agents]
        kinds = {"return_mean": float, "return_standard_error": float}
        return pd.DataFrame(rows, columns=list(names)).astype(kinds)

    @property
    def curves(self) -> pd.DataFrame:
        """Training curves: one row per agent and epoch."""
        import pandas as pd

        return pd.DataFrame(json_lines.read(self.folder / runs.METRICS))

    @property
    def files(self) -> tuple[Path, ...]:
        """The agents that did not diverge; `mirrorpo agents evaluate` takes them."""
        from mirrorpo.study import kept_agents

        return tuple(sorted((self.folder / kept_agents.FOLDER).glob("*.safetensors")))

    @property
    def diverged(self) -> tuple[int, ...]:
        """Seeds of the agents that diverged; they are not saved."""
        return tuple(agent.seed for agent in self.agents if agent.diverged)

    def plot(self) -> Figure:
        """Training curves of the first agent."""
        from mirrorpo.reporting import run_plots
        from mirrorpo.reporting.page import folders, trainings

        run = folders.read_one(self.folder, "train")
        return run_plots.charts(trainings.read(run).charts)

    def __repr__(self) -> str:
        return f"TrainResult({len(self.agents)} agents)"

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False))
