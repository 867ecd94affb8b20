"""Settings of a fine-tuning run: TRL's and transformers' own, and a few of ours."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from mirrorpo.language.trl_names import CPOConfig, torch

from .setting_checks import check_packages, check_schedule, check_values

AGGREGATIONS = ("objective", "sum", "mean")
LONG_PROMPTS = ("error", "drop")

# TRL's fields that state a loss, or what the trainer does not do. They would be ignored here.
_NOT_TAKEN = (
    "beta",
    "label_smoothing",
    "loss_type",
    "cpo_alpha",
    "simpo_gamma",
    "alpha",
    "generate_during_eval",
    "is_encoder_decoder",
)


def setting(default: Any, text: str) -> Any:
    """A field with the help text that TRL's argument parsers show."""
    return field(default=default, metadata={"help": text})


@dataclass
class PreferenceConfig(CPOConfig):
    """What `PreferenceTrainer` takes besides model, objective and data.

    All of `transformers.TrainingArguments` and of TRL's `CPOConfig`, except that a loss's
    hyper-parameters (`beta` and so on) belong to the objective and are refused here. Defaults that
    differ from TRL's: dropout stays on, bf16 is on only where a GPU computes in it, and a loss that
    is not finite is logged as it is.

    Attributes:
        aggregation: what a completion's log-prob is: "sum" or "mean" of its tokens', or
            "objective" for the objective's own convention. It holds for SFT stages too, which by
            their own convention take the mean, as is usual for language models.
        sft_stage: whether the SFT stages of the objective run first. False goes straight
            to the objective, whose reference is then the model as given.
        sft_learning_rate: of SFT stages; None for `learning_rate`. Every stage has the whole
            learning-rate schedule to itself, warm-up included.
        reset_optimizer: whether a new stage forgets the optimiser's moments, as if it were a run
            of its own.
        long_prompts: "error", or "drop" for leaving out pairs whose prompt fills `max_length`.
        padding_free: whether the sequences of a batch share rows as wide as the longest, in place
            of a padded row for each; the numbers are the same to rounding. Refused with models
            that cannot keep sequences apart in a row.
        reference_batch_size: pairs at once on a device when the reference's log-probs are
            computed; None for `per_device_train_batch_size`.

    Raises:
        ValueError: a hyper-parameter of a loss, a value of another kind or out of its range, or a
            package that is not installed.
    """

    aggregation: str = setting("objective", "Log-prob of a completion: objective, sum or mean.")
    sft_stage: bool = setting(True, "Run the SFT stages of the objective first.")
    sft_learning_rate: float | None = setting(None, "Learning rate of the SFT stages.")
    reset_optimizer: bool = setting(True, "Forget the optimiser's moments at a new stage.")
    long_prompts: str = setting("error", "Prompts that fill max_length: error or drop.")
    padding_free: bool = setting(False, "Let the sequences of a batch share rows.")
    reference_batch_size: int | None = setting(None, "Pairs at once for the reference.")
    disable_dropout: bool = setting(False, "Switch all dropout off, LoRA's too.")
    bf16: bool | None = setting(None, "Mixed precision in bfloat16; None: on a GPU.")
    logging_nan_inf_filter: bool = setting(False, "Log a loss of NaN as the mean of the others.")
    remove_unused_columns: bool | None = setting(False, "Not used: the trainer picks its columns.")

    def __post_init__(self) -> None:
        defaults = {item.name: item.default for item in dataclasses.fields(CPOConfig)}
        given = [name for name in _NOT_TAKEN if getattr(self, name) != defaults[name]]
        if given:
            raise ValueError(
                f"PreferenceConfig does not take {', '.join(given)}: hyper-parameters belong to "
                "the objective, as in objective=objectives.get('cpo', beta=0.05)."
            )
        check_values(self)
        check_packages(self)
        _one_of("aggregation", self.aggregation, AGGREGATIONS)
        _one_of("long_prompts", self.long_prompts, LONG_PROMPTS)
        if self.sft_learning_rate is not None and not self.learning_rate > 0:
            raise ValueError("sft_learning_rate needs a learning_rate above 0.")
        if self.bf16 is None:
            # TRL's default of True computes in half precision on CPUs too, which is slow on
            # those without instructions for it.
            gpu = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
            self.bf16 = gpu and not self.fp16 and not self.use_cpu
        try:
            super().__post_init__()
        except ValueError as error:  # some of transformers' messages have several lines
            raise ValueError(" ".join(str(error).split())) from None
        check_schedule(self)


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        options = " or ".join(repr(option) for option in allowed)
        raise ValueError(f"{name} is {value!r}, but must be {options}.")
