"""Run folders of language models, made with the writers that the commands use."""

import numpy as np

from mirrorpo import files, json_lines, runs
from mirrorpo.study.records import AgentRecord, BenchLog
from mirrorpo.study.settings import BenchSettings

MEASURES = {
    "win_rate": 60.0,
    "kl": 3.0,
    "distinct_1": 0.6,
    "distinct_2": 0.9,
    "tokens": 14.0,
    "perplexity": 20.0,
}
CURVES = ("loss", "margin", "accuracy", "logps/chosen", "logps/rejected")


def write_reviews(folder, *, seeds=3, diverged=(), finished=True):
    """A bench on reviews; `diverged` names (variant, algorithm, seed)."""
    settings = BenchSettings(
        task="reviews",
        variants=("base", "noisy:0.3"),
        algorithms=("sft", "dpo", "ta-mpo"),
        seeds=seeds,
    )
    runs.claim(folder, settings.recorded)
    draw = np.random.default_rng(0)
    log = BenchLog(folder / runs.METRICS)
    for variant in settings.variants:
        for rank, algorithm in enumerate(settings.algorithms):
            for seed in range(seeds):
                lost = (variant, algorithm, seed) in diverged
                record = AgentRecord(
                    task="reviews",
                    variant=variant,
                    algorithm=algorithm,
                    phase="final",
                    hyperparameters="{}" if algorithm == "sft" else '{"beta": 1.0}',
                    seed=seed,
                    return_mean=None if lost else 10 + 4 * rank + float(draw.normal()),
                    return_standard_error=None if lost else 1.5,
                    episodes=settings.episodes,
                    diverged=lost,
                    train_seconds=60.0,
                    evaluate_seconds=20.0,
                    measures={}
                    if lost
                    else {name: of + 0.01 * float(draw.normal()) for name, of in MEASURES.items()},
                )
                # As many digits as are published.
                curves = {name: draw.normal(size=12).round(2).tolist() for name in CURVES}
                log.add(record, curves)
    files.write_json(
        folder / "sources.json",
        [
            {"label": "better: target", "mean": 25.0, "standard_error": 1.0},
            {"label": "worse: original", "mean": 2.0, "standard_error": 1.0},
        ],
    )
    files.write_json(
        folder / "source_measures.json",
        {"better: target": MEASURES, "worse: original": {**MEASURES, "kl": 0.0, "win_rate": 50.0}},
    )
    if finished:
        files.write_atomically(
            folder / "results.csv", lambda path: log.frame().to_csv(path, index=False)
        )
    return folder


def write_align(folder, *, steps=40, finished=True):
    """A run of `mirrorpo align` with the numbers that a mirror objective logs."""
    settings = {"objective": "ta-mpo", "model_name_or_path": "some-model"}
    runs.claim(folder, {**settings, "dataset_name": "some-pairs", "training": {}})
    lines = []
    for step in range(1, steps + 1):
        t = step / steps
        numbers = {
            "loss": 2.0 - t,
            "loss/sft": (2.0 - t) * (1 - t),
            "loss/preference": (2.0 - t) * t,
            "weight/sft": 1 - t,
            "weight/preference": t,
            "margin": 2 * t,
            "accuracy": 0.5 + t / 2,
            "logps_per_token/chosen": -1.5 + t,
            "logps_per_token/rejected": -1.5 - t,
            "progress": t,
        }
        lines.append({**numbers, "step": step})
        if step % 20 == 0:
            lines.append({**{f"eval_{name}": of for name, of in numbers.items()}, "step": step})
    json_lines.write(folder / runs.METRICS, lines)
    if finished:
        files.write_json(
            folder / "results.json", {"eval_loss": 1.0, "eval_margin": 2.0, "eval_accuracy": 1.0}
        )
    return folder


def write_judged(folder):
    """A run of `mirrorpo judge` whose length control had too few pairs."""
    runs.claim(folder, {"contestants": [], "judge": {"function": "vader", "version": "1"}})
    rate = {"value": 62.5, "standard_error": 17.1, "low": 25.0, "high": 87.5}
    results = {
        "what": "win rate of mine against theirs on 8 instructions, judged by vader",
        "model": "mine",
        "baseline": "theirs",
        "pairs": 8,
        "without_verdict": 0,
        "win_rate": rate,
        "length_controlled_win_rate": None,
        "mean_characters": {"model": 120.0, "baseline": 80.0},
        "notes": ["No length-controlled win rate."],
    }
    files.write_json(folder / "results.json", results)
    return folder
