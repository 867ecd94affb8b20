"""``mirrorpo align`` runs recipes end to end on its stand-ins, resumes, and says what is wrong."""

import contextlib
import functools
import io
import json
import shutil
import sys
from pathlib import Path

import pytest

from mirrorpo.cli import main
from mirrorpo.reporting.page import reading

pytest.importorskip("torch")
pytest.importorskip("trl")

FOLDER = Path(__file__).parents[2] / "recipes"
PATHS = sorted(FOLDER.glob("*/*/*.yaml"))
SHORT = [
    FOLDER / "gemma-7b/dpo-mix-7k/dpo.yaml",
    FOLDER / "mistral-7b/dpo-mix-7k/ta-mpo-sigmoid.yaml",
]


pytestmark = pytest.mark.usefixtures("offline_and_single_threaded")


def align(*arguments):
    main(["align", *(str(argument) for argument in arguments)])


def failed(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        align(*arguments)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    lines = [line for line in error.splitlines() if line.startswith("mirrorpo: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a recipe's whole run, and what the command said; each is run once."""

    @functools.cache
    def run(path):
        out, said = tmp_path_factory.mktemp("finished") / "run", io.StringIO()
        with contextlib.redirect_stdout(said):
            align(path, "--smoke", "--out", out)
        return out, said.getvalue()

    return run


@pytest.mark.parametrize("path", PATHS, ids=lambda path: "-".join(path.with_suffix("").parts[-3:]))
def test_every_recipe_runs_end_to_end(path, finished):
    out, said = finished(path)
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == [1, 2, 3, 4]
    assert (out / "model" / "adapter_model.safetensors").is_file()
    settings = json.loads((out / "config.json").read_text())["settings"]
    assert settings["training"]["learning_rate"] > 0
    assert "on the test pairs" in said


def test_the_page_of_a_run_has_all_its_curves(finished):
    out, _ = finished(SHORT[1])
    part = reading.read([out]).trainings[0]
    assert part.finished
    charts = {chart.caption.split(" ")[0]: chart for chart in part.charts}
    assert list(charts) == ["Loss", "Weights", "Margin", "Accuracy:", "Log-prob"]
    names = {point["name"] for point in charts["Loss"].points}
    assert names >= {"loss", "SFT term", "preference term"}
    lines = [json.loads(text) for text in (out / "metrics.jsonl").read_text().splitlines()]
    assert [p["y"] for p in charts["Margin"].points if p["name"] == "margin"] == [
        line["margin"] for line in lines if "margin" in line
    ]
    assert [name for name, _ in part.on_test_pairs] == ["loss", "margin", "accuracy"]


def test_an_interrupted_run_goes_on_and_a_finished_one_does_nothing(finished, tmp_path, capsys):
    (whole, _), cut = finished(SHORT[0]), tmp_path / "cut"
    shutil.copytree(whole, cut)
    shutil.rmtree(cut / "checkpoints" / "checkpoint-4")
    shutil.rmtree(cut / "model")
    (cut / "results.json").unlink()
    # A checkpoint that was being written when the run was killed.
    (cut / "checkpoints" / "checkpoint-3").mkdir()
    align(SHORT[0], "--smoke", "--out", cut)
    weights = [(out / "model" / "adapter_model.safetensors").read_bytes() for out in (whole, cut)]
    assert weights[0] == weights[1]
    losses = [
        [row["loss"] for row in map(json.loads, lines) if "loss" in row]
        for lines in ((out / "metrics.jsonl").read_text().splitlines() for out in (whole, cut))
    ]
    assert losses[0] == losses[1]
    capsys.readouterr()
    align(SHORT[0], "--smoke", "--out", cut)
    assert "is finished" in capsys.readouterr().out


def test_a_model_and_pairs_of_ones_own_need_no_stand_ins(tmp_path, capsys):
    from mirrorpo.language.models import stand_ins

    model, pairs = tmp_path / "base", tmp_path / "pairs.jsonl"
    stand_ins.model().save_pretrained(model)
    stand_ins.tokenizer().save_pretrained(model)
    stand_ins.pairs("train").to_json(str(pairs))
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        f"model_name_or_path: {model}\ndataset_name: {pairs}\nchat_template: chatml\n"
        "objective: 1s-mpo\nobjective_parameters: {beta: 0.1, inverse_potential: log}\n"
        "aggregation: mean\nnum_train_epochs: 1\nper_device_train_batch_size: 8\n"
        "gradient_checkpointing: false\nuse_cpu: true\n"
    )
    align(recipe, "--out", tmp_path / "run")
    assert "The model is in" in capsys.readouterr().out
    assert (tmp_path / "run" / "model" / "model.safetensors").is_file()


def test_values_can_be_replaced(tmp_path):
    out = tmp_path / "run"
    changes = ["learning_rate=1e-3", "objective_parameters.gamma=2.5"]
    align(SHORT[1], "--smoke", "--out", out, "--seed", 7, "--set", *changes)
    settings = json.loads((out / "config.json").read_text())["settings"]
    assert settings["objective_parameters"]["gamma"] == 2.5
    assert settings["training"]["learning_rate"] == 1e-3
    assert settings["training"]["seed"] == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.yaml",), "No recipe at none.yaml"),
        ((SHORT[0], "--set", "objective=dpoo"), "Unknown objective 'dpoo'. Did you mean dpo"),
        ((SHORT[0], "--set", "objective_parameters.betta=1"), "no hyper-parameter 'betta'"),
        ((SHORT[0], "--smoke", "--set", "learning_rat=1"), "no setting 'learning_rat'"),
        ((SHORT[0], "--smoke", "--set", "aggregation=average"), "aggregation is 'average'"),
        ((SHORT[0], "--set", "learning_rate"), "write key=value"),
    ],
)
def test_mistakes_are_one_line(arguments, message, tmp_path, capsys):
    out = tmp_path / "run"
    assert message in failed(capsys, *arguments, "--out", out)
    assert not out.exists(), "nothing is written for a mistake"


