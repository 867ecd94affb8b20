"""Checks of a preference dataset, before and after it is tokenised."""

import hashlib
import logging
from typing import Any

from .trl_names import datasets, torch

COLUMNS = ("prompt", "chosen", "rejected")
ROW = "row"
"""Column with the number of a pair, by which its reference log-probs are found."""

TOKENS = tuple(
    f"{side}_{kind}"
    for side in ("chosen", "rejected")
    for kind in ("input_ids", "attention_mask", "labels")
)

logger = logging.getLogger(__name__)


def check_columns(dataset: Any, what: str) -> None:
    """See that a dataset holds preference pairs.

    Raises:
        ValueError: not a `datasets.Dataset`, empty, or a column is missing. Conversations that
            hold their prompt themselves need no prompt column.
    """
    if not isinstance(dataset, datasets.Dataset):
        raise ValueError(
            f"{what} is a {type(dataset).__name__}: PreferenceTrainer takes a datasets.Dataset, "
            "as of datasets.Dataset.from_list or load_dataset(..., split='train')."
        )
    missing = [name for name in COLUMNS if name not in dataset.column_names]
    if missing == ["prompt"] and dataset.num_rows and not isinstance(dataset[0]["chosen"], str):
        missing = []
    if missing:
        raise ValueError(
            f"{what} has no column {' and no column '.join(missing)}: a preference dataset has the "
            f"columns {', '.join(COLUMNS)}; this one has {', '.join(dataset.column_names)}."
        )
    if not dataset.num_rows:
        raise ValueError(f"{what} has no rows.")


def select_pairs(tokenised: Any, max_length: int, long_prompts: str, what: str) -> Any:
    """A tokenised dataset's token columns, without the pairs that truncation left no completion.

    Args:
        tokenised: with `TOKENS` as columns.
        max_length: to which sequences were cut.
        long_prompts: "error" or "drop".
        what: the dataset's name in messages.

    Raises:
        ValueError: a prompt leaves no room for its completions and `long_prompts` is "error", or
            no pair is left.
    """
    tokenised = tokenised.select_columns(list(TOKENS))
    # Labels mark the prompt with -100, so a last label of -100 means that nothing follows it.
    fits = [
        chosen[-1] != -100 and rejected[-1] != -100
        for chosen, rejected in zip(
            tokenised["chosen_labels"], tokenised["rejected_labels"], strict=True
        )
    ]
    lost = fits.count(False)
    if lost and long_prompts == "error":
        others = f" (and of {lost - 1} more)" if lost > 1 else ""
        raise ValueError(
            f"{what}: the prompt of row {fits.index(False)}{others} fills the limit of "
            f"{max_length} tokens and leaves no room for a completion: raise max_length, or set "
            "long_prompts='drop' to train without such pairs."
        )
    if lost == len(fits):
        raise ValueError(f"{what}: no prompt leaves room for a completion in {max_length} tokens.")
    if lost:
        logger.warning("%s: left out %d pairs whose prompt fills max_length.", what, lost)
        tokenised = tokenised.select([row for row, fit in enumerate(fits) if fit])
    return tokenised


def number_rows(tokenised: Any, first: int) -> Any:
    """The dataset with its rows numbered from `first` in the column `ROW`."""
    return tokenised.add_column(ROW, list(range(first, first + tokenised.num_rows)))


def digest(tokenised: Any) -> str:
    """A checksum of all token ids, in order."""
    total = hashlib.sha256()
    for name in ("chosen_input_ids", "rejected_input_ids"):
        for ids in tokenised[name]:
            total.update(torch.tensor([len(ids), *ids]).numpy().tobytes())
    return total.hexdigest()
