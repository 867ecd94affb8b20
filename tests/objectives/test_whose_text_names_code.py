"""Code is run only if its name is the user's or the program's own text, and no file's."""

import ast
import json
from pathlib import Path

import pytest

from mirrorpo import objectives
from mirrorpo.objectives import naming
from mirrorpo.objectives.naming import NamesCode, resolve
from mirrorpo.study import algorithms
from mirrorpo.user_text import UserText

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


def test_a_program_s_own_text_may_name_code_and_a_file_s_may_not(write):
    text = f"{write()}:PlainMargin"
    assert objectives.get(text, slope=3.0) == naming.objective(f"{text}[slope=3]")
    with pytest.raises(NamesCode):
        resolve(text)


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
