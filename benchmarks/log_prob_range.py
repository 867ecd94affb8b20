"""How likely are a task's trajectories under the agent that acted, and under the other one?

    python benchmarks/log_prob_range.py hopper tla walker2d --rows 50

Prints, for each source agent, quantiles over its trajectories of the mean log-prob per step: what
losses on robots are functions of.
"""

import argparse

import jax
import numpy as np

from mirrorpo.agents import agent_files, sources
from mirrorpo.cli.console import fail
from mirrorpo.preferences import data
from mirrorpo.runtime.start import start_jax
from mirrorpo.simulation import tasks
from mirrorpo.simulation.policy import Policy
from mirrorpo.variants import BETTER, WORSE

QUANTILES = {"least": 0.0, "1 %": 0.01, "median": 0.5, "99 %": 0.99, "most": 1.0}


def mean_log_probs(policy: Policy, trajectories: data.Trajectories) -> np.ndarray:
    """Mean log-prob per valid step of each trajectory under a policy."""

    @jax.jit
    def per_step(observations: jax.Array, actions: jax.Array) -> jax.Array:
        return policy.log_prob(policy.parameters, policy.normalise(observations), actions)

    given = zip(trajectories.observations, trajectories.actions, trajectories.length, strict=True)
    return np.array([per_step(seen, done)[:steps].mean() for seen, done, steps in given])


def show(task: str, rows: int, seed: int) -> None:
    own = sources.SOURCES[task]
    pool = data.simulate(tasks.load(task), rows, seed)
    names = {BETTER: own.better, WORSE: own.worse}
    for acting, name in names.items():
        mine = pool.trajectories.agent == acting
        part = data.Trajectories(
            **{key: value[mine] for key, value in vars(pool.trajectories).items()}
        )
        for under in (name, *(other for other in names.values() if other != name)):
            found = mean_log_probs(agent_files.load(under)[0], part)
            cells = " | ".join(f"{x:.2f}" for x in np.quantile(found, [*QUANTILES.values()]))
            print(f"| {task} | {name} | {under} | {len(part)} | {cells} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Quantiles of the mean log-prob per step.")
    parser.add_argument("task", nargs="+", choices=sorted(sources.SOURCES))
    parser.add_argument("--rows", type=int, default=50, help="start states")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    start_jax()
    print(f"| task | acting | under | trajectories | {' | '.join(QUANTILES)} |")
    print("| --- | --- | --- |" + " ---: |" * (1 + len(QUANTILES)))
    try:
        for task in given.task:
            show(task, given.rows, given.seed)
    except ValueError as error:
        fail(str(error))


if __name__ == "__main__":
    main()
