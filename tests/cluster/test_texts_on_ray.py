"""A bench on texts gives on a Ray cluster what it gives here, and loses no run with a worker."""

import os

import pandas as pd
import pytest

pytest.importorskip("ray")
pytest.importorskip("torch")
pytest.importorskip("trl")
pytest.importorskip("vaderSentiment")

import torch

from mirrorpo.execution import executor
from mirrorpo.study import bench
from mirrorpo.study.settings import BenchSettings
from mirrorpo.user_text import UserText
from tests.cluster.test_on_ray import DEADLY_ONCE

SETTINGS = BenchSettings(
    task="text",
    model="reviews-small",
    prompts="reviews",
    reward="reviews",
    variants=("base",),
    seeds=2,
    data_draws=2,
    rows=8,
    test_prompts=4,
    episodes=8,
    max_new_tokens=6,
    best_of=2,
    target_steps=2,
    steps=4,
    minibatch=4,
    sample_batch=4,
)


@pytest.fixture
def cluster(monkeypatch):
    monkeypatch.setenv("RAY_worker_niceness", "0")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    with executor.workplace("local:2") as place:
        yield place


@pytest.mark.slow
def test_a_bench_on_two_workers_of_which_one_is_killed_has_the_agents_of_this_process(
    cluster, tmp_path
):
    path, cache = tmp_path / "mine.py", tmp_path / "cache"
    mark = tmp_path / "mark"
    text = DEADLY_ONCE.replace("MARK", str(mark)).replace("DRIVER", str(os.getpid()))
    path.write_text(text.replace('"deadly-', '"texts-').replace('"wrong"', '"texts-wrong"'))
    reward = tmp_path / "mine_too.py"
    # Code of the user's that a worker does not have, and that is run by the driver alone.
    reward.write_text(
        "import os\n\n\ndef score(prompts, completions):\n"
        f"    assert os.getpid() == {os.getpid()}\n"
        "    return [float(len(set(text))) for text in completions]\n"
    )
    given = {
        **vars(SETTINGS),
        "algorithms": ("dpo", UserText(f"{path}:DeadlyOnce")),
        "reward": UserText(f"{reward}:score"),
    }
    settings = BenchSettings(**given)
    runs = {}
    for name, place in (("ray", cluster), ("here", None)):
        out = tmp_path / name
        log, sources = bench.run(settings, out, place=place, cache=cache, keep_agents=True)
        seconds = ["train_seconds", "evaluate_seconds"]
        texts = {one.name: one.read_bytes() for one in (out / "samples").iterdir()}
        kept = {
            one.relative_to(out): one.read_bytes() for one in out.glob("agents/*/adapter/*.safet*")
        }
        runs[name] = log.frame().drop(columns=seconds), sources, texts, kept
    assert int(mark.read_text()) != os.getpid()
    pd.testing.assert_frame_equal(runs["ray"][0], runs["here"][0])
    assert runs["ray"][1:] == runs["here"][1:]
    assert len(runs["here"][0]) == 4
    assert len(runs["here"][3]) == 2
