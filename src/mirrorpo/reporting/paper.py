"""The paper's own results, to stand beside ours.

Source: Alfano, Sapora, Foerster, Rebeschini and Teh, "Meta-Learning Objectives for Preference
Optimization" (arXiv:2411.06568). Hopper: Table 6. Three-Legged Ant: Tables 1 and 5.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from mirrorpo import files, typed

PaperScore = tuple[float, float]
"""Mean true return over 25 trained agents, and its standard error."""


@dataclass(frozen=True)
class PaperTask:
    """The paper's results on one task.

    Attributes:
        table: where they stand in the paper.
        better: return of the better source agent.
        worse: return of the worse source agent on the same task.
        scores: variant -> algorithm (our names) -> score.
    """

    table: str
    better: float
    worse: float
    scores: Mapping[str, Mapping[str, PaperScore]]


RESULTS: Mapping[str, PaperTask] = {
    task: typed.build(PaperTask, row)
    for task, row in files.read_object(
        files.asset("paper", "tables.json"), "the paper's results"
    ).items()
}
"""The paper's results by our task names."""


def table(task: str, variant: str) -> pd.DataFrame:
    """One column of the paper's tables: columns `algorithm`, `mean` and `standard_error`.

    Raises:
        KeyError: the paper has no such task or variant, see `RESULTS`.
    """
    rows = [(name, *score) for name, score in RESULTS[task].scores[variant].items()]
    return pd.DataFrame(rows, columns=["algorithm", "mean", "standard_error"])
