"""A second reward for texts, of another kind than praise: plain English, in points.

    mirrorpo bench --task text --model reviews-small --prompts reviews \
        --reward benchmarks/plain_reward.py:score

100 times the number of different short words, over the number of words or 15 where there are fewer:
repeating oneself, long words and short texts all lower it.
"""

import re
from collections.abc import Sequence

SHORT = 5
"""A short word has at most so many letters."""
LEAST_WORDS = 15


def score(prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
    """The reward of each completion, from 0 to 100."""
    rewards = []
    for text in completions:
        words = re.findall(r"[a-z']+", text.lower())
        short = {word for word in words if len(word) <= SHORT}
        rewards.append(100 * len(short) / max(len(words), LEAST_WORDS))
    return rewards
