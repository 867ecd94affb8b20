"""The objectives that were discovered and come with the package."""

from importlib import resources
from pathlib import Path


def shipped() -> dict[str, Path]:
    """Their files by name; `load` reads them."""
    folder = Path(str(resources.files("mirrorpo"))) / "assets" / "objectives"
    return {path.stem: path for path in sorted(folder.glob("*.safetensors"))}
