"""Which objective the advice names, how surely, and what it costs to follow it."""

import importlib.util
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from mirrorpo import objectives, variants
from mirrorpo.advising import advice, conditions, evidence, evidence_files, hindsight, noise, words
from mirrorpo.reporting.published import unpacking
from mirrorpo.study import algorithms, tuned
from mirrorpo.variants import parse

ROOT = Path(__file__).parents[2]


def table(scores, task="hopper"):
    """A table of results: variant -> algorithm -> (score, error)."""
    rows = [
        {
            "task": task,
            "variant": variant,
            "algorithm": name,
            "hyperparameters": '{"beta": 2.0}' if name == "dpo" else "{}",
            "agents": 25,
            "normalised": score,
            "normalised_error": error,
            "run": "run",
        }
        for variant, by_name in scores.items()
        for name, (score, error) in by_name.items()
    ]
    return pd.DataFrame(rows)


def of_table(*frames):
    return evidence.of_table(pd.concat(frames, ignore_index=True))


def agents(scores, pairs=1024, draws=None):
    """Evidence of agents: (task, variant) -> algorithm -> the scores of its agents."""
    rows = []
    for (task, variant), by_name in scores.items():
        fault = parse(variant)
        for name, values in by_name.items():
            for seed, score in enumerate(values):
                draw = 0 if draws is None else draws[seed]
                near = evidence.MIXED_NEAR_EQUAL * fault.mixed
                place = (task, variant, fault.noise, near, pairs)
                rows.append((*place, name, f"{name}[beta=2]", seed, draw, score, "run"))
    return pd.DataFrame(rows, columns=list(evidence.AGENTS_COLUMNS))


def of(rate, near_equal=0.0, pairs=1024):
    samples = np.clip(np.random.default_rng(0).normal(rate, 0.005, 500), 0, 0.49)
    estimated = noise.NoiseEstimate(rate, rate - 0.005, rate + 0.005, samples, rate)
    return conditions.Conditions(
        "trajectories", pairs, pairs, estimated, near_equal, 0.5, 1.0, 0.0, None
    )


@pytest.fixture(scope="module")
def results():
    return of_table(
        table(
            {
                "base": {"dpo": (0.9, 0.01), "orpo": (0.8, 0.01)},
                "noisy:0.3": {"dpo": (0.2, 0.01), "orpo": (0.6, 0.01), "lpo": (0.7, 0.01)},
                "mixed-quality": {"dpo": (0.5, 0.2), "orpo": (0.5, 0.2)},
            }
        )
    )


def test_the_winner_under_the_estimated_conditions_is_named(results):
    clean = advice.recommend(of(0.0), results)
    assert [item.algorithm for item in clean.ranking] == ["dpo", "orpo"]
    assert clean.ranking[0].best > 0.99
    assert clean.ranking[0].text == "dpo[beta=2.0]"
    assert clean.nearest.cell[:2] == ("hopper", "base")
    noisy = advice.recommend(of(0.3), results)
    assert [item.algorithm for item in noisy.ranking] == ["lpo", "orpo", "dpo"]
    assert noisy.ranking[0].score == pytest.approx(0.7, abs=0.01)
    assert not noisy.nearest.far


def test_evidence_of_which_no_loss_covers_enough_ranks_none():
    names = ("dpo", "ipo", "orpo", "simpo", "lpo")
    robots = ("hopper", "tla", "walker2d", "ant", "point")
    every = {(robot, "base"): {name: [1, 1]} for robot, name in zip(robots, names, strict=True)}
    found = advice.recommend(of(0.0), evidence.of_agents(agents(every)))
    assert found.ranking == ()
    assert "no objective was measured on enough" in " ".join(words.advice("Robots", found))


