"""A submission is another's file: what cannot be measured is refused before anything is."""

import dataclasses
import json
import math
from pathlib import Path

import pytest

import mirrorpo as mpo
from mirrorpo import files
from mirrorpo.cli import main
from mirrorpo.study import algorithms, submissions, suite

SEEDS = suite.settings("hopper", ("slic",)).seeds


def agents(**changes):
    rows = [
        {
            "task": "hopper",
            "variant": variant,
            "algorithm": "slic",
            "phase": "final",
            "hyperparameters": '{"weight": 1.0}',
            "seed": seed,
            "return_mean": 100.0 + seed,
            "return_standard_error": 1.0,
            "episodes": 8,
            "diverged": False,
            "train_seconds": 1.0,
            "evaluate_seconds": 1.0,
            "data_draw": seed % 2,
        }
        for variant in suite.VARIANTS
        for seed in range(SEEDS)
    ]
    return [row | changes for row in rows]


def write(path, rows, **changes):
    content = {
        "format": submissions.FORMAT,
        "suite": suite.CURRENT,
        "tier": "quick",
        "objective": "slic",
        "content": algorithms.load("slic").checksum,
        "agents": rows,
        "versions": {},
        **changes,
    }
    content["checksum"] = submissions._digest(content | {"checksum": ""})
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def no_bench(monkeypatch):
    def refuse(*given, **named):
        raise AssertionError("it is measured")

    monkeypatch.setattr("mirrorpo.front.bench.bench", refuse)


def test_the_sound_one_is_measured(tmp_path, no_bench):
    with pytest.raises(AssertionError, match="it is measured"):
        mpo.verify(write(tmp_path / "file.json", agents()))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"return_mean": math.nan}, "return_mean is nan"),
        ({"return_mean": math.inf}, "return_mean is inf"),
        ({"return_mean": 10**400}, "return_mean is 1000000"),
        ({"return_mean": "1"}, "return_mean is '1'"),
        ({"seed": 3}, "one agent of each seed from 0 to 11"),
        ({"seed": True}, "seed is True"),
        ({"task": "/etc/passwd"}, "no robot '/etc/passwd'"),
        ({"variant": "noisy:0.4"}, "no variant 'noisy:0.4'"),
        ({"variant": "\ud800"}, "no variant"),
        ({"hyperparameters": "[]"}, "hyper-parameters are damaged"),
        ({"hyperparameters": "{"}, "hyper-parameters are damaged"),
        ({"hyperparameters": '{"weight": NaN}'}, "'weight' is nan"),
        ({"hyperparameters": '{"weight": "1"}'}, "hyper-parameters are damaged"),
        ({"hyperparameters": '{"unknown": 1}'}, "unknown"),
        # A text of these is read as the user's own where the user names the loss.
        ({"hyperparameters": '{"/evil.py:Evil[x": 1}'}, "hyper-parameters are damaged"),
        ({"hyperparameters": '{"weight=1,delta": 1}'}, "hyper-parameters are damaged"),
        ({"hyperparameters": "[" * 10**5}, "hyper-parameters are damaged"),
    ],
)
def test_rows_that_cannot_be_measured_are_one_line(changes, said, tmp_path, no_bench, capsys):
    path = write(tmp_path / "file.json", agents(**changes))
    with pytest.raises(SystemExit) as stop:
        main(["verify", str(path)])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert said in error
    assert error.count("\n") == 1
    assert len(error) < 600


def test_agents_of_one_cell_are_all_there_and_of_one_kind(tmp_path, no_bench):
    rows = agents()
    with pytest.raises(ValueError, match=f"has {SEEDS - 1} agents"):
        mpo.verify(write(tmp_path / "file.json", rows[1:]), cells=1, seed=0)
    with pytest.raises(ValueError, match=f"has {2 * SEEDS} agents"):
        mpo.verify(write(tmp_path / "file.json", [*rows, *rows]))
    rows[3] |= {"hyperparameters": '{"weight": 2.0}'}
    with pytest.raises(ValueError, match="different hyper-parameters"):
        mpo.verify(write(tmp_path / "file.json", rows))


def test_a_folder_or_nothing_at_all_is_one_line(tmp_path):
    with pytest.raises(ValueError, match="it is a folder"):
        mpo.verify(tmp_path)
    with pytest.raises(ValueError, match="does not exist"):
        mpo.verify(tmp_path / "none.json")


def test_the_draws_that_a_file_claims_do_not_widen_what_agrees():
    rows = [submissions.AgentRecord(**row) for row in agents()[:SEEDS]]
    claimed = [dataclasses.replace(one, data_draw=one.seed // (SEEDS // 2)) for one in rows]
    assert submissions.compare(claimed, rows) == submissions.compare(rows, rows)


def test_a_submission_does_not_replace_another_one_or_a_file_of_the_users(tmp_path, no_bench):
    out = tmp_path / "out"
    out.mkdir()
    write(out / submissions.FILE, agents())
    before = (out / submissions.FILE).read_bytes()
    for given in (["sft"], ["slic", "--tier", "full"]):
        with pytest.raises(SystemExit):
            main(["submit", *given, "--out", str(out)])
    with pytest.raises(ValueError, match="tier differ"):
        mpo.submit("slic", tier="full", out=out)
    assert (out / submissions.FILE).read_bytes() == before
    files.write_text(out / submissions.FILE, "mine")
    with pytest.raises(ValueError, match="is not a submission"):
        mpo.submit("slic", out=out)
    assert [path.name for path in Path(tmp_path).iterdir()] == ["out"]
