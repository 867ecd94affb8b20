"""A bench's log as rows of the tables of agents and of curves, and back."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as arrow

from mirrorpo import typed
from mirrorpo.reporting.page import quantities
from mirrorpo.reporting.published.store import AGENT_COLUMNS, CURVE_COLUMNS, MEASURE, SETTING
from mirrorpo.study.phases import FINAL
from mirrorpo.study.records import AgentRecord

STAGE = "stage"

CURVE_DIGITS = 4
"""Significant digits of a published curve: more than a picture shows, in half of the bytes
that the six of a log take. Margins are computed from those of log-probs."""
DRAWN = ("loss", "margin")
DRAWN_DIGITS = 3
"""The same of curves that are only looked at, which take most room."""

ERROR_DIGITS = 4
"""The same of standard errors, which no page shows with more."""

DRAWN_PER_CELL = 6
"""Those curves are published of so many agents of each cell: a page draws their mean alone."""

Line = tuple[AgentRecord, Mapping[str, Sequence[Any]]]
"""One line of a bench's log, see `records.read`."""

TableRow = dict[str, Any]


def rows(run: str, lines: Sequence[Line]) -> tuple[list[TableRow], list[TableRow]]:
    """Rows of the table of agents, and of the table of curves.

    Curves are of final agents, and of the names that pages show; those of `DRAWN` of the first
    `DRAWN_PER_CELL` agents of each cell alone.
    """
    agents, curves = [], []
    of_cell: Counter[tuple[str, str]] = Counter()
    for number, (record, along) in enumerate(lines):
        place = {"run": run, "agent": number}
        found = asdict(record)
        measures = found.pop("measures")
        agents.append(
            {**place, **found, **{MEASURE + name: value for name, value in measures.items()}}
        )
        drawn = {name for name, _ in quantities.of_task(record.task).curves} | {STAGE}
        kept = {name: list(values) for name, values in along.items() if name in drawn}
        if record.phase != FINAL:
            continue
        cell = (record.variant, record.algorithm)
        of_cell[cell] += 1
        if of_cell[cell] > DRAWN_PER_CELL:
            kept = {name: values for name, values in kept.items() if name not in DRAWN}
        if kept:
            curves.append({**place, **kept})
    return agents, curves


def lines(
    agents: Sequence[TableRow], curves: Sequence[TableRow], path: Path
) -> list[dict[str, Any]]:
    """The lines of a run's log, as they are appended to it.

    Raises:
        ValueError: a row that is not an agent's record.
    """
    names = list(AgentRecord.__dataclass_fields__)
    along = {row["agent"]: row for row in curves}
    found = []
    for row in sorted(agents, key=lambda row: row["agent"] or 0):
        measures = {
            name.removeprefix(MEASURE): value
            for name, value in row.items()
            if name.startswith(MEASURE) and value is not None
        }
        known = {name: row[name] for name in names if name in row}
        try:
            record = typed.build(AgentRecord, {**known, "measures": measures})
        except typed.WrongTypeError as error:
            raise ValueError(f"{path} is damaged: {error}.") from None
        own = {
            name: values
            for name, values in along.get(row["agent"], {}).items()
            if name not in ("run", "agent") and values is not None
        }
        found.append({"agent": asdict(record), "curves": own})
    return found


def agent_table(rows: Sequence[TableRow], settings: Mapping[str, Mapping[str, Any]]) -> arrow.Table:
    """The table of agents of all runs, by run and place in its log.

    Standard errors have `ERROR_DIGITS` digits.

    Args:
        rows: as `rows` makes them, of all runs.
        settings: the settings of each bench, by its name. Those of one value each that differ
            between runs become columns.
    """
    measures = sorted({name for row in rows for name in row if name.startswith(MEASURE)})
    differing = _differing(settings)
    fields = [
        *AGENT_COLUMNS,
        *(arrow.field(name, arrow.float64()) for name in measures),
        *(arrow.field(SETTING + name, kind) for name, (kind, _) in differing.items()),
    ]
    filled = [
        {
            **{name: _short_error(name, value) for name, value in row.items()},
            **{SETTING + name: of.get(row["run"]) for name, (_, of) in differing.items()},
        }
        for row in _ordered(rows)
    ]
    return arrow.Table.from_pylist(filled, arrow.schema(fields))


def curve_table(rows: Sequence[TableRow]) -> arrow.Table:
    """The table of curves of all runs, by run and place in its log.

    It has `CURVE_DIGITS` digits, or `DRAWN_DIGITS`.
    """
    known = set(CURVE_COLUMNS.names)
    names = sorted({name for row in rows for name in row if name not in known})
    numbers = arrow.list_(arrow.float64())
    fields = [*CURVE_COLUMNS, *(arrow.field(name, numbers) for name in names)]
    short = [
        {
            name: values if name in known else _shortened(name, values)
            for name, values in row.items()
        }
        for row in _ordered(rows)
    ]
    return arrow.Table.from_pylist(short, arrow.schema(fields))


def _shortened(name: str, values: Sequence[float | None] | None) -> list[float | None] | None:
    if values is None:
        return None
    digits = DRAWN_DIGITS if name in DRAWN else CURVE_DIGITS
    return [_rounded(value, digits) for value in values]


def _short_error(name: str, value: Any) -> Any:
    return _rounded(value, ERROR_DIGITS) if name.endswith("standard_error") else value


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else float(f"{value:.{digits}g}")


def _ordered(rows: Sequence[TableRow]) -> list[TableRow]:
    return sorted(rows, key=lambda row: (row["run"], row["agent"]))


def _differing(
    settings: Mapping[str, Mapping[str, Any]],
) -> dict[str, tuple[arrow.DataType, dict[str, Any]]]:
    """Type and values by run of each setting that differs between runs."""
    found = {}
    for name in sorted({name for of in settings.values() for name in of}):
        values = {run: of.get(name) for run, of in settings.items()}
        if any(isinstance(value, (list, dict)) for value in values.values()):
            continue
        if len({json.dumps(value) for value in values.values()}) > 1:
            found[name] = _as_one_type(values)
    return found


def _as_one_type(values: Mapping[str, Any]) -> tuple[arrow.DataType, dict[str, Any]]:
    kinds = {type(value) for value in values.values() if value is not None}
    if kinds <= {bool}:
        return arrow.bool_(), dict(values)
    if kinds <= {int}:
        return arrow.int64(), dict(values)
    if kinds <= {int, float}:
        return arrow.float64(), {
            run: None if value is None else float(value) for run, value in values.items()
        }
    return arrow.string(), {
        run: value if value is None or isinstance(value, str) else json.dumps(value)
        for run, value in values.items()
    }
