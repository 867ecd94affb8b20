"""Which choices of a protocol decide the order of losses: one bench per arm of a design.

    python -m benchmarks.protocol_study run tla runs/protocol-study [--arm 0] [--held-out]
    python -m benchmarks.protocol_study show tla results/protocol-study [--out docs/images]

`run` measures the losses under every arm and resumes after a kill; with `--held-out` on the columns
that no protocol is chosen on, in a run of its own, which benchmarks/reproduction.py reads. `show`
prints, per column, each arm's order beside the paper's, and the effect of each factor with its
interval over agents. It writes the effects to FOLDER/TASK-effects.csv and FOLDER/TASK-effects.png,
unless the runs are published; with `--out` to another folder, under the names of runs and task.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import other_agents, short_episodes
from mirrorpo.agents import agent_files, sources
from mirrorpo.cli.console import fail
from mirrorpo.reporting import paper
from mirrorpo.reporting.factor_plot import factor_plot
from mirrorpo.reporting.published import unpacking
from mirrorpo.runtime.devices import keep_compiled_programs, use_all_cores
from mirrorpo.simulation import tasks
from mirrorpo.study import bench
from mirrorpo.study.phases import FINAL
from mirrorpo.study.records import read, to_frame
from mirrorpo.study.settings import BenchSettings
from mirrorpo.study.statistics.factors import factor_effects, setting_responses
from mirrorpo.training_settings import LEAST_STD

LOSSES = ("sft", "kto", "rdpo", "dpo", "simpo", "lpo", "cpo[sft_weight=1]", "slic")
"""The losses whose returns differ most in the paper's Table 1."""

COLUMNS = ("base", "noisy:0.3")
"""The columns on which a protocol is chosen."""

HELD_OUT = ("mixed-quality", "noisy:0.1", "noisy:0.2")
"""Those that are kept to test it."""

STEPS = {"tla": 128, "hopper": 64}
"""Time steps sampled from each trajectory, except in the arm with all 1000, which costs several
times as much."""

ROWS = {"tla": 1280, "hopper": 1024}
"""Pairs: the paper's 1280 on the Three-Legged Ant, a fifth of its 5120 on Hopper."""

FACTORS = (
    "schedule",
    "std",
    "actions",
    "optimiser",
    "steps",
    "rate",
    "tuning",
    "noise",
    "hidden",
    "bound",
    "starts",
)


@dataclass(frozen=True)
class Arm:
    """One combination of factor levels.

    `noise` is the standard deviation of the source agents' actions, in motor commands, which the
    learners start with; `hidden` the units of each of the learners' hidden layers; `bound` what
    bounds the mean actions of sources and learners, "motors" or "none"; `starts` where robots
    start, sources and learners: on the "floor", or where "brax" starts them, perhaps inside it.
    """

    schedule: str = "constant"
    std: str = "learned"
    actions: str = "sampled"
    optimiser: str = "one"
    steps: str = "sampled"
    rate: float = 1e-3
    tuning: str = "grid"
    noise: float = LEAST_STD
    hidden: int = 64
    bound: str = "motors"
    starts: str = "floor"

    @property
    def name(self) -> str:
        """A folder's name: the first four levels, and those of the others that differ."""
        levels = [getattr(self, factor) for factor in FACTORS[:4]]
        for factor in FACTORS[4:]:
            if getattr(self, factor) != getattr(Arm, factor):
                levels += [factor, str(getattr(self, factor))]
        return "-".join(levels).replace(":", "-")


ARMS = (
    Arm(),
    Arm(schedule="linear"),
    Arm(std="fixed:1", actions="mean"),
    Arm(schedule="linear", std="fixed:1", actions="mean"),
    Arm(actions="mean"),
    Arm(optimiser="per stage"),
    Arm(schedule="cosine"),
    Arm(std="fixed:0.65", actions="mean"),
    Arm(schedule="linear-overall"),
    Arm(tuning="trials"),
    Arm(rate=3e-3),
    Arm(steps="all"),
    Arm(noise=0.5),
    Arm(hidden=256),
    Arm(schedule="linear-overall", hidden=256),
    Arm(schedule="linear-overall", bound="none"),
    Arm(starts="brax"),
    Arm(std="fixed:1"),
    Arm(schedule="linear-overall", std="fixed:1", actions="mean"),
)
"""One factor at a time around two centres, the first and the fourth."""


def agents_of(task: str, arm: Arm, folder: Path) -> dict[str, Any]:
    """Settings that name an arm's source agents and start where they are not the shipped ones;
    they are written to `folder`, in files of their own."""
    own, robot = sources.SOURCES[task], tasks.load(task)
    if arm.starts == "brax":
        return {"better": own.better, "worse": own.worse, "start_from": own.start}
    if (arm.noise, arm.bound) == (Arm.noise, Arm.bound):
        return {}
    found = {}
    for role, name in (("better", own.better), ("worse", own.worse), ("start_from", own.start)):
        if name is not None:
            changed, told = agent_files.load(name)[0], name
            if arm.bound == "none":
                changed, told = other_agents.unbounded(changed), f"{told}-unbounded"
            if arm.noise != Arm.noise:
                changed = other_agents.noisier(changed, arm.noise)
                told = f"{told}-noise-{arm.noise}"
            path = folder / f"{told}.safetensors"
            found[role] = other_agents.write(name, changed, robot, path)
    return found


