"""The kinds and ranges of a training's settings, checked where they enter.

Transformers takes most of them as they are, and fails later, somewhere else.
"""

import dataclasses
import importlib.util
import math
import os
import typing
from collections.abc import Sized
from typing import Any

from mirrorpo import seeds, typed
from mirrorpo.language.trl_names import torch, transformers

_LEAST = {
    **dict.fromkeys(
        (
            *("per_device_train_batch_size", "per_device_eval_batch_size", "reference_batch_size"),
            *("gradient_accumulation_steps", "eval_accumulation_steps", "torch_empty_cache_steps"),
            *("max_length", "max_completion_length", "save_total_limit", "dataset_num_proc"),
            *("dataloader_prefetch_factor", "ddp_timeout"),
        ),
        1,
    ),
    **dict.fromkeys(
        (
            *("learning_rate", "sft_learning_rate", "weight_decay", "warmup_steps", "warmup_ratio"),
            *("adam_beta1", "adam_beta2", "adam_epsilon", "max_grad_norm", "logging_steps"),
            *("save_steps", "eval_steps", "eval_delay", "dataloader_num_workers"),
            "neftune_noise_alpha",
        ),
        0,
    ),
}
_SEEDS = ("seed", "data_seed")
_BELOW = {"adam_beta1": 1, "adam_beta2": 1}
_MAY_BE_INFINITE = ("max_grad_norm",)  # which clips nothing, and logs the norm

_MAY_BE_NONE = ("debug", "gradient_checkpointing")  # for transformers, whatever it annotates

_UNTOLD = ("flyte", "azure_ml")  # transformers does not say whether their packages are there


def check_values(config: Any) -> None:
    """See that each setting is of the kind that its annotation says, and in its range.

    Raises:
        ValueError: one is not; the message names it.
    """
    hints = typing.get_type_hints(type(config))
    for item in dataclasses.fields(config):
        if not item.init:
            continue
        name, value = item.name, getattr(config, item.name)
        if value is item.default or (value is None and name in _MAY_BE_NONE):
            continue
        if hasattr(value, "to_dict"):  # Accelerate's own settings, which transformers has made
            continue
        value = os.fspath(value) if isinstance(value, os.PathLike) else value
        value = typed.check(value, hints[name], name)
        setattr(config, name, value)
        choices = item.metadata.get("choices")
        if choices and value not in choices:
            raise ValueError(
                f"{name} is {value!r:.40}, but must be {' or '.join(map(str, choices))}."
            )
        if isinstance(value, int | float) and not isinstance(value, bool):
            _check_range(name, value)
    if config.optim_args and not all("=" in one for one in config.optim_args.split(",")):
        raise ValueError(
            f"optim_args is {config.optim_args!r:.60}, but must be of the form key=value,key=value."
        )
    if not config.num_train_epochs > 0:
        raise ValueError(f"num_train_epochs is {config.num_train_epochs}, but must be above 0.")
    if config.max_steps < 1 and config.max_steps != -1:
        raise ValueError(
            f"max_steps is {config.max_steps}, but must be at least 1, or -1 to train for "
            "num_train_epochs."
        )


def _check_range(name: str, value: float) -> None:
    if not math.isfinite(value) and not (value == math.inf and name in _MAY_BE_INFINITE):
        raise ValueError(f"{name} is {value}, but must be finite.")
    if name in _SEEDS:
        seeds.check(int(value), name)
    least, below = _LEAST.get(name), _BELOW.get(name)
    if least is not None and value < least:
        raise ValueError(f"{name} is {value}, but must be at least {least}.")
    if below is not None and value >= below:
        raise ValueError(f"{name} is {value}, but must be below {below}.")


def check_schedule(config: Any) -> None:
    """See that the schedule takes what it is given, by making one.

    Raises:
        ValueError: it does not.
    """
    if not config.lr_scheduler_kwargs:
        return
    nothing = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    try:
        transformers.get_scheduler(
            config.lr_scheduler_type,
            nothing,
            num_warmup_steps=0,
            num_training_steps=1,
            scheduler_specific_kwargs=config.lr_scheduler_kwargs,
        )
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"lr_scheduler_kwargs is {config.lr_scheduler_kwargs!r:.60}, which the schedule "
            f"{config.lr_scheduler_type.value} does not take: {error}"
        ) from None


def check_evaluation(config: Any, has_pairs: bool) -> None:
    """See that what is to be evaluated, and what hangs on evaluations, is there.

    Args:
        config: the settings.
        has_pairs: whether there are pairs to evaluate on.

    Raises:
        ValueError: it is not.
    """
    evaluates = config.eval_strategy.value != "no"
    if (evaluates or config.eval_on_start) and not has_pairs:
        name, other = ("eval_strategy", "no") if evaluates else ("eval_on_start", "False")
        given = config.eval_strategy.value if evaluates else "True"
        raise ValueError(
            f"{name} is {given}, but there are no pairs to evaluate on: pass an eval_dataset "
            f"(in a recipe, dataset_test_split), or set {name} to {other}."
        )
    if config.save_strategy.value == "best" and not evaluates:
        raise ValueError(
            "save_strategy is best, but nothing is evaluated, so no checkpoint would be saved: set "
            "eval_strategy to steps or epoch."
        )


def check_batches(config: Any, train: Sized, evaluated: Sized | None) -> None:
    """See that `dataloader_drop_last` leaves a batch.

    Args:
        config: the settings.
        train: pairs to train on.
        evaluated: pairs to evaluate on, or None.

    Raises:
        ValueError: it leaves none.
    """
    if not config.dataloader_drop_last:
        return
    sizes = {
        "per_device_train_batch_size": (config.train_batch_size, train),
        "per_device_eval_batch_size": (config.eval_batch_size, evaluated),
    }
    for name, (size, pairs) in sizes.items():
        wanted = size * config.world_size
        if pairs is not None and len(pairs) < wanted:
            raise ValueError(
                f"dataloader_drop_last leaves no batch of the {len(pairs)} pairs, as a step takes "
                f"{wanted}: lower {name}, or leave dataloader_drop_last out."
            )


def check_packages(config: Any) -> None:
    """See that what the settings need beside the extra `llm` is installed.

    Raises:
        ValueError: it is not, or `report_to` names what there is not.
    """
    if config.deepspeed and importlib.util.find_spec("deepspeed") is None:
        raise ValueError(
            "deepspeed is set, but the package deepspeed is not installed: pip install deepspeed, "
            "or leave the setting out."
        )
    wanted = config.report_to or []
    wanted = [wanted] if isinstance(wanted, str) else list(wanted)
    wanted = [name for name in wanted if name not in ("all", "none")]
    try:
        transformers.integrations.get_reporting_integration_callbacks(wanted)
    except ValueError as error:
        raise ValueError(f"report_to is {', '.join(wanted)}: {error}") from None
    there = (*transformers.integrations.get_available_reporting_integrations(), *_UNTOLD)
    if missing := [name for name in wanted if name not in there]:
        raise ValueError(
            f"report_to is {missing[0]}, but the package that it needs is not installed: install "
            "it, or leave the setting out."
        )
