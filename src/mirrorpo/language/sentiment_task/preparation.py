"""What all agents share: the true reward, the target, and the pool of continuations."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mirrorpo import files, objectives, variants
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
    if not pool_file.is_file():
        begun = texts.begun(tokenizer, given)
        content = _make(settings, begun, original, tokenizer, own, target, report)
        files.write_json(pool_file, content)
    content = files.read_json(pool_file, "a pool of continuations")
    rewards = np.array(content["rewards"]).reshape(-1, 2, COPIES)
    pool = Pool(content["prompts"], content["texts"], rewards)
    reward = TrueReward(content["usual"])
    return Prepared(reward, pool, target / ADAPTER, original, tokenizer)


def _make(
    settings: SentimentSettings,
    given: Sequence[str],
    original: Any,
    tokenizer: Any,
    own: Path,
    target: Path,
    report: Report,
) -> dict[str, Any]:
    """The pool as JSON, after the samples and the target that it needs."""

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
    return {
        "prompts": list(given),
        "texts": np.array(found).transpose(2, 0, 1).reshape(-1).tolist(),
        "rewards": np.array(scored).transpose(2, 0, 1).reshape(-1).tolist(),
        "usual": reward.usual,
    }


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
    decides: Mapping[str, Any] = {name: getattr(settings, name) for name in _OF_THE_POOL}
    facts = {**decides, "prompts": list(given), "model_files": _files(settings.model)}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    own = folder / f"{Path(settings.model).name}-{digest}"
    files.write_json(own / "settings.json", decides)
    return own


def _files(model: str) -> list[tuple[str, int, int]]:
    """Names, sizes and times of a model's files, where it is a folder of the user's."""
    place = Path(model)
    if not place.is_dir():
        return []
    found = sorted(path for path in place.iterdir() if path.is_file())
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in found]
