"""Which agents of a run the page shows moving."""

import math
from types import SimpleNamespace

import jax
import numpy as np

from mirrorpo.agents.agent_files import AgentCard, save
from mirrorpo.reporting.page import rollouts
from mirrorpo.simulation.policy import new_policy
from tests import point_task


def test_the_agents_that_earn_most_are_shown_first_and_other_files_never(tmp_path):
    policy = new_policy(jax.random.key(0), 1, np.zeros(2, "f4"), np.ones(2, "f4"), (8,))
    (tmp_path / "agents").mkdir()
    earned = {"agents/a": 1.0, "agents/b": -5.0, "agents/c": 7.0, "d": math.nan}
    for name, value in earned.items():
        card = AgentCard(name, point_task.NAME, "positional", value, 1.0, 100, 0, 60, 0)
        save(tmp_path / name, policy, card)
    (tmp_path / "agents" / "e.safetensors").write_bytes(b"no agent")
    folder = SimpleNamespace(path=tmp_path)
    shown = [path.stem for path in rollouts.agents_in(folder, 9)]
    assert shown == ["c", "a", "b", "d"]
    assert [path.stem for path in rollouts.agents_in(folder, 1)] == ["c"]
