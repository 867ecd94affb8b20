"""The front door is typed: for the users' type checker, and without `Any`."""

import inspect
import re
from pathlib import Path

import pytest

import mirrorpo as mpo

ROOT = Path(__file__).parents[2]
WRONG = {
    "mpo.benhc": 'Module has no attribute "benhc"',
    'mpo.bench(seeds="3")': 'Argument "seeds" to "bench" has incompatible type "str"',
    "mpo.bench(seedz=3)": 'Unexpected keyword argument "seedz" for "bench"',
    'mpo.explain("dpo", max_terms="4")': 'Argument "max_terms" to "explain"',
    'mpo.objectives.PairLogProbs(["a"], ["b"])': 'variable "ArrayT" of "PairLogProbs" cannot be "l',
    "mpo.objective(3)": 'Argument 1 to "objective" has incompatible type "int"',
    "from mirrorpo.language import PreferenceTraner": 'has no attribute "PreferenceTraner"',
    "from mirrorpo.discovery import dicover": 'has no attribute "dicover"',
    'mpo.judge("a.json", by="vader")': 'Unexpected keyword argument "by" for "judge"',
}


def checked(path, monkeypatch):
    """What mypy says of a user's program, with the package's own settings and kept results."""
    mypy = pytest.importorskip("mypy.api", reason="the extra dev is not installed")
    monkeypatch.chdir(ROOT)
    said, problems, _ = mypy.run([str(path)])
    assert not problems
    return said.splitlines()


@pytest.mark.slow
def test_a_type_checker_knows_what_every_function_takes_and_gives(tmp_path, monkeypatch):
    said = checked(ROOT / "tests" / "front" / "user_program.py", monkeypatch)
    assert not [line for line in said if "user_program.py" in line]
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import mirrorpo as mpo\n" + "\n".join(WRONG))
    said = checked(wrong, monkeypatch)
    for number, message in enumerate(WRONG.values(), 2):
        assert any(f"wrong.py:{number}: " in line and message in line for line in said), said


def hints():
    """(place, annotation) of all that a user's type checker sees of functions and results."""
    public = {name: getattr(mpo, name) for name in mpo.__all__}
    public["PairLogProbs"] = mpo.objectives.PairLogProbs
    yield from annotations("Objective()", mpo.objectives.Objective.__call__)
    yield from annotations("Objective.remember", mpo.objectives.Objective.remember)
    for name, found in public.items():
        if inspect.isfunction(found):
            yield from annotations(name, found)
        elif inspect.isclass(found):
            for key, text in inspect.get_annotations(found).items():
                if not key.startswith("_"):
                    yield f"{name}.{key}", str(text)
            for key, member in vars(found).items():
                function = getattr(member, "fget", None) or getattr(member, "__func__", member)
                if not key.startswith("_") and inspect.isfunction(function):
                    yield from annotations(f"{name}.{key}", function)


def annotations(name, function):
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty, name
    yield f"{name} ->", str(signature.return_annotation)
    for key, one in signature.parameters.items():
        if key not in ("self", "cls"):
            assert one.annotation is not inspect.Parameter.empty, f"{name}({key})"
            yield f"{name}({key})", str(one.annotation)


def test_nothing_at_the_border_is_any():
    found = dict(hints())
    assert len(found) > 100
    assert not [place for place, text in found.items() if re.search(r"\bAny\b", text)]


def test_the_program_uses_every_function():
    text = (ROOT / "tests" / "front" / "user_program.py").read_text()
    assert all(f"mpo.{name}" in text for name in mpo.__all__)
