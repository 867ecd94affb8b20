"""One agent: trained on a variant's pairs, sampled on prompts, measured."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mirrorpo.language.models import loading, log_probs
from mirrorpo.language.models.log_probs import LogProbs
from mirrorpo.preference_texts.prompts import Prompt

from . import measures, texts
from .measures import Measures
from .preparation import PreparedTask
from .settings import TextSettings


@dataclass(frozen=True)
class Sampled:
    """A model's continuations, and their log-probs under it and under the original."""

    texts: Sequence[str]
    own: LogProbs
    original: LogProbs
    seconds: float


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
    asked = texts.cycle(prompts, count)
    drawn = sample(
        adapter,
        (prepared.original, prepared.tokenizer),
        prepared.settings,
        prepared.begun(asked),
        prepared.task.prompts.are_openings,
        seed,
        path,
        report,
    )
    return rewarded(prepared, asked, drawn)


def sample(
    adapter: Path | None,
    original: tuple[Any, Any],
    settings: TextSettings,
    begun: Sequence[str],
    are_openings: bool,
    seed: int,
    path: Path,
    report: Callable[[int, int], None],
) -> Sampled:
    """Draw a continuation of each prompt, and measure its log-probs.

    Args:
        adapter: the adapter of the model; None for the original itself.
        original: the original and its tokenizer, which stay as they are.
        settings: how continuations are drawn.
        begun: prompts as the model reads them, one per continuation.
        are_openings: how continuations end, see `texts.draw`.
        seed: the seed of the samples.
        path: JSON lines for the continuations; resumes from there after an interruption.
        report: called with (continuations drawn, all).
    """
    began = time.perf_counter()
    untouched, tokenizer = original
    model = untouched
    if adapter is not None:
        model = loading.merged(loading.copied(untouched), str(adapter))
    sizes = settings.max_new_tokens, settings.sample_batch
    found = texts.draw(model, tokenizer, begun, *sizes, seed, path, report, are_openings)
    of_original = log_probs.measure(untouched, tokenizer, begun, found, settings.sample_batch)
    own = of_original
    if adapter is not None:
        own = log_probs.measure(model, tokenizer, begun, found, settings.sample_batch)
    return Sampled(found, own, of_original, round(time.perf_counter() - began, 3))


def rewarded(prepared: PreparedTask, asked: Sequence[Prompt], drawn: Sampled) -> ScoredTexts:
    """Continuations with their true rewards.

    Args:
        prepared: the task, which has the reward.
        asked: the prompts, one per continuation.
        drawn: the continuations.
    """
    rewards = prepared.reward(asked, drawn.texts, drawn.original)
    measured = measures.measure(drawn.texts, drawn.own, drawn.original, rewards)
    questions = [one.question for one in asked]
    return ScoredTexts(questions, drawn.texts, rewards, measured, drawn.seconds)
