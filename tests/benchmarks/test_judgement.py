"""The judgement of our losses on new draws: whom they meet, and how a difference is tested."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import judgement
from mirrorpo.objectives.naming import parse


@pytest.mark.parametrize("robot", judgement.SETTINGS)
def test_the_best_losses_of_a_published_column_come_with_the_values_they_were_tuned_to(robot):
    chosen = judgement.settings_of(robot, "noisy:0.3").algorithms
    assert chosen[:3] == (*judgement.OURS, "sft")
    assert len(set(chosen)) == 3 + judgement.BEST
    assert not {parse(name).name for name in chosen[3:]} & {"gated", "slic-robust", "hopper-noisy"}
    assert any(parse(name).values for name in chosen[3:])


def test_its_draws_are_not_those_of_the_tables():
    settings = judgement.settings_of("hopper", "base")
    tables = judgement.BenchSettings(task="hopper", seeds=12, data_draws=2)
    ours = {settings.draw_of(seed) for seed in range(judgement.SEEDS)}
    assert len(ours) == judgement.DRAWS
    assert not ours & {*map(tables.draw_of, range(12)), *tables.searched}


def test_a_difference_is_tested_over_draws():
    random = np.random.default_rng(0)
    lines = []
    for algorithm, mean, by_draw in (
        (judgement.OURS[0], 100.0, 0.0),
        (judgement.OURS[1], 100.0, 0.0),
        ("sft", 0.0, 0.0),
        ("dpo", 70.0, 60.0),
    ):
        moves = by_draw * np.array([-2, -1, 0, 1, 2])
        lines += [
            {"variant": "base", "algorithm": algorithm, "seed": seed, "data_draw": seed % 5}
            | {"score": mean + moves[seed % 5] + random.normal(0, 1)}
            for seed in range(25)
        ]
    found = judgement.differences(pd.DataFrame(lines)).set_index(["ours", "other"])
    assert len(found) == 4
    assert (found.xs("sft", level="other")["corrected_p"] < 1e-6).all()
    # 25 agents would tell 30 ± 17 of luck with the draws from nothing; five draws do not.
    assert (found.xs("dpo", level="other")["corrected_p"] > 0.05).all()


def test_losses_of_a_search_meet_the_same_draws_and_are_compared_with_the_others():
    also = judgement.settings_of("hopper", "base", ("gated[weight=0.1]",))
    first = judgement.settings_of("hopper", "base")
    assert also.algorithms == ("gated[weight=0.1]",)
    assert also.searched == first.searched
    assert [also.draw_of(s) for s in range(25)] == [first.draw_of(s) for s in range(25)]
    lines = [
        {"variant": "base", "algorithm": name, "seed": s, "data_draw": s % 5, "score": mean + s % 3}
        for name, mean in (("gated[weight=0.1]", 5.0), ("sft", 0.0), (judgement.OURS[0], 5.0))
        for s in range(25)
    ]
    found = judgement.differences(pd.DataFrame(lines), ("gated[weight=0.1]",))
    assert found.set_index("other")["difference"].to_dict() == {"sft": 5.0, judgement.OURS[0]: 0.0}


def _of_robot(robot, shift, spread):
    first = judgement.rivals(robot, "base", 1)[0]
    moves = spread * np.array([-2, -1, 0, 1, 2])
    return pd.DataFrame(
        [
            {"variant": "base", "algorithm": name, "seed": seed, "data_draw": seed % 5}
            | {"normalised": lead + (moves[seed % 5] if lead else 0.0)}
            for name, lead in ((judgement.OURS[0], shift), ("sft", 0.0), (first, 0.0))
            for seed in range(25)
        ]
    )


def test_a_lead_on_all_robots_is_the_mean_of_theirs_with_its_error_over_draws():
    robots = {"hopper": _of_robot("hopper", 0.2, 0.01), "tla": _of_robot("tla", 0.4, 0.03)}
    found = judgement.together(robots, judgement.OURS[:1]).set_index("other")
    assert set(found.index) == {"sft", judgement.FIRST}
    lead = found.loc["sft"]
    errors = [spread * np.sqrt(2.5 / 5) for spread in (0.01, 0.03)]
    assert lead["mean"] == pytest.approx(0.3)
    assert lead["error"] == pytest.approx(np.hypot(*errors) / 2)
    assert lead["corrected_p"] == pytest.approx(2 * lead["p_value"])


def test_a_loss_that_one_robot_lacks_has_no_lead_on_all():
    robots = {"hopper": _of_robot("hopper", 0.2, 0.01), "tla": _of_robot("tla", 0.4, 0.03)}
    robots["tla"] = robots["tla"][robots["tla"]["algorithm"] != "sft"]
    found = judgement.together(robots, judgement.OURS[:1])
    assert list(found["other"]) == [judgement.FIRST]
