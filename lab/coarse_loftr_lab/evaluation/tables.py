"""Tables of reports, as aligned text for a terminal and as Markdown for documents.

Both are made from a report as it is written to JSON, so that a document can be made anew from the
file alone. An error that is ``None`` there is infinite: nothing was found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Column", "Table", "make_table", "number", "text_table"]

Record = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        header: its name.
        text: the cell of a record.
        rank: what makes a record the best of this column (the largest is), if anything does.
    """

    header: str
    text: Callable[[Record], str]
    rank: Callable[[Record], float] | None = None


@dataclass(frozen=True)
class Table:
    """Cells and which of them are the best of their column.

    Attributes:
        header: names of the columns.
        rows: as many cells as columns each.
        best: (row, column) of cells that a document sets in bold.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: frozenset[tuple[int, int]] = frozenset()

    def text(self) -> str:
        """Aligned lines."""
        return text_table(self.header, self.rows)

    def markdown(self) -> str:
        """A Markdown table."""
        lines = [self.header, ("---",) * len(self.header)]
        for row, cells in enumerate(self.rows):
            marked = enumerate(cells)
            lines.append(tuple(f"**{c}**" if (row, k) in self.best else c for k, c in marked))
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def make_table(columns: Sequence[Column], records: Sequence[Record]) -> Table:
    """One row per record; equal firsts of a column are all its best."""
    best = set()
    for index, column in enumerate(columns):
        if column.rank is not None and len(records) > 1:
            ranks = [column.rank(record) for record in records]
            best |= {(row, index) for row, rank in enumerate(ranks) if rank == max(ranks)}
    return Table(
        tuple(column.header for column in columns),
        tuple(tuple(column.text(record) for column in columns) for record in records),
        frozenset(best),
    )


def number(value: float | None, digits: int) -> str:
    """A figure; an infinite one is a dash."""
    return "-" if value is None else f"{value:.{digits}f}"


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines of aligned columns: the first to the left, the others to the right.

    Args:
        header: names of the columns.
        rows: cells, as many per row as there are columns.
    """
    lines = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first = cells[0].ljust(widths[0])
        rest = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
        return "  ".join([first, *rest]).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([line(lines[0]), rule, *(line(cells) for cells in lines[1:])])
