"""Train several source agents at once on one accelerator, and keep what `agents pick` needs.

    python benchmarks/source_agents.py ant --runs \
        '[{"seed": 0}, {"penalty": 5.0, "seed": 1}]' --out runs/agents-ant

Each run is one PPO training of `mirrorpo.agents.ppo` (the algorithm of `mirrorpo agents train`);
the runs differ in numbers alone, so that one compiled program trains all side by side. A run may
set `seed`, `penalty` (reward per squared command of leg 4, robot ant), `initial_std`,
`learning_rate` and `from` (an agent's file to begin from). Every `--evaluate-every` steps each
policy is scored with sampled actions and saved. `--seconds` ends the training in time: what is
there then is complete.
"""

import argparse
import copy
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mirrorpo.agents import agent_files, ppo
from mirrorpo.runtime.start import start_jax
from mirrorpo.simulation import tasks
from mirrorpo.simulation.policy import Policy
from mirrorpo.training_settings import LEAST_STD, PPOSettings

SHORT = 50
"""An episode of fewer steps counts as short."""


class Varied:
    """A task whose penalty may be a traced number."""

    def __init__(self, task: tasks.Task, penalty: Any):
        self._task, self._penalty = task, penalty

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)

    def step(self, state: Any, action: jax.Array) -> Any:
        after = self._task.step(state, action)
        return after.replace(
            reward=after.reward - self._penalty * used(self._task, jnp.clip(action, -1.0, 1.0))
        )


