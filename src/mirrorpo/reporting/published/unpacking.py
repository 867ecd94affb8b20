"""Published runs as the run folders that all readers know."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pyarrow.compute as compute

from mirrorpo import json_lines, near_names, plain_text, runs, typed
from mirrorpo.reporting.published import agents, documents, store
from mirrorpo.study import records

_SHOWN = 3


class Results:
    """The published results in a folder, read as they are needed."""

    def __init__(self, folder: Path):
        self.folder = folder

    @cached_property
    def index(self) -> Mapping[str, store.IndexEntry]:
        """What is known of each run, by its name."""
        return store.read_index(self.folder)

    def names(self, name: str) -> list[str]:
        """The runs that a name stands for: the one of that name, and those in a folder of it.

        Raises:
            ValueError: there is none.
        """
        found = [one for one in self.index if one == name or one.startswith(f"{name}/")]
        if found:
            return found
        near = near_names.nearest(name, self.index, most=_SHOWN)
        near += [one for one in self.index if name and name in one and one not in near]
        near = near[:_SHOWN] or list(self.index)[:_SHOWN]
        raise ValueError(
            f"{self.folder} holds no published run {name!r:.80}; near names: {', '.join(near)}. "
            f"All are in {self.folder / store.INDEX}."
        )

    def unpack(self, name: str, to: Path) -> None:
        """Write a run's files to a folder that is empty or does not exist.

        Args:
            name: the name of a run, or of a folder of runs.
            to: the run's folder; nothing is written outside it.

        Raises:
            ValueError: no such run, or damaged results.
        """
        found = self.names(name)
        wanted = arrow.array(found)
        rows = {
            table: part.filter(compute.is_in(part["run"], wanted)).to_pylist()
            for table, part in self._tables.items()
        }
        to.mkdir(parents=True, exist_ok=True)
        for one in found:
            of_run = {
                table: [row for row in part if row["run"] == one] for table, part in rows.items()
            }
            self._write(of_run, to / one.removeprefix(name).lstrip("/"))

    @cached_property
    def _tables(self) -> Mapping[str, arrow.Table]:
        return {
            name: store.load_table(self.folder / name, columns)
            for name, columns in store.TABLES.items()
        }

    def _write(self, of_run: Mapping[str, Sequence[dict[str, Any]]], to: Path) -> None:
        """Write one run's files."""
        where = self.folder / store.DOCUMENTS
        for row in of_run[store.DOCUMENTS]:
            path, form = row["path"] or "", row["form"] or ""
            store.check_name(path, where)
            target = to / path
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                if form == documents.MADE:
                    self._write_made(of_run, target)
                    continue
                content = documents.restored(form, row["content"], f"{where}, {path},")
                with target.open("xb") as file:
                    file.write(content)
            except (FileExistsError, NotADirectoryError):
                raise ValueError(f"{where} is damaged: it names {path!r:.80} twice.") from None

    def _write_made(self, of_run: Mapping[str, Sequence[dict[str, Any]]], target: Path) -> None:
        """Write the log of a bench, or its table of agents."""
        lines = agents.lines(of_run[store.AGENTS], of_run[store.CURVES], self.folder)
        if target.name == runs.METRICS:
            json_lines.write(target, lines)
        elif target.name == documents.RESULTS:
            rows = [typed.build(records.AgentRecord, line["agent"]) for line in lines]
            plain_text.write_csv(target, records.to_frame(rows))
        else:
            raise ValueError(f"{self.folder} is damaged: {target.name!r:.80} is made of no agents.")


def find(path: Path) -> tuple[Path, str] | None:
    """The folder of published results that a path leads into, and the name of a run there.

    Returns:
        None for a path that exists, and for one that leads into no published results.

    Raises:
        ValueError: the path is the folder of published results itself.
    """
    if store.is_results(path):
        some = ", ".join(str(path / name) for name in list(store.read_index(path))[:_SHOWN])
        raise ValueError(f"{path} holds many published runs: name one, such as {some}.")
    if path.exists():
        return None
    for parent in path.parents:
        if store.is_results(parent):
            return parent, path.relative_to(parent).as_posix()
    return None


@contextlib.contextmanager
def folders(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Run folders to read: published runs are unpacked, for as long as this lasts.

    Args:
        paths: folders of runs, or RESULTS/NAME for a published one, where the folder RESULTS
            holds published results. All others are returned as they are.

    Raises:
        ValueError: RESULTS holds no such run, or is damaged.
    """
    known: dict[Path, Results] = {}
    with tempfile.TemporaryDirectory(prefix="mirrorpo-results-") as scratch:
        found = []
        for number, path in enumerate(paths):
            place = find(path)
            if place is None:
                found.append(path)
                continue
            results = known.setdefault(place[0], Results(place[0]))
            # The folder's name is the run's, and the one above keeps equal names apart.
            to = Path(scratch, str(number), *place[1].split("/"))
            results.unpack(place[1], to)
            found.append(to)
        yield found
