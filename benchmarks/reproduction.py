"""Compare one column of a bench with the paper's table: order, significant pairs, spread.

    python benchmarks/reproduction.py results/tla-paper base

Prints each row beside the paper's, both normalised by their own source agents, the rank
correlation with an interval that redraws objectives and agents, and the share of pairs that both
sides tell apart by two standard errors and order alike.
"""

import sys
from pathlib import Path

import pandas as pd

from mirrorpo import files
from mirrorpo.cli.console import fail
from mirrorpo.reporting import paper
from mirrorpo.reporting.published import unpacking
from mirrorpo.study.records import read, to_frame
from mirrorpo.study.statistics import concordance, rank_agreement


def main(path: Path, variant: str) -> None:
    try:
        with unpacking.folders([path]) as (run,):
            show(run, variant)
    except ValueError as error:
        fail(str(error))


def show(run: Path, variant: str) -> None:
    settings = files.read_json(run / "config.json", "a run's settings")["settings"]
    task = settings["task"]
    frame = to_frame(record for record, _ in read(run / "metrics.jsonl"))
    ours = frame[(frame.phase == "final") & (frame.variant == variant)]
    # CPO's SFT weight of 1 is what the paper prints: the row has the paper's name.
    ours = ours.assign(algorithm=ours.algorithm.replace({"cpo[sft_weight=1]": "cpo"}))
    theirs = paper.table(task, variant)
    sources = files.read_json(run / "sources.json", "the source agents' returns")
    better, worse = (row["mean"] for row in sources)
    own = ours.groupby("algorithm").return_mean.agg(["mean", "sem", "count"])
    beside = theirs.set_index("algorithm")
    print(f"{task}, {variant}: source agents {better:.0f} and {worse:.0f}")
    print("| algorithm | agents | true return | normalised | the paper's | normalised |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    known = paper.RESULTS[task]
    for name, row in own.sort_values("mean", ascending=False).iterrows():
        score = (row["mean"] - worse) / (better - worse)
        line = (
            f"| {name} | {row['count']:.0f} | {row['mean']:.0f} ± {row['sem']:.0f} | {score:.2f} |"
        )
        if name in beside.index:
            mean, error = known.scores[variant][str(name)]
            their_score = (mean - known.worse) / (known.better - known.worse)
            line += f" {mean:.0f} ± {error:.0f} | {their_score:.2f} |"
        else:
            line += " - | - |"
        print(line)
    common = pd.Index(own.index).intersection(beside.index)
    ours = ours[ours.algorithm.isin(common)]
    theirs = theirs[theirs.algorithm.isin(common)]
    print(rank_agreement(ours, theirs))
    print(concordance(ours, theirs))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
