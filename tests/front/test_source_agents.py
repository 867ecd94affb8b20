"""Source agents from Python: trained, picked, and drawn as the commands do."""

import json

import pytest

import mirrorpo as mpo
from mirrorpo import digits
from mirrorpo.cli import main

STEPS = 4 * 16 * 4
SMALL = {
    "total_steps": STEPS,
    "environments": 4,
    "rollout_steps": 16,
    "minibatches": 2,
    "evaluate_every": STEPS // 4,
    "hidden": [8],
    "value_hidden": [8],
}


@pytest.fixture(scope="module")
def run(light_hopper):
    return mpo.train_agent("hopper", **SMALL)


def test_a_run_has_its_curve_and_its_checkpoints(run):
    assert list(run.curve.environment_steps) == [STEPS // 4 * one for one in (1, 2, 3, 4)]
    assert run.checkpoints[-1] == run.file
    assert len(run.checkpoints) == 4
    assert run.card.environment_steps == STEPS
    assert f"after {STEPS} steps" in str(run)
    assert run.plot().axes


def test_a_run_is_that_of_the_command(run, tmp_path, capsys):
    words = [
        f"--{name.replace('_', '-')}={value}"
        for name, value in SMALL.items()
        if not isinstance(value, list)
    ]
    sizes = ("--hidden", "8", "--value-hidden", "8")
    main(["agents", "train", "hopper", *words, *sizes, "--out", str(tmp_path / "run")])
    shown = digits.with_error(run.card.return_mean, run.card.return_standard_error)
    assert f"true return {shown} after" in capsys.readouterr().out
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["return_mean"] for line in lines] == list(run.curve.return_mean)


def test_the_same_call_goes_on_in_its_folder_and_a_picked_agent_stands_for_its_file(run, tmp_path):
    folder = run.save(tmp_path / "kept")
    again = mpo.train_agent("hopper", out=folder, **SMALL)
    assert again.card == run.card
    picked = mpo.pick_agent(again, near=0.0, name="near-zero", candidates=2, episodes=4)
    assert picked.file == folder / "near-zero.safetensors"
    assert (picked.card.name, picked.card.episodes) == ("near-zero", 4)
    assert mpo.evaluate(picked, episodes=2).agent == "near-zero"


def test_the_lists_are_those_of_the_commands(capsys):
    main(["objectives", "--json"])
    listed = [one["name"] for one in json.loads(capsys.readouterr().out)]
    assert [one.name for one in mpo.list_objectives()] == listed
    main(["agents", "list"])
    printed = capsys.readouterr().out
    assert all(card.name in printed for card in mpo.list_agents())
