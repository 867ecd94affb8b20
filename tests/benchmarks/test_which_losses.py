"""Scores run from the worse source agent to the better one; a missing column stays missing."""

import math
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import which_losses
from mirrorpo.study.tables import NOT_RUN


def agent(algorithm, variant, score, seed, hyperparameters="{}"):
    return {
        "algorithm": algorithm,
        "variant": variant,
        "phase": "final",
        "hyperparameters": hyperparameters,
        "return_mean": score,
        "trial": None,
        "seed": seed,
        "data_draw": 0,
        "episodes_seed": 1,
        "diverged": False,
        "train_seconds": 2.0 if algorithm == "dpo" else 1.0,
        "bench": 0,
        "chosen": -1.0,
        "rejected": -2.0,
    }


FRAME = pd.DataFrame(
    [
        agent(name, variant, score + seed, seed)
        for name, variant, score in (
            ("sft", "noisy:0.3", 10.0),
            ("sft", "base", 20.0),
            ("dpo", "noisy:0.3", 15.0),
        )
        for seed in (0, 2)
    ]
)
EDGES = pd.DataFrame(columns=["algorithm", "variant", "edge_distance", "at_edge"])


def test_scores_are_zero_at_the_worse_agent_and_one_at_the_better():
    rows = which_losses.table(FRAME, EDGES, 11.0, 21.0)
    assert rows.loc["sft", "noisy:0.3"] == 0
    assert rows.loc["sft", "base"] == rows.loc["sft", "worst"] + 1 == 1
    assert rows.loc["sft", "mean"] == 0.5
    assert rows.loc["dpo", "cost"] == 2


def test_a_loss_without_a_column_has_no_worst_case_and_a_dash_there():
    rows = which_losses.table(FRAME, EDGES, 11.0, 21.0)
    assert math.isnan(rows.loc["dpo", "worst"])
    assert math.isnan(rows.loc["dpo", "mean"])
    cells = which_losses.returns(FRAME, EDGES)
    assert cells.loc["dpo", "base"] == NOT_RUN
    line = next(
        one for one in which_losses.in_markdown(rows, cells).splitlines() if one.startswith("| dpo")
    )
    assert line.count(NOT_RUN) == 5  # base, worst, mean, tuning, edge


@pytest.mark.parametrize(("name", "kind"), [("sft", "SFT term"), ("dpo", "reference, margin")])
def test_kinds_are_told_by_the_gradients(name, kind):
    assert which_losses.table(FRAME, EDGES, 11.0, 21.0).loc[name, "kind"] == kind


def test_kinds_are_told_without_noisy_data_too():
    clean = FRAME.assign(variant="noisy:0.1")
    rows = which_losses.table(clean, EDGES, 11.0, 21.0)
    assert rows["kind"].to_dict() == {"sft": "SFT term", "dpo": "reference, margin"}
    assert rows["grip"].isna().all()


def test_runs_of_one_draw_on_other_trajectories_are_named():
    results = Path(__file__).parents[2] / "results"
    apart = ["leaderboard-tla", "leaderboard-tla-noisy"]
    assert which_losses.unlike_data([results / name for name in apart]) == [
        "noisy:0.3: leaderboard-tla-noisy have other trajectories than leaderboard-tla."
    ]
    alike = [f"leaderboard-walker2d-{kind}" for kind in ("noisy", "mixed", "base")]
    assert which_losses.unlike_data([results / name for name in alike]) == []
