"""Settings of inner training and of PPO, typed and validated; light to import."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mirrorpo import limits, typed

SCHEDULES = ("constant", "linear", "cosine", "linear-overall")

LEAST_STD = 0.4
"""Least standard deviation of a policy's actions, in motor commands. It keeps the density of each
action dimension below 0.998, so that odds and logit of pi(trajectory) are defined."""

LARGEST_STD = 1000.0
"""Motors take commands from -1 to 1: with more noise nothing of a policy's mean is left."""


def layers(name: str, units: Sequence[int]) -> tuple[int, ...]:
    """Units of each hidden layer, as a network takes them; `name` is the setting's.

    Raises:
        ValueError: no layer, or one without units.
    """
    if not units:
        raise ValueError(f"{name}: a policy has at least 1 hidden layer.")
    if any(size < 1 for size in units):
        raise ValueError(f"{name}: each layer has at least 1 unit, not {min(units)}.")
    return tuple(units)


def check_initial_std(value: float) -> None:
    """Raise ValueError for a standard deviation that no new policy can begin with.

    A learned one has `LEAST_STD` as its floor, and lies above it.
    """
    if not LEAST_STD < value < math.inf:
        raise ValueError(
            f"initial_std must be above {LEAST_STD} motor commands and finite, not {value}."
        )


def fixed_std(text: str) -> float | None:
    """The value of a standard deviation that stays as it is; None for a learned one.

    Args:
        text: "learned", or "fixed:VALUE" with a value from `LEAST_STD` to `LARGEST_STD`.

    Raises:
        ValueError: another text, or a value out of range.
    """
    if text == "learned":
        return None
    kind, _, number = text.partition(":")
    try:
        value = float(number) if kind == "fixed" else math.nan
    except ValueError:
        value = math.nan
    if not (LEAST_STD <= value <= LARGEST_STD):
        raise ValueError(
            f'std must be "learned" or "fixed:VALUE" with a value from {LEAST_STD} to '
            f"{LARGEST_STD:g} motor commands, as in fixed:0.65, not {text!r}."
        )
    return value


@dataclass(frozen=True)
class TrainSettings:
    """Settings of inner training; the defaults are the paper's (Table 7).

    Attributes:
        epochs: passes over the dataset, all stages together. An objective's stages keep their
            shares: of 12, DPO's are 10 of SFT and 2 of DPO; of 6 they would be 5 and 1.
        minibatch: pairs per step.
        learning_rate: Adam's learning rate at the start of each stage.
        schedule: the schedule of the learning rate within each stage: "constant", or falling to
            zero as a "linear" or "cosine" function of the stage's progress; "linear-overall" falls
            to zero over all stages together, as version 0.1.0 did.
        reset_optimiser: restart Adam at each stage, in place of one Adam for all stages.
        single_stage: names of objectives that skip the SFT stage that they have by default.
        max_gradient_norm: global norm to which gradients are clipped.
        time_steps: steps drawn from each trajectory and minibatch, evenly spread with jitter,
            for an unbiased estimate of its log-prob; None for all steps.
        hidden: units of each hidden layer, where the learner starts from random networks.
        initial_std: standard deviation of a new policy's actions, in motor commands.
        std: "learned" with a floor of `LEAST_STD`, or "fixed:VALUE" in motor commands, which the
            policy then has from the start of training.
    """

    epochs: int = 12
    minibatch: int = 2
    learning_rate: float = 1e-3
    schedule: str = "linear"
    reset_optimiser: bool = False
    single_stage: tuple[str, ...] = ()
    max_gradient_norm: float = 1.3
    time_steps: int | None = None
    hidden: tuple[int, ...] = (64, 64)
    initial_std: float = 1.0
    std: str = "learned"

    def __post_init__(self) -> None:
        typed.settle(self)
        object.__setattr__(self, "hidden", layers("hidden", self.hidden))
        if self.schedule not in SCHEDULES:
            raise ValueError(
                f"schedule must be one of {', '.join(SCHEDULES)}, not {self.schedule!r}."
            )
        fixed_std(self.std)
        limits.at_least(1, epochs=self.epochs, minibatch=self.minibatch)
        if self.time_steps is not None and self.time_steps < 1:
            raise ValueError(f"time_steps must be at least 1 or None, not {self.time_steps}.")
        check_initial_std(self.initial_std)
        limits.positive(learning_rate=self.learning_rate, max_gradient_norm=self.max_gradient_norm)


@dataclass(frozen=True)
class PPOSettings:
    """Settings of one PPO run.

    Attributes:
        total_steps: environment steps, all environments together; the learning rate falls
            linearly over them.
        environments: number of robots at once, over all devices.
        rollout_steps: steps of each robot between updates.
        epochs: passes over each batch.
        minibatches: minibatches per pass.
        learning_rate: Adam's learning rate at the start.
        final_learning_rate: Adam's learning rate at the end.
        discount: gamma.
        gae_lambda: lambda of the generalised advantage estimate.
        clip: the clip of the probability ratio.
        entropy_weight: weight of the entropy bonus.
        max_gradient_norm: global norm to which gradients are clipped.
        hidden: units of each hidden layer of the policy.
        value_hidden: units of each hidden layer of the value function.
        initial_std: standard deviation of a new policy's actions, in motor commands.
        std: "learned" with a floor of 0.4 motor commands, or "fixed:VALUE".
        mean_limit: mean actions stay within this many motor commands; None for no bound.
        reward_scale: factor on every reward, before the running normalisation.
    """

    total_steps: int = 24_000_000
    environments: int = 2048
    rollout_steps: int = 20
    epochs: int = 4
    minibatches: int = 32
    learning_rate: float = 4e-4
    final_learning_rate: float = 2e-5
    discount: float = 0.99
    gae_lambda: float = 0.95
    clip: float = 0.2
    entropy_weight: float = 0.0
    max_gradient_norm: float = 1.0
    hidden: tuple[int, ...] = (64, 64)
    value_hidden: tuple[int, ...] = (64, 64)
    initial_std: float = 1.0
    std: str = "learned"
    mean_limit: float | None = 1.0
    reward_scale: float = 1.0

    def __post_init__(self) -> None:
        typed.settle(self)
        fixed_std(self.std)
        check_initial_std(self.initial_std)
        if self.mean_limit is not None:
            limits.positive(mean_limit=self.mean_limit)
        counts = ("total_steps", "environments", "rollout_steps", "epochs", "minibatches")
        limits.at_least(1, **{name: getattr(self, name) for name in counts})
        for name in ("hidden", "value_hidden"):
            object.__setattr__(self, name, layers(name, getattr(self, name)))
        positive = ("learning_rate", "clip", "max_gradient_norm", "reward_scale")
        limits.positive(**{name: getattr(self, name) for name in positive})
        for name in ("final_learning_rate", "entropy_weight"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(
                    f"{name} must be at least 0 and finite, not {getattr(self, name)}."
                )
        for name in ("discount", "gae_lambda"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, not {getattr(self, name)}.")

    @property
    def steps_an_iteration(self) -> int:
        """Environment steps between two updates."""
        return self.environments * self.rollout_steps
