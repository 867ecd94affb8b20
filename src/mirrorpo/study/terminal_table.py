"""A bench's table in a terminal: as many variants side by side as its width has room for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult

from mirrorpo.study import tables
from mirrorpo.study.tables import Measure, ResultTable

_LABEL = 24
"""Width that the labels get at least, if they need it; longer ones go over several lines."""

_BORDER = 3


@dataclass(frozen=True)
class TerminalTable:
    """What a console prints of a bench.

    That is one table, or several below each other where one is too wide. Attributes are those of
    `tables.to_rich`.
    """

    table: ResultTable
    decimals: int = 0
    title: str | None = None
    measure: Measure = "mean"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for variants in self.blocks(options.max_width):
            part = replace(self.table, variants=variants)
            yield tables.to_rich(part, self.measure, self.decimals, self.title)

    def blocks(self, width: int) -> Iterator[tuple[str, ...]]:
        """The variants of each table, in order; at least one in each."""
        rows = tables.texts(self.table, self.measure, self.decimals)
        labels = max((cell_len(label) for label, _ in rows), default=0)
        room = width - 1 - _BORDER - min(max(labels, len("algorithm")), _LABEL)
        left: Sequence[str] = self.table.variants
        if not left:
            yield ()
        first = 0
        while left:
            used = count = 0
            for position, variant in enumerate(left):
                cells = [cell_len(cells[first + position]) for _, cells in rows]
                used += _BORDER + max([cell_len(variant), *cells])
                if used > room and position:
                    break
                count = position + 1
            yield tuple(left[:count])
            left, first = left[count:], first + count
