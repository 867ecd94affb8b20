"""A small pool of trajectories, of a task that compiles in no time."""

import pytest

from mirrorpo.preferences import data
from mirrorpo.simulation import tasks
from tests import point_task


@pytest.fixture(scope="session")
def point():
    """Short episodes of a mass on a line."""
    return tasks.load(point_task.NAME, episode_length=60)


@pytest.fixture(scope="session")
def two_points(tmp_path_factory):
    """Files of two random agents that push to one side: some of their episodes end by a fall."""
    return point_task.write_agents(tmp_path_factory.mktemp("points"), push=0.3)


@pytest.fixture(scope="session")
def pool(point, two_points):
    """Trajectories of the two agents from 120 start states: more than one block."""
    return data.simulate(point, 120, seed=3, better=two_points[0], worse=two_points[1])
