"""Preference datasets from labels that people gave to segments of recorded episodes."""

import numpy as np

from mirrorpo import limits
from mirrorpo.preferences.data import PreferenceDataset
from mirrorpo.preferences.own.cutting import cut
from mirrorpo.preferences.own.label_files import EQUAL, FIRST, SECOND, SKIPPED, Labels
from mirrorpo.preferences.own.settings import ImportSettings, RowCount
from mirrorpo.preferences.own.steps import Steps
from mirrorpo.variants import BETTER

AS_LABELLED = "labels"
"""The variant of a dataset whose labels people gave, on its card."""

UNKNOWN = "unknown"
"""On a card, the returns of trajectories whose file has no rewards."""


def make(steps: Steps, labels: Labels, settings: ImportSettings) -> PreferenceDataset:
    """The pairs that have a preference, each of two runs of steps of one episode each.

    Skipped pairs and those of one segment with itself are left out, and counted on the card. What
    becomes of ties, the settings say.

    Raises:
        ValueError: no length of the segments, or two that differ; one that begins or ends outside
            the steps or crosses an episode's end; or no pair that is left. The message names file,
            column and row.
    """
    limits.at_least(1, segment=settings.segment)
    if settings.segment is not None:
        length = np.full((2, len(labels)), settings.segment)
        if labels.length is not None and (labels.length != length).any():
            pair = int(np.argmax((labels.length != length).any(axis=0)))
            raise ValueError(
                f"{labels.where} says itself how long its segments are, at row {pair} "
                f"{labels.length[0, pair]} and {labels.length[1, pair]} steps, not "
                f"{settings.segment}: leave --segment out."
            )
    elif labels.length is not None:
        length = labels.length
    else:
        raise ValueError(
            f"{labels.where} does not say how long its segments are: give --segment STEPS, or "
            "columns length_1 and length_2."
        )
    begin = np.stack([labels.first, labels.second])
    at, episode = _places(steps, labels.where, begin, length, settings.index_into)
    same = (at[0] == at[1]) & (length[0] == length[1])
    tied = (labels.verdict == EQUAL) & ~same
    told = np.isin(labels.verdict, (FIRST, SECOND)) & ~same
    doubled = tied if settings.ties == "half" else np.zeros_like(tied)
    chosen_side = np.where(labels.verdict == SECOND, 1, 0)
    row = np.concatenate([np.flatnonzero(told), np.flatnonzero(doubled), np.flatnonzero(doubled)])
    side = np.concatenate(
        [chosen_side[told], np.zeros(doubled.sum(), int), np.ones(doubled.sum(), int)]
    )
    if not len(row):
        raise ValueError(
            f"{labels.where} prefers nothing: of {len(labels)} pairs {int(tied.sum())} are equal, "
            f"{int((labels.verdict == SKIPPED).sum())} skipped, {int(same.sum())} of one segment."
        )
    order = np.argsort(row, kind="stable")
    row, side = row[order], side[order]
    pieces = np.stack([at, length, episode], axis=-1)
    ends = np.stack([pieces[side, row], pieces[1 - side, row]])
    unique, which = np.unique(ends.reshape(-1, 3), axis=0, return_inverse=True)
    chosen, rejected = np.split(which.reshape(-1).astype(np.int32), 2)
    trajectories = cut(
        steps, unique[:, 0], unique[:, 1], np.full(len(unique), BETTER), unique[:, 2]
    )
    card = {
        "rows": len(row),
        "variant": AS_LABELLED,
        "same_start": False,
        "returns": "of segments" if steps.rewards is not None else UNKNOWN,
        "labels": {
            "pairs": len(labels),
            "preferred": int(told.sum()),
            "equal": int(tied.sum()),
            "skipped": int((labels.verdict == SKIPPED).sum()),
            "of one segment": int(same.sum()),
            "ties": settings.ties,
        },
    }
    return PreferenceDataset(trajectories, chosen, rejected, card)


def _places(
    steps: Steps, where: str, begin: np.ndarray, length: np.ndarray, counted: RowCount
) -> tuple[np.ndarray, np.ndarray]:
    """Row of the first step, and episode, of each segment, both of shape (2, pairs)."""
    kept = _kept(steps, where) if counted == "qlearning" else np.arange(len(steps))
    for side in (0, 1):
        outside = (begin[side] < 0) | (begin[side] + length[side] > len(kept))
        if outside.any():
            at = int(np.argmax(outside))
            raise ValueError(
                f"{where}: indices_{side + 1} at row {at} is {begin[side, at]}: a segment of "
                f"{length[side, at]} steps from there is outside the {len(kept)} steps of "
                f"{steps.where}."
            )
    first, last = kept[begin], kept[begin + length - 1]
    episode = np.searchsorted(steps.first, first, side="right") - 1
    for side in (0, 1):
        crosses = (last[side] != first[side] + length[side] - 1) | (
            last[side] >= (steps.first + steps.length)[episode[side]]
        )
        if crosses.any():
            at = int(np.argmax(crosses))
            raise ValueError(
                f"{where}: indices_{side + 1} at row {at} is {begin[side, at]}: its "
                f"{length[side, at]} steps begin at {steps.place(int(first[side, at]))} of "
                f"{steps.where} and cross the episode's end."
            )
    return first, episode


def _kept(steps: Steps, where: str) -> np.ndarray:
    """The rows that D4RL's `qlearning_dataset` keeps."""
    if steps.timeouts is None:
        raise ValueError(
            f"{where}: indices of qlearning_dataset leave out the steps at which time was up, but "
            f"{steps.where} has no timeouts that would tell them."
        )
    kept = ~steps.timeouts
    kept[-1] = False
    return np.flatnonzero(kept)
