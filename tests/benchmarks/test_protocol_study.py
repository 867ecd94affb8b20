"""The design of the protocol study: each arm is a bench that can be run."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import other_agents
from benchmarks import protocol_study as study
from mirrorpo.agents import agent_files
from mirrorpo.reporting import paper


@pytest.mark.parametrize("arm", study.ARMS, ids=lambda arm: arm.name)
@pytest.mark.parametrize("task", study.STEPS)
def test_every_arm_is_the_protocol_paper_with_its_own_levels(task, arm):
    settings = study.settings_of(task, arm, {})
    assert (settings.protocol, settings.schedule, settings.std) == ("paper", arm.schedule, arm.std)
    assert (settings.actions, settings.training.learning_rate) == (arm.actions, arm.rate)
    assert settings.trials == (8 if arm.tuning == "trials" else None)
    assert settings.training.single_stage == ("kto",)


def test_no_column_is_both_chosen_and_tested_on():
    assert not set(study.COLUMNS) & set(study.HELD_OUT)
    assert {*study.COLUMNS, *study.HELD_OUT} == set(paper.RESULTS["tla"].scores)
    held = study.settings_of("tla", study.ARMS[0], {}, study.HELD_OUT)
    assert held.variants == study.HELD_OUT


def test_arms_have_names_of_their_own():
    names = [arm.name for arm in study.ARMS]
    assert len(set(names)) == len(names)


def test_a_noisier_agent_has_the_mean_actions_of_the_shipped_one():
    shipped, _ = agent_files.load("tla-target")
    loud = other_agents.noisier(shipped, 0.5)
    seen = np.random.default_rng(0).normal(size=(400, shipped.observation_size))
    np.testing.assert_array_equal(loud.act(seen, None), shipped.act(seen, None))
    std = np.exp(loud.moments(loud.normalise(seen))[1])
    np.testing.assert_allclose(std, 0.5, rtol=1e-5)


def test_an_unbounded_agent_asks_for_more_where_the_shipped_one_is_near_its_bound():
    shipped, _ = agent_files.load("tla-target")
    free = other_agents.unbounded(shipped)
    seen = np.random.default_rng(0).normal(size=(400, shipped.observation_size))
    np.testing.assert_allclose(np.tanh(free.act(seen, None)), shipped.act(seen, None), atol=1e-5)
    assert np.abs(free.act(seen, None)).max() > 1


@pytest.mark.parametrize(
    ("out", "made"),
    [("pictures", "pictures/study-tla"), (None, "study/tla-effects")],
    ids=["to a folder", "beside the runs"],
)
def test_show_writes_its_numbers_and_its_picture(out, made, tmp_path, monkeypatch):
    runs = tmp_path / "study"
    runs.mkdir()
    levels = [{name: getattr(arm, name) for name in study.FACTORS} for arm in study.ARMS[:2]]
    drawn = np.random.default_rng(0).normal(size=(2, len(study.LOSSES), 3))
    frame = pd.DataFrame(
        [
            {"algorithm": loss, "seed": seed, "variant": "base", "return_mean": score, **own}
            for own, of_arm in zip(levels, drawn, strict=True)
            for loss, of_loss in zip(study.LOSSES, of_arm, strict=True)
            for seed, score in enumerate(of_loss)
        ]
    )
    monkeypatch.setattr(study, "agents", lambda task, folder: frame)
    study.show("tla", runs, None if out is None else tmp_path / out)
    written = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {tmp_path / f"{made}.csv", tmp_path / f"{made}.png"}
    assert set(pd.read_csv(tmp_path / f"{made}.csv").factor) == {"schedule"}
