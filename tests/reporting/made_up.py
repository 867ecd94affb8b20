"""Bench folders whose agents score what a test says."""

import json

from mirrorpo.study.records import AgentRecord, BenchLog

SOURCES = ((2000.0, 5.0), (1000.0, 5.0))


def write_run(folder, scores, task="hopper", sources=SOURCES, **settings):
    """A bench folder whose agents all score what `scores` says for variant and algorithm."""
    folder.mkdir()
    variants, algorithms = list(scores), list(next(iter(scores.values())))
    found = {"task": task, "variants": variants, "algorithms": algorithms, **settings}
    (folder / "config.json").write_text(json.dumps({"settings": found}))
    rows = [
        {"label": label, "mean": mean, "standard_error": error}
        for label, (mean, error) in zip(("better", "worse"), sources, strict=True)
    ]
    (folder / "sources.json").write_text(json.dumps(rows))
    log = BenchLog(folder / "metrics.jsonl")
    for variant, by_algorithm in scores.items():
        for algorithm, score in by_algorithm.items():
            for seed in range(3):
                value = None if score is None else score + seed - 1
                error = None if score is None else 1.0
                log.add(
                    AgentRecord(
                        task,
                        variant,
                        algorithm,
                        "final",
                        "{}",
                        seed,
                        value,
                        error,
                        10,
                        score is None,
                        1.0,
                        1.0,
                    ),
                    {},
                )
    return folder
