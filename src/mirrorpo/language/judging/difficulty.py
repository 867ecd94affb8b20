"""alpaca_eval's file of difficulties, checked before a judge is asked: its regression reads it."""

from pathlib import Path

import numpy as np
import pandas as pd

from mirrorpo import bounded

NUMBERS = ("index", "preference", "std_delta_len", "instruction_difficulty")
COLUMNS = (*NUMBERS, "model", "not_gamed_baseline")


def check(path: Path, pairs: int = 0) -> None:
    """See that the regression can read a file of difficulties.

    Args:
        path: a file with the columns `COLUMNS`, alpaca_eval's ``df_gamed.csv``.
        pairs: how many instructions it must have, numbered from 0.

    Raises:
        ValueError: it is missing, lacks a column, holds something else than numbers, or does not
            have every instruction in its order.
    """
    try:
        bounded.check_size(path, "a difficulty file", bounded.TABLE)
        found = pd.read_csv(path)
    except FileNotFoundError:
        raise ValueError(f"No file of difficulties at {path}: it does not exist.") from None
    except (ValueError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} is not a difficulty file: {reason}") from None
    missing = [name for name in COLUMNS if name not in found.columns]
    if missing:
        raise ValueError(f"{path} is not a difficulty file: it has no column {', '.join(missing)}.")
    for name in NUMBERS:
        values = pd.to_numeric(found[name], errors="coerce").to_numpy(float)
        _refuse(path, found, name, ~np.isfinite(values), "a finite number")
    is_truth = found["not_gamed_baseline"].map(lambda value: isinstance(value, bool | np.bool_))
    _refuse(path, found, "not_gamed_baseline", ~is_truth.to_numpy(bool), "True or False")
    lost = set(range(pairs)) - set(found["index"])
    if lost:
        raise ValueError(
            f"{path} has no instruction {min(lost)} (and {len(lost) - 1} more): it belongs to "
            f"other instructions than these {pairs}, or they are in another order."
        )
    # alpaca_eval takes a difficulty by the row that it stands in.
    first = found.drop_duplicates("index")
    moved = first.index.to_numpy() != first["index"].to_numpy()
    if moved.any():
        raise ValueError(
            f"{path}, line {int(first.index[moved.argmax()]) + 2}: the index is "
            f"{first['index'].iloc[moved.argmax()]}, but the instructions must stand in their "
            "order, from 0 on, before any of them is repeated."
        )


def _refuse(path: Path, found: pd.DataFrame, name: str, wrong: np.ndarray, wanted: str) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        value = found[name].iloc[row]
        said = "empty" if pd.isna(value) else repr(str(value))
        raise ValueError(f"{path}, line {row + 2}: {name} is {said:.40}, but must be {wanted}.")
