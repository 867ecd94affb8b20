"""The suite of the leaderboard: settings that stay as they are, so that rows can be compared.

Any change here that changes a number makes a new suite with a new name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from mirrorpo.study.settings import BenchSettings

CURRENT = "2"
"""The suite that new rows are measured with. Suite 1 had 8 agents per cell, 8 episodes on every
robot, and trajectories that differed between processors."""

VARIANTS = ("noisy:0.3", "mixed-quality", "base")
"""Faults of the data that each loss meets."""

ANCHOR = "sft"
"""Measured beside every submitted loss: it shows whether two machines give the same numbers."""


class _Robot(NamedTuple):
    """What the suite sets by robot.

    Attributes:
        rows: pairs of its datasets.
        episodes: in an agent's score.
    """

    rows: int = 1024
    episodes: int = 8


_ROBOTS: Mapping[str, _Robot] = MappingProxyType(
    {
        "hopper": _Robot(),
        "tla": _Robot(rows=1280, episodes=6),
        "walker2d": _Robot(),
    }
)

TIERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"quick": ("hopper",), "full": tuple(_ROBOTS)}
)
"""Robots of each tier. The quick one takes at most half an hour on two cores."""


def settings(robot: str, algorithms: Sequence[str], search: bool = True) -> BenchSettings:
    """The bench of one robot in the current suite.

    Args:
        robot: name of its task.
        algorithms: the losses, as `BenchSettings` has them.
        search: tune the hyper-parameters that are not given.

    Raises:
        ValueError: the suite has no such robot.
    """
    if robot not in _ROBOTS:
        raise ValueError(
            f"Suite {CURRENT} has no robot {robot!r:.40}: its robots are {', '.join(_ROBOTS)}."
        )
    own = _ROBOTS[robot]
    return BenchSettings(
        task=robot,
        variants=VARIANTS,
        algorithms=tuple(algorithms),
        rows=own.rows,
        # What follows is the protocol `mirror` of this suite's day, by value: it may move on.
        protocol="mirror",
        epochs=12,
        minibatch=2,
        learning_rate=3e-3,
        schedule="linear",
        single_stage=(),
        time_steps=64,
        std="learned",
        hidden=(64, 64),
        actions="mean",
        seeds=12,
        episodes=own.episodes,
        data_seed=0,
        data_draws=2,
        search=search,
        tune_on="own",
        tune_by="trials" if search else None,
        trials=6 if search else None,
        search_seeds=1,
        search_episodes=4,
    )
