"""What the bench on texts trains and scores, typed and validated; light to import."""

from dataclasses import dataclass

from mirrorpo import limits, typed

_LOGS = 12


def logging_steps(steps: int) -> int:
    """Optimiser steps between two points of a training's curves."""
    return max(1, steps // _LOGS)


@dataclass(frozen=True)
class TextSettings:
    """The settings of a bench on texts that its models, texts and trainings need.

    The defaults are for SmolLM2-135M on two CPU cores, where a token costs about ten milliseconds
    to sample and ten to train: continuations of at most 32 tokens, adapters of rank 16 in place of
    all weights, and 60 steps of 8 pairs, so that one agent takes minutes and a table of ten
    objectives hours. Every agent gets the same number of optimiser steps, SFT stages included.

    Attributes:
        model: a hub's name, a folder, ``smollm2``, ``reviews-small``, or ``smoke`` for a tiny
            random model.
        rows: training prompts, each with two continuations of either source; so many pairs.
        test_prompts: on which agents are scored; they name other things.
        max_new_tokens: the most tokens of a continuation.
        best_of: continuations of each training prompt among which the target learns the best.
        target_steps: optimiser steps of the target, of 8 prompts each, with adapters of rank 16.
        target_learning_rate: Adam's learning rate at the start of the target's training.
        steps: optimiser steps of each agent, all stages together.
        minibatch: pairs per step.
        learning_rate: Adam's learning rate at the start of each stage; it falls linearly to 0.
        lora_r: rank of the adapters on all linear layers; the scale alpha / r is 2.
        aggregation: "mean" or "sum" of a continuation's log-probs, for all objectives alike. The
            bench on robots uses the mean, and there the grids belong.
        bf16: train agents in mixed precision, in bfloat16; None: on a GPU that has it. It is
            faster on processors with instructions for it (avx512_bf16, AMX) too.
        sample_batch: continuations at once when sampling.
        data_seed: the seed of the continuations and of the target.
    """

    model: str = "smollm2"
    rows: int = 256
    test_prompts: int = 64
    max_new_tokens: int = 32
    best_of: int = 8
    target_steps: int = 60
    target_learning_rate: float = 3e-4
    steps: int = 60
    minibatch: int = 8
    learning_rate: float = 3e-4
    lora_r: int = 16
    aggregation: str = "mean"
    bf16: bool | None = None
    sample_batch: int = 32
    data_seed: int = 0

    def __post_init__(self) -> None:
        typed.settle(self)
        ones = ("rows", "test_prompts", "minibatch", "lora_r", "sample_batch")
        twos = ("max_new_tokens", "best_of", "steps", "target_steps")
        limits.at_least(1, **{name: getattr(self, name) for name in ones})
        limits.at_least(2, **{name: getattr(self, name) for name in twos})
        limits.positive(
            learning_rate=self.learning_rate, target_learning_rate=self.target_learning_rate
        )
        if self.aggregation not in ("mean", "sum"):
            raise ValueError(f"aggregation must be mean or sum, not {self.aggregation!r}.")
