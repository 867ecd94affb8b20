"""What is built on TRL is where TRL has it. These tests fail when TRL moves it."""

import inspect
import sys
import types
from operator import attrgetter

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

from mirrorpo import language
from mirrorpo.language import trl_names


def parameters(function):
    return list(inspect.signature(function).parameters)


def test_every_name_is_there():
    assert inspect.isclass(trl_names.CPOTrainer)
    assert inspect.isclass(trl_names.CPOConfig)
    assert parameters(trl_names.prepare_deepspeed) == ["model", "accelerator"]
    assert parameters(trl_names.prepare_fsdp) == ["model", "accelerator"]


def test_the_methods_that_are_replaced_or_called_have_their_parameters():
    trainer = trl_names.CPOTrainer
    assert parameters(trainer.concatenated_inputs) == [
        *("batch", "is_encoder_decoder", "padding_value", "device")
    ]
    assert parameters(trainer.get_batch_loss_metrics) == ["self", "model", "batch", "train_eval"]
    assert parameters(trainer.create_scheduler)[1:] == ["num_training_steps", "optimizer"]
    assert parameters(trainer._save_checkpoint) == ["self", "model", "trial"]
    assert parameters(trainer.train)[1] == "resume_from_checkpoint"
    assert parameters(trainer.training_step)[1:3] == ["model", "inputs"]
    assert parameters(trainer.prediction_step)[1:4] == ["model", "inputs", "prediction_loss_only"]
    assert "epochs_trained" in parameters(trainer._run_epoch)


def test_the_loss_goes_through_the_one_method_that_is_replaced():
    for method in ("compute_loss", "prediction_step"):
        source = inspect.getsource(getattr(trl_names.CPOTrainer, method))
        assert "self.get_batch_loss_metrics(" in source


def test_no_other_file_imports_trl():
    from mirrorpo import language

    folder = trl_names.__file__.rpartition("/")[0]
    assert folder in language.__path__
    from pathlib import Path

    for path in Path(folder).rglob("*.py"):
        if path.name != "trl_names.py":
            text = path.read_text()
            assert "import trl" not in text, path
            assert "from trl " not in text, path
            assert "from trl." not in text, path


@pytest.fixture
def fresh(monkeypatch):
    """The package as if it had not been imported yet."""
    for name in [name for name in sys.modules if name.startswith("mirrorpo.language.")]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize("package", ["torch", "trl", "peft"])
def test_a_missing_extra_is_named_in_one_line(fresh, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'mirrorpo\[llm\]'") as caught:
        attrgetter("PreferenceTrainer")(language)
    assert package in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_that_trl_has_moved_is_said_in_one_line(fresh, monkeypatch):
    monkeypatch.setattr("trl.experimental.cpo", types.ModuleType("cpo"))
    with pytest.raises(ImportError, match=r"TRL 1\.16.* has moved a name .*CPOConfig.*trl>=1.16"):
        attrgetter("PreferenceConfig")(language)
