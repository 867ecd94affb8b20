"""One measurement in a process of its own: ``python probe.py NAME JSON`` prints lines of JSON.

A process each, because the implementations want different settings of XLA and threads, because peak
memory belongs to a process, and because one that runs out of memory must not take others along.
"""

import importlib
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).parents[1]))
    __package__ = "speed"


# It never falls: every episode has its full length, so all take exactly the same number of steps.
EVALUATED = "halfcheetah"


def train(by: str, least_seconds: float, **sizes: int) -> dict[str, Any]:
    """Agent-steps a second: the fastest of some runs, after one that compiles."""
    workload = importlib.import_module("speed.workload")
    timing = importlib.import_module("speed.timing")
    if by == "mirrorpo":
        importlib.import_module("mirrorpo.runtime.start").start_jax()
    module = importlib.import_module(TRAINERS[by])
    before = peak_memory_mib()
    work = workload.Workload(**sizes)
    # The arrays are held by the trainer alone: what it has no use for is not its memory.
    if by == "mirrorpo":
        run = module.trainer(work, workload.pairs(work), workload.start(work))
    else:
        given = (workload.pairs(work), workload.start(work), workload.orders(work))
        run = module.trainer(work, *given, **HOW[by])
    seconds = timing.timed(run, least_seconds)
    return {
        "agent_steps_a_second": work.agent_steps / seconds.fastest,
        "seconds": seconds.fastest,
        "compile_seconds": seconds.first_extra,
        "memory_before_mib": before,
    }


def evaluate(
    by: str, steps: int, robot: str = EVALUATED, backend: str | None = None, **sizes: Any
) -> dict[str, Any]:
    """Environment steps per second of an evaluation.

    Args:
        by: who evaluates.
        steps: length of each episode.
        robot: a task, or one of brax's environments that never falls.
        backend: physics engine; None for the task's own.
        sizes: the sizes of the measurement.
    """
    if by == "mirrorpo":
        importlib.import_module("mirrorpo.runtime.start").start_jax()
    tasks = importlib.import_module("mirrorpo.simulation.tasks")
    if robot in tasks.available():
        task = tasks.load(robot, backend, episode_length=steps)
    else:
        task = tasks.Task(robot, robot, backend or "positional", episode_length=steps)
    if by == "mujoco.rollout":
        return importlib.import_module("speed.native_physics").measure(task, **sizes)
    module = importlib.import_module("speed.environment_steps")
    before = peak_memory_mib()
    return {**module.measure(by, task, **sizes), "memory_before_mib": before}


def generation(**sizes: Any) -> dict[str, Any]:
    """Seconds of one generation of a discovery, and what they are spent on."""
    importlib.import_module("mirrorpo.runtime.start").start_jax()
    return importlib.import_module("speed.generation").with_peers(**sizes)


def scaling(workers: int, **sizes: int) -> dict[str, Any]:
    """Agents a minute of a generation on a local Ray cluster that has a core for each worker.

    All processes share these cores: the workers, the command itself, and Ray's own. Where there
    are fewer cores than workers, the workers share them, too.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:workers])
    importlib.import_module("mirrorpo.runtime.start").start_jax()
    module = importlib.import_module("speed.generation")
    found = module.measure(**sizes, ray=f"local:{workers}")
    # The start and the mean are trained beside the population.
    agents = sizes["population"] + 2
    busy = found["training_seconds"] + found["evaluation_seconds"]
    return {
        "agents_a_minute": 60 * agents / found["seconds"],
        "seconds": found["seconds"],
        "worker_seconds_an_agent": busy / agents,
    }


def language_trainers(loss: str, repeats: int, **sizes: int) -> dict[str, Any]:
    """Seconds of `train()` by `PreferenceTrainer` and by TRL's trainer of the same loss."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    beside_trl = importlib.import_module("beside_trl")
    size = beside_trl.Size(**sizes)
    found = beside_trl.compare(beside_trl.losses(size.answer + 1)[loss], size, repeats)
    return {
        "seconds": found["ours_seconds"],
        "trl_seconds": found["trl_seconds"],
        "times_trls_seconds": found["times_trls_seconds"],
        "largest_difference_of_losses": found["largest_difference"],
    }


def peak(size: int, seconds: float) -> dict[str, Any]:
    """The fastest float32 matrix product."""
    found = importlib.import_module("speed.arithmetic").matrix_peak(size, seconds)
    return {"gflops_a_second": found / 1e9}


