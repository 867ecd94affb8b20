"""Frames of agents and of printed tables, made for the tests of the statistics."""

import numpy as np
import pandas as pd


def agents(scores, draws=1, **columns):
    """Agents of several algorithms: for each name scores of shape (draws x seeds,)."""
    rows = []
    for name, of_row in scores.items():
        for draw, part in enumerate(np.array_split(np.asarray(of_row, float), draws)):
            rows += [
                {"algorithm": name, "data_draw": draw, "seed": seed, "score": score, **columns}
                for seed, score in enumerate(part)
            ]
    return pd.DataFrame(rows)


def table(means, error=0.1):
    """A printed table: name to mean, all with one standard error."""
    rows = [(name, mean, error) for name, mean in means.items()]
    return pd.DataFrame(rows, columns=["algorithm", "mean", "standard_error"])
