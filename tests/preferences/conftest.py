"""A small pool of real trajectories."""

import pytest

from mirrorpo.preferences import data


@pytest.fixture(scope="session")
def pool(hopper, two_agents):
    """Trajectories of the two random agents from 120 start states: more than one block."""
    return data.simulate(hopper, 120, seed=3, better=two_agents[0], worse=two_agents[1])
