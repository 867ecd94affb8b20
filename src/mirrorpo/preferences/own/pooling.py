"""Pools from recorded episodes: the source of each episode, and which episodes form a pair.

Episodes stand in blocks of four, two of each source, and no episode is in two blocks. So a pool can
be split into parts that share none (see `holding`).
"""

from collections.abc import Sequence

import numpy as np

from mirrorpo.preferences.data import Pool
from mirrorpo.preferences.own.cutting import cut
from mirrorpo.preferences.own.settings import ImportSettings
from mirrorpo.preferences.own.steps import Steps
from mirrorpo.variants import BETTER, COPIES, WORSE

ROWS_A_BLOCK = 4
"""Most pairs of one block: two better and two worse episodes meet in four ways."""

_ARRANGED = np.array([[[0, 1], [2, 3]], [[1, 0], [3, 2]], [[0, 1], [3, 2]], [[1, 0], [2, 3]]])
"""Places within a block: ways, source, copy. The first copies are what pairs of one episode from
each source take (`variants.draw_pairs`): after two ways each episode was there once."""


def make(steps: Steps, settings: ImportSettings) -> Pool:
    """A pool of a file's finished episodes.

    Args:
        steps: the steps of the file, with rewards.
        settings: what they say of sources, `rows`, `seed` and `start` (a column of
            `steps.values`) counts here.

    Raises:
        ValueError: no rewards, sources that contradict themselves or are not told, or of which
            none has the higher returns, too few episodes, or more rows than there are ways to pair
            them.
    """
    _check_sources(settings)
    if steps.rewards is None:
        raise ValueError(
            f"{steps.where} has no rewards: a pool's judge compares returns. Name the column by "
            "--columns rewards=NAME, or import labels (--labels)."
        )
    whole = np.flatnonzero(steps.finished)
    ends = np.add.reduceat(steps.rewards, steps.first)[whole]
    agent, names = _agents(steps, whole, ends, settings)
    draw = np.random.default_rng(settings.seed)
    start = settings.start
    groups = _groups(steps, whole, start)
    blocks = [
        block
        for group in groups
        for block in _blocks(group[agent[group] == BETTER], group[agent[group] == WORSE], draw)
    ]
    if not blocks:
        counts = [int((agent == which).sum()) for which in (BETTER, WORSE)]
        raise ValueError(
            f"{steps.where}: {counts[0]} episodes of the better source and {counts[1]} of the "
            f"worse{' share no start state' if start else ''}: a pair takes two of each."
        )
    most = ROWS_A_BLOCK * len(blocks)
    rows = COPIES * len(blocks) if settings.rows is None else settings.rows
    if not 1 <= rows <= most:
        raise ValueError(
            f"rows must be between 1 and {most}, not {rows}: {len(blocks)} times two better and "
            "two worse episodes meet in four ways each."
        )
    used = np.concatenate(blocks)
    trajectories = cut(
        steps,
        steps.first[whole[used]],
        steps.length[whole[used]],
        agent[used],
        whole[used] if start is None else _numbers(steps, whole[used], start),
    )
    way, block = np.divmod(np.arange(rows), len(blocks))
    members = (_ARRANGED[way] + (2 * COPIES * block)[:, None, None]).astype(np.int32)
    told = settings.better is not None or settings.worse is not None
    means = [float(ends[agent == which].mean()) for which in (BETTER, WORSE)]
    if means[BETTER] == means[WORSE] and not told:
        raise ValueError(
            f"{steps.where}: both sources have the mean return {means[BETTER]:g}, so nothing tells "
            "which one is better: name it by --sources and --better."
        )
    about = [
        {
            "name": name,
            "episodes": int((agent == which).sum()),
            "return_mean": round(means[which], 6),
        }
        for which, name in zip((BETTER, WORSE), names, strict=True)
    ]
    card = {
        "rows": rows,
        "pool_seed": settings.seed,
        "same_start": start is not None,
        "better": about[BETTER],
        "worse": about[WORSE],
        "episodes": {
            "in the file": len(steps.first),
            "used": len(used),
            "without an end": int((~steps.finished).sum()),
            "of neither source": int((agent < 0).sum()),
            "without a partner": int((agent >= 0).sum()) - len(used),
        },
    }
    return Pool(trajectories, card, members)


