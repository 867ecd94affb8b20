"""Redrawn means of a table's rows: the agents, or the scores that a printed table gives."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mirrorpo.resampling import agents_sample
from mirrorpo.study.statistics.agent_rows import CELL, agent_rows, one_per_cell, require
from mirrorpo.study.statistics.row_means import is_table


def redrawn_means(
    frame: pd.DataFrame, names: Sequence[str], resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """Mean of each row, with its agents drawn anew.

    Args:
        frame: agents, one row each, or a table with columns `algorithm`, `mean` and
            `standard_error`. Agents are redrawn by (data draw, seed), the same for all rows, since
            rows share their draws and start states; a row that lacks some of these cells is
            redrawn by its own. The means of a table are redrawn from the normal distribution of
            that error; a mean whose error is unknown (one agent) stays.
        names: the algorithms, in order.
        resamples: how often.
        rng: source of chance.

    Returns:
        Shape (resamples, names).

    Raises:
        ValueError: a column is missing, or two agents share a cell.
    """
    require(frame, ["algorithm"], "The rows")
    if is_table(frame):
        table = frame.set_index("algorithm").loc[list(names)]
        error = np.nan_to_num(table["standard_error"].to_numpy(float), nan=0.0)
        return rng.normal(table["mean"].to_numpy(float), error, (resamples, len(names)))
    agents = agent_rows(frame)
    scores = {
        name: one_per_cell(agents[agents["algorithm"] == name], str(name)).dropna()
        for name in names
    }
    whole = max(scores.values(), key=len).index
    shared = _sample(whole, resamples, rng)
    columns = []
    for found in scores.values():
        same = found.index.equals(whole)
        sample = shared if same else _sample(found.index, resamples, rng)
        columns.append(found.to_numpy()[sample].mean(axis=1))
    return np.stack(columns, axis=1)


def _sample(cells: pd.Index, resamples: int, rng: np.random.Generator) -> np.ndarray:
    return agents_sample(cells.get_level_values(CELL[0]).to_numpy(), resamples, rng)
