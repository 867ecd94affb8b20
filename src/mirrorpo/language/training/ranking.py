"""Which preference pairs an objective's plan leaves out, by how far their labels are trusted."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence

import numpy as np

from mirrorpo.cross_fitting import check_enough, cross_fitted_margins, places
from mirrorpo.objectives import Objective
from mirrorpo.preference_texts import features
from mirrorpo.preference_texts.reading import PreferenceTexts

logger = logging.getLogger(__name__)


def check(objective: Objective, pairs: int, ease: Sequence[float] | None = None) -> None:
    """Refuse, before anything is computed, what `kept` cannot do.

    Args:
        objective: the objective of the training.
        pairs: number of pairs.
        ease: see `kept`.

    Raises:
        ValueError: an order by ease, or a loss that reads it; ease without an objective that
            leaves pairs out, not one finite number per pair; or too few pairs for a model of them.
    """
    plan = objective.pair_plan
    if objective.uses_ease or (plan is not None and plan.easy_first):
        raise ValueError(
            f"{objective.name} orders the pairs from the easiest to the hardest, which "
            "PreferenceTrainer does not: it only leaves pairs out. Take slic-filtered, or dpo."
        )
    if ease is not None:
        if plan is None:
            raise ValueError(
                f"ease ranks the pairs for objectives that leave some out, and {objective.name} "
                "leaves none out: pass no ease, or take slic-filtered or dpo-filtered."
            )
        values = np.asarray(ease, float)
        if values.shape != (pairs,) or not np.isfinite(values).all():
            raise ValueError(
                f"ease has the shape {values.shape}, but must be one finite number for each of the "
                f"{pairs} pairs."
            )
    elif plan is not None:
        check_enough(pairs)


def ease(texts: PreferenceTexts) -> np.ndarray:
    """How far logistic models of other pairs' words agree with each pair's label.

    Returns:
        Shape (pairs,), as of `cross_fitting.places`.

    Raises:
        ValueError: too few pairs or prompts, see `cross_fitting.cross_fitted_margins`.
    """
    rows = texts.rows
    sides = [[row.answer(side) for row in rows] for side in ("chosen", "rejected")]
    group = features.groups(row.question for row in rows)
    return places(cross_fitted_margins(features.difference(*sides), group, features.REGULARISATION))


def kept(
    texts: PreferenceTexts, objective: Objective, trusted: Sequence[float] | None = None
) -> PreferenceTexts:
    """The pairs without those that the objective's `PairPlan` leaves out.

    Args:
        texts: all pairs.
        objective: may declare a plan.
        trusted: how far each label is trusted, in any unit, shape (pairs,): the lowest are left
            out. None for `ease`.

    Raises:
        ValueError: see `check` and `ease`.
    """
    check(objective, len(texts.rows), trusted)
    plan = objective.pair_plan
    if plan is None:
        return texts
    rank = ease(texts) if trusted is None else places(np.asarray(trusted, float))
    # The easiest pair stays, whatever the share.
    stays = rank >= min(float(plan.dropped), float(rank.max()))
    rows = tuple(row for row, stay in zip(texts.rows, stays, strict=True) if stay)
    lost = len(texts.rows) - len(rows)
    logger.warning(
        "%s: %s leaves out %d of %d pairs.", texts.source, objective.name, lost, len(texts.rows)
    )
    return dataclasses.replace(texts, rows=rows)
