"""Named protocols: bundles of settings that decide how agents are trained, tuned and scored.

`paper` is the protocol of "Meta-Learning Objectives for Preference Optimization" (Table 7 and
section 4.2), with our choices where it is silent; `paper-nearest` differs in three of these, which
bring the returns nearest to the paper's (docs/reproduction.md says how that was measured); `mirror`
is what we recommend. A setting that the user gives wins over the bundle; a run records the name and
every value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from mirrorpo import near_names, typed
from mirrorpo.training_settings import TrainSettings, layers

Bundles = Mapping[str, Mapping[str, Any]]

_PAPER: Mapping[str, Any] = {
    "epochs": 12,
    "minibatch": 2,
    "learning_rate": 1e-3,
    "schedule": "constant",
    "single_stage": ("kto",),
    "time_steps": None,
    "std": "learned",
    "hidden": TrainSettings.hidden,
    "actions": "sampled",
    "seeds": 25,
    "episodes": 100,
    "data_draws": 1,
    "tune_on": "score",
    "search_draws": 1,
    "tune_by": "grid",
    "trials": 24,
}

PROTOCOLS: Bundles = {
    "paper": _PAPER,
    "paper-nearest": {
        **_PAPER,
        "schedule": "linear-overall",
        "single_stage": (),
        "hidden": (256, 256),
    },
    "mirror": {
        "epochs": 12,
        "minibatch": 2,
        "learning_rate": 3e-3,
        "schedule": "linear",
        "single_stage": (),
        "time_steps": 128,
        "std": "learned",
        "hidden": TrainSettings.hidden,
        "actions": "mean",
        "seeds": 24,
        "episodes": 16,
        "data_draws": 2,
        "tune_on": "own",
        "search_draws": 1,
        "tune_by": "trials",
        "trials": 24,
    },
}

ACTIONS = ("sampled", "mean")
"""What agents are scored with: sampled actions, or the mean ones, as a robot would be used."""

TEXTS: Bundles = {
    "mirror": {
        "seeds": 8,
        "episodes": 128,
        "data_draws": 2,
        "tune_on": "own",
        "search_draws": 1,
        "tune_by": "trials",
        "trials": 12,
    },
    "small": {
        "model": "reviews-small",
        "seeds": 8,
        "episodes": 264,
        "data_draws": 8,
        "tune_on": "own",
        "search_draws": 2,
        "tune_by": "trials",
        "trials": 6,
        "rows": 576,
        "steps": 72,
        "learning_rate": 3e-3,
        "test_prompts": 264,
        "best_of": 32,
        "target_steps": 144,
        "target_learning_rate": 3e-3,
        "sample_batch": 288,
    },
    "smoke": {
        "model": "smoke",
        "seeds": 1,
        "episodes": 4,
        "data_draws": 1,
        "tune_on": "own",
        "search_draws": 1,
        "tune_by": "trials",
        "trials": 2,
        "rows": 8,
        "steps": 2,
        "minibatch": 2,
        "lora_r": 2,
        "test_prompts": 4,
        "max_new_tokens": 8,
        "best_of": 2,
        "target_steps": 2,
        "sample_batch": 8,
    },
}
"""Protocols of benches on language models. `mirror` is sized for SmolLM2 on a few cores; `small` is
for the package's own model, which takes seconds where SmolLM2 takes minutes; `smoke` shows that a
set-up works, and its rewards mean nothing."""

ALL_STEPS = 0
"""The value of `time_steps` that a user gives for all steps, whatever the protocol says."""


def settle(settings: Any, bundles: Bundles = PROTOCOLS) -> None:
    """Fill those fields of a frozen dataclass that are None from its `protocol`, one of `bundles`.

    Raises:
        ValueError: no protocol of that name.
    """
    bundle = bundle_of(settings.protocol, bundles)
    for one in fields(settings):
        if one.name in bundle and getattr(settings, one.name) is None:
            object.__setattr__(settings, one.name, bundle[one.name])
    if getattr(settings, "time_steps", None) == ALL_STEPS:
        object.__setattr__(settings, "time_steps", None)
    if (hidden := getattr(settings, "hidden", None)) is not None:
        object.__setattr__(settings, "hidden", layers("hidden", hidden))
    if (names := getattr(settings, "single_stage", None)) is not None:
        split = [name.strip() for text in names for name in text.split(",")]
        object.__setattr__(settings, "single_stage", tuple(name for name in split if name))


def check_actions(actions: str | None) -> None:
    """Raise ValueError where there are no such actions to score agents with."""
    if actions not in ACTIONS:
        raise ValueError(f"actions must be {' or '.join(ACTIONS)}, not {actions!r}.")


def training(settings: Any) -> TrainSettings:
    """The settings of inner training among `settings`."""
    names = [name for name in TrainSettings.__dataclass_fields__ if hasattr(settings, name)]
    return TrainSettings(**{name: getattr(settings, name) for name in names})


def without_usual_start(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """What a run records, without what its agents start from where that is as usual.

    A run from before it could be chosen can then be resumed.
    """
    usual = {"start_from": None, "hidden": TrainSettings.hidden}
    return {k: v for k, v in recorded.items() if k not in usual or v != usual[k]}


@dataclass(frozen=True)
class Training:
    """Settings of inner training, each the protocol's unless given; see `TrainSettings`.

    Attributes:
        protocol: "mirror", "paper" or "paper-nearest": gives each setting that is None.
        epochs: passes over the dataset, all stages together.
        minibatch: pairs per step.
        learning_rate: Adam's learning rate at the start of each stage.
        schedule: the schedule of the learning rate within each stage: constant, linear or cosine;
            or linear-overall, which falls to zero over all stages together.
        reset_optimiser: restart Adam at each stage, in place of one Adam for all stages.
        single_stage: names of objectives that skip their SFT stage.
        time_steps: steps sampled from each trajectory and minibatch; 0 for all.
        std: the standard deviation of the policy's actions: "learned", or "fixed:VALUE" in motor
            commands.
        hidden: units of each hidden layer; an agent that learners start from is widened to them.
            Default: the protocol's.
    """

    protocol: str = "mirror"
    epochs: int | None = None
    minibatch: int | None = None
    learning_rate: float | None = None
    schedule: str | None = None
    reset_optimiser: bool = False
    single_stage: tuple[str, ...] | None = None
    time_steps: int | None = None
    std: str | None = None
    hidden: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        typed.settle(self)
        settle(self)


def bundle_of(name: str, bundles: Bundles = PROTOCOLS) -> Mapping[str, Any]:
    """The settings of a protocol.

    Raises:
        ValueError: no such protocol, with the near names.
    """
    if name not in bundles and name in (*PROTOCOLS, *TEXTS):
        elsewhere = "texts: name reviews or text as the task, or" if name in TEXTS else "robots:"
        raise ValueError(
            f"The protocol {name} is one of {elsewhere} choose one of {', '.join(bundles)}."
        )
    if name not in bundles:
        hint = near_names.hint(name, bundles, most=1)
        raise ValueError(f"Unknown protocol {name!r}.{hint} Protocols: {', '.join(bundles)}.")
    return bundles[name]
