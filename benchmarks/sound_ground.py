"""Six losses before and after start states, policy class and schedules were mended.

    python benchmarks/sound_ground.py

"Before" is read from the runs of version 0.1.0, "after" from the new ones: true return with its
standard error over agents, and the mean log-prob per step of chosen and rejected trajectories after
the last epoch.
"""

from pathlib import Path

import numpy as np

from mirrorpo.study.records import read

RUNS = Path(__file__).parents[1] / "runs"
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


def cell(folders: tuple[str, ...], algorithm: str, variant: str) -> str:
    """Agents, return and log-probs of the first folder that has the cell; a dash without one."""
    for folder in folders:
        log = RUNS / folder / "metrics.jsonl"
        found = [
            (record.return_mean, curves["chosen_log_prob"][-1], curves["rejected_log_prob"][-1])
            for record, curves in (read(log) if log.is_file() else [])
            if (record.phase, record.algorithm, record.variant) == ("final", algorithm, variant)
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


def main() -> None:
    print("| robot | data | loss | agents | return | chosen / rejected | agents | return | c / r |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for task, before in BEFORE.items():
        for variant in VARIANTS:
            for algorithm, after in AFTER.items():
                old = cell(before, algorithm, variant)
                new = cell((after.format(task=task),), algorithm, variant)
                print(f"| {task} | {variant} | {algorithm} | {old} | {new} |")


if __name__ == "__main__":
    main()
