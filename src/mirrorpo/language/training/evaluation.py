"""How a trainer evaluates: the loss alone, the best checkpoint by one objective's numbers."""

from collections.abc import Callable
from typing import Any

from mirrorpo.language.trl_names import CPOTrainer, torch

from .stages import Stage


class EvaluatedTrainer(CPOTrainer):
    """TRL's trainer, where what is evaluated changes from stage to stage."""

    _stage: Callable[[], Stage]
    """The stage of the training's next step; the trainer defines it."""

    def prediction_step(
        self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None
    ) -> tuple[torch.Tensor | None, Any, Any]:
        # TRL's other outputs are of its own losses.
        return super().prediction_step(model, inputs, True, ignore_keys)

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        # A number of an earlier stage is another objective's, and says nothing of this one.
        best = self.state.best_global_step
        if best is not None and best < self._stage().start:
            self.state.best_metric = self.state.best_global_step = None
        try:
            return bool(super()._determine_best_metric(metrics, trial))
        except KeyError:
            known = ", ".join(sorted(name.removeprefix("eval_") for name in metrics))
            raise ValueError(
                f"metric_for_best_model is {self.args.metric_for_best_model!r:.60}, but must be a "
                f"number that an evaluation logs: {known}."
            ) from None
