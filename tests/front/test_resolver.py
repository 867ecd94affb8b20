"""Whoever takes an objective takes the same names, and gives the same error."""

import sys
from pathlib import Path

import numpy as np
import pytest

import mirrorpo as mpo
from mirrorpo import objectives
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.front import options
from mirrorpo.objectives import component, naming
from mirrorpo.study import algorithms
from mirrorpo.study.settings import BenchSettings

PAIRS = objectives.PairLogProbs(
    *(np.array(values) for values in ([-1.0, -3.0], [-2.0, -2.0], [-1.5, -2.5], [-1.8, -2.2]))
)
MY_LOSS = Path(__file__).parents[2] / "examples" / "my_loss.py"


@pytest.fixture(autouse=True)
def _forget_what_is_registered(monkeypatch):
    monkeypatch.setattr(component, "_registry", dict(component._registry))
    for name in [name for name in sys.modules if "mirrorpo_user_file" in name]:
        monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "saved.json"
    objectives.save(objectives.get("dpo", beta=7.0), path)
    return str(path)


class Taken(Exception):
    """The objective that somebody made of a text."""


def by_bench(text, patch, tmp_path):
    from mirrorpo.front import bench

    asked = bench._spelled(options.build(BenchSettings, None, {"algorithms": [text]}, mpo.bench))
    return algorithms.load(asked.algorithms[0]).objective


def by_explain(text, patch, tmp_path):
    from mirrorpo.front import explain

    return explain._load(text)[1]


def by_train(text, patch, tmp_path):
    from mirrorpo.study import single_run

    def run(algorithm, *others):
        raise Taken(algorithm.objective)

    patch.setattr(single_run, "run", run)
    with pytest.raises(Taken) as taken:
        mpo.train(text, tmp_path / "data.safetensors")
    return taken.value.args[0]


def by_align(text, patch, tmp_path):
    pytest.importorskip("trl", reason="the extra llm is not installed")
    from mirrorpo.language.align import short_form

    def shrink(recipe):
        raise Taken(recipe)

    # What comes after the objective is made does not matter here.
    made = []
    resolve = naming.resolve
    patch.setattr(naming, "resolve", lambda *a, **k: made.append(resolve(*a, **k)) or made[-1])
    patch.setattr(short_form, "shrink", shrink)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("model_name_or_path: a\ndataset_name: b\nobjective: orpo\n")
    with pytest.raises(Taken):
        mpo.align(recipe, set={"objective": text}, smoke=True)
    return made[-1]


def by_trainer(text, patch, tmp_path):
    pytest.importorskip("trl", reason="the extra llm is not installed")
    from mirrorpo.language.training import trainer

    def check(objective):
        raise Taken(objective)

    patch.setattr(trainer, "check_declarations", check)
    with pytest.raises(Taken) as taken:
        trainer.PreferenceTrainer(None, text)
    return taken.value.args[0]


TAKERS = {
    "mpo.objective": lambda text, patch, tmp_path: mpo.objective(text),
    "objectives.get": lambda text, patch, tmp_path: objectives.get(text),
    "bench": by_bench,
    "explain": by_explain,
    "train": by_train,
    "align": by_align,
    "PreferenceTrainer": by_trainer,
}


@pytest.fixture(params=TAKERS)
def take(request, monkeypatch, tmp_path):
    return lambda text: TAKERS[request.param](text, monkeypatch, tmp_path)


def values(objective):
    found = objectives.to_dict(objective)
    return {**found, "hyperparameters": {**found["hyperparameters"], "aggregation": None}}


