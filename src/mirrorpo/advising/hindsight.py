"""What following the advice costs, on data that its evidence leaves out."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from mirrorpo.advising import advice
from mirrorpo.advising.evidence import Evidence, EvidenceCell

ROBOT, VARIANT = "task", "variant"
"""What is left out: all cells of the same robot, or of the same faults."""

RESAMPLES = 4000


@dataclass(frozen=True, eq=False)
class Difference:
    """A difference of scores; its redrawn values belong together with those of other cells.

    Attributes:
        value: in units of the distance between the two source agents.
        redrawn: with agents and data draws drawn anew, shape (RESAMPLES,).
    """

    value: float
    redrawn: np.ndarray

    @property
    def error(self) -> float:
        """Its standard error."""
        return float(np.std(self.redrawn, ddof=1))


@dataclass(frozen=True, eq=False)
class HindsightCase:
    """One cell whose advice came from others.

    Attributes:
        cell: the cell.
        advised: the first of the ranking that was measured in the cell.
        score: its score there.
        best: the objective that did best in the cell, in hindsight.
        lost: what the best scored more than the advised. The best was chosen by the agents that
            score it, so this is too large rather than too small.
        gained: what the advised scored more than an objective, by its name; where that was
            measured.
    """

    cell: EvidenceCell
    advised: str
    score: float
    best: str
    lost: Difference
    gained: dict[str, Difference]


def cases(
    evidence: Evidence,
    left_out: str,
    against: Sequence[str] = ("dpo", "sft"),
    without: Collection[str] = (),
    seed: int = 0,
) -> list[HindsightCase]:
    """The advice for every cell, from evidence without the cells that share its robot or faults.

    The advice is told the true faults and size of the cell's data.

    Args:
        evidence: all of it.
        left_out: `ROBOT` or `VARIANT`.
        against: objectives to compare with.
        without: objectives that are neither advised nor best.
        seed: the seed of all resamples.
    """
    columns = [at for at, name in enumerate(evidence.algorithms) if name not in without]
    allowed = evidence.only(range(len(evidence.cells)), columns)
    drawn = allowed.redraw(RESAMPLES, np.random.default_rng(seed))
    found = []
    for place, cell in enumerate(allowed.cells):
        others = [
            at
            for at, other in enumerate(allowed.cells)
            if getattr(other, left_out) != getattr(cell, left_out)
        ]
        there = np.flatnonzero(allowed.known[place])
        if not others or len(there) < 2:
            continue
        names = [allowed.algorithms[at] for at in there]
        ranking = advice.ranked(
            _measured(allowed, others), cell.noise, cell.near_equal, cell.pairs or 1
        )
        advised = next((name for name in ranking if name in names), None)
        if advised is None:
            continue
        means = allowed.mean[place]
        best = names[int(np.argmax(means[there]))]

        def difference(first: str, second: str, place: int = place) -> Difference:
            at, other = (allowed.algorithms.index(name) for name in (first, second))
            both = drawn[:, place, at] - drawn[:, place, other]
            return Difference(float(allowed.mean[place, at] - allowed.mean[place, other]), both)

        found.append(
            HindsightCase(
                cell,
                advised,
                float(means[allowed.algorithms.index(advised)]),
                best,
                difference(best, advised),
                {name: difference(advised, name) for name in against if name in names},
            )
        )
    return found


def mean(differences: Sequence[Difference]) -> Difference:
    """Their mean; agents of different cells are drawn independently."""
    return Difference(
        float(np.mean([one.value for one in differences])),
        np.mean([one.redrawn for one in differences], axis=0),
    )


def _measured(evidence: Evidence, cells: Sequence[int]) -> Evidence:
    """Some cells, and what was measured in any of them."""
    return evidence.only(cells, np.flatnonzero(evidence.known[list(cells)].any(axis=0)).tolist())
