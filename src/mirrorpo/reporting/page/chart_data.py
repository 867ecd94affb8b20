"""What the page's charts of runs draw, as JSON."""

from typing import Any

from mirrorpo.reporting import labels
from mirrorpo.reporting.page.benches import BenchPart
from mirrorpo.reporting.page.reading import Parts
from mirrorpo.reporting.page.searches import SearchPart

_GENERATION = ("generation", "fitness_best", "fitness_mean", "fitness_of_mean", "fitness_start")
_VALIDATION = ("generation", "candidate", "score", "standard_error")


def document(parts: Parts) -> dict[str, Any]:
    """The content, by kind of run; runs are named by their place in the lists."""
    names: dict[str, None] = {}
    for bench in parts.benches:
        names.update(dict.fromkeys(bench.run.table.algorithms))
    return {
        "algorithms": list(names),
        "labels": labels.of(names),
        "benches": [_bench(bench) for bench in parts.benches],
        "searches": [_search(search) for search in parts.searches],
        "trainings": [
            [{"points": chart.points, "argument": chart.argument} for chart in training.charts]
            for training in parts.trainings
        ],
    }


def _search(search: SearchPart) -> dict[str, Any]:
    return {
        "generations": [
            {name: line.get(name) for name in _GENERATION} for line in search.generations
        ],
        "validations": [
            {name: line.get(name) for name in _VALIDATION} for line in search.validations
        ],
    }


def _bench(bench: BenchPart) -> dict[str, Any]:
    table, final = bench.run.table, bench.final
    groups = dict(list(final.groupby(["algorithm", "variant"])))
    cells = []
    for (algorithm, variant), cell in table.cells.items():
        agents = groups[algorithm, variant]
        summary = cell.summary
        cells.append(
            {
                "algorithm": algorithm,
                "variant": variant,
                "mean": summary.mean,
                "error": summary.standard_error,
                "agents": summary.agents,
                "diverged": summary.diverged,
                "lost": bench.is_lost(algorithm, variant),
                "scores": [
                    [int(seed), round(float(score), bench.quantities.decimals + 2)]
                    for seed, score in zip(agents.seed, agents.return_mean, strict=True)
                ],
                "curves": {
                    name: [float(f"{value:.5g}") for value in values]
                    for name, values in bench.curves.get((variant, algorithm), {}).items()
                },
                "stages": bench.stages.get(algorithm, []),
            }
        )
    return {
        "sources": [{"label": label, "mean": mean} for label, mean, _ in table.sources],
        "cells": cells,
        "shown_from": {variant: bench.shown_from(variant) for variant in table.variants},
        "score": bench.quantities.score,
        "decimals": bench.quantities.decimals,
        "argument": bench.quantities.argument,
        "step": bench.curve_step,
    }
