"""Redrawn means of a table's rows: the agents, or the scores that a printed table gives."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mirrorpo.study.statistics.agent_rows import CELL, agent_rows, one_per_cell, require
from mirrorpo.study.statistics.row_means import is_table


def nested_sample(draws: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of agents redrawn in two steps: data draws first, then agents within each.

    One draw fewer than there are is chosen, with replacement: the variance between draws is then
    right for any number of them (as many as there are would halve it for two). Redrawing agents
    on top makes intervals of few draws wide rather than narrow.

    Args:
        draws: the data draw of each agent, shape (agents,).
        resamples: how often.
        rng: source of chance.

    Returns:
        Shape (resamples, agents chosen), int. Where draws differ in their number of agents, every
        chosen draw gives as many as the largest has, so that all draws weigh alike.
    """
    _, index = np.unique(draws, return_inverse=True)
    members = [np.flatnonzero(index == draw) for draw in range(index.max() + 1)]
    chosen = rng.integers(len(members), size=(resamples, max(len(members) - 1, 1)))
    most = max(len(found) for found in members)
    sizes = np.array([len(found) for found in members])
    padded = np.array([np.resize(found, most) for found in members])
    within = np.floor(rng.random((*chosen.shape, most)) * sizes[chosen][..., None]).astype(int)
    return np.asarray(padded[chosen[..., None], within].reshape(resamples, -1))


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
    shared = _agents_sample(whole, resamples, rng)
    columns = []
    for found in scores.values():
        same = found.index.equals(whole)
        sample = shared if same else _agents_sample(found.index, resamples, rng)
        columns.append(found.to_numpy()[sample].mean(axis=1))
    return np.stack(columns, axis=1)


def _agents_sample(cells: pd.Index, resamples: int, rng: np.random.Generator) -> np.ndarray:
    draws = cells.get_level_values(CELL[0]).to_numpy()
    if len(np.unique(draws)) > 1:
        return nested_sample(draws, resamples, rng)
    # One fewer than there are, as with draws.
    return rng.integers(len(cells), size=(resamples, max(len(cells) - 1, 1)))
