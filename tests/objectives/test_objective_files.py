"""Saved objectives come back exactly, and damaged files are answered clearly."""

import dataclasses
import json
import os

import jax.numpy as jnp
import numpy as np
import pytest

from mirrorpo import objectives
from mirrorpo.objectives import component, found, naming, storage
from mirrorpo.user_text import UserText
from tests import own_loss


@pytest.fixture
def path(tmp_path):
    return tmp_path / "objective.json"


def awkward(value):
    """A nearby float that few decimal digits cannot hold."""
    return float(np.nextafter(value, 1)) if isinstance(value, float) else value


def test_every_objective_comes_back_exactly(path, pairs, every_name):
    objective = objectives.get(every_name, aggregation="mean")
    changes = {
        field.name: awkward(getattr(objective, field.name))
        for field in dataclasses.fields(objective)
    }
    objective = dataclasses.replace(objective, **changes)
    objectives.save(objective, path)
    loaded = objectives.load(path)
    assert loaded == objective
    assert type(loaded) is type(objective)
    np.testing.assert_array_equal(loaded(pairs, 0.3), objective(pairs, 0.3))


def test_nested_functions_keep_their_parameters(path):
    objective = objectives.get(
        "1s-mpo",
        psi=objectives.Power(alpha=1 / 3),
        inverse_potential=objectives.Probability(scale=2.5),
        link=objectives.SquareOrLine(square=0.1 + 0.2, slope=1e-300),
    )
    objectives.save(objective, str(path))
    assert objectives.load(str(path)) == objective


@pytest.mark.parametrize("wrap", [np.float32, np.float64, np.asarray, jnp.asarray])
def test_single_array_values_are_saved_as_numbers(path, wrap):
    beta = wrap(0.1)
    objectives.save(objectives.get("dpo", beta=beta), path)
    assert objectives.load(path).beta == float(beta)


def test_arrays_and_foreign_functions_cannot_be_saved(path):
    with pytest.raises(ValueError, match="dpo: beta is not a single number"):
        objectives.save(dataclasses.replace(objectives.get("dpo"), beta=np.ones(3)), path)
    with pytest.raises(ValueError, match="psi is not a registered function"):
        objectives.save(objectives.get("1s-mpo", psi=np.log), path)
    with pytest.raises(ValueError, match=r"not JSON compliant|Out of range"):
        objectives.save(dataclasses.replace(objectives.get("dpo"), beta=np.asarray(np.nan)), path)
    assert not path.exists()


def test_a_failed_save_keeps_the_old_file_and_leaves_no_other(path, monkeypatch):
    objectives.save(objectives.get("dpo", beta=0.3), path)

    def broken(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError, match="disk full"):
        objectives.save(objectives.get("dpo", beta=0.7), path)
    monkeypatch.undo()
    assert objectives.load(path).beta == 0.3
    assert os.listdir(path.parent) == [path.name]


def test_saving_replaces_an_older_file(path):
    objectives.save(objectives.get("dpo", beta=0.3), path)
    objectives.save(objectives.get("sft"), path)
    assert objectives.load(path) == objectives.get("sft")


def test_the_document_is_plain_and_versioned():
    document = objectives.to_dict(objectives.get("ta-mpo", schedule="sigmoid"))
    assert json.loads(json.dumps(document)) == document
    assert document["format"] == "mirrorpo-objective"
    assert document["version"] == 1
    assert objectives.from_dict(document) == objectives.get("ta-mpo", schedule="sigmoid")


def test_every_cut_of_a_file_is_refused(path):
    objectives.save(objectives.get("ta-mpo"), path)
    text = path.read_text()
    for end in range(len(text.rstrip())):
        path.write_text(text[:end])
        with pytest.raises(ValueError, match=r"the file is empty|cut short"):
            objectives.load(path)


def edited(**changes):
    document = objectives.to_dict(objectives.get("1s-mpo"))
    for key, value in changes.items():
        if value is None:
            del document[key]
        else:
            document[key] = value
    return json.dumps(document)


