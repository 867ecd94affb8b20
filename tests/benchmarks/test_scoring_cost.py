"""What is measured as an agent's score is its score."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from benchmarks.scoring_cost import WAYS, scorer

from mirrorpo.agents import agent_files
from mirrorpo.simulation import evaluation, tasks
from tests import point_task


@pytest.mark.parametrize("sampled", [False, True])
def test_a_way_to_score_gives_the_returns_of_evaluation(tmp_path, sampled):
    way = next(way for way in WAYS if way.sampled == sampled)
    loaded = [agent_files.load(path)[0] for path in point_task.write_agents(tmp_path)]
    policies = jax.tree.map(lambda *x: jnp.stack(x), *loaded)
    task = tasks.load(point_task.NAME, episode_length=30)
    found = scorer(way, policies, task, [1, 2])()
    wanted = evaluation.returns(policies, task, way.episodes, [1, 2], not sampled)
    np.testing.assert_allclose(found, wanted, atol=1e-3)
