"""A training's log as a JSON-lines file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mirrorpo import json_lines
from mirrorpo.divergence import finite_or_none
from mirrorpo.language.trl_names import transformers
from mirrorpo.progress import Progress

# transformers counts these from the last resume on, and so they are not of the whole training.
_SINCE_RESUME = (
    *("train_loss", "train_runtime"),
    *("train_samples_per_second", "train_steps_per_second"),
)


def _as_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """A line of the log; JSON has no NaN, and null is not a number either.

    The names are in the order in which a checkpoint gives the line back.
    """
    return {
        name: finite_or_none(value) if isinstance(value, float) else value
        for name, value in sorted(row.items())
        if name not in _SINCE_RESUME
    }


class Record(transformers.TrainerCallback):
    """Reports steps, and keeps a JSON-lines file equal to the log, after a resume as well.

    A number that is not finite is null there, and what is not of the whole training is left out.
    """

    def __init__(self, path: Path, report: Progress):
        self._path = path
        self._report = report

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Report the step."""
        if state.is_world_process_zero:
            self._report(state.global_step, state.max_steps, "Training")

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Write the whole log again."""
        if state.is_world_process_zero:
            json_lines.write(self._path, [_as_json(row) for row in state.log_history])


def is_logged(arguments: Any, state: Any) -> bool:
    """Whether a log follows the step at work; where logs are not counted in steps, any may be.

    Args:
        arguments: the `transformers.TrainingArguments`.
        state: the trainer's state before the step ends.
    """
    if arguments.logging_strategy != "steps":
        return True
    step = state.global_step + 1
    first = arguments.logging_first_step and step == 1
    return first or step % state.logging_steps == 0 or step >= state.max_steps
