import ast
import json
import math
import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from mirrorpo import objectives, user_functions
from mirrorpo.objectives import component, naming
from mirrorpo.objectives.naming import NamesCode, parse, resolve, spelled
from mirrorpo.study import algorithms, tryout, tuned
from mirrorpo.user_text import UserText

PAIRS = objectives.PairLogProbs(np.array([-1.0, -3.0]), np.array([-2.0, -2.0]))

SOURCE = '''
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mirrorpo.objectives import Objective, number


@dataclass(frozen=True, kw_only=True)
class PlainMargin(Objective):
    """The margin alone."""

    name: ClassVar[str] = "NAME"
    slope: float = number(SLOPE, above=0)

    def loss(self, batch, progress):
        return -self.slope * (batch.chosen - batch.rejected)


class Unrelated:
    pass


class Unfinished(Objective):
    name = "NAME-unfinished"


class Anonymous(PlainMargin):
    pass
'''


@pytest.fixture(autouse=True)
def _forget_what_is_registered(monkeypatch):
    monkeypatch.setattr(component, "_registry", dict(component._registry))


@pytest.fixture
def write(tmp_path):
    def write(name="own-margin", slope=2.0, file="own.py"):
        path = tmp_path / file
        path.write_text(SOURCE.replace("NAME", name).replace("SLOPE", str(slope)))
        return path

    return write


def one_line_error(text, **overrides):
    with pytest.raises(ValueError) as caught:
        resolve(UserText(text), **overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_name_of_the_zoo_gives_its_objective():
    assert resolve("dpo") == objectives.get("dpo")


def test_overrides_reach_objectives_of_both_kinds(write):
    assert resolve("dpo", aggregation="mean", beta=0.7) == objectives.get(
        "dpo", aggregation="mean", beta=0.7
    )
    path = write()
    found = resolve(UserText(f"{path}:PlainMargin"), aggregation="mean", slope=3.0)
    assert (found.aggregation, found.slope) == ("mean", 3.0)


def test_a_class_in_a_file_works_like_any_objective(write):
    found = resolve(UserText(f"{write()}:PlainMargin"))
    assert isinstance(found, objectives.Objective)
    np.testing.assert_allclose(found(PAIRS), [-2.0, 2.0])
    assert found.stages == (("own-margin", 12),)


def test_the_same_file_gives_equal_objectives_and_an_edited_one_its_new_code(write):
    text = UserText(f"{write()}:PlainMargin")
    assert resolve(text) == resolve(text)
    write(slope=5.0)
    np.testing.assert_allclose(resolve(text)(PAIRS), [-5.0, 5.0])


def test_files_of_one_name_in_two_folders_do_not_mix(write, tmp_path):
    (tmp_path / "other").mkdir()
    first = resolve(UserText(f"{write('plugin-first')}:PlainMargin"))
    second = resolve(UserText(f"{write('plugin-second', file='other/own.py')}:PlainMargin"))
    assert (first.name, second.name) == ("plugin-first", "plugin-second")


def test_an_unknown_name_of_the_zoo_names_the_near_ones():
    assert "simpo" in one_line_error("simppo")


@pytest.mark.parametrize("text", ["own.py", "own.py:", "own.txt:PlainMargin", ":PlainMargin"])
def test_text_that_is_neither_kind_says_what_is_expected(text):
    assert "PATH.py:CLASS" in one_line_error(text)


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "absent.py"
    assert f"No objective file at {path}: No such file" in one_line_error(f"{path}:PlainMargin")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("def broken(:", "SyntaxError: invalid syntax"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("import asyncio; raise asyncio.CancelledError", "CancelledError:"),
        ("raise BaseException('neither')", "BaseException: neither"),
        ("\0", "SyntaxError: source code string cannot contain null bytes"),
    ],
)
def test_a_file_that_fails_tells_its_exception_each_time(tmp_path, content, told):
    path = tmp_path / "failing.py"
    path.write_text(content)
    for _ in range(2):
        message = one_line_error(f"{path}:PlainMargin")
        assert f"{path} fails when imported: {told}" in message


def test_a_missing_class_names_the_near_ones(write):
    message = one_line_error(f"{write()}:PlainMargins")
    assert "no class 'PlainMargins'. Did you mean PlainMargin?" in message
    assert "Unrelated" not in message


@pytest.mark.parametrize("name", ["Unrelated", "dataclass"])
def test_what_is_no_objective_is_refused(write, name):
    message = one_line_error(f"{write()}:{name}")
    assert f"{name} in " in message
    assert "must be a subclass of mirrorpo.objectives.Objective" in message


def test_an_objective_without_a_loss_is_refused(write):
    message = one_line_error(f"{write()}:Unfinished")
    assert message.endswith("is not complete: define loss.")


def test_an_objective_needs_a_name_of_its_own(write):
    message = one_line_error(f"{write()}:Anonymous")
    assert "no name of its own" in message


