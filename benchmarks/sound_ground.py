"""Six losses before and after start states, policy class and schedules were mended.

    python benchmarks/sound_ground.py

"Before" is read from the published runs of version 0.1.0, "after" from the new ones: true return
with its standard error over agents, and the mean log-prob per step of chosen and rejected
trajectories after the last epoch.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mirrorpo.reporting.published import unpacking
from mirrorpo.study.phases import FINAL
from mirrorpo.study.records import AgentRecord, read

RESULTS = Path(__file__).parents[1] / "results"
VARIANTS = ("base", "noisy:0.3")
STUDY = "protocol-study/{task}-linear-learned-sampled-one"
AFTER = {
    "lpo": STUDY,
    "simpo": STUDY,
    "paper-mixed": "sound-ground-{task}",
    "paper-noisy": "sound-ground-{task}",
    "robust-dpo": "sound-ground-{task}",
    "hopper-noisy": "sound-ground-{task}",
}
BEFORE = {
    "hopper": (
        "hopper-lpo",
        "hopper-noisy-0.3",
        "hopper-table6",
        "hopper-noisy-0.3-more",
        "hopper-base-rest",
        "hopper-paper-forms",
        "hopper-zoo",
        "hopper-discovered-noisy",
    ),
    "tla": ("tla-tables", "tla-transfer"),
}


Log = list[tuple[AgentRecord, dict[str, Any]]]


def cell(logs: Mapping[str, Log], names: tuple[str, ...], algorithm: str, variant: str) -> str:
    """Agents, return and log-probs of the first run that has the cell; a dash without one."""
    for name in names:
        found = [
            (record.return_mean, curves["chosen_log_prob"][-1], curves["rejected_log_prob"][-1])
            for record, curves in logs[name]
            if (record.phase, record.algorithm, record.variant) == (FINAL, algorithm, variant)
        ]
        if found:
            returns, chosen, rejected = np.array(found, float).T
            error = returns.std(ddof=1) / np.sqrt(len(returns))
            return (
                f"{len(found)} | {returns.mean():.0f} ± {error:.0f} "
                f"| {_short(chosen.mean())} / {_short(rejected.mean())}"
            )
    return "- | - | -"


def _short(value: float) -> str:
    return f"{value:.1f}" if abs(value) < 100 else f"{value:,.0f}"


def read_logs() -> dict[str, Log]:
    """The log of every run that is compared, by its name."""
    names = {name for before in BEFORE.values() for name in before}
    names |= {after.format(task=task) for task in BEFORE for after in AFTER.values()}
    with unpacking.folders([RESULTS / name for name in sorted(names)]) as folders:
        logs = [read(folder / "metrics.jsonl") for folder in folders]
    return dict(zip(sorted(names), logs, strict=True))


def main() -> None:
    logs = read_logs()
    print("| robot | data | loss | agents | return | chosen / rejected | agents | return | c / r |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for task, before in BEFORE.items():
        for variant in VARIANTS:
            for algorithm, after in AFTER.items():
                old = cell(logs, before, algorithm, variant)
                new = cell(logs, (after.format(task=task),), algorithm, variant)
                print(f"| {task} | {variant} | {algorithm} | {old} | {new} |")


if __name__ == "__main__":
    main()
