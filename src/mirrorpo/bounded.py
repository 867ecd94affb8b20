"""Reading what others wrote, within limits of size, depth and expansion.

A file or an answer from outside is data that may be damaged or hostile. Each reader here does work
that is proportional to what it is given, and refuses what is beyond its limit in one line.
"""

import gzip
import io
import json
import os
import re
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import IO, Any

MEBIBYTE = 2**20

DOCUMENT = 64 * MEBIBYTE
"""Bytes of a JSON document that is read whole: settings, cards, results, answers."""

DATASET = 1024 * MEBIBYTE
"""Bytes of a file of preference texts, unpacked."""

TABLE = 64 * MEBIBYTE
"""Bytes of a CSV file of results."""

GROWTH = 200
"""How many times its size a packed file may unpack to, beyond `DOCUMENT`. Texts reach about 10."""

LINE = 16 * MEBIBYTE
"""Bytes of one line of a JSON-lines file."""

LOG = 512 * MEBIBYTE
"""Bytes of a log that a report reads."""

CARD = 16 * MEBIBYTE
"""Bytes of the header of a safetensors file, with the card in it."""

DEPTH = 100
"""Lists and mappings within each other."""

YAML_DOCUMENT = MEBIBYTE // 4
YAML_VALUES = 100_000
"""Bytes of a YAML file, and values that it may stand for once its aliases are followed."""


# A string, matched without going back, or a bracket.
_BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[][{}]', re.DOTALL)


def read_at_most(stream: IO[bytes] | io.BufferedIOBase, limit: int, what: str) -> bytes:
    """All bytes of a stream, for example an endpoint's answer.

    No more than `limit` + 1 bytes are read, and no more are held.

    Raises:
        ValueError: there are more than `limit`.
    """
    parts, left = [], limit + 1
    while left and (part := stream.read(min(left, MEBIBYTE))):
        parts.append(part)
        left -= len(part)
    if not left:
        raise ValueError(f"{what} is longer than {_size(limit)}, the most that is read.")
    return b"".join(parts)


def read_bytes(path: Path, what: str, limit: int = DOCUMENT) -> bytes:
    """A file's content.

    Raises:
        ValueError: it is larger than `limit`.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return read_at_most(file, limit, f"{path}, {what},")


def read_text(path: Path, what: str, limit: int = DOCUMENT) -> str:
    """A file's text in UTF-8.

    Raises:
        ValueError: it is larger than `limit`, or not UTF-8.
        OSError: it cannot be read.
    """
    return read_bytes(path, what, limit).decode("utf-8")


def unpack(content: bytes, what: str) -> bytes:
    """What a gzip file's content unpacks to; of a bomb no more than a little is unpacked.

    Raises:
        ValueError: more than `DATASET`, or than `DOCUMENT` and `GROWTH` times the content.
        EOFError, zlib.error, gzip.BadGzipFile: it is damaged.
    """
    limit = min(DATASET, max(DOCUMENT, GROWTH * len(content)))
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        return read_at_most(file, limit, f"{what}, unpacked,")


def check_size(path: Path, what: str, limit: int) -> None:
    """See that a file, if there is one, is no larger than a limit.

    Raises:
        ValueError: it is larger.
    """
    if path.is_file():
        check_length(path.stat().st_size, f"{path}, {what},", limit)


def check_length(count: int, what: str, limit: int) -> None:
    """See that a number of bytes is no larger than a limit.

    Raises:
        ValueError: it is larger.
    """
    if count > limit:
        raise ValueError(f"{what} is larger than {_size(limit)}, the most that is read.")


def parse_json(text: str) -> Any:
    """The value of a JSON text, as `json.loads`.

    Raises:
        ValueError: not JSON, a number of thousands of digits, or values nested more than `DEPTH`
            deep. It is no `RecursionError`, however deep.
    """
    if text.count("[") + text.count("{") > DEPTH and _depth(text) > DEPTH:
        raise ValueError(f"its values are nested more than {DEPTH} deep")
    return json.loads(text)


def parse_yaml(text: str) -> Any:
    """The value of a YAML text of plain data: no tags of Python, no dates, and no bombs.

    What looks like a date is text, as in JSON.

    Raises:
        ValueError: not YAML, longer than `YAML_DOCUMENT`, nested more than `DEPTH` deep, a key that
            is there twice, an alias within its own anchor, or aliases that stand for more than
            `YAML_VALUES` values.
    """
    if len(text) > YAML_DOCUMENT:
        raise ValueError(f"it is longer than {_size(YAML_DOCUMENT)}, the most that is read")
    yaml: Any = import_module("yaml")  # has no types
    try:
        loader = yaml.SafeLoader(text)
    except yaml.YAMLError as error:  # a character that YAML does not know
        raise ValueError(" ".join(str(error).split())) from None
    compose, depth = loader.compose_node, 0

    def compose_within_depth(parent: Any, index: Any) -> Any:
        # The text is scanned as it is composed: of one that is too deep no more than this.
        nonlocal depth
        depth += 1
        if depth > DEPTH:
            raise ValueError(f"its values are nested more than {DEPTH} deep")
        node = compose(parent, index)
        depth -= 1
        return node

    loader.compose_node = compose_within_depth
    as_text = loader.yaml_constructors["tag:yaml.org,2002:str"]
    loader.yaml_constructors = {**loader.yaml_constructors, _DATE: as_text}
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _measure(node, {})
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    finally:
        loader.dispose()


def check_header(path: Path) -> None:
    """See that the header of a safetensors file is no longer than `CARD`, before it is read.

    Raises:
        ValueError: it is longer.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    # One that is longer than the file is for the library to refuse: the file is cut.
    if CARD < length <= os.path.getsize(path):
        raise ValueError(f"{path} has a header of {_size(length)}, more than {_size(CARD)}.")


