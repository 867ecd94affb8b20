"""What all agents share: the true reward, the target, and the pool of continuations."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mirrorpo import damage, files, locks, objectives, typed, variants
from mirrorpo.language import models
from mirrorpo.runtime import cache
from mirrorpo.variants import COPIES

from . import log_probs, prompts, texts
from .reward import TrueReward
from .settings import ReviewSettings
from .training import ADAPTER, fine_tune

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Report = Callable[[str, float, float], None]
Content = TypeVar("Content", bound="DataclassInstance")

TARGET_BATCH, TARGET_LORA_R = 8, 16
_STAGES = 3  # that draw continuations, each with a seed of its own

# Settings that target and pools depend on; the others are of the agents alone.
_OF_THE_POOL = (
    "model",
    "rows",
    "max_new_tokens",
    "best_of",
    "target_steps",
    "target_learning_rate",
    "sample_batch",
    "data_seed",
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
        settings: that it was made for.
        reward: the true reward.
        target: folder of the target's adapter.
        original: the untouched model.
        tokenizer: of both.
        folder: where the pools are.
    """

    settings: ReviewSettings
    reward: TrueReward
    target: Path
    original: Any
    tokenizer: Any
    folder: Path

    def pool(self, draw: int, report: Report) -> Pool:
        """The pool of one draw of the data, made or read back.

        Args:
            draw: seed of its continuations.
            report: told what is being done, the share that is done, and the whole.
        """
        path = self.folder / f"pool-{draw}.json"

        def make() -> _Content:
            steered = models.on_device(models.load(self.settings.model, str(self.target))[0])
            found, scored = [], []
            sources = ((steered, 1, "target-pool"), (self.original, 2, "original-pool"))
            for model, stage, name in sources:
                seed = _STAGES * draw + stage
                drawn = self._draw(model, COPIES, seed, f"{name}-{draw}", report)
                found.append(np.array(drawn, dtype=object).reshape(COPIES, -1))
                scored.append(self.reward(drawn, self._measured(drawn)).reshape(COPIES, -1))
            # From (source, copy, row) to (row, source, copy).
            return _Content(
                self._prompts,
                np.array(found).transpose(2, 0, 1).reshape(-1).tolist(),
                np.array(scored).transpose(2, 0, 1).reshape(-1).tolist(),
            )

        found = _kept(path, "a pool of continuations", _Content, make, report)
        return Pool(found.prompts, found.texts, np.array(found.rewards).reshape(-1, 2, COPIES))

    @property
    def _prompts(self) -> list[str]:
        """The training prompts as every text begins."""
        return texts.begun(self.tokenizer, prompts.train(self.settings.rows))

    def _draw(self, model: Any, times: int, seed: int, name: str, report: Report) -> list[str]:
        """Continuations of the training prompts, each so many times."""
        return texts.draw(
            model,
            self.tokenizer,
            texts.cycle(self._prompts, times * self.settings.rows),
            self.settings.max_new_tokens,
            self.settings.sample_batch,
            seed,
            self.folder / f"{name}.jsonl",
            lambda done, of: report(f"continuations: {name}", done, of),
        )

    def _measured(self, found: Sequence[str]) -> log_probs.LogProbs:
        asked, batch = texts.cycle(self._prompts, len(found)), self.settings.sample_batch
        return log_probs.measure(self.original, self.tokenizer, asked, found, batch)


@dataclass(frozen=True)
class _Content:
    """A pool as its file holds it, flattened."""

    prompts: list[str]
    texts: list[str]
    rewards: list[float]

    def __post_init__(self) -> None:
        if not len(self.texts) == len(self.rewards) == 2 * COPIES * len(self.prompts):
            raise typed.WrongTypeError("texts are missing")


@dataclass(frozen=True)
class _Target:
    """What the reward is scaled by; written when the target is there."""

    usual: float


def prepare(settings: ReviewSettings, report: Report, folder: Path | None = None) -> Prepared:
    """The task of these settings, made or read back.

    Every stage is kept in a folder of its own settings in the user's cache, so that runs with
    other objectives share them; an interrupted stage resumes where it stopped.

    Args:
        settings: see there.
        report: told what is being done, the share that is done, and the whole.
        folder: in place of the user's cache.

    Raises:
        ValueError: a model that cannot be loaded, or more prompts than there are.
    """
    given = prompts.train(settings.rows)
    own = _place(settings, given, cache.folder() / "reviews" if folder is None else folder)
    original, tokenizer = models.load(settings.model)
    original = models.on_device(original)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    reward = TrueReward(0.0)
    made = Prepared(settings, reward, own / "target" / ADAPTER, original, tokenizer, own)

    def make() -> _Target:
        files.write_json(own / "settings.json", _deciding(settings))
        samples = made._draw(
            original, settings.best_of, _STAGES * settings.data_seed, "original", report
        )
        of_samples = made._measured(samples)
        usual = float(of_samples.mean.mean())
        rewards = TrueReward(usual)(samples, of_samples).reshape(settings.best_of, len(given))
        fine_tune(
            replace(
                settings,
                steps=settings.target_steps,
                minibatch=TARGET_BATCH,
                learning_rate=settings.target_learning_rate,
                lora_r=TARGET_LORA_R,
                aggregation="mean",
                bf16=None,
            ),
            objectives.get("sft"),
            _best(made._prompts, samples, rewards),
            settings.data_seed,
            own / "target",
            lambda done, of: report("target", done, of),
        )
        return _Target(usual)

    found = _kept(own / "reward.json", "the scale of a reward", _Target, make, report)
    return replace(made, reward=TrueReward(found.usual))


def _kept(
    path: Path, kind: str, content: type[Content], make: Callable[[], Content], report: Report
) -> Content:
    """What a file of the cache holds, made where it is not there, or is damaged."""
    found = _read(path, kind, content)
    if found is None:
        files.make_folder(path.parent.parent)
        with locks.alone(path.parent, lambda holder: report(f"waiting for {holder}", 0, 1)):
            found = _read(path, kind, content)  # which the process that was waited for has made
            if found is None:
                files.remove_leftovers(path.parent)
                found = make()
                files.write_json(path, asdict(found))
    return found


def _read(path: Path, kind: str, content: type[Content]) -> Content | None:
    """None where the file is not there, or is damaged."""
    if not path.is_file():
        return None
    try:
        return files.read_as(path, kind, content)
    except ValueError as error:
        damage.say(f"{error} It is made again.")
        return None


def _best(
    given: Sequence[str], samples: Sequence[str], rewards: np.ndarray
) -> list[dict[str, str]]:
    """The best sample of each prompt as chosen, which SFT learns, and the worst as rejected.

    Args:
        given: prompts.
        samples: one continuation of each prompt, then another of each, and so on: `times` rounds.
        rewards: each sample's reward, shape (times, prompts).
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


def _place(settings: ReviewSettings, given: Sequence[str], folder: Path) -> Path:
    """The folder of a pool: its name changes with all that decides it."""
    facts = {**_deciding(settings), "prompts": list(given), "model_files": _files(settings.model)}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    return folder / f"{Path(settings.model).name}-{digest}"


def _deciding(settings: ReviewSettings) -> Mapping[str, Any]:
    return {name: getattr(settings, name) for name in _OF_THE_POOL}


def _files(model: str) -> list[tuple[str, int, int]]:
    """Names, sizes and times of a model's files, where it is a folder of the user's."""
    place = Path(model)
    if not place.is_dir():
        return []
    found = sorted(path for path in place.iterdir() if path.is_file())
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in found]
