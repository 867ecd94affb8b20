"""Pieces of recorded steps as trajectories of one padded shape."""

import numpy as np

from mirrorpo.preferences.data import Trajectories
from mirrorpo.preferences.own.columns import ByteBudget
from mirrorpo.preferences.own.steps import Steps


def cut(
    steps: Steps, first: np.ndarray, length: np.ndarray, agent: np.ndarray, start: np.ndarray
) -> Trajectories:
    """Trajectories from runs of steps, padded with zeros to the longest.

    Args:
        steps: the steps to cut from.
        first: row of each one's first step, shape (trajectories,).
        length: the length of each, shape (trajectories,).
        agent: the agent of each, see `Trajectories`.
        start: the start of each, see `Trajectories`.

    Raises:
        ValueError: padded, they are beyond the limit of size, or a return is beyond float32.
    """
    longest = int(length.max())
    sizes = steps.observations.shape[1], steps.actions.shape[1]
    budget = ByteBudget(f"{steps.where}, {len(first)} trajectories padded to the longest")
    for name, size in zip(("observations", "actions"), sizes, strict=True):
        budget.take(name, (len(first), longest, size), 4)
    observations, actions = (np.zeros((len(first), longest, size), np.float32) for size in sizes)
    returns = np.zeros(len(first), np.float64)
    for at, (begin, count) in enumerate(zip(first, length, strict=True)):
        rows = slice(int(begin), int(begin + count))
        observations[at, :count] = steps.observations[rows]
        actions[at, :count] = steps.actions[rows]
        if steps.rewards is not None:
            returns[at] = steps.rewards[rows].sum(dtype=np.float64)
            if not abs(returns[at]) <= np.finfo(np.float32).max:
                raise ValueError(
                    f"{steps.where}: the rewards of trajectory {at} add up to {returns[at]:.3g}, "
                    "which is beyond 32-bit numbers: scale the rewards."
                )
    return Trajectories(
        observations,
        actions,
        length.astype(np.int32),
        returns.astype(np.float32),
        agent.astype(np.int8),
        start.astype(np.int32),
    )


def beyond_motors(steps: Steps) -> str | None:
    """A note where actions lie outside [-1, 1], in which policies act; None where none does."""
    share = float(np.mean(np.abs(steps.actions).max(axis=1) > 1.0 + 1e-3))
    if not share:
        return None
    return (
        f"{100 * share:.1f} % of the actions go beyond 1 (up to "
        f"{np.abs(steps.actions).max():.3g}). Policies act within [-1, 1]: divide the actions by "
        "their range."
    )