def _depth(text: str) -> int:
    """How deep brackets stand within each other, those within strings left out."""
    depth = deepest = 0
    for found in _BRACKET.finditer(text):
        if found[0] in ("[", "{"):
            depth += 1
            deepest = max(deepest, depth)
        elif found[0] in ("]", "}"):
            depth -= 1
    return deepest


def _measure(node: Any, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """How many values a node stands for, its aliases followed, and how deep they are nested.

    Each node is looked at once.
    """
    if id(node) not in known:
        known[id(node)] = _WITHIN
        _refuse_repeats(node)
        children = _children(node)
        found = [_measure(child, known) for child in children]
        total = 1 + sum(count for count, _ in found)
        depth = 1 + max((depth for _, depth in found), default=0)
        if total > YAML_VALUES:
            raise ValueError(f"its aliases stand for more than {YAML_VALUES:,} values")
        if depth > DEPTH:
            raise ValueError(f"its values are nested more than {DEPTH} deep")
        known[id(node)] = total, depth
    if known[id(node)] is _WITHIN:
        raise ValueError("an alias stands within its own anchor")
    return known[id(node)]


_WITHIN = (0, 0)
_DATE = "tag:yaml.org,2002:timestamp"
_MERGE = "<<"


def _children(node: Any) -> list[Any]:
    """The items of a sequence, the keys and values of a mapping, nothing of a scalar."""
    return [
        child for item in _items(node) for child in (item if isinstance(item, tuple) else (item,))
    ]


def _items(node: Any) -> list[Any]:
    """The items of a sequence, the pairs of a mapping, nothing of a scalar."""
    return node.value if isinstance(node.value, list) else []


def _refuse_repeats(node: Any) -> None:
    """See that no key of a mapping is there twice: YAML would take the last one in silence."""
    pairs = [item for item in _items(node) if isinstance(item, tuple)]
    counts = Counter(key.value for key, _ in pairs if isinstance(key.value, str))
    twice = next((key for key, count in counts.items() if count > 1 and key != _MERGE), None)
    if twice is not None:
        raise ValueError(f"the key {twice!r:.60} is there twice in one mapping: keep one")


def _size(count: int) -> str:
    if count < MEBIBYTE:
        return f"{count // 1024} KiB"
    return f"{count // MEBIBYTE} MiB"
