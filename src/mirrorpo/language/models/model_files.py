"""The files of a model that is a folder of the user's, or of the package's own: what tells one
model from another."""

from collections.abc import Sequence
from pathlib import Path

from mirrorpo import files
from mirrorpo.language.models import reviews_small


def checksums(model: str) -> dict[str, str]:
    """Checksums of a model's files by path; none for a model of another place."""
    if model == reviews_small.NAME:
        return {f"{model}/{name}": checksum for name, checksum in _of_the_package()}
    return {
        str(path): files.checksum(path) for path in _files(model) if not path.name.startswith(".")
    }


def stamps(model: str) -> Sequence[tuple[str | int, ...]]:
    """What tells a model's files from others, quickly read: their names, sizes and times, or the
    checksums of the package's own, which are small; none for a model of another place."""
    if model == reviews_small.NAME:
        return _of_the_package()
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in _files(model)]


def _of_the_package() -> list[tuple[str, str]]:
    return [(path.name, files.checksum(path)) for path in _files(str(reviews_small.folder()))]


def _files(model: str) -> list[Path]:
    place = Path(model)
    return sorted(path for path in place.iterdir() if path.is_file()) if place.is_dir() else []
