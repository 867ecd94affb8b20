"""What a text names: an objective of the zoo, a shipped discovery, or a class in a file."""

import numpy as np
import pytest

from mirrorpo import objectives, user_functions
from mirrorpo.objectives.naming import resolve
from mirrorpo.user_text import UserText

PAIRS = objectives.PairLogProbs(np.array([-1.0, -3.0]), np.array([-2.0, -2.0]))

pytestmark = pytest.mark.usefixtures("names_are_forgotten")


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


def test_a_near_miss_of_a_shipped_discovery_is_told_too():
    assert "hopper-noisy" in one_line_error("hoper-noisy")


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


def test_the_list_of_names_has_none_of_a_file_that_was_run(write):
    before = objectives.available()
    path = write()
    assert resolve(UserText(f"{path}:PlainMargin")).name == "own-margin"
    path.unlink()
    assert objectives.available() == before
    assert "dpo" in before
