"""One agent: trained on a variant's pairs, sampled on prompts, measured."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mirrorpo.language.models import loading, log_probs
from mirrorpo.preference_texts.prompts import Prompt

from . import measures, texts
from .measures import Measures
from .preparation import PreparedTask


@dataclass(frozen=True)
class ScoredTexts:
    """A model's continuations, their true rewards, and what was measured of them all."""

    prompts: Sequence[str]
    texts: Sequence[str]
    rewards: np.ndarray
    measures: Measures
    seconds: float


def score(
    adapter: Path | None,
    prepared: PreparedTask,
    prompts: Sequence[Prompt],
    count: int,
    seed: int,
    path: Path,
    report: Callable[[int, int], None] = lambda done, of: None,
) -> ScoredTexts:
    """Sample a model on prompts and measure it.

    Args:
        adapter: the adapter of the model; None for the original itself.
        prepared: the task, which says how continuations are drawn.
        prompts: asked in turn.
        count: the number of continuations.
        seed: the seed of the samples.
        path: JSON lines for the continuations; resumes from there after an interruption.
        report: called with (continuations drawn, all).
    """
    began = time.perf_counter()
    settings = prepared.settings
    model: Any = prepared.original
    if adapter is not None:
        model = loading.merged(loading.copied(prepared.original), str(adapter))
    asked = texts.cycle(prompts, count)
    tokenizer = prepared.tokenizer
    begun = prepared.begun(asked)
    sizes = settings.max_new_tokens, settings.sample_batch
    are_openings = prepared.task.prompts.are_openings
    found = texts.draw(model, tokenizer, begun, *sizes, seed, path, report, are_openings)
    original = log_probs.measure(prepared.original, tokenizer, begun, found, settings.sample_batch)
    own = original
    if adapter is not None:
        own = log_probs.measure(model, tokenizer, begun, found, settings.sample_batch)
    seconds = round(time.perf_counter() - began, 3)
    rewards = prepared.reward(asked, found, original)
    measured = measures.measure(found, own, original, rewards)
    return ScoredTexts([one.question for one in asked], found, rewards, measured, seconds)
