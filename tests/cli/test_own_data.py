"""Trajectories and labels of others, from their files to a table."""

import json

import numpy as np
import pandas as pd
import pytest

from mirrorpo.agents import agent_files
from mirrorpo.cli import main
from mirrorpo.preferences.data import Pool, PreferenceDataset
from tests import point_task
from tests.preferences.own.recordings import episodes, segments, write_d4rl, write_npz

FAST = ["--epochs", "2", "--time-steps", "4", "--seeds", "2", "--episodes", "4"]


def call(*words):
    main([str(word) for word in words])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A file of trajectories, a pool of it on the task, one on none, and a labelled dataset."""
    folder = tmp_path_factory.mktemp("own")
    arrays = episodes()
    try:
        steps = write_d4rl(folder / "steps.hdf5", arrays, compression="gzip")
    except ImportError:
        steps = write_npz(folder / "steps.npz", arrays)
    np.savez(folder / "labels.npz", **segments(arrays))
    call("data", "import", steps, "--sources", "policy", "--task", point_task.NAME,
         "--out", folder / "pool.safetensors")  # fmt: skip
    call("data", "import", steps, "--sources", "policy", "--name", "my-robot", "--rows", 48,
         "--out", folder / "taskless.safetensors")  # fmt: skip
    call("data", "import", steps, "--labels", folder / "labels.npz", "--segment", 8,
         "--name", "my-robot", "--out", folder / "labelled.safetensors")  # fmt: skip
    return folder


def bench(data, out, *words):
    call("bench", "--data", data, "--variants", "base,noisy:0.3", "--algorithms",
         "sft,cpo[beta=1,sft_weight=1]", "--out", out, *FAST, *words)  # fmt: skip
    frame = pd.read_csv(out / "results.csv")
    return frame[frame.phase == "final"], (out / "table.md").read_text(encoding="utf-8")


def test_a_d4rl_file_goes_to_a_table_of_returns_on_its_task(files, tmp_path, capsys):
    frame, table = bench(files / "pool.safetensors", tmp_path / "run")
    assert frame.groupby(["variant", "algorithm"]).size().tolist() == [2, 2, 2, 2]
    assert (frame.task == point_task.NAME).all()
    assert "held_out_agreement" not in frame
    assert frame.return_mean.nunique() > 1
    assert "| better: 0 (episodes of the file) |" in table
    said = capsys.readouterr().out
    assert "point: mean true return" in said
    assert "Mean true return, 4 episodes per agent." in " ".join(said.split())
    again, _ = bench(files / "pool.safetensors", tmp_path / "run")
    pd.testing.assert_frame_equal(again, frame)


@pytest.mark.parametrize("data", ["taskless", "labelled"])
def test_data_of_no_task_go_to_a_table_of_held_out_agreement(files, tmp_path, capsys, data):
    frame, table = bench(files / f"{data}.safetensors", tmp_path / "run", "--keep-agents")
    assert (frame.task == "my-robot").all()
    np.testing.assert_allclose(frame.held_out_agreement * 100, frame.return_mean)
    assert frame.return_mean.between(0, 100).all()
    assert (frame.episodes >= 2).all()
    assert "Mean agreement with held-out labels, in %" in table
    said = " ".join(capsys.readouterr().out.split())
    assert "my-robot: mean held-out label agreement in % ± standard error" in said
    assert "true return" not in said
    _, card = agent_files.load(tmp_path / "run" / "agents" / "base-sft.safetensors")
    assert (card.task, card.backend) == ("my-robot", "none")
    assert card.settings["scored_by"] == "held-out label agreement in %"


def test_agents_that_learn_agree_with_labels_that_they_have_not_seen(tmp_path):
    """The better episodes push the other way than the worse, so SFT on the chosen tells them."""
    steps, data = write_npz(tmp_path / "steps.npz", episodes(count=160)), tmp_path / "p.safetensors"
    call("data", "import", steps, "--sources", "policy", "--out", data)
    call("train", "sft", "--data", data, "--out", tmp_path / "run", "--epochs", 20)
    (result,) = json.loads((tmp_path / "run" / "results.json").read_text())
    assert result["scored_by"] == "held-out label agreement in %"
    assert result["return_mean"] > 80


def test_a_search_asks_other_held_out_labels_than_the_score(files, tmp_path):
    call("bench", "--data", files / "labelled.safetensors", "--variants", "base", "--algorithms",
         "cpo[sft_weight=1]", "--search", "--search-seeds", 1, "--out", tmp_path / "run",
         *FAST)  # fmt: skip
    every = pd.read_csv(tmp_path / "run" / "results.csv")
    asked = every.groupby("phase").episodes.unique()
    # A fifth of 80 pairs, and a fifth of the rest.
    assert (list(asked["final"]), list(asked["search"])) == ([16], [13])


def test_a_pool_is_labelled_inspected_exported_and_imported(files, tmp_path, capsys):
    call("data", "label", files / "pool.safetensors", "--variant", "noisy:0.3", "--out",
         tmp_path / "noisy.safetensors")  # fmt: skip
    call("data", "inspect", tmp_path / "noisy.safetensors")
    said = capsys.readouterr().out
    assert "noisy:0.3 on point" in " ".join(said.split())
    assert "0 against 1: 100.0 %" in said
    assert PreferenceDataset.load(tmp_path / "noisy.safetensors").rows == 24
    call("data", "export", files / "pool.safetensors", "--out", tmp_path / "pool.npz")
    call("data", "import", tmp_path / "pool.npz", "--out", tmp_path / "back.safetensors")
    before, after = (Pool.load(x / y) for x, y in
                     ((files, "pool.safetensors"), (tmp_path, "back.safetensors")))  # fmt: skip
    np.testing.assert_array_equal(before.trajectories.returns, after.trajectories.returns)
    np.testing.assert_array_equal(before.of_rows, after.of_rows)


def test_recommend_says_how_noisy_labels_of_people_look(tmp_path, capsys):
    """Of 400 pairs, three labels in ten wrong; and ties in both orders do not count as noise."""
    arrays = episodes(count=120)
    labels = segments(arrays, pairs=400)
    wrong = np.random.default_rng(0).random(400) < 0.3
    rates = {}
    for name, label in (("right", labels["label"]), ("wrong", labels["label"] ^ wrong)):
        label = np.append(label.astype(float), np.full(100, 0.5))
        ends = {key: np.append(labels[key], labels[key][:100] * 0 + at)
                for key, at in (("indices_1", 0), ("indices_2", 24))}  # fmt: skip
        np.savez(tmp_path / f"{name}.npz", **ends, label=label)
        out = tmp_path / f"{name}.safetensors"
        call("data", "import", write_npz(tmp_path / "steps.npz", arrays), "--labels",
             tmp_path / f"{name}.npz", "--segment", 8, "--ties", "half", "--out", out)  # fmt: skip
        call("recommend", out, "--out", tmp_path / "advice.json")
        rates[name] = json.loads((tmp_path / "advice.json").read_text())["noise"]
    assert "400 pairs of trajectories" in capsys.readouterr().out
    assert rates["right"]["rate"] < 0.1
    assert rates["wrong"]["low"] < 0.3 < rates["wrong"]["high"]
    assert rates["wrong"]["rate"] > 0.15


def refused(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        call(*words)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert len(said.strip().splitlines()) <= 3, "one line, as wide as the terminal"
    return " ".join(said.split())


def test_mistakes_are_one_line_and_write_nothing(files, tmp_path, capsys):
    steps = write_npz(tmp_path / "steps.npz")
    out = tmp_path / "out.safetensors"
    bad = write_npz(tmp_path / "bad.npz", rewards=np.full(576, np.nan))
    huge = write_npz(tmp_path / "huge.npz", rewards=np.full(576, 1e39))
    for words, said in (
        ((bad,), "bad.npz: rewards at row 0 (episode 0, step 0) is nan"),
        ((tmp_path / "none.npz",), "no such file"),
        ((steps, "--task", "hopper-2"), "Unknown task 'hopper-2'"),
        ((steps, "--segment", 8), "--segment is of labels"),
        ((steps, "--ties", "half"), "--ties is of labels"),
        ((steps, "--sources", "policy", "--better-share", 0.3), "--better-share is of sources"),
        ((huge,), "the rewards of trajectory 0 add up to"),
        ((steps, "--labels", tmp_path / "no.npz", "--segment", 8), "Cannot read labels at"),
        (
            (steps, "--labels", files / "labels.npz", "--sources", "policy"),
            "--sources is of a pool",
        ),
        ((steps, "--sources", "robot"), "column robot: "),
        ((steps, "--rows", 3000), "rows must be between 1 and 48"),
    ):
        assert said in refused(capsys, "data", "import", *words, "--out", out)
    assert not out.exists()
    assert "end the name in" in refused(capsys, "data", "import", steps, "--out", "a.npz")
    taken = files / "pool.safetensors"
    assert "exists already" in refused(capsys, "data", "import", steps, "--out", taken)
    notes = tmp_path / "notes.json"
    notes.write_text('{"my": "notes"}')
    said = refused(capsys, "data", "import", steps, "--out", notes.with_suffix(".safetensors"))
    assert "notes.json exists already, and is no card of MirrorPO" in said
    assert notes.read_text() == '{"my": "notes"}'
    other = write_npz(tmp_path / "other.npz", actions=np.zeros((576, 3)))
    told = refused(capsys, "data", "import", other, "--task", "point", "--out", out)
    assert "--task point has 2 observations and 1 actions" in told


def test_a_bench_says_what_a_file_cannot_do(files, tmp_path, capsys):
    labelled, pool = (files / f"{name}.safetensors" for name in ("labelled", "pool"))
    for words, said in (
        ((labelled, "--variants", "mixed-quality"), "these data are labelled already"),
        ((labelled, "--curve-episodes", 2), "the data's card names no task of MirrorPO's"),
        ((labelled, "--variants", "base", "--rows", 4000), "rows must be between"),
        ((pool, "--better", "hopper-expert"), "better is of data that are simulated"),
        ((pool, "--data-draws", 2), "data_draws must be 1"),
        ((pool, "--task", "ant"), "is of the task "),
        ((tmp_path / "none.safetensors",), "does not exist"),
    ):
        out = tmp_path / "run"
        assert said in refused(capsys, "bench", "--algorithms", "sft", "--out", out,
                               "--data", *words)  # fmt: skip
        assert not out.exists()
