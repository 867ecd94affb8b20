"""What the configuration of a run's folder says: which command made the run, and with what."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirrorpo import files, plain_text, run_kinds, runs
from mirrorpo.reporting.page import commands
from mirrorpo.run_kinds import Kind


@dataclass(frozen=True)
class Folder:
    """A run's folder.

    Attributes:
        path: the path of the folder.
        name: its name in the report; unique there.
        kind: the command that made it; the page has no figures of "other".
        settings: as in config.json.
        versions: the versions of Python and of packages.
        commit: the commit of the code; None outside a checkout.
        machine: processor, cores and system.
        command: the command line that made it, or continues it; None where the configuration
            neither holds it nor all that it would say.
        damage: why the report shows nothing else of it, in one line; None for a sound one.
    """

    path: Path
    name: str
    kind: Kind
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    commit: str | None
    machine: Mapping[str, Any]
    command: str | None
    damage: str | None = None


def read(paths: Sequence[Path]) -> list[Folder]:
    """The folders in the order given, with names that differ.

    Raises:
        ValueError: a folder that does not exist or is empty, or one named twice.
    """
    resolved = [path.resolve() for path in paths]
    twice = [str(path) for path, count in Counter(resolved).items() if count > 1]
    if twice:
        raise ValueError(f"{twice[0]} is named twice.")
    names = [path.name for path in resolved]
    if not _differ(names):
        names = [f"{path.parent.name}/{path.name}" for path in resolved]
    if not _differ(names):
        names = [str(path) for path in paths]
    if not _differ(names):
        names = [f"{number + 1}-{name}" for number, name in enumerate(names)]
    return [
        _read(path, plain_text.visible(name)) for path, name in zip(resolved, names, strict=True)
    ]


def read_one(path: Path, *kinds: Kind) -> Folder:
    """The folder of one run.

    Raises:
        ValueError: there is no such folder, it is damaged, or another command made it.
    """
    (found,) = read([path])
    if found.damage is not None:
        raise ValueError(found.damage)
    if found.kind not in kinds:
        raise ValueError(f"{path} is not a folder of `mirrorpo {kinds[0]}`.")
    return found


def _differ(names: Sequence[str]) -> bool:
    """Whether the files that are called by these names have different names, too."""
    return len({files.file_name(plain_text.visible(name)) for name in names}) == len(names)


def _read(path: Path, name: str) -> Folder:
    if not path.exists():
        raise ValueError(f"No run folder at {path}: it does not exist.")
    if not path.is_dir():
        raise ValueError(f"{path} is a file: name the folder of a run.")
    if not any(path.iterdir()):
        raise ValueError(
            f"{path} is empty: name a folder that a command such as `mirrorpo bench` wrote."
        )
    try:
        config = files.read_json(path / runs.CONFIG, "a run's configuration")
        settings = config.get("settings") if isinstance(config, dict) else None
        if not isinstance(settings, dict):
            raise ValueError(f"{path / runs.CONFIG} holds no settings of a run.")
        kind = run_kinds.of(config)
        made = commands.command_line(kind, settings, path)
    except (ValueError, TypeError, OSError) as error:
        damage = " ".join(str(error).split())
        return Folder(path, name, "other", {}, {}, None, {}, None, damage)
    return Folder(
        path,
        name,
        kind,
        settings,
        _mapping(config.get("versions")),
        _text(config.get("git_commit")),
        _mapping(config.get("machine")),
        _text(config.get("command")) or made,
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
