"""Openings of reviews, each about every thing; training and test name different things."""

from collections.abc import Sequence

from mirrorpo import files
from mirrorpo.preference_texts.place import Place
from mirrorpo.preference_texts.prompts import Prompt

from .halves import Prompts

NAME = "reviews"

_TEXTS = files.read_object(files.asset("prompts", "reviews.json"), "openings of reviews")
_OPENINGS, _TRAIN, _TEST, _MORE_TEST = (
    _TEXTS[name] for name in ("openings", "training", "test", "more_test")
)


def _asked(things: Sequence[str], first: int = 0) -> tuple[Prompt, ...]:
    # Round by round another opening for each thing: the first few have all openings already.
    texts = [
        _OPENINGS[(number + number // len(things)) % len(_OPENINGS)].format(
            things[number % len(things)]
        )
        for number in range(len(things) * len(_OPENINGS))
    ]
    return tuple(Prompt(text, Place(NAME, number)) for number, text in enumerate(texts, first))


_FIRST_TEST = _asked(_TEST)
PROMPTS = Prompts(
    NAME,
    _asked(_TRAIN),
    # In two parts, so that the first 144 stay what published tables have.
    (*_FIRST_TEST, *_asked(_MORE_TEST, len(_FIRST_TEST))),
    are_openings=True,
)
"""Training and test prompts name different things."""
