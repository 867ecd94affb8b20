"""How a cheap fitness is held against the scores of a published bench."""

import json
from pathlib import Path

import numpy as np

from benchmarks import fitness_ranks

RUN = Path(__file__).parents[2] / "results" / "leaderboard-hopper-noisy"


def test_a_budget_that_ranks_as_the_bench_keeps_its_best_quarter(monkeypatch, tmp_path):
    seen = []

    def as_in_the_bench(bench, settings, fulls, seeds):
        seen.append((settings.rows, settings.epochs, len(fulls), min(f.agents for f in fulls)))
        return np.array([full.score for full in fulls]), 1.0

    monkeypatch.setattr(fitness_ranks, "_cheap_scores", as_in_the_bench)
    monkeypatch.setattr("mirrorpo.discovery.fitness.Bench", lambda settings: None)
    out = tmp_path / "ranks.json"
    fitness_ranks.main(RUN, ("rows=512,epochs=6",), least_agents=12, out=out)
    assert seen == [(512, 6, 68, 12)]
    (line,) = json.loads(out.read_text())["budgets"]
    assert line["spearman"] == 1.0
    assert (line["best_quarter_kept"], line["best_quarter"]) == (17, 17)


def test_what_a_screening_loses_is_counted():
    full = np.arange(8.0)
    assert fitness_ranks._survivors(full, full) == (2, 2)
    assert fitness_ranks._survivors(full, -full) == (0, 2)
    assert fitness_ranks._survivors(full, np.array([0, 0, 0, 0, 9, 9, 9, 1.0])) == (2, 2)
