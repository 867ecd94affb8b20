"""The files of a model that is a folder of the user's: what tells one model from another."""

from pathlib import Path

from mirrorpo import files


def checksums(model: str) -> dict[str, str]:
    """Checksums of a model's files by path; none for a model of another place."""
    return {
        str(path): files.checksum(path) for path in _files(model) if not path.name.startswith(".")
    }


def stamps(model: str) -> list[tuple[str, int, int]]:
    """Names, sizes and times of a model's files, quickly read; none for a model of another
    place."""
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in _files(model)]


def _files(model: str) -> list[Path]:
    place = Path(model)
    return sorted(path for path in place.iterdir() if path.is_file()) if place.is_dir() else []
