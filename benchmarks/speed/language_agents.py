"""Agents of the bench on reviews, trained and scored as the bench does it: how many an hour."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from mirrorpo import objectives, variants
from mirrorpo.language.models import smollm2
from mirrorpo.language.text_task import task as tasks
from mirrorpo.language.text_task.agents import score
from mirrorpo.language.text_task.fine_tuning import ADAPTER, fine_tune
from mirrorpo.language.text_task.preparation import prepare
from mirrorpo.language.text_task.settings import TextSettings

# The pool's own cost is a bench's once, not an agent's: it is as small as it can be here.
_POOL = {"rows": 64, "best_of": 2, "target_steps": 2}
_SMALL = {
    **_POOL,
    "model": "smoke",
    **dict.fromkeys(("rows", "steps"), 4),
    **dict.fromkeys(("minibatch", "lora_r", "max_new_tokens", "test_prompts"), 2),
    "sample_batch": 2,
}
_EPISODES = 128
OBJECTIVES = ("ta-mpo", "dpo")


def _quiet(doing: str, done: float, of: float) -> None: ...


def measure(small: bool) -> Iterator[dict[str, Any]]:
    """Seconds of an agent of each of two objectives, without and with a reference.

    Args:
        small: a tiny random model and a few steps, in place of the bench's own size.

    Yields:
        The row of each agent, once it is scored.
    """
    settings = TextSettings(**(_SMALL if small else _POOL))
    if not small and not smollm2.is_installed():
        yield {"note": f"the package of {settings.model} is not installed"}
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        task = tasks.reviews(settings.model)
        prepared = prepare(task, settings, _quiet, folder / "pool")
        pairs = prepared.pool(0, _quiet).pairs(variants.parse("base"), 0)
        # The first of a process also starts the device's libraries.
        original = prepared.original, prepared.tokenizer
        brief = replace(settings, steps=2)
        fine_tune(
            *(brief, objectives.get("ta-mpo"), pairs, 0, folder / "warm-up"), original=original
        )
        for objective in OBJECTIVES:
            began = time.perf_counter()
            fine_tune(
                *(settings, objectives.get(objective), pairs, 0, folder / objective),
                original=original,
            )
            middle = time.perf_counter()
            score(
                folder / objective / ADAPTER,
                prepared,
                task.prompts.test(settings.test_prompts),
                2 if small else _EPISODES,
                0,
                folder / f"{objective}.jsonl",
            )
            ended = time.perf_counter()
            yield {
                "by": objective,
                "agents_an_hour": 3600 / (ended - began),
                "training_seconds": middle - began,
                "scoring_seconds": ended - middle,
            }
