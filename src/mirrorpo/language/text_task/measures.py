"""What is measured of a model on the test prompts."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from mirrorpo.language.models.log_probs import LogProbs
from mirrorpo.standard_error import of_mean


@dataclass(frozen=True)
class Measures:
    """What is measured of one model's continuations.

    Attributes:
        reward: mean true reward, in points.
        reward_standard_error: the standard error of that mean over continuations.
        kl: Kullback-Leibler divergence from the original, in nats per continuation: the mean over
            the model's own samples of the SUM over tokens of ``log pi - log pi_original``. As the
            samples are cut, it is that of what is left of them.
        kl_standard_error: the standard error of that mean.
        distinct_1: distinct words over all words, of all continuations together.
        distinct_2: the same of pairs of neighbouring words.
        tokens: mean number of tokens.
        perplexity: exp of minus the mean log-prob of a token under the original.
    """

    reward: float
    reward_standard_error: float
    kl: float
    kl_standard_error: float
    distinct_1: float
    distinct_2: float
    tokens: float
    perplexity: float

    @property
    def others(self) -> dict[str, float]:
        """All but the reward, by name."""
        return {key: value for key, value in asdict(self).items() if not key.startswith("reward")}


def measure(
    texts: Sequence[str], own: LogProbs, original: LogProbs, rewards: np.ndarray
) -> Measures:
    """The measures of a model's continuations.

    Args:
        texts: the continuations, without their prompts.
        own: their log-probs under the model that wrote them.
        original: their log-probs under the original.
        rewards: their true rewards, shape (texts,).
    """
    ratios = own.total - original.total
    return Measures(
        reward=float(rewards.mean()),
        reward_standard_error=of_mean(rewards),
        kl=float(ratios.mean()),
        kl_standard_error=of_mean(ratios),
        distinct_1=distinct(texts, 1),
        distinct_2=distinct(texts, 2),
        tokens=float(own.tokens.mean()),
        perplexity=float(np.exp(-original.total.sum() / original.tokens.sum())),
    )


def win_rate(rewards: np.ndarray, of_original: np.ndarray) -> dict[str, float]:
    """How often a model's continuation of a prompt has the higher true reward than the original's.

    Args:
        rewards: the rewards of the model's continuations, shape (texts,).
        of_original: the rewards of the original's continuations of the same prompts, shape
            (texts,).

    Returns:
        `win_rate` in percent, ties half, and its standard error over continuations.
    """
    wins = 50.0 + 50.0 * np.sign(rewards - of_original)
    return {"win_rate": float(wins.mean()), "win_rate_standard_error": of_mean(wins)}


def distinct(texts: Sequence[str], size: int) -> float:
    """Distinct runs of `size` words over all of them, in [0, 1]; 0 where there is none."""
    runs = [
        tuple(words[start : start + size])
        for words in (text.lower().split() for text in texts)
        for start in range(len(words) - size + 1)
    ]
    return len(set(runs)) / len(runs) if runs else 0.0
