"""`PreferenceTrainer`: TRL's pair trainer with any MirrorPO objective in place of its losses."""

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from mirrorpo import damage
from mirrorpo.language.models import loading
from mirrorpo.language.models.completion_logits import CompletionLogits
from mirrorpo.language.trl_names import DPOConfig, datasets, torch, transformers
from mirrorpo.objectives import Objective, PairLogProbs, naming

from . import checkpoints, ranking
from .asking import Asking
from .batches import Side, both_sides, completion_lengths, of_chosen
from .breakdown import breakdown
from .declarations import check_declarations
from .dpo_config import converted
from .evaluation import EvaluatedTrainer
from .learning_rates import forget, schedule
from .memory import Memory, recalled
from .record import is_logged
from .reference import ReferenceLogProbs, measure_reference, prepared
from .rows import PLACE, ROW, checked, digest, numbered, rendered, say_notes, select_pairs
from .setting_checks import check_batches, check_evaluation
from .settings import PreferenceConfig
from .stages import Stage, TrainingStages, stage_at


class PreferenceTrainer(EvaluatedTrainer):
    """Fine-tunes a causal language model on preference pairs with any objective.

    A `transformers.Trainer`: checkpoints, resuming, mixed precision, logging and ``accelerate
    launch`` are its own. An objective's progress is the share of its stage's steps that is done.

    Reference log-probs are computed once, when the stage that needs them starts, and only if one
    does. The reference is the policy at that moment: the model as given, or after its SFT stage;
    no copy of it is kept. They are saved with every checkpoint and read back on resuming.

    Args:
        model: a causal language model, or the name or folder of one.
        objective: an `Objective`, or whatever `mirrorpo.objective` takes: a name with or without
            values, a shipped discovery, the file of a saved objective, or PATH.py:CLASS. None for
            the loss that a `trl.DPOConfig` in `args` states.
        args: settings; None for the defaults. A `trl.DPOConfig` is taken too, see `dpo_config`.
        train_dataset: with the columns prompt, chosen and rejected, as texts or as messages, or in
            another layout that `preference_texts` knows; or `PreferenceTexts` of its reader. With
            a tokenizer that has a chat template, a text is a message too: see `chat`.
        eval_dataset: the same, or None.
        processing_class: the tokenizer; None for the model's own.
        ref_model: another model as the reference; None for the policy itself, as above.
        ease: how far each label of `train_dataset` is trusted, in any unit, for objectives that
            leave out the least trusted, such as slic-filtered; None for `ranking.trusted`.
        peft_config: settings of adapters to train in place of the model, as `peft.LoraConfig`.
        callbacks, optimizers: as of `transformers.Trainer`.

    Attributes:
        lost_at: the step from which on numbers were not finite; None while they are.

    Raises:
        ValueError: a row that states no pair, or that the chat template does not take; a prompt
            that fills `max_length`; an unknown objective, or one that moves its reference or orders
            its pairs; fewer than 40 pairs to rank; or a model that is not a causal language model.
    """

    _tag_names: ClassVar[list[str]] = ["mirrorpo"]
    _name = "MirrorPO"
    _paper: ClassVar[dict[str, str]] = {
        "title": "Meta-Learning Objectives for Preference Optimization",
        "id": "2411.06568",
    }

    train_dataset: Any
    eval_dataset: Any
    lr_scheduler: Any

    def __init__(
        self,
        model: Any,
        objective: Objective | str | os.PathLike[str] | None = None,
        args: Any = None,
        train_dataset: Any = None,
        eval_dataset: Any = None,
        processing_class: Any = None,
        ref_model: Any = None,
        peft_config: Any = None,
        callbacks: list[Any] | None = None,
        optimizers: tuple[Any, Any] = (None, None),
        ease: Sequence[float] | None = None,
    ):
        chosen = None if objective is None else naming.objective(objective)
        args = PreferenceConfig() if args is None else args
        if isinstance(args, DPOConfig):
            args, chosen = converted(args, chosen)
        if not isinstance(args, PreferenceConfig):
            raise ValueError(
                f"args is a {type(args).__name__}: pass a PreferenceConfig, or a trl.DPOConfig."
            )
        if chosen is None:
            raise ValueError("No objective: pass one, such as objective='ta-mpo'.")
        check_declarations(chosen)
        check_evaluation(args, eval_dataset is not None)
        model = loading.check_given(model, ref_model)
        given = {"train": train_dataset} | ({} if eval_dataset is None else {"eval": eval_dataset})
        self._texts = {name: checked(own, f"{name}_dataset") for name, own in given.items()}
        for name, texts in self._texts.items():
            if texts is not given[name]:
                say_notes(texts)
        self._texts["train"] = ranking.kept(self._texts["train"], chosen, ease)
        if processing_class is None:
            processing_class = loading.tokenizer_of(model, args.trust_remote_code)
        loading.with_padding(processing_class)
        # All text before TRL sees it: TRL would take no tools, and some questions for answers.
        written = {name: rendered(own, processing_class) for name, own in self._texts.items()}
        super().__init__(
            model=model,
            args=args,
            train_dataset=written["train"],
            eval_dataset=written.get("eval"),
            processing_class=processing_class,
            peft_config=peft_config,
            callbacks=callbacks,
            optimizers=optimizers,
        )
        self._router = {"output_router_logits": True} if self.aux_loss_enabled else {}
        self._ask = Asking([self.model, ref_model], args, self.aux_loss_enabled)
        self.stages = TrainingStages.of(chosen, args.aggregation, args.sft_stage)
        self._reference_model = ref_model
        self._reference: ReferenceLogProbs | None = None
        self._memory: Memory | None = None
        self.lost_at: int | None = None
        self._number_pairs(leaves_out=chosen.pair_plan is not None and ease is None)

    def train(
        self, resume_from_checkpoint: str | bool | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Train, from the start or on from a checkpoint, as `transformers.Trainer.train`.

        Raises:
            ValueError: no checkpoint to resume from, one of other pairs, or one without the
                reference log-probs that the rest of training needs; too few epochs for the stages.
        """
        checkpoint = resume_from_checkpoint
        if checkpoint is True and (checkpoint := self.newest_checkpoint()) is None:
            raise ValueError(f"{self.args.output_dir} holds no checkpoint to resume from.")
        if checkpoint:
            checkpoints.check(Path(checkpoint), self._needed, self.args.world_size)
            self._reference = ReferenceLogProbs.load(Path(checkpoint), self._data)
            self._memory = Memory.load(Path(checkpoint))
        elif self.state.global_step:
            self._reference = self._memory = None
        return super().train(checkpoint or None, *args, **kwargs)

    def newest_checkpoint(self, say: Callable[[str], None] = damage.say) -> str | None:
        """The newest checkpoint of `args.output_dir` that this training can resume from."""
        folder = Path(str(self.args.output_dir))
        return checkpoints.newest(folder, self._needed, say, self.args.world_size)

    def tokenize_row(self, feature: Any, model: Any = None) -> dict[str, Any]:
        """As TRL's, with a row's place in its errors."""
        try:
            return super().tokenize_row(feature, model)
        except ValueError as error:
            raise ValueError(f"{feature[PLACE]} cannot be tokenised: {error}") from None

    def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        if self.args.reset_optimizer and 0 < self.state.global_step == self._stage().start:
            forget(self.optimizer)
        return super().training_step(model, inputs, *args, **kwargs)

    def get_batch_loss_metrics(
        self, model: Any, batch: Any, train_eval: str = "train"
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """The objective's mean loss on a collated batch, and the numbers to log."""
        stage = self._stage()
        progress = stage.progress(self.state.global_step)
        reference = self._reference_of(model, batch, stage)
        chosen, rejected, router_loss = self._forward(model, batch, stage.objective)
        pairs = PairLogProbs(
            chosen.log_probs,
            (chosen if rejected is None else rejected).log_probs,
            *reference,
            chosen_length=completion_lengths(batch["chosen_labels"]),
            rejected_length=completion_lengths(batch["rejected_labels"]),
            chosen_agreement=chosen.agreement,
            rejected_agreement=None if rejected is None else rejected.agreement,
        )
        memory = recalled(self._memory, stage, self.state.global_step, chosen.log_probs.device)
        losses = stage.objective(pairs, progress, memory)
        if stage.objective.memory_size and train_eval == "train":
            remembered = stage.objective.remember(pairs, memory)
            self._memory = Memory(remembered.float(), stage.start)
        loss = losses.mean()
        numbers = breakdown(stage.objective, pairs, losses.detach(), progress)
        if rejected is None:
            numbers = of_chosen(numbers)
        if self.aux_loss_enabled:  # of a mixture of experts: keeps its router balanced
            router = self.aux_loss_coef * router_loss
            loss = loss + router
            numbers["loss/router"] = router.detach()
        if train_eval == "eval":
            return loss, {f"eval_{name}": value for name, value in self._averaged(numbers).items()}
        # transformers would log a running sum, in which one NaN stays for ever.
        averaged = self._averaged({**numbers, "loss": loss.detach()})
        self._see_whether_lost(averaged)
        return loss, averaged

    def diverged(self) -> bool:
        """Whether a parameter, early log-prob or gradient is non-finite.

        Parameters that are finite and too large show in the log-probs of the first pairs, or in
        the last gradient. All processes call it together.
        """
        count = min(self.args.per_device_eval_batch_size, len(self.train_dataset))
        rows = [self.train_dataset[row] for row in range(count)]
        model = self.model_wrapped
        was_training = model.training
        model.eval()
        try:
            with torch.no_grad(), self.compute_loss_context_manager():
                found = self._log_probs(model, self.data_collator(rows))
        finally:
            model.train(was_training)
        good = all(bool(values.isfinite().all()) for values in found)
        return not (
            self._agreed(good and self._gradient_is_finite()) and self._parameters_are_finite()
        )

    def _gradient_is_finite(self) -> bool:
        """Whether the last logged one was. Half precision's scaler leaves such a step out."""
        norms = [row["grad_norm"] for row in self.state.log_history if "grad_norm" in row]
        return self.args.fp16 or not norms or math.isfinite(norms[-1])

    def _see_whether_lost(self, numbers: dict[str, float]) -> None:
        """Stop, and log it now, once no step can bring finite numbers back.

        Half precision may recover from a bad step: its scaler leaves the parameters as they are.
        """
        if all(math.isfinite(value) for value in numbers.values()):
            self.lost_at = None
            return
        self.lost_at = self.state.global_step if self.lost_at is None else self.lost_at
        if not self._parameters_are_finite():
            self.control.should_log = self.control.should_training_stop = True

    def _parameters_are_finite(self) -> bool:
        trained = (value for value in self.model.parameters() if value.requires_grad)
        return self._agreed(all(bool(value.isfinite().all()) for value in trained))

    def _agreed(self, good: bool) -> bool:
        """Whether all processes say yes."""
        bad = torch.tensor(float(not good), device=self.accelerator.device)
        return self.accelerator.reduce(bad, reduction="sum").item() == 0.0

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        plan = self._plan(num_training_steps)
        if len(plan) == 1 or self.lr_scheduler is not None:
            return super().create_scheduler(num_training_steps, optimizer)
        peak = self.args.learning_rate
        first = peak if self.args.sft_learning_rate is None else self.args.sft_learning_rate
        rates = [first] * (len(plan) - 1) + [peak]
        self.lr_scheduler = schedule(optimizer or self.optimizer, self.args, plan, rates)
        self._created_lr_scheduler = True
        return self.lr_scheduler

    def _run_epoch(self, *args: Any, **kwargs: Any) -> None:
        # A checkpoint of the last step may be of the middle of an epoch: transformers would look
        # whether training is over only after one step more.
        if self.state.global_step >= self.state.max_steps:
            self.control.should_training_stop = True
            return
        super()._run_epoch(*args, **kwargs)

    def _plan(self, steps: int) -> tuple[Stage, ...]:
        epochs = 0.0 if self.args.max_steps > 0 else self.args.num_train_epochs
        return self.stages.plan(steps, epochs)

    def _stage(self) -> Stage:
        if not self.state.max_steps:  # not trained yet: an evaluation of the model as given
            return Stage(self.stages.objectives[0], 0, 1)
        return stage_at(self._plan(self.state.max_steps), self.state.global_step)

    def _forward(
        self, model: Any, batch: Any, objective: Objective
    ) -> tuple[Side, Side | None, Any]:
        """Chosen side, rejected side, and the router's loss of a mixture of experts.

        SFT does not read the rejected completions: they are asked without gradient where a log
        follows, and are None elsewhere.
        """
        if objective.name != "sft" or not torch.is_grad_enabled():
            found = self._ask_both(model, batch)
            sides: tuple[Side, Side | None] = both_sides(found, objective.uses_agreement)
        else:
            rejected = None
            if is_logged(self.args, self.state):
                with torch.no_grad():
                    rejected = Side(self._ask(model, batch, "rejected").log_probs())
            found = self._ask(model, batch, "chosen", **self._router)
            sides = Side(found.log_probs()), rejected
        return (*sides, found.outputs.aux_loss if self.aux_loss_enabled else None)

    def _ask_both(self, model: Any, batch: Any) -> CompletionLogits:
        device = self.accelerator.device
        together = self.concatenated_inputs(batch, False, self.pad_token_id, device)
        return self._ask(model, together, "concatenated", **self._router)

    def _log_probs(self, model: Any, batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Summed log-probs of chosen and of rejected completions, each of shape (batch,)."""
        chosen, rejected = both_sides(self._ask_both(model, batch))
        return chosen.log_probs, rejected.log_probs

    def _averaged(self, numbers: dict[str, torch.Tensor]) -> dict[str, float]:
        """Means over all processes, with one exchange and one copy from the device."""
        device = self.accelerator.device
        together = torch.stack([value.to(device) for value in numbers.values()])
        means = self.accelerator.reduce(together, reduction="mean").tolist()
        return dict(zip(numbers, means, strict=True))

    def _needed(self, step: int, steps: int) -> list[str]:
        stage = stage_at(self._plan(steps), step)
        own_reference, scales = self._reference_model is None, self.accelerator.scaler is not None
        return checkpoints.needed_in(stage, step, own_reference, scales)

    # Reference

    def _number_pairs(self, leaves_out: bool) -> None:
        self.train_dataset = self._selected(self.train_dataset, "train", 0, leaves_out)
        self._pairs = self.train_dataset
        if self.eval_dataset is not None:
            first = self.train_dataset.num_rows
            self.eval_dataset = self._selected(self.eval_dataset, "eval", first)
            self._pairs = datasets.concatenate_datasets([self.train_dataset, self.eval_dataset])
        check_batches(self.args, self.train_dataset, self.eval_dataset)
        needed = any(objective.needs_reference for objective in self.stages.objectives)
        self._data = digest(self._pairs) if needed else ""

    def _selected(self, dataset: Any, which: str, first: int, leaves_out: bool = False) -> Any:
        pairs = select_pairs(
            dataset,
            self._texts[which],
            self.max_length,
            self.args.long_prompts,
            self.processing_class.eos_token_id,
        )
        if leaves_out:
            size = self.args.reference_batch_size or self.args.per_device_train_batch_size
            asked = self.stages.objectives[-1], self.model, self.data_collator, size
            pairs = ranking.trusted(pairs, *asked, self._texts[which].source, self.accelerator)
        return numbered(pairs, first, self.args)

    def _reference_of(self, model: Any, batch: Any, stage: Stage) -> tuple[Any, Any]:
        if not stage.objective.needs_reference:
            return (None, None)
        if ROW not in batch:
            raise ValueError(
                f"{stage.objective.name} compares the policy with a reference, which is known for "
                "the trainer's own train_dataset and eval_dataset only: give the data there."
            )
        if self._reference is None or self._reference.step not in (-1, stage.start):
            self._reference = self._measured(model, stage)
        return self._reference.of(batch[ROW], self.accelerator.device)

    def _measured(self, policy: Any, stage: Stage) -> ReferenceLogProbs:
        own = self._reference_model is None
        if own and self.state.global_step != stage.start:
            raise ValueError(
                f"{stage.objective.name} compares the policy with that of step {stage.start}, "
                f"which the checkpoint of step {self.state.global_step} does not hold: resume "
                "from another checkpoint, or pass ref_model."
            )
        loader = torch.utils.data.DataLoader(
            self._pairs,
            batch_size=self.args.reference_batch_size or self.args.per_device_train_batch_size,
            collate_fn=self.data_collator,
            # An iterator draws a seed: not from the generator that dropout and the order use.
            generator=torch.Generator(),
        )
        chosen, rejected = measure_reference(
            policy if own else prepared(self._reference_model, self),
            self.accelerator.prepare_data_loader(loader),
            self._log_probs,
            self.accelerator.gather_for_metrics,
            self._pairs.num_rows,
        )
        return ReferenceLogProbs(chosen, rejected, stage.start if own else -1, self._data)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        # First, so that no checkpoint that looks complete lacks its reference.
        if self.args.should_save:
            name = f"{transformers.trainer_utils.PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
            for kept in (self._reference, self._memory):
                if kept is not None:
                    kept.save(Path(self._get_output_dir(trial=trial)) / name)
        super()._save_checkpoint(model, trial)
