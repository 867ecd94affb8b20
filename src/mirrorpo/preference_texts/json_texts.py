"""Columns of conversations that are written as texts of JSON, as CSV must hold them."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from . import json_rows
from .place import Place, Rows, quoted

COLUMNS = ("prompt", "chosen", "rejected", "conversations")
_BEGIN = re.compile(r"""\s*(\[\s*)?\{\s*['"](role|content|from|value|tool_calls)['"]\s*:""")
_SPEAKER = re.compile(r"""['"](role|from)['"]\s*:\s*['"]""")
_BROKEN = object()


def unfolded(rows: Rows, said: Counter[str]) -> Rows:
    """Rows in which such columns hold their messages.

    One answer may be a text that looks so, where JSON was asked for. So a column counts only if
    most of its texts do.

    Args:
        rows: texts of other columns than `COLUMNS` stay as they are.
        said: counts what was read in another form than it was written in.

    Raises:
        ValueError: in such a column, messages that are not JSON, as where Python printed them.
    """
    for column in COLUMNS:
        texts = [row[column] for _, row in rows if isinstance(row.get(column), str)]
        likely = sum(_messages(text) is not None for text in texts)
        if 2 * likely > len(texts):
            rows = [(place, _with_messages(place, row, column, said)) for place, row in rows]
    return rows


def _with_messages(
    place: Place, row: Mapping[str, Any], column: str, said: Counter[str]
) -> Mapping[str, Any]:
    text = row.get(column)
    found = _messages(text) if isinstance(text, str) else None
    if found is None:
        return row
    if found is _BROKEN:
        raise ValueError(
            f"{place}: {column} holds messages as a text that is not JSON, {quoted(str(text))}: it "
            "is cut, or as Python prints it. Save the dataset as .jsonl or .parquet, with lists."
        )
    said[f"{column} holds messages as JSON texts, read as messages"] += 1
    return {**row, column: found}


def _messages(text: str) -> Any:
    """Messages that a text holds.

    They are `_BROKEN` where it looks so and is not JSON, and None for any other text.
    """
    if not _BEGIN.match(text) or not _SPEAKER.search(text):
        return None
    try:
        found = json_rows.parse(text)
    except (ValueError, RecursionError):
        return _BROKEN
    items = found if isinstance(found, list) else [found]
    is_spoken = [isinstance(item, dict) and ("role" in item or "from" in item) for item in items]
    return found if all(is_spoken) else None
