"""Bench folders made from a real bench's rows."""

import atexit
import contextlib
import json
import shutil
from functools import cache
from pathlib import Path

from mirrorpo.reporting.published import unpacking

RESULTS = Path(__file__).parents[2] / "results"

_UNPACKED = contextlib.ExitStack()
"""Of the published runs that the tests read; closed, and so removed, when Python ends."""
atexit.register(_UNPACKED.close)


@cache
def published(name):
    """The folder of a published run."""
    return _UNPACKED.enter_context(unpacking.folders([RESULTS / name]))[0]


TABLE6 = published("hopper-table6")


def real_lines():
    """The final agents of the published bench, as its log's lines."""
    lines = [json.loads(text) for text in (TABLE6 / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["agent"]["phase"] == "final"]


def write_bench(folder, lines, *, seeds, finished=True, variants=None, algorithms=None):
    """A bench folder with these lines, and the settings that they would come from."""
    folder.mkdir(parents=True)
    config = json.loads((TABLE6 / "config.json").read_text())
    config["settings"]["variants"] = variants or sorted({x["agent"]["variant"] for x in lines})
    config["settings"]["algorithms"] = algorithms or sorted(
        {x["agent"]["algorithm"] for x in lines}
    )
    config["settings"]["seeds"] = seeds
    (folder / "config.json").write_text(json.dumps(config))
    shutil.copy(TABLE6 / "sources.json", folder)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if finished:
        shutil.copy(TABLE6 / "results.csv", folder)
    return folder


def diverged(line):
    """The same agent, had it diverged."""
    agent = {**line["agent"], "return_mean": None, "return_standard_error": None, "diverged": True}
    curves = {name: list(values) for name, values in line["curves"].items()}
    for name, values in curves.items():
        if name != "stage":
            values[-3:] = [None] * 3
    return {"agent": agent, "curves": curves}