def test_all_kinds_of_names(take, saved):
    for text, wanted in {
        "dpo": objectives.get("dpo"),
        "dpo[beta=3]": objectives.get("dpo", beta=3.0),
        saved: objectives.get("dpo", beta=7.0),
        f"{saved}[beta=2]": objectives.get("dpo", beta=2.0),
    }.items():
        found = take(text)
        assert type(found) is type(wanted), text
        assert found.beta == wanted.beta, text
    assert take("hopper-hinge").name == "closed-form"
    assert take(f"{MY_LOSS}:SoftLPO[scale=2]").scale == 2.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dpoo", "Unknown objective 'dpoo'. Did you mean dpo"),
        ("hoper-noisy", "Unknown objective 'hoper-noisy'. Did you mean hopper-noisy"),
        (
            "dpo[betta=3]",
            "dpo has no hyper-parameter 'betta'. Did you mean beta? It has: aggregation, beta.",
        ),
        ("hopper-hinge[betta=3]", "hopper-hinge has no hyper-parameter 'betta'"),
        (f"{MY_LOSS}:SoftLPO[scalle=3]", "has no hyper-parameter 'scalle'. Did you mean scale"),
        ("dpo[beta=0]", "dpo: beta is 0.0, but must be finite and above 0"),
        ("dpo[beta=1", "the bracket is not closed"),
        ("no_such_file.json", "No such file: 'no_such_file.json'."),
        ("no_such_file.py:Loss", "No objective file at no_such_file.py"),
        (f"{MY_LOSS}:SoftLPOO", "has no class 'SoftLPOO'. Did you mean SoftLPO"),
        (f"{MY_LOSS}", "does not name an objective"),
    ],
)
def test_the_same_error_with_near_names(take, text, message):
    with pytest.raises(ValueError) as caught:
        take(text)
    said = str(caught.value)
    assert message in said
    assert "\n" not in said
    with pytest.raises(ValueError) as by_name:
        mpo.objective(text)
    assert said == str(by_name.value)


GIVEN = (
    *("dpo", "dpo[beta=3]", "dpo[beta=0.123456789]", "ta-mpo[gamma=2,schedule=quadratic]", "sft"),
    *("hopper-hinge", "hopper-noisy", f"{MY_LOSS}:SoftLPO[scale=2]"),
)


@pytest.mark.parametrize("text", GIVEN)
def test_an_object_is_taken_with_exactly_its_values(take, text):
    given = mpo.objective(text)
    assert values(take(given)) == values(given)


def test_no_value_of_an_object_is_searched_or_tuned():
    def searched(text):
        return algorithms.load(naming.as_text(mpo.objective(text))).search_ranges

    assert searched("dpo") == searched("simpo[beta=3]") == {}


def test_an_aggregation_of_its_own_is_kept():
    found = by_bench(mpo.objective("dpo", aggregation="mean"), None, None)
    assert found.aggregation == "mean"
    assert by_bench(mpo.objective("simpo", aggregation="sum"), None, None).aggregation == "sum"


def test_every_objective_of_the_list_has_a_text():
    for name in objectives.available():
        given = mpo.objective(name)
        assert naming.resolve(naming.as_text(given)) == given


def test_discover_takes_objects_too():
    found = options.build(
        DiscoverySettings, None, {"against": [mpo.objective("dpo"), "sft"]}, mpo.discover
    )
    assert found.against == ("dpo[beta=0.1]", "sft")


@pytest.mark.parametrize("taker", ["bench", "train", "align"])
def test_an_object_without_a_text_is_to_be_saved(taker, monkeypatch, tmp_path):
    learned = mpo.objective("hopper-hinge", low=-3.0)
    with pytest.raises(ValueError, match=r"No text names this ClosedForm .* save it by"):
        TAKERS[taker](learned, monkeypatch, tmp_path)
    file = tmp_path / "mine.safetensors"
    objectives.save(learned, file)
    assert TAKERS[taker](str(file), monkeypatch, tmp_path).low == -3.0


def test_a_file_that_is_not_there_is_answered_with_the_near_ones(take, saved):
    near = Path(saved).with_name("savedd.json")
    with pytest.raises(ValueError) as caught:
        take(str(near))
    assert str(caught.value) == f"No such file: {str(near)!r}. Did you mean {saved}?"


def test_a_text_from_a_recipe_names_no_code(tmp_path, monkeypatch):
    pytest.importorskip("trl", reason="the extra llm is not installed")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"model_name_or_path: a\ndataset_name: b\nobjective: '{MY_LOSS}:SoftLPO'\n")
    with pytest.raises(naming.NamesCode, match="Only code that you name"):
        mpo.align(recipe, smoke=True)
