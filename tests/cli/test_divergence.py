"""Training whose numbers are lost says so: in its line, its log, its exit code and the report."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mirrorpo.cli import main
from mirrorpo.divergence import EXIT_CODE, Diverged
from mirrorpo.reporting.page import folders, trainings
from mirrorpo.study import tables
from tests.preferences.test_validation import write

RECIPE = Path(__file__).parents[2] / "recipes/gemma-7b/dpo-mix-7k/dpo.yaml"
LOST = ("--set", "learning_rate=1e18", "sft_learning_rate=1e18")


def ended(capsys, *arguments):
    """Exit code and last line of standard error."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return stop.value.code, captured.err.splitlines()[-1], captured.out


def shown(path):
    (folder,) = folders.read([path])
    return trainings.read(folder)


def without_constants(text):
    """JSON as others read it: NaN and Infinity are none."""

    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def offline(monkeypatch):
    torch = pytest.importorskip("torch")
    pytest.importorskip("trl")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    torch.set_num_threads(1)


def test_align_that_diverged_says_so_and_exits_with_3(offline, tmp_path, capsys):
    out = tmp_path / "run"
    command = ("align", RECIPE, "--smoke", "--out", out, *LOST)
    code, line, said = ended(capsys, *command)
    assert code == EXIT_CODE
    assert line.startswith("mirrorpo: Training diverged: from step ")
    assert "The model is in" not in said
    assert not (out / "model").exists()

    rows = [without_constants(row) for row in (out / "metrics.jsonl").read_text().splitlines()]
    steps = [row for row in rows if "logps/chosen" in row]
    assert steps[0]["loss"] is not None, "the first batch is before any update"
    assert steps[-1]["loss"] is None, "a loss that is lost is no 0.0"
    assert all((row["loss"] is None) == (row["logps/chosen"] is None) for row in steps)
    assert steps[-1]["accuracy"] is None
    assert "train_loss" not in rows[-1], "it counts from the last resume on"
    assert without_constants((out / "results.json").read_text())["diverged"] is True

    part = shown(out)
    assert (part.finished, part.diverged) == (False, 1)
    assert part.state.startswith("diverged from step ")
    # The same command does not call the run finished.
    assert ended(capsys, *command)[:2] == (code, line)


def test_a_training_that_ends_with_its_first_bad_update_has_diverged(offline, tmp_path):
    """The log is clean: it is of before the update. The model is lost all the same."""
    from tests.language import tiny

    made = tiny.trainer("cpo", tmp_path, learning_rate=1e18, max_steps=1)
    made.train()
    assert all(math.isfinite(loss) for loss in tiny.logged(made, "loss"))
    assert all(bool(p.isfinite().all()) for p in made.model.parameters())
    assert made.diverged()


def test_a_training_whose_last_gradient_is_not_finite_has_diverged(offline, tmp_path):
    """As where adapters are so large that attention saturates: all else stays finite."""
    from tests.language import tiny

    made = tiny.trainer("cpo", tmp_path, max_steps=1)
    made.train()
    assert not made.diverged()
    made.state.log_history.append({"grad_norm": math.nan, "step": 1})
    assert made.diverged()


def test_a_training_that_is_lost_stops_and_a_good_one_does_not(offline, tmp_path):
    from tests.language import tiny

    lost = tiny.trainer("cpo", tmp_path / "a", learning_rate=1e18, num_train_epochs=3)
    lost.train()
    assert lost.lost_at is not None
    assert lost.lost_at <= lost.state.global_step < lost.state.max_steps
    good = tiny.trainer("cpo", tmp_path / "b", num_train_epochs=1)
    good.train()
    assert good.lost_at is None
    assert not good.diverged()
    assert good.state.global_step == good.state.max_steps


def test_train_that_diverged_keeps_its_curves_and_exits_with_3(tmp_path, capsys):
    card = {"task": "hopper", "backend": "positional", "episode_length": 60}
    path, out = write(tmp_path / "data.safetensors", card=card), tmp_path / "run"
    train = ("train", "sft", "--data", path, "--out", out, "--epochs", 2, "--episodes", 3)
    # Bounded actions keep training with large parameters finite: these overflow.
    code, line, said = ended(capsys, *train, "--seeds", 2, "--learning-rate", 3e38)
    assert code == EXIT_CODE
    assert line == (
        f"mirrorpo: Diverged: 2 of 2 agents (seed 0, 1), which are not saved. Their curves are in "
        f"{out}."
    )
    assert said.startswith("seed 0: diverged\nseed 1: diverged\n")
    assert not (out / "agents").exists()
    for text in (
        *(out / "metrics.jsonl").read_text().splitlines(),
        (out / "results.json").read_text(),
    ):
        without_constants(text)
    part = shown(out)
    assert part.diverged == 2


def table(lost):
    rows = [
        {
            "task": "hopper",
            "variant": "base",
            "algorithm": name,
            "phase": "final",
            "hyperparameters": "{}",
            "seed": seed,
            "return_mean": np.nan if (name, seed) in lost else 1.0,
            "diverged": (name, seed) in lost,
        }
        for name in ("dpo", "sft")
        for seed in range(3)
    ]
    return tables.build(pd.DataFrame(rows), "hopper", ("dpo", "sft"), ("base",))


def test_a_bench_with_a_diverged_agent_names_its_cell(tmp_path):
    tables.refuse_diverged(table(set()), tmp_path)
    with pytest.raises(Diverged, match=r"Diverged: dpo on base \(2 of 3 agents\)\. All results"):
        tables.refuse_diverged(table({("dpo", 0), ("dpo", 2)}), tmp_path)
