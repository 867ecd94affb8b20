"""What does an agent's score cost, and what does each lever save?

    python benchmarks/scoring_cost.py --task tla --agents tla-target,ant-original
    python benchmarks/scoring_cost.py --task hopper --agents runs/NAME/agents/FILE.safetensors,...

Each line adds one lever to the line before. Seconds per agent are processor time
over all cores, which other work on the machine changes least, and wall time. The ways take turns,
and the fastest round counts. The cost is processor seconds times the squared standard error over
episodes, as a share of the first line: what an equally exact score takes.

Copies of an agent have start states and noise of their own. `--steps` cuts episodes, where time is
short: ratios of seconds stay nearly the same, but returns are those of short episodes.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mirrorpo.agents import agent_files
from mirrorpo.runtime.devices import SIMULATION_OPTIONS, gathered, map_over_devices
from mirrorpo.runtime.start import start_jax
from mirrorpo.simulation import rollout, tasks
from mirrorpo.simulation.policy import Policy
from mirrorpo.simulation.tasks import EPISODE_LENGTH, Task

Scored = Callable[[], np.ndarray]


@dataclass(frozen=True)
class Way:
    """A way to score.

    Attributes:
        key: chooses it on the command line.
        name: the name of its line in the table.
        episodes: per agent, at most 50.
        sampled: sampled actions in place of mean ones.
        fast_math: whether the compiler may order the program's sums.
    """

    key: str
    name: str
    episodes: int
    sampled: bool = False
    fast_math: bool = True


WAYS = (
    Way("a", "sampled actions, 50 episodes", 50, sampled=True, fast_math=False),
    Way("b", "+ fast-math", 50, sampled=True),
    Way("c", "+ mean actions", 50),
    Way("d", "+ 16 episodes", 16),
    Way("8", "or 8 episodes", 8),
    Way("6", "or 6 episodes", 6),
)


def scorer(way: Way, policies: Policy, task: Task, seeds: list[int]) -> Scored:
    """The program of `evaluation`, with the compiler's options of a way: one agent in each batch,
    which runs until all its episodes are over."""
    # As in `evaluation`, the program does not depend on the length of an episode.
    steps, task = jnp.int32(task.episode_length), replace(task, episode_length=EPISODE_LENGTH)

    def one_agent(item: tuple[jax.Array, jax.Array], policies: Policy, steps: Any) -> jax.Array:
        which, seed = item
        policy = jax.tree.map(lambda x: x[which], policies)
        starts, noises = rollout.episode_keys(jax.random.key(seed), way.episodes)
        noises = noises if way.sampled else None
        return rollout.returns(task, policy, starts, noises, steps)[0]

    program = jax.jit(
        lambda *given: map_over_devices(one_agent, *given),
        compiler_options=SIMULATION_OPTIONS if way.fast_math else None,
    )
    items = jnp.arange(len(seeds)), jnp.asarray(seeds, jnp.uint32)
    return lambda: gathered(program(items, policies, steps), len(seeds))


def measure(ways: list[Way], scorers: list[Scored], rounds: int) -> None:
    """Print a line for each way; the first one is what costs are shares of."""
    print("| line | way | processor s per agent | wall s | standard error | mean | cost |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |", flush=True)
    returns = [score() for score in scorers]  # compiles
    used = np.full((len(ways), 2), np.inf)
    for _ in range(rounds):
        for at, run in enumerate(scorers):
            began = time.process_time(), time.perf_counter()
            run()
            spent = time.process_time() - began[0], time.perf_counter() - began[1]
            used[at] = np.minimum(used[at], np.array(spent) / len(returns[at]))
    costs = []
    for way, score, (processor, wall) in zip(ways, returns, used, strict=True):
        score = score.astype(np.float64)
        variance = (score.var(axis=1, ddof=1) / way.episodes).mean()
        costs.append(processor * variance)
        print(
            f"| {way.key} | {way.name} | {processor:.3f} | {wall:.3f} | {variance**0.5:.1f} "
            f"| {score.mean():.0f} | {costs[-1] / costs[0]:.2f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", required=True)
    parser.add_argument("--agents", required=True, help="names or files, separated by commas")
    parser.add_argument("--copies", type=int, default=4, help="of each agent")
    parser.add_argument("--steps", type=int, default=EPISODE_LENGTH, help="of an episode")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ways", default=",".join(way.key for way in WAYS))
    chosen = parser.parse_args()
    start_jax()
    task = tasks.load(chosen.task, episode_length=chosen.steps)
    assert tasks.is_compiled(task)
    loaded = [agent_files.load(name)[0] for name in chosen.agents.split(",")] * chosen.copies
    policies = jax.tree.map(lambda *x: jnp.stack([jnp.asarray(one) for one in x]), *loaded)
    ways = [way for way in WAYS if way.key in chosen.ways.split(",")]
    seeds = list(range(len(loaded)))
    measure(
        ways,
        [scorer(way, policies, task, seeds) for way in ways],
        chosen.rounds,
    )


if __name__ == "__main__":
    main()
