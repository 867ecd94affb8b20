"""What a bench measures, typed and validated; light to import."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from mirrorpo import protocols
from mirrorpo.preferences.draws import check_data_seed, draw
from mirrorpo.training_settings import TrainSettings


@dataclass(frozen=True)
class Scoring:
    """How the cells of a bench are scored; see `BenchSettings`."""

    seeds: int
    episodes: int
    data_draws: int
    tune_on: str

    def __post_init__(self) -> None:
        for name in ("seeds", "episodes", "data_draws"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.tune_on not in ("own", "score"):
            raise ValueError(f"tune_on must be own or score, not {self.tune_on!r}.")


@dataclass(frozen=True)
class BenchSettings:
    """What a bench measures; it decides every number of its table.

    A setting that is None takes the protocol's value; see `mirrorpo.protocols`.

    Attributes:
        task: name of a task; of a file's data their card names it.
        data: file of a pool or a labelled dataset to train on, as `mirrorpo data import` writes,
            in place of simulated data; None to simulate. It is one draw of the data.
        variants: faults of the datasets, for example ("base", "noisy:0.1", "mixed-quality").
        algorithms: objective names, or PATH.py:CLASS of the user's own.
        protocol: "mirror" or "paper", the bundle of all settings that are not given.
        seeds: number of trained agents per table cell.
        search: choose hyper-parameters for each cell, as `tune_by` says. Without it the bench
            takes those that searches behind the shipped tables of results chose, where the task
            and variant have them, else the middle of the grid.
        search_seeds: number of agents per trial of the search.
        tune_by: "trials" gives every loss the same number of trials over its declared ranges;
            "grid" tries the points of its grid, at most six. A loss without hyper-parameters
            takes none.
        trials: number of trials per cell, with `tune_by` "trials". An optimum at the edge of its
            range widens the range and adds half as many, at most twice.
        data_seed: of trajectories and labels. Hyper-parameters are searched on one draw and
            scored on others, see `mirrorpo.preferences.draws`.
        data_draws: number of draws that a cell's agents are spread over.
        tune_on: the draw that hyper-parameters are searched on: one of its "own", which no score
            uses, or the first one of the "score", as the paper seems to.
        rows: pairs of each dataset; None for the paper's number.
        epochs: passes over the dataset, all stages together.
        minibatch: pairs per step.
        learning_rate: Adam's, at the start of each stage.
        schedule: of the learning rate within each stage: constant, linear or cosine; or
            linear-overall, which falls to zero over all stages together.
        reset_optimiser: start Adam anew with each stage, in place of one Adam for all.
        single_stage: names of objectives that skip their SFT stage.
        time_steps: steps sampled from each trajectory and minibatch; 0 for all.
        std: of the policy's actions: "learned", or "fixed:VALUE" in motor commands.
        episodes: evaluation episodes per agent for the final score; each agent of a cell has its
            own start states, agents of equal number in two cells share theirs.
        search_episodes: evaluation episodes per agent in the search.
        curve_episodes: evaluation episodes per final agent after every epoch, for the curve of
            its return while it trains; None for no such curve.
        actions: what agents are scored with: "sampled" actions, or their "mean" ones.
        allow_short: accept data in which many trajectories end at once.
        backend: physics engine; None for the task's own.
        better: the better source agent; None for the task's own.
        worse: the worse source agent; None for the task's own.
    """

    task: str = "hopper"
    data: str | None = None
    variants: tuple[str, ...] = ("base", "noisy:0.1", "mixed-quality")
    algorithms: tuple[str, ...] = ("sft", "dpo", "ipo", "cpo", "orpo", "simpo")
    protocol: str = "mirror"
    seeds: int | None = None
    search: bool = False
    search_seeds: int = 2
    tune_by: str | None = None
    trials: int | None = None
    data_seed: int = 0
    data_draws: int | None = None
    tune_on: str | None = None
    rows: int | None = None
    epochs: int | None = None
    minibatch: int | None = None
    learning_rate: float | None = None
    schedule: str | None = None
    reset_optimiser: bool = False
    single_stage: tuple[str, ...] | None = None
    time_steps: int | None = None
    std: str | None = None
    episodes: int | None = None
    search_episodes: int = 50
    curve_episodes: int | None = None
    actions: str | None = None
    allow_short: bool = False
    backend: str | None = None
    better: str | None = None
    worse: str | None = None

    def __post_init__(self) -> None:
        if self.data is not None:
            if (self.data_draws or 1) > 1:
                raise ValueError(
                    f"data_draws must be 1 with data from a file, not {self.data_draws}."
                )
            object.__setattr__(self, "data_draws", 1)
        protocols.settle(self)
        for name in ("search_seeds", "search_episodes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        for name in ("rows", "curve_episodes"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}.")
        if self.tune_by not in ("grid", "trials"):
            raise ValueError(f"tune_by must be grid or trials, not {self.tune_by!r}.")
        if self.trials is None or self.trials < 1:
            raise ValueError(f"trials must be at least 1, not {self.trials}.")
        check_data_seed(self.data_seed)
        protocols.check_actions(self.actions)
        for name in ("variants", "algorithms"):
            if not getattr(self, name):
                raise ValueError(f"{name} is empty: name at least one.")
        _ = self.training, self.scoring  # check their settings

    @property
    def scoring(self) -> Scoring:
        """How its cells are scored, the protocol's values filled in."""
        return Scoring(**{one.name: getattr(self, one.name) for one in fields(Scoring)})

    @property
    def training(self) -> TrainSettings:
        """The settings of inner training among these."""
        return protocols.training(self)

    @property
    def recorded(self) -> dict[str, Any]:
        """The settings as a run records them: how it tunes by trials, and the data's file, only
        where it has them, so that a run from before there were any can be resumed."""
        values = asdict(self)
        if not self.search or self.tune_by == "grid":
            del values["tune_by"], values["trials"]
        if self.data is None:
            del values["data"]
        return values

    @property
    def search_draw(self) -> int:
        """The draw that hyper-parameters are searched on."""
        own = draw(self.data_seed, "search")
        return own if self.scoring.tune_on == "own" else self.draw_of(0)

    def draw_of(self, seed: int) -> int:
        """The draw that a final agent is trained on."""
        return draw(self.data_seed, "score", seed % self.scoring.data_draws)
