"""A CSV table whose rows keep their text when cells are added to them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import IO, NamedTuple, cast

from db.files.formats.csv_reader import (
    CsvTable,
    closed_rows,
    examine_csv,
    lines_from,
    why_unreadable,
)
from db.files.prediction.row_answer import RowAnswer
from db.files.source_file import MAX_ROW_CHARACTERS, TextLines, position_name

from .csv_cells import CellWriter

BLOCK_CHARACTERS = 1 << 17


@dataclass(frozen=True)
class CsvBlock:
    """The text of whole rows from a line of the file on; `rows` is about how many there are."""

    line: int
    text: str
    rows: int


class CsvRow(NamedTuple):
    """A row with the text of its lines; `fault` is None if it is a blank line or a comment."""

    line: int
    text: str
    cells: list[str]
    fault: str | None


@dataclass(frozen=True)
class CsvShape:
    """How the rows of a file are read and written; it can be sent to another process."""

    table: CsvTable
    header: list[str]
    decimal: str

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, each of them once."""
        return self.table.header.columns.names

    @cached_property
    def cell_writer(self) -> CellWriter:
        """What writes added cells."""
        return CellWriter(self.table.dialect, self.decimal)

    def rows(self, block: CsvBlock) -> Iterator[CsvRow]:
        """Yield the rows of a block, and the lines between them that are no rows."""
        lines = TextLines(io.StringIO(block.text, newline=""))
        lines.number = block.line - 1
        for line, cells in closed_rows(self.table.dialect, lines):
            text = lines.row[0] if len(lines.row) == 1 else "".join(lines.row)
            if len(cells) < 2 and not text.strip():  # noqa: PLR2004  cells between delimiters
                yield CsvRow(line, text, cells, None)
                continue
            fault = why_unreadable(line, cells, lines.row, self.table, self.header)
            yield CsvRow(line, text, cells, fault)

    def values(self, row: CsvRow) -> dict[str, str]:
        """Return the cells of a row by their columns; further cells are named by position."""
        values = dict(zip(self.names, row.cells, strict=False))
        for position, cell in enumerate(row.cells[len(self.names) :], len(self.names) + 1):
            if cell.strip():
                values[position_name(position, self.names)] = cell
        return values

    def write(self, rows: Sequence[CsvRow], answers: Sequence[RowAnswer | None]) -> str:
        """Return the text of rows with their answers; lines that are no rows have none."""
        return "".join(
            [
                row.text if answer is None else self.with_added(row.text, row.cells, answer.cells())
                for row, answer in zip(rows, answers, strict=True)
            ]
        )

    def with_added(self, text: str, cells: list[str], added: tuple[str | float | None, ...]) -> str:
        """Return the text of a row with further cells before its line end."""
        own = text.removesuffix("\n").removesuffix("\r")
        writer = self.cell_writer
        return writer.row(own, cells, len(self.names), writer.joined(added)) + text[len(own) :]


class CsvFile:
    """A CSV file that is open; raises ValueError if it is not CSV."""

    def __init__(self, file: IO[str], decimal: str = ".") -> None:
        self._file = file
        table = examine_csv(file)
        self.notes = table.notes
        # Another process needs no sample of the file.
        table = replace(table, records=[])
        lines = lines_from(file, 1)
        above = [next(lines) for _ in range(table.header.line - 1)]
        self._above = "".join(above)
        lines.start_row()
        _, header = next(closed_rows(table.dialect, lines))
        self._header_text = "".join(lines.row)
        self._first_line = lines.number + 1
        self.shape = CsvShape(table, header, decimal)

    def head(self, added: Sequence[str]) -> str:
        """Return the lines up to the header, which gets the names of the added columns."""
        text = self._header_text
        end = "" if text.endswith(("\r", "\n")) else "\n"
        return self._above + self.shape.with_added(text, self.shape.header, tuple(added)) + end

    def blocks(self) -> Iterator[CsvBlock]:
        """Yield the text below the header, in parts that end with a row.

        Raises ValueError if it is not CSV.
        """
        file, line = self._file, self._first_line
        file.seek(0)
        lines_from(file, line)
        quote = self.shape.table.dialect.quote
        while text := file.read(BLOCK_CHARACTERS):
            text += file.readline(MAX_ROW_CHARACTERS + 1)
            if len(text) > MAX_ROW_CHARACTERS or (quote and quote in text):
                block, lines = self._closed_block(line, text)
            else:
                lines = _line_ends(text)
                block = CsvBlock(line, text, lines)
            yield block
            line += lines

    def surplus(self) -> tuple[str, ...]:
        """Return names for the cells right of those in the header; reads the whole file."""
        found: dict[str, None] = {}
        for block in self.blocks():
            for row in self.shape.rows(block):
                if row.fault and len(row.cells) > len(self.shape.names):
                    found.update(dict.fromkeys(self.shape.values(row)))
        return tuple(name for name in found if name not in self.shape.names)

    def _closed_block(self, line: int, text: str) -> tuple[CsvBlock, int]:
        """Return the rows that begin in a text, read to the end of the last one."""
        joined = _JoinedText(text, self._file)
        lines = TextLines(cast("IO[str]", joined))
        lines.number = line - 1
        parts: list[str] = []
        rows = 0
        for _ in closed_rows(self.shape.table.dialect, lines):
            parts += lines.row
            rows += 1
            if joined.is_past:
                break
        return CsvBlock(line, "".join(parts), rows), lines.number - line + 1


class _JoinedText:
    """The lines of a text that has been read, and then those of its file."""

    def __init__(self, text: str, file: IO[str]) -> None:
        self._text = io.StringIO(text, newline="")
        self._file = file
        self._end = len(text)
        self._read = 0

    @property
    def is_past(self) -> bool:
        """Whether the whole text has been read."""
        return self._read >= self._end

    def readline(self, limit: int) -> str:
        """Return the next line."""
        line = self._text.readline(limit) or self._file.readline(limit)
        self._read += len(line)
        return line


def _line_ends(text: str) -> int:
    """Return the number of lines in a text that ends with one, or at the end of the file."""
    ends = text.count("\n") + text.count("\r") - text.count("\r\n")
    return ends + (not text.endswith(("\n", "\r")))
