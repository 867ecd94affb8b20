"""Which objectives did best on data like the user's, and how sure that is."""

import math
from dataclasses import dataclass

import numpy as np

from mirrorpo.advising.conditions import Conditions
from mirrorpo.advising.evidence import Evidence, EvidenceCell

NOISE_WIDTH, NEAR_WIDTH, DOUBLINGS_WIDTH = 0.1, 0.2, 1.0
"""How far evidence may differ from the user's data before it counts for less: one standard
deviation of a Gaussian weight, of the rate of wrong labels, of the share of near-equal pairs, and
of the number of pairs in doublings."""

FAR = 2.0
"""Distance in any of these widths from which no evidence is near."""

RESAMPLES = 2000
_LEAST_COVERED = 0.25
_LEAST_SHOWN = 0.05


@dataclass(frozen=True)
class Figure:
    """What one objective scored in one cell.

    Attributes:
        task: the robot, or the task on texts.
        variant: the faults of the data.
        pairs: their number; None where it is not known.
        score: 0 is the worse source agent's return, 1 the better one's.
        error: its standard error over agents and data draws.
        agents: how many were trained.
        weight: share of the advice that rests on this cell.
    """

    task: str
    variant: str
    pairs: int | None
    score: float
    error: float
    agents: int
    weight: float


@dataclass(frozen=True)
class Advice:
    """One objective on data like the user's.

    Attributes:
        algorithm: its name.
        text: what `mirrorpo.objective` takes, with the values that were measured on near data.
        score: normalised: 0 is the worse source agent's return, 1 the better's.
        error: its standard error over agents and data draws, and of what was not measured.
        best: probability that it is the best of those compared, given the uncertainty of the
            estimates, the agents and data draws behind the scores, and how far the robots agree:
            each resample draws all of them anew. It knows nothing of how alike the user's task
            and theirs are.
        covered: share of the weight in whose cells it was measured.
        figures: what it scored, in the order of their weight.
    """

    algorithm: str
    text: str
    score: float
    error: float
    best: float
    covered: float
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Distance:
    """How far the user's data are from the nearest evidence.

    Attributes:
        cell: the nearest.
        noise: the estimated rate of wrong labels minus the cell's.
        near_equal: the estimated share of near-equal pairs minus the cell's.
        doublings: log2 of the number of pairs relative to the cell's; 0 where that is not known.
    """

    cell: EvidenceCell
    noise: float
    near_equal: float
    doublings: float

    @property
    def widths(self) -> float:
        """All of it in widths of the weight."""
        return math.hypot(
            self.noise / NOISE_WIDTH, self.near_equal / NEAR_WIDTH, self.doublings / DOUBLINGS_WIDTH
        )

    @property
    def far(self) -> tuple[str, ...]:
        """What no evidence is near in: "noise", "quality", "size"."""
        of = {
            "noise": self.noise / NOISE_WIDTH,
            "quality": self.near_equal / NEAR_WIDTH,
            "size": self.doublings / DOUBLINGS_WIDTH,
        }
        return tuple(name for name, widths in of.items() if abs(widths) > FAR)


@dataclass(frozen=True)
class Recommendation:
    """Objectives, the best first.

    Attributes:
        ranking: the ranking of all that were measured on enough of the near data; empty where
            none was.
        nearest: the nearest evidence, and how far it is.
        tasks: on which the evidence was measured.
    """

    ranking: tuple[Advice, ...]
    nearest: Distance
    tasks: tuple[str, ...]


def recommend(conditions: Conditions, evidence: Evidence, seed: int = 0) -> Recommendation:
    """Rank objectives by their scores on data like the user's.

    A cell's weight falls with its distance from the estimated conditions. Robots whose nearest
    cells are equally near count alike. Where an objective was not measured, it counts as the mean
    of those that were, and in each resample as one of them, drawn at random: what is known of few
    robots is known less surely. One that covers less than a quarter of the weight is left out.
    """
    cells = evidence.cells
    rate, near = conditions.noise.rate, conditions.near_equal
    weights, covered, kept, score = _scores(evidence, rate, near, conditions.pairs)
    rng = np.random.default_rng(seed)
    rates = rng.choice(conditions.noise.samples, RESAMPLES)
    shares = near + 0.25 * NEAR_WIDTH * rng.standard_normal(RESAMPLES)
    times = _robots_drawn(cells, rng)
    drawn_weights = _weights(cells, rates, shares, conditions.pairs, times)
    drawn = filled(evidence.redraw(RESAMPLES, rng), evidence.known, rng)[:, :, kept]
    averages = np.einsum("rc,rca->ra", drawn_weights, drawn)
    best = averages.argmax(axis=1) if len(kept) else np.zeros(0, int)
    wins = np.bincount(best, minlength=len(kept)) / RESAMPLES
    error = np.sqrt(weights**2 @ _error_filled(evidence) ** 2)
    ranking = [
        Advice(
            evidence.algorithms[at],
            evidence.texts[_place_of_text(weights, evidence.mean[:, at]), at],
            float(score[at]),
            float(error[at]),
            float(wins[position]),
            float(covered[at]),
            _figures(evidence, weights, int(at)),
        )
        for position, at in enumerate(kept)
    ]
    ranking.sort(key=lambda advice: -advice.score)
    nearest = min(
        (distance(cell, rate, near, conditions.pairs) for cell in cells),
        key=lambda found: found.widths,
    )
    return Recommendation(tuple(ranking), nearest, tuple(sorted({cell.task for cell in cells})))


