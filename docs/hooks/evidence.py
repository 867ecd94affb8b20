"""The evidence that `mirrorpo recommend` rests on, from results/ alone.

    python docs/hooks/evidence.py

writes src/mirrorpo/assets/bench/robots.csv and texts.csv: one row per trained agent of the runs
below. To take in another run, publish it and add its name to `RUNS`.
"""

import argparse
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mirrorpo import bounded, files, plain_text, runs
from mirrorpo.advising import evidence, evidence_files
from mirrorpo.objectives import naming
from mirrorpo.reporting.published import unpacking
from mirrorpo.study import records
from mirrorpo.study.phases import FINAL
from mirrorpo.variants import parse

ROOT = Path(__file__).parents[2]

RUNS: Mapping[str, tuple[str, ...]] = {
    "robots": (
        "leaderboard-hopper-noisy",
        "leaderboard-hopper-mixed",
        "leaderboard-hopper-base",
        "leaderboard-hopper-half",
        "leaderboard-hopper-second-mixture",
        "discovered-gated-hopper",
        "discovered-hopper",
        "leaderboard-tla-noisy",
        "leaderboard-tla-mixed",
        "leaderboard-tla-base",
        "leaderboard-tla-less-noise",
        "leaderboard-tla-half",
        "leaderboard-tla-second-mixture",
        "discovered-gated-tla",
        "leaderboard-walker2d-noisy",
        "leaderboard-walker2d-mixed",
        "leaderboard-walker2d-base",
        "leaderboard-walker2d-half",
        "leaderboard-walker2d-second-mixture",
        "demo-bench",
        "judged-hopper",
        "hopper-delta",
    ),
    "texts": (
        "reviews-small-8-noisy",
        "reviews-small-8-mixed",
        "reviews-small-8-noisy01",
        "reviews-small-8-base",
        "reviews-small-8-noisy-temporal",
        "reviews-small-8-mixed-temporal",
        "reviews-small-8-noisy01-temporal",
        "reviews-small-8-base-temporal",
        "plain-small-noisy",
        "plain-small-mixed",
        "plain-small-noisy01",
        "plain-small-base",
        "reviews-small-noisy",
        "reviews-small-base",
    ),
}
"""Published runs. Of several results of a cell the first run's count."""

PROTOCOL: Mapping[str, Mapping[str, Any]] = {
    "robots": {
        "protocol": "mirror",
        "epochs": 12,
        "minibatch": 2,
        "learning_rate": 3e-3,
        "schedule": "linear",
        "time_steps": 64,
        "std": "learned",
        "actions": "mean",
    },
    "texts": {
        "protocol": "small",
        "model": "reviews-small",
        "rows": 576,
        "steps": 72,
        "minibatch": 8,
        "learning_rate": 3e-3,
        "lora_r": 16,
        "aggregation": "mean",
        "max_new_tokens": 32,
    },
}
"""Settings that all runs share, so that their scores can be compared."""

NAMES = {
    "gated[weight=1,lower=0.5]": "gated",
    "gated-reference[weight=1,lower=0.5]": "gated-reference",
    "mirror-robust": "hopper-gated",
    "slic-filtered[drop=0.4,weight=1,delta=5]": "slic-robust",
    "runs/discover-gated/objective.safetensors": "hopper-gated",
    "ta-mpo[schedule=linear]": "ta-mpo",
}
"""Names of today for those that the runs have."""

TASKS = {"text": "plain-english"}
"""What a bench with a reward in a file is called here: by its reward."""

DIGITS = 4


def build(what: str, results: Path = ROOT / "results") -> pd.DataFrame:
    """The table of "robots" or "texts", with the columns `evidence.AGENTS_COLUMNS`.

    Raises:
        ValueError: a run that is not published, or of another protocol.
    """
    names = RUNS[what]
    with unpacking.folders([results / name for name in names]) as folders:
        parts = [
            of_run(name, folder, PROTOCOL[what]).assign(order=order)
            for order, (name, folder) in enumerate(zip(names, folders, strict=True))
        ]
    together = pd.concat(parts, ignore_index=True)
    cell = together.groupby(["task", "variant", "pairs", "algorithm"])["order"]
    first = together[together["order"] == cell.transform("min")]
    ordered = first.sort_values(
        ["task", "pairs", "variant", "algorithm", "data_draw", "seed"], ignore_index=True
    )
    return ordered[list(evidence.AGENTS_COLUMNS)]


def of_run(name: str, folder: Path, protocol: Mapping[str, Any]) -> pd.DataFrame:
    """The final agents of one run; a loss that no name of today stands for is left out.

    Raises:
        ValueError: a run of another protocol.
    """
    settings = files.read_json(folder / runs.CONFIG, "a run's configuration")["settings"]
    for setting, value in protocol.items():
        if settings.get(setting) != value:
            raise ValueError(
                f"results/{name} has {setting}={settings.get(setting)}, not {value}: scores of "
                "another protocol cannot be compared."
            )
    sources = files.read_json(folder / "sources.json", "the source agents' returns")
    better, worse = (source["mean"] for source in sources)
    agents = records.to_frame(record for record, _ in records.read(folder / runs.METRICS))
    rows = agents[agents["phase"] == FINAL]
    rows = rows[~rows["algorithm"].replace(NAMES).str.contains(r"\.safetensors|\.py:")]
    faults = [parse(text) for text in rows["variant"]]
    score = np.where(rows["diverged"], np.nan, (rows["return_mean"] - worse) / (better - worse))
    return pd.DataFrame(
        {
            "task": rows["task"].replace(TASKS),
            "variant": rows["variant"],
            "noise": [fault.noise for fault in faults],
            "near_equal": [evidence.MIXED_NEAR_EQUAL if fault.mixed else 0.0 for fault in faults],
            "pairs": settings["rows"],
            "algorithm": rows["algorithm"].replace(NAMES),
            "text": [
                typed(*of) for of in zip(rows["algorithm"], rows["hyperparameters"], strict=True)
            ],
            "seed": rows["seed"],
            "data_draw": rows["data_draw"],
            "score": score.round(DIGITS),
            "run": name,
        }
    )


@cache
def typed(algorithm: str, hyperparameters: str) -> str:
    """What gives the loss of an agent again: its name, values, and the mean over steps."""
    name = NAMES.get(algorithm, algorithm)
    values = bounded.parse_json(hyperparameters)
    if naming.resolve(name).aggregation != "mean":
        values = {"aggregation": "mean", **values}
    text = naming.with_values(name, values)
    naming.resolve(text)
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the shipped evidence.")
    parser.add_argument("--out", type=Path, default=evidence_files.shipped("robots").parent)
    folder = parser.parse_args().out
    for what in RUNS:
        table, out = build(what), folder / f"{what}.csv"
        plain_text.write_csv(out, table)
        cells = table.groupby(["task", "variant", "pairs"])["algorithm"].agg(["nunique", "size"])
        print(cells.rename(columns={"nunique": "losses", "size": "agents"}).to_string())
        print(f"{out}: {len(table)} agents, {out.stat().st_size / 1e3:.0f} kB.")


if __name__ == "__main__":
    main()
