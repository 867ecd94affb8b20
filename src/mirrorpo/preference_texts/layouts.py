"""How hubs lay preference data out, as the columns prompt, chosen, rejected and tools."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .place import Place, RawRow, Rows, found, names, quoted
from .row import COLUMNS

AUTO = "auto"
_TURN = re.compile(r"\n\n(Human|Assistant):")
_ROLES = {"Human": "user", "Assistant": "assistant"}
_HH = re.compile(r"\s*Human:.*\n\nAssistant:", re.DOTALL)


@dataclass(frozen=True)
class Layout:
    """A way to write pairs.

    Attributes:
        name: as a setting names it.
        needs: columns that it cannot do without.
        uses: other columns that it reads.
        about: what is done with them, as it is said to the user; "" for nothing.
        convert: rows to rows.
        is_certain: whether rows with these columns can be nothing else, so that "auto" may take it.
    """

    name: str
    needs: tuple[str, ...]
    uses: tuple[str, ...]
    about: str
    convert: Callable[[Rows], Rows]
    is_certain: bool = True


def detect(columns: Iterable[str], rows: Rows) -> Layout | None:
    """The layout that rows are certainly in; None where there is none.

    Args:
        columns: all that any row has.
        rows: at least one.
    """
    have = set(columns)
    if not {"chosen", "rejected"} <= have:
        return SHP if have.issuperset(SHP.needs) else None
    if "prompt" in have:
        return PAIRS
    for layout in (SHAREGPT, ORCA):
        if have.issuperset(layout.needs):
            return layout
    sides = [row.get(side) for _, row in rows for side in ("chosen", "rejected")]
    texts = [value for value in sides if value is not None]
    if not all(isinstance(text, str) for text in texts):
        return PAIRS
    transcripts = sum(bool(_HH.match(text)) for text in texts)
    # One that is none is then named with its row.
    return HH if 2 * transcripts > len(texts) else None


def one_row(convert: Callable[[Place, RawRow], RawRow]) -> Callable[[Rows], Rows]:
    """A conversion of rows one by one."""
    return lambda rows: [(place, convert(place, row)) for place, row in rows]


def _hh(place: Place, row: RawRow) -> RawRow:
    return {**row, **{side: _turns(place, side, row.get(side)) for side in ("chosen", "rejected")}}


def _turns(place: Place, side: str, text: Any) -> list[dict[str, str]]:
    if not isinstance(text, str) or not _HH.match(text):
        raise ValueError(
            f"{place}: {side} is {found(text)}, but in the layout hh it begins with 'Human:' and "
            "has an 'Assistant:'."
        )
    # The text before the first speaker is empty.
    _, *parts = _TURN.split("\n\n" + text.lstrip())
    return [
        {"role": _ROLES[speaker], "content": content.strip()}
        for speaker, content in zip(parts[::2], parts[1::2], strict=True)
    ]


def _orca(place: Place, row: RawRow) -> RawRow:
    question, system = row.get("question"), row.get("system")
    if not isinstance(question, str) or not (system is None or isinstance(system, str)):
        wrong = "system" if isinstance(question, str) else "question"
        raise ValueError(f"{place}: {wrong} is {found(row.get(wrong))}, but must be a text.")
    if not system:
        return {**row, "prompt": question}
    first = {"role": "system", "content": system}
    return {**row, "prompt": [first, {"role": "user", "content": question}]}


def _sharegpt(place: Place, row: RawRow) -> RawRow:
    given, system = row.get("conversations"), row.get("system")
    if not isinstance(given, list) or not given:
        raise ValueError(
            f"{place}: conversations is {found(given)}, but must be a list of messages."
        )
    if system is not None and not isinstance(system, str):
        raise ValueError(f"{place}: system is {found(system)}, but must be a text.")
    first = [{"role": "system", "content": system}] if system else []
    return {**row, "prompt": [*first, *given]}


def _shp(place: Place, row: RawRow) -> RawRow:
    label = row.get("labels")
    if isinstance(label, bool) or label not in (0, 1, "0", "1"):
        raise ValueError(
            f"{place}: labels is {found(label)}, but must be 1 where human_ref_A is the better "
            "answer, and 0 where human_ref_B is."
        )
    sides = [row.get("human_ref_A"), row.get("human_ref_B")]
    chosen, rejected = sides if int(label) == 1 else sides[::-1]
    return {**row, "prompt": row.get("history"), "chosen": chosen, "rejected": rejected}


def _kto(rows: Rows) -> Rows:
    """Pairs of one prompt's good and bad answers: the first with the first, and so on."""
    answers: dict[str, dict[bool, list[tuple[Place, RawRow]]]] = defaultdict(
        lambda: {True: [], False: []}
    )
    for place, row in rows:
        label = row.get("label")
        if label not in (True, False, "true", "false", "True", "False"):
            raise ValueError(f"{place}: label is {found(label)}, but must be true or false.")
        good = label in (True, "true", "True")
        answers[repr(row.get("prompt"))][good].append((place, row))
    made: Rows = [
        (place, {**good, "chosen": good.get("completion"), "rejected": bad.get("completion")})
        for by_label in answers.values()
        for (place, good), (_, bad) in zip(by_label[True], by_label[False], strict=False)
    ]
    if not made:
        raise ValueError(
            f"{rows[0][0].source}: no prompt has a good answer and a bad one (label true and "
            "false), so there is no pair."
        )
    return made


