"""Run folders of every kind that a report may meet, made from a real bench's rows."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from mirrorpo.reporting.published.packing import ToPublish, pack
from tests.reporting.bench_folders import TABLE6, diverged, published, real_lines, write_bench
from tests.reporting.hostile_folders import hostile_explanation
from tests.reporting.language_folders import write_align, write_judged, write_reviews


@pytest.fixture(scope="session")
def one_run():
    return [TABLE6]


@pytest.fixture(scope="session")
def odd_runs(tmp_path_factory):
    """One unfinished bench whose log is cut in the middle of a line, one with a diverged agent,
    and one that has just begun."""
    folder = tmp_path_factory.mktemp("odd")
    lines = real_lines()
    unfinished = write_bench(
        folder / "unfinished",
        [x for x in lines if x["agent"]["variant"] == "base"][:40],
        seeds=25,
        finished=False,
        variants=["base", "noisy:0.1"],
        algorithms=["sft", "dpo", "orpo"],
    )
    with (unfinished / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(lines[-1])[:200])
    some = [x for x in lines if x["agent"]["seed"] < 5]
    some[0] = diverged(some[0])
    begun = write_bench(
        folder / "begun", [], seeds=25, finished=False, variants=["base"], algorithms=["dpo"]
    )
    (begun / "sources.json").unlink()
    return [unfinished, write_bench(folder / "with-diverged", some, seeds=5), begun]


@pytest.fixture(scope="session")
def many_runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    lines = real_lines()
    paths = []
    for number in range(12):
        some = [
            {**x, "agent": {**x["agent"], "return_mean": x["agent"]["return_mean"] - number}}
            for x in lines
            if x["agent"]["variant"] != "base" and x["agent"]["seed"] < 5
        ]
        paths.append(write_bench(folder / f"run-{number:02d}", some, seeds=5))
    return paths


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """Small runs of every kind that a user's commands write."""
    folder = tmp_path_factory.mktemp("written")
    names = {"base": ("cpo", "dpo", "sft"), "noisy:0.1": ("cpo",)}
    lines = [
        x
        for x in real_lines()
        if x["agent"]["seed"] < 3
        and x["agent"]["algorithm"] in names.get(x["agent"]["variant"], ())
    ]
    lines[0] = diverged(lines[0])
    searching = {**lines[1], "agent": {**lines[1]["agent"], "phase": "search"}}
    write_bench(folder / "bench", [*lines, searching], seeds=3)
    write_bench(folder / "unfinished", lines[:5], seeds=3, finished=False)
    write_reviews(folder / "reviews", diverged=[("base", "dpo", 0)])
    write_align(folder / "align")
    write_judged(folder / "judge")
    hostile_explanation(folder / "explain", "x^2", "dpo")
    draw = np.random.default_rng(0)
    for name in ("gradient_map.png", "functions.png"):
        Image.fromarray(draw.integers(0, 256, (30, 40, 4), np.uint8)).save(
            folder / "explain" / name
        )
    for name in ("discover-noisy", "hopper-agents"):
        shutil.copytree(published(name), folder / name)
    return folder


@pytest.fixture(scope="session")
def results(written, tmp_path_factory):
    """They, packed."""
    out = tmp_path_factory.mktemp("packed") / "results"
    pack([ToPublish(path, f"for {path.name}") for path in sorted(written.iterdir())], out)
    return out
