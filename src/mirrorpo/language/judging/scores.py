"""Judges that are a Python function: a score for each answer, the higher the better."""

import hashlib
import math
import runpy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mirrorpo.objectives.user_files import one_line

from .answers import Pair
from .store import Store

VADER = "vader"
ScoreFunction = Callable[[str, str], float]


@dataclass(frozen=True)
class ScoreJudge:
    """A judge that scores answers one by one.

    Attributes:
        name: as the user gave it.
        version: changes with the function's file, so that no score of an older one is used.
        score: gives the score of an answer to an instruction.
    """

    name: str
    version: str
    score: ScoreFunction


def load(text: str) -> ScoreJudge:
    """A judge from its text.

    Args:
        text: ``vader`` for the answer's sentiment, or PATH.py:FUNCTION for a function of
            (instruction, output) that returns a number. The file is run: name only files that you
            trust.

    Raises:
        ValueError: another text, no such file or function, or a file that fails when run.
        ModuleNotFoundError: ``vader`` without its package.
    """
    if text == VADER:
        from mirrorpo.language.models import sentiment

        sentiment.analyser()
        return ScoreJudge(VADER, sentiment.VERSION, lambda _, output: sentiment.compound(output))
    place, colon, name = text.rpartition(":")
    if not colon or not place.endswith(".py"):
        raise ValueError(
            f"Judge {text!r}: use vader, PATH.py:FUNCTION, or a .yaml file that names a model."
        )
    path = Path(place)
    if not path.is_file():
        raise ValueError(f"No judge at {path}: the file does not exist.")
    try:
        found = runpy.run_path(str(path)).get(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise ValueError(f"{path} fails when run: {one_line(error)}") from error
    if not callable(found):
        raise ValueError(f"{path} has no function {name!r}.")
    return ScoreJudge(text, hashlib.sha256(path.read_bytes()).hexdigest()[:16], found)


def preferences(
    judge: ScoreJudge,
    pairs: Sequence[Pair],
    store: Store,
    report: Callable[[int, int], None] = lambda done, of: None,
) -> list[float]:
    """For each pair 1 where the candidate's answer scores higher, 0 where lower, 0.5 if equal.

    Raises:
        ValueError: the function fails, or returns something else than a finite number.
    """
    found = []
    for number, pair in enumerate(pairs):
        report(number, len(pairs))
        candidate = _score(judge, pair.instruction, pair.candidate, store)
        baseline = _score(judge, pair.instruction, pair.baseline, store)
        found.append(0.5 + 0.5 * ((candidate > baseline) - (candidate < baseline)))
    report(len(pairs), len(pairs))
    return found


def _score(judge: ScoreJudge, instruction: str, output: str, store: Store) -> float:
    question = {"judge": judge.version, "instruction": instruction, "output": output}
    known = store.get(question)
    if isinstance(known, float) and math.isfinite(known):
        return known
    try:
        score = judge.score(instruction, output)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise ValueError(
            f"Judge {judge.name} fails on the instruction {instruction!r:.60}: {one_line(error)}"
        ) from error
    try:
        number = float(score)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(
            f"Judge {judge.name} returned {score!r:.40} for the instruction {instruction!r:.60}, "
            "but must return a finite number."
        )
    store.add(question, number)
    return number
