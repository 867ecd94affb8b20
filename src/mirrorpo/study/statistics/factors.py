"""What each factor of a designed experiment does to the order of losses and to their spread.

A setting is one combination of factor levels; in it, several losses are measured. Two settings
may differ in one factor (one at a time around a centre) or in many (a fractional factorial). The
effect of each factor is its coefficient in a least-squares fit over all settings, so that both
kinds of design, and unfinished ones, are read alike.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from mirrorpo.study.statistics.agent_rows import require
from mirrorpo.study.statistics.concordance import concordance
from mirrorpo.study.statistics.ranks import FEWEST, kendall
from mirrorpo.study.statistics.resampling import redrawn_means
from mirrorpo.study.statistics.row_means import row_means

RESAMPLES = 500
ORDER = "order"
TO_REFERENCE = "tau to reference"
SPREAD = "spread"


@dataclass(frozen=True)
class Design:
    """The settings of an experiment.

    Attributes:
        settings: one row per setting, one column per factor.
        levels: the levels of each factor, the baseline first.
        names: the losses that every setting has measured.
    """

    settings: pd.DataFrame
    levels: dict[str, list[Any]]
    names: tuple[str, ...]

    @property
    def terms(self) -> list[tuple[str, object]]:
        """(factor, level) of each level but the baseline."""
        return [(name, level) for name, found in self.levels.items() for level in found[1:]]

    @property
    def indicators(self) -> np.ndarray:
        """Which settings have which of `terms`, shape (settings, terms), 0 or 1."""
        columns = [(self.settings[name] == level).to_numpy() for name, level in self.terms]
        return np.stack(columns, axis=1).astype(float)


def factor_effects(
    frame: pd.DataFrame,
    factors: Sequence[str],
    reference: pd.DataFrame | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Effect of each factor on the order and on the spread of the losses.

    Three responses are explained:

    - "order": how far Kendall's tau between the orders of two settings falls where they differ in
      the factor, beyond what chance reorders (which a design of two settings cannot tell, and
      counts as effect). 0: the factor leaves the order as it is. It needs no reference.
    - "tau to reference": change of Kendall's tau with the reference's order, at this level against
      the baseline. Positive: the level brings the order nearer to the reference.
    - "spread": change of the standard deviation of the losses' means, in units of the score.

    Args:
        frame: agents, one row each: `algorithm`, the factors, `seed`, `score` (or `return_mean`)
            and, where there are several, `data_draw` and `variant`. Only losses that every setting
            has without a diverged agent count.
        factors: columns that hold levels. The level of the first row is the baseline; reorder the
            rows to choose another.
        reference: table of the order to compare with, columns `algorithm`, `mean` and
            `standard_error`, and `variant` where `frame` has several.
        resamples: the resamples of the bootstrap over agents; 0 for no intervals.
        seed: the seed of the bootstrap.

    Returns:
        One row per variant, response, factor and level, with columns `variant` (where `frame` has
        it), `response`, `factor`, `level`, `baseline`, `effect`, `low` and `high`, the ends of the
        95 % interval over agents, and `settings`, the number of settings behind it.

    Raises:
        ValueError: a column is missing; a factor has one level; fewer than three losses are common
            to all settings; or the design cannot tell two factors apart.
    """
    require(frame, ["algorithm", *factors], "The agents")
    if "variant" in frame and frame["variant"].nunique() > 1:
        parts = [
            factor_effects(part, factors, _of_variant(reference, variant), resamples, seed)
            for variant, part in frame.groupby("variant", sort=False)
        ]
        return pd.concat(parts, ignore_index=True)
    design, groups = read_design(frame, factors)
    means = [
        row_means(group).set_index("algorithm").loc[list(design.names), "mean"].to_numpy()
        for group in groups
    ]
    theirs = _reference_means(reference, design.names)
    effects = _effects(design, np.stack(means)[None], theirs)
    rng = np.random.default_rng(seed)
    drawn = None
    if resamples:
        redrawn = [redrawn_means(group, design.names, resamples, rng) for group in groups]
        drawn = _effects(design, np.stack(redrawn, axis=1), theirs)
    rows = []
    for response, found in effects.items():
        for position, (factor, level) in enumerate(design.terms):
            low, high = math.nan, math.nan
            if drawn is not None:
                low, high = np.quantile(drawn[response][:, position], [0.025, 0.975])
            row = {
                "response": response,
                "factor": factor,
                "level": level,
                "baseline": design.levels[factor][0],
                "effect": float(found[0, position]),
                "low": float(low),
                "high": float(high),
                "settings": len(design.settings),
            }
            if "variant" in frame:
                row = {"variant": frame["variant"].iloc[0], **row}
            rows.append(row)
    return pd.DataFrame(rows)


