"""Pictures within the page, as addresses that need no other file."""

import base64
from pathlib import Path

from mirrorpo import bounded

LARGEST = 16 * bounded.MEBIBYTE

_PNG = b"\x89PNG\r\n\x1a\n"


def data_uri(kind: str, content: bytes) -> str:
    """A picture's content as an address."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def from_file(path: Path) -> str:
    """A PNG file as an address.

    Raises:
        ValueError: it is no PNG, or larger than `LARGEST`.
    """
    content = bounded.read_bytes(path, "a picture", LARGEST)
    if not content.startswith(_PNG):
        raise ValueError(f"{path} is not a PNG.")
    return data_uri("image/png", content)
