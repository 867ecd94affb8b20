"""The objectives that were discovered and come with the package."""

from pathlib import Path

from mirrorpo import files, near_names

SAVED = (".safetensors", ".json")
"""How the name of a saved objective's file ends."""


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
    if text.endswith(SAVED):
        raise ValueError(f"No such file: {text!r}.{_near_files(Path(text))}")
    hint = near_names.hint(text, own)
    raise ValueError(
        f"No discovered objective named {text!r}, and no such file.{hint} "
        f"Shipped: {', '.join(own) or 'none'}."
    )


def _near_files(path: Path) -> str:
    """A sentence with the files beside a missing one that have nearly its name."""
    try:
        beside = [one.name for one in path.parent.iterdir() if one.name.endswith(SAVED)]
    except OSError:
        return ""
    near = near_names.nearest(path.name, filter(str.isprintable, sorted(beside)), cutoff=0.6)
    there = " or ".join(str(path.with_name(name)) for name in near)
    return f" Did you mean {there}?" if near else ""
