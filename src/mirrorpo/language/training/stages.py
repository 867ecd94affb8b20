"""Which objective trains at which step: the stages of an objective."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from mirrorpo.objectives import Objective, registry, stage_shares


@dataclass(frozen=True)
class Stage:
    """Steps `start` (included) to `end` (excluded) of training, under one objective."""

    objective: Objective
    start: int
    end: int

    def progress(self, step: int) -> float:
        """How much of the stage is done when `step` begins, in [0, 1]."""
        return min(max((step - self.start) / (self.end - self.start), 0.0), 1.0)


@dataclass(frozen=True)
class TrainingStages:
    """Objectives in the order they train, and each one's share of the training."""

    objectives: tuple[Objective, ...]
    shares: tuple[int, ...]

    @classmethod
    def of(cls, objective: Objective, aggregation: str, sft_stage: bool) -> "TrainingStages":
        """The stages of an objective.

        Args:
            objective: trains last, with the steps that its `stages` give it.
            aggregation: "sum" or "mean" for all stages; "objective" keeps the objective's own,
                and the mean for the stages before it.
            sft_stage: whether there are stages before it.
        """
        own = {} if aggregation == "objective" else {"aggregation": aggregation}
        last = dataclasses.replace(objective, **own)
        if not sft_stage:
            return cls((last,), (1,))
        first = [
            registry.make(name, **{"aggregation": "mean", **own})
            for name, _ in objective.stages[:-1]
        ]
        return cls((*first, last), tuple(share for _, share in objective.stages))

    def plan(self, steps: int, epochs: float) -> tuple[Stage, ...]:
        """The stages of a training of `steps` steps.

        Stages begin and end with an epoch where `epochs` is a whole number of which every stage
        can have one, as on the robots; else they share the steps.

        Args:
            steps: optimiser steps of the whole training, at least one for each stage.
            epochs: passes over the data; 0 where the number of steps was given instead.

        Raises:
            ValueError: fewer whole epochs, or fewer steps, than stages.
        """
        whole = epochs >= 1 and float(epochs).is_integer()
        units = int(epochs) if whole else steps
        edges = stage_shares.ends(self.shares, units) if units >= len(self.shares) else None
        if edges is None:
            names = ", ".join(objective.name for objective in self.objectives)
            raise ValueError(
                f"{self.objectives[-1].name} trains in {len(self.shares)} stages ({names}), so it "
                f"needs at least {len(self.shares)} {'epochs' if whole else 'steps'}, not {units}: "
                "raise num_train_epochs or max_steps, or set sft_stage=False."
            )
        scaled = [edge * steps // units for edge in edges]
        return tuple(
            Stage(objective, start, end)
            for objective, start, end in zip(
                self.objectives, [0, *scaled[:-1]], scaled, strict=True
            )
        )


def stage_at(plan: Sequence[Stage], step: int) -> Stage:
    """The stage that `step` belongs to; the last one at the end of training."""
    return next((stage for stage in plan if step < stage.end), plan[-1])
