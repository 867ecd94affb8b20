"""Run folders of every kind that a report may meet, made from a real bench's rows."""

import json

import pytest

from tests.reporting.bench_folders import TABLE6, diverged, real_lines, write_bench


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
def fifty_runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fifty")
    lines = real_lines()
    paths = []
    for number in range(50):
        some = [
            {**x, "agent": {**x["agent"], "return_mean": x["agent"]["return_mean"] - number}}
            for x in lines
            if x["agent"]["variant"] != "base" and x["agent"]["seed"] < 5
        ]
        paths.append(write_bench(folder / f"run-{number:02d}", some, seeds=5))
    return paths
