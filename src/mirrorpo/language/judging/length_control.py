"""The win rate that answers of equal length would have: alpaca_eval's regression.

Dubois et al., "Length-Controlled AlpacaEval: A Simple Way to Debias Automatic Evaluators", 2024
(arXiv:2404.04475).
"""

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from .alpaca_names import length_controlled, silence
from .answers import Pair
from .difficulty import COLUMNS
from .difficulty import check as check_difficulties
from .rates import Rate, bootstrap

RELIABLE_PAIRS = 805
"""Pairs at which the regression recovers a known rate; at 60 it does not."""

RESAMPLES = 200
_FOLDS = 5  # of the regression's cross-validation


@dataclass(frozen=True)
class Controlled(Rate):
    """A length-controlled win rate.

    Attributes:
        converged: whether the regression on all pairs did. If not, the rate is where it stopped.
    """

    converged: bool = True


def win_rate(
    pairs: Sequence[Pair],
    preferences: Sequence[float | None],
    difficulty: Path | None = None,
    seed: int = 0,
    report: Callable[[int, int], None] = lambda done, of: None,
) -> Controlled | None:
    """The length-controlled win rate.

    It is None for fewer than five pairs, or where all differences in length are the same.

    The standard error that alpaca_eval reports is near 0 where the difficulty is constant, so
    the errors here are a bootstrap of the whole regression.

    Args:
        pairs: the answers.
        preferences: for the candidate, each in [0, 1]; a pair with None is left out.
        difficulty: a file that `difficulty.check` takes, alpaca_eval's ``df_gamed.csv``, whose
            index numbers the instructions in the order of `pairs`: the regression is then
            ``length_controlled_v1``. None for instructions of unknown difficulty:
            ``length_controlled_minimal``, which has a term for length and one for the model.
        seed: the seed of the bootstrap.
        report: called with (regressions done, all regressions).

    Raises:
        ValueError: as `difficulty.check`.
    """
    frame = pd.DataFrame(
        {
            "preference": [None if value is None else 1.0 + value for value in preferences],
            "output_1": [pair.baseline for pair in pairs],
            "output_2": [pair.candidate for pair in pairs],
            "generator_1": "baseline",
            "generator_2": "model",
            "annotator": "judge",
        }
    )
    frame = frame[frame["preference"].notna()]
    differences = (frame["output_1"].str.len() - frame["output_2"].str.len()).to_numpy(float)
    if len(frame) < _FOLDS or np.std(differences) == 0:
        return None
    with tempfile.TemporaryDirectory() as folder:
        model = "length_controlled_minimal"
        path = Path(folder) / "difficulty.csv"
        if difficulty is not None:
            model, path = "length_controlled_v1", difficulty
            check_difficulties(path, len(pairs))
        else:
            _constant(len(pairs)).to_csv(path, index=False)
        done = 0
        converged: list[bool] = []  # the first is of all pairs

        def rate(rows: np.ndarray) -> float:
            nonlocal done
            report(done, RESAMPLES + 1)
            done += 1
            if np.std(differences[rows]) == 0:
                return math.nan
            found, whether = length_controlled(frame.iloc[rows], model, str(path))
            converged.append(whether)
            return found

        with silence():
            found = bootstrap(rate, len(frame), RESAMPLES, seed)
    return Controlled(**asdict(found), converged=converged[0])


def _constant(pairs: int) -> pd.DataFrame:
    rows = [(number, 1.0, 0.0, 0.0, "none", False) for number in range(pairs)]
    return pd.DataFrame(rows, columns=list(COLUMNS))
