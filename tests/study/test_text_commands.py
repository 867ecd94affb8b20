"""Benches on texts from the command line and from Python: what is printed, what is refused."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")
pytest.importorskip("vaderSentiment")


import mirrorpo as mpo
from mirrorpo.cli import main
from mirrorpo.front import options
from mirrorpo.study import bench
from mirrorpo.study.settings import BenchSettings

pytestmark = pytest.mark.usefixtures("offline_and_single_threaded")


def test_the_command_prints_the_table_and_refuses_another_run(tmp_path, capsys):
    command = [
        *("bench", "--task", "reviews", "--protocol", "smoke"),
        *("--variants", "base", "--algorithms", "sft,lpo"),
        *("--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")),
    ]
    main(command)
    said = capsys.readouterr().out
    assert said.count("better: target") == 3
    words = " ".join(said.split())
    assert "Win rate against the original" in words
    assert "errors over agents and prompts" in words
    assert "this error holds for new prompts and new agents" in words
    assert "lpo" in said
    assert (tmp_path / "run" / "table.md").read_text().startswith("| algorithm | base |")
    with pytest.raises(SystemExit) as stop:
        main([*command, "--data-seed", "1"])
    assert stop.value.code == 2
    assert "holds a run with other settings (data_seed differ)" in capsys.readouterr().err


def test_a_model_that_is_not_there_is_one_line(tmp_path, capsys):
    given = ["--model", str(tmp_path / "none"), "--out", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as stop:
        main(["bench", "--task", "reviews", *given])
    assert stop.value.code == 2
    assert "cannot be loaded" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"task": "reviews", "epochs": 3, "std": "learned"}, "epochs, std: not for task reviews"),
        (
            {"task": "reviews", "protocol": "paper"},
            "paper is one of robots: choose one of mirror, small, smoke",
        ),
        ({"task": "reviews", "curve_episodes": 3}, "curve_episodes: not for task reviews"),
        ({"task": "hopper", "lora_r": 4}, "lora_r: not for task hopper.*name reviews"),
        ({"task": "hopper", "bf16": False}, "bf16: not for task hopper"),
        ({"task": "reviews", "best_of": 1}, "best_of must be at least 2"),
    ],
)
def test_a_setting_that_does_not_apply_is_refused_in_one_line(given, said):
    with pytest.raises(ValueError, match=said) as caught:
        mpo.bench(**given)
    assert "\n" not in str(caught.value)


def test_settings_of_texts_stay_when_they_are_changed():
    settings = options.changed(BenchSettings(task="reviews", steps=9), seeds=2)
    assert (settings.texts.steps, settings.seeds, settings.minibatch) == (9, 2, None)
    assert not set(settings.recorded) & {"epochs", "backend", "std", "time_steps"}
    assert settings.recorded["lora_r"] == 16
    assert not set(BenchSettings().recorded) & {"lora_r", "model", "steps"}


def test_the_old_command_names_the_new_one(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["sentiment", "--smoke"])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "mirrorpo bench --task reviews" in line


def test_no_study_module_imports_torch():
    names = [path.stem for path in (Path(bench.__file__).parent).glob("*.py")]
    lines = "".join(f"import mirrorpo.study.{name}\n" for name in names if name != "__init__")
    code = f"{lines}import sys\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
