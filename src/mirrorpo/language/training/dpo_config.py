"""A script's `trl.DPOConfig` as the trainer's settings and the objective that it states."""

import dataclasses
import logging
from typing import Any

from mirrorpo import objectives
from mirrorpo.language.trl_names import CPOConfig, DPOConfig
from mirrorpo.objectives import Objective, registry

from .settings import PreferenceConfig

_LOSSES = {  # TRL's loss_type: the objective of the same loss
    "sigmoid": "dpo",
    "sigmoid_norm": "dpo-norm",
    "hinge": "hinge",
    "ipo": "ipo",
    "exo_pair": "exo",
    "nca_pair": "nca",
    "robust": "robust-dpo",
    "bco_pair": "bco",
    "sppo_hard": "sppo",
    "aot": "aot",
    "aot_unpaired": "aot-unpaired",
    "apo_zero": "apo-zero",
    "apo_down": "apo-down",
    "discopop": "discopop",
}
_SMOOTHED = ("exo_pair", "robust")
_DIVERGENCES = {
    "forward_kl": "forward-kl",
    "js_divergence": "jensen-shannon",
    "alpha_divergence": "alpha",
}
# Fields that state the loss; an objective replaces them.
_OF_THE_LOSS = (
    *("loss_type", "loss_weights", "beta", "label_smoothing", "use_weighting", "discopop_tau"),
    *("f_divergence_type", "f_alpha_divergence_coef", "ld_alpha"),
)
# Fields that change what is computed and that the trainer does not have.
_NOT_DONE = (
    *("truncation_mode", "sync_ref_model", "router_aux_loss_coef", "pad_token"),
    "activation_offloading",
)
# Left alone, for they change no number: precompute_ref_log_probs (it is always done),
# pad_to_multiple_of, ref_model_mixup_alpha and ref_model_sync_steps.

logger = logging.getLogger(__name__)


def converted(
    args: Any, objective: Objective | None = None
) -> tuple[PreferenceConfig, Objective | None]:
    """Settings and objective of a `DPOConfig`.

    Everything that both trainers have is kept as it is, dropout, bf16 and learning rate included.
    No SFT stage runs before the objective, since TRL's trainer has none.

    Args:
        args: a `trl.DPOConfig`, left as it is.
        objective: in place of the loss that `args` states, which is then not used; None for the
            objective of that loss.

    Raises:
        ValueError: a setting of `args` that `PreferenceTrainer` does not have, or a loss that is
            no objective.
    """
    changed = _changed(args)
    if refused := [name for name in _NOT_DONE if name in changed]:
        raise ValueError(
            f"PreferenceTrainer does not have {_named(args, refused)} of DPOConfig: leave it at "
            "its default."
        )
    if objective is None:
        objective = stated(args)
    elif ignored := [name for name in _OF_THE_LOSS if name in changed]:
        logger.warning(
            "%s of DPOConfig is not used: the objective is %s with hyper-parameters of its own.",
            _named(args, ignored),
            objective.name,
        )
    own = {item.name: item for item in dataclasses.fields(PreferenceConfig)}
    # A copy without another `__post_init__`, which would settle again what is settled.
    made = PreferenceConfig.__new__(PreferenceConfig)
    shared = vars(args).items()
    made.__dict__.update({name: value for name, value in shared if name not in _only(DPOConfig)})
    for name in {*_only(CPOConfig), *_only(PreferenceConfig)} & set(own):
        setattr(made, name, own[name].default)
    made.loss_type = own["loss_type"].default
    made.beta, made.label_smoothing = own["beta"].default, own["label_smoothing"].default
    made.remove_unused_columns = False
    made.sft_stage = False
    made.padding_free = args.padding_free
    made.reference_batch_size = args.precompute_ref_batch_size
    if args.max_length is None:
        made.max_length = 2**31 - 1  # no sequence is cut
    return made, objective


def stated(args: Any) -> Objective:
    """The objective of the loss that a `DPOConfig` states.

    Raises:
        ValueError: a mixture of losses, or a loss that is not an objective.
    """
    kinds, smoothing = args.loss_type, args.label_smoothing
    (kind,) = kinds if len(kinds) == 1 else ("",)
    plain = args.loss_weights in (None, [1.0]) and args.ld_alpha is None
    divergence = _DIVERGENCES.get(args.f_divergence_type)
    if (
        kind not in _LOSSES
        or not plain
        or args.f_divergence_type not in ("reverse_kl", *_DIVERGENCES)
    ):
        raise ValueError(
            f"{_named(args, ['loss_type', 'loss_weights', 'ld_alpha', 'f_divergence_type'])} of "
            "DPOConfig is not an objective by itself: pass one, as in objective='irpo' for DPO "
            "with an SFT term."
        )
    if args.use_weighting or divergence or (smoothing and kind not in _SMOOTHED):
        if kind != "sigmoid" or sum(map(bool, (args.use_weighting, divergence, smoothing))) > 1:
            names = ["loss_type", "label_smoothing", "use_weighting", "f_divergence_type"]
            raise ValueError(
                f"{_named(args, names)} of DPOConfig go together in no objective: pass one as "
                "objective=."
            )
        if args.use_weighting:
            return objectives.get("wpo", beta=args.beta, weights="free")
        if smoothing:
            return objectives.get("cdpo", beta=args.beta, label_smoothing=smoothing)
        # Our alpha is 1 less TRL's coefficient.
        alpha = {"alpha": 1 - args.f_alpha_divergence_coef} if divergence == "alpha" else {}
        return objectives.get("fdpo", beta=args.beta, divergence=divergence, **alpha)
    numbers = {"tau" if kind == "ipo" else "beta": args.beta}
    if kind in _SMOOTHED:
        numbers["label_smoothing"] = smoothing
    if kind == "discopop":
        numbers["tau"] = args.discopop_tau
    return registry.make(_LOSSES[kind], **numbers)


def _only(config: Any) -> set[str]:
    """Fields that a configuration's own class adds.

    They are neither of `transformers.TrainingArguments` nor shared by `DPOConfig` and `CPOConfig`.
    """
    other = CPOConfig if config is DPOConfig else DPOConfig
    names = {item.name for item in dataclasses.fields(config)}
    return names - {item.name for item in dataclasses.fields(other)}


def _changed(args: Any) -> set[str]:
    defaults = {item.name: item.default for item in dataclasses.fields(DPOConfig)}
    defaults["loss_type"] = ["sigmoid"]
    names = (*_OF_THE_LOSS, *_NOT_DONE)
    return {name for name in names if getattr(args, name) != defaults[name]}


def _named(args: Any, names: list[str]) -> str:
    return ", ".join(f"{name}={getattr(args, name)!r}" for name in names)
