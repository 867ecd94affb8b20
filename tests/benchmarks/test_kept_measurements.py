"""A run of the benchmarks that was interrupted resumes, and its tables say what was measured."""

import pytest
from benchmarks.speed import counting, lines, page, process, sizes

from mirrorpo import json_lines


@pytest.fixture
def measured(monkeypatch):
    """Measurements that were really made, by name; each finds how many were made before it."""
    made = []

    def measure(name, cache=None, **settings):
        made.append((name, settings))
        return {"note": "failed"} if settings.get("fails") else {"seconds": float(len(made))}

    monkeypatch.setattr(process, "measure", measure)
    return made


def test_what_was_measured_is_not_measured_again(measured, tmp_path):
    path = tmp_path / "measured.jsonl"
    about = {"sizes": (1, 2)}
    first = process.Kept(path, about)
    assert first("train", agents=2) == {"seconds": 1.0}
    assert first("train", agents=3) == {"seconds": 2.0}
    assert [row["name"] for row in json_lines.read(path)] == ["train", "train"]
    again = process.Kept(path, about)
    assert again("train", agents=2) == {"seconds": 1.0}
    assert again("train", agents=4) == {"seconds": 3.0}
    assert len(measured) == 3


def test_other_circumstances_and_failures_are_measured_again(measured, tmp_path):
    path = tmp_path / "measured.jsonl"
    process.Kept(path, {"commit": "a"})("train", agents=2)
    process.Kept(path, {"commit": "b"})("train", agents=2)
    assert len(measured) == 2
    for _ in range(2):
        assert process.Kept(path, {"commit": "b"})("train", fails=True) == {"note": "failed"}
    assert len(measured) == 4


def test_a_warm_start_without_its_cold_one_fills_the_cache_first(measured, tmp_path):
    path = tmp_path / "measured.jsonl"
    kept = process.Kept(path, {})
    cold, _ = lines.start_up(sizes.QUICK, kept)
    rows = [row for row in json_lines.read(path) if row["settings"]["state"] == "cold"]
    json_lines.write(path, rows)
    measured.clear()
    assert next(lines.start_up(sizes.QUICK, process.Kept(path, {}))) == cold
    assert not measured
    list(lines.start_up(sizes.QUICK, process.Kept(path, {})))
    assert [settings["state"] for _, settings in measured] == ["cold", "warm"]


def test_the_tables_have_the_figures_and_the_ratios():
    found = page.as_page(
        [
            {"what": "float32 peak", "size": "2 x 2", "by": "", "gflops_a_second": 200.0},
            *(
                {
                    "what": "training",
                    "size": "2 x 64, 16 agents",
                    "by": by,
                    "agent_steps_a_second": rate,
                    "mirrorpo_is_times_faster": 600 / rate,
                    "share_of_peak": 0.45,
                }
                for by, rate in (("mirrorpo", 600.0), ("textbook-jax", 400.0))
            ),
            {"what": "training", "size": "2 x 64, 16 agents", "by": "torch-vmap", "note": "none"},
            {"what": "scaling", "size": "16 agents", "by": "1 worker", "agents_a_minute": 105.0},
        ]
    )
    rows = [line for line in found.splitlines() if line.startswith("|")]
    assert rows[0].count("|") == rows[2].count("|")
    assert rows[2] == "| 2 x 64, 16 agents | 600 | 400 (1.5) | none | 45% |"
    assert rows[-1] == "| 16 agents | 1 worker | 105 |"
    assert "gflops a second: 200" in found


def test_bytes_of_messages_are_those_of_what_is_sent(monkeypatch):
    orders = [{"seeds": [1, 2, 3]}, {"seeds": [4]}]

    class Order:
        def __init__(self, seeds):
            self.seeds = seeds

    class Alone:
        count, agents_at_once = 1, 2

        def work_off(self, given):
            yield from ((at, b"x" * 1000 * len(one.seeds)) for at, one in enumerate(given))

    monkeypatch.setattr(counting, "_bytes", len)
    monkeypatch.setattr(Order, "__len__", lambda self: 10 * len(self.seeds), raising=False)
    counts = counting.Counting()
    workers = counting._Workers(Alone(), counts)
    list(workers.work_off([Order(**one) for one in orders]))
    assert counts.orders == [(3, 30), (1, 10)]
    assert counts.replies == [(3, 3000), (1, 1000)]
