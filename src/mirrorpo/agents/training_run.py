"""A PPO run as a folder: a curve, policy checkpoints along the way, and a state to resume from."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mirrorpo import files, json_lines, limits, locks, runs, seeds, typed, versions
from mirrorpo.agents import agent_files
from mirrorpo.agents.ppo_trainer import PPOTrainer
from mirrorpo.divergence import Diverged
from mirrorpo.runtime.pytrees import load_tree, save_tree
from mirrorpo.simulation.evaluation import check_sizes
from mirrorpo.simulation.policy import Policy
from mirrorpo.simulation.tasks import AnyTask
from mirrorpo.training_settings import PPOSettings

STATE_FORMAT = "mirrorpo-ppo-state"
CHECKPOINTS = "checkpoints"
QUICK_EPISODES = 50
QUICK_SEED = 1_000
CONFIRM_EPISODES = 100
CONFIRM_SEED = 2_000


@dataclass(frozen=True)
class Checkpoint:
    """One point of the curve.

    Attributes:
        environment_steps: environment steps so far.
        return_mean: true return over `QUICK_EPISODES` episodes, sampled actions.
        return_standard_error: the standard error of that mean.
        seconds: since the run, or its continuation, began.
        path: the policy's file.
    """

    environment_steps: int
    return_mean: float
    return_standard_error: float
    seconds: float
    path: str


@runs.holding()
def train(
    task: AnyTask,
    settings: PPOSettings,
    seed: int,
    out: Path,
    *,
    evaluate_every: int = 500_000,
    save_every_seconds: float = 120.0,
    until_return: float | None = None,
    start: Policy | None = None,
    start_checksum: str | None = None,
    steps_before: int = 0,
    progress: Callable[[Checkpoint, int], None] = lambda point, of: None,
) -> Path:
    """Run PPO and save a policy at each evaluation; the same call continues after a kill.

    Args:
        task: to train on.
        settings: PPO's settings.
        seed: the seed of the run.
        out: run folder, new or of the same settings.
        evaluate_every: environment steps between evaluations, rounded up to whole updates.
        save_every_seconds: least time between saves of the state to resume from.
        until_return: stop when the mean over `QUICK_EPISODES` episodes reaches this, and that over
            `CONFIRM_EPISODES` other ones too.
        start: policy to begin from.
        start_checksum: checksum of its file: the run is not continued from another one.
        steps_before: environment steps of the training behind it; the agents' cards count them.
        progress: called with each checkpoint and the total number of steps.

    Returns:
        The last policy's file.

    Raises:
        ValueError: `out` holds another run, or the curve alone of this one; a number out of range;
            or `start` is a policy for another robot, or of other sizes or another mean limit than
            the settings'.
        Diverged: the policy's parameters are not finite. The curve ends in a point that says so.
    """
    seeds.check(seed)
    limits.at_least(1, evaluate_every=evaluate_every)
    trainer = PPOTrainer(task, settings)
    if start is not None:
        check_sizes(start, task)
        trainer.check_start(start)
    iterations = max(settings.total_steps // settings.steps_an_iteration, 1)
    chunk = min(-(-evaluate_every // settings.steps_an_iteration), iterations)
    config = {
        "command": "agents train",
        "task": task.name,
        "backend": task.backend,
        "penalty": asdict(task.penalty) if task.penalty else None,
        "seed": seed,
        "settings": asdict(settings),
        "devices": jax.local_device_count(),
        "from_policy": start is not None,
        "steps_before": steps_before,
        **({"code": task.code} if task.code is not None else {}),
    }
    contents = {} if start_checksum is None else {"start": start_checksum}
    runs.claim(out, config, contents, kind="agents train")
    state_file = out / "state.safetensors"
    if not state_file.is_file():
        # A run that was killed early has saved policies alone, and starts over.
        runs.refuse_lost_state(out, out / CHECKPOINTS)
    state = trainer.start(seed, start)
    done = 0
    if state_file.is_file():
        state, card = load_tree(state_file, state, STATE_FORMAT, "a PPO state")
        done = typed.check(card.get("iterations"), int, f"{state_file}: iterations")
    steps = done * settings.steps_an_iteration
    # The curve after the saved state is about to be made again.
    json_lines.resume(out / runs.METRICS, _steps_of, lambda reached: reached <= steps)
    path = _policy_file(out, steps)
    if done and until_return is not None:
        policy = trainer.policy(state)
        quick, _ = agent_files.evaluate(policy, task, QUICK_EPISODES, QUICK_SEED)
        if _reached(policy, task, quick, until_return):
            return path
    began = saved = time.monotonic()
    while done < iterations:
        now = min(chunk, iterations - done)
        state = trainer.advance(state, now)
        done += now
        steps = done * settings.steps_an_iteration
        policy = trainer.policy(state)
        mean, error = agent_files.evaluate(policy, task, QUICK_EPISODES, QUICK_SEED)
        if not np.isfinite(mean):
            point = Checkpoint(steps, mean, error, time.monotonic() - began, "")
            lost = {"return_mean": None, "return_standard_error": None, "path": None}
            json_lines.append(out / runs.METRICS, asdict(point) | lost)
            raise Diverged(
                f"PPO on {task.name} diverged after {steps} steps: the policy is not finite. "
                "Lower the learning rate or choose another seed, and another --out."
            )
        path = _policy_file(out, steps)
        point_card = agent_files.AgentCard(
            name=path.stem,
            task=task.name,
            backend=task.backend,
            return_mean=mean,
            return_standard_error=error,
            episodes=QUICK_EPISODES,
            evaluation_seed=QUICK_SEED,
            environment_steps=steps_before + steps,
            seed=seed,
            settings=asdict(settings),
        )
        agent_files.save(path, policy, point_card)
        point = Checkpoint(steps, mean, error, time.monotonic() - began, path.name)
        json_lines.append(out / runs.METRICS, asdict(point))
        progress(point, iterations * settings.steps_an_iteration)
        if time.monotonic() - saved > save_every_seconds or done == iterations:
            _save_state(state_file, state, done)
            saved = time.monotonic()
        if until_return is not None and _reached(policy, task, mean, until_return):
            _save_state(state_file, state, done)
            break
    return path


def _steps_of(row: Mapping[str, Any]) -> int:
    """The environment steps of a line of the curve. A policy that diverged has no score there."""
    if row["return_mean"] is None:
        return typed.check(row["environment_steps"], int, "environment_steps")
    return typed.build(Checkpoint, row).environment_steps


def _reached(policy: Policy, task: AnyTask, quick: float, until_return: float) -> bool:
    """Whether `CONFIRM_EPISODES` episodes confirm the return that the quick score promises."""
    if not quick >= until_return:
        return False
    return agent_files.evaluate(policy, task, CONFIRM_EPISODES, CONFIRM_SEED)[0] >= until_return


@runs.holding()
def pick(
    out: Path,
    task: AnyTask,
    target: float,
    name: str,
    candidates: int = 5,
    episodes: int = CONFIRM_EPISODES,
) -> agent_files.AgentCard:
    """Choose the checkpoint of a run whose return is nearest to `target`.

    The checkpoints that were nearest at training time are scored again on fresh episodes, and
    the nearest of those is saved as `out/NAME.safetensors`, with its return over yet other
    episodes on its card.

    Args:
        out: a run folder of `train`.
        task: to score on.
        target: wanted mean return.
        name: the name of the chosen agent.
        candidates: how many checkpoints to score again.
        episodes: the number of episodes of each score; at least 1.

    Raises:
        ValueError: the folder holds no checkpoints, a number below 1, or a name that is no file's
            or that a file of the run has.
    """
    limits.at_least(1, candidates=candidates, episodes=episodes)
    chosen_file = _free_place(out, name)
    paths = sorted((out / CHECKPOINTS).glob("*.safetensors"))
    if not paths:
        raise ValueError(f"{out} holds no checkpoints of a PPO run.")
    locks.hold_beside(chosen_file)
    scored = [(agent_files.load(path)[1].return_mean, path) for path in paths]
    near = sorted(scored, key=lambda pair: abs(pair[0] - target))[:candidates]
    again = []
    for _, path in near:
        policy, card = agent_files.load(path)
        mean, _ = agent_files.evaluate(policy, task, episodes, CONFIRM_SEED)
        again.append((abs(mean - target), policy, card))
    _, policy, card = min(again, key=lambda item: item[0])
    chosen = replace(
        card,
        name=name,
        episodes=episodes,
        evaluation_seed=CONFIRM_SEED + 1,
        versions=versions.installed(),
    )
    chosen = agent_files.measured(policy, task, chosen)
    agent_files.save(chosen_file, policy, chosen)
    return chosen


def _free_place(out: Path, name: str) -> Path:
    """The file of the chosen agent, which may replace another agent of the same name alone."""
    path = out / f"{name}{files.WITH_CARD}"
    if name != files.file_name(name):
        raise ValueError(f"--name {name!r:.60} is no file's name: {files.file_name(name)} is.")
    if path.is_file():
        try:
            agent_files.load(path)
        except ValueError:
            raise ValueError(
                f"{path} exists already, and is no agent: it is not overwritten. Choose another "
                "name."
            ) from None
    files.check_place_of_card(path)
    return path


def task_of(out: Path) -> tuple[str, str | None]:
    """The name of the task of a run of `train`, and its physics engine.

    Raises:
        ValueError: the folder holds no such run.
    """
    config = files.read_object(out / runs.CONFIG, "a run's configuration")
    settings = config.get("settings")
    if not isinstance(settings, dict) or settings.get("command") != "agents train":
        raise ValueError(f"{out} holds no run of `mirrorpo agents train`.")
    where = f"{out / runs.CONFIG}: "
    backend = settings.get("backend")
    return (
        typed.check(settings.get("task"), str, f"{where}task"),
        None if backend is None else typed.check(backend, str, f"{where}backend"),
    )


def _policy_file(out: Path, steps: int) -> Path:
    return out / CHECKPOINTS / f"step-{steps:010d}.safetensors"


def _save_state(path: Path, state: Any, done: int) -> None:
    save_tree(path, state, {"format": STATE_FORMAT, "iterations": done})
