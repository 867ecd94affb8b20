"""The objectives that were discovered and come with the package."""

import difflib
from importlib import resources
from pathlib import Path


def shipped() -> dict[str, Path]:
    """Their files by name; `load` reads them."""
    folder = Path(str(resources.files("mirrorpo"))) / "assets" / "objectives"
    return {path.stem: path for path in sorted(folder.glob("*.safetensors"))}


def find(name_or_path: Path | str) -> Path:
    """The file of a saved objective, by shipped name or by path.

    Raises:
        ValueError: neither; the message names the near ones.
    """
    text = str(name_or_path)
    own = shipped()
    if text in own:
        return own[text]
    if Path(text).is_file():
        return Path(text)
    near = difflib.get_close_matches(text, own, n=3, cutoff=0.4)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise ValueError(
        f"No discovered objective named {text!r}, and no such file.{hint} "
        f"Shipped: {', '.join(own) or 'none'}."
    )
