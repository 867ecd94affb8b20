"""The values of an objective: in brackets behind its name, beside it, or chosen for it."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from mirrorpo import objectives
from mirrorpo.objectives import naming
from mirrorpo.objectives.naming import parse, resolve, spelled
from mirrorpo.study import algorithms, tuned
from mirrorpo.user_text import UserText


def test_without_a_search_an_algorithm_takes_what_searches_on_the_task_chose_or_the_middle():
    def values(task, variant, text):
        return tuned.hyperparameters(task, variant, algorithms.load(text))

    assert values("hopper", "noisy:0.3", "slic") == {"weight": 0.6134, "delta": 6.206}
    assert values("hopper", "base", "dpo") == {"beta": 73.59}
    assert values("hopper", "base", "dpo[beta=3]") == {}
    assert values("tla", "mixed-quality", "simpo").keys() == {"beta", "gamma"}
    middle = algorithms.load("slic").search_grid
    assert values("hopper", "noisy:0.25", "slic") == {n: v[len(v) // 2] for n, v in middle.items()}
    assert values("walker2d", "base", "dpo[beta=3]") == {}


def test_a_saved_objective_keeps_its_own_values_in_a_bench(tmp_path):
    path = tmp_path / "found.safetensors"
    objectives.save(objectives.get("1s-mpo", beta=0.7, weight=0.59, aggregation="mean"), path)
    found = algorithms.load(str(path))
    assert found.grid_points == [{}]
    assert tuned.hyperparameters("hopper", "base", found) == {}
    assert (found.objective.beta, found.objective.weight) == (0.7, 0.59)
    changed = algorithms.load(f"{path}[weight=2]")
    assert (changed.objective.beta, changed.objective.weight) == (0.7, 2.0)
    assert changed.grid_points == [{}]


@pytest.mark.parametrize(
    "value",
    [
        *(np.array(-3.0), np.array(np.nan), np.array([3.0, 4.0]), np.True_, True),
        *(1 + 2j, object(), print, None, [1.0], "3", 10**400, math.inf, np.float32("nan")),
    ],
    ids=repr,
)
def test_a_hyper_parameter_that_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match=r"^dpo: beta "):
        objectives.get("dpo", beta=value)


def test_numbers_of_libraries_are_taken_and_a_list_is_no_aggregation():
    for value in (np.float32(0.5), np.int64(2), np.array(0.5), jnp.float32(0.5)):
        assert float(objectives.get("dpo", beta=value).beta) == float(value)
    with pytest.raises(ValueError, match=r"aggregation is .* but must be a text"):
        objectives.get("dpo", aggregation=["mean"])


def test_values_are_added_to_a_text_in_all_digits_and_it_stays_the_users():
    added = naming.with_values(UserText("mine.py:Mine[scale=2]"), {"beta": 0.1 + 0.2})
    assert added == "mine.py:Mine[scale=2.0,beta=0.30000000000000004]"
    assert isinstance(added, UserText)
    assert not isinstance(naming.with_values("dpo", {"beta": 1.0}), UserText)
    assert naming.with_values("sft", {}) == "sft"
    scheduled = naming.with_values("ta-mpo[schedule=quadratic]", {"beta": 1.0})
    assert naming.resolve(scheduled) == naming.get("ta-mpo", schedule="quadratic", beta=1.0)


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("dpo", "dpo", {}),
        (" dpo[beta=0.3] ", "dpo", {"beta": 0.3}),
        ("ta-mpo[schedule=linear, beta = 2]", "ta-mpo", {"schedule": "linear", "beta": 2.0}),
        ("a[1]/mine.json[weight=2]", "a[1]/mine.json", {"weight": 2.0}),
    ],
)
def test_a_text_is_a_name_and_values(text, name, values):
    found = parse(text)
    assert (found.name, dict(found.values)) == (name, values)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("dpo[beta=1,beta=2]", "beta is given twice"),
        ("dpo[beta=1, beta =1]", "beta is given twice"),
        ("dpo[beta=1", "not closed"),
        ("dpo[]", "write name=value"),
        ("dpo[name=mine]", "dpo has no hyper-parameter 'name'"),
        ("dpo[beta]", "write name=value"),
        ("dpo[beta=nan]", "not a finite number"),
        ("dpo[beta=1e999]", "not a finite number"),
    ],
)
def test_values_that_say_two_things_or_nothing_are_refused(text, told):
    with pytest.raises(ValueError, match=told):
        algorithms.load(text)


def test_the_aggregation_that_the_user_gives_is_taken():
    assert algorithms.load("dpo").objective.aggregation == "mean"
    assert algorithms.load("dpo[aggregation=sum]").objective.aggregation == "sum"
    with pytest.raises(ValueError, match="must be one of: 'sum', 'mean'"):
        algorithms.load("dpo[aggregation=max]")


def test_a_file_in_a_folder_with_brackets_is_found(tmp_path):
    folder = tmp_path / "x[v2]"
    folder.mkdir()
    objectives.save(objectives.get("dpo", beta=7.0), folder / "mine.json")
    assert algorithms.load(str(folder / "mine.json")).objective.beta == 7.0
    assert algorithms.load(f"{folder / 'mine.json'}[beta=2]").objective.beta == 2.0


def test_an_objective_is_taken_as_it_is_or_with_other_values():
    dpo = objectives.get("dpo", beta=2.0)
    assert naming.objective(dpo) is dpo
    assert naming.objective(dpo, beta=3.0) == naming.objective("dpo[beta=3]")
    with pytest.raises(ValueError, match="objective is a int: pass an Objective"):
        naming.objective(3)


def test_a_value_in_brackets_and_beside_them_is_refused():
    assert objectives.get("dpo[beta=2]", aggregation="mean").beta == 2.0
    with pytest.raises(ValueError, match="beta is given in brackets and beside them"):
        objectives.get("dpo[beta=2]", beta=2.0)


def test_what_an_objective_is_spelled_as_names_it_again():
    given = naming.get("gated", weight=0.25, lower=0.5, softness=0.125)
    assert spelled(given).startswith("gated[weight=0.25,delta=1,lower=0.5,")
    assert resolve(spelled(given)) == given
    assert spelled(naming.get("sft")) == "sft"
