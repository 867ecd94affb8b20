"""The second table of a bench on texts: how often an agent's text beats the original model's."""

import math
from pathlib import Path

import pandas as pd

from mirrorpo import files
from mirrorpo.study import tables
from mirrorpo.study.tables import ResultTable, SourceAgent

SOURCE_MEASURES = "source_measures.json"
"""In a run folder: what else was measured of the two sources, by their label."""

TITLE = "Win rate against the original, in percent"


def table(out: Path, scores: ResultTable, frame: pd.DataFrame) -> ResultTable | None:
    """Win rates in percent.

    They say how often a model's continuation of a test prompt has the higher true reward, ties
    half. None of a bench on robots.

    Args:
        out: folder of the bench.
        scores: the table of its scores.
        frame: one row per trained agent, of `BenchLog.frame`.
    """
    path = out / SOURCE_MEASURES
    if not path.is_file():
        return None
    sources = [
        SourceAgent(label, own["win_rate"], own["win_rate_standard_error"])
        for label, own in files.read_json(path, "measures of the sources").items()
    ]
    # No agent of a run has one where all diverged.
    won = frame.assign(score=frame.get("win_rate", math.nan))
    return tables.build(won, scores.task, scores.algorithms, scores.variants, sources)
