"""The coefficient of a limb's penalty at which a policy has a wanted return, in closed form."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mirrorpo.agents import limb_use
from mirrorpo.agents.limb_use import Estimate, estimate
from mirrorpo.simulation.policy import Policy
from mirrorpo.simulation.tasks import Task, with_penalty


@dataclass(frozen=True)
class Calibration:
    """The penalty coefficient at which a policy's mean true return is `target`.

    With R the return without the penalty and S the sum of the limb's squared clipped actions over
    an episode, the return at coefficient c is R - c S: the policy does not see c. So the wanted
    coefficient is ``(mean R - target) / mean S``.

    Attributes:
        limb: the penalised limb.
        target: the wanted mean true return.
        returns: R of each episode, shape (episodes,).
        squared_sums: S of each episode, shape (episodes,); their mean is positive.

    Raises:
        ValueError: fewer than two episodes, a target that is not finite or above the mean of R,
            or a limb that is never used.
    """

    limb: str
    target: float
    returns: np.ndarray
    squared_sums: np.ndarray

    def __post_init__(self) -> None:
        if len(self.returns) < 2:
            raise ValueError(
                f"episodes must be at least 2, for a standard error, not {len(self.returns)}."
            )
        if not math.isfinite(self.target):
            raise ValueError(f"target must be finite, not {self.target}.")
        plain = self.plain_return
        if self.target > plain.value:
            raise ValueError(
                f"The target {self.target:.6g} is above the policy's return without the penalty, "
                f"{plain.value:.6g} ± {plain.standard_error:.2g}, and a penalty only lowers it: "
                "choose a lower target or a better agent."
            )
        if not self.limb_use.value > 0:
            raise ValueError(
                f"The policy never uses {self.limb}, so no coefficient changes its return: choose "
                "another agent."
            )

    @property
    def coefficient(self) -> Estimate:
        """The wanted coefficient; its standard error is by the delta method over episodes."""
        use = self.limb_use.value
        value = (self.plain_return.value - self.target) / use
        # The ratio's first-order error is that of the mean of R - c S, over the mean of S.
        return Estimate(value, self._at(value).standard_error / use)

    @property
    def plain_return(self) -> Estimate:
        """R, mean over episodes."""
        return estimate(self.returns)

    @property
    def limb_use(self) -> Estimate:
        """S, mean over episodes."""
        return estimate(self.squared_sums)

    def curve(self, coefficients: Sequence[float]) -> tuple[Estimate, ...]:
        """The mean true return at each of `coefficients`, all from the same episodes."""
        return tuple(self._at(coefficient) for coefficient in coefficients)

    def _at(self, coefficient: float) -> Estimate:
        exact = self.returns.astype(np.float64)
        return estimate(exact - coefficient * self.squared_sums.astype(np.float64))


def calibrate(
    policy: Policy, task: Task, target: float, episodes: int = 100, seed: int = 0
) -> Calibration:
    """Find the coefficient of a task's penalty at which `policy` has the return `target`.

    Args:
        policy: one policy, no leading axis.
        task: with a penalty, whose coefficient does not matter.
        target: the wanted mean true return, sampled actions.
        episodes: number of episodes to measure.
        seed: draws start states and action noise.

    Raises:
        ValueError: the task has no penalty; what `limb_use.measure` or `Calibration` refuses.
    """
    if task.penalty is None:
        raise ValueError(
            f"Task {task.name!r} has no penalty to calibrate; choose one that has: "
            f"{', '.join(with_penalty())}."
        )
    use = limb_use.measure(policy, task, episodes, seed)
    limb = task.penalty.limb
    return Calibration(limb, target, use.returns, use.squared_sums(limb))