def used(task: tasks.Task, command: jax.Array) -> jax.Array:
    """Squared commands of leg 4, summed; 0 for a robot without limbs."""
    limbs = tasks.LIMB_ACTIONS.get(task.robot)
    return jnp.float32(0) if limbs is None else jnp.sum(command[jnp.array(limbs["leg_4"])] ** 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task")
    parser.add_argument("--runs", type=json.loads, default=[{}])
    parser.add_argument("--total-steps", type=int, default=40_000_000)
    parser.add_argument("--environments", type=int, default=2048)
    parser.add_argument("--rollout-steps", type=int, default=20)
    parser.add_argument("--evaluate-every", type=int, default=2_000_000)
    parser.add_argument("--episodes", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    start_jax()
    task = tasks.load(given.task)
    settings = PPOSettings(
        total_steps=given.total_steps,
        environments=given.environments,
        rollout_steps=given.rollout_steps,
    )
    train(task, settings, given)


def train(task: tasks.Task, settings: PPOSettings, given: argparse.Namespace) -> None:
    began = time.monotonic()
    runs = given.runs
    column = {
        "penalty": jnp.array([run.get("penalty", 0.0) for run in runs]),
        "rate": jnp.array([run.get("learning_rate", settings.learning_rate) for run in runs]),
        "std": jnp.array([run.get("initial_std", settings.initial_std) for run in runs]),
    }
    seeds = jnp.array([run.get("seed", 0) for run in runs], jnp.uint32)

    def start(one: dict, seed: jax.Array) -> Any:
        learner_key, robots_key = jax.random.split(jax.random.key(seed))
        varied: Any = Varied(task, one["penalty"])
        learner = ppo.new_learner(varied, settings, learner_key)
        actor = learner.parameters["actor"]["params"]
        # As GaussianActor's own start: std = floor * (1 + e^raw).
        raw = jnp.full_like(actor["raw_std"], jnp.log(one["std"] / LEAST_STD - 1.0))
        parameters = {**learner.parameters, "actor": {"params": {**actor, "raw_std": raw}}}
        keys = jax.random.split(robots_key, settings.environments)
        return learner.replace(parameters=parameters), ppo.new_robots(varied, keys)

    def advance(one: dict, state: Any, iterations: int) -> Any:
        varied: Any = Varied(task, one["penalty"])

        def iteration(_: int, state: Any) -> Any:
            learner, robots = state
            robots, batch = ppo.roll_out(varied, with_rate(settings, one["rate"]), learner, robots)
            return ppo.update(varied, with_rate(settings, one["rate"]), learner, batch), robots

        return jax.lax.fori_loop(0, iterations, iteration, state)

    def score(one: dict, learner: ppo.Learner, key: jax.Array) -> Any:
        varied: Any = Varied(task, 0.0)
        policy = Policy(
            learner.parameters["actor"],
            learner.observations.mean,
            learner.observations.std,
        )
        return episodes(varied, policy, key, given.episodes)

    state = jax.jit(jax.vmap(start))(column, seeds)
    state = (begun_from(state[0], runs), state[1])
    chunk = max(given.evaluate_every // settings.steps_an_iteration, 1)
    total = settings.total_steps // settings.steps_an_iteration
    programs = {
        size: jax.jit(jax.vmap(lambda one, state, n=size: advance(one, state, n)), donate_argnums=1)
        for size in {chunk}
    }
    scores = jax.jit(jax.vmap(score, in_axes=(0, 0, None)))
    given.out.mkdir(parents=True, exist_ok=True)
    done = 0
    while done + chunk <= total:
        at = time.monotonic()
        state = programs[chunk](column, state)
        jax.block_until_ready(state)
        trained = time.monotonic()
        done += chunk
        steps = done * settings.steps_an_iteration
        found = jax.device_get(scores(column, state[0], jax.random.key(1_000 + done)))
        learner = jax.device_get(state[0])
        save(task, settings, given, runs, learner, found, steps)
        now = time.monotonic()
        print(
            f"{steps / 1e6:.1f} M steps, {now - began:.0f} s, train {trained - at:.1f} s, "
            f"score {now - trained:.1f} s: "
            + " ".join(f"{value:.0f}" for value in found["return"].mean(axis=1)),
            flush=True,
        )
        # The next chunk must fit too.
        if now - began + (now - at) * 1.1 > given.seconds:
            break


def with_rate(settings: PPOSettings, rate: jax.Array) -> PPOSettings:
    """Settings with a learning rate that may be traced, which their own checks cannot look at."""
    changed = copy.copy(settings)
    object.__setattr__(changed, "learning_rate", rate)
    return changed


def begun_from(learner: ppo.Learner, runs: list[dict]) -> ppo.Learner:
    """The learners, with the policies that runs name in place of new ones."""
    for number, run in enumerate(runs):
        if "from" not in run:
            continue
        policy, _ = agent_files.load(run["from"])
        actor = jax.tree.map(
            lambda all_, one, n=number: all_.at[n].set(one),
            learner.parameters["actor"],
            policy.parameters,
        )
        seen = learner.observations
        learner = learner.replace(
            parameters={**learner.parameters, "actor": actor},
            observations=ppo.Moments(
                seen.mean.at[number].set(policy.observation_mean),
                seen.variance.at[number].set(policy.observation_std**2),
                seen.count.at[number].set(1e6),
            ),
        )
    return learner


def episodes(task: Any, policy: Policy, key: jax.Array, count: int) -> dict[str, jax.Array]:
    """Return, length, squared commands of leg 4 and mean size of the noise, per episode."""
    starts, noises = jax.random.split(key)

    def one(start: jax.Array, noise: jax.Array) -> dict[str, jax.Array]:
        def step(carry: tuple, t: jax.Array) -> tuple[tuple, tuple]:
            state, alive = carry
            command = jnp.clip(policy.act(state.obs, jax.random.fold_in(noise, t)), -1.0, 1.0)
            quiet = policy.act(state.obs, None)
            after = task.step(state, command)
            noisy = jnp.sqrt(jnp.mean((command - quiet) ** 2))
            seen = (after.reward, used(task, command), noisy, jnp.float32(1))
            seen = jax.tree.map(lambda x: jnp.where(alive, x, 0.0), seen)
            return (after, alive & (after.done < 0.5)), seen

        _, (reward, squares, noisy, valid) = jax.lax.scan(
            step, (task.reset(start), True), jnp.arange(task.episode_length)
        )
        return {
            "return": reward.sum(),
            "leg_4": squares.sum(),
            "noise": noisy.sum() / valid.sum(),
            "length": valid.sum(),
        }

    return jax.vmap(one)(jax.random.split(starts, count), jax.random.split(noises, count))


def save(
    task: tasks.Task,
    settings: PPOSettings,
    given: argparse.Namespace,
    runs: list[dict],
    learner: ppo.Learner,
    found: dict[str, np.ndarray],
    steps: int,
) -> None:
    for number, run in enumerate(runs):
        one = jax.tree.map(lambda x, n=number: x[n], learner)
        policy = Policy(one.parameters["actor"], one.observations.mean, one.observations.std)
        returns = found["return"][number]
        error = returns.std(ddof=1) / np.sqrt(len(returns))
        name = f"run-{number}-step-{steps:010d}"
        card = agent_files.AgentCard(
            name=name,
            task=task.name,
            backend=task.backend,
            return_mean=float(returns.mean()),
            return_standard_error=float(error),
            episodes=len(returns),
            evaluation_seed=-1,
            environment_steps=steps,
            seed=run.get("seed", 0),
            settings={**asdict(settings), **run},
        )
        agent_files.save(given.out / f"{name}.safetensors", policy, card)
        std = LEAST_STD * (1 + np.exp(one.parameters["actor"]["params"]["raw_std"]))
        line = {
            "run": number,
            **run,
            "environment_steps": steps,
            "return_mean": float(returns.mean()),
            "return_standard_error": float(error),
            "leg_4": float(found["leg_4"][number].mean()),
            "noise": float(found["noise"][number].mean()),
            "short": float((found["length"][number] < SHORT).mean()),
            "length": float(found["length"][number].mean()),
            "std": [round(float(x), 3) for x in std],
        }
        with (given.out / "curve.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