PAIRS = Layout("pairs", ("chosen", "rejected"), ("prompt", "tools"), "", lambda rows: rows)
HH = Layout(
    "hh",
    ("chosen", "rejected"),
    (),
    "transcripts: 'Human:' begins a user's message, 'Assistant:' the assistant's",
    one_row(_hh),
)
ORCA = Layout(
    "orca",
    ("question", "chosen", "rejected"),
    ("system", "tools"),
    "question is the prompt, after the system message where there is one",
    one_row(_orca),
)
SHAREGPT = Layout(
    "sharegpt",
    ("conversations", "chosen", "rejected"),
    ("system", "tools"),
    "conversations are the prompt",
    one_row(_sharegpt),
)
SHP = Layout(
    "shp",
    ("history", "human_ref_A", "human_ref_B", "labels"),
    (),
    "history is the prompt, and labels says which of human_ref_A and human_ref_B is chosen",
    one_row(_shp),
)
KTO = Layout(
    "kto",
    ("prompt", "completion", "label"),
    ("tools",),
    "the good and the bad answers to a prompt are paired in their order",
    _kto,
    is_certain=False,
)
LAYOUTS: Mapping[str, Layout] = {
    layout.name: layout for layout in (PAIRS, HH, ORCA, SHAREGPT, SHP, KTO)
}


def unknown(source: str, columns: Iterable[str], rows: Rows, option: str, mapping: str) -> str:
    """Why rows are in no certain layout, and what to set.

    Args:
        source: the dataset's name.
        columns: all that any row has.
        rows: at least one.
        option: the setting that names a layout.
        mapping: the setting that names columns.
    """
    listed = list(columns)
    missing = [name for name in COLUMNS if name not in listed]
    text = (
        f"{source} has no column {' and no column '.join(missing)}: a preference dataset has the "
        f"columns {', '.join(COLUMNS)}; this one has {names(listed)}."
    )
    if set(KTO.needs) <= set(listed):
        return (
            f"{text} These are single answers with a label, as KTO takes them: {option}=kto pairs "
            "the good and the bad answers to the same prompt."
        )
    if missing == ["prompt"]:
        sample = next((row["chosen"] for _, row in rows if isinstance(row["chosen"], str)), "")
        text += f" chosen begins with {quoted(sample)}."
    return (
        f"{text} Name its layout by {option} ({', '.join(LAYOUTS)}), or its columns by {mapping}, "
        "such as prompt=question."
    )
