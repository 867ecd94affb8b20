"""The one reader of preference texts: files, folders or rows in, checked rows out."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from . import folders, json_texts, layouts, messages, row
from .place import Place, Rows, found, names
from .row import COLUMNS, REFERENCE_COLUMNS, PreferenceRow

_FEWEST = 5
_LOG_PROBS = tuple(name for pair in REFERENCE_COLUMNS for name in pair)


@dataclass(frozen=True)
class Reading:
    """How rows are understood.

    Attributes:
        format: a layout's name, or "auto" for the one that the columns and texts are certainly of.
        columns: names in the dataset of prompt, chosen, rejected and so on, where they are others;
            None for a column that is to be left out.
        option: what sets `format`, for messages.
        mapping: what sets `columns`.

    Raises:
        ValueError: an unknown layout.
    """

    format: str = layouts.AUTO
    columns: Mapping[str, str | None] = field(default_factory=dict)
    option: str = "format"
    mapping: str = "columns"

    def __post_init__(self) -> None:
        known = (layouts.AUTO, *layouts.LAYOUTS)
        if self.format not in known:
            raise ValueError(
                f"{self.option} is {self.format!r}, but must be one of {', '.join(known)}."
            )


@dataclass(frozen=True)
class PreferenceTexts:
    """Rows that were checked.

    Attributes:
        source: the dataset's name in messages.
        rows: at least one.
        notes: what was read in another form than it was written in, and what was left out; each a
            sentence.
    """

    source: str
    rows: tuple[PreferenceRow, ...]
    notes: tuple[str, ...] = ()


def read(
    path: Path, split: str | None = None, how: Reading | None = None, reference: bool = False
) -> PreferenceTexts:
    """Read and check all rows of a split of a file or a folder.

    Args:
        path: see `formats.ACCEPTED` and `folders.read`.
        split: None for the only one, or "train" among several; a part of one is ``train[:90%]``.
        how: None for "auto".
        reference: whether to read the columns of `row.REFERENCE_COLUMNS`, where they are there.

    Raises:
        ValueError: nothing to read, or a row that states no pair. The message is one line and
            names the file, the row, the column and what was found.
    """
    rows, said = folders.read(path, split)
    made = check(rows, str(path), how, reference)
    return replace(made, notes=(said, *made.notes)) if said else made


def from_rows(
    rows: Iterable[Mapping[str, Any]], source: str, how: Reading | None = None
) -> PreferenceTexts:
    """Check the rows of a Python object, which are counted from 0; see `read`."""
    placed = [(Place(source, number), row) for number, row in enumerate(rows)]
    return check(placed, source, how)


def check(
    rows: Rows, source: str, how: Reading | None = None, reference: bool = False
) -> PreferenceTexts:
    """Check rows with their places; see `read`.

    Raises:
        ValueError: as `read`.
    """
    how = how or Reading()
    if not rows:
        raise ValueError(f"{source} has no rows: it holds no pairs.")
    said: Counter[str] = Counter()
    rows = json_texts.unfolded(_renamed(rows, how, source), said)
    columns = list(dict.fromkeys(name for _, given in rows for name in given))
    layout = _layout(rows, columns, how, source)
    _no_media(rows, how)
    wanted = {*layout.needs, *layout.uses, *(_LOG_PROBS if reference else ())}
    notes = [f"{source}: read in the layout {layout.name}: {layout.about}."] if layout.about else []
    ignored = [name for name in columns if name not in wanted]
    if ignored:
        notes.append(f"{source}: columns that are not used: {names(ignored)}.")
    pairs = layout.convert(rows)
    alone = len(rows) - 2 * len(pairs)
    if layout is layouts.KTO and alone:
        notes.append(f"{source}: {alone} of {len(rows)} answers have no partner: left out.")
    kept = {*COLUMNS, "tools", *(_LOG_PROBS if reference else ())}
    made = []
    for place, given in pairs:
        of_row: Counter[str] = Counter()
        own = {key: value for key, value in given.items() if key in kept}
        made.append(row.check(place, own, of_row, reference))
        said.update(of_row.keys())
    if reference:
        _all_or_none(made)
    made = _without_repeated_prompts(made, said)
    notes += [f"{source}: {_rows(count, len(made))}: {what}." for what, count in said.items()]
    return PreferenceTexts(source, tuple(made), (*notes, *_remarkable(made, source)))


def _renamed(rows: Rows, how: Reading, source: str) -> Rows:
    if not how.columns:
        return rows
    columns = {name for _, given in rows for name in given}
    for name, own in how.columns.items():
        if own is not None and own not in columns:
            raise ValueError(
                f"{how.mapping}: {name} is {own!r}, but {source} has the columns {names(columns)}."
            )
    taken = {*how.columns, *how.columns.values()}
    return [
        (
            place,
            {
                **{key: value for key, value in given.items() if key not in taken},
                **{
                    name: given[own]
                    for name, own in how.columns.items()
                    if own is not None and own in given
                },
            },
        )
        for place, given in rows
    ]


def _layout(rows: Rows, columns: list[str], how: Reading, source: str) -> layouts.Layout:
    if how.format == layouts.AUTO:
        layout = layouts.detect(columns, rows)
        if layout is None:
            raise ValueError(layouts.unknown(source, columns, rows, how.option, how.mapping))
        return layout
    layout = layouts.LAYOUTS[how.format]
    missing = [name for name in layout.needs if name not in columns]
    if missing:
        raise ValueError(
            f"{source} is not in the layout {layout.name}: it has no column "
            f"{' and no column '.join(missing)}, but {names(columns)}."
        )
    return layout


def _no_media(rows: Rows, how: Reading) -> None:
    for place, given in rows:
        for name in messages.MEDIA:
            value = given.get(name)
            if not messages.is_empty(value):
                raise ValueError(
                    f"{place}: {name} is {found(value)}, and only texts can be trained on. Remove "
                    f"the column if the texts stand alone, or leave it out ({how.mapping}: "
                    f"{name}=null)."
                )


def _all_or_none(made: list[PreferenceRow]) -> None:
    known = next((row.place for row in made if row.reference is not None), None)
    missing = next((row.place for row in made if row.reference is None), None)
    if known is not None and missing is not None:
        raise ValueError(
            f"{missing} has no reference log-probs ({', '.join(REFERENCE_COLUMNS[0])}), but "
            f"row {known.row} has: give them for every row, or for none."
        )


def _without_repeated_prompts(made: list[PreferenceRow], said: Counter[str]) -> list[PreferenceRow]:
    """Texts whose answers all begin with their prompts: each prompt is taken once.

    One answer may quote its question. If all do, the column holds whole texts.
    """

    def rest(row: PreferenceRow, text: Any) -> str:
        whole = isinstance(row.prompt, str) and isinstance(text, str)
        return text.removeprefix(row.prompt) if whole and text.startswith(row.prompt) else ""

    parts = [(rest(row, row.chosen), rest(row, row.rejected)) for row in made]
    enough = len({row.question for row in made}) >= _FEWEST
    if not enough or not all(part.strip() for pair in parts for part in pair):
        return made
    said["the answers begin with the prompt: it is taken once"] += len(made)
    return [
        replace(row, chosen=chosen, rejected=rejected)
        for row, (chosen, rejected) in zip(made, parts, strict=True)
    ]


def _remarkable(made: list[PreferenceRow], source: str) -> list[str]:
    answers = [(row.answer("chosen"), row.answer("rejected")) for row in made]
    empty = sum(not text.strip() for pair in answers for text in pair)
    alike = sum(chosen == rejected for chosen, rejected in answers)
    notes = []
    if empty:
        notes.append(f"{source}: {empty} of {2 * len(made)} answers are empty.")
    if alike:
        notes.append(f"{source}: {_rows(alike, len(made))}: chosen and rejected are the same.")
    return notes


def _rows(count: int, of: int) -> str:
    return "all rows" if count == of and of > 1 else f"{count} row{'s' if count != 1 else ''}"