def test_a_taken_name_is_refused(write):
    resolve(UserText(f"{write()}:PlainMargin"))
    for name in ("own-margin", "dpo"):
        message = one_line_error(f"{write(name, file='other.py')}:PlainMargin")
        assert f"the name {name!r} of PlainMargin is taken" in message


def test_a_file_that_is_refused_changes_no_name(write, tmp_path):
    before = objectives.available(), type(objectives.get("dpo"))
    one_line_error(f"{write('dpo', file='taking.py')}:PlainMargin")
    half = tmp_path / "half.py"
    half.write_text(write("half-there", file="whole.py").read_text() + "\nraise RuntimeError\n")
    one_line_error(f"{half}:PlainMargin")
    assert (objectives.available(), type(objectives.get("dpo"))) == before


def test_a_wrong_override_is_told(write):
    path = write()
    assert "slope" in one_line_error(f"{path}:PlainMargin", slope=-1.0)
    assert "bend" in one_line_error(f"{path}:PlainMargin", bend=1.0)


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


# A loss is tried on a few pairs before it is trained

BODIES = """
from dataclasses import dataclass

import numpy as np

from mirrorpo.objectives import Objective
from mirrorpo.objectives.arrays import namespace


@dataclass(frozen=True, kw_only=True)
class Tried(Objective):
    name = "tried"

    def loss(self, batch, progress):
        xp = namespace(batch.chosen)
        BODY
"""


def tried(tmp_path, body, library="jax"):
    path = tmp_path / "tried.py"
    path.write_text(BODIES.replace("BODY", body))
    return resolve(UserText(f"{path}:Tried"), tryout.by(library))


SHAPE = "but must return the loss of each pair: an array of floating-point numbers of shape (3,)"


@pytest.mark.parametrize("library", ["jax", "torch"])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return xp.stack([batch.chosen, batch.rejected], axis=1)", f"shape (3, 2), {SHAPE}"),
        ("return xp.concat([batch.chosen, batch.rejected])", f"shape (6,), {SHAPE}"),
        ("return xp.mean(batch.chosen)", f"shape (), {SHAPE}"),
        ("return xp.astype(batch.chosen > batch.rejected, xp.int32)", f"int32, {SHAPE}"),
        ("return batch.chosen > batch.rejected", f"bool, {SHAPE}"),
        ("return None", f"returns None, {SHAPE}"),
        ("return 1.0", f"returns a float, {SHAPE}"),
        ("return [1.0, 2.0, 3.0]", f"returns a list, {SHAPE}"),
        ("return batch.chosen * 0 + float('inf')", "has a loss of inf for ordinary log-probs"),
        ("return xp.log(batch.chosen)", "has a loss of nan for ordinary log-probs"),
        ("return xp.sqrt(batch.chosen * 0)", "has a gradient of nan for ordinary log-probs"),
        ("return batch.nothing", "Tried.loss raises AttributeError: 'Batch' object has no"),
        ("raise RuntimeError('two\\nlines')", "Tried.loss raises RuntimeError: two lines"),
        ("raise SystemExit(0)", "Tried.loss raises SystemExit: 0"),
    ],
)
def test_a_loss_that_cannot_be_trained_is_one_line(body, message, library, tmp_path):
    if library == "torch":
        pytest.importorskip("torch")
    with pytest.raises(ValueError) as caught:
        tried(tmp_path, body, library)
    said = str(caught.value).replace("torch.", "")
    assert message in said
    assert "tried.py:Tried: Tried.loss" in said
    assert "\n" not in said


def test_a_loss_that_jax_cannot_trace_is_told_before_a_bench_compiles_it(tmp_path):
    for body in (
        "return batch.chosen if batch.chosen[0] > 0 else batch.rejected",
        "return np.exp(np.asarray(batch.chosen))",
    ):
        with pytest.raises(ValueError, match=r"Tried\.loss raises Tracer\w+Error"):
            tried(tmp_path, body)


def test_a_recipe_that_never_trains_the_loss_itself_is_refused(tmp_path):
    body = "return batch.chosen\n\n    stages = (('sft', 10), ('tired', 2))"
    with pytest.raises(ValueError, match="ends with 'tired', so the loss itself would never"):
        tried(tmp_path, body)


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ("stages = (('sft', -3), ('tried', 2))", "Tried.stages is"),
        ("stages = (('sft', 10), ('tried', 0))", "Tried.stages is"),
        ("stages = ()", "Tried.stages is"),
        ("stages = 'tried'", "Tried.stages is"),
        ("search_grid = {'nosuch': (1.0,)}", "Tried.search_grid is"),
        ("search_grid = [1, 2]", "Tried.search_grid is"),
        ("search_grid = {'aggregation': (float('nan'),)}", "Tried.search_grid is"),
        ("name = 5", "is called 5: its name must be a text"),
    ],
)
def test_what_a_loss_declares_is_seen_through_before_it_is_trained(declared, said, tmp_path):
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        tried(tmp_path, f"return batch.chosen\n\n    {declared}")
    assert "\n" not in str(caught.value)


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


