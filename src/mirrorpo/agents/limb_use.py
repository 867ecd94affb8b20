"""How much a policy uses each limb, and what it earns without the penalty on a limb."""

from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from mirrorpo import limits
from mirrorpo.runtime.devices import gathered, map_over_devices
from mirrorpo.simulation import rollout
from mirrorpo.simulation.evaluation import EPISODES_A_BATCH, check_sizes
from mirrorpo.simulation.policy import Policy, finite_agents
from mirrorpo.simulation.tasks import LIMB_ACTIONS, Task
from mirrorpo.standard_error import mean_and_error


@dataclass(frozen=True)
class Estimate:
    """A mean over episodes, or a function of means.

    Attributes:
        value: the estimate.
        standard_error: over episodes; NaN where there is one episode only.
    """

    value: float
    standard_error: float

    def __format__(self, spec: str) -> str:
        return f"{self.value:{spec}} \u00b1 {self.standard_error:{spec}}"


@dataclass(frozen=True)
class LimbUse:
    """What a policy did in each episode. Actions are motor commands in [-1, 1], the task's view.

    Attributes:
        limbs: names of the robot's limbs, in the order of `LIMB_ACTIONS`.
        returns: sum of true rewards over the episode's valid steps, without any penalty; shape
            (episodes,), float32.
        length: number of valid steps, shape (episodes,), int32.
        mean_absolute: mean of |action| over the valid steps and over the limb's actions, between
            0 and 1; shape (episodes, limbs), float32.
        squared_sum: sum of action² over the valid steps and over the limb's actions; shape
            (episodes, limbs), float32. A penalty on the limb costs its coefficient times this.
    """

    limbs: tuple[str, ...]
    returns: np.ndarray
    length: np.ndarray
    mean_absolute: np.ndarray
    squared_sum: np.ndarray

    def mean_use(self, limb: str) -> Estimate:
        """|action| of one limb, mean over episodes of `mean_absolute`.

        Raises:
            ValueError: the robot has no such limb.
        """
        return estimate(self.mean_absolute[:, self._column(limb)])

    def mean_squared_sum(self, limb: str) -> Estimate:
        """Mean over episodes of `squared_sum` of one limb.

        Raises:
            ValueError: the robot has no such limb.
        """
        return estimate(self.squared_sums(limb))

    def squared_sums(self, limb: str) -> np.ndarray:
        """The column of `squared_sum` of one limb, shape (episodes,).

        Raises:
            ValueError: the robot has no such limb.
        """
        return self.squared_sum[:, self._column(limb)]

    def _column(self, limb: str) -> int:
        if limb not in self.limbs:
            raise ValueError(f"No limb {limb!r}: the robot has {', '.join(self.limbs)}.")
        return self.limbs.index(limb)


def estimate(values: np.ndarray) -> Estimate:
    """Mean of `values`, shape (episodes,), and its standard error, in float64."""
    return Estimate(*mean_and_error(values))


def measure(policy: Policy, task: Task, episodes: int = 100, seed: int = 0) -> LimbUse:
    """Roll a policy out with sampled actions and record how it uses its limbs.

    Start states and action noise are those of `evaluation.returns` with the same seed. The
    trajectory of a policy does not depend on the penalty, so its return on a task with a penalty
    of coefficient c is ``returns - c * squared_sum`` of the penalised limb, episode by episode,
    up to rounding; over a long episode of a chaotic robot rounding grows, and then the two agree
    in distribution.

    Args:
        policy: one policy, no leading axis.
        task: where to act; its penalty, if any, is left out.
        episodes: number of episodes.
        seed: draws start states and action noise.

    Raises:
        ValueError: episodes below 1, a robot without listed limbs, or a policy that is not
            finite or is for another robot.
    """
    limits.at_least(1, episodes=episodes)
    limbs = LIMB_ACTIONS.get(task.robot)
    if not limbs:
        raise ValueError(
            f"The limbs of robot {task.robot!r} are not listed; choose a task with one of these "
            f"robots: {', '.join(LIMB_ACTIONS)}."
        )
    check_sizes(policy, task)
    if not finite_agents(jax.tree.map(lambda x: x[None], policy))[0]:
        raise ValueError(
            "The policy's parameters are not finite: it has diverged in training and uses no limb."
        )
    batches = -(-episodes // EPISODES_A_BATCH)
    size = min(episodes, EPISODES_A_BATCH)
    starts, noises = rollout.episode_keys(jax.random.key(seed), batches * size)
    # Without the penalty the task is the same for every coefficient: one program serves them all.
    measured = _measure(
        policy,
        starts.reshape(batches, size),
        noises.reshape(batches, size),
        task=replace(task, penalty=None),
    )
    returns, length, absolute, squared = (
        x.reshape(batches * size, *x.shape[2:])[:episodes] for x in gathered(measured, batches)
    )
    return LimbUse(tuple(limbs), returns, length, absolute, squared)


@partial(jax.jit, static_argnames="task")
def _measure(
    policy: Policy, starts: jax.Array, noises: jax.Array, *, task: Task
) -> tuple[jax.Array, ...]:
    """Returns, lengths, mean |action| and sums of action².

    Their shapes are (batches, episodes, ...), see `map_over_devices`.
    """
    limbs = [jnp.array(actions) for actions in LIMB_ACTIONS[task.robot].values()]

    def one_batch(keys: tuple[jax.Array, jax.Array], policy: Policy) -> tuple[jax.Array, ...]:
        episodes = rollout.record(task, policy, *keys)
        # Steps after a fall hold zeros, so they add nothing to these sums.
        used = jnp.clip(episodes.actions, -1.0, 1.0)
        absolute = [
            jnp.sum(jnp.abs(used[..., limb]), axis=(1, 2)) / (len(limb) * episodes.length)
            for limb in limbs
        ]
        squared = [jnp.sum(used[..., limb] ** 2, axis=(1, 2)) for limb in limbs]
        return (
            episodes.returns,
            episodes.length,
            jnp.stack(absolute, axis=-1),
            jnp.stack(squared, axis=-1),
        )

    return map_over_devices(one_batch, (starts, noises), policy)