def setting_responses(
    frame: pd.DataFrame, factors: Sequence[str], reference: pd.DataFrame | None = None
) -> pd.DataFrame:
    """What each setting gave: `spread`, and with a reference `tau to reference` and `concordance`.

    Args:
        frame: as for `factor_effects`, of one variant.
        factors: columns that hold levels.
        reference: table of the order to compare with.

    Returns:
        One row per setting: the factors, `spread`, `tau to reference`, `concordance` (share of the
        pairs told apart by both sides that are ordered alike) and `pairs` behind it.

    Raises:
        ValueError: as `factor_effects`.
    """
    design, groups = read_design(frame, factors)
    tables = [row_means(group).set_index("algorithm").loc[list(design.names)] for group in groups]
    means = np.stack([table["mean"].to_numpy() for table in tables])
    found = design.settings.copy()
    found[SPREAD] = means.std(axis=1, ddof=1)
    theirs = _reference_means(reference, design.names)
    if reference is not None and theirs is not None:
        found[TO_REFERENCE] = _taus(means[None], theirs)[0]
        agreed = [concordance(table.reset_index(), reference) for table in tables]
        found["concordance"] = [one.share for one in agreed]
        found["pairs"] = [one.both for one in agreed]
    return found


def read_design(frame: pd.DataFrame, factors: Sequence[str]) -> tuple[Design, list[pd.DataFrame]]:
    """The design of an experiment, and the agents of each of its settings.

    Raises:
        ValueError: as `factor_effects`.
    """
    require(frame, ["algorithm", *factors], "The agents")
    levels = {name: list(dict.fromkeys(frame[name])) for name in factors}
    single = [name for name, found in levels.items() if len(found) < 2]
    if single:
        raise ValueError(f"{', '.join(single)} has one level only: there is no effect to estimate.")
    groups = [group for _, group in frame.groupby(list(factors), sort=False, dropna=False)]
    settings = pd.DataFrame([group[list(factors)].iloc[0] for group in groups])
    complete = [set(table["algorithm"][table["mean"].notna()]) for table in map(row_means, groups)]
    common = set.intersection(*complete)
    names = tuple(name for name in dict.fromkeys(frame["algorithm"]) if name in common)
    if len(names) < FEWEST:
        raise ValueError(
            f"{len(names)} losses have a score in all {len(groups)} settings; an order needs at "
            f"least {FEWEST}."
        )
    design = Design(settings.reset_index(drop=True), levels, names)
    _check_estimable(design)
    return design, groups


def _check_estimable(design: Design) -> None:
    columns = np.column_stack([np.ones(len(design.settings)), design.indicators])
    if np.linalg.matrix_rank(columns) == columns.shape[1]:
        return
    for position, (factor, level) in enumerate(design.terms, start=1):
        others = np.delete(columns, position, axis=1)
        if np.linalg.matrix_rank(others) == np.linalg.matrix_rank(columns):
            raise ValueError(
                f"These {len(design.settings)} settings cannot tell {factor}={level} from the "
                "other factors: add a setting in which it alone differs, or leave the factor out."
            )


def _effects(design: Design, means: np.ndarray, theirs: np.ndarray | None) -> dict[str, np.ndarray]:
    """Coefficients of each response, shape (n, terms), of means of shape (n, settings, losses)."""
    base = np.ones((len(design.settings), 1))
    by_setting = np.column_stack([base, design.indicators])
    pairs = list(combinations(range(len(design.settings)), 2))
    one, two = (np.array(side) for side in zip(*pairs, strict=True))
    apart = np.abs(design.indicators[one] - design.indicators[two])
    found = {}
    distance = 1.0 - kendall(means[:, one], means[:, two])
    # The intercept is what chance alone reorders. Few settings cannot tell it from the effects.
    chance = np.column_stack([np.ones(len(pairs)), apart])
    told_apart = np.linalg.matrix_rank(chance) == chance.shape[1]
    found[ORDER] = _fit(chance, distance)[:, 1:] if told_apart else _fit(apart, distance)
    if theirs is not None:
        found[TO_REFERENCE] = _fit(by_setting, _taus(means, theirs))[:, 1:]
    found[SPREAD] = _fit(by_setting, means.std(axis=-1, ddof=1))[:, 1:]
    return found


def _fit(columns: np.ndarray, responses: np.ndarray) -> np.ndarray:
    """Least-squares coefficients, shape (n, columns), of responses of shape (n, rows)."""
    return np.asarray(np.linalg.lstsq(columns, np.nan_to_num(responses).T, rcond=None)[0].T)


def _taus(means: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Kendall's tau of each setting with the reference over the losses that it has."""
    known = ~np.isnan(theirs)
    return kendall(means[..., known], np.broadcast_to(theirs[known], means[..., known].shape))


def _reference_means(reference: pd.DataFrame | None, names: Sequence[str]) -> np.ndarray | None:
    if reference is None:
        return None
    theirs = row_means(reference).set_index("algorithm")["mean"].reindex(list(names))
    if theirs.notna().sum() < FEWEST:
        raise ValueError(
            f"The reference has {theirs.notna().sum()} of the losses {', '.join(names)}; an order "
            f"needs at least {FEWEST}."
        )
    return theirs.to_numpy(float)


def _of_variant(reference: pd.DataFrame | None, variant: object) -> pd.DataFrame | None:
    if reference is None or "variant" not in reference:
        return reference
    return reference[reference["variant"] == variant]
