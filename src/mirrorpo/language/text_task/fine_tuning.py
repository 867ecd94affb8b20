"""One fine-tuning of the original model: adapters in a folder that is there only when complete."""

import copy
import dataclasses
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mirrorpo import files
from mirrorpo.divergence import short_or_none
from mirrorpo.language.models import loading
from mirrorpo.language.training.record import Record
from mirrorpo.language.training.settings import PreferenceConfig
from mirrorpo.language.training.trainer import PreferenceTrainer
from mirrorpo.language.trl_names import peft, torch, transformers
from mirrorpo.objectives import Objective
from mirrorpo.preference_texts import reading

from .settings import TextSettings, logging_steps

ADAPTER = "adapter"
CARD = "training.json"
_NO_LIMIT = 2**31 - 1  # tokens of a sequence: sampling has bounded them
_CURVES = ("loss", "margin", "accuracy", "logps/chosen", "logps/rejected")


@dataclass(frozen=True)
class FineTuning:
    """A finished fine-tuning, as the card beside its adapter says.

    Attributes:
        diverged: whether a parameter is not finite, or the log-probs that it gives.
        seconds: wall time of the training.
        curves: logged values over training, by name.
    """

    diverged: bool
    seconds: float
    curves: Mapping[str, list[float | None]]


def fine_tune(
    settings: TextSettings,
    objective: Objective,
    pairs: Sequence[Mapping[str, str]],
    seed: int,
    folder: Path,
    report: Callable[[float, float], None] = lambda done, of: None,
    original: tuple[Any, Any] | None = None,
) -> FineTuning:
    """Train adapters of the original on preference pairs, or read back those in `folder`.

    Args:
        settings: see there.
        objective: its stages share the steps.
        pairs: with the texts prompt, chosen and rejected.
        seed: the seed of the adapters' start, and of the order of the pairs.
        folder: the folder of the result, the adapter in its folder `ADAPTER`. An interrupted
            training starts over.
        report: called with (steps done, all steps).
        original: the original and its tokenizer, which stay as they are; None to load them.
    """
    if not (folder / CARD).is_file():
        shutil.rmtree(folder, ignore_errors=True)  # half of what a kill has let be dropped

        def write(part: Path) -> None:
            done = _train(settings, objective, pairs, seed, part, report, original)
            files.write_json(part / CARD, asdict(done))

        files.write_folder_atomically(folder, write)
    return files.read_as(folder / CARD, "a training's card", FineTuning)


def _train(
    settings: TextSettings,
    objective: Objective,
    pairs: Sequence[Mapping[str, str]],
    seed: int,
    folder: Path,
    report: Callable[[float, float], None],
    original: tuple[Any, Any] | None,
) -> FineTuning:
    began = time.perf_counter()
    transformers.set_seed(seed)
    if original is None:
        model, tokenizer = loading.load(settings.model)
    else:
        model, tokenizer = loading.copied(original[0], True), copy.deepcopy(original[1])
    tokenizer.bos_token = None  # prompts have it already, where the tokenizer adds one
    tokenizer.chat_template = None  # continuations are no answers: prompts are read as they are
    trainer = PreferenceTrainer(
        model,
        dataclasses.replace(objective, aggregation=settings.aggregation),
        PreferenceConfig(
            str(folder / "checkpoints"),
            max_steps=settings.steps,
            per_device_train_batch_size=settings.minibatch,
            learning_rate=settings.learning_rate,
            lr_scheduler_type="linear",
            aggregation=settings.aggregation,
            bf16=settings.bf16,
            max_length=_NO_LIMIT,
            use_cpu=settings.bf16 is True and not torch.cuda.is_available(),
            gradient_checkpointing=False,
            logging_steps=logging_steps(settings.steps),
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            log_level="error",
            dataloader_pin_memory=torch.cuda.is_available(),
            seed=seed,
        ),
        train_dataset=reading.from_rows(pairs, "the pool of continuations"),
        processing_class=tokenizer,
        peft_config=peft.LoraConfig(
            r=settings.lora_r,
            lora_alpha=2 * settings.lora_r,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        ),
        callbacks=[Record(folder / "log.jsonl", lambda done, of, _: report(done, of))],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()
    trainer.model.save_pretrained(folder / ADAPTER)
    log = trainer.state.log_history
    curves = {name: [short_or_none(row[name]) for row in log if name in row] for name in _CURVES}
    seconds = round(time.perf_counter() - began, 3)
    return FineTuning(trainer.diverged(), seconds, curves)
