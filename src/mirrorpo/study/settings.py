"""What a bench measures, typed and validated; light to import."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from mirrorpo import limits, protocols, typed
from mirrorpo.language.text_task.settings import TextSettings
from mirrorpo.preferences.draws import Purpose, check_data_seed, draw
from mirrorpo.text_tasks import REVIEWS, TEXT
from mirrorpo.training_settings import TrainSettings

_ROBOTS_ONLY = (
    *("data", "epochs", "schedule", "reset_optimiser", "single_stage", "time_steps", "std"),
    *("curve_episodes", "actions", "allow_short", "backend", "better", "worse"),
    *("start_from", "hidden"),
)
_TEXTS_ONLY = (
    *("model", "steps", "lora_r", "aggregation", "bf16", "test_prompts", "max_new_tokens"),
    *("best_of", "target_steps", "target_learning_rate", "sample_batch"),
)
_OF_THE_USERS = ("prompts", "reward")
_HOW_TO_SEARCH = ("tune_by", "trials", "search_draws", "finalists")


@dataclass(frozen=True)
class Scoring:
    """How the cells of a bench are scored; see `BenchSettings`."""

    seeds: int
    episodes: int
    data_draws: int
    tune_on: str

    def __post_init__(self) -> None:
        limits.at_least(1, seeds=self.seeds, episodes=self.episodes, data_draws=self.data_draws)
        if self.tune_on not in ("own", "score"):
            raise ValueError(f"tune_on must be own or score, not {self.tune_on!r}.")


@dataclass(frozen=True)
class BenchSettings:
    """What a bench measures; it decides every number of its table.

    A setting that is None takes the protocol's value; see `mirrorpo.protocols`. Settings that do
    not apply to the task are refused: those from `epochs` on belong to robots, except for
    `minibatch`, `learning_rate` and the episodes, and those from `model` on to texts.

    Attributes:
        task: name of a robot's task; or, for the bench on a language model (extra `llm`), reviews,
            or text for prompts and a reward of the user's; of a file's data their card names it.
        data: file of a pool or a labelled dataset to train on, as `mirrorpo data import` writes,
            in place of simulated data; default: simulate. It is one draw of the data.
        variants: faults of the datasets, for example ("base", "noisy:0.1", "mixed-quality").
        algorithms: objective names, or PATH.py:CLASS of the user's own.
        protocol: "mirror", "paper" or "paper-nearest", the bundle of all settings that are not
            given; for texts "mirror"; "small", for the package's own small model, all openings of
            reviews and seconds per agent; or "smoke", a tiny random model to see that a set-up
            works.
        seeds: number of trained agents per table cell; default: the protocol's, 24 of "mirror",
            25 of "paper", for texts 8.
        search: choose hyper-parameters for each cell, as `tune_by` says. Without it the bench
            takes those behind the shipped evidence (docs/recommend.md), where the task and variant
            have them, else the middle of the grid.
        search_seeds: number of agents per trial of the search.
        search_draws: number of draws of the data that they are spread over: the same for all
            trials of all losses.
        tune_by: "trials" gives every loss the same number of trials over its declared ranges;
            "grid" tries the points of its grid, at most six. A loss without hyper-parameters
            takes none.
        trials: number of trials per cell, with `tune_by` "trials"; default: 24, for texts 12 (6
            with "small"). An optimum at the edge of its range widens the range and adds half as
            many, at most twice.
        finalists: number of best trials whose agents are then made four times as many, the best
            of them being chosen; default: no such rerun. A trial of one agent may be lucky.
        data_seed: the seed of trajectories and labels. Hyper-parameters are searched on one draw
            and scored on others, see `mirrorpo.preferences.draws`.
        data_draws: number of draws that a cell's agents are spread over; default: the protocol's,
            2 of "mirror", 1 of "paper", for texts 2 (8 with "small").
        tune_on: the draw that hyper-parameters are searched on: one of its "own", which no score
            uses, or the first one of the "score", as the paper seems to.
        rows: pairs of each dataset; default: the paper's number; of texts 256 prompts, or as many
            as a file of prompts has to train on.
        epochs: passes over the dataset, all stages together.
        minibatch: pairs per step.
        learning_rate: Adam's learning rate at the start of each stage.
        schedule: the schedule of the learning rate within each stage: constant, linear or cosine;
            or linear-overall, which falls to zero over all stages together.
        reset_optimiser: restart Adam at each stage, in place of one Adam for all stages.
        single_stage: names of objectives that skip their SFT stage.
        time_steps: steps sampled from each trajectory and minibatch, 0 for all; default: the
            protocol's, 128 of "mirror", all of "paper".
        std: the standard deviation of the policy's actions: "learned", or "fixed:VALUE" in motor
            commands.
        episodes: evaluation episodes per agent for the final score, for texts continuations of
            test prompts; each agent of a cell has its own start states, agents of equal number in
            two cells share theirs. Default: the protocol's, 16 of "mirror", 100 of "paper", for
            texts 128 (264 with "small").
        search_episodes: evaluation episodes per agent in the search, for texts continuations of
            training prompts.
        curve_episodes: evaluation episodes per final agent after every epoch, for the curve of
            its return while it trains; default: no such curve.
        actions: what agents are scored with: "sampled" actions, or their "mean" ones.
        allow_short: accept data in which many trajectories end at once.
        backend: physics engine; default: the task's own.
        better: the better source agent; default: the task's own.
        worse: the worse source agent; default: the task's own.
        start_from: an agent's name or file that every agent starts from, or "random" for random
            networks; default: the task's own start.
        hidden: units of each hidden layer; an agent that learners start from is widened to them.
            Default: the protocol's.
        model: a hub's name, a folder, ``smollm2`` (default), ``reviews-small``, which comes with
            the package and knows openings of reviews alone, or ``smoke``, which is random.
        prompts: for the task text, a file of prompts: texts, or conversations as messages,
            see `mirrorpo.preference_texts.prompts`. A fifth of them, drawn with `data_seed`, is
            kept to score on. Or ``reviews``, for the openings of reviews.
        reward: for the task text: ``FILE.py:FUNCTION``, a function of lists of prompts and
            completions that returns a number for each; a reward model's folder or hub name; or
            built in, ``reviews`` or ``opinion``.
        steps: optimiser steps of each agent, all stages together (60).
        lora_r: rank of the adapters on all linear layers (16); the scale alpha / r is 2.
        aggregation: "mean" (default) or "sum" of a continuation's log-probs, for all objectives.
        bf16: train in mixed precision, in bfloat16; default: on a GPU that has it.
        test_prompts: prompts that agents are scored on (64, or as many as a file of prompts has);
            none of them is trained on.
        max_new_tokens: the most tokens of a continuation (32).
        best_of: continuations of each training prompt among which the target, the better source,
            learns the best (8).
        target_steps: optimiser steps of the target (60).
        target_learning_rate: Adam's learning rate at the start of the target's training (3e-4).
        sample_batch: continuations at once when sampling (32).
    """

    task: str = "hopper"
    data: str | None = None
    variants: tuple[str, ...] = ("base", "noisy:0.1", "mixed-quality")
    algorithms: tuple[str, ...] = ("sft", "dpo", "ipo", "cpo", "orpo", "simpo")
    protocol: str = "mirror"
    seeds: int | None = None
    search: bool = False
    search_seeds: int = 2
    search_draws: int | None = None
    tune_by: str | None = None
    trials: int | None = None
    finalists: int | None = None
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
    start_from: str | None = None
    hidden: tuple[int, ...] | None = None
    model: str | None = None
    prompts: str | None = None
    reward: str | None = None
    steps: int | None = None
    lora_r: int | None = None
    aggregation: str | None = None
    bf16: bool | None = None
    test_prompts: int | None = None
    max_new_tokens: int | None = None
    best_of: int | None = None
    target_steps: int | None = None
    target_learning_rate: float | None = None
    sample_batch: int | None = None

    def __post_init__(self) -> None:
        typed.settle(self)
        self._refuse_those_of_others()
        asked = {name: getattr(self, name) for name in _HOW_TO_SEARCH}
        if self.data is not None:
            for name in ("data_draws", "search_draws"):
                if (getattr(self, name) or 1) > 1:
                    raise ValueError(
                        f"{name} must be 1 with data from a file, not {getattr(self, name)}."
                    )
                object.__setattr__(self, name, 1)
        protocols.settle(self, protocols.TEXTS if self.is_of_texts else protocols.PROTOCOLS)
        limits.at_least(1, search_seeds=self.search_seeds, search_episodes=self.search_episodes)
        if asked["search_draws"] is None:  # the protocol's number is for its own number of agents
            few = min(self.search_draws or 1, self.search_seeds)
            object.__setattr__(self, "search_draws", few)
        elif not 1 <= asked["search_draws"] <= self.search_seeds:
            raise ValueError(
                f"search_draws must be between 1 and search_seeds ({self.search_seeds}): a trial's "
                f"agents are spread over them. It is {asked['search_draws']}."
            )
        limits.at_least(1, rows=self.rows, curve_episodes=self.curve_episodes)
        if self.tune_by not in ("grid", "trials"):
            raise ValueError(f"tune_by must be grid or trials, not {self.tune_by!r}.")
        limits.at_least(1, trials=self.trials, finalists=self.finalists)
        self._leave_out_those_of_a_search(asked)
        check_data_seed(self.data_seed)
        if not self.is_of_texts:
            protocols.check_actions(self.actions)
        for name in ("variants", "algorithms"):
            texts = getattr(self, name)
            if not texts:
                raise ValueError(f"{name} is empty: name at least one.")
            twice = [text for at, text in enumerate(texts) if text in texts[:at]]
            if twice:
                raise ValueError(f"{name} names {twice[0]} twice: name each once.")
        _ = self.scoring, self.texts if self.is_of_texts else self.training  # check them

    def _refuse_those_of_others(self) -> None:
        """See that every setting applies to the task."""
        others = {*(_ROBOTS_ONLY if self.is_of_texts else _TEXTS_ONLY)}
        others |= {*_OF_THE_USERS} if self.task != TEXT else set()
        given = [
            one.name
            for one in fields(self)
            if one.name in others and getattr(self, one.name) != one.default
        ]
        if given:
            raise ValueError(
                f"{', '.join(given)}: not for task {self.task}. Leave "
                f"{'it' if len(given) == 1 else 'them'} out, or name {self._fitting(given)} as the "
                "task."
            )

    def _leave_out_those_of_a_search(self, asked: Mapping[str, object]) -> None:
        """See that what says how to search is not given where nothing is searched so."""
        of_grid = ("trials",) if self.tune_by == "grid" else ()
        unused: Sequence[str] = of_grid if self.search else _HOW_TO_SEARCH
        given = [name for name in unused if asked[name] is not None]
        if given:
            wanted = "--tune-by trials" if self.search else "--search"
            raise ValueError(
                f"{', '.join(given)}: only with {wanted}. Add it, or leave "
                f"{'it' if len(given) == 1 else 'them'} out."
            )
        for name in unused:
            object.__setattr__(self, name, None)

    def _fitting(self, given: Sequence[str]) -> str:
        """A task that settings fit."""
        if set(given) & set(_OF_THE_USERS):
            return TEXT
        return "a robot" if self.is_of_texts else REVIEWS

    @property
    def is_of_texts(self) -> bool:
        """Whether its agents are language models."""
        return self.task in (REVIEWS, TEXT)

    @property
    def texts(self) -> TextSettings:
        """What a bench on texts trains and scores; those that are None at their defaults."""
        given = {one.name: getattr(self, one.name) for one in fields(TextSettings)}
        return TextSettings(**{k: value for k, value in given.items() if value is not None})

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
        """The settings as a run records them.

        How it tunes by trials, on several draws, the data's file, and what agents start from are
        recorded only where they are given. So a run from before there were any can be resumed.
        """
        values = asdict(self)
        for name in _ROBOTS_ONLY if self.is_of_texts else _TEXTS_ONLY:
            del values[name]
        for name in _OF_THE_USERS if self.task != TEXT else ():
            del values[name]
        if self.is_of_texts:
            values |= asdict(self.texts)
        if not self.search or self.tune_by == "grid":
            del values["tune_by"], values["trials"]
        if not self.search or self.search_draws == 1:
            del values["search_draws"]
        if self.finalists is None:
            del values["finalists"]
        if self.data is None:
            values.pop("data", None)  # of texts it is gone already
        return protocols.without_usual_start(values)

    @property
    def searched(self) -> list[int]:
        """The draws that hyper-parameters are searched on."""
        purpose: Purpose = "search" if self.tune_on == "own" else "score"
        return [draw(self.data_seed, purpose, index) for index in range(self.search_draws or 1)]

    def draw_of(self, seed: int) -> int:
        """The draw that a final agent is trained on."""
        return draw(self.data_seed, "score", seed % self.scoring.data_draws)
