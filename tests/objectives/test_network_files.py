"""Objectives with networks come back exactly from both kinds of file; bad files are refused."""

import json
import os

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mirrorpo import objectives
from mirrorpo.array_files import load_card
from mirrorpo.objectives import (
    Augmented,
    Extended,
    LearnedSchedule,
    MonotoneNetwork,
    TimedNetwork,
)

from .networks import perturbed


@pytest.fixture(scope="module")
def objective():
    return perturbed(
        objectives.get(
            "ta-mpo",
            psi=MonotoneNetwork.psi(input="probability"),
            inverse_potential=TimedNetwork.of(MonotoneNetwork.inverse_potential("logit")),
            link=Extended(function=Augmented(), low=-1 / 3, high=0.7),
            schedule=LearnedSchedule(),
            beta=0.1 + 0.2,
        ),
        0.3,
        0,
    )


@pytest.mark.parametrize("name", ["objective.json", "objective", "objective.safetensors"])
def test_an_objective_with_networks_comes_back_exactly(tmp_path, objective, pairs, name):
    objectives.save(objective, tmp_path / name)
    loaded = objectives.load(str(tmp_path / name))
    assert loaded == objective
    assert loaded.psi.kernel.dtype == np.float32
    np.testing.assert_array_equal(loaded(pairs, 0.3), objective(pairs, 0.3))
    assert os.listdir(tmp_path) == [name]


def test_every_objective_has_a_safetensors_form(tmp_path, every_name):
    path = tmp_path / "objective.safetensors"
    objectives.save(objectives.get(every_name), path)
    assert objectives.load(path) == objectives.get(every_name)


def test_the_safetensors_file_names_its_arrays_and_its_format(tmp_path, objective):
    path = tmp_path / "objective.safetensors"
    objectives.save(objective, path)
    arrays = load_file(path)
    assert arrays["psi.kernel"].shape == (9, 14)
    assert arrays["link.function.network.output"].dtype == np.float32
    assert arrays["inverse_potential.drift"].shape == (2, 9, 14)
    card = load_card(path, "mirrorpo-objective", "an objective")
    assert card["version"] == 1
    assert card["objective"] == "ta-mpo"
    assert card["hyperparameters"]["psi"]["parameters"]["kernel"] == {"tensor": "psi.kernel"}


def test_the_json_document_is_plain_and_exact(objective):
    document = objectives.to_dict(objective)
    assert objectives.from_dict(json.loads(json.dumps(document))) == objective


def test_traced_and_foreign_arrays_are_saved_by_value(tmp_path, objective):
    vector, rebuild = objectives.parameter_vector(objective)
    for suffix in ("json", "safetensors"):
        path = tmp_path / f"objective.{suffix}"
        objectives.save(rebuild(jnp.asarray(vector)), path)
        assert objectives.load(path) == objective


@pytest.mark.parametrize("suffix", ["json", "safetensors"])
def test_arrays_that_are_not_finite_are_not_saved(tmp_path, objective, suffix):
    vector, rebuild = objectives.parameter_vector(objective)
    vector[200] = np.nan
    with pytest.raises(ValueError, match="monotone-network: bias has values that are not finite"):
        objectives.save(rebuild(vector), tmp_path / f"objective.{suffix}")
    assert os.listdir(tmp_path) == []


def test_a_failed_save_keeps_the_old_file(tmp_path, objective, monkeypatch):
    path = tmp_path / "objective.safetensors"
    objectives.save(objectives.get("dpo"), path)

    def broken(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError, match="disk full"):
        objectives.save(objective, path)
    monkeypatch.undo()
    assert objectives.load(path) == objectives.get("dpo")
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", ["json", "safetensors"])
def test_every_cut_of_a_file_is_refused(tmp_path, objective, suffix):
    path = tmp_path / f"objective.{suffix}"
    objectives.save(objective, path)
    whole = path.read_bytes()
    end = len(whole) - 2  # JSON ends in a newline that is not needed
    for size in [0, 1, 7, 8, 9, 100, *np.linspace(200, end, 40).astype(int)]:
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"objective\." + suffix):
            objectives.load(path)


def test_a_missing_safetensors_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        objectives.load(tmp_path / "objective.safetensors")


def written(path, objective, arrays, changes):
    """A safetensors file of ``objective`` with its arrays and its document changed."""
    objectives.save(objective, path)
    card = load_card(path, "mirrorpo-objective", "an objective")
    tensors = {**load_file(path), **arrays}
    tensors = {name: value for name, value in tensors.items() if value is not None}
    save_file(tensors, path, metadata={"card": json.dumps({**card, **changes})})


@pytest.mark.parametrize(
    ("arrays", "changes", "message"),
    [
        ({"psi.kernel": None}, {}, r"psi\.kernel: the file has no array 'psi\.kernel'"),
        ({"psi.bias": np.ones(3, np.float32)}, {}, r"psi: .*bias has shape \(3,\)"),
        ({"psi.bias": np.ones((9, 14))}, {}, r"'psi\.bias' is float64, but must be float32"),
        ({"psi.bias": np.full((9, 14), np.inf, np.float32)}, {}, "psi: .*bias .* not finite"),
        ({"other": np.ones(3, np.float32)}, {}, "does not mention its arrays other"),
        ({}, {"version": 2}, "version 2 is newer than 1"),
        ({}, {"version": True}, "version is True"),
        ({}, {"format": "mirrorpo-dataset"}, "its format is 'mirrorpo-dataset'"),
        ({}, {"objective": "ta-mmpo"}, "Unknown objective 'ta-mmpo'"),
        ({}, {"hyperparameters": None}, "incomplete"),
    ],
)
def test_an_inconsistent_file_is_refused_with_its_path(
    tmp_path, objective, arrays, changes, message
):
    path = tmp_path / "objective.safetensors"
    written(path, objective, arrays, changes)
    with pytest.raises(ValueError, match=message) as error:
        objectives.load(path)
    assert str(path) in str(error.value)


def test_foreign_files_are_refused(tmp_path, objective):
    path = tmp_path / "objective.safetensors"
    save_file({"weights": np.ones(3, np.float32)}, path)
    with pytest.raises(ValueError, match="without MirrorPO's card"):
        objectives.load(path)
    path.write_text("hello")
    with pytest.raises(ValueError, match="cannot be read as safetensors"):
        objectives.load(path)
    objectives.save(objective, path)
    os.rename(path, tmp_path / "objective.json")
    with pytest.raises(ValueError, match="not JSON"):
        objectives.load(tmp_path / "objective.json")


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        ([[1.0, 2.0]], r"psi: .*kernel has shape \(1, 2\)"),
        ([[1.0], [2.0, 3.0]], "psi: .*kernel is not an array of numbers"),
        ("many", r"psi\.kernel is 'many', but must be an array"),
        ({"tensor": "psi.kernel"}, r"psi\.kernel: the file has no array"),
        (None, r"psi\.kernel is None, but must be an array"),
    ],
)
def test_a_json_file_with_wrong_arrays_is_refused(tmp_path, objective, kernel, message):
    document = objectives.to_dict(objective)
    document["hyperparameters"]["psi"]["parameters"]["kernel"] = kernel
    path = tmp_path / "objective.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match=message):
        objectives.load(path)