def test_equal_scores_share_the_probability(results):
    even = advice.recommend(of(0.0, near_equal=0.5), results)
    known = [item for item in even.ranking if item.covered > 0.5]
    assert sum(item.best for item in even.ranking) == pytest.approx(1.0)
    assert [item.algorithm for item in known] != []
    assert all(abs(item.best - 0.5) < 0.06 for item in known)


@pytest.mark.parametrize(
    ("told", "far"),
    [
        (of(0.3), ()),
        (of(0.15), ()),
        (of(0.0, near_equal=0.95), ("quality",)),
        (of(0.49, pairs=300), ()),
        (of(0.3, pairs=100_000), ("size",)),
        (of(0.3, pairs=200), ("size",)),
    ],
)
def test_data_unlike_all_evidence_are_said_to_be_far_and_in_what(told, far):
    cells = {("hopper", "base"): {"dpo": [1, 1]}, ("hopper", "noisy:0.3"): {"dpo": [1, 1]}}
    cells[("hopper", "mixed-quality")] = {"dpo": [1, 1]}
    found = advice.recommend(told, evidence.of_agents(agents(cells)))
    assert found.nearest.far == far
    said = " ".join(words.advice("Robots", found))
    assert ("take this as a first guess" in said) == bool(far)
    times = told.pairs / found.nearest.cell.pairs
    assert f"{times:.0f} times as many pairs" in said or times < 10


def test_the_distance_is_told_in_each_kind():
    cell = evidence.EvidenceCell("hopper", "noisy:0.2", 0.2, 0.0, 1024)
    found = advice.distance(cell, 0.3, 0.2, 4096)
    assert (found.noise, found.near_equal, found.doublings) == pytest.approx((0.1, 0.2, 2.0))
    assert found.widths == pytest.approx(np.sqrt(1 + 1 + 4))


def test_the_evidence_of_the_nearest_size_counts_most_and_beyond_all_sizes_its_largest():
    small = agents({("hopper", "base"): {"dpo": [1, 1], "orpo": [0, 0]}}, pairs=256)
    large = agents({("hopper", "base"): {"dpo": [0, 0], "orpo": [1, 1]}}, pairs=4096)
    both = evidence.of_agents(pd.concat([small, large]))
    for pairs, first in ((256, "dpo"), (100, "dpo"), (4096, "orpo"), (10**6, "orpo")):
        ranking = advice.recommend(of(0.0, pairs=pairs), both).ranking
        assert ranking[0].algorithm == first
        assert ranking[0].score > 0.99


def test_robots_that_disagree_make_the_answer_unsure_and_those_that_agree_do_not():
    for second, probability in ((0.3, 0.75), (0.7, 1.0)):
        found = of_table(
            table({"base": {"dpo": (0.9, 0.01), "orpo": (0.5, 0.01)}}),
            table({"base": {"dpo": (second, 0.01), "orpo": (0.5, 0.01)}}, "tla"),
        )
        ranking = advice.recommend(of(0.0), found).ranking
        assert [item.algorithm for item in ranking] == ["dpo", "orpo"]
        assert ranking[0].score == pytest.approx((0.9 + second) / 2)
        # Two robots drawn with replacement: dpo loses where both are the second.
        assert ranking[0].best == pytest.approx(probability, abs=0.03)


@pytest.mark.parametrize("other", ["bad-judge:500", "swapped:0.2", "noisy:0.1+bad-judge:500"])
def test_a_fault_whose_rate_of_wrong_labels_is_not_known_is_no_evidence(other, monkeypatch):
    @dataclass(frozen=True)
    class Swapped(variants.Fault):
        name: ClassVar[str] = "swapped"
        example: ClassVar[str] = "swapped:0.2"
        share: float = 0.0

    monkeypatch.setitem(variants._FAULTS, "swapped", Swapped)
    scores = {"dpo": (0.1, 0.01), "orpo": (0.9, 0.01)}
    found = of_table(table({"base": scores, other: scores}))
    assert [cell.variant for cell in found.cells] == ["base"]


