"""How many episodes end within N steps, 50 by default, from brax's start states or the floor?

    python -m benchmarks.short_episodes --starts brax hopper=hopper-expert ant=ant-original
    python -m benchmarks.short_episodes --starts floor hopper=hopper-expert halfcheetah=zeros
    python -m benchmarks.short_episodes --steps 1000 hopper=hopper-expert walker2d=walker2d-expert

Each argument is a task and an agent of it, by name or file; `zeros` stands for motor commands of
zero. Printed: the share of episodes that end within so many steps with its standard error, the mean
number of steps, counted up to so many, and the largest height above its start that a torso reaches
in any episode, in metres.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from mirrorpo.agents import agent_files
from mirrorpo.cli.console import fail
from mirrorpo.simulation import rollout, tasks
from mirrorpo.simulation.evaluation import SHORT_EPISODE
from mirrorpo.simulation.policy import Policy
from mirrorpo.user_text import UserText

ZEROS = "zeros"
BRAX_STARTS = Path(__file__).with_name("brax_starts.py")


def measure(
    task: tasks.Task,
    policy: Policy | None,
    episodes: int,
    seed: int,
    steps: int = SHORT_EPISODE,
) -> tuple[np.ndarray, np.ndarray]:
    """Steps of each episode, at most `steps`, and how far its torso rises in metres."""

    def one(start: jax.Array, noise: jax.Array) -> tuple[jax.Array, jax.Array]:
        first = task.reset(start)

        def step(carry, t):
            state, alive = carry
            action = jnp.zeros(task.action_size)
            if policy is not None:
                action = policy.act(state.obs, jax.random.fold_in(noise, t))
            state = task.step(state, action)
            height = jnp.where(alive, state.pipeline_state.x.pos[0, 2], -jnp.inf)
            return (state, alive & (state.done < 0.5)), (alive, height)

        _, (alive, height) = jax.lax.scan(step, (first, True), jnp.arange(steps))
        return alive.sum(), height.max() - first.pipeline_state.x.pos[0, 2]

    keys = rollout.episode_keys(jax.random.key(seed), episodes)
    length, rise = jax.jit(jax.vmap(one))(*keys)
    return np.asarray(length), np.asarray(rise)


def with_brax_starts(name: str) -> UserText:
    """What `--task` calls a robot that starts as brax starts it."""
    return UserText(f"{BRAX_STARTS}:{name}")


def started(name: str, starts: str) -> tasks.Task:
    """A robot by name, with start states on the "floor" or those of "brax".

    Raises:
        ValueError: no such robot.
    """
    task = tasks.robot(name, "measured")
    return task if starts == "floor" else tasks.load(with_brax_starts(name))


def main() -> None:
    parser = argparse.ArgumentParser(description="Share of episodes that end early.")
    parser.add_argument("who", nargs="+", metavar="TASK=AGENT")
    parser.add_argument("--starts", choices=("brax", "floor"), default="floor")
    parser.add_argument("--episodes", type=int, default=500)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--steps", type=int, default=SHORT_EPISODE)
    given = parser.parse_args()
    print(f"| task | agent | starts | episodes under {given.steps} steps | steps | highest rise |")
    print("| --- | --- | --- | ---: | ---: | ---: |")
    for text in given.who:
        name, _, agent = text.partition("=")
        try:
            task = started(name, given.starts)
            policy = None if agent == ZEROS else agent_files.load(agent)[0]
        except ValueError as error:
            fail(str(error))
        length, rise = measure(task, policy, given.episodes, given.seed, given.steps)
        share = np.mean(length < given.steps)
        error = np.sqrt(share * (1 - share) / given.episodes)
        print(
            f"| {name} | {agent} | {given.starts} | {100 * share:.1f} ± {100 * error:.1f} % "
            f"of {given.episodes} | {length.mean():.0f} | {rise.max():.2f} m |",
            flush=True,
        )


if __name__ == "__main__":
    main()
