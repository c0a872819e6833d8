"""Tables of text: a row of titles, numbers to the right, and no wider than the terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import IO

from .colour import paint

_GAP = "  "
# A longer word than this is broken where the table would not fit otherwise.
_LONGEST_WHOLE_WORD = 24


@dataclass(frozen=True)
class Column:
    """A column of a table: its title, and whether it has numbers, which are never broken."""

    title: str
    is_number: bool = False

    def align(self, text: str, width: int) -> str:
        """Return a cell's text, filled up to the width of its column."""
        return text.rjust(width) if self.is_number else text.ljust(width)

    def wrap(self, text: str, width: int) -> list[str]:
        """Return the lines of a cell."""
        return textwrap.wrap(text, width, break_on_hyphens=False) or [""]

    def least_width(self, cells: Sequence[str]) -> int:
        """Return the width below which the column cannot be narrowed.

        A title and a text are broken at their spaces, a number is not broken.
        """
        title = _longest_word([self.title])
        if self.is_number:
            return max(title, *map(len, cells), 0)
        return max(title, min(_longest_word(cells), _LONGEST_WHOLE_WORD))


def _longest_word(texts: Sequence[str]) -> int:
    return max((len(word) for text in texts for word in text.split()), default=0)


def terminal_width(stream: IO[str]) -> int | None:
    """Return the number of characters in a line of a terminal, None if there is no terminal."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def format_table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], stream: IO[str], indent: int = 0
) -> list[str]:
    """Return the lines of a table, the titles first, each indented by so many spaces.

    On a terminal, texts are wrapped so that the table fits; elsewhere each row is one line.
    """
    titles, *blocks = format_rows(columns, rows, stream, indent)
    titles = [paint(line, "bold", stream) for line in titles]
    return [f"{' ' * indent}{line}" for block in (titles, *blocks) for line in block]


def format_rows(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], stream: IO[str], indent: int = 0
) -> list[list[str]]:
    """Return the lines of each row of a table without indent; the first row are the titles."""
    cells = [[column.title for column in columns], *([_one_line(c) for c in row] for row in rows)]
    width = terminal_width(stream)
    widths = _fitting_widths(columns, cells, width and width - indent)
    return [_row_lines(columns, row, widths) for row in cells]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _row_lines(columns: Sequence[Column], row: Sequence[str], widths: Sequence[int]) -> list[str]:
    wrapped = [
        column.wrap(cell, width) for column, cell, width in zip(columns, row, widths, strict=True)
    ]
    return [
        _GAP.join(map(Column.align, columns, line, widths)).rstrip()
        for line in zip_longest(*wrapped, fillvalue="")
    ]


def _fitting_widths(
    columns: Sequence[Column], cells: Sequence[Sequence[str]], most: int | None
) -> list[int]:
    """Return the width of each column, narrowed until the table fits.

    First the columns give way whose titles are wider than their numbers, then the widest text.
    """
    by_column = list(zip(*cells, strict=True))
    widths = [max(map(len, column)) for column in by_column]
    if most is None:
        return widths
    least = [
        column.least_width(texts[1:]) for column, texts in zip(columns, by_column, strict=True)
    ]
    room = most - len(_GAP) * (len(columns) - 1)
    while sum(widths) > room:
        wide = [at for at, bound in enumerate(least) if widths[at] > bound]
        if not wide:
            break
        widths[max(wide, key=lambda at: (columns[at].is_number, widths[at]))] -= 1
    return widths