def test_objectives_of_the_zoo_pass_the_same_trial():
    for name in objectives.available()[::10]:
        tryout.check(objectives.get(name), name, "jax")


@pytest.mark.slow
def test_every_objective_of_the_zoo_passes_the_same_trial():
    for name in objectives.available():
        tryout.check(objectives.get(name), name, "jax")


def test_an_objective_refuses_a_loss_of_another_shape_wherever_it_is_called(tmp_path):
    good = tried(tmp_path, "return batch.rejected - batch.chosen")
    assert good(PAIRS).shape == (2,)

    class Bad(type(good)):
        name = "bad"

        def loss(self, batch, progress):
            return batch.chosen.sum()

    with pytest.raises(ValueError, match=r"Bad\.loss returns an array of shape \(\)"):
        Bad()(PAIRS)


CODE = "touch = open({path!r}, 'w').close()\n"


@pytest.mark.parametrize("named", ["{file}:PlainMargin", "{file}:PlainMargin[slope=2]"])
def test_code_is_run_only_if_the_user_typed_its_name(tmp_path, named):
    ran, file = tmp_path / "ran", tmp_path / "evil.py"
    file.write_text(CODE.format(path=str(ran)))
    text = named.format(file=file)
    # What JSON, YAML or any other reader gives is a plain str, even of a typed one.
    for plain in (
        text,
        json.loads(json.dumps(UserText(text))),
        str(UserText(text)),
        UserText(text).strip(),
    ):
        with pytest.raises(NamesCode, match="Only code that you name"):
            algorithms.load(plain)
    assert not ran.exists()
    with pytest.raises(ValueError, match="has no class"):
        algorithms.load(UserText(text))
    assert ran.exists()


def calls(name):
    """Where the package calls a function of this name, by file within the package."""
    source = Path(objectives.__file__).parents[1]
    return {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if name in (text := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and name in (getattr(node.func, "id", ""), getattr(node.func, "attr", ""))
    }


def test_only_the_command_line_and_the_front_door_mark_text_as_typed():
    marking = calls("UserText") | calls("users_own")
    # A task that was made from marked text makes its environment again from it, in this process.
    marking -= {"simulation/tasks.py"}
    places = {name.split("/")[0] for name in marking}
    assert places <= {"cli", "front", "objectives", "user_text.py"}
    # Files of a user's code are run by two functions: one for judges, one for all else.
    assert calls("exec_module") == {"objectives/user_files.py"}
    assert calls("run_path") == {"language/judging/scores.py"}
    assert not calls("exec")
    assert not calls("__import__")


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


# What a program names is its author's own


def test_a_program_s_own_text_may_name_code_and_a_file_s_may_not(write):
    text = f"{write()}:PlainMargin"
    assert objectives.get(text, slope=3.0) == naming.objective(f"{text}[slope=3]")
    with pytest.raises(NamesCode):
        resolve(text)


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


def test_a_near_miss_of_a_shipped_discovery_is_told_too():
    assert "hopper-noisy" in one_line_error("hoper-noisy").partition("Known")[0]


def test_the_package_itself_never_looks_a_text_up_as_if_it_were_typed():
    """`get` and `objective` take any text for the program's own: the package may pass literals."""
    source = Path(objectives.__file__).parents[1]
    wrong = [
        f"{path.relative_to(source).as_posix()}:{node.lineno}"
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("get", "objective")
        and getattr(node.func.value, "id", "") in ("objectives", "naming")
        and not isinstance(node.args[0], ast.Constant)
    ]
    # A trainer's objective is its caller's; the zoo shows what the user asks for.
    assert {place.partition(":")[0] for place in wrong} <= {
        "language/training/trainer.py",
    }


def test_what_an_objective_is_spelled_as_names_it_again():
    given = naming.get("gated", weight=0.25, lower=0.5, softness=0.125)
    assert spelled(given).startswith("gated[weight=0.25,delta=1,lower=0.5,")
    assert resolve(spelled(given)) == given
    assert spelled(naming.get("sft")) == "sft"


def test_one_file_may_hold_a_loss_and_a_policy(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from dataclasses import dataclass\n"
        "from typing import ClassVar\n"
        "from mirrorpo.objectives import Objective\n"
        "\n"
        "@dataclass(frozen=True, kw_only=True)\n"
        "class Mine(Objective):\n"
        '    name: ClassVar[str] = "beside-a-policy"\n'
        "    def loss(self, batch, progress):\n"
        "        return -batch.chosen\n"
        "\n"
        "def act(observations):\n"
        "    return observations\n"
    )
    act = user_functions.load(UserText(f"{path}:act"), "policy", "--better")
    made = resolve(UserText(f"{path}:Mine"))
    assert act.__module__ == type(made).__module__, "the file was run once"