def _check_sources(settings: ImportSettings) -> None:
    for name in ("better_share", "worse_share"):
        if not 0.0 < getattr(settings, name) < 1.0:
            raise ValueError(f"{name} must be between 0 and 1, not {getattr(settings, name)}.")
    if settings.better_share + settings.worse_share > 1.0 + 1e-9:
        raise ValueError(
            f"better_share {settings.better_share:g} and worse_share {settings.worse_share:g} are "
            "more than all episodes: no episode can be of both."
        )
    if settings.sources is None and (settings.better is not None or settings.worse is not None):
        raise ValueError("better and worse name values of a column: name the column by --sources.")


def _agents(
    steps: Steps, whole: np.ndarray, returns: np.ndarray, settings: ImportSettings
) -> tuple[np.ndarray, tuple[str, str]]:
    """Source of each whole episode, -1 for neither, and the sources' names."""
    agent = np.full(len(whole), -1)
    if settings.sources is None:
        order = np.argsort(returns, kind="stable")
        better = round(settings.better_share * len(whole))
        worse = min(round(settings.worse_share * len(whole)), len(whole) - better)
        agent[order[:worse]] = WORSE
        agent[order[len(order) - better :]] = BETTER
        return agent, (
            f"best {100 * settings.better_share:g} %",
            f"worst {100 * settings.worse_share:g} %",
        )
    values = np.array([str(value) for value in steps.values[settings.sources][whole]])
    found = list(dict.fromkeys(values))
    chosen = [settings.better, settings.worse]
    if None in chosen:
        if len(found) != 2:
            raise ValueError(
                f"{steps.where}: {settings.sources} has {len(found)} values "
                f"({', '.join(found[:8])}): name two of them by --better and --worse."
            )
        means = {value: returns[values == value].mean() for value in found}
        ranked = sorted(found, key=lambda value: -means[value])
        if settings.better == ranked[1] or settings.worse == ranked[0]:
            ranked.reverse()
        chosen = [named or other for named, other in zip(chosen, ranked, strict=True)]
    for role, value in zip(("better", "worse"), chosen, strict=True):
        if value not in found:
            raise ValueError(
                f"{steps.where}: {settings.sources} has no value {value!r} for the {role} source; "
                f"it has {', '.join(found[:8])}."
            )
    if chosen[0] == chosen[1]:
        raise ValueError(f"better and worse are both {chosen[0]!r}: name two sources.")
    better_name, worse_name = str(chosen[0]), str(chosen[1])
    agent[values == better_name] = BETTER
    agent[values == worse_name] = WORSE
    return agent, (better_name, worse_name)


def _groups(steps: Steps, whole: np.ndarray, start: str | None) -> Sequence[np.ndarray]:
    """Episodes that may form a pair, as positions in `whole`."""
    if start is None:
        return [np.arange(len(whole))]
    numbers = _numbers(steps, whole, start)
    return [np.flatnonzero(numbers == number) for number in dict.fromkeys(numbers)]


def _numbers(steps: Steps, episodes: np.ndarray, start: str) -> np.ndarray:
    """The start states' numbers, numbered by their order in the file where they are not numbers."""
    values = steps.values[start]
    if values.dtype.kind not in "iu":
        _, values = np.unique(values, return_inverse=True)
    found: np.ndarray = values[episodes]
    return found


def _blocks(
    better: np.ndarray, worse: np.ndarray, draw: np.random.Generator
) -> Sequence[np.ndarray]:
    """Two better and two worse episodes each, in an order that is drawn."""
    count = min(len(better), len(worse)) // COPIES
    if not count:
        return []
    picked = [
        draw.permutation(one)[: count * COPIES].reshape(count, COPIES) for one in (better, worse)
    ]
    return list(np.concatenate(picked, axis=1))
