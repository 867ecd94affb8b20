"""The page's tables beside the leaderboard, as rows of text.

They are of cost, data, measures, the paper, validations and judgements.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from mirrorpo.reporting.page import reviews, run_rows
from mirrorpo.reporting.page.benches import BenchPart
from mirrorpo.reporting.page.reading import Parts
from mirrorpo.reporting.page.searches import SearchPart
from mirrorpo.study.tables import mean_text

_COST = ("kind", "agents", "diverged", "time", "steps")


@dataclass(frozen=True)
class SideTable:
    """A table of the page.

    Attributes:
        name: tells it from other tables.
        header: the header of its columns.
        rows: texts, one for each column.
    """

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def of(parts: Parts) -> Iterator[SideTable]:
    """Every table that has a row."""
    for table in _all(parts):
        if table.rows:
            yield table


def _all(parts: Parts) -> Iterator[SideTable]:
    yield _cost(parts)
    for bench in parts.benches:
        yield from _of_bench(bench)
    for search in parts.searches:
        yield _validations(search)
    for judged in parts.judgements:
        yield SideTable(f"{judged.folder.name}-judged", ("what", "value"), tuple(judged.rows))


def _cost(parts: Parts) -> SideTable:
    rows = []
    for folder in parts.folders:
        found = run_rows.row(parts, folder)
        state = "finished" if found["finished"] else found["state"]
        rows.append((folder.name, state, *(str(found[name]) for name in _COST)))
    header = ("run", "state", "made by", "agents trained", "diverged", "time", "environment steps")
    return SideTable("cost", header, tuple(rows))


def _of_bench(bench: BenchPart) -> Iterator[SideTable]:
    name = bench.folder.name
    yield SideTable(
        f"{name}-beside-the-paper",
        ("variant", "algorithm", "ours", "normalised", "paper", "paper, normalised"),
        tuple((column.variant, *row) for column in bench.compared() for row in column.rows),
    )
    yield SideTable(
        f"{name}-measures",
        ("variant", "model", *reviews.TITLES),
        tuple((of.variant, model, *texts) for of in bench.measured for model, texts in of.rows),
    )
    yield SideTable(
        f"{name}-data",
        ("variant", "fact", "chosen", "rejected"),
        tuple(
            (facts.variant, *row)
            for facts in bench.facts
            for row in (*facts.sides, *((fact, value, value) for fact, value in facts.lines))
        ),
    )


def _validations(search: SearchPart) -> SideTable:
    rows = []
    for line in search.validations:
        error = line["standard_error"]
        score = f"{line['score']:.3f}" if error is None else mean_text(line["score"], error, 3)
        counts = (str(line["seeds"]), str(line["diverged"]))
        rows.append((str(line["generation"]), str(line["candidate"]), score, *counts))
    header = ("generation", "candidate", "score", "agents", "diverged")
    return SideTable(f"{search.folder.name}-validation", header, tuple(rows))
