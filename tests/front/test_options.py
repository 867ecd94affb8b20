"""Functions and commands have the same options, and one place holds each default."""

import collections.abc
import dataclasses
import inspect
import os
import typing
from pathlib import Path

import numpy as np
import pytest

import mirrorpo as mpo
from mirrorpo import protocols
from mirrorpo.cli import COMMANDS
from mirrorpo.discovery.settings import DiscoverySettings
from mirrorpo.front import bench as front_bench
from mirrorpo.front import discover as front_discover
from mirrorpo.front import options, settings
from mirrorpo.language.text_task.settings import TextSettings
from mirrorpo.preferences.own.settings import ImportSettings
from mirrorpo.study.settings import BenchSettings
from mirrorpo.training_settings import PPOSettings, TrainSettings
from mirrorpo.user_text import UserText

TYPED = [
    (options.BenchOptions, BenchSettings),
    (options.DiscoverOptions, DiscoverySettings),
    (options.TrainingOptions, protocols.Training),
    (options.ImportOptions, ImportSettings),
    (options.PPOOptions, PPOSettings),
]
FEW = {
    "generate": settings.GenerateSettings,
    "label": settings.LabelSettings,
    "evaluate": settings.EvaluateSettings,
    "train_agent": settings.AgentTrainingSettings,
    "pick_agent": settings.PickSettings,
    "calibrate": settings.CalibrateSettings,
    "limbs": settings.LimbSettings,
    "render": settings.RenderSettings,
    "train": settings.TrainedAgents,
    "explain": settings.ExplainSettings,
    "align": settings.AlignSettings,
    "judge": settings.JudgeSettings,
    "recommend": settings.RecommendSettings,
    "report": settings.ReportSettings,
}
GROUPED = {
    "generate": ("data", "generate"),
    "import_data": ("data", "import"),
    "label": ("data", "label"),
    "evaluate": ("agents", "evaluate"),
    "train_agent": ("agents", "train"),
    "pick_agent": ("agents", "pick"),
    "calibrate": ("agents", "calibrate"),
    "limbs": ("agents", "limbs"),
    "render": ("agents", "render"),
}
"""Functions whose command is one of a group."""
WITHOUT_OPTIONS = {
    ("agents", "list"): lambda: mpo.list_agents,
    ("objectives", None): lambda: mpo.list_objectives,
    ("data", "inspect"): lambda: mpo.DataFile.facts,
    ("data", "export"): lambda: mpo.DataFile.export,
}
"""What other commands print or write is had from these."""
FUNCTIONS = (
    *("train", "bench", "discover", "explain", "align", "judge", "report", "recommend"),
    *("submit", "verify"),
)
"""Functions whose command has their name."""
# Of Python alone: how a caller hears of progress. Of the command line alone: nothing.
ONLY_IN_PYTHON = {"progress", "say"}


def kinds(hint):
    """The plain types of a hint: a path for a text, several names for a tuple of them."""
    if hint in (options.Names, options.Losses):
        return {"names"}
    if hint == tuple[str, ...]:
        return {"names"}
    parts = typing.get_args(hint) if typing.get_origin(hint) is not None else (hint,)
    found = set()
    for part in parts:
        if part is Ellipsis:  # as many as there are
            continue
        if typing.get_origin(part) is tuple or typing.get_origin(part) is collections.abc.Sequence:
            found.add("names")
        elif typing.get_origin(part) is os.PathLike or part is Path:
            found.add(str)
        else:
            found.add(part)
    if "names" in found:
        found -= {str}
    return found


@pytest.mark.parametrize(("typed", "kind"), TYPED, ids=lambda one: one.__name__)
def test_the_typed_options_are_the_settings_fields(typed, kind):
    wanted = typing.get_type_hints(kind)
    found = typing.get_type_hints(typed)
    names = {field.name for field in dataclasses.fields(kind)}
    assert set(found) == names
    for name in names:
        assert kinds(found[name]) == kinds(wanted[name]), name
    assert not typed.__required_keys__


@pytest.mark.parametrize(("name", "kind"), FEW.items())
def test_a_function_has_its_settings_fields_with_their_defaults(name, kind):
    given = inspect.signature(getattr(mpo, name)).parameters
    for field in dataclasses.fields(kind):
        assert given[field.name].default == field.default, field.name
        assert given[field.name].kind is inspect.Parameter.KEYWORD_ONLY


