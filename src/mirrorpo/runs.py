"""Run folders: one command, one folder, all its settings, and nothing overwritten."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mirrorpo import files, versions

CONFIG = "config.json"
METRICS = "metrics.jsonl"


def claim(out: Path, config: Mapping[str, Any]) -> None:
    """Make a folder this run's own, or see that it is already.

    The configuration is written with command, versions, commit and machine; only `config`
    decides whether a later command continues the run.

    Raises:
        ValueError: the folder holds a run with other settings, or files that are no run.
    """
    path = out / CONFIG
    if path.is_file():
        found = files.read_json(path, "a run's configuration").get("settings", {})
        wanted = files.as_json(dict(config))
        if found != wanted:
            names = sorted(
                name for name in {*found, *wanted} if found.get(name) != wanted.get(name)
            )
            raise ValueError(
                f"{out} holds a run with other settings ({', '.join(names)} differ). Choose "
                "another --out, or repeat that run's own command to continue it."
            )
        return
    if out.is_dir() and any(out.iterdir()):
        raise ValueError(
            f"{out} is not empty and holds no run. Choose a new folder for --out: nothing is "
            "overwritten."
        )
    files.write_json(
        path,
        {
            "settings": dict(config),
            "command": versions.command_line(),
            "versions": versions.installed(language=True),
            "git_commit": versions.git_commit(),
            "machine": versions.machine(),
        },
    )


def default_out(command: str, name: str) -> Path:
    """The folder of a run whose user named none: the same command finds it again."""
    return Path("runs") / f"{command}-{name}"