def settings_of(
    task: str, arm: Arm, agents: Mapping[str, Any], columns: Sequence[str] = COLUMNS
) -> BenchSettings:
    """The bench of one arm on some columns, with the settings of `agents_of`."""
    as_brax = arm.starts == "brax"
    return BenchSettings(
        task=short_episodes.with_brax_starts(task) if as_brax else task,
        allow_short=as_brax,
        rows=ROWS[task],
        variants=tuple(columns),
        algorithms=LOSSES,
        protocol="paper",
        seeds=3,
        episodes=32,
        search=True,
        search_seeds=1,
        search_episodes=16,
        tune_by=arm.tuning,
        trials=8 if arm.tuning == "trials" else None,
        time_steps=STEPS[task] if arm.steps == "sampled" else 0,
        learning_rate=arm.rate,
        schedule=arm.schedule,
        std=arm.std,
        actions=arm.actions,
        reset_optimiser=arm.optimiser == "per stage",
        hidden=(arm.hidden, arm.hidden),
        **agents,
    )


def measure(task: str, arm: Arm, folder: Path, cache: Path | None, held_out: bool) -> None:
    """Run one arm's bench, or what is left of it."""
    out = folder / f"{task}-{arm.name}{'-held-out' * held_out}".replace(" ", "-")

    def tell(done: float, total: float, doing: str) -> None:
        print(f"{out.name}: {done} of {total} agents, {doing}", flush=True)

    chosen = agents_of(task, arm, folder / "agents")
    columns = HELD_OUT if held_out else COLUMNS
    bench.run(settings_of(task, arm, chosen, columns), out, tell, cache)


def agents(task: str, folder: Path) -> pd.DataFrame:
    """The final agents of all arms that are complete, with a column per factor."""
    frames = []
    for arm in ARMS:
        log = folder / f"{task}-{arm.name}".replace(" ", "-") / "metrics.jsonl"
        frame = to_frame([record for record, _ in read(log)] if log.is_file() else [])
        final = frame[frame.phase == FINAL]
        if len(final) == 3 * len(LOSSES) * len(COLUMNS):
            levels = {name: getattr(arm, name) for name in FACTORS}
            frames.append(final.assign(**levels))
    if not frames:
        raise SystemExit(f"No arm of {task} is complete under {folder}.")
    frame = pd.concat(frames, ignore_index=True)
    return frame.assign(algorithm=frame.algorithm.replace({"cpo[sft_weight=1]": "cpo"}))


def show(task: str, folder: Path, out: Path | None = None) -> None:
    """Print what the complete arms say, and write it to `out`, if it is given, else to the folder
    itself where it is one of the user's."""
    with unpacking.folders([folder]) as (read_from,):
        frame = agents(task, read_from)
    factors = [name for name in FACTORS if frame[name].nunique() > 1]
    known = [name for name in COLUMNS if name in paper.RESULTS[task].scores]
    theirs = pd.concat([paper.table(task, name).assign(variant=name) for name in known])
    effects = []
    for variant, part in frame.groupby("variant", sort=False):
        reference = theirs[theirs.variant == variant] if variant in known else None
        print(f"\n{task}, {variant}: mean true return, 3 agents per cell")
        cell = part.groupby([*(factors or FACTORS), "algorithm"], sort=False).return_mean.mean()
        print(cell.unstack("algorithm").round(0).astype(int).to_string())
        if factors:
            print(setting_responses(part, factors, reference).round(2).to_string())
            effects.append(factor_effects(part, factors, reference))
    if effects:
        found = pd.concat(effects, ignore_index=True)
        if out is not None or folder.is_dir():
            path = folder / f"{task}-effects" if out is None else out / f"{folder.name}-{task}"
            path.parent.mkdir(parents=True, exist_ok=True)
            found.to_csv(f"{path}.csv", index=False)
            factor_plot(found).savefig(f"{path}.png")
        print(found.round(2).to_string(index=False))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure or show the arms of the design.")
    parser.add_argument("action", choices=("run", "show"))
    parser.add_argument("task", choices=sorted(STEPS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--arm", type=int, help="number of one arm, from 0; all by default")
    parser.add_argument("--held-out", action="store_true", help="the columns to test on")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--out", type=Path, help="where `show` writes; FOLDER by default")
    given = parser.parse_args()
    if given.action == "run":
        use_all_cores()
        keep_compiled_programs()
        for arm in ARMS if given.arm is None else ARMS[given.arm : given.arm + 1]:
            measure(given.task, arm, given.folder, given.cache, given.held_out)
        return
    try:
        show(given.task, given.folder, given.out)
    except ValueError as error:
        fail(str(error))


if __name__ == "__main__":
    main()
