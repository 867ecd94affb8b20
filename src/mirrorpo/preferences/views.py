"""The pairs of one variant of recorded or simulated data, whichever of the two it is."""

from dataclasses import replace

import numpy as np

from mirrorpo.preferences import data
from mirrorpo.preferences.data import Pool, PreferenceDataset
from mirrorpo.variants import Variant, flipped_labels, parse

Source = Pool | PreferenceDataset
"""What variants are views of."""


def label(source: Source, variant: str, seed: int, rows: int | None = None) -> PreferenceDataset:
    """Pairs of one variant.

    A pool's pairs are judged by `data.label`. Those of a dataset have labels already: `base` leaves
    them as they are, and `noisy:E` flips each with probability E.

    Args:
        source: a pool or a labelled dataset.
        variant: its faults.
        seed: the seed of the draws.
        rows: use the first rows only; None for all.

    Raises:
        ValueError: see `data.label`; or a variant that needs a pool.
    """
    faults = parse(variant)
    if isinstance(source, Pool):
        return data.label(source, faults, seed, rows)
    check(source, faults)
    rows = source.rows if rows is None else rows
    if not 1 <= rows <= source.rows:
        raise ValueError(f"rows must be between 1 and the dataset's {source.rows}, not {rows}.")
    flipped = flipped_labels(source.rows, faults, seed)[:rows]
    chosen, rejected = source.chosen[:rows], source.rejected[:rows]
    card = {**source.card, "rows": rows, "label_seed": seed}
    card["variant"] = f"{source.card.get('variant', 'labels')}, {faults}"
    return replace(
        source,
        chosen=np.where(flipped, rejected, chosen),
        rejected=np.where(flipped, chosen, rejected),
        card=card,
    )


def check(source: Source, variant: Variant | str) -> None:
    """See that a variant can be made of what is given.

    Raises:
        ValueError: it draws sources or asks a judge, and the labels are given already.
    """
    if isinstance(source, PreferenceDataset):
        flipped_labels(0, parse(variant) if isinstance(variant, str) else variant, 0)
