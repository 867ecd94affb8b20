"""The search by trials: the same choice from the same log, wherever a kill cut it."""

import math
import random

import pytest

from mirrorpo.objectives.ranges import Range
from mirrorpo.study import proposals, trials
from mirrorpo.study.records import AgentRecord, hyperparameters_text

SEEDS = (7, 8)
BETA = Range(1.0, 100.0, 10.0, least=0.001, most=1e6)


def agent(number, point, seed, score):
    return AgentRecord(
        task="hopper",
        variant="base",
        algorithm="dpo",
        phase="search",
        hyperparameters=hyperparameters_text(point),
        seed=seed,
        return_mean=score,
        return_standard_error=None,
        episodes=1,
        diverged=score is None,
        train_seconds=0.0,
        evaluate_seconds=0.0,
        trial=number,
    )


def peak_at(beta):
    """Score of a point, highest at beta, a little better for the second agent."""

    def score(point, seed):
        return 100.0 - math.log(point["beta"] / beta) ** 2 + (seed - 7)

    return score


def searched(score, count=24, found=None, log=None, order=None, seed=3, finalists=0):
    """Run a search to its end; `order` mixes the agents of a batch before they are logged."""
    log = [] if log is None else log
    while True:
        search = trials.over_ranges(found or {"beta": BETA}, count, SEEDS, log, finalists)
        if not search.waiting:
            return search, log
        done = {(record.trial, record.seed) for record in log}
        jobs = [
            (number, point, one)
            for number, point in proposals.propose(search, seed).items()
            for one in search.seeds
            if (number, one) not in done
        ]
        if order:
            order.shuffle(jobs)
        log += [agent(number, point, one, score(point, one)) for number, point, one in jobs]


def test_the_first_trial_is_the_start_and_a_search_finds_the_peak():
    search, _ = searched(peak_at(30.0))
    assert search.trials[0].point == {"beta": 10.0}
    assert [trial.number for trial in search.trials] == list(range(24))
    assert search.best.point["beta"] == pytest.approx(30.0, rel=0.15)
    assert len(search.stages) == 1
    assert search.planned == 48


def test_no_point_is_tried_twice_and_all_lie_in_the_range():
    search, _ = searched(lambda point, seed: -point["beta"], 12)
    points = [trial.point["beta"] for trial in search.trials]
    assert len(set(points)) == len(points)
    assert min(points) >= search.ranges["beta"].low


def test_points_are_new_even_where_few_rounded_values_are():
    narrow = {"beta": Range(1.0, 1.001, 1.0, least=1.0)}
    search, _ = searched(lambda point, seed: 0.0, 12, narrow)
    assert len({trial.point["beta"] for trial in search.trials}) == len(search.trials) >= 12


@pytest.fixture(scope="module")
def whole():
    """A search that widens its range once, and its log."""
    return searched(peak_at(90.0), count=16)


@pytest.mark.parametrize("cut", [1, 8, 13, 31, 41])
def test_a_search_cut_anywhere_continues_to_the_same_trials(whole, cut):
    search, log = whole
    again, _ = searched(peak_at(90.0), count=16, log=log[:cut], order=random.Random(cut))
    assert again == search
    assert len(search.stages) == 2


def test_a_search_with_lost_lines_ends_with_the_same_trials(whole):
    search, log = whole
    kept = [record for place, record in enumerate(log) if place not in (3, 4, 5, 20)]
    again, _ = searched(peak_at(90.0), count=16, log=kept)
    assert again == search


def test_points_come_from_the_log_where_another_optuna_has_drawn_them():
    log = [agent(number, {"beta": 2.0 + number}, 7, 1.0) for number in range(4)]
    search = trials.over_ranges({"beta": BETA}, 24, SEEDS, log)
    assert search.waiting == (0, 1, 2, 3)
    asked = proposals.propose(search, 3)
    assert asked == {number: {"beta": 2.0 + number} for number in range(4)}


def test_an_optimum_at_an_edge_widens_the_range_and_adds_trials_beyond_it():
    search, _ = searched(peak_at(400.0))
    assert len(search.stages) == 2
    assert search.ranges["beta"].high == 1000.0
    assert (search.planned, len(search.trials)) == (72, 36)
    first = [trial.point["beta"] for trial in search.trials[24:28]]
    assert all(100.0 <= beta <= 1000.0 for beta in first)
    assert search.best.point["beta"] == pytest.approx(400.0, rel=0.3)


def test_a_range_is_widened_at_most_twice_and_never_past_its_hard_end():
    search, _ = searched(lambda point, seed: point["beta"], 12)
    assert len(search.stages) == 3
    assert search.planned == 48
    short = {"beta": Range(1.0, 100.0, 10.0, most=150.0)}
    search, _ = searched(lambda point, seed: point["beta"], 8, short)
    assert search.ranges["beta"].high == 150.0
    assert max(trial.point["beta"] for trial in search.trials) <= 150.0


