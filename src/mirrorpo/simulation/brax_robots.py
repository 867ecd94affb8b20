"""brax's own robots: their sizes at once, and their physics when asked for.

To import brax and MuJoCo, and to read a robot, takes longer than the rest of a warm start.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from brax.envs.base import Env


class Sizes(NamedTuple):
    """Numbers of an observation and of an action, with each physics engine."""

    observation: int
    action: int


SIZES = {
    "ant": Sizes(27, 8),
    "hopper": Sizes(11, 3),
    "walker2d": Sizes(17, 6),
    "halfcheetah": Sizes(17, 6),
}
"""Robots of brax whose sizes are known without it."""


@cache
def import_quietly() -> None:
    """Import MJX, which prints that its optional GPU back end is not installed.

    Brax, where it is imported after it, does not warn of its own state of maintenance.
    """
    warnings.filterwarnings("ignore", module="brax")
    with contextlib.redirect_stdout(io.StringIO()):
        importlib.import_module("mujoco.mjx")


def environment(robot: str, backend: str) -> Env:
    """A robot that starts on the floor.

    Raises:
        KeyError: brax has no such robot.
    """
    # In a thread of its own: the first to ask may be a function that JAX is tracing, and arrays
    # that are made there belong to the trace.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_made, robot, backend).result()


def _made(robot: str, backend: str) -> Env:
    import_quietly()
    from brax import envs

    from mirrorpo.simulation.start_states import stand_on_floor

    return stand_on_floor(envs.get_environment(robot, backend=backend))


def is_untouched(robot: str) -> bool:
    """Whether the robot is one of `SIZES` and can be none but brax's own.

    In a process that has not imported brax, nothing has put another in its place.
    """
    return robot in SIZES and "brax.envs" not in sys.modules
