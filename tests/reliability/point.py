"""The point on a line in place of the robot named hopper."""

from functools import cache

from mirrorpo.simulation import tasks
from tests.point_task import Point

EPISODE = 60


def stand_in_for_hopper() -> None:
    """Let the task named hopper be the point, with short episodes, in this process."""
    tasks._brax_env = cache(lambda robot, backend: Point(backend))
    whole = tasks.load

    def load(name, backend=None, episode_length=EPISODE, *others, **named):
        return whole(name, backend, episode_length, *others, **named)

    tasks.load = load