def test_a_missing_extra_is_one_line(monkeypatch, tmp_path, capsys):
    for name in [name for name in sys.modules if name.startswith("mirrorpo.language.")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("align", "models", "training", "trl_names"):
        monkeypatch.delattr(f"mirrorpo.language.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "trl", None)
    assert "pip install 'mirrorpo[llm]'" in failed(capsys, SHORT[0], "--out", tmp_path / "run")


def test_another_run_is_not_overwritten(finished, capsys):
    out, _ = finished(SHORT[1])
    error = failed(capsys, SHORT[1], "--smoke", "--out", out, "--seed", 1)
    assert "holds a run with other settings (training differ)" in error


def test_code_is_run_for_a_recipe_only_if_the_user_typed_its_name(tmp_path, capsys):
    ran, code = tmp_path / "ran", tmp_path / "evil.py"
    code.write_text(f"open({str(ran)!r}, 'w').close()\n")
    path = tmp_path / "recipe.yaml"
    path.write_text(
        f"model_name_or_path: x\ndataset_name: y\nobjective: {code}:X\nseed: 1\n", encoding="utf-8"
    )
    out = tmp_path / "run"
    assert "Only code that you name" in failed(capsys, path, "--smoke", "--out", out)
    assert not ran.exists()
    typed = ("--smoke", "--out", out, "--set", f"objective={code}:X")
    assert "has no class 'X'" in failed(capsys, path, *typed)
    assert ran.exists()


@pytest.mark.parametrize("seed", ["1/../../../../x", "'1'", "1.5", "[1]", "true"])
def test_a_seed_that_is_no_whole_number_is_refused(seed, tmp_path, capsys):
    path = tmp_path / "recipe.yaml"
    path.write_text(f"model_name_or_path: x\ndataset_name: y\nobjective: dpo\nseed: {seed}\n")
    assert "but must be a whole number" in failed(capsys, path)
