"""Run folders into published results."""

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as arrow

from mirrorpo import bounded, files, grounds, run_kinds, runs, versions
from mirrorpo.reporting.page import commands
from mirrorpo.reporting.published import agents, documents, store
from mirrorpo.reporting.published.store import IndexEntry
from mirrorpo.study import records

RUNS = "runs"
"""The folder that recorded commands write to, wherever they once did."""


@dataclass(frozen=True)
class ToPublish:
    """A run to publish.

    Attributes:
        folder: the folder of the run; runs in folders within it are published as NAME/THEIRS.
        purpose: what the run is for; None for what the index says already.
        command: the command that made it, where its configuration does not say so.
        name: its name in the results; the folder's own by default.
        ground: the ground that it stands on, where its configuration does not say so; None for
            what the index says already.
    """

    folder: Path
    purpose: str | None = None
    command: str | None = None
    name: str | None = None
    ground: grounds.GroundVersion | None = None

    @property
    def called(self) -> str:
        """Its name in the results."""
        return self.name or self.folder.resolve().name


def pack(
    published: Sequence[ToPublish],
    results: Path,
    drop: Sequence[str] = (),
    dated: Callable[[str], str | None] = lambda commit: None,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Put runs into the published results, in place of what they hold of these names.

    It is the same to pack runs one after the other or at once, and to pack one twice.

    Args:
        published: what to put in.
        results: folder of the published results, which is made where there is none.
        drop: names of runs to take out.
        dated: the day of a commit, YYYY-MM-DD, where it is known.
        say: told of each file of a run that is too large to be published.

    Raises:
        ValueError: no run in a folder, no purpose, a name that some system refuses, a run that is
            not there to be dropped, or damaged results.
    """
    has_any = store.is_results(results)
    entries = store.read_index(results) if has_any else {}
    rows = {
        name: store.load_table(results / name, columns).to_pylist() if has_any else []
        for name, columns in store.TABLES.items()
    }
    for name in drop:
        if not any(_is_of(name, run) for run in entries):
            raise ValueError(f"{results} holds no run {name!r:.80} to drop.")
    new: dict[str, list[dict[str, Any]]] = {name: [] for name in store.TABLES}
    told: dict[str, IndexEntry] = {}
    for one in published:
        before = entries.get(one.called)
        for run, folder in _runs_in(one):
            known = _read(run, folder, new, say)
            purpose = one.purpose or (before.purpose if before else None)
            if not purpose:
                raise ValueError(f"{one.folder}: say what the run is for, in words.")
            ground = one.ground or (entries[run].ground if run in entries else None)
            told[run] = _entry(known, purpose, one.command, ground, dated)
    gone = {*drop, *(one.called for one in published)}
    for name, found in rows.items():
        kept = [row for row in found if not any(_is_of(one, row["run"]) for one in gone)]
        rows[name] = [{k: v for k, v in row.items() if v is not None} for row in kept] + new[name]
    entries = {run: of for run, of in entries.items() if not any(_is_of(g, run) for g in gone)}
    _write(results, rows, {**entries, **told})


def _is_of(name: str, run: str) -> bool:
    return run == name or run.startswith(f"{name}/")


@dataclass(frozen=True)
class _Known:
    """What a run's configuration says, and the number of its agents."""

    config: Mapping[str, Any]
    kind: run_kinds.Kind
    agents: int


def _runs_in(one: ToPublish) -> Iterator[tuple[str, Path]]:
    """Name and folder of a run, and of those in folders within it."""
    if not one.folder.is_dir():
        raise ValueError(f"No run folder at {one.folder}: it does not exist.")
    store.check_name(one.called, one.folder)
    if not any(documents.published(one.folder)):
        raise ValueError(f"{one.folder} holds no run: there is nothing to publish.")
    nested = {path.parent for path in one.folder.rglob(runs.CONFIG)} - {one.folder}
    for folder in sorted({one.folder, *nested}):
        run = "/".join((one.called, *folder.relative_to(one.folder).parts))
        store.check_name(run, one.folder)
        yield run, folder


def _read(
    run: str, folder: Path, into: Mapping[str, list[dict[str, Any]]], say: Callable[[str], None]
) -> _Known:
    """Add a run's rows to the rows of each table, `into`."""
    path = folder / runs.CONFIG
    config = files.read_object(path, "a run's configuration") if path.is_file() else {}
    kind = run_kinds.of(config)
    is_bench = kind == "bench"
    found: Sequence[agents.Line] = []
    if is_bench:
        bounded.check_size(folder / runs.METRICS, "the log of a bench", bounded.LOG)
        found = records.read(folder / runs.METRICS)
    of_agents, of_curves = agents.rows(run, found)
    into[store.AGENTS].extend(of_agents)
    into[store.CURVES].extend(of_curves)
    config = _portable(config, kind, run)
    nested = {path.parent for path in folder.rglob(runs.CONFIG)} - {folder}
    for path in documents.published(folder):
        if nested & {*path.parents}:
            continue
        name = path.relative_to(folder).as_posix()
        store.check_name(name, folder)
        form, content = documents.kept(path, is_bench)
        if name == runs.CONFIG:
            content = (json.dumps(config, indent=2) + "\n").encode()
        if content is not None and len(content) > documents.LARGEST:
            say(f"{path} is left out: it is larger than {documents.LARGEST // 1024} KiB.")
            continue
        into[store.DOCUMENTS].append({"run": run, "path": name, "form": form, "content": content})
    return _Known(config, kind, len(found))


def _portable(config: Mapping[str, Any], kind: run_kinds.Kind, run: str) -> dict[str, Any]:
    """A configuration whose command names no folder of the machine that ran it.

    The command is made of the settings where none was recorded.
    """
    settings = config.get("settings")
    out = Path(RUNS, run)
    command = config.get("command")
    if isinstance(command, str):
        words = versions.without_option(shlex.split(command), "--cache")
        if "--out" in words[:-1]:
            words = [*versions.without_option(words, "--out"), "--out", str(out)]
        command = shlex.join(words)
    elif isinstance(settings, dict):
        command = commands.command_line(kind, settings, out)
    return {**config, **({"command": command} if command is not None else {})}


def _entry(
    known: _Known,
    purpose: str,
    command: str | None,
    ground: grounds.GroundVersion | None,
    dated: Callable[[str], str | None],
) -> IndexEntry:
    config = known.config
    commit = config.get("git_commit")
    commit = commit if isinstance(commit, str) and re.fullmatch(r"[0-9a-f]{40}", commit) else None
    settings, installed = config.get("settings"), config.get("versions")
    return IndexEntry(
        purpose=purpose,
        kind=known.kind,
        command=_text(config, "command") or command,
        protocol=_text(settings, "protocol"),
        mirrorpo=_text(installed, "mirrorpo"),
        commit=commit,
        date=None if commit is None else dated(commit),
        agents=known.agents,
        ground=grounds.of(config) or ground,
    )


def _text(mapping: Any, name: str) -> str | None:
    value = mapping.get(name) if isinstance(mapping, dict) else None
    return value if isinstance(value, str) else None


def _write(
    results: Path, rows: Mapping[str, list[dict[str, Any]]], entries: Mapping[str, IndexEntry]
) -> None:
    """Write the tables, and the index last: a run is published once it is there."""
    of_agents = [
        {name: value for name, value in row.items() if not name.startswith(store.SETTING)}
        for row in rows[store.AGENTS]
    ]
    tables: list[tuple[str, arrow.Table, tuple[str, ...]]] = [
        (store.CURVES, agents.curve_table(rows[store.CURVES]), ()),
        (
            store.AGENTS,
            agents.agent_table(of_agents, _settings(rows[store.DOCUMENTS])),
            ("return_mean", "return_standard_error"),
        ),
        (store.DOCUMENTS, documents.table(rows[store.DOCUMENTS]), ("content",)),
    ]
    for name, table, plain in tables:
        store.write_table(results / name, table, plain)
    store.write_index(results, entries)


def _settings(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Settings of each bench, by its name."""
    found = {}
    for row in rows:
        if row["path"] == runs.CONFIG:
            config = bounded.parse_json((row.get("content") or b"").decode("utf-8"))
            if run_kinds.of(config) == "bench":
                found[row["run"]] = dict(config["settings"])
    return found
