"""A trainer's preference pairs: checked rows, their texts as a model reads them, their tokens."""

import hashlib
import logging
from collections.abc import Sequence
from typing import Any

from mirrorpo.language.models.chat import render
from mirrorpo.language.trl_names import datasets, torch
from mirrorpo.preference_texts import reading, tables
from mirrorpo.preference_texts.place import Place
from mirrorpo.preference_texts.reading import PreferenceTexts, Reading

ROW = "row"
"""Column with the number of a pair, by which its reference log-probs are found."""

PLACE = "place"
"""Column that says where a pair comes from, for messages."""

TOKENS = tuple(
    f"{side}_{kind}"
    for side in ("chosen", "rejected")
    for kind in ("input_ids", "attention_mask", "labels")
)

logger = logging.getLogger(__name__)


def checked(dataset: Any, what: str, first: int = 0, how: Reading | None = None) -> PreferenceTexts:
    """The rows of a `datasets.Dataset`, or `PreferenceTexts`, which have been checked.

    Args:
        dataset: one of the two.
        what: its name in messages.
        first: the number of its first row in messages.
        how: its layout; None for "auto".

    Raises:
        ValueError: something else, no rows, or as `reading.read`.
    """
    if isinstance(dataset, PreferenceTexts):
        return dataset
    if not isinstance(dataset, datasets.Dataset):
        raise ValueError(
            f"{what} is a {type(dataset).__name__}: PreferenceTrainer takes a datasets.Dataset, "
            "as of datasets.Dataset.from_list or load_dataset(..., split='train')."
        )
    table = dataset.with_format("arrow")[:]
    rows = tables.rows(table, lambda number: Place(what, first + number), what)
    return reading.check(rows, what, how)


def say_notes(texts: PreferenceTexts) -> None:
    """Log what the reader says of rows that no command has read."""
    for note in texts.notes:
        logger.warning("%s", note)


def rendered(texts: PreferenceTexts, tokenizer: Any) -> Any:
    """The texts of all pairs, as `chat.render` writes them, for TRL to tokenise.

    Returns:
        A `datasets.Dataset` with the columns prompt, chosen, rejected and `PLACE`.

    Raises:
        ValueError: as `chat.render`.
    """
    parts = [render(tokenizer, row) for row in texts.rows]
    if unwritten := [part.unwritten for part in parts if part.unwritten]:
        logger.warning(
            "%s: the chat template asks for an answer with %r, which it does not write before the "
            "answers of %d of %d pairs. They are trained without it; a model that is asked by "
            "this template begins after it.",
            *(texts.source, unwritten[0], len(unwritten), len(parts)),
        )
    return datasets.Dataset.from_dict(
        {
            "prompt": [part.prompt for part in parts],
            "chosen": [part.chosen for part in parts],
            "rejected": [part.rejected for part in parts],
            PLACE: [str(row.place) for row in texts.rows],
        }
    )


def select_pairs(
    tokenised: Any, texts: PreferenceTexts, max_length: int, long_prompts: str, end: int | None
) -> Any:
    """A tokenised dataset's token columns, without the pairs that truncation left no completion.

    Answers that were cut are counted in a warning.

    Args:
        tokenised: with `TOKENS` as columns.
        texts: what it was made of.
        max_length: the length to which sequences were cut, in tokens.
        long_prompts: "error" or "drop".
        end: the token that ends every answer that was not cut; None where there is none.

    Raises:
        ValueError: a prompt leaves no room for its completions and `long_prompts` is "error", or
            no pair is left.
    """
    what = texts.source
    tokenised = tokenised.select_columns(list(TOKENS))
    # Labels mark the prompt with -100, so a last label of -100 means that nothing follows it.
    fits = [
        chosen[-1:] != [-100] and rejected[-1:] != [-100]
        for chosen, rejected in zip(
            tokenised["chosen_labels"], tokenised["rejected_labels"], strict=True
        )
    ]
    lost = fits.count(False)
    if lost and long_prompts == "error":
        others = f" (and of {lost - 1} more)" if lost > 1 else ""
        place = texts.rows[fits.index(False)].place
        raise ValueError(
            f"{place.source}: the prompt of row {place.row}{others} fills the limit of "
            f"{max_length} tokens and leaves no room for a completion: raise max_length, or set "
            "long_prompts='drop' to train without such pairs."
        )
    if lost == len(fits):
        raise ValueError(f"{what}: no prompt leaves room for a completion in {max_length} tokens.")
    if lost:
        logger.warning("%s: left out %d pairs whose prompt fills max_length.", what, lost)
        tokenised = tokenised.select([row for row, fit in enumerate(fits) if fit])
    _say_cut(tokenised, what, max_length, end)
    return tokenised


def numbered(pairs: Any, first: int, args: Any) -> Any:
    """Pairs with `ROW`, from `first` on, and their lengths where batches are made by them.

    The length of a pair is its longer side's: to that a batch of it is padded.

    Args:
        pairs: with `TOKENS` as columns.
        first: the number of the first pair.
        args: the `transformers.TrainingArguments`.
    """
    pairs = pairs.add_column(ROW, list(range(first, first + pairs.num_rows)))
    if args.train_sampling_strategy not in ("group_by_length", "batch_rebalance"):
        return pairs
    sides = zip(pairs["chosen_input_ids"], pairs["rejected_input_ids"], strict=True)
    lengths = [max(len(chosen), len(rejected)) for chosen, rejected in sides]
    return pairs.add_column(args.length_column_name, lengths)


def digest(tokenised: Any) -> str:
    """A checksum of all token ids, in order."""
    total = hashlib.sha256()
    for name in ("chosen_input_ids", "rejected_input_ids"):
        for ids in tokenised[name]:
            total.update(torch.tensor([len(ids), *ids]).numpy().tobytes())
    return total.hexdigest()


def _say_cut(tokenised: Any, what: str, max_length: int, end: int | None) -> None:
    def is_cut(ids: Sequence[int]) -> bool:
        return len(ids) >= max_length and ids[-1] != end

    counts = [
        sum(is_cut(ids) for ids in tokenised[f"{side}_input_ids"])
        for side in ("chosen", "rejected")
    ]
    if any(counts):
        logger.warning(
            "%s: %d chosen and %d rejected answers of %d pairs do not fit in max_length=%d tokens "
            "with their prompts, and are cut there.",
            *(what, *counts, tokenised.num_rows, max_length),
        )
