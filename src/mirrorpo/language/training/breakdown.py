"""What is logged beside the loss: its two terms, their weights, log-probs, margin, accuracy."""

from typing import Any

from mirrorpo.language.trl_names import torch
from mirrorpo.objectives import MirrorObjective, Objective, PairLogProbs, ScalarFunction
from mirrorpo.objectives.base import Batch


def aggregate(pairs: PairLogProbs[torch.Tensor], aggregation: str) -> Batch:
    """Log-probs as an objective with this aggregation sees them, each of shape (batch,).

    Args:
        pairs: PyTorch tensors; the reference may be missing, the lengths may not.
        aggregation: "sum" or "mean".
    """
    given: tuple[Any, Any] = (pairs.chosen_length, pairs.rejected_length)
    lengths = [length.clamp(min=1) for length in given]
    divisors = lengths if aggregation == "mean" else [1, 1]

    def divided(value: torch.Tensor | None, side: int) -> torch.Tensor | None:
        return None if value is None else value / divisors[side]

    return Batch(
        chosen=divided(pairs.chosen, 0),
        rejected=divided(pairs.rejected, 1),
        reference_chosen=divided(pairs.reference_chosen, 0),
        reference_rejected=divided(pairs.reference_rejected, 1),
        chosen_length=lengths[0],
        rejected_length=lengths[1],
    )


@torch.no_grad()
def breakdown(
    objective: Objective, pairs: PairLogProbs[torch.Tensor], losses: torch.Tensor, progress: float
) -> dict[str, torch.Tensor]:
    """Numbers of one batch to log, each a scalar.

    Args:
        objective: what gave `losses`.
        pairs: summed log-probs and lengths, each of shape (batch,).
        losses: the losses of each pair, shape (batch,).
        progress: the progress at which they were computed.

    Returns:
        `progress`; `logps/...` and `logps_per_token/...` of chosen and rejected completions;
        `rewards/chosen`, `rewards/rejected`, `rewards/margins` and `rewards/accuracies`, TRL's
        names and numbers: with a reference the summed log-ratio, as `DPOTrainer` has it for all
        its losses, without one the log-prob in the objective's aggregation, as `CPOTrainer`;
        times the objective's `beta`, IPO's `tau`, or 1 where it has neither;
        `margin`, the difference of their log-probs in the objective's aggregation, relative to the
        reference where it has one; `accuracy`, the share of positive margins, NaN where a margin
        is. Of members of the
        mirror family also `loss/sft` and `loss/preference`, which add up to the loss, and
        `weight/sft` and `weight/preference` (the latter is alpha(t) of a temporally-aware one).
    """
    batch = aggregate(pairs, objective.aggregation)
    margin = batch.chosen - batch.rejected
    if objective.needs_reference:
        margin = margin - (batch.reference_chosen - batch.reference_rejected)
    per_token = aggregate(pairs, "mean")
    numbers = {
        "progress": torch.tensor(progress),
        **_rewards(objective, pairs, batch),
        "logps/chosen": pairs.chosen.mean(),
        "logps/rejected": pairs.rejected.mean(),
        "logps_per_token/chosen": per_token.chosen.mean(),
        "logps_per_token/rejected": per_token.rejected.mean(),
        "margin": margin.mean(),
        "accuracy": _share_above_0(margin),
    }
    if isinstance(objective, MirrorObjective):
        numbers.update(_terms(objective, batch, losses, progress))
    return {
        name: torch.as_tensor(value, dtype=torch.float32).detach()
        for name, value in numbers.items()
    }


def _rewards(
    objective: Objective, pairs: PairLogProbs[torch.Tensor], batch: Batch
) -> dict[str, torch.Tensor]:
    chosen, rejected = batch.chosen, batch.rejected
    if objective.needs_reference:
        # The loss was computed, which refuses pairs without a reference.
        assert pairs.reference_chosen is not None
        assert pairs.reference_rejected is not None
        chosen = pairs.chosen - pairs.reference_chosen
        rejected = pairs.rejected - pairs.reference_rejected
    beta = getattr(objective, "beta", getattr(objective, "tau", 1.0))
    return {
        "rewards/chosen": (beta * chosen).mean(),
        "rewards/rejected": (beta * rejected).mean(),
        "rewards/margins": (beta * (chosen - rejected)).mean(),
        "rewards/accuracies": _share_above_0(chosen - rejected),
    }


def _share_above_0(margin: torch.Tensor) -> torch.Tensor:
    # A comparison with NaN is no, and would count as a wrong pair.
    return torch.where(margin.isnan(), margin, (margin > 0).float()).mean()


def _terms(
    objective: MirrorObjective, batch: Batch, losses: torch.Tensor, progress: float
) -> dict[str, torch.Tensor]:
    time = torch.tensor(progress, dtype=losses.dtype, device=losses.device)
    terms = objective.terms(batch, time)
    sft = torch.zeros_like(losses)
    if terms.sft_weight is not None:
        psi = terms.psi.at(time) if isinstance(terms.psi, ScalarFunction) else terms.psi
        sft = -(terms.sft_weight * psi(batch.chosen))
    numbers = {"loss/sft": sft.mean(), "loss/preference": (losses - sft).mean()}
    if terms.sft_weight is not None:
        # Some objectives weigh each pair on its own.
        numbers["weight/sft"] = torch.as_tensor(terms.sft_weight, dtype=torch.float32).mean()
    if terms.po_weight is not None:
        numbers["weight/preference"] = terms.po_weight
    return numbers