@pytest.mark.parametrize("draws", [None, [0, 1]])
def test_agents_and_data_draws_are_drawn_anew_for_the_probability(draws):
    """Two agents, of one draw or of two: one of them is drawn, and decides."""
    found = agents({("hopper", "base"): {"dpo": [1.0, 0.0], "orpo": [0.4, 0.4]}}, draws=draws)
    ranking = advice.recommend(of(0.0), evidence.of_agents(found)).ranking
    assert [item.algorithm for item in ranking] == ["dpo", "orpo"]
    assert ranking[0].best == pytest.approx(0.5, abs=0.04)


def test_losses_share_their_agents_draws_so_a_steady_lead_is_sure():
    rng = np.random.default_rng(0)
    luck = rng.normal(0, 1, 8)
    found = agents(
        {("hopper", "base"): {"dpo": luck + 0.1, "orpo": luck}}, draws=[0, 0, 0, 0, 1, 1, 1, 1]
    )
    ranking = advice.recommend(of(0.0), evidence.of_agents(found)).ranking
    assert ranking[0].algorithm == "dpo"
    assert ranking[0].best == 1.0


def test_what_was_not_measured_counts_as_any_of_the_measured():
    found = evidence.of_agents(
        agents(
            {
                ("hopper", "base"): {"dpo": [0.9, 0.9], "orpo": [0.9, 0.9], "new": [0.9, 0.9]},
                ("tla", "base"): {"dpo": [0.9, 0.9], "orpo": [0.1, 0.1]},
            }
        )
    )
    ranking = {item.algorithm: item for item in advice.recommend(of(0.0), found).ranking}
    assert ranking["dpo"].score == pytest.approx(0.9)
    assert ranking["new"].score == pytest.approx((0.9 + 0.5) / 2)
    assert ranking["new"].covered == pytest.approx(0.5)
    assert ranking["new"].error == pytest.approx(0.4 / 2)
    assert ranking["new"].best < ranking["dpo"].best


def test_a_diverged_agent_counts_as_the_lowest_of_its_cell():
    found = evidence.of_agents(
        agents({("hopper", "base"): {"dpo": [1.0, np.nan], "orpo": [0.2, 0.4]}})
    )
    assert found.mean[0].tolist() == pytest.approx([0.6, 0.3])


def test_the_first_is_given_as_text_that_can_be_typed(results):
    found = advice.recommend(of(0.0), results)
    first, *commands = words.use(found, "texts")
    assert first.startswith("To train with dpo:")
    assert first.endswith("tune them on your own data.")
    assert [command.strip() for command in commands] == [
        'mirrorpo align RECIPE --set objective="dpo[beta=2.0]"',
        'mpo.objective("dpo[beta=2.0]")  # from Python',
    ]
    assert json.dumps(words.document(of(0.0), {"Robots": found}))


@pytest.mark.parametrize(("first", "told"), [("gated", True), ("dpo", False)])
def test_on_texts_the_robots_winner_is_named_and_another_loss_is_advised(first, told):
    scores = {first: [0.9, 0.9], "orpo": [0.1, 0.1]}
    found = advice.recommend(of(0.3), evidence.of_agents(agents({("hopper", "noisy:0.3"): scores})))
    said = words.on_texts(found)
    # Nothing is said of a winner that was not tried on texts.
    assert any(f"{first} won on robots, but does not carry over" in line for line in said) == told
    commands = [line for line in said if line.startswith("    ")]
    assert commands
    assert all(words.HELD_ON_TEXTS in command for command in commands)
    assert objectives.get(words.HELD_ON_TEXTS)


