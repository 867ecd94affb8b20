"""What a discovery searches and how, typed and validated; light to import."""

from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

import tyro

from mirrorpo import limits, protocols, seeds, typed
from mirrorpo.discovery import strategy
from mirrorpo.preferences.draws import check_data_seed
from mirrorpo.training_settings import TrainSettings

FAMILIES = ("one-step", "two-step", "temporal", "gated")
FUNCTIONS = ("psi", "inverse_potential", "link")
SYMBOLS = {"phi": "inverse_potential", "g": "link"}
"""The paper's signs of the functions, which `learn` takes for their names."""
NUMBERS = ("beta", "weight", "gamma")
GATED = ("lower", "softness", "trust", "weight", "delta")
"""What a search of the gated family learns unless told otherwise: numbers alone."""
GATED_SCHEDULE = "tilt"
"""A number of the gated family that is searched only where `learn` names it: its schedule."""
STARTS = {
    "one-step": ("cpo", "orpo", "lpo", "slic"),
    "two-step": ("dpo",),
    "temporal": ("simpo",),
    "gated": ("gated",),
}
_COUNTS = (
    *("generations", "population", "episodes", "rows", "validation_rows"),
    *("validate_every", "validation_seeds", "validation_episodes"),
)

_OF_NETWORKS, _OF_OPEN_ES = ("sees", "timed", "parameters"), ("sigma_decay", "step_size")


