"""The learning rate of a training in stages: each has the whole schedule to itself."""

from collections.abc import Callable, Sequence
from typing import Any

from mirrorpo.language.trl_names import torch, transformers

from .stages import Stage, stage_at


def schedule(
    optimizer: torch.optim.Optimizer, args: Any, plan: Sequence[Stage], rates: Sequence[float]
) -> torch.optim.lr_scheduler.LambdaLR:
    """The scheduler of a training.

    Args:
        optimizer: whose learning rate is `args.learning_rate`.
        args: a `transformers.TrainingArguments`; names the schedule and its warm-up.
        plan: the stages.
        rates: the peak learning rate of each stage.

    Raises:
        ValueError: a schedule that depends on more than the step.
    """
    factors = [_factor(args, stage.end - stage.start) for stage in plan]

    def relative(step: int) -> float:
        stage = stage_at(plan, step)
        position = plan.index(stage)
        share = rates[position] / args.learning_rate if args.learning_rate else 1.0  # nothing moves
        return share * factors[position](step - stage.start)

    return torch.optim.lr_scheduler.LambdaLR(optimizer, relative)


def _factor(args: Any, steps: int) -> Callable[[int], float]:
    """A schedule of `steps` steps as a function of the step, 1 at its peak."""
    stand_in = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    found = transformers.get_scheduler(
        args.lr_scheduler_type,
        optimizer=stand_in,
        num_warmup_steps=args.get_warmup_steps(steps),
        num_training_steps=steps,
        scheduler_specific_kwargs=args.lr_scheduler_kwargs,
    )
    if not isinstance(found, torch.optim.lr_scheduler.LambdaLR):
        raise ValueError(
            f"lr_scheduler_type {args.lr_scheduler_type!r} cannot be used in stages: choose "
            "linear, cosine or constant, or set sft_stage=False."
        )
    return found.lr_lambdas[0]


def forget(optimizer: Any) -> None:
    """Empty an optimiser's state, under the wrappers that accelerate and DeepSpeed put around."""
    while isinstance(getattr(optimizer, "optimizer", None), torch.optim.Optimizer):
        optimizer = optimizer.optimizer
    optimizer.state.clear()
