"""Every command in the documents parses, every Python block runs, and the site builds."""

import ast
import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mirrorpo.cli import parse

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "recipes" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
SCRIPTS = sorted((ROOT / "examples").glob("*.py"))
NEEDS_LLM = ("mirrorpo.language", "torch", "trl", "transformers", "datasets")


def name_of(path):
    return str(path.relative_to(ROOT))


def commands(text):
    """The `mirrorpo` lines in blocks of code, continued lines joined, without comments."""
    joined = re.sub(r"\\\n\s*", "", text)
    for line in joined.splitlines():
        if found := re.fullmatch(r"(?: {4,})?(?:\S*/)?(mirrorpo .*)", line):
            yield shlex.split(found[1], comments=True)[1:]


def exit_code(arguments):
    """0 if the command line is understood."""
    try:
        parse(arguments)
    except SystemExit as stop:
        return stop.code
    return 0


def python_blocks(text):
    return re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def needs_llm(code):
    return any(re.search(rf"(?:from|import) {name}\b", code) for name in NEEDS_LLM)


@pytest.mark.parametrize("path", [*DOCUMENTS, *SCRIPTS], ids=name_of)
def test_every_command_parses(path):
    for arguments in commands(path.read_text(encoding="utf-8")):
        # Three dots alone stand for options that do not matter there.
        given = [argument for argument in arguments if argument != "..."]
        assert exit_code(given) == 0, f"{name_of(path)}: mirrorpo {shlex.join(given)}"


def test_commands_are_found_and_a_wrong_option_is_seen():
    found = list(commands((ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")))
    assert [arguments[0] for arguments in found[:2]] == ["bench", "report"]
    assert "--episodes" in found[0]
    assert exit_code([*found[0], "--no-such-option", "1"]) == 2


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_python_block_runs(path, tmp_path, monkeypatch):
    """In the order of the page, in one namespace. Of those that need the extra `llm`, the imports
    are checked where it is installed."""
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "documents"}
    for code in python_blocks(path.read_text(encoding="utf-8")):
        tree = ast.parse(code)
        if not needs_llm(code):
            exec(compile(tree, name_of(path), "exec"), namespace)
            continue
        pytest.importorskip("trl", reason="the extra llm is not installed")
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module)
                assert all(hasattr(module, name.name) for name in node.names)


def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    zoo = (tmp_path / "site" / "zoo" / "index.html").read_text(encoding="utf-8")
    assert zoo.count("<h2") > 35
    assert "arXiv:2305.18290" in zoo
    assert (tmp_path / "site" / "zoo" / "dpo.png").stat().st_size > 1000