@dataclass(frozen=True)
class DiscoverySettings:
    """Everything that decides what a discovery finds; the search's defaults are the paper's.

    Attributes:
        task: name of a task; or several, separated by commas: the fitness is then of all variants
            on all of them.
        variants: the variants of the dataset. With several, the fitness is of all of them, see
            `robust`.
        robust: how scores on several variants become one: their "mean", or the "worst". A score
            is 0 at the worse source agent's return and 1 at the better's.
        against: known objectives, as a bench names them. The best of their scores in each column
            (a variant on a task), with the same data and seeds, is subtracted from each score, so
            that a fitness above 0 beats them all.
        family: "one-step" (paper, eq. 11), "two-step" (eq. 10), "temporal" (eq. 12-13), or
            "gated": five numbers of a loss that trains on pairs which the policy confirms, see
            the objective `gated`.
        learn: what is searched: any of psi, inverse_potential and link as monotone networks (the
            paper's signs psi, phi and g name them too); the numbers beta, weight and gamma of the
            family; and the schedule of the temporal family. In the gated family lower, softness,
            trust, weight, delta and tilt, its schedule. Default: the three functions, or all of
            these numbers but the tilt.
        start: the known member where the search begins: cpo, orpo, lpo or slic; dpo; simpo;
            gated. Default: the first of the family.
        beta: the value of beta of the start; default: the member's own.
        weight: the weight of the preference term relative to the SFT term at the start;
            default: the member's own.
        gamma: the gamma of the start, temporal family only; default: the member's own.
        delta: the delta of the start "slic", the margin beyond which its link is flat; default:
            its own.
        sees: what psi and the inverse potential see: the "log-prob", or the "probability" as in
            the paper.
        timed: let the networks see training's progress too.
        parameters: search "all" of a network, the "outputs" alone (the weights of its hidden
            units and of its extra terms, a third as many), or the "activations" (one weight for
            each of the nine activations, shared by its units, and one for each extra term).
        strategy: "open-es" (OpenAI's evolution strategy with Adam, the paper's) or "snes"
            (separable natural evolution strategy, a step size for each parameter), or "cma-es"
            (covariance matrix adaptation, for few numbers).
        generations: the number of generations of the search.
        population: number of agents per generation; even.
        sigma: standard deviation of the perturbations at the start.
        sigma_decay: factor on sigma for each generation (open-es).
        step_size: Adam's learning rate (open-es).
        shared_seed: train all agents of a generation with one seed; else each antithetic pair
            has its own. Start states and action noise are always the generation's.
        protocol: "mirror", "paper" or "paper-nearest": gives each setting of inner training that is
            None, see `mirrorpo.protocols`.
        rows: pairs that the fitness trains on; default: the paper's number.
        epochs: passes over these pairs, all stages together.
        time_steps: steps sampled from each trajectory and minibatch; 0 for all.
        episodes: evaluation episodes per agent for its fitness.
        screen_epochs: train every agent for so many epochs first, and only the best share of
            them, `screen_keep`, in full; default: no screening.
        screen_keep: share of the population that survives the screening.
        validate_every: generations between validations, of the search's centre and the best
            candidate so far.
        validation_seeds: number of agents per validation.
        validation_rows: pairs that validation trains on; default: the paper's number.
        validation_time_steps: `time_steps` in validation.
        validation_minibatch: `minibatch` in validation.
        validation_learning_rate: `learning_rate` in validation; default: the same.
        validation_episodes: evaluation episodes per agent in validation.
        minibatch: pairs per step of inner training.
        learning_rate: Adam's learning rate in inner training, at the start of each stage.
        schedule: the schedule of the learning rate within each stage: constant, linear or cosine;
            or linear-overall, which falls to zero over all stages together.
        reset_optimiser: restart Adam at each stage of inner training.
        single_stage: names of objectives that skip their SFT stage.
        std: the standard deviation of the policy's actions: "learned", or "fixed:VALUE" in motor
            commands.
        actions: what agents are scored with: "sampled" actions, or their "mean" ones.
        backend: physics engine; default: the task's own.
        better: the better source agent; default: the task's own.
        worse: the worse source agent; default: the task's own.
        start_from: an agent's name or file that every agent starts from, or "random" for random
            networks; default: the task's own start.
        hidden: units of each hidden layer; an agent that learners start from is widened to them.
            Default: the protocol's.
        seed: the seed of the search.
        data_seed: the seed of trajectories and labels: each generation has labels of its own, and
            the validation has trajectories and labels that no generation sees.
    """

    task: str = "hopper"
    variants: Annotated[tuple[str, ...], tyro.conf.arg(aliases=("--variant",))] = ("noisy:0.3",)
    robust: str = "mean"
    against: tuple[str, ...] = ()
    family: str = "one-step"
    learn: tuple[str, ...] | None = None
    start: str | None = None
    beta: float | None = None
    weight: float | None = None
    gamma: float | None = None
    delta: float | None = None
    sees: str = "log-prob"
    timed: bool = False
    parameters: str = "all"
    strategy: str = "open-es"
    generations: int = 128
    population: int = 256
    sigma: float = 0.03
    sigma_decay: float = 0.999
    step_size: float = 0.02
    shared_seed: bool = True
    rows: int | None = None
    protocol: str = "mirror"
    epochs: int | None = None
    time_steps: int | None = None
    episodes: int = 100
    screen_epochs: int | None = None
    screen_keep: float = 0.5
    validate_every: int = 10
    validation_seeds: int = 8
    validation_rows: int | None = None
    validation_time_steps: int | None = 64
    validation_minibatch: int = TrainSettings.minibatch
    validation_learning_rate: float | None = None
    validation_episodes: int = 100
    minibatch: int | None = None
    learning_rate: float | None = None
    schedule: str | None = None
    reset_optimiser: bool = False
    single_stage: tuple[str, ...] | None = None
    std: str | None = None
    actions: str | None = None
    backend: str | None = None
    better: str | None = None
    worse: str | None = None
    start_from: str | None = None
    hidden: tuple[int, ...] | None = None
    seed: int = 0
    data_seed: int = 0

    def __post_init__(self) -> None:
        typed.settle(self)
        protocols.settle(self)
        if self.validation_time_steps == protocols.ALL_STEPS:
            object.__setattr__(self, "validation_time_steps", None)
        check_data_seed(self.data_seed)
        protocols.check_actions(self.actions)
        own = GATED if self.family == "gated" else FUNCTIONS
        # Names separated by commas are one word on the command line.
        learned = ",".join(own if self.learn is None else self.learn).split(",")
        names = [name.strip().replace("-", "_") for name in learned if name.strip()]
        object.__setattr__(self, "learn", tuple(SYMBOLS.get(name, name) for name in names))
        limits.at_least(1, **{name: getattr(self, name) for name in _COUNTS})
        _require(self.population % 2 == 0, "population", self.population, "even: pairs")
        seeds.check(self.seed)
        limits.positive(sigma=self.sigma, step_size=self.step_size)
        for name in ("beta", "weight"):
            value = getattr(self, name)
            _require(value is None or value > 0, name, value, "positive")
        _require(self.gamma is None or self.gamma >= 0, "gamma", self.gamma, "at least 0")
        _require(0 < self.sigma_decay <= 1, "sigma_decay", self.sigma_decay, "in (0, 1]")
        _require(0 < self.screen_keep < 1, "screen_keep", self.screen_keep, "in (0, 1)")
        once = 0 < len(set(self.variants)) == len(self.variants)
        _require(once, "variants", ",".join(self.variants), "at least one, each once")
        for name, allowed in (
            ("robust", ("mean", "worst")),
            ("family", FAMILIES),
            ("sees", ("log-prob", "probability")),
            ("parameters", ("all", "outputs", "activations")),
            ("strategy", strategy.available()),
        ):
            value = getattr(self, name)
            _require(value in allowed, name, value, f"one of {', '.join(allowed)}")
        starts = STARTS[self.family]
        allowed_start = self.start is None or self.start in starts
        _require(allowed_start, "start", self.start, f"one of {', '.join(starts)} for this family")
        fits = self.delta is None or self.member == "slic"
        _require(fits, "delta", self.delta, "left out: only the start slic has one")
        _require(self.delta is None or self.delta > 0, "delta", self.delta, "positive")
        self._check_learned()
        self._check_unused()
        self._check_tasks()
        screened = (
            self.screen_epochs is None or 0 < self.screen_epochs < self.fitness_training.epochs
        )
        _require(screened, "screen_epochs", self.screen_epochs, "from 1 to fewer than epochs")
        _ = self.fitness_training, self.validation_training  # checks their settings

    def _check_learned(self) -> None:
        others = ("gamma", "schedule") if self.family == "temporal" else ("weight",)
        gated = self.family == "gated"
        allowed = (*GATED, GATED_SCHEDULE) if gated else (*FUNCTIONS, "beta", *others)
        unknown = [item for item in self.learned if item not in allowed]
        once = 0 < len(set(self.learned)) == len(self.learned)
        wanted = f"some of {', '.join(allowed)} for the {self.family} family, each once"
        _require(once and not unknown, "learn", ",".join(self.learned), wanted)
        given = {"weight": self.weight, "gamma": self.gamma, "beta": self.beta}
        numbers = () if gated else ("beta", *others)
        for name, value in given.items():
            fits = value is None or name in numbers
            _require(fits, name, value, f"left out: the {self.family} family has none")

    def _check_unused(self) -> None:
        """See that nothing is set that this search would pass over."""
        unused: dict[str, str] = {}
        if self.family == "gated":
            unused |= dict.fromkeys(_OF_NETWORKS, "the gated family has no networks")
        if self.strategy in ("snes", "cma-es"):
            unused |= dict.fromkeys(_OF_OPEN_ES, f"{self.strategy} has none")
        if self.screen_epochs is None:
            unused["screen_keep"] = "without screen_epochs nothing is screened"
        for name, why in unused.items():
            value = getattr(self, name)
            _require(value == getattr(DiscoverySettings, name), name, value, f"left out: {why}")

    def _check_tasks(self) -> None:
        several = len(self.tasks) > 1
        wanted = "names of tasks, each once"
        _require(
            all(self.tasks) and len(set(self.tasks)) == len(self.tasks), "task", self.task, wanted
        )
        for name in ("better", "worse", "backend", "start_from"):
            value = getattr(self, name)
            _require(value is None or not several, name, value, "left out with several tasks")

    @property
    def recorded(self) -> dict[str, Any]:
        """The settings as a search records them."""
        return protocols.without_usual_start(asdict(self))

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that agents act on; each is marked as the user's own if their text is."""
        return tuple(type(self.task)(name.strip()) for name in self.task.split(","))

    @property
    def learned(self) -> tuple[str, ...]:
        """What is searched."""
        return self.learn or ()

    @property
    def member(self) -> str:
        """The known member where the search starts."""
        return self.start or STARTS[self.family][0]

    @property
    def fitness_training(self) -> TrainSettings:
        """Settings of the inner training behind the fitness."""
        return protocols.training(self)

    @property
    def screen_training(self) -> TrainSettings:
        """Settings of the short inner training before it."""
        return replace(
            self.fitness_training, epochs=self.screen_epochs or self.fitness_training.epochs
        )

    @property
    def validation_training(self) -> TrainSettings:
        """Settings of the inner training behind the validation: all 12 epochs."""
        return replace(
            self.fitness_training,
            epochs=TrainSettings.epochs,
            minibatch=self.validation_minibatch,
            learning_rate=self.fitness_training.learning_rate
            if self.validation_learning_rate is None
            else self.validation_learning_rate,
            time_steps=self.validation_time_steps,
        )


def _require(fine: bool, name: str, value: object, wanted: str) -> None:
    if not fine:
        raise ValueError(f"{name} must be {wanted}, not {value!r}.")
