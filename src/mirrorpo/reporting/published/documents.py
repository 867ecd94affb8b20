"""The files of a run beside its agents: which are published, and how their content is kept."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as arrow
from PIL import Image

from mirrorpo import bounded, runs
from mirrorpo.reporting.page import pictures
from mirrorpo.reporting.published.store import DOCUMENT_COLUMNS

AS_IT_IS = "bytes"
PICTURE = "webp"
MADE = "agents"
"""How a content is kept: as it is; a PNG's pixels as lossless WebP, which is half as large; or not
at all, because it is made of the agents."""

RESULTS = "results.csv"

LARGEST = bounded.MEBIBYTE // 4
"""Bytes of a file that is published."""

_TEXTS = (".json", ".jsonl", ".md", ".csv", ".tex", ".yaml")
_PICTURES = ("gradient_map.png", "functions.png")
_WITHOUT_READER = ("samples", "checkpoints", "tensorboard")
_TO_RESUME = ("state.safetensors", "samples.jsonl")


def published(folder: Path) -> Iterator[Path]:
    """The files of a run that readers use, small or large.

    Left out are checkpoints, the state of a search to resume, samples of texts, and pictures that
    no page shows.
    """
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_symlink() or not path.is_file() or path.name in _TO_RESUME:
            continue
        if any(part.startswith(".") or part in _WITHOUT_READER for part in parts):
            continue
        if path.suffix in (*_TEXTS, ".safetensors") or path.name in _PICTURES:
            yield path


def kept(path: Path, is_bench: bool) -> tuple[str, bytes | None]:
    """How a file's content is kept, and the content.

    Args:
        path: the path of the file.
        is_bench: whether its run is a bench, whose agents have a table.
    """
    if is_bench and path.name in (runs.METRICS, RESULTS):
        return MADE, None
    content = bounded.read_bytes(path, "a file of a run", pictures.LARGEST)
    if path.name in _PICTURES and (packed := _packed(content)) is not None:
        return PICTURE, packed
    return AS_IT_IS, content


def restored(form: str, content: bytes | None, path: str) -> bytes:
    """A file's content.

    Args:
        form: how it is kept: `AS_IT_IS` or `PICTURE`.
        content: the content that is kept.
        path: the path of the file, for messages.

    Raises:
        ValueError: no such form, or a damaged picture.
    """
    if content is not None and form == AS_IT_IS:
        return content
    if content is not None and form == PICTURE:
        try:
            return _png(_opened(content))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise ValueError(f"{path} is damaged: it is not a picture ({error!s:.100}).") from None
    raise ValueError(f"{path} is damaged: it has no content of a form that this version knows.")


def table(rows: Sequence[dict[str, Any]]) -> arrow.Table:
    """The table of documents of all runs. Files of one name, much alike, stand together."""
    ordered = sorted(
        rows, key=lambda row: (row["path"].rpartition("/")[2], row["run"], row["path"])
    )
    return arrow.Table.from_pylist(ordered, DOCUMENT_COLUMNS)


def _packed(content: bytes) -> bytes | None:
    """A picture as lossless WebP; None where that is not the same, or not to be had."""
    found = io.BytesIO()
    try:
        with Image.open(io.BytesIO(content)) as picture:
            picture.load()
            picture.save(found, "webp", lossless=True, quality=100, method=4, exact=True)
            again = _opened(found.getvalue())
            # Without a transparent point, WebP drops what says so.
            is_same = again.convert(picture.mode).tobytes() == picture.tobytes()
    except (OSError, ValueError, KeyError):
        return None
    return found.getvalue() if is_same else None


def _opened(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content), formats=["WEBP"]) as picture:
        picture.load()
        return picture.copy()


def _png(picture: Image.Image) -> bytes:
    found = io.BytesIO()
    picture.save(found, "png")
    return found.getvalue()
