"""How alike are the orders of losses under two protocols that differ in one choice?

    python -m benchmarks.protocol_pairs tla results/protocol-study results/protocol-more ...

compares every two arms of studies by `benchmarks/protocol_study.py` that differ in one factor, and
the same arm in two studies, which says how much chance reorders. Printed per factor and kind of
data: how many comparisons, the mean of Kendall's tau between the two orders, and of the pairs of
losses that both arms tell apart by two standard errors, how many are ordered alike. `--each`
prints every comparison.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import protocol_study as study
from mirrorpo.cli.console import fail
from mirrorpo.reporting.published import unpacking
from mirrorpo.study.statistics.concordance import Concordance, concordance
from mirrorpo.study.statistics.ranks import kendall
from mirrorpo.study.statistics.row_means import row_means

AGAIN = "nothing: measured twice"


@dataclass(frozen=True)
class Setting:
    """One arm of one study on one kind of data.

    Attributes:
        study: the folder's name.
        levels: the level of each factor, in the order of `protocol_study.FACTORS`.
        variant: the kind of data.
        agents: its final agents.
    """

    study: str
    levels: tuple[object, ...]
    variant: str
    agents: pd.DataFrame

    def differs_in(self, other: "Setting") -> str | None:
        """The one factor in which two settings differ; None where there are several."""
        named = zip(study.FACTORS, self.levels, other.levels, strict=True)
        factors = [name for name, one, two in named if one != two]
        if factors:
            return factors[0] if len(factors) == 1 else None
        return AGAIN if self.study != other.study else None


@dataclass(frozen=True)
class Comparison:
    """Two settings that differ in one factor, or in none.

    Attributes:
        factor: the factor.
        first, second: the settings.
        tau: Kendall's tau of the losses' means.
        pairs: agreement over the pairs that both tell apart.
    """

    factor: str
    first: Setting
    second: Setting
    tau: float
    pairs: Concordance


def settings(task: str, folders: Sequence[Path]) -> Iterator[Setting]:
    with unpacking.folders(folders) as read_from:
        for folder, found in zip(folders, read_from, strict=True):
            frame = study.agents(task, found)
            for (*levels, variant), part in frame.groupby([*study.FACTORS, "variant"], sort=False):
                yield Setting(folder.name, tuple(levels), str(variant), part)


def compare(first: Setting, second: Setting, factor: str) -> Comparison:
    means = pd.concat(
        [row_means(one.agents).set_index("algorithm")["mean"] for one in (first, second)], axis=1
    ).to_numpy()
    tau = float(kendall(means[None, :, 0], means[None, :, 1])[0])
    return Comparison(factor, first, second, tau, concordance(first.agents, second.agents))


def comparisons(every: Sequence[Setting]) -> list[Comparison]:
    """All of them on the same kind of data, factor by factor."""
    found = [
        compare(first, second, factor)
        for first, second in combinations(every, 2)
        if first.variant == second.variant and (factor := first.differs_in(second))
    ]
    order = [AGAIN, *study.FACTORS]
    return sorted(found, key=lambda one: (one.first.variant, order.index(one.factor)))


def table(found: Sequence[Comparison]) -> Iterator[str]:
    yield "| data | what differs | comparisons | Kendall's tau, mean | pairs ordered alike |"
    yield "| --- | --- | ---: | ---: | ---: |"
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for one in found:
        groups.setdefault((one.first.variant, one.factor), []).append(one)
    for (variant, factor), parts in groups.items():
        tau = np.mean([one.tau for one in parts])
        both = sum(one.pairs.both for one in parts)
        alike = sum(one.pairs.alike for one in parts)
        share = f" ({100 * alike / both:.0f} %)" if both else ""
        yield f"| {variant} | {factor} | {len(parts)} | {tau:.2f} | {alike} of {both}{share} |"


def each(found: Sequence[Comparison]) -> Iterator[str]:
    for one in found:
        sides = " | ".join(
            f"{side.study} {' '.join(map(str, side.levels))}" for side in (one.first, one.second)
        )
        pairs = f"{one.pairs.alike} of {one.pairs.both}"
        yield f"{one.first.variant}, {one.factor}: tau {one.tau:.2f}, {pairs} ({sides})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=sorted(study.STEPS))
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--each", action="store_true", help="every comparison, too")
    given = parser.parse_args()
    try:
        found = comparisons(list(settings(given.task, given.folders)))
    except ValueError as error:
        fail(str(error))
    print("\n".join([*table(found), *(each(found) if given.each else ())]))


if __name__ == "__main__":
    main()
