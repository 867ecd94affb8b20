"""What all agents share: the true reward, the target, and the pool of continuations."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mirrorpo import damage, files, locks, objectives, variants
from mirrorpo.language import models
from mirrorpo.runtime import cache
from mirrorpo.variants import COPIES

from . import log_probs, prompts, texts
from .reward import TrueReward
from .settings import SentimentSettings
from .training import ADAPTER, TrainSettings, fine_tune

Report = Callable[[str, float, float], None]

TARGET_BATCH, TARGET_LORA_R = 8, 16
_STAGES = 3  # that draw continuations, each with a seed of its own

# Settings that the pool depends on; the others are of the agents alone.
_OF_THE_POOL = (
    "model",
    "rows",
    "max_new_tokens",
    "best_of",
    "target_steps",
    "target_learning_rate",
    "sample_batch",
    "seed",
)


@dataclass(frozen=True)
class Pool:
    """For each training prompt two continuations of the target and two of the original.

    Attributes:
        prompts: shape (rows,).
        texts: by row, source (the target first) and copy, flattened.
        rewards: true rewards, shape (rows, 2, COPIES).
    """

    prompts: Sequence[str]
    texts: Sequence[str]
    rewards: np.ndarray

    def pairs(self, variant: variants.Variant, seed: int) -> list[dict[str, str]]:
        """Preference pairs of a variant, one a row, with prompt, chosen and rejected."""
        chosen, rejected = variants.draw_pairs(self.rewards, variant, seed)
        return [
            {"prompt": prompt, "chosen": self.texts[first], "rejected": self.texts[second]}
            for prompt, first, second in zip(self.prompts, chosen, rejected, strict=True)
        ]


@dataclass(frozen=True)
class Prepared:
    """The task, ready for agents.

    Attributes:
        reward: the true reward.
        pool: of continuations.
        target: folder of the target's adapter.
        original: the untouched model.
        tokenizer: of both.
    """

    reward: TrueReward
    pool: Pool
    target: Path
    original: Any
    tokenizer: Any


@dataclass(frozen=True)
class _Content:
    """A pool as its file holds it, flattened, and what the reward was scaled by."""

    prompts: list[str]
    texts: list[str]
    rewards: list[float]
    usual: float


def prepare(settings: SentimentSettings, report: Report, folder: Path | None = None) -> Prepared:
    """The task of these settings, made or read back.

    Every stage is kept in a folder of its own settings in the user's cache, so that runs with
    other objectives share them; an interrupted stage goes on where it stopped.

    Args:
        settings: see there.
        report: told what is being done, the share that is done, and the whole.
        folder: in place of the user's cache.

    Raises:
        ValueError: a model that cannot be loaded, or more prompts than there are.
    """
    given = prompts.train(settings.rows)
    own = _place(settings, given, cache.folder() / "sentiment" if folder is None else folder)
    original, tokenizer = models.load(settings.model)
    original = models.on_device(original)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token

    pool_file, target = own / "pool.json", own / "target"
    content = _read(pool_file)
    if content is None:
        begun = texts.begun(tokenizer, given)
        files.make_folder(own.parent)
        with locks.alone(own, lambda holder: report(f"waiting for the pool of {holder}", 0, 1)):
            content = _read(pool_file)  # which the process that was waited for has made
            if content is None:
                files.remove_leftovers(own)
                files.write_json(own / "settings.json", _deciding(settings))
                content = _make(settings, begun, original, tokenizer, own, target, report)
                files.write_json(pool_file, asdict(content))
    pool = Pool(content.prompts, content.texts, np.array(content.rewards).reshape(-1, 2, COPIES))
    reward = TrueReward(content.usual)
    return Prepared(reward, pool, target / ADAPTER, original, tokenizer)


def _make(
    settings: SentimentSettings,
    given: Sequence[str],
    original: Any,
    tokenizer: Any,
    own: Path,
    target: Path,
    report: Report,
) -> _Content:
    """The pool, after the samples and the target that it needs."""

    def draw(model: Any, count: int, stage: int, name: str) -> list[str]:
        return texts.draw(
            model,
            tokenizer,
            texts.cycle(given, count * len(given)),
            settings.max_new_tokens,
            settings.sample_batch,
            _STAGES * settings.seed + stage,
            own / f"{name}.jsonl",
            lambda done, of: report(f"continuations: {name}", done, of),
        )

    def measured(found: Sequence[str]) -> log_probs.LogProbs:
        asked = texts.cycle(given, len(found))
        return log_probs.measure(original, tokenizer, asked, found, settings.sample_batch)

    samples = draw(original, settings.best_of, 0, "original")
    of_samples = measured(samples)
    reward = TrueReward(float(of_samples.mean.mean()))
    rewards = reward(samples, of_samples).reshape(settings.best_of, len(given))
    fine_tune(
        TrainSettings(
            settings.model,
            settings.target_steps,
            TARGET_BATCH,
            settings.target_learning_rate,
            TARGET_LORA_R,
            "mean",
        ),
        objectives.get("sft"),
        _best(given, samples, rewards),
        settings.seed,
        target,
        lambda done, of: report("target", done, of),
    )
    steered = models.on_device(models.load(settings.model, str(target / ADAPTER))[0])
    found, scored = [], []
    for model, stage, name in ((steered, 1, "target-pool"), (original, 2, "original-pool")):
        drawn = draw(model, COPIES, stage, name)
        found.append(np.array(drawn, dtype=object).reshape(COPIES, -1))
        scored.append(reward(drawn, measured(drawn)).reshape(COPIES, -1))
    # From (source, copy, row) to (row, source, copy).
    return _Content(
        list(given),
        np.array(found).transpose(2, 0, 1).reshape(-1).tolist(),
        np.array(scored).transpose(2, 0, 1).reshape(-1).tolist(),
        reward.usual,
    )


def _read(path: Path) -> _Content | None:
    """A pool of the cache; None where it is not there, or is damaged."""
    if not path.is_file():
        return None
    try:
        found = files.read_as(path, "a pool of continuations", _Content)
        if not len(found.texts) == len(found.rewards) == 2 * COPIES * len(found.prompts):
            raise ValueError(f"{path} is damaged: texts are missing.")
    except ValueError as error:
        damage.say(f"{error} It is made again.")
        return None
    return found


def _best(
    given: Sequence[str], samples: Sequence[str], rewards: np.ndarray
) -> list[dict[str, str]]:
    """The best sample of each prompt as chosen, which SFT learns, and the worst as rejected.

    Args:
        given: prompts.
        samples: of all prompts, over and over.
        rewards: of the samples, shape (times, prompts).
    """
    best, worst = rewards.argmax(0), rewards.argmin(0)
    return [
        {
            "prompt": prompt,
            "chosen": samples[best[row] * len(given) + row],
            "rejected": samples[worst[row] * len(given) + row],
        }
        for row, prompt in enumerate(given)
    ]


def _place(settings: SentimentSettings, given: Sequence[str], folder: Path) -> Path:
    """The folder of a pool: its name changes with all that decides it."""
    facts = {**_deciding(settings), "prompts": list(given), "model_files": _files(settings.model)}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    return folder / f"{Path(settings.model).name}-{digest}"


def _deciding(settings: SentimentSettings) -> Mapping[str, Any]:
    return {name: getattr(settings, name) for name in _OF_THE_POOL}


def _files(model: str) -> list[tuple[str, int, int]]:
    """Names, sizes and times of a model's files, where it is a folder of the user's."""
    place = Path(model)
    if not place.is_dir():
        return []
    found = sorted(path for path in place.iterdir() if path.is_file())
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in found]
