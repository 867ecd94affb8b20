"""``mirrorpo train``: one objective on one dataset."""

from pathlib import Path
from typing import Annotated

import tyro

import mirrorpo as mpo
from mirrorpo import digits, protocols
from mirrorpo.cli.console import console
from mirrorpo.divergence import Diverged
from mirrorpo.front.run_folder import BY_NAME
from mirrorpo.front.settings import TrainedAgents
from mirrorpo.study.measures import RETURN


def train(
    objective: Annotated[str, tyro.conf.Positional],
    data: Path,
    settings: tyro.conf.OmitArgPrefixes[protocols.Training],
    agents: tyro.conf.OmitArgPrefixes[TrainedAgents],
    out: Path | None = None,
) -> None:
    """Train agents with one objective on one dataset; save them, their curves and returns.

    Args:
        objective: a name, a name with values as in dpo[beta=0.3], or PATH.py:CLASS.
        data: a dataset of `mirrorpo data generate` or `mirrorpo data import`. Where its card names
            no task of MirrorPO's, a fifth is held out, and agents are scored by its labels.
        settings: the settings of inner training.
        agents: which agents, and how they are scored.
        out: run folder; by default runs/train-OBJECTIVE-DATA-seedSEED.
    """
    result = mpo.train(objective, data, settings, out=out or BY_NAME, **vars(agents))
    for agent in result.agents:
        if agent.return_mean is None:  # it diverged
            console.print(f"seed {agent.seed}: diverged")
            continue
        score = digits.with_error(agent.return_mean, agent.return_standard_error)
        console.print(
            f"seed {agent.seed}: {agent.scored_by} {score} "
            f"({f'{agents.episodes} episodes' if agent.scored_by == RETURN else 'mean over pairs'})"
        )
    console.print(f"Agents and training curves are in {result.folder}.")
    if result.diverged:
        lost = ", ".join(map(str, result.diverged))
        raise Diverged(
            f"Diverged: {len(result.diverged)} of {len(result.agents)} agents (seed {lost}), which "
            f"are not saved. Their curves are in {result.folder}."
        )
