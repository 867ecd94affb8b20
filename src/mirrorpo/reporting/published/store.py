"""The files of published results: three Parquet tables and an index."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pyarrow.parquet

from mirrorpo import bounded, files, grounds, typed

AGENTS = "agents.parquet"
CURVES = "curves.parquet"
DOCUMENTS = "documents.parquet"
INDEX = "index.json"

MEASURE = "measure."
"""How the columns of what else was measured of an agent begin."""

SETTING = "settings."
"""How the columns of a run's settings begin."""

_FORMAT, _VERSION = "mirrorpo-results", 1
_LEVEL = 19
_PAGE = 64 * bounded.MEBIBYTE  # one page per column: documents of one kind are much alike
_BATCH = 1024

_RUN = [("run", arrow.string()), ("agent", arrow.int32())]

AGENT_COLUMNS = arrow.schema(
    [
        *_RUN,
        ("task", arrow.string()),
        ("variant", arrow.string()),
        ("algorithm", arrow.string()),
        ("phase", arrow.string()),
        ("hyperparameters", arrow.string()),
        ("seed", arrow.int64()),
        ("return_mean", arrow.float64()),
        ("return_standard_error", arrow.float64()),
        ("episodes", arrow.int64()),
        ("diverged", arrow.bool_()),
        ("train_seconds", arrow.float64()),
        ("evaluate_seconds", arrow.float64()),
        ("data_draw", arrow.int64()),
        ("episodes_seed", arrow.int64()),
        ("trial", arrow.int64()),
    ]
)
"""One row per agent: `run`, its place in the run's log from 0, and its record. Columns that begin
with `MEASURE` or `SETTING` follow."""

CURVE_COLUMNS = arrow.schema([*_RUN, ("stage", arrow.list_(arrow.string()))])
"""One row per agent whose curves are kept; each curve is a list of numbers in a column of its
own."""

DOCUMENT_COLUMNS = arrow.schema(
    [
        ("run", arrow.string()),
        ("path", arrow.string()),
        ("form", arrow.string()),
        ("content", arrow.binary()),
    ]
)
"""One row per file of a run: its path in the run's folder, how its content is kept (see
`documents`), and the content."""

TABLES: Mapping[str, arrow.Schema] = {
    AGENTS: AGENT_COLUMNS,
    CURVES: CURVE_COLUMNS,
    DOCUMENTS: DOCUMENT_COLUMNS,
}
"""The columns of each table, by its file."""


@dataclass(frozen=True)
class IndexEntry:
    """What the index says of a run.

    Attributes:
        purpose: what the run is for, in words.
        kind: the command that made it, see `mirrorpo.run_kinds`.
        command: the whole command line; None where nothing says it.
        protocol: the protocol that its settings name; None where they name none.
        mirrorpo: the version of MirrorPO that made it.
        commit: the commit of the code that made it.
        date: the day of that commit, YYYY-MM-DD.
        agents: trained agents in the tables.
        ground: what its numbers stand on, see `mirrorpo.grounds`; None where nothing says it.
    """

    purpose: str
    kind: str
    command: str | None
    protocol: str | None
    mirrorpo: str | None
    commit: str | None
    date: str | None
    agents: int
    ground: grounds.GroundVersion | None = None


@dataclass(frozen=True)
class _Index:
    format: str
    format_version: int
    runs: Mapping[str, Any]


def is_results(folder: Path) -> bool:
    """Whether a folder holds published results."""
    return (folder / INDEX).is_file() and (folder / DOCUMENTS).is_file()


def check_name(name: str, where: object) -> None:
    """See that a name of a run or a file leads to nothing but itself, on every system.

    Args:
        name: its parts are parted by slashes.
        where: it stands, for messages.

    Raises:
        ValueError: an absolute path, a part such as .., or a letter that some system refuses.
    """
    if not all(part and part == files.file_name(part) for part in name.split("/")):
        raise ValueError(f"{where} is damaged: it names {name!r:.80}, which is not a plain path.")


