"""The objectives that were discovered and come with the package."""

from pathlib import Path

from mirrorpo import files, near_names


def shipped() -> dict[str, Path]:
    """Their files by name; `load` reads them."""
    found = files.asset("objectives").glob("*.safetensors")
    return {path.stem: path for path in sorted(found)}


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
    hint = near_names.hint(text, own)
    raise ValueError(
        f"No discovered objective named {text!r}, and no such file.{hint} "
        f"Shipped: {', '.join(own) or 'none'}."
    )
