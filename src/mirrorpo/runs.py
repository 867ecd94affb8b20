"""Run folders: one command, one folder, all its settings, and nothing overwritten."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mirrorpo import files, versions

CONFIG = "config.json"
METRICS = "metrics.jsonl"


def claim(
    out: Path,
    config: Mapping[str, Any],
    contents: Mapping[str, str] | None = None,
    may_grow: str | None = None,
    state: Path | None = None,
) -> None:
    """Make a folder this run's own, or see that it is already.

    The configuration is written with command, versions, commit and machine; only `config` and
    `contents` decide whether a later command continues the run.

    Args:
        out: the run's folder.
        config: the run's settings. One that is None counts as one that is not there: a run
            that was begun before a setting existed continues as long as that is not used.
        contents: checksums of what the settings name, an agent or an objective: a file or a
            shipped one may have changed since the run began. A run that was begun without one
            continues.
        may_grow: the setting that says how far the run goes. With a larger number of it the run
            continues, and its configuration says so.
        state: what a run that grows goes on from.

    Raises:
        ValueError: the folder holds a run with other settings or contents, or files that are no
            run; or the run grows and its state is lost.
    """
    contents = contents or {}
    path = out / CONFIG
    if path.is_file():
        document = files.read_json(path, "a run's configuration")
        found = document.get("settings", {})
        wanted = files.as_json(dict(config))
        grown = may_grow is not None and found.get(may_grow, math.inf) < wanted[may_grow]
        names = sorted(
            name
            for name in {*found, *wanted}
            if found.get(name) != wanted.get(name) and not (grown and name == may_grow)
        )
        if names:
            raise ValueError(
                f"{out} holds a run with other settings ({', '.join(names)} differ). Choose "
                "another --out, or repeat that run's own command to continue it."
            )
        before = document.get("contents", {})
        changed = [name for name, sum_ in contents.items() if before.get(name, sum_) != sum_]
        if changed:
            raise ValueError(
                f"{out} holds a run that began with another content of {', '.join(changed)}. "
                "Choose another --out, or restore what it was."
            )
        if grown:
            if state is not None:
                refuse_lost_state(out, state)
            files.write_json(path, {**document, "settings": wanted})
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
            "contents": dict(contents),
            "command": versions.command_line(),
            "versions": versions.installed(language=True),
            "git_commit": versions.git_commit(),
            "machine": versions.machine(),
        },
    )


def refuse_lost_state(out: Path, state: Path) -> None:
    """See that a run whose log is there can go on, as it cannot where only its log was copied.

    Args:
        out: the run's folder.
        state: what the run goes on from, written before the first line of the log.

    Raises:
        ValueError: there is a log and no such file. Beginning anew would empty the log.
    """
    if not state.exists() and files.read_json_lines(out / METRICS):
        raise ValueError(
            f"{out} holds the log of a run, but not {state.relative_to(out)}, from which it would "
            "go on. Choose another --out to begin anew, or restore that file."
        )


def default_out(command: str, name: str) -> Path:
    """The folder of a run whose user named none: the same command finds it again.

    It is a folder of `runs`, whatever the name holds: a name may come from a file.
    """
    return Path("runs") / files.file_name(f"{command}-{name}")
