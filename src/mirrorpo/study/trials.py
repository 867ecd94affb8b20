"""How far a search for hyper-parameters has come, read off the log of its agents alone.

Nothing else is kept: a killed search is replayed from the log and continues to the same choice.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mirrorpo import bounded
from mirrorpo.objectives import ranges
from mirrorpo.objectives.ranges import Range
from mirrorpo.study.records import AgentRecord, hyperparameters_text

BATCH = 4
"""Trials that are proposed together, before any of them is scored, wherever they are trained."""

MOST_WIDENINGS = 2
"""How often an optimum at an edge may widen its range."""

FINALIST_AGENTS = 4
"""A finalist has this many times the agents of another trial."""

Point = Mapping[str, float]


@dataclass(frozen=True)
class Trial:
    """One setting of the hyper-parameters that all its agents have been scored with.

    Attributes:
        number: the number of the trial, from 0 in the order they were asked.
        point: the hyper-parameters.
        score: mean true return of its agents; minus infinity if one diverged.
        agents: the number of its agents.
    """

    number: int
    point: Point
    score: float
    agents: int


@dataclass(frozen=True)
class TrialRound:
    """Trials over ranges that do not change.

    Attributes:
        ranges: the range of each hyper-parameter.
        first: number of the first trial.
        count: the number of trials.
        added: what the widening before this stage added, by hyper-parameter; empty in the first.
    """

    ranges: Mapping[str, Range]
    first: int
    count: int
    added: Mapping[str, Range] = field(default_factory=dict)


@dataclass(frozen=True)
class Search:
    """The state of one search.

    Attributes:
        stages: the first one and each widening since; the last one is at work or done.
        trials: the finished trials, in order.
        waiting: numbers of the trials to work on now; none when the search is complete.
        known: points of the waiting trials that the log, or the grid, has already.
        seeds: the seeds of the agents that each waiting trial needs.
        planned: agents of the whole search, as far as is known by now.
        finalists: numbers of the trials that the best is chosen from; if empty, from all.
    """

    stages: tuple[TrialRound, ...]
    trials: tuple[Trial, ...]
    waiting: tuple[int, ...]
    known: Mapping[int, Point]
    seeds: Sequence[int]
    planned: int
    finalists: tuple[int, ...] = ()

    @property
    def ranges(self) -> Mapping[str, Range]:
        """The ranges of the last stage."""
        return self.stages[-1].ranges

    @property
    def best(self) -> Trial:
        """The trial of the highest score, the first of several."""
        chosen_from = self.finalists or range(len(self.trials))
        return _best([self.trials[number] for number in chosen_from])


def over_ranges(
    start: Mapping[str, Range],
    count: int,
    seeds: Sequence[int],
    records: Iterable[AgentRecord],
    finalists: int = 0,
) -> Search:
    """A search by trials.

    After `count` trials a range whose optimum is at an edge is widened there, and half as many
    trials follow; at most `MOST_WIDENINGS` times. Then the finalists get more agents.

    Args:
        start: ranges before any widening.
        count: trials of the first stage.
        seeds: the seeds of each trial's agents.
        records: the records of the search's agents so far.
        finalists: the number of best trials that are scored with `FINALIST_AGENTS` times as many
            agents; 0 for none.
    """
    points, scores = _by_trial(records)
    trials: list[Trial] = []
    stages = [TrialRound(start, 0, count)]
    while True:
        stage = stages[-1]
        end = stage.first + stage.count
        for first in range(stage.first, end, BATCH):
            numbers = range(first, min(first + BATCH, end))
            done = [number for number in numbers if set(seeds) <= set(scores.get(number, ()))]
            if len(done) < len(numbers):
                known = {number: points[number] for number in numbers if number in points}
                return Search(
                    tuple(stages),
                    tuple(trials),
                    tuple(numbers),
                    known,
                    seeds,
                    _planned(stages, seeds, finalists),
                )
            trials += [_trial(number, points[number], scores[number], seeds) for number in numbers]
        added = _added(stage.ranges, _best(trials).point)
        if not added or len(stages) > MOST_WIDENINGS:
            return _final(stages, trials, scores, seeds, finalists)
        wider = {
            name: one.widened(one.edge(_best(trials).point[name])) if name in added else one
            for name, one in stage.ranges.items()
        }
        stages.append(TrialRound(wider, end, math.ceil(count / 2), added))


def over_grid(
    grid: Mapping[str, Sequence[float]],
    points: Sequence[Point],
    seeds: Sequence[int],
    records: Iterable[AgentRecord],
    finalists: int = 0,
) -> Search:
    """A search over all points of a grid; the other arguments as in `over_ranges`."""
    of_point: dict[str, dict[int, float]] = {}
    for record in records:
        of_point.setdefault(record.hyperparameters, {})[record.seed] = _score(record)
    scores = {
        number: of_point.get(hyperparameters_text(point), {}) for number, point in enumerate(points)
    }
    waiting = [number for number, found in scores.items() if not set(seeds) <= set(found)]
    trials = [
        _trial(number, points[number], found, seeds)
        for number, found in scores.items()
        if number not in waiting
    ]
    stages = [TrialRound(ranges.spans(grid), 0, len(points))]
    if not waiting:
        return _final(stages, trials, scores, seeds, finalists)
    known = {number: points[number] for number in waiting}
    planned = _planned(stages, seeds, finalists)
    return Search(tuple(stages), tuple(trials), tuple(waiting), known, seeds, planned)


def _planned(stages: Sequence[TrialRound], seeds: Sequence[int], finalists: int) -> int:
    """Agents of all stages and of the finalists."""
    count = sum(stage.count for stage in stages)
    return len(seeds) * (count + (FINALIST_AGENTS - 1) * min(finalists, count))


def _final(
    stages: Sequence[TrialRound],
    trials: Sequence[Trial],
    scores: Mapping[int, Mapping[int, float]],
    seeds: Sequence[int],
    finalists: int,
) -> Search:
    """The search once all its trials are finished: the best of them have or get more agents."""
    ranked = sorted(trials, key=lambda trial: -trial.score)[:finalists]
    numbers = tuple(trial.number for trial in ranked)
    more = range(max(seeds) + 1, max(seeds) + 1 + (FINALIST_AGENTS - 1) * len(seeds))
    all_seeds = (*seeds, *more)
    waiting = tuple(number for number in numbers if not set(more) <= set(scores[number]))
    known = {number: trials[number].point for number in waiting}
    if numbers and not waiting:
        trials = [
            _trial(one.number, one.point, scores[one.number], all_seeds)
            if one.number in numbers
            else one
            for one in trials
        ]
    planned = _planned(stages, seeds, finalists)
    return Search(
        tuple(stages),
        tuple(trials),
        waiting,
        known,
        all_seeds,
        planned,
        () if waiting else numbers,
    )


def _by_trial(
    records: Iterable[AgentRecord],
) -> tuple[dict[int, Point], dict[int, dict[int, float]]]:
    """Each trial's point, and the scores of its agents by their seed."""
    points: dict[int, Point] = {}
    scores: dict[int, dict[int, float]] = {}
    for record in records:
        points.setdefault(record.trial, bounded.parse_json(record.hyperparameters))
        scores.setdefault(record.trial, {})[record.seed] = _score(record)
    return points, scores


def _trial(number: int, point: Point, scores: Mapping[int, float], seeds: Sequence[int]) -> Trial:
    return Trial(number, point, float(np.mean([scores[seed] for seed in seeds])), len(seeds))


def _score(record: AgentRecord) -> float:
    """A diverged agent ranks below every other."""
    return -math.inf if record.return_mean is None else record.return_mean


def _best(trials: Sequence[Trial]) -> Trial:
    return max(trials, key=lambda trial: trial.score)


def _added(found: Mapping[str, Range], point: Point) -> dict[str, Range]:
    """What widening adds where a point is at an edge."""
    more = {name: one.added(end) for name, one in found.items() if (end := one.edge(point[name]))}
    return {name: one for name, one in more.items() if one is not None}
