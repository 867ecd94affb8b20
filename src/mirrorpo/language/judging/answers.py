"""Instructions and answers as files of rows, in the layout of alpaca_eval."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mirrorpo import files
from mirrorpo.preference_texts import formats
from mirrorpo.preference_texts.place import found as shown

_TEXTS = ("instruction", "output")


@dataclass(frozen=True)
class Answer:
    """What a model says to an instruction.

    Attributes:
        instruction: the whole prompt, without a chat template.
        output: the answer's text.
        generator: name of the model.
    """

    instruction: str
    output: str
    generator: str


@dataclass(frozen=True)
class Pair:
    """Two answers to one instruction, of the model to judge and of its baseline."""

    instruction: str
    candidate: str
    baseline: str


def read_instructions(path: Path) -> list[str]:
    """Instructions of a file of rows: texts, or objects with the key ``instruction``.

    Raises:
        ValueError: no such file, one that cannot be read, none in it, a row without its text or
            with one that is no Unicode, or an instruction twice. The message names file and row.
    """
    found = {}
    for where, row in _rows(path, "file of instructions"):
        text = row.get("instruction") if isinstance(row, dict) else row
        if not isinstance(text, str) or not text.strip():
            raise ValueError(
                f"{path}: {where} has no instruction: write a text, or an object with the key "
                "instruction."
            )
        _check_text(text, f"{path}: the instruction of {where}")
        found[where] = text
    _no_repeats(found, path)
    return list(found.values())


def read(path: Path) -> list[Answer]:
    """Answers of a file of rows, as alpaca_eval and `write` lay them out.

    Raises:
        ValueError: no such file, one that cannot be read, none in it, a row that lacks a text or
            has one that is no Unicode, an instruction twice, or answers of several models. The
            message names file and row.
    """
    found: dict[str, Answer] = {}
    for where, row in _rows(path, "file of answers"):
        answer = _answer(row, where, path)
        other = next((old.generator for old in found.values()), answer.generator)
        if answer.generator != other:
            raise ValueError(
                f"{path}: the generator of {where} is {answer.generator!r:.60}, and that of the "
                f"rows before is {other!r:.60}: a file holds one model's answers."
            )
        found[where] = answer
    _no_repeats({where: answer.instruction for where, answer in found.items()}, path)
    return list(found.values())


def select(given: Sequence[Answer], instructions: Sequence[str], path: Path) -> list[Answer]:
    """Those answers of a file that are to `instructions`, in their order.

    Raises:
        ValueError: the file has no answer to one of them.
    """
    known = {answer.instruction: answer for answer in given}
    missing = [text for text in instructions if text not in known]
    if missing:
        raise ValueError(
            f"{path} has no answer to {len(missing)} of the {len(instructions)} instructions of "
            f"--prompts, such as {missing[0]!r:.80}."
        )
    return [known[text] for text in instructions]


def write(path: Path, answers: Sequence[Answer]) -> None:
    """Write answers as JSON, in the layout of alpaca_eval's model outputs."""
    files.write_json(path, [asdict(answer) for answer in answers])


def match(candidate: Sequence[Answer], baseline: Sequence[Answer]) -> list[Pair]:
    """The answers to each instruction, in the candidate's order.

    Raises:
        ValueError: an instruction that only one of the two has answered.
    """
    of_baseline = {answer.instruction: answer.output for answer in baseline}
    own = {answer.instruction for answer in candidate}
    for missing, who in (
        ([text for text in own if text not in of_baseline], "the baseline"),
        ([text for text in of_baseline if text not in own], "the model"),
    ):
        if missing:
            raise ValueError(
                f"The answers do not match: {who} has none to {len(missing)} instructions of the "
                f"other, such as {min(missing)!r:.80}. Both must answer the same instructions."
            )
    return [
        Pair(answer.instruction, answer.output, of_baseline[answer.instruction])
        for answer in candidate
    ]


def _answer(row: Any, where: str, path: Path) -> Answer:
    given = row if isinstance(row, dict) else {}
    missing = [key for key in _TEXTS if key not in given]
    if missing:
        raise ValueError(
            f"{path}: {where} has no {' and no '.join(missing)}: answers have the keys "
            "instruction, output and generator."
        )
    texts = {key: given[key] for key in _TEXTS}
    if given.get("generator") not in (None, ""):
        texts["generator"] = given["generator"]
    for key, text in texts.items():
        if not isinstance(text, str):
            raise ValueError(f"{path}: the {key} of {where} is {shown(text)}, but must be a text.")
        _check_text(text, f"{path}: the {key} of {where}")
    name = " ".join(texts.get("generator", path.stem).split())  # it is printed on one line
    return Answer(texts["instruction"], texts["output"], name)


def _rows(path: Path, what: str) -> Sequence[tuple[str, Any]]:
    """Rows of a file, each with the words for where it stands.

    These are "row 3", or in lines that are numbered otherwise "row 3 (line 5)". All are counted
    from 1.
    """
    if not path.exists():
        raise ValueError(f"Cannot read a {what} at {path}: the file does not exist.")
    found = formats.values(path)
    if not found:
        raise ValueError(f"{path} is not a {what}: it holds no row.")
    return [(place.inside, row) for place, row in found]


def _check_text(text: str, what: str) -> None:
    """Raise ValueError for half a surrogate pair, which no tokenizer and no judge can be sent."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        lone = text[error.start : error.end]
        raise ValueError(
            f"{what} holds {lone!r} at character {error.start + 1}, half of a surrogate pair: the "
            "text was cut in the middle of a character. Correct it, or take the row out."
        ) from None


def _no_repeats(texts: Mapping[str, str], path: Path) -> None:
    seen: dict[str, str] = {}
    for where, text in texts.items():
        if text in seen:
            raise ValueError(
                f"{path}: {seen[text]} and {where} have the same instruction: keep one."
            )
        seen[text] = where
