"""The files of a model that is a folder of the user's, or of the package's own.

They tell one model from another.
"""

from collections.abc import Sequence
from pathlib import Path

from mirrorpo import files
from mirrorpo.language.models import reviews_small

ADAPTER = "adapter_config.json"


def checksums(model: str) -> dict[str, str]:
    """Checksums of a model's files by path; none for a model of another place."""
    if model == reviews_small.NAME:
        return {f"{model}/{name}": checksum for name, checksum in _of_the_package()}
    return {
        str(path): files.checksum(path) for path in _files(model) if not path.name.startswith(".")
    }


def contents(model: str, adapter: str | None = None) -> dict[str, str]:
    """One checksum for each folder that a model is loaded from.

    The folders are its own, its adapter's, and those of the base models that adapters name. There
    is none for what is of another place.

    Raises:
        ValueError: as `bases`.
    """
    found = {}
    for name in (*reversed(bases(model)), model, adapter):
        if name is not None and (sums := checksums(name)):
            # By all files at once: one that is added or removed tells, too.
            found[name] = files.digest({Path(path).name: sum_ for path, sum_ in sums.items()})
    return found


def bases(model: str) -> list[str]:
    """The base models below an adapter in a folder, down to a whole model.

    The first is the one that the adapter names. Empty for what is no adapter.

    Raises:
        ValueError: an adapter that does not name its base model, or adapters that name each other.
    """
    found: list[str] = []
    seen = {Path(model).resolve()}
    while (base := _base_of(found[-1] if found else model)) is not None:
        if Path(base).resolve() in seen:
            circle = " -> ".join((model, *found, base))
            raise ValueError(
                f"{model} holds an adapter that leads to no base model: the adapters name each "
                f"other ({circle:.200}). Correct base_model_name_or_path in {ADAPTER}."
            )
        seen.add(Path(base).resolve())
        found.append(base)
    return found


def _base_of(model: str) -> str | None:
    """The model that an adapter in a folder belongs to; None for what is no adapter.

    Raises:
        ValueError: an adapter that does not name it.
    """
    if not (Path(model) / ADAPTER).is_file():
        return None
    base = files.read_object(Path(model) / ADAPTER, "an adapter's settings").get(
        "base_model_name_or_path"
    )
    if not isinstance(base, str) or not base:
        raise ValueError(
            f"{model} holds an adapter that does not name its base model: name the model, and "
            "give the folder as its adapter."
        )
    return base


def stamps(model: str) -> Sequence[tuple[str | int, ...]]:
    """What tells a model's files from others, quickly read.

    It is their names, sizes and times, or the checksums of the package's own, which are small.
    There is none for a model of another place.
    """
    if model == reviews_small.NAME:
        return _of_the_package()
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in _files(model)]


def _of_the_package() -> list[tuple[str, str]]:
    return [(path.name, files.checksum(path)) for path in _files(str(reviews_small.folder()))]


def _files(model: str) -> list[Path]:
    place = Path(model)
    return sorted(path for path in place.iterdir() if path.is_file()) if place.is_dir() else []
