"""The prompts of a task: some to train and search on, others to score on."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from mirrorpo.preference_texts.prompts import Prompt

FEWEST = 10
_OF_TEST = 5  # one prompt in so many is for the test


@dataclass(frozen=True)
class Prompts:
    """Prompts in two halves that share none.

    Attributes:
        source: their name in messages.
        training: agents, target and search see the first of them.
        tested: agents are scored on the first of them.
        are_openings: whether they are openings of one sentence or two, so that a continuation ends
            with the last whole sentence of its line.
    """

    source: str
    training: Sequence[Prompt]
    tested: Sequence[Prompt]
    are_openings: bool = False

    def train(self, count: int) -> list[Prompt]:
        """The first `count` prompts to train on.

        Raises:
            ValueError: more than there are.
        """
        return self._first(self.training, count, "training")

    def test(self, count: int) -> list[Prompt]:
        """The first `count` prompts to test on.

        Raises:
            ValueError: more than there are.
        """
        return self._first(self.tested, count, "test")

    def _first(self, prompts: Sequence[Prompt], count: int, kind: str) -> list[Prompt]:
        size = len(prompts)
        if not 1 <= count <= size:
            raise ValueError(
                f"There are {size} {kind} prompts in {self.source}: ask for 1 to {size}, not "
                f"{count}."
            )
        return list(prompts[:count])


def split(source: str, prompts: Sequence[Prompt], seed: int) -> Prompts:
    """A fifth of the prompts for the test, at least one, and the others to train on.

    A prompt's place is decided by the hash of the seed and of itself, so that the order of the
    file does not matter, and prompts that are added move few others.

    Args:
        source: their name in messages.
        prompts: all different.
        seed: the seed of the split.

    Raises:
        ValueError: fewer than `FEWEST`.
    """
    if len(prompts) < FEWEST:
        raise ValueError(
            f"{source} holds {len(prompts)} prompts, and a bench needs at least {FEWEST}: a fifth "
            "of them is kept to score on, and is not trained on."
        )

    def place(prompt: Prompt) -> str:
        return hashlib.sha256(f"{seed} {prompt.question}".encode()).hexdigest()

    ordered = sorted(prompts, key=place)
    tested = len(ordered) // _OF_TEST
    return Prompts(source, ordered[tested:], ordered[:tested])