def test_what_is_said_of_texts_is_what_the_latest_published_runs_on_texts_show():
    agents = pd.read_parquet(ROOT / "results" / "agents.parquet")
    final = agents[agents.run.str.startswith("reviews-") & (agents.phase == "final")]
    final = final.assign(algorithm=final.algorithm.replace(made_by("docs/hooks/evidence.py").NAMES))
    small = final.run.str.startswith("reviews-small")
    by_draw = final[final.run == "reviews-small-8-noisy"].pivot_table(
        "return_mean", "data_draw", "algorithm"
    )
    assert by_draw.shape == (8, 15)
    ahead = by_draw.gt(by_draw["sft"], axis=0).all()
    assert ahead[ahead].index.tolist() == [words.HELD_ON_TEXTS]
    assert by_draw["slic-filtered"].mean() < by_draw[words.HELD_ON_TEXTS].mean(), "tuned on two"
    for run in ("noisy01", "mixed", "base"):
        means = final[final.run == f"reviews-small-8-{run}"].groupby("algorithm").return_mean.mean()
        assert means["slic-filtered"] > means[words.HELD_ON_TEXTS]
    final = final[~small]
    assert set(final.variant) == {"noisy:0.3"}
    draws = final[final.run.str.startswith("reviews-4draws-")]
    by_draw = draws[draws.seed < 4].pivot_table("return_mean", "data_draw", "algorithm")
    assert len(by_draw) == 4
    assert (by_draw[words.HELD_ON_TEXTS] > by_draw["sft"]).all()
    final = final.drop_duplicates(["algorithm", "data_draw", "seed"])
    by_loss = final.groupby("algorithm").return_mean
    order = by_loss.mean().sort_values(ascending=False)
    assert order.index[0] == words.HELD_ON_TEXTS
    assert tuple(text.partition("[")[0] for text in order.index) == words.TRIED_ON_TEXTS
    lead = by_loss.get_group(words.HELD_ON_TEXTS).mean() - by_loss.get_group("sft").mean()
    assert lead > 2 * np.hypot(*(by_loss.sem()[name] for name in (words.HELD_ON_TEXTS, "sft")))
    for name in order.index[1:]:
        spread = np.hypot(by_loss.sem()[name], by_loss.sem()["sft"])
        assert order[name] - order["sft"] < 2 * spread