@pytest.mark.parametrize("name", [*FUNCTIONS, *GROUPED])
def test_a_command_and_its_function_take_the_same_options(name):
    group, member = GROUPED.get(name, (name, None))
    called = COMMANDS[group] if member is None else COMMANDS[group][member]
    command = inspect.signature(called).parameters
    function = inspect.signature(getattr(mpo, name)).parameters
    groups = {"settings", "agents"} & set(command)
    plain = {key: one.default for key, one in command.items() if key not in groups}
    own = {
        key: one.default
        for key, one in function.items()
        if key not in {"settings", "options", *ONLY_IN_PYTHON}
    }
    fields = {f.name for f in dataclasses.fields(FEW[name])} if name in FEW else set()
    assert set(plain) == set(own) - fields
    for key, default in plain.items():
        # A file of data must be named on the command line: nothing else tells where it is.
        named = key == "out" and default is inspect.Parameter.empty
        assert own[key] == (None if named else default), key


def test_every_command_has_its_function():
    commands = {
        (group, member)
        for group, found in COMMANDS.items()
        for member in (found if isinstance(found, dict) else [None])
    }
    alone = {(name, None) for name in FUNCTIONS}
    assert commands == set(GROUPED.values()) | set(WITHOUT_OPTIONS) | alone
    assert all(find() for find in WITHOUT_OPTIONS.values())


def test_names_are_one_or_several_texts_or_paths():
    made = options.build(
        BenchSettings,
        None,
        {"algorithms": ["dpo", Path("found.json")], "variants": "base"},
        mpo.bench,
    )
    assert made.algorithms == ("dpo", "found.json")
    assert made.variants == ("base",)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seeds": "3"}, "seeds is '3', but must be a whole number or null"),
        ({"search": "yes"}, "search is 'yes', but must be true or false"),
        ({"algorithms": 3}, "algorithms is 3, but must be a list"),
        ({"seeds": 0}, "seeds must be at least 1, not 0"),
        ({"protocol": "papr"}, "Did you mean paper"),
    ],
)
def test_a_wrong_value_is_a_value_error_of_one_line(given, message):
    with pytest.raises(ValueError, match=message) as caught:
        mpo.bench(**given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: mpo.train("sft", "d.safetensors", seeds="2"), "seeds is '2', but must be a whole"),
        (lambda: mpo.train("sft", "d.safetensors", seeds=True), "seeds is True"),
        (lambda: mpo.train("sft", "d.safetensors", seed=1.5), "seed is 1.5"),
        (lambda: mpo.train("sft", "d.safetensors", episodes=-4), "episodes must be at least 1"),
        (lambda: mpo.train("sft", "d.safetensors", task=5), "task is 5, but must be a text"),
        (lambda: mpo.train(5, "d.safetensors"), "objective is a int: pass an Objective, a name"),
        (lambda: mpo.evaluate("hopper-expert", episodes="x"), "episodes is 'x'"),
        (lambda: mpo.evaluate("hopper-expert", seed=-1), "seed must be between 0 and 2"),
        (lambda: mpo.generate("hopper", rows=2.5), "rows is 2.5"),
        (lambda: mpo.generate("hopper", variant=None), "variant is None, but must be a text"),
        (lambda: mpo.generate("hopper", episode_length="5"), "episode_length is '5'"),
        (lambda: mpo.label("pool.safetensors", variant=5), "variant is 5"),
        (lambda: mpo.label("pool.safetensors", seed=-1), "seed must be between 0 and 2"),
        (lambda: mpo.explain("dpo", low="x"), "low is 'x'"),
        (lambda: mpo.explain("dpo", max_terms=1.5), "max_terms is 1.5"),
        (lambda: mpo.explain("dpo", seed=-1), "seed must be between 0 and 2"),
        (lambda: mpo.recommend("d.safetensors", seed=-1), "seed must be between 0 and 2"),
        (lambda: mpo.train_agent("hopper", seed=-1), "seed must be between 0 and 2"),
        (lambda: mpo.train_agent("hopper", clip="x"), "clip is 'x'"),
        (lambda: mpo.pick_agent("a", near=1.0, name="b", episodes=0), "episodes must be at least"),
        (lambda: mpo.render("hopper-expert", steps=0), "steps must be at least 1"),
        (lambda: mpo.limbs(task="tla"), "Name at least one agent"),
        (lambda: mpo.report("a", rollouts="x"), "rollouts is 'x'"),
        (lambda: mpo.report(5), "5 is not a run: name its folder"),
        (lambda: mpo.bench({"data": "d"}), "The settings are a dict, not BenchSettings"),
    ],
)
def test_a_wrong_argument_is_a_value_error_of_one_line(call, said):
    with pytest.raises(ValueError, match=said) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_whole_numbers_of_numpy_are_whole_numbers():
    assert settings.TrainedAgents(seeds=np.int64(2)).seeds == 2
    assert options.build(BenchSettings, None, {"seeds": np.int64(3)}, mpo.bench).seeds == 3


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: mpo.bench(algorithm="dpo"), "bench has no option 'algorithm'. Did you mean algo"),
        (lambda: mpo.bench(seedz=3), r"option 'seedz'\. Did you mean seeds"),
        (lambda: mpo.bench(caches="a"), r"option 'caches'\. Did you mean cache\?"),
        (lambda: mpo.discover(population_size=3), r"discover has no .* Did you mean population\?"),
        (lambda: mpo.train_agent("hopper", rolout_steps=3), "train_agent .* mean rollout_steps"),
        (lambda: mpo.train("dpo", "d", epoch=3), r"train has no .* Did you mean epochs\?"),
        (lambda: mpo.import_data("a.npz", source="b"), r"import_data has no .* mean sources\?"),
    ],
)
def test_an_option_that_there_is_not_is_a_type_error(call, said):
    with pytest.raises(TypeError, match=said):
        call()


