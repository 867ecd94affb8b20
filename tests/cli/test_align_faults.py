"""``mirrorpo align`` on changed, wrong and damaged inputs: one line, or the very same model."""

import json
import shutil

import numpy as np
import pytest

import mirrorpo as mpo
from mirrorpo.cli import main

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

RECIPE = """
model_name_or_path: smoke
objective: dpo
objective_parameters: {beta: 0.1}
sft_stage: false
max_steps: 2
per_device_train_batch_size: 2
max_length: 64
logging_steps: 1
save_steps: 1
use_cpu: true
gradient_checkpointing: false
learning_rate: 1.0e-3
"""


pytestmark = pytest.mark.usefixtures("offline_and_single_threaded")


def pairs(path, answer="yes"):
    rows = [
        {"prompt": f"Q{n}? ", "chosen": f"{answer} {n}", "rejected": f"no no {n}"} for n in range(8)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_recipe(folder, more=""):
    pairs(folder / "p.jsonl")
    path = folder / "mine.yaml"
    path.write_text(f"{RECIPE}dataset_name: {folder / 'p.jsonl'}\n{more}")
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A recipe and the folder of its whole run, which nobody may change."""
    folder = tmp_path_factory.mktemp("whole")
    recipe = write_recipe(folder)
    main(["align", str(recipe), "--out", str(folder / "run")])
    return recipe, folder / "run"


@pytest.fixture
def finished(whole, tmp_path):
    recipe, run = whole
    shutil.copytree(run, tmp_path / "run")
    return recipe, tmp_path / "run"


@pytest.fixture
def cut(finished):
    """A run that was killed after its last checkpoint."""
    recipe, out = finished
    shutil.rmtree(out / "model")
    (out / "results.json").unlink()
    return recipe, out


def align(recipe, out, *more):
    main(["align", str(recipe), "--out", str(out), *map(str, more)])


def failed(capsys, recipe, out, *more):
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        align(recipe, out, *more)
    assert stop.value.code == 2
    said = capsys.readouterr().err.splitlines()
    (line,) = [line for line in said if line.startswith("mirrorpo: ")]
    return line


def same_run(one, two):
    weights = [(out / "model" / "model.safetensors").read_bytes() for out in (one, two)]
    logs = [(out / "metrics.jsonl").read_text() for out in (one, two)]
    return weights[0] == weights[1] and logs[0] == logs[1]


def test_a_run_is_not_resumed_on_other_pairs_nor_called_finished(tmp_path, capsys):
    recipe, out = write_recipe(tmp_path), tmp_path / "run"
    align(recipe, out)
    pairs(tmp_path / "p.jsonl", "indeed")
    said = "began with another content of"
    assert said in failed(capsys, recipe, out)
    shutil.rmtree(out / "checkpoints" / "checkpoint-2")
    shutil.rmtree(out / "model")
    (out / "results.json").unlink()
    assert said in failed(capsys, recipe, out)
    pairs(tmp_path / "p.jsonl")
    align(recipe, out)


def test_a_run_is_not_resumed_on_another_model(tmp_path, capsys):
    from mirrorpo.language.models import stand_ins

    base = tmp_path / "base"
    stand_ins.model("smoke").save_pretrained(base)
    stand_ins.tokenizer("smoke").save_pretrained(base)
    recipe = write_recipe(tmp_path)
    recipe.write_text(recipe.read_text().replace(": smoke", f": {base}"))
    align(recipe, tmp_path / "run")
    model = stand_ins.model("smoke")
    with torch.no_grad():
        next(model.parameters()).add_(1.0)
    model.save_pretrained(base)
    assert f"another content of {base}" in failed(capsys, recipe, tmp_path / "run")


def test_a_resumed_log_equals_an_uninterrupted_one_to_its_last_line(whole, cut):
    recipe, out = cut
    shutil.rmtree(out / "checkpoints" / "checkpoint-2")
    align(recipe, out)
    assert same_run(whole[1], out)


@pytest.mark.parametrize(
    "name",
    ["model.safetensors", "optimizer.pt", "rng_state.pth", "reference_log_probs.safetensors"],
)
def test_a_damaged_checkpoint_is_told_and_the_one_before_is_resumed_from(name, whole, cut, capsys):
    recipe, out = cut
    path = out / "checkpoints" / "checkpoint-2" / name
    path.write_bytes(path.read_bytes()[:-20] if name != "rng_state.pth" else b"nothing")
    capsys.readouterr()
    align(recipe, out)
    said = " ".join(capsys.readouterr().err.split())
    assert f"checkpoint-2 is damaged ({name} is cut" in said
    assert "resumes from" in said
    assert "checkpoint-1" in said
    assert same_run(whole[1], out)


@pytest.mark.parametrize(
    "name",
    ["model.safetensors", "optimizer.pt", "rng_state.pth", "reference_log_probs.safetensors"],
)
def test_a_checkpoint_that_lacks_a_file_is_told_and_the_one_before_resumed(
    name, whole, cut, capsys
):
    recipe, out = cut
    (out / "checkpoints" / "checkpoint-2" / name).unlink()
    capsys.readouterr()
    align(recipe, out)
    said = " ".join(capsys.readouterr().err.split())
    assert "checkpoint-2 is damaged (it has no " in said
    assert "resumes from" in said
    assert same_run(whole[1], out)


def test_without_a_whole_checkpoint_training_starts_over_and_says_so(whole, cut, capsys):
    recipe, out = cut
    for step in (1, 2):
        (out / "checkpoints" / f"checkpoint-{step}" / "model.safetensors").write_bytes(b"")
    align(recipe, out)
    assert "starts over" in " ".join(capsys.readouterr().err.split())
    assert same_run(whole[1], out)


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ("[1]", "holds no JSON object"),
        ('{"diverged": true}', "steps is None, but must be a whole number"),
        ('{"eval_loss": "low"}', "eval_loss is 'low'"),
    ],
)
def test_damaged_results_of_a_finished_run_are_one_line(results, message, finished, capsys):
    recipe, out = finished
    (out / "results.json").write_text(results)
    assert message in failed(capsys, recipe, out)


def test_a_finished_run_without_its_model_is_not_called_finished(whole, finished, capsys):
    recipe, out = finished
    (out / "model" / "model.safetensors").unlink()
    line = failed(capsys, recipe, out)
    assert "holds no model" in line
    assert "remove" in line
    shutil.rmtree(out / "model")
    assert "holds no model" in failed(capsys, recipe, out)
    (out / "results.json").unlink()
    align(recipe, out)
    assert same_run(whole[1], out), "what the line says to do helps"
    weights = out / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-20])
    assert "is damaged (model.safetensors is cut)" in failed(capsys, recipe, out)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *(
            (f"{name}=abc", f"{name} is 'abc', but must be ")
            for name in (
                *("learning_rate", "max_steps", "weight_decay", "warmup_steps", "max_grad_norm"),
                *("save_steps", "logging_steps", "num_train_epochs", "save_total_limit"),
                *("per_device_train_batch_size", "gradient_accumulation_steps", "bf16"),
                *("sft_learning_rate", "max_length", "reference_batch_size", "data_seed"),
            )
        ),
        ("gradient_accumulation_steps=0", "gradient_accumulation_steps is 0, but must be at least"),
        ("per_device_train_batch_size=0", "per_device_train_batch_size is 0, but must be at least"),
        ("max_length=-5", "max_length is -5, but must be at least 1"),
        ("max_steps=0", "max_steps is 0, but must be at least 1, or -1"),
        ("num_train_epochs=0", "num_train_epochs is 0, but must be above 0"),
        ("learning_rate=.inf", "learning_rate is inf, but must be finite"),
        ("learning_rate=-1", "learning_rate is -1, but must be at least 0"),
        ("adam_beta1=1", "adam_beta1 is 1, but must be below 1"),
        ("run_name=[1]", "run_name is [1], but must be a text or null"),
        ("report_to=nowhere", "report_to is nowhere: nowhere is not supported"),
        ("report_to=flyte2", "report_to is flyte2"),
        ("deepspeed=nosuch.json", "the package deepspeed is not installed"),
        ("output_dir=X", "name the run folder by --out"),
        ("resume_from_checkpoint=/nosuch", "the same --out resumes by itself"),
        ("lora_dropout=2", "lora_dropout is 2, but must be at least 0 and below 1"),
        ("lora_alpha=0", "lora_alpha must be at least 1, not 0"),
        ("accelerator_config={abc: 1}", "cannot be used"),
        ("optim_args=abc", "optim_args is 'abc', but must be of the form key=value"),
        ("log_level=abc", "log_level is 'abc', but must be"),
        ("lr_scheduler_kwargs={abc: 1}", "which the schedule linear does not take"),
        ("lr_scheduler_kwargs=abc", "which the schedule linear does not take"),
        ("dataset_train_split=5", "dataset_train_split is 5, but must be a text"),
    ],
)
def test_a_wrong_setting_is_named_and_nothing_is_written(change, message, tmp_path, capsys):
    assert message in failed(capsys, write_recipe(tmp_path), tmp_path / "run", "--set", change)
    assert not (tmp_path / "run").exists()


def test_a_reporter_whose_package_is_missing_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("transformers.integrations.get_available_reporting_integrations", list)
    line = failed(capsys, write_recipe(tmp_path), tmp_path / "run", "--set", "report_to=wandb")
    assert "report_to is wandb, but the package that it needs is not installed" in line


def test_what_looks_like_a_date_is_text(tmp_path):
    align(write_recipe(tmp_path), tmp_path / "run", "--set", "run_name=2026-11-29")
    settings = json.loads((tmp_path / "run" / "config.json").read_text())["settings"]
    assert settings["training"]["run_name"] == "2026-11-29"


def test_numbers_of_numpy_are_numbers_from_python(tmp_path):
    changes = {"max_steps": np.int64(1), "learning_rate": np.float32(0.5)}
    found = mpo.align(write_recipe(tmp_path), set=changes)
    settings = json.loads((found.folder / "config.json").read_text())["settings"]
    assert settings["training"]["max_steps"] == 1
    assert settings["training"]["learning_rate"] == 0.5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"set": 5}, "set is 5, but must be a list"),
        ({"set": {5: 1}}, "set has the name 5, but names must be texts"),
        ({"set": [5]}, "set is 5, but must be a text"),
        ({"set": {"run_name": len}}, "run_name is <built-in function len>, but must be a number"),
        ({"seed": 1.5}, "seed is 1.5, but must be a whole number"),
        ({"seed": -1}, "seed must be between 0 and"),
        ({"format": 5}, "format is 5, but must be a text"),
        ({"smoke": "yes"}, "smoke is 'yes', but must be true or false"),
        ({"out": 5}, "out is 5, but must be a path"),
    ],
)
def test_arguments_from_python_are_checked(given, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        mpo.align(write_recipe(tmp_path), **given)
    with pytest.raises(ValueError, match="recipe is 5, but must be a path"):
        mpo.align(5)
