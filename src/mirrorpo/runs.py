"""Run folders: one command, one folder, all its settings, and nothing overwritten.

A command that writes a run is decorated with `holding`, and claims its folder: no other process
can then write to it before the command has ended or died.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mirrorpo import files, json_lines, locks, places, run_kinds, versions
from mirrorpo.locks import holding
from mirrorpo.run_kinds import Kind

__all__ = [
    "CONFIG",
    "METRICS",
    "claim",
    "claim_file",
    "claim_folder",
    "claim_replaceable",
    "default_out",
    "forget_unstarted",
    "holding",
    "refuse_lost_state",
]

CONFIG = "config.json"
METRICS = "metrics.jsonl"

_LOCKS = (locks.NAME, locks.FALLBACK_NAME)
_claimed: set[Path] = set()  # by this process, in folders that held no run


def claim(
    out: Path,
    config: Mapping[str, Any],
    contents: Mapping[str, str] | None = None,
    may_grow: str | None = None,
    state: Path | None = None,
    lock: bool = True,
    *,
    kind: Kind | None = None,
) -> None:
    """Make a folder this run's own, or see that it is already, and hold it until `holding` ends.

    The configuration is written with kind, command, versions, commit and machine; only `config`,
    `contents` and `kind` decide whether a later command continues the run.

    Args:
        out: the run's folder.
        config: the run's settings. One that is None counts as one that is not there: a run
            that was begun before a setting existed continues as long as that is not used.
        contents: checksums of what the settings name, an agent or an objective: a file or a
            shipped one may have changed since the run began. A run that was begun without one
            continues.
        may_grow: the setting that says how far the run goes. With a larger number of it the run
            continues, and its configuration says so.
        state: what a run that grows resumes from.
        lock: False in those processes of one run that do not write its files.
        kind: the command that makes the run; readers choose by it how to read the folder.

    Raises:
        ValueError: another process holds the folder; it holds a run of another kind, or with other
            settings or contents, or files that are no run; or the run grows and its state is lost.
    """
    contents = contents or {}
    path = out / CONFIG
    if not path.is_file():  # of a finished run, which may be read-only, nothing is written
        places.check(path, f"--out {out}")
    _refuse_other_files(out)
    if lock:
        files.make_folder(out)
        locks.hold(out)
    if path.is_file():
        document = files.read_object(path, "a run's configuration")
        found, before = document.get("settings"), document.get("contents", {})
        if not isinstance(found, dict) or not isinstance(before, dict):
            raise ValueError(f"{path} is not a run's configuration: it holds no settings of a run.")
        wanted = files.as_json(dict(config))
        grown = may_grow is not None and _is_less(found.get(may_grow), wanted[may_grow])
        names = sorted(
            name
            for name in {*found, *wanted}
            if found.get(name) != wanted.get(name) and not (grown and name == may_grow)
        )
        made_by = run_kinds.of(document)
        is_other = kind is not None and made_by not in (kind, "other")
        changed = [name for name, sum_ in contents.items() if before.get(name, sum_) != sum_]
        if (names or is_other or changed) and not _has_begun(out):
            # What stopped it was a mistake that has been corrected.
            if lock:
                _empty(out)
                claim(out, config, contents, may_grow, state, lock, kind=kind)
            return
        if is_other:
            raise ValueError(
                f"{out} holds a run of `mirrorpo {made_by}`, not of `mirrorpo {kind}`. Choose "
                "another --out: nothing is overwritten."
            )
        if names:
            raise ValueError(
                f"{out} holds a run with other settings ({', '.join(names)} differ). Choose "
                "another --out, or repeat that run's own command to continue it."
            )
        if changed:
            raise ValueError(
                f"{out} holds a run that began with another content of {', '.join(changed)}. "
                "Choose another --out, or restore what it was."
            )
        if lock:
            files.remove_leftovers(out)
        if grown:
            if state is not None:
                refuse_lost_state(out, state)
            files.write_json(path, {**document, "settings": wanted})
        return
    files.remove_leftovers(out)
    files.write_json(
        path,
        {
            **({} if kind is None else {"kind": kind}),
            "settings": dict(config),
            "contents": dict(contents),
            "command": versions.command_line(),
            "versions": versions.installed(language=True),
            "git_commit": versions.git_commit(),
            "machine": versions.machine(),
        },
    )
    _claimed.add(out.absolute())


def claim_file(out: Path, *endings: str) -> None:
    """Make the place of a new file, and of its card, this command's own until `holding` ends.

    Args:
        out: the path of the file, as the user named it by --out.
        endings: as of `places.check_new`.

    Raises:
        ValueError: as `places.check_new`; or another process is making the file.
    """
    places.check_new(out, f"--out {out}", *endings)
    locks.hold_beside(out)
    places.check_new(out, f"--out {out}", *endings)  # the last holder may have made it
    for path in (out, out.with_suffix(".json")):
        files.remove_leftovers(out.parent, f"{path.name}.")


def claim_replaceable(out: Path, mark: str) -> None:
    """Reserve an output path that may replace an earlier file of its kind.

    Args:
        out: as of `claim_file`.
        mark: as of `places.check_replaceable`.

    Raises:
        ValueError: as `places.check_replaceable`; or another process is making the file.
    """
    places.check_replaceable(out, f"--out {out}", mark)
    locks.hold_beside(out)
    files.remove_leftovers(out.parent, f"{out.name}.")


def claim_folder(out: Path) -> None:
    """Make the place of a new folder that is written whole this command's own, as `claim_file`.

    Raises:
        ValueError: as `places.check_new_folder`; or another process is making the folder.
    """
    places.check_new_folder(out, f"--out {out}")
    locks.hold_beside(out)
    places.check_new_folder(out, f"--out {out}")  # the last holder may have made it
    files.remove_leftovers(out.parent, f"{out.name}.")


def forget_unstarted(alone: Path | None = None) -> None:
    """Remove the folders of runs that this process claimed but never started.

    So a run that fails early leaves nothing behind.

    Args:
        alone: the one folder to look at; None for all of them.
    """
    failed = set(_claimed) if alone is None else _claimed & {alone.absolute()}
    for out in failed:
        if out.is_dir() and not _has_begun(out):
            files.unguard(out.resolve())
            (out / CONFIG).unlink(missing_ok=True)
            shutil.rmtree(out, ignore_errors=True)
    _claimed.difference_update(failed)


def _empty(out: Path) -> None:
    """Remove all of a folder but the lock on it, which this process holds."""
    for path in out.iterdir():
        if path.name in _LOCKS:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _has_begun(out: Path) -> bool:
    """Whether a run's folder holds more than its configuration.

    Hidden files are a run's tools, and an empty file or folder is nothing yet.
    """
    return any(
        path.is_file() and path.stat().st_size > 0
        for path in out.rglob("*")
        if path != out / CONFIG and not path.name.startswith(".")
    )


def _refuse_other_files(out: Path) -> None:
    """Check that a folder holds a run, or only what a kill left before the run was set up."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file. Choose a new folder for --out: nothing is overwritten.")
    if not out.is_dir() or (out / CONFIG).is_file():
        return
    begun = {path for path in out.iterdir() if path.name.startswith(f".{CONFIG}.")}
    if any(path.name not in _LOCKS for path in {*out.iterdir()} - begun):
        raise ValueError(
            f"{out} is not empty and holds no run. Choose a new folder for --out: nothing is "
            "overwritten."
        )


def _is_less(found: Any, wanted: float) -> bool:
    return isinstance(found, int | float) and found < wanted


def refuse_lost_state(out: Path, state: Path) -> None:
    """Check that a run with a log can resume; it cannot where only its log was copied.

    Args:
        out: the run's folder.
        state: what the run resumes from, written before the first line of the log.

    Raises:
        ValueError: there is a log and no such file. Starting over would empty the log.
    """
    if not state.exists() and json_lines.read(out / METRICS):
        raise ValueError(
            f"{out} holds the log of a run, but not {state.relative_to(out)}, from which it would "
            "resume. Choose another --out to start over, or restore that file."
        )


def default_out(command: str, name: str) -> Path:
    """The folder of a run whose user named none: the same command finds it again.

    It is a folder of `runs`, whatever the name holds: a name may come from a file.
    """
    return Path("runs") / files.file_name(f"{command}-{name}")
