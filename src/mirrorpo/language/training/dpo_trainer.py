"""`DPOTrainer`: what a script of TRL's imports in its place, to train with any objective."""

import os
from collections.abc import Sequence
from typing import Any, ClassVar

from mirrorpo.objectives import Objective

from .trainer import PreferenceTrainer


class DPOTrainer(PreferenceTrainer):
    """`PreferenceTrainer` with the arguments of TRL's `DPOTrainer`, in TRL's order.

    A script keeps its `trl.DPOConfig`, data, model and callbacks, and changes one import. Without
    an objective it trains by the loss that its `DPOConfig` states, to TRL's numbers.

    Args:
        model: as in TRL, and so are `ref_model`, `args`, `train_dataset`, `eval_dataset`,
            `processing_class`, `callbacks`, `optimizers` and `peft_config`.
        data_collator: must be None, and so must `compute_metrics` and `quantization_config`.
        objective: as of `PreferenceTrainer`; None for `objective` of the class, by which a
            subclass states its own where nothing but a class can be named.
        ease: as of `PreferenceTrainer`.

    Raises:
        ValueError: an argument that is not taken, or as `PreferenceTrainer`.
    """

    objective: ClassVar[Objective | str | None] = None

    def __init__(
        self,
        model: Any,
        ref_model: Any = None,
        args: Any = None,
        data_collator: Any = None,
        train_dataset: Any = None,
        eval_dataset: Any = None,
        processing_class: Any = None,
        compute_metrics: Any = None,
        callbacks: list[Any] | None = None,
        optimizers: tuple[Any, Any] = (None, None),
        quantization_config: Any = None,
        peft_config: Any = None,
        objective: Objective | str | os.PathLike[str] | None = None,
        ease: Sequence[float] | None = None,
    ):
        given = {
            "data_collator": data_collator,
            "compute_metrics": compute_metrics,
            "quantization_config": quantization_config,
        }
        if refused := [name for name, value in given.items() if value is not None]:
            raise ValueError(
                f"mirrorpo's DPOTrainer does not take {', '.join(refused)}: leave it out. A "
                "quantised model is passed as a loaded one."
            )
        super().__init__(
            model,
            type(self).objective if objective is None else objective,
            args,
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            processing_class=processing_class,
            ref_model=ref_model,
            peft_config=peft_config,
            callbacks=callbacks,
            optimizers=optimizers,
            ease=ease,
        )
