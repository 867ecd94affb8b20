"""What all agents share: the true reward, the target, and the pool of continuations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mirrorpo import files, objectives
from mirrorpo.language.models import loading, log_probs, model_files, stand_ins
from mirrorpo.language.models.chat import CHATML
from mirrorpo.preference_texts.prompts import Prompt
from mirrorpo.runtime import cache
from mirrorpo.variants import COPIES

from . import texts
from .fine_tuning import ADAPTER, fine_tune
from .kept import PartProgress, made_once
from .pool import ContinuationPool, PoolContent
from .rewards.reward import Said, Scorer
from .settings import TextSettings
from .task import TextTask

TARGET_BATCH, TARGET_LORA_R = 8, 16
_STAGES = 3  # that draw continuations, each with a seed of its own
_POINTS = 40.0  # the spread of the rewards that a judge's temperature is made for

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
class PreparedTask:
    """The task, ready for agents.

    Attributes:
        task: model, prompts and reward.
        settings: the settings that it was made for.
        scorer: the true reward.
        target: folder of the target's adapter.
        original: the untouched model.
        tokenizer: the tokenizer of both.
        folder: where the pools are.
        usual: mean log-prob per token of the original's own samples, in nats.
        points: what rewards are multiplied by where a judge's temperature counts: 1 for those in
            points; others get the spread of rewards on reviews, by that over the original's
            samples.
    """

    task: TextTask
    settings: TextSettings
    scorer: Scorer
    target: Path
    original: Any
    tokenizer: Any
    folder: Path
    usual: float = 0.0
    points: float = 1.0

    def begun(self, prompts: Sequence[Prompt]) -> list[str]:
        """Prompts as the model reads them."""
        return texts.begun(self.tokenizer, prompts)

    def reward(
        self, prompts: Sequence[Prompt], found: Sequence[str], original: log_probs.LogProbs
    ) -> np.ndarray:
        """True rewards of completions, shape (texts,).

        Args:
            prompts: one per completion.
            found: the completions.
            original: their log-probs under the original.
        """
        return self.scorer(Said(prompts, self.begun(prompts), found, original), self.usual)

    def pool(self, draw: int, report: PartProgress) -> ContinuationPool:
        """The pool of one draw of the data, made or read back.

        Args:
            draw: seed of its continuations.
            report: told what is being done, the share that is done, and the whole.
        """
        path = self.folder / f"pool-{draw}.json"

        def make() -> PoolContent:
            steered = loading.merged(loading.copied(self.original), str(self.target))
            found, scored = [], []
            sources = ((steered, 1, "target-pool"), (self.original, 2, "original-pool"))
            for model, stage, name in sources:
                seed = _STAGES * draw + stage
                drawn = self._draw(model, COPIES, seed, f"{name}-{draw}", report)
                found.append(np.array(drawn, dtype=object).reshape(COPIES, -1))
                scored.append(self._rewards(drawn, self._measured(drawn)).reshape(COPIES, -1))
            # From (source, copy, row) to (row, source, copy).
            return PoolContent(
                self._begun,
                np.array(found).transpose(2, 0, 1).reshape(-1).tolist(),
                np.array(scored).transpose(2, 0, 1).reshape(-1).tolist(),
            )

        found = made_once(path, "a pool of continuations", PoolContent, make, report)
        rewards = np.array(found.rewards).reshape(-1, 2, COPIES)
        return ContinuationPool(found.prompts, found.texts, rewards, self.points)

    @property
    def _prompts(self) -> list[Prompt]:
        return self.task.prompts.train(self.settings.rows)

    @property
    def _begun(self) -> list[str]:
        """The training prompts as every text begins."""
        return self.begun(self._prompts)

    def _rewards(self, found: Sequence[str], original: log_probs.LogProbs) -> np.ndarray:
        """Rewards of completions of the training prompts, round by round."""
        return self.reward(texts.cycle(self._prompts, len(found)), found, original)

    def _draw(
        self, model: Any, times: int, seed: int, name: str, report: PartProgress
    ) -> list[str]:
        """Continuations of the training prompts, each so many times."""
        return texts.draw(
            model,
            self.tokenizer,
            texts.cycle(self._begun, times * self.settings.rows),
            self.settings.max_new_tokens,
            self.settings.sample_batch,
            seed,
            self.folder / f"{name}.jsonl",
            lambda done, of: report(f"continuations: {name}", done, of),
            self.task.prompts.are_openings,
        )

    def _measured(self, found: Sequence[str]) -> log_probs.LogProbs:
        asked, batch = texts.cycle(self._begun, len(found)), self.settings.sample_batch
        return log_probs.measure(self.original, self.tokenizer, asked, found, batch)


@dataclass(frozen=True)
class _Target:
    """What rewards are scaled by; written when the target is there.

    Attributes:
        usual: see `PreparedTask`.
        spread: standard deviation of the rewards of the original's samples; None in files from
            before there was any reward but that of reviews.
    """

    usual: float
    spread: float | None = None


def prepare(
    task: TextTask, settings: TextSettings, report: PartProgress, folder: Path | None = None
) -> PreparedTask:
    """The task with these settings, made or read back.

    Every stage is kept in a folder of its own settings in the user's cache, so that runs with
    other objectives share them; an interrupted stage resumes where it stopped.

    Args:
        task: see there.
        settings: see there.
        report: told what is being done, the share that is done, and the whole.
        folder: in place of the user's cache.

    Raises:
        ValueError: a model or a reward that cannot be loaded, more prompts than there are, or a
            reward that fails, or that is the same for all completions.
    """
    given = task.prompts.train(settings.rows)
    original, tokenizer = loading.load(task.model)
    original = loading.on_device(original)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if task.model == stand_ins.NAME:
        tokenizer.chat_template = CHATML  # whatever the prompts are, it shows that they work
    texts.begun(tokenizer, [*given, *task.prompts.test(settings.test_prompts)])  # see that it can
    scorer = task.reward.scorer(original, tokenizer, settings.sample_batch)
    own = _place(task, settings, cache.folder() / task.name if folder is None else folder)
    made = PreparedTask(task, settings, scorer, own / "target" / ADAPTER, original, tokenizer, own)
    found = made_once(
        own / "reward.json",
        "the scale of a reward",
        _Target,
        lambda: _with_target(made, report),
        report,
    )
    points = 1.0 if task.reward.in_points or found.spread is None else _POINTS / found.spread
    return replace(made, usual=found.usual, points=points)


def _with_target(made: PreparedTask, report: PartProgress) -> _Target:
    """Draw the original's samples and train the target on the best."""
    settings, times = made.settings, made.settings.best_of
    files.write_json(made.folder / "settings.json", _deciding(settings))
    samples = made._draw(made.original, times, _STAGES * settings.data_seed, "original", report)
    of_samples = made._measured(samples)
    usual = float(of_samples.mean.mean())
    rewards = replace(made, usual=usual)._rewards(samples, of_samples)
    spread = float(rewards.std())
    if not made.task.reward.in_points and not spread > 0:
        raise ValueError(
            f"The reward {made.task.reward.name} is {rewards[0]:g} for all {len(rewards)} "
            "completions of the untouched model: it prefers none of them, so there is nothing to "
            "learn."
        )
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
        _best(made._begun, samples, rewards.reshape(times, -1)),
        settings.data_seed,
        made.folder / "target",
        lambda done, of: report("target", done, of),
        (made.original, made.tokenizer),
    )
    return _Target(usual, spread)


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


def _place(task: TextTask, settings: TextSettings, folder: Path) -> Path:
    """The folder of a pool: its name changes with all that decides it."""
    given = [prompt.question for prompt in task.prompts.train(settings.rows)]
    own = {"prompts": given, "model_files": model_files.stamps(settings.model)}
    facts = {**_deciding(settings), **own, **task.facts()}
    return folder / f"{Path(settings.model).name}-{files.digest(facts)[:16]}"


def _deciding(settings: TextSettings) -> Mapping[str, Any]:
    return {name: getattr(settings, name) for name in _OF_THE_POOL}