def ranked(evidence: Evidence, rate: float, near_equal: float, pairs: int) -> list[str]:
    """The objectives in the order of `recommend`, for data of which only this is known."""
    _, _, kept, score = _scores(evidence, rate, near_equal, pairs)
    return [evidence.algorithms[at] for at in kept[np.argsort(-score[kept], kind="stable")]]


def distance(cell: EvidenceCell, rate: float, near_equal: float, pairs: int) -> Distance:
    """How far data are from a cell.

    Compared are the rate of wrong labels, the share of near-equal pairs and the number of pairs.
    """
    doublings = 0.0 if cell.pairs is None else math.log2(pairs / cell.pairs)
    return Distance(cell, rate - cell.noise, near_equal - cell.near_equal, doublings)


def filled(drawn: np.ndarray, known: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Redrawn means, with one of the cell's others in place of each that was not measured.

    Args:
        drawn: shape (resamples, cells, algorithms).
        known: where there is a measurement, shape (cells, algorithms).
        rng: source of chance.
    """
    drawn = drawn.copy()
    for place, row in enumerate(known):
        there, missing = np.flatnonzero(row), np.flatnonzero(~row)
        if len(missing):
            chosen = there[rng.integers(len(there), size=(len(drawn), len(missing)))]
            drawn[:, place, missing] = np.take_along_axis(drawn[:, place], chosen, axis=1)
    return drawn


def _scores(
    evidence: Evidence, rate: float, near_equal: float, pairs: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The cells' weights.

    Beside them: how much of them each objective covers, positions of those that cover enough, and
    each one's score.
    """
    weights = _weights(evidence.cells, np.array([rate]), np.array([near_equal]), pairs)[0]
    covered = weights @ evidence.known
    kept = np.flatnonzero(covered >= _LEAST_COVERED)
    return weights, covered, kept, weights @ _mean_filled(evidence)


def _mean_filled(evidence: Evidence) -> np.ndarray:
    of_cell = np.nanmean(evidence.mean, axis=1, keepdims=True)
    return np.where(evidence.known, evidence.mean, of_cell)


def _error_filled(evidence: Evidence) -> np.ndarray:
    """The spread of what was measured, for what was not."""
    of_cell = np.nanstd(evidence.mean, axis=1, keepdims=True)
    return np.where(evidence.known, np.nan_to_num(evidence.error), of_cell)


def _place_of_text(weights: np.ndarray, mean: np.ndarray) -> int:
    """The best cell of the objective among those about equally near."""
    weight = np.where(np.isfinite(mean), weights, 0.0)
    return int(np.argmax(np.where(weight >= 0.5 * weight.max(), np.nan_to_num(mean), -np.inf)))


def _figures(evidence: Evidence, weights: np.ndarray, at: int) -> tuple[Figure, ...]:
    return tuple(
        Figure(
            evidence.cells[place].task,
            evidence.cells[place].variant,
            evidence.cells[place].pairs,
            float(evidence.mean[place, at]),
            float(evidence.error[place, at]),
            int(evidence.agents[place, at]),
            float(weights[place]),
        )
        for place in np.argsort(-weights, kind="stable")
        if evidence.known[place, at] and weights[place] >= _LEAST_SHOWN
    )


def _robots_drawn(cells: tuple[EvidenceCell, ...], rng: np.random.Generator) -> np.ndarray:
    """How often each cell's robot is drawn, robots with replacement, shape (RESAMPLES, cells)."""
    names, robot = np.unique([cell.task for cell in cells], return_inverse=True)
    return rng.multinomial(len(names), np.full(len(names), 1 / len(names)), RESAMPLES)[:, robot]


def _weights(
    cells: tuple[EvidenceCell, ...],
    rates: np.ndarray,
    shares: np.ndarray,
    pairs: int,
    times: np.ndarray | None = None,
) -> np.ndarray:
    """Weight of each cell, shape (draws, cells); each row sums to 1.

    A robot weighs as much as its nearest cell is near, times how often it is taken; its cells
    share that by their own nearness.
    """
    noise, near = np.array([cell[2:4] for cell in cells]).T
    sizes = [cell.pairs for cell in cells if cell.pairs is not None] or [pairs]
    # Beyond what was measured all sizes are about equally far.
    size = min(max(pairs, min(sizes)), max(sizes))
    doublings = np.array([distance(cell, 0.0, 0.0, size).doublings for cell in cells])
    squares = (
        ((noise - rates[:, None]) / NOISE_WIDTH) ** 2
        + ((near - shares[:, None]) / NEAR_WIDTH) ** 2
        + (doublings / DOUBLINGS_WIDTH) ** 2
    )
    taken = np.ones_like(squares) if times is None else times
    squares = np.where(taken > 0, squares, np.inf)
    # Relative to the nearest, so that far data do not underflow.
    closeness = np.exp(-0.5 * (squares - squares.min(axis=1, keepdims=True)))
    tasks = np.array([cell.task for cell in cells])
    weights = np.zeros_like(closeness)
    for task in np.unique(tasks):
        of = closeness[:, tasks == task]
        whole = of.sum(axis=1, keepdims=True)
        share = of / np.where(whole > 0, whole, 1.0)
        weights[:, tasks == task] = share * of.max(axis=1, keepdims=True) * taken[:, tasks == task]
    return weights / weights.sum(axis=1, keepdims=True)