def test_an_edge_toward_sft_is_not_widened():
    toward = {"beta": Range(1.0, 100.0, 10.0, most=1e6, sft_end="high")}
    search, _ = searched(lambda point, seed: point["beta"], 12, toward)
    assert len(search.stages) == 1
    assert search.ranges["beta"].edge(search.best.point["beta"]) == "high"


def test_a_trial_with_a_diverged_agent_ranks_below_all_others():
    def score(point, seed):
        return None if point["beta"] > 20.0 and seed == 8 else point["beta"]

    search, _ = searched(score)
    assert max(trial.score for trial in search.trials if trial.point["beta"] > 20.0) == -math.inf
    assert search.best.point["beta"] <= 20.0
    # It learns from them: most later trials stay where agents live.
    late = [trial.point["beta"] for trial in search.trials[12:]]
    assert sum(beta <= 20.0 for beta in late) > len(late) / 2


def test_a_search_in_which_all_diverge_ends():
    search, _ = searched(lambda point, seed: None, 12)
    assert len(search.trials) == 12
    assert search.best.number == 0


def test_two_hyper_parameters_are_searched_together():
    found = {"beta": BETA, "gamma": Range(0.0, 1.0, 0.5, log=False, least=-1.0, most=2.0)}

    def score(point, seed):
        return -(math.log(point["beta"] / 30.0) ** 2) - 4 * (point["gamma"] - 1.2) ** 2

    search, _ = searched(score, found=found)
    assert search.stages[-1].ranges["gamma"].high > 1.0
    assert search.stages[-1].ranges["beta"] == BETA
    assert search.best.point["gamma"] == pytest.approx(1.2, abs=0.35)


def test_losses_of_equal_ranges_begin_with_the_same_trials():
    one, _ = searched(peak_at(5.0), 12)
    other, _ = searched(peak_at(50.0), 12)
    assert [t.point for t in one.trials[:4]] == [t.point for t in other.trials[:4]]
    assert [t.point for t in one.trials[4:]] != [t.point for t in other.trials[4:]]


def test_a_grid_is_complete_when_every_point_has_all_its_agents():
    grid, points = {"beta": (1.0, 10.0)}, [{"beta": 1.0}, {"beta": 10.0}]
    log = [agent(0, points[0], 7, 1.0), agent(0, points[0], 8, 2.0), agent(1, points[1], 7, 9.0)]
    search = trials.over_grid(grid, points, SEEDS, log)
    assert search.waiting == (1,)
    assert proposals.propose(search, 0) == {1: {"beta": 10.0}}
    # As a log from before trials had numbers.
    log.append(agent(0, points[1], 8, 8.0))
    search = trials.over_grid(grid, points, SEEDS, log)
    assert search.waiting == ()
    assert search.best.point == {"beta": 10.0}
    assert search.ranges["beta"].edge(10.0) == "high"


def lucky(point, seed):
    """One point, where a search begins, has two lucky agents; the peak is at 30."""
    if point["beta"] == 10.0:
        return 120.0 if seed in SEEDS else 20.0
    return peak_at(30.0)(point, 7)


def test_finalists_get_four_times_as_many_agents_and_a_lucky_trial_loses():
    assert searched(lucky)[0].best.point["beta"] == 10.0
    search, log = searched(lucky, finalists=12)
    assert search.best.point["beta"] != 10.0
    assert {trial.agents for trial in search.trials} == {2, 8}
    assert sum(trial.agents for trial in search.trials) == search.planned == len(log)
    assert len(search.finalists) == 12


def test_the_best_is_a_finalist_even_where_its_further_agents_fall_below_other_trials():
    def score(point, seed):
        return peak_at(30.0)(point, seed) if seed in SEEDS else 0.0

    search, _ = searched(score, finalists=2)
    assert search.best.number in search.finalists
    assert search.best.score < min(trial.score for trial in search.trials if trial.agents == 2)


@pytest.mark.parametrize("cut", [3, 47, 49, 60, 71])
def test_a_search_with_finalists_cut_anywhere_ends_with_the_same_choice(cut):
    search, log = searched(lucky, finalists=4)
    again, _ = searched(lucky, log=log[:cut], order=random.Random(cut), finalists=4)
    assert again == search


def test_finalists_do_not_change_what_was_tried():
    plain, log = searched(peak_at(90.0), count=16)
    search, _ = searched(peak_at(90.0), count=16, log=list(log), finalists=3)
    assert [trial.point for trial in search.trials] == [trial.point for trial in plain.trials]
    assert search.stages == plain.stages


def test_more_finalists_than_points_of_a_grid_are_all_of_them():
    grid, points = {"beta": (1.0, 10.0)}, [{"beta": 1.0}, {"beta": 10.0}]
    log = [agent(at, point, seed, 1.0) for at, point in enumerate(points) for seed in SEEDS]
    search = trials.over_grid(grid, points, SEEDS, log, finalists=5)
    assert set(search.waiting) == {0, 1}
    log += [
        agent(at, point, seed, float(at))
        for at, point in enumerate(points)
        for seed in search.seeds[2:]
    ]
    search = trials.over_grid(grid, points, SEEDS, log, finalists=5)
    assert (search.waiting, search.best.point) == ((), {"beta": 10.0})
