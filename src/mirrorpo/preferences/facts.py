"""What a preference dataset holds, in numbers."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mirrorpo import digits, files
from mirrorpo.preferences.data import PreferenceDataset, short_share
from mirrorpo.simulation.evaluation import SHORT_EPISODE
from mirrorpo.text_tasks import TEXT_TASKS
from mirrorpo.variants import BETTER

DATASETS = "datasets.json"
"""In a run folder: the facts of the datasets that the run trained on, a list."""


@dataclass(frozen=True)
class Facts:
    """A dataset in numbers.

    Attributes:
        task: name of the task.
        variant: text of the variant.
        rows: number of pairs.
        flipped: share of labels that contradict the true returns; None where those are not known.
        chosen_better: share of pairs whose chosen trajectory is the better agent's.
        pairings: share of pairs of two better agents' trajectories, of one each, of two worse.
        chosen_return: mean and standard deviation of the chosen trajectories' true returns; None
            where those are not known.
        rejected_return: likewise of the rejected ones.
        chosen_length: mean number of steps of chosen trajectories.
        rejected_length: likewise of the rejected ones.
        agents: names of the better and the worse agent; None where trajectories have no such
            sources.
        short: share of the pairs' trajectories that end within `SHORT_EPISODE` steps; None where
            it was not measured.
    """

    task: str
    variant: str
    rows: int
    flipped: float | None
    chosen_better: float
    pairings: tuple[float, float, float]
    chosen_return: tuple[float, float] | None
    rejected_return: tuple[float, float] | None
    chosen_length: float
    rejected_length: float
    agents: tuple[str, str] | None
    short: float | None = None

    @property
    def sides(self) -> list[tuple[str, str, str]]:
        """Rows of a table: name, chosen, rejected."""
        return [
            (
                f"true {'reward' if self._of_texts else 'return'}, mean ± s.d.",
                _moments(self.chosen_return, self._digits),
                _moments(self.rejected_return, self._digits),
            ),
            (
                f"{'words' if self._of_texts else 'steps'}, mean",
                f"{self.chosen_length:.0f}",
                f"{self.rejected_length:.0f}",
            ),
        ]

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Facts that are not of one side: name, value."""
        return [
            ("pairs", str(self.rows)),
            (
                f"labels against the true {'rewards' if self._of_texts else 'returns'}",
                _percent(self.flipped),
            ),
            *self._of_agents,
            *self._of_length,
        ]

    @property
    def _of_texts(self) -> bool:
        return self.task in TEXT_TASKS

    @property
    def _digits(self) -> int:
        """After the point of returns or rewards, which may have any unit."""
        return digits.after_point((*(self.chosen_return or ()), *(self.rejected_return or ())))

    @property
    def _of_length(self) -> list[tuple[str, str]]:
        if self._of_texts:
            return []
        return [(f"trajectories of fewer than {SHORT_EPISODE} steps", _percent(self.short))]

    @property
    def _of_agents(self) -> list[tuple[str, str]]:
        if self.agents is None:
            return []
        better, worse = self.agents
        both, mixed, neither = self.pairings
        return [
            (f"chosen is {better}'s", _percent(self.chosen_better)),
            (f"{better} against {better}", _percent(both)),
            (f"{better} against {worse}", _percent(mixed)),
            (f"{worse} against {worse}", _percent(neither)),
        ]


def _percent(share: float | None) -> str:
    return "not measured" if share is None else f"{100 * share:.1f} %"


def _moments(of: tuple[float, float] | None, decimals: int) -> str:
    return "not known" if of is None else f"{of[0]:.{decimals}f} ± {of[1]:.{decimals}f}"


def pairings(chosen: np.ndarray, rejected: np.ndarray) -> tuple[float, float, float]:
    """See `Facts`, of whether each side of each pair is the better agent's; bool, shape (n,)."""
    of_better = chosen.astype(int) + rejected
    both, mixed, neither = (float((of_better == count).mean()) for count in (2, 1, 0))
    return both, mixed, neither


def describe(dataset: PreferenceDataset) -> Facts:
    """The facts of a dataset."""
    trajectories = dataset.trajectories
    chosen_agent = trajectories.agent[dataset.chosen] == BETTER
    rejected_agent = trajectories.agent[dataset.rejected] == BETTER
    card = dataset.card
    known = card.get("returns") != "unknown"

    def moments(which: np.ndarray) -> tuple[float, float] | None:
        if not known:
            return None
        values = trajectories.returns[which].astype(np.float64)
        return float(values.mean()), float(values.std())

    return Facts(
        task=str(card.get("task", "unknown task")),
        variant=str(card.get("variant", "unknown variant")),
        rows=dataset.rows,
        flipped=float(dataset.flipped.mean()) if known else None,
        chosen_better=float(chosen_agent.mean()),
        pairings=pairings(chosen_agent, rejected_agent),
        chosen_return=moments(dataset.chosen),
        rejected_return=moments(dataset.rejected),
        chosen_length=float(trajectories.length[dataset.chosen].mean()),
        rejected_length=float(trajectories.length[dataset.rejected].mean()),
        agents=None
        if "labels" in card
        else (
            str(card.get("better", {}).get("name", "better agent")),
            str(card.get("worse", {}).get("name", "worse agent")),
        ),
        short=short_share(dataset.compact().trajectories, int(card.get("episode_length", 0))),
    )


def remember(run: Path, facts: Facts) -> None:
    """Add a dataset's facts to those in a run folder; those of its variant are replaced there."""
    known = {one.variant: one for one in recall(run)} | {facts.variant: facts}
    files.write_json(run / DATASETS, [asdict(one) for one in known.values()])


def recall(run: Path) -> list[Facts]:
    """The facts in a run folder; none where the run wrote none."""
    path = run / DATASETS
    if not path.is_file():
        return []
    return files.read_rows(path, "facts of datasets", Facts)