def first_results(time_steps: int, episodes: int, steps: int, state: str) -> dict[str, Any]:
    """Seconds until a process has imported, trained one batch, and evaluated it; `state` says
    what the cache holds."""
    del state
    began = time.perf_counter()
    importlib.import_module("mirrorpo.runtime.start").start_jax()
    evaluation = importlib.import_module("mirrorpo.simulation.evaluation")
    tasks = importlib.import_module("mirrorpo.simulation.tasks")
    policy = importlib.import_module("mirrorpo.simulation.policy")
    learner = importlib.import_module("speed.mirrorpo_learner")
    workload = importlib.import_module("speed.workload")
    jax = importlib.import_module("jax")
    numpy = importlib.import_module("numpy")
    agents = jax.local_device_count()
    imported = time.perf_counter()
    work = workload.Workload(agents, hidden=64, gradient_steps=4, time_steps=time_steps)
    learner.trainer(work, workload.pairs(work), workload.start(work))()
    trained = time.perf_counter()
    task = tasks.load("hopper", episode_length=steps)
    zeros = numpy.zeros(task.observation_size, numpy.float32)
    keys = jax.random.split(jax.random.key(0), agents)
    policies = jax.vmap(lambda key: policy.new_policy(key, task.action_size, zeros, zeros + 1))(
        keys
    )
    evaluation.returns(policies, task, episodes)
    return {
        "import_seconds": imported - began,
        "training_seconds": trained - imported,
        "evaluation_seconds": time.perf_counter() - trained,
    }


def mjx_physics(
    implementation: str, agents: int, episodes: int, steps: int, least_seconds: float
) -> dict[str, Any]:
    """Environment steps a second of MJX's physics of half-cheetah with five frames of 10 ms."""
    module = importlib.import_module("speed.mjx_physics")
    tasks = importlib.import_module("mirrorpo.simulation.tasks")
    native = importlib.import_module("speed.native_physics")
    task = tasks.load(EVALUATED, "mjx")
    model, frames = native.model_of(task), native.frames_of(task)
    return module.measure(model, frames, implementation, agents * episodes, steps, least_seconds)


def whole_generation(small: bool) -> Iterator[dict[str, Any]]:
    """Seconds of generations at the paper's size."""
    importlib.import_module("mirrorpo.runtime.start").start_jax()
    return importlib.import_module("speed.whole_generation").measure(small)


def language(small: bool) -> Iterator[dict[str, Any]]:
    """Agents of the bench on reviews an hour."""
    return importlib.import_module("speed.language_agents").measure(small)


def devices() -> dict[str, Any]:
    """What JAX and PyTorch compute on; JAX alone where PyTorch is not installed."""
    jax = importlib.import_module("jax")
    found = jax.devices()
    row = {"jax": f"{len(found)} x {found[0].device_kind}", "device": found[0].device_kind}
    if importlib.util.find_spec("torch") is not None:
        cuda = importlib.import_module("torch").cuda
        row["torch"] = cuda.get_device_name() if cuda.is_available() else "cpu"
    return row


def peak_memory_mib() -> float:
    """The largest resident set of this process so far; 0 where the system does not say."""
    return float(importlib.import_module("speed.memory").peak_mib())


TRAINERS = {
    "mirrorpo": "speed.mirrorpo_learner",
    "textbook-jax": "speed.textbook_jax",
    "textbook-bfloat16": "speed.textbook_jax",
    "torch-vmap": "speed.torch_loops",
    "torch-loop": "speed.torch_loops",
}

HOW = {
    "textbook-jax": {"bfloat16": False},
    "textbook-bfloat16": {"bfloat16": True},
    "torch-vmap": {"vectorised": True},
    "torch-loop": {"vectorised": False},
}

PROBES: dict[str, Callable[..., dict[str, Any] | Iterator[dict[str, Any]]]] = {
    "train": train,
    "evaluate": evaluate,
    "generation": generation,
    "scaling": scaling,
    "peak": peak,
    "first-results": first_results,
    "devices": devices,
    "mjx-physics": mjx_physics,
    "whole-generation": whole_generation,
    "language": language,
    "language-trainers": language_trainers,
}

if __name__ == "__main__":
    result = PROBES[sys.argv[1]](**json.loads(sys.argv[2]))
    for row in [result] if isinstance(result, dict) else result:
        print(json.dumps({**row, "peak_memory_mib": peak_memory_mib()}), flush=True)