def read_index(folder: Path) -> dict[str, IndexEntry]:
    """What is known of each published run, by its name.

    Raises:
        ValueError: the index is missing or damaged.
    """
    path = folder / INDEX
    found = files.read_as(path, "an index of published results", _Index)
    if found.format != _FORMAT:
        raise ValueError(f"{path} is not an index of published results: its format is another.")
    files.check_version(path, {"format_version": found.format_version}, _VERSION)
    for name in found.runs:
        check_name(name, path)
    try:
        return {name: typed.build(IndexEntry, row) for name, row in found.runs.items()}
    except typed.WrongTypeError as error:
        raise ValueError(f"{path} is damaged: {error}.") from None


def write_index(folder: Path, entries: Mapping[str, IndexEntry]) -> None:
    """Write the index, runs in alphabetical order."""
    content = {name: vars(entries[name]) for name in sorted(entries)}
    document = {"format": _FORMAT, "format_version": _VERSION, "runs": content}
    if not (folder / INDEX).is_file() or read_index(folder) != dict(entries):
        files.write_json(folder / INDEX, document)


def load_table(path: Path, columns: arrow.Schema) -> arrow.Table:
    """A table of published results.

    Args:
        path: the path of the file.
        columns: the columns that it must have, with their types.

    Raises:
        ValueError: missing, damaged, too large, or without a column.
    """
    what = "a table of published results"
    if not path.is_file():
        raise ValueError(f"Cannot read {what} at {path}: the file does not exist.")
    bounded.check_size(path, what, bounded.DOCUMENT)
    try:
        with pyarrow.parquet.ParquetFile(path, page_checksum_verification=True) as file:
            about = file.metadata
            size = sum(about.row_group(n).total_byte_size for n in range(about.num_row_groups))
            bounded.check_length(size, f"{path}, unpacked,", bounded.LOG)
            batches, size = [], 0
            for batch in file.iter_batches(_BATCH):
                size += batch.nbytes
                bounded.check_length(size, f"{path}, unpacked,", bounded.LOG)
                batches.append(batch)
            table = arrow.Table.from_batches(batches, file.schema_arrow)
            table.validate(full=True)
    except (arrow.ArrowException, OSError) as error:
        said = " ".join(str(error).split()).rstrip(".")
        raise ValueError(
            f"{path} is not {what}: it cannot be read as Parquet ({said:.160}). It may be "
            "truncated or another kind of file."
        ) from None
    for field in columns:
        if table.schema.get_all_field_indices(field.name) == []:
            raise ValueError(f"{path} is damaged: it has no column {field.name}.")
        if table.schema.field(field.name).type != field.type:
            raise ValueError(f"{path} is damaged: its column {field.name} is of another type.")
    return table


def write_table(path: Path, table: arrow.Table, plain: Sequence[str] = ()) -> None:
    """Write a table whole or not at all; a file that holds the same already is left alone.

    Equal tables give equal bytes.

    Args:
        path: the path of the file.
        table: the table to write.
        plain: columns whose values repeat too little for a dictionary.
    """
    if path.is_file() and _holds(path, table):
        return
    files.write_atomically(
        path,
        lambda part: pyarrow.parquet.write_table(
            table,
            part,
            compression="zstd",
            compression_level=_LEVEL,
            use_dictionary=[name for name in _leaves(table) if name.split(".")[0] not in plain],
            row_group_size=max(table.num_rows, 1),
            data_page_size=_PAGE,
            dictionary_pagesize_limit=_PAGE,
            write_statistics=False,
            write_page_checksum=True,
        ),
    )


def _holds(path: Path, table: arrow.Table) -> bool:
    try:
        return bool(load_table(path, table.schema).equals(table))
    except ValueError:
        return False


def _leaves(table: arrow.Table) -> list[str]:
    """The names of the columns as Parquet has them, which names columns of lists otherwise."""
    return [
        f"{field.name}.list.element" if arrow.types.is_list(field.type) else field.name
        for field in table.schema
    ]
