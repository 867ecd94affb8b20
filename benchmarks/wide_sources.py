"""Source agents that walk with a standard deviation of 1, and the robot whose penalty suits them.

    python -m benchmarks.wide_sources runs/wide-sources

writes the shipped agents of the Three-Legged Ant with 256 units per layer, a standard deviation of
1 and mean actions without a bound. PPO begins there, `mirrorpo agents train` with `--std fixed:1
--mean-limit None --hidden 256 256`: such a policy walks under its own noise by asking for more
than a motor gives. `benchmarks/wide_sources.py:tla` is the robot.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from benchmarks.brax_starts import Penalised
from benchmarks.other_agents import noisier, unbounded
from brax.envs.base import Env

from mirrorpo.agents import agent_files
from mirrorpo.agents.widening import widened
from mirrorpo.simulation import tasks

STD = 1.0
UNITS = (256, 256)
AGENTS = {"original-start": "ant-original", "target-start": "tla-target"}
PENALTY = tasks.LimbPenalty("leg_4", coefficient=2.15)


def tla() -> Env:
    """The Three-Legged Ant with this file's coefficient."""
    robot = tasks.robot("ant", "given another penalty")
    return Penalised(robot.env, PENALTY, robot.robot)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for name, shipped in AGENTS.items():
        policy, card = agent_files.load(shipped)
        changed = widened(unbounded(noisier(policy, STD)), UNITS)
        agent_files.save(
            given.out / f"{name}.safetensors",
            changed,
            agent_files.measured(changed, tasks.load(card.task), replace(card, name=name)),
        )


if __name__ == "__main__":
    main()
