"""The points that a search by trials tries next: Optuna's, from the finished trials alone."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import qmc

from mirrorpo.objectives.ranges import Range
from mirrorpo.study.records import hyperparameters_text
from mirrorpo.study.trials import BATCH, Point, Search, Trial, TrialRound


def propose(search: Search, seed: int) -> dict[int, Point]:
    """The points of the waiting trials, by number.

    They depend on the finished trials and the seed alone. The first trial of all is where the
    ranges start; then a third of the first stage, at least a batch, covers the ranges evenly by
    Sobol's sequence, as the first batch after a widening does with what was added; all others come
    from Optuna's tree-structured Parzen estimator (TPE), a batch at a time.
    """
    stage = search.stages[-1]
    first = search.waiting[0]
    missing = [number for number in search.waiting if number not in search.known]
    asked: Mapping[int, Point] = {}
    if missing:
        even = _evenly(stage, seed)
        later = [number for number in search.waiting if number not in even]
        drawn = _by_tpe(stage.ranges, search.trials, len(later), seed + first) if later else []
        asked = {**even, **dict(zip(later, drawn, strict=True))}
    tried = [trial.point for trial in search.trials] + list(search.known.values())
    seen = {hyperparameters_text(point) for point in tried}
    found: dict[int, Point] = {}
    for number in search.waiting:
        point = search.known.get(number) or asked[number]
        if number not in search.known and hyperparameters_text(point) in seen:
            point = _at_random(stage.ranges, seed, number)
        seen.add(hyperparameters_text(point))
        found[number] = point
    return found


def _evenly(stage: TrialRound, seed: int) -> dict[int, Point]:
    """The points of a stage that do not depend on scores, by number of the trial."""
    names = list(stage.ranges)
    sampler = qmc.Sobol(len(names), rng=np.random.default_rng([seed, stage.first]))
    count = BATCH if stage.added else max(BATCH, stage.count // 3)
    shares = sampler.random(1 << (count - 1).bit_length())
    added = list(stage.added)
    points: dict[int, Point] = {}
    for position in range(min(count, stage.count)):
        spans = dict(stage.ranges)
        if added:
            widened = added[position % len(added)]
            spans[widened] = stage.added[widened]
        elif position == 0:
            points[stage.first] = {name: one.start for name, one in spans.items()}
            continue
        points[stage.first + position] = {
            name: spans[name].at(float(share))
            for name, share in zip(names, shares[position], strict=True)
        }
    return points


def _by_tpe(
    ranges: Mapping[str, Range], trials: Sequence[Trial], count: int, seed: int
) -> list[Point]:
    import optuna  # a second to import, and only searches need it

    optuna.logging.set_verbosity(logging.WARNING)
    distributions: dict[str, Any] = {
        name: optuna.distributions.FloatDistribution(one.low, one.high, log=one.log)
        for name, one in ranges.items()
    }
    # The whole design space at once, and points that are asked together kept apart.
    sampler = optuna.samplers.TPESampler(
        seed=seed, n_startup_trials=1, multivariate=True, constant_liar=True
    )
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for trial in trials:
        study.add_trial(
            optuna.trial.create_trial(
                params=dict(trial.point), distributions=distributions, value=trial.score
            )
        )
    asked = [study.ask(distributions).params for _ in range(count)]
    return [
        {name: ranges[name].at(ranges[name].share(value)) for name, value in point.items()}
        for point in asked
    ]


def _at_random(ranges: Mapping[str, Range], seed: int, number: int) -> Point:
    """A replacement for a point that was tried already; not rounded, so that it is new."""
    shares = np.random.default_rng([seed, number, 1]).random(len(ranges))
    return {
        name: one.exactly_at(float(share))
        for (name, one), share in zip(ranges.items(), shares, strict=True)
    }
