"""Trained agents as files, so that they can be scored again, compared, and seen moving."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from mirrorpo.agents import agent_files
from mirrorpo.objectives import Objective
from mirrorpo.simulation.policy import Policy
from mirrorpo.simulation.tasks import AnyTask
from mirrorpo.standard_error import mean_and_error
from mirrorpo.study.measures import RETURN
from mirrorpo.study.recorded import Scene
from mirrorpo.training_settings import TrainSettings

FOLDER = "agents"
"""The folder of a run's agents, within its own."""


def save(
    path: Path,
    name: str,
    policy: Policy,
    task: AnyTask | Scene,
    returns: np.ndarray,
    episodes_seed: int,
    objective: Objective,
    settings: TrainSettings,
    seed: int,
    scored_by: str = RETURN,
) -> None:
    """Write one agent, and a card beside it.

    Args:
        path: the path of the file; the card's is the same with another ending.
        name: the name of the agent, to be shown.
        policy: the policy of this agent alone.
        task: on which it was scored, or that its data were of.
        returns: the returns of each episode, shape (episodes,); or its other scores.
        episodes_seed: the seed of the episodes.
        objective: the objective that trained it.
        settings: the settings of the training.
        seed: the seed of the training.
        scored_by: what `returns` are.
    """
    mean, error = mean_and_error(returns)
    card = agent_files.AgentCard(
        name=name,
        task=task.name,
        backend=task.backend,
        return_mean=mean,
        return_standard_error=error,
        episodes=len(returns),
        evaluation_seed=episodes_seed,
        environment_steps=0,
        seed=seed,
        settings={"objective": repr(objective), "scored_by": scored_by, **asdict(settings)},
    )
    agent_files.save(path, policy, card)