def test_settings_stand_in_place_of_single_options():
    with pytest.raises(ValueError, match="not both"):
        mpo.bench(BenchSettings(), seeds=3)


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        (BenchSettings, {"rows": True}, "rows is True, but must be a whole number"),
        (BenchSettings, {"rows": "8"}, "rows is '8', but must be a whole number"),
        (BenchSettings, {"search": "no"}, "search is 'no', but must be true or false"),
        (
            BenchSettings,
            {"single_stage": "dpo,ipo"},
            "single_stage is 'dpo,ipo', but must be a list",
        ),
        (DiscoverySettings, {"variants": "base"}, "variants is 'base', but must be a list"),
        (DiscoverySettings, {"seed": 0.5}, "seed is 0.5, but must be a whole number"),
        (protocols.Training, {"hidden": 8}, "hidden is 8, but must be a list"),
        (TrainSettings, {"epochs": 2.0}, "epochs is 2.0, but must be a whole number"),
        (PPOSettings, {"total_steps": True}, "total_steps is True, but must be a whole number"),
        (ImportSettings, {"ties": "both"}, "ties is 'both', but must be drop or half"),
        (TextSettings, {"steps": None}, "steps is None, but must be a whole number"),
    ],
)
def test_ready_made_settings_refuse_values_of_another_type(kind, given, said):
    with pytest.raises(ValueError, match=said):
        kind(**given)


def test_ready_made_settings_take_numbers_of_numpy_and_lists():
    made = BenchSettings(seeds=np.int64(3), learning_rate=np.float32(0.5), variants=["base"])
    assert (type(made.seeds), type(made.learning_rate)) == (int, float)
    assert made.variants == ("base",)


def test_a_name_that_is_given_two_values_is_refused():
    assert settings.assignments(["a=1", "b=a=2"], "--set", "") == {"a": "1", "b": "a=2"}
    with pytest.raises(ValueError, match="--set gives a twice: give it once"):
        settings.assignments(["a=1", "a=2"], "--set", "")


def test_all_time_steps_stay_all_when_settings_are_changed():
    protocol = {**protocols.PROTOCOLS["mirror"], "time_steps": 64}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(protocols.PROTOCOLS, "mirror", protocol)
        assert options.changed(BenchSettings(time_steps=0), seeds=2).time_steps is None
        assert options.changed(BenchSettings(), seeds=2).time_steps == 64


def test_files_of_code_that_a_caller_names_stay_marked_as_the_callers():
    named = {"task": "a.py:make", "better": "b.py:act", "worse": "c.py:act"}
    for front, asked in (
        (front_bench, BenchSettings(**named, algorithms=("sft",))),
        (front_discover, DiscoverySettings(**named)),
    ):
        spelled = front._spelled(asked)
        assert all(isinstance(getattr(spelled, name), UserText) for name in named)
