"""Rows for people: a table where the terminal is wide enough for one, else a block a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..output import line

#: Narrower than this, sentences are no fun to read; a long name should stay in one piece.
_SENTENCE, _NAME = 14, 30
#: Space that the box takes for each column.
_GAP = 2


@dataclass(frozen=True)
class Column:
    """``wraps`` where its cells are sentences or long names, which may go on in the next line.
    Nothing is ever cut off."""

    name: str
    wraps: bool = False


class ResponsiveTable:
    """Rows under columns; a column without any content is left out."""

    def __init__(self, columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> None:
        cells = [
            [value if isinstance(value, Text) else line(value) for value in row] for row in rows
        ]
        filled = [index for index in range(len(columns)) if any(row[index].plain for row in cells)]
        self._columns = [columns[index] for index in filled]
        self._rows = [[row[index] for index in filled] for row in cells]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        widths = self._widths(options.max_width)
        if widths is None:
            yield from self._blocks()
        else:
            yield self._table(widths)

    def _widths(self, room: int) -> list[int] | None:
        """A width for each column, or None where the room is too small for a table. What is to
        spare goes to the columns that wrap, by what they lack."""
        ranges = [self._range(index) for index in range(len(self._columns))]
        spare = room - sum(least + _GAP for least, _ in ranges)
        if spare < 0:
            return None
        lack = sum(most - least for least, most in ranges)
        return [
            least + min(most - least, spare * (most - least) // max(lack, 1))
            for least, most in ranges
        ]

    def _range(self, index: int) -> tuple[int, int]:
        """The least width with which a column reads well, and that with which nothing wraps."""
        cells = [line(self._columns[index].name), *(row[index] for row in self._rows)]
        most = max(part.cell_len for cell in cells for part in cell.split())
        if not self._columns[index].wraps:
            return most, most
        word = max(cell_len(part) for cell in cells for part in cell.plain.split() or [""])
        return min(most, max(_SENTENCE, min(word, _NAME))), most

    def _table(self, widths: Sequence[int]) -> Table:
        table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
        for column, width in zip(self._columns, widths, strict=True):
            table.add_column(column.name, overflow="fold", width=width)
        for row in self._rows:
            table.add_row(*row)
        return table

    def _blocks(self) -> Iterator[Text | Padding]:
        first, *others = self._columns
        for head, *cells in self._rows:
            yield Text.assemble((f"{first.name} ", "bold"), head)
            block = Table.grid(padding=(0, 2), pad_edge=False)
            block.add_column(no_wrap=True, style="dim")
            block.add_column(overflow="fold")
            for column, cell in zip(others, cells, strict=True):
                if cell.plain:
                    block.add_row(column.name, cell)
            yield Padding(block, (0, 0, 1, 2), expand=False)


def facts(rows: Iterable[tuple[str, object]]) -> Table:
    """Names with their values, one a line; those without a value are left out."""
    table = Table.grid(padding=(0, 2), pad_edge=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in rows:
        if value not in (None, ""):
            table.add_row(name, value if isinstance(value, Text) else line(value))
    return table
