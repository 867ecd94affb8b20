"""The notebook of the whole story runs from its first cell to its last."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from mirrorpo import objectives

STORY = Path(__file__).parents[2] / "examples" / "story.ipynb"
MOST_SECONDS = 300


def notebook():
    return json.loads(STORY.read_text(encoding="utf-8"))


def code_cells():
    return ["".join(cell["source"]) for cell in notebook()["cells"] if cell["cell_type"] == "code"]


def in_one_namespace(cells):
    namespace = {"__name__": "story"}
    for number, code in enumerate(cells, 1):
        exec(compile(code, f"cell {number}", "exec"), namespace)
    return namespace


@pytest.mark.usefixtures("light_hopper", "few_objectives")
def test_the_story_runs_on_a_light_robot(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = in_one_namespace(code_cells())
    assert told["bench"].table.shape[0] == 4
    found = told["found"]
    assert len(found.history) == 2
    assert isinstance(found.objective, objectives.Objective)
    assert set(found.validations.candidate) >= {"start", "mean"}
    assert told["about"].error < 0.5
    assert told["advice"].facts.pairs == 60
    assert told["page"].shown == 2
    assert list(tmp_path.iterdir()) == [], "the story leaves nothing behind"


def test_the_story_uses_every_step_and_holds_no_outputs():
    text = "\n".join(code_cells())
    for name in ("objective", "bench", "discover", "explain", "recommend", "report"):
        assert f"mpo.{name}(" in text, name
    cells = notebook()["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
    assert len({cell["id"] for cell in cells}) == len(cells)


def test_the_story_is_a_valid_notebook():
    nbformat.validate(nbformat.read(STORY, as_version=4))


@pytest.mark.slow
def test_the_story_runs_in_under_five_minutes(tmp_path):
    """As a notebook where nbclient and a kernel are installed; else its cells, in a process."""
    began = time.monotonic()
    environment = {**os.environ, "MIRRORPO_CACHE": str(tmp_path / "cache")}
    if all(map(importlib.util.find_spec, ("nbclient", "ipykernel"))):
        code = (
            "import sys, nbformat, nbclient\n"
            "book = nbformat.read(sys.argv[1], as_version=4)\n"
            "nbclient.NotebookClient(book, timeout=300).execute()\n"
        )
    else:
        code = (
            "import json, sys\n"
            "space = {'__name__': 'story'}\n"
            "for cell in json.load(open(sys.argv[1], encoding='utf-8'))['cells']:\n"
            "    if cell['cell_type'] == 'code':\n"
            "        exec(compile(''.join(cell['source']), cell['id'], 'exec'), space)\n"
        )
    done = subprocess.run(
        [sys.executable, "-c", code, str(STORY)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert time.monotonic() - began < MOST_SECONDS
