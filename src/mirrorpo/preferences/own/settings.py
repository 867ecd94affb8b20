"""How files of trajectories and labels are read, typed and validated; light to import."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mirrorpo import limits, seeds, typed

Ties = Literal["drop", "half"]
One = Literal["second", "first"]
MinusOne = Literal["equal", "skipped"]
RowCount = Literal["steps", "qlearning"]


@dataclass(frozen=True)
class ImportSettings:
    """How a file of trajectories is read.

    Attributes:
        columns: the file's names for observations, actions, rewards, terminals, timeouts and
            episode, as in `--columns observations=states`.
        sources: column whose values are the sources of episodes, for example policies; by default
            sources are tiers by return.
        better: value of the better source; by default, of two, the one of the higher mean return.
        worse: value of the worse source, likewise.
        better_share: without --sources, share of episodes that are the better source's, those of
            the highest returns.
        worse_share: without --sources, share of the worse source's, those of the lowest returns.
        start: column that numbers start states; only episodes from one state are paired then.
        rows: number of pairs; by default each episode is in two pairs, once in those of `base`.
        seed: draws which episodes meet.
        task: MirrorPO's task that the trajectories are of, where agents can be scored by return.
        backend: physics engine of that task; its own by default.
        episode_length: steps after which the recording cut an episode, and agents' episodes are
            cut; by default the longest one's.
        name: the name of the data, in tables; by default their environment's or the file's.
        labels: file of labels that people gave: .npz, .csv or .parquet with indices_1, indices_2
            and label; makes a labelled dataset in place of a pool.
        segment: steps of each labelled segment, where the file of labels does not say.
        ties: what becomes of pairs that are labelled as equal: drop them, or half: such a pair is
            there in both orders.
        one: which segment a label of 1 prefers.
        minus_one: what a label of -1 means.
        index_into: what the labels' indices count: steps of the file, or those that D4RL's
            qlearning_dataset keeps of it.
    """

    columns: tuple[str, ...] = ()
    sources: str | None = None
    better: str | None = None
    worse: str | None = None
    better_share: float = 0.5
    worse_share: float = 0.5
    start: str | None = None
    rows: int | None = None
    seed: int = 0
    task: str | None = None
    backend: str | None = None
    episode_length: int | None = None
    name: str | None = None
    labels: Path | None = None
    segment: int | None = None
    ties: Ties = "drop"
    one: One = "second"
    minus_one: MinusOne = "equal"
    index_into: RowCount = "steps"

    def __post_init__(self) -> None:
        typed.settle(self)

    def check(self) -> None:
        """Raise ValueError for options that contradict each other."""
        if self.task is None and self.backend is not None:
            raise ValueError("--backend is a task's: name it by --task.")
        limits.at_least(1, episode_length=self.episode_length)
        seeds.check(self.seed)
        of_pools = ("sources", "better", "worse", "start", "rows")
        given = [name for name in of_pools if getattr(self, name) is not None]
        if self.labels is not None and given:
            raise ValueError(f"--{given[0]} is of a pool, but --labels makes a labelled dataset.")
        of_labels = self._given("segment", "ties", "one", "minus_one", "index_into")
        if self.labels is None and of_labels:
            raise ValueError(f"{of_labels[0]} is of labels: name their file by --labels.")
        shares = self._given("better_share", "worse_share")
        if shares and (self.sources is not None or self.labels is not None):
            raise ValueError(
                f"{shares[0]} is of sources that are tiers by return: leave it out where "
                "--sources or --labels says what is compared."
            )

    @property
    def pairs_anew(self) -> bool:
        """Whether they say how episodes are paired, or bring labels."""
        pairing = ("sources", "better_share", "worse_share", "start", "rows", "labels")
        return bool(self._given(*pairing))

    def refuse_for_pool(self, where: str) -> None:
        """Raise ValueError for options that a pool of MirrorPO's own, read as it was, has not."""
        kept = self._given("better", "worse", "seed", "task", "backend", "episode_length", "name")
        if kept:
            raise ValueError(
                f"{where} is a pool that MirrorPO exported, and is read as it was: leave "
                f"{' and '.join(kept)} out, or pair its episodes anew by --sources agent."
            )

    def _given(self, *names: str) -> list[str]:
        """Those of some options that have another value than the default, as a user writes them."""
        return [
            f"--{name.replace('_', '-')}"
            for name in names
            if getattr(self, name) != getattr(ImportSettings, name)
        ]
