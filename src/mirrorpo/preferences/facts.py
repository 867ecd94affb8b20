"""What a preference dataset holds, in numbers."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mirrorpo import files
from mirrorpo.preferences.data import BETTER, PreferenceDataset, short_share
from mirrorpo.simulation.evaluation import SHORT_EPISODE

DATASETS = "datasets.json"
"""In a run folder: the facts of the datasets that the run trained on, a list."""


@dataclass(frozen=True)
class Facts:
    """A dataset in numbers.

    Attributes:
        task: name of the task.
        variant: text of the variant.
        rows: number of pairs.
        flipped: share of labels that contradict the true returns.
        chosen_better: share of pairs whose chosen trajectory is the better agent's.
        pairings: share of pairs of two better agents' trajectories, of one each, of two worse.
        chosen_return: mean and standard deviation of the chosen trajectories' true returns.
        rejected_return: likewise of the rejected ones.
        chosen_length: mean number of steps of chosen trajectories.
        rejected_length: likewise of the rejected ones.
        agents: names of the better and the worse agent.
        short: share of the pairs' trajectories that end within `SHORT_EPISODE` steps; None where
            it was not measured.
    """

    task: str
    variant: str
    rows: int
    flipped: float
    chosen_better: float
    pairings: tuple[float, float, float]
    chosen_return: tuple[float, float]
    rejected_return: tuple[float, float]
    chosen_length: float
    rejected_length: float
    agents: tuple[str, str]
    short: float | None = None

    @property
    def sides(self) -> list[tuple[str, str, str]]:
        """Rows of a table: name, chosen, rejected."""
        return [
            (
                "true return, mean ± s.d.",
                f"{self.chosen_return[0]:.0f} ± {self.chosen_return[1]:.0f}",
                f"{self.rejected_return[0]:.0f} ± {self.rejected_return[1]:.0f}",
            ),
            ("steps, mean", f"{self.chosen_length:.0f}", f"{self.rejected_length:.0f}"),
        ]

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Facts that are not of one side: name, value."""
        both, mixed, neither = self.pairings
        better, worse = self.agents
        return [
            ("pairs", str(self.rows)),
            ("labels against the true returns", f"{100 * self.flipped:.1f} %"),
            (f"chosen is {better}'s", f"{100 * self.chosen_better:.1f} %"),
            (f"{better} against {better}", f"{100 * both:.1f} %"),
            (f"{better} against {worse}", f"{100 * mixed:.1f} %"),
            (f"{worse} against {worse}", f"{100 * neither:.1f} %"),
            (
                f"trajectories of fewer than {SHORT_EPISODE} steps",
                "not measured" if self.short is None else f"{100 * self.short:.1f} %",
            ),
        ]


def describe(dataset: PreferenceDataset) -> Facts:
    """The facts of a dataset."""
    trajectories = dataset.trajectories
    chosen_agent = trajectories.agent[dataset.chosen] == BETTER
    rejected_agent = trajectories.agent[dataset.rejected] == BETTER
    of_better = chosen_agent.astype(int) + rejected_agent

    def moments(which: np.ndarray) -> tuple[float, float]:
        values = trajectories.returns[which].astype(np.float64)
        return float(values.mean()), float(values.std())

    card = dataset.card
    return Facts(
        task=str(card.get("task", "unknown task")),
        variant=str(card.get("variant", "unknown variant")),
        rows=dataset.rows,
        flipped=float(dataset.flipped.mean()),
        chosen_better=float(chosen_agent.mean()),
        pairings=(
            float((of_better == 2).mean()),
            float((of_better == 1).mean()),
            float((of_better == 0).mean()),
        ),
        chosen_return=moments(dataset.chosen),
        rejected_return=moments(dataset.rejected),
        chosen_length=float(trajectories.length[dataset.chosen].mean()),
        rejected_length=float(trajectories.length[dataset.rejected].mean()),
        agents=(
            str(card.get("better", {}).get("name", "better agent")),
            str(card.get("worse", {}).get("name", "worse agent")),
        ),
        short=short_share(dataset.compact().trajectories, int(card.get("episode_length", 0))),
    )


def remember(run: Path, facts: Facts) -> None:
    """Add a dataset's facts to those in a run folder; those of the same variant are replaced."""
    others = [known for known in recall(run) if known.variant != facts.variant]
    files.write_json(run / DATASETS, [asdict(known) for known in (*others, facts)])


def recall(run: Path) -> list[Facts]:
    """The facts in a run folder; none where the run wrote none."""
    path = run / DATASETS
    if not path.is_file():
        return []
    return files.read_rows(path, "facts of datasets", Facts)
