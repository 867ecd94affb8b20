"""What a bench measures, typed and validated; light to import."""

from dataclasses import dataclass

from mirrorpo.training_settings import TrainSettings


@dataclass(frozen=True)
class BenchSettings:
    """What a bench measures; it decides every number of its table.

    Attributes:
        task: name of a task.
        variants: of the dataset, for example ("base", "noisy:0.1", "mixed-quality").
        algorithms: objective names, or PATH.py:CLASS of the user's own.
        seeds: trained agents a cell of the table.
        search: choose hyper-parameters for each cell from the objective's grid. Without it
            those are used that searches behind the shipped tables of results chose, where
            the task and variant have them, else the middle of the grid.
        search_seeds: agents for each point of the grid.
        rows: pairs of each dataset; None for the paper's number.
        epochs: passes over the dataset, all stages together.
        minibatch: pairs a step.
        learning_rate: Adam's.
        anneal: let the learning rate fall linearly to zero; else it is constant.
        reset_optimiser: start Adam anew with each stage, in place of one Adam for all.
        time_steps: steps sampled from each trajectory and minibatch; None for all.
        episodes: of each agent's final score.
        search_episodes: of each agent's score in the search.
        curve_episodes: of each final agent after every epoch, for the curve of its return while
            it trains; None for no such curve.
        deterministic: score mean actions in place of sampled ones.
        backend: physics engine; None for the task's own.
        better: the better source agent; None for the task's own.
        worse: the worse source agent; None for the task's own.
        seed: of the trajectories and the labels.
    """

    task: str = "hopper"
    variants: tuple[str, ...] = ("base", "noisy:0.1", "mixed-quality")
    algorithms: tuple[str, ...] = ("sft", "dpo", "ipo", "cpo", "orpo", "simpo")
    seeds: int = 25
    search: bool = False
    search_seeds: int = 2
    rows: int | None = None
    epochs: int = 12
    minibatch: int = 2
    learning_rate: float = 1e-3
    anneal: bool = True
    reset_optimiser: bool = False
    time_steps: int | None = None
    episodes: int = 100
    search_episodes: int = 50
    curve_episodes: int | None = None
    deterministic: bool = False
    backend: str | None = None
    better: str | None = None
    worse: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("seeds", "search_seeds", "episodes", "search_episodes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        for name in ("rows", "curve_episodes"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}.")
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"seed must be between 0 and 2**31 - 1, not {self.seed}.")
        for name in ("variants", "algorithms"):
            if not getattr(self, name):
                raise ValueError(f"{name} is empty: name at least one.")
        _ = self.training  # checks the settings of training

    @property
    def training(self) -> TrainSettings:
        """The settings of inner training among these."""
        return TrainSettings(
            epochs=self.epochs,
            minibatch=self.minibatch,
            learning_rate=self.learning_rate,
            anneal=self.anneal,
            reset_optimiser=self.reset_optimiser,
            time_steps=self.time_steps,
        )