def made_by(name):
    """A script of docs/hooks or benchmarks as a module."""
    spec = importlib.util.spec_from_file_location(f"made_by_{Path(name).stem}", ROOT / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def through_csv(frame):
    """A table as a file gives it back."""
    return pd.read_csv(io.StringIO(frame.to_csv(index=False)))


@pytest.mark.parametrize("what", ["robots", "texts"])
def test_the_shipped_evidence_is_what_its_command_makes_of_the_results(what):
    hook = made_by("docs/hooks/evidence.py")
    shipped = pd.read_csv(evidence_files.shipped(what))
    pd.testing.assert_frame_equal(shipped, through_csv(hook.build(what)))
    assert set(shipped.run) <= set(hook.RUNS[what])
    for text in shipped.text.unique():
        assert objectives.get(text).aggregation == "mean"


def test_a_run_of_another_protocol_is_no_evidence():
    hook = made_by("docs/hooks/evidence.py")
    refused = pytest.raises(ValueError, match="has time_steps=128, not 64")
    with unpacking.folders([ROOT / "results" / "hopper-steps-128-2"]) as (folder,), refused:
        hook.of_run("hopper-steps-128-2", folder, hook.PROTOCOL["robots"])


def test_a_bench_without_search_takes_the_values_behind_the_shipped_scores():
    shipped = pd.read_csv(evidence_files.shipped("robots"))
    at = (
        (shipped.task == "hopper") & (shipped.variant == "noisy:0.3") & (shipped.algorithm == "cpo")
    )
    (text,) = shipped[at].text.unique()
    values = tuned.hyperparameters("hopper", "noisy:0.3", algorithms.load("cpo"))
    assert objectives.get("cpo", aggregation="mean", **values) == objectives.get(text)
    middle = tuned.hyperparameters("no such robot", "noisy:0.3", algorithms.load("cpo"))
    assert middle.keys() == values.keys()
    assert middle != values


@pytest.fixture
def three_robots():
    """What wins on two robots is not what wins on the third."""
    return {
        ("a", "base"): {"dpo": [0.5, 0.7], "orpo": [0.9, 0.9], "sft": [0.4, 0.4]},
        ("b", "base"): {"dpo": [0.5, 0.5], "orpo": [0.8, 0.8], "sft": [0.1, 0.1]},
        ("c", "base"): {"dpo": [0.9, 0.7], "orpo": [0.2, 0.2], "sft": [0.3, 0.1]},
    }


def test_following_the_advice_is_scored_where_its_evidence_was_not(three_robots):
    found = hindsight.cases(evidence.of_agents(agents(three_robots)), hindsight.ROBOT)
    by_robot = {one.cell.task: one for one in found}
    assert [by_robot[name].advised for name in "abc"] == ["dpo", "dpo", "orpo"]
    odd = by_robot["c"]
    assert odd.best == "dpo"
    assert odd.lost.value == pytest.approx(0.6)
    assert odd.gained["dpo"].value == pytest.approx(-0.6)
    assert odd.gained["sft"].value == pytest.approx(0.0)
    # One of the two agents is drawn each time: 0.5 or 0.7.
    assert odd.lost.error == pytest.approx(0.1, rel=0.02)
    together = hindsight.mean([one.lost for one in found])
    assert together.value == pytest.approx((0.3 + 0.3 + 0.6) / 3)
    assert together.error == pytest.approx(np.sqrt(0.1**2 + 0.1**2) / 3, rel=0.05)


def test_an_advised_loss_that_the_left_out_robot_lacks_gives_way_to_the_next(three_robots):
    del three_robots["c", "base"]["orpo"]
    found = hindsight.cases(evidence.of_agents(agents(three_robots)), hindsight.ROBOT)
    assert [(one.advised, one.best) for one in found if one.cell.task == "c"] == [("dpo", "dpo")]


def test_the_order_is_that_of_the_advice(results):
    for told in (of(0.0), of(0.2), of(0.3, near_equal=0.3)):
        names = [item.algorithm for item in advice.recommend(told, results).ranking]
        assert advice.ranked(results, told.noise.rate, told.near_equal, told.pairs) == names


def test_the_left_out_robot_s_own_scores_cannot_move_its_advice(three_robots):
    before = hindsight.cases(evidence.of_agents(agents(three_robots)), hindsight.ROBOT)
    three_robots["c", "base"] = {"dpo": [9, 9], "orpo": [-9, -9], "sft": [0, 0]}
    after = hindsight.cases(evidence.of_agents(agents(three_robots)), hindsight.ROBOT)
    assert before[-1].advised == after[-1].advised
    assert before[-1].lost.value != after[-1].lost.value


def test_losses_that_are_left_out_are_neither_advised_nor_best(three_robots):
    found = evidence.of_agents(agents(three_robots))
    for one in hindsight.cases(found, hindsight.ROBOT, without=("orpo",)):
        assert (one.advised, one.best) == ("dpo", "dpo")


def test_the_page_s_figures_are_those_of_its_command(tmp_path, capsys):
    command = made_by("benchmarks/advice_regret.py")
    document = (ROOT / "docs" / "recommend.md").read_text(encoding="utf-8")
    page = tmp_path / "page.md"
    before, begin, rest = document.partition(command.BEGIN)
    page.write_text(f"{before}{begin} old {command.END}{rest.partition(command.END)[2]}", "utf-8")
    command.main(["--page", str(page)])
    assert page.read_text("utf-8") == document
    printed = capsys.readouterr().out.split("\n\n")
    assert len(printed) == 8
    lost, *_ = (cell.strip("* ") for cell in printed[1].splitlines()[-1].split("|") if "±" in cell)
    assert f"Following the advice loses {lost} to the best loss in hindsight" in before
