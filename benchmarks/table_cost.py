"""What an equally exact score of an agent costs in the tables of several runs.

    python benchmarks/table_cost.py results/tla-tables results/leaderboard-tla-base

The standard error of an agent's score is that of one episode by the root of their number. So an
equal error costs as many seconds as an episode takes, times an episode's variance. Printed per run
and column: the standard deviation of one episode (the root of the mean variance over agents), in
return and as a share of the distance between the run's source agents; seconds of scoring per
episode, as recorded; and how many times cheaper an equal error is than in the first run's column of
that name, in return and in shares of the distance. Columns that the first run lacks have no ratio.
"""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mirrorpo.cli.console import fail
from mirrorpo.reporting import comparison
from mirrorpo.reporting.published import unpacking
from mirrorpo.study.phases import FINAL
from mirrorpo.study.tables import NOT_RUN


class Scoring(NamedTuple):
    """How exact and how dear the scores of one run's column are.

    Attributes:
        agents: number of final agents that did not diverge.
        deviation: of one episode's return.
        distance: the better source agent's return less the worse's.
        seconds: per episode.
    """

    agents: int
    deviation: float
    distance: float
    seconds: float

    @property
    def share(self) -> float:
        """The standard deviation of an episode as a share of the distance."""
        return self.deviation / self.distance


def scorings(folder: Path) -> dict[str, Scoring]:
    """Each column of a bench.

    Raises:
        ValueError: the folder holds no bench, or its source agents are not scored yet.
    """
    run = comparison.read_parts(folder)
    if len(run.sources) != 2:
        raise ValueError(f"{folder.name} has not scored its source agents yet; resume it first.")
    better, worse = run.sources
    known = run.agents["return_standard_error"].notna()
    final = run.agents[(run.agents["phase"] == FINAL) & known]
    found = {}
    for variant, part in final.groupby("variant", sort=False):
        variance = (part["return_standard_error"] ** 2 * part["episodes"]).mean()
        found[str(variant)] = Scoring(
            len(part),
            float(np.sqrt(variance)),
            better.mean - worse.mean,
            float(part["evaluate_seconds"].sum() / part["episodes"].sum()),
        )
    return found


def times_cheaper(first: Scoring, other: Scoring) -> tuple[float, float]:
    """How many times fewer seconds an equal error takes in `other` than in `first`: in return, and
    in shares of the distance."""
    seconds = first.seconds / other.seconds
    return (
        seconds * (first.deviation / other.deviation) ** 2,
        seconds * (first.share / other.share) ** 2,
    )


def main(paths: list[Path]) -> None:
    try:
        with unpacking.folders(paths) as folders:
            runs = [
                (path.name, scorings(folder)) for path, folder in zip(paths, folders, strict=True)
            ]
    except ValueError as error:
        fail(str(error))
    print(
        "| run | column | agents | sd of an episode | of the distance | ms per episode "
        "| times cheaper: in return | in shares of the distance |"
    )
    print("| --- | --- |" + " ---: |" * 6)
    for name, found in runs:
        for variant, one in found.items():
            first = runs[0][1].get(variant)
            ratios = (
                [NOT_RUN] * 2 if first is None else map("{:.1f}".format, times_cheaper(first, one))
            )
            print(
                f"| {name} | {variant} | {one.agents} | {one.deviation:.0f} | {one.share:.2f} "
                f"| {1000 * one.seconds:.0f} | {' | '.join(ratios)} |"
            )


if __name__ == "__main__":
    if len(sys.argv) < 2:
        fail("Name runs, published or in a folder: python benchmarks/table_cost.py RUN [RUN ...]")
    main([Path(text) for text in sys.argv[1:]])
