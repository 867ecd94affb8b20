"""Which preference pairs an objective's plan leaves out, by how far their labels are trusted."""

import dataclasses
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from mirrorpo.cross_fitting import check_enough, cross_fitted_margins, groups, trust_ranks
from mirrorpo.language.models.completion_logits import completion_logits
from mirrorpo.language.trl_names import broadcast_object_list, torch, transformers
from mirrorpo.objectives import Objective
from mirrorpo.preference_texts.reading import PreferenceTexts

REGULARISATION = 0.5
"""scikit-learn's C of a logistic model on hidden states, divided by the root of their number."""

logger = logging.getLogger(__name__)


def kept(
    texts: PreferenceTexts, objective: Objective, ease: Sequence[float] | None
) -> PreferenceTexts:
    """The pairs without those that a user trusts least, as many as the objective leaves out.

    Args:
        texts: all pairs.
        objective: may declare a `PairPlan`.
        ease: how far each label is trusted, in any unit, shape (pairs,); None for all pairs.

    Raises:
        ValueError: ease that is not one finite number per pair, or an objective that leaves none
            out.
    """
    if ease is None:
        return texts
    if objective.pair_plan is None:
        raise ValueError(
            f"ease ranks the pairs for objectives that leave some out, and {objective.name} "
            "leaves none out: pass no ease, or take slic-filtered or dpo-filtered."
        )
    trust, pairs = np.asarray(ease, float), len(texts.rows)
    if trust.shape != (pairs,) or not np.isfinite(trust).all():
        raise ValueError(
            f"ease has the shape {trust.shape}, but must be one finite number for each of the "
            f"{pairs} pairs."
        )
    rows = tuple(texts.rows[row] for row in _staying(objective, trust, texts.source))
    return dataclasses.replace(texts, rows=rows)


def trusted(
    pairs: Any,
    objective: Objective,
    model: Any,
    collator: Callable[[Any], Any],
    batch_size: int,
    what: str,
    accelerator: Any,
) -> Any:
    """The pairs without those that the model's own hidden states trust least.

    Logistic models, each asked about pairs that it has not seen, read the mean over a completion's
    tokens of the model's last hidden states: a reward model that needs no other weights.

    Args:
        pairs: tokenised pairs, as `rows.select_pairs` returns them.
        objective: declares a `PairPlan`.
        model: as it is before training; left in the mode it came in.
        collator: makes a batch of rows.
        batch_size: pairs at once.
        what: the data's name in messages.
        accelerator: shared by all processes; the main one chooses for all.

    Raises:
        ValueError: too few pairs or prompts, see `cross_fitting.cross_fitted_margins`; or a model
            that no process has whole.
    """
    check_enough(len(pairs))
    if transformers.integrations.is_deepspeed_zero3_enabled():
        raise ValueError(
            f"{objective.name} asks the model which labels to trust, and under ZeRO-3 no process "
            "has the whole model: pass ease, the trust in each label."
        )
    chosen: list[Any] = [None]
    if accelerator.is_main_process:
        found = margins(pairs, model, collator, batch_size)
        chosen = [_staying(objective, found, what)]
    return pairs.select(broadcast_object_list(chosen)[0])


def margins(pairs: Any, model: Any, collator: Callable[[Any], Any], batch_size: int) -> np.ndarray:
    """How far logistic models of other pairs' hidden states agree with each label."""
    batches = (
        collator([pairs[row] for row in range(first, min(first + batch_size, len(pairs)))])
        for first in range(0, len(pairs), batch_size)
    )
    difference = _hidden_difference(model, batches)
    asked = zip(pairs["chosen_input_ids"], pairs["chosen_labels"], strict=True)
    group = groups(_prompt(*row) for row in asked)
    return cross_fitted_margins(difference, group, REGULARISATION)


def _staying(objective: Objective, trust: np.ndarray, what: str) -> list[int]:
    """The rows that stay, rising; the most trusted does, whatever the share."""
    plan, rank = objective.pair_plan, trust_ranks(trust)
    assert plan is not None
    rows = np.flatnonzero(rank >= min(float(plan.dropped), float(rank.max()))).tolist()
    lost = len(rank) - len(rows)
    logger.warning("%s: %s leaves out %d of %d pairs.", what, objective.name, lost, len(rank))
    return rows


@torch.no_grad()
def _hidden_difference(model: Any, batches: Iterator[Any]) -> np.ndarray:
    """Means of chosen completions' hidden states minus those of rejected ones, in one scale."""
    training = model.training
    model.eval()
    found = []
    try:
        for batch in batches:
            sides = []
            for side in ("chosen", "rejected"):
                ids, mask, labels = (
                    batch[f"{side}_{kind}"].to(model.device)
                    for kind in ("input_ids", "attention_mask", "labels")
                )
                nothing = torch.full_like(labels, -100)  # no logits: only the states are read
                asked = completion_logits(model, ids, mask, nothing, output_hidden_states=True)
                states = asked.outputs.hidden_states
                weight = (labels != -100).float()[..., None]
                sides.append((states[-1].float() * weight).sum(1) / weight.sum(1))
            found.append(torch.stack(sides).cpu().numpy())
    finally:
        model.train(training)
    both = np.concatenate(found, axis=1)
    scale = both.std(axis=(0, 1)) * np.sqrt(both.shape[-1])
    difference: np.ndarray = (both[0] - both[1]) / np.maximum(scale, 1e-6)
    return difference


def _prompt(ids: Sequence[int], labels: Sequence[int]) -> tuple[int, ...]:
    """The tokens before a completion, which alone have no label."""
    return tuple(token for token, label in zip(ids, labels, strict=True) if label == -100)
