"""What `load` sees to once: a fault in the data is said to be in the data, with its place."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from mirrorpo.cli import main
from mirrorpo.preferences import data
from mirrorpo.study import algorithms, single_run
from mirrorpo.training_settings import TrainSettings

TRAJECTORIES, STEPS = 100, 6


def arrays():
    draw = np.random.default_rng(0)
    length = draw.integers(3, STEPS + 1, TRAJECTORIES).astype("i4")
    inside = (np.arange(STEPS) < length[:, None])[..., None]
    return {
        "observations": draw.normal(size=(TRAJECTORIES, STEPS, 11)).astype("f4") * inside,
        "actions": draw.normal(size=(TRAJECTORIES, STEPS, 3)).astype("f4") * inside,
        "length": length,
        "returns": draw.normal(size=TRAJECTORIES).astype("f4"),
        "agent": np.tile([0, 1], TRAJECTORIES // 2).astype("i1"),
        "start": np.arange(TRAJECTORIES).astype("i4"),
        "chosen": np.arange(0, TRAJECTORIES, 2).astype("i4"),
        "rejected": np.arange(1, TRAJECTORIES, 2).astype("i4"),
    }


def write(path, changed=None, card=None):
    content = {**arrays(), **(changed or {})}
    content = {name: array for name, array in content.items() if array is not None}
    metadata = {"card": json.dumps({"format": data.FORMAT, **(card or {})})}
    save_file(content, path, metadata=metadata)
    return path


def with_value(name, place, value):
    array = arrays()[name]
    array[place] = value
    return {name: array}


FAULTS = {
    "observation": (
        with_value("observations", (70, 2, 4), np.nan),
        r"observations\[4\] of trajectory 70 at step 2 is nan, but must be finite",
    ),
    "infinite": (
        with_value("actions", (3, 0, 1), -np.inf),
        r"actions\[1\] of trajectory 3 at step 0 is -inf",
    ),
    "return": (
        with_value("returns", [5, 9], np.nan),
        "the return of trajectory 5 is nan, but must be finite. So are 1 more",
    ),
    "long": (
        with_value("length", 8, STEPS + 1),
        "trajectory 8 has length 7, but must have from 1 to 6 steps",
    ),
    "empty": (with_value("length", 8, 0), "trajectory 8 has length 0"),
    "negative": (with_value("length", 8, -1), "trajectory 8 has length -1"),
    "agent": (with_value("agent", 2, 7), "trajectory 2 is of agent 7"),
    "outside": (with_value("chosen", 1, 100), "'chosen' of pair 1 is 100, which points outside"),
    "before": (with_value("rejected", 1, -1), "'rejected' of pair 1 is -1"),
    "floats": ({"chosen": arrays()["chosen"].astype("f4")}, "'chosen' is float32 of shape"),
    "text": ({"observations": arrays()["observations"].astype("i4")}, "observations holds int32"),
    "flat": ({"observations": arrays()["observations"][..., 0]}, "observations has shape"),
    "scalar": ({"length": np.array(3, "i4")}, "length has shape"),
    "fewer": ({"returns": arrays()["returns"][:-1]}, "different numbers of trajectories"),
    "steps": ({"actions": arrays()["actions"][:, :-1]}, "observations of 6 steps, actions of 5"),
    "sides": ({"chosen": arrays()["chosen"][:-1]}, "49 chosen and 50 rejected"),
    "no pair": (
        {name: arrays()[name][:0] for name in ("chosen", "rejected")},
        "holds no pair",
    ),
    "nothing": ({name: array[:0] for name, array in arrays().items()}, "holds no trajectory"),
    "missing": ({"returns": None}, "lacks the arrays returns"),
    "no side": ({"rejected": None}, "it has no 'rejected'"),
}


@pytest.mark.parametrize(("changed", "message"), FAULTS.values(), ids=FAULTS)
def test_a_fault_in_the_numbers_is_named_with_its_place(changed, message, tmp_path):
    path = write(tmp_path / "pairs.safetensors", changed)
    with pytest.raises(ValueError, match=message) as caught:
        data.PreferenceDataset.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_lies_behind_a_trajectory_s_end_does_not_matter(tmp_path):
    short = int(np.argmin(arrays()["length"]))
    changed = with_value("observations", (short, STEPS - 1, 0), np.nan)
    found = data.PreferenceDataset.load(write(tmp_path / "pairs.safetensors", changed))
    assert found.rows == TRAJECTORIES // 2


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ({"task": 3}, "has task 3, but needs a text"),
        ({"episode_length": "long"}, "has episode_length 'long', but needs a whole number"),
        ({"episode_length": True}, "has episode_length True"),
        ({"penalty": {}}, "a penalty without its coefficient"),
        ({"better": "mine"}, "has better 'mine', but needs an object"),
        ({"format_version": "one"}, "has format_version 'one', but needs a whole number"),
    ],
)
def test_a_card_of_another_kind_is_one_line(card, message, tmp_path):
    path = write(tmp_path / "pairs.safetensors", card=card)
    with pytest.raises(ValueError, match=message):
        data.PreferenceDataset.load(path)


def test_data_without_a_card_can_be_looked_at_and_say_what_training_needs(tmp_path, capsys):
    path = write(tmp_path / "pairs.safetensors")
    main(["data", "inspect", str(path)])
    shown = " ".join(capsys.readouterr().out.split())
    assert "unknown variant on unknown task" in shown
    out = tmp_path / "run"
    with pytest.raises(ValueError, match="has no task, backend, episode_length"):
        single_run.run(algorithms.load("sft"), path, out, TrainSettings(), [0])
    assert not out.exists()
