"""Pairs that are held out, so that a policy can be asked about labels it was not trained on."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mirrorpo.preferences.data import Pool, PreferenceDataset
from mirrorpo.preferences.views import Source

SHARE = 0.2
"""Share of the groups of pairs that are held out for the score, and of the rest for the search."""

FEWEST = 10
"""Groups of pairs: with fewer, one held-out pair decides much of the score."""


class Held(NamedTuple):
    """What is trained on, and the pairs that were held out of it."""

    source: Source
    pairs: PreferenceDataset


class HeldOutSplit(NamedTuple):
    """For a search of hyper-parameters and for the score, what each trains on and asks about.

    The score's held-out pairs are in neither part of the search.
    """

    search: Held
    score: Held


def split(source: Source, seed: int) -> HeldOutSplit:
    """Hold out a fifth of the data for the score, and a fifth of the rest for the search.

    Of a pool, groups of rows that share no episode with the others are held out, and the label of a
    held-out pair is its true order by return. Of a labelled dataset, pairs are held out, all labels
    of the same two segments together, with their labels as they are; other pairs may share one of
    the two. Pairs without a preference, ties and contradictions, are never held out.

    Raises:
        ValueError: too few groups.
    """
    group, may = _groups(source)
    candidates = np.unique(group[may])
    if len(candidates) < FEWEST:
        raise ValueError(
            f"The data fall into {len(candidates)} groups of pairs that can be held out, but at "
            f"least {FEWEST} are needed to score by held-out labels."
        )
    drawn = np.random.default_rng(seed).permutation(candidates)
    for_score = round(SHARE * len(drawn))
    for_search = round(SHARE * (len(drawn) - for_score))
    tested = np.isin(group, drawn[:for_score])
    asked = np.isin(group, drawn[for_score : for_score + for_search])
    return HeldOutSplit(
        Held(_part(source, ~tested & ~asked), _true_pairs(_part(source, asked & may))),
        Held(_part(source, ~tested), _true_pairs(_part(source, tested & may))),
    )


def _groups(source: Source) -> tuple[np.ndarray, np.ndarray]:
    """Group of each row, and whether it has a preference that can be asked for."""
    if isinstance(source, Pool):
        members = source.of_rows.reshape(source.rows, -1)
        count = len(source.trajectories)
        ends = np.repeat(members[:, :1], members.shape[1] - 1, axis=1).ravel()
        links = coo_array((np.ones(len(ends)), (ends, members[:, 1:].ravel())), (count, count))
        _, found = connected_components(links, directed=False)
        returns = source.trajectories.returns[source.of_rows[:, :, 0]]
        return found[members[:, 0]], returns[:, 0] != returns[:, 1]
    ends = np.stack([source.chosen, source.rejected], axis=1)
    _, group = np.unique(np.sort(ends, axis=1), axis=0, return_inverse=True)
    group = group.reshape(-1)
    forward = np.zeros(group.max() + 1, bool)
    backward = forward.copy()
    up = ends[:, 0] < ends[:, 1]
    forward[group[up]] = True
    backward[group[~up]] = True
    return group, ~(forward & backward)[group] & (ends[:, 0] != ends[:, 1])


def _part(source: Source, rows: np.ndarray) -> Source:
    if isinstance(source, Pool):
        return replace(source, members=source.of_rows[rows])
    return replace(source, chosen=source.chosen[rows], rejected=source.rejected[rows])


def _true_pairs(source: Source) -> PreferenceDataset:
    """Held-out pairs; a pool gives one episode per source and pair, the better one chosen."""
    if isinstance(source, PreferenceDataset):
        return source
    pair = source.of_rows[:, :, 0]
    worse_wins = source.trajectories.returns[pair[:, 0]] < source.trajectories.returns[pair[:, 1]]
    return PreferenceDataset(
        source.trajectories,
        np.where(worse_wins, pair[:, 1], pair[:, 0]),
        np.where(worse_wins, pair[:, 0], pair[:, 1]),
        source.card,
    )