def parameters(**changes):
    document = objectives.to_dict(objectives.get("1s-mpo"))
    return {**document["hyperparameters"], **changes}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", "not JSON"),
        ("[1, 2]", "no format 'mirrorpo-objective'"),
        ("3", "no format"),
        ('{"format": "other"}', "no format"),
        (edited(version=2), "version 2 is newer than 1"),
        (edited(version="1"), "version is '1'"),
        (edited(version=None), "version is None"),
        (edited(objective="dppo"), r"Unknown objective 'dppo'\. Did you mean .*dpo"),
        (edited(objective=None), "incomplete"),
        (edited(hyperparameters=None), "incomplete"),
        (edited(hyperparameters={}), "lacks aggregation, psi"),
        (edited(hyperparameters=parameters(betta=1)), "no hyper-parameter 'betta'"),
        (edited(hyperparameters=parameters(beta="1")), "beta is '1', but must be a number"),
        (edited(hyperparameters=parameters(beta=-1)), "beta is -1"),
        (edited(hyperparameters=parameters(beta=None)), "beta is None"),
        (edited(hyperparameters=parameters(beta=[1])), r"beta is \[1\]"),
        (edited(hyperparameters=parameters(psi={"function": "lg"})), "psi: unknown .* 'lg'"),
        (
            edited(hyperparameters=parameters(psi={"function": "log", "parameters": {"a": 1}})),
            "psi: .*unexpected keyword argument 'a'",
        ),
        (
            edited(hyperparameters=parameters(psi={"function": "power", "parameters": {}})),
            "power: the file lacks alpha",
        ),
    ],
)
def test_a_bad_file_is_refused_with_its_path_and_the_reason(path, text, message):
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        objectives.load(path)
    assert str(path) in str(error.value)


def test_a_file_from_before_a_field_was_added_has_its_default_and_lacks_no_other(path):
    new = objectives.get("gated", weight=0.25, tilt=0.5)
    document = objectives.to_dict(new)
    del document["hyperparameters"]["tilt"]
    path.write_text(json.dumps(document))
    assert objectives.load(path) == dataclasses.replace(new, tilt=0.0)
    del document["hyperparameters"]["trust"]
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match=r"gated: the file lacks trust$"):
        objectives.load(path)


def test_a_binary_file_is_refused(path):
    path.write_bytes(b"\x89PNG\xff\xfe\x00")
    with pytest.raises(ValueError, match="not JSON text"):
        objectives.load(path)


def test_a_missing_file_is_a_missing_file(path):
    with pytest.raises(FileNotFoundError):
        objectives.load(path)


@pytest.mark.parametrize(
    "value",
    [
        *({"function": ["a"], "parameters": {}}, {"function": {}, "parameters": {}}),
        *({"tensor": ["x"]}, {"tensor": {}}, [10**400], 10**400, [1e300], [[1], [2, 3]]),
    ],
)
@pytest.mark.parametrize("at", ["function", "array", "number"])
def test_a_value_of_any_other_kind_is_one_line_that_names_the_file(at, value, tmp_path):
    document = objectives.to_dict(objectives.load(found.find("hopper-all")))
    parameters = document["hyperparameters"]
    if at == "function":
        parameters["link"] = value
    else:
        inner = parameters["inverse_potential"]["parameters"]["function"]["parameters"]
        inner["kernel" if at == "array" else "width"] = value
    path = tmp_path / "other.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match=r"other\.json: ") as caught:
        objectives.load(path)
    assert "\n" not in str(caught.value)


def test_a_checksum_is_that_of_a_file_s_content_wherever_the_file_lies(tmp_path):
    def checksum(folder, text, values=""):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own.py").write_text(text)
        before = component.registrations()
        try:
            named = UserText(f"{tmp_path / folder / 'own.py'}:Mine{values}")
            return storage.checksum(naming.resolve(named))
        finally:
            component.put_back(before)

    text = own_loss.code("own-of-a-checksum")
    here = checksum("here", text)
    assert checksum("there", text) == here
    assert checksum("edited", text.replace("-batch", "2 * -batch")) != here
    assert checksum("meant", text, "[aggregation=mean]") != here
    assert storage.checksum(objectives.get("dpo")) != storage.checksum(objectives.get("ipo"))
