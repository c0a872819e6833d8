"""Read rows from CSV files, whatever their delimiter, their quotes and the lines around them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO

from db.files.csv_layout.dialect import (
    NO_DELIMITER,
    UNQUOTED_DELIMITERS,
    Dialect,
    Fit,
    Record,
    Sample,
    best_fit,
    measure,
    reach_of,
    separator_of,
    split,
)
from db.files.csv_layout.header import Header, UnclearNames, find_header
from db.files.csv_layout.rare_delimiter import rare_fit
from db.files.source_file import Layout, SourceRow, TextLines, quote

# The lines by which the layout is decided.
_SAMPLE_LINES = 500
_SAMPLE_CHARACTERS = 1 << 18
# So many lines in one row, each of them like a row, show that a quotation mark is not closed.
_SWALLOWED_LINES = 4
_SWALLOWED_SHARE = 0.8
_QUOTED_CELLS = 20


@dataclass(frozen=True)
class CsvTable:
    """How a file is read; `records` are its first ones."""

    dialect: Dialect
    header: Header
    records: list[Record]
    notes: tuple[str, ...]


def read_csv(file: IO[str]) -> Iterator[SourceRow]:
    """Yield the file's rows; raises ValueError if it is not CSV or has no header."""
    table = examine_csv(file)
    columns = table.header.columns
    lines = lines_from(file, table.header.line)
    rows = closed_rows(table.dialect, lines)
    _, header = next(rows, (0, []))
    for line, cells in rows:
        fault = why_unreadable(line, cells, lines.row, table, header)
        if fault is None:
            continue
        row = SourceRow(line, {}, fault) if fault else _row(line, cells, columns.names)
        if row.values or row.fault:
            yield row


def csv_layout(file: IO[str]) -> Layout:
    """Return how the file is read; raises ValueError if it is not CSV or has no header."""
    table = examine_csv(file)
    delimiter = "," if table.dialect.delimiter == NO_DELIMITER else table.dialect.delimiter
    names = table.header.used_names(table.records)
    return Layout(delimiter, names, table.header.line, table.notes)


def _row(line: int, cells: list[str], names: tuple[str, ...]) -> SourceRow:
    """Return a row without its empty cells, so that the fields' defaults apply."""
    pairs = zip(names, cells, strict=False)
    return SourceRow(line, {name: text for name, cell in pairs if (text := cell.strip())})


def why_unreadable(
    line: int, cells: list[str], text: list[str], table: CsvTable, header: list[str]
) -> str | None:
    """Return what is wrong with a row's cells, "" if nothing is, and None if it is a comment.

    `text` are the row's lines, and `header` the cells of the header.
    """
    columns = table.header.columns
    if cells == header and columns.required > 1:
        return "repeats the columns' names; delete the line"
    if columns.required <= len(cells) <= len(columns.names) and len(text) < _SWALLOWED_LINES:
        return ""
    return _why_unusual(line, cells, text, table)


def _why_unusual(line: int, cells: list[str], text: list[str], table: CsvTable) -> str | None:
    """Return the same for a row with many lines, or with more or fewer cells than the header."""
    columns, reach = table.header.columns, reach_of(cells)
    is_comment = bool(reach) and cells[0].lstrip().startswith("#")
    if _is_swallowed(text, table.dialect.delimiter, len(columns.names)):
        lines = f"lines {line:,} to {line + len(text) - 1:,}"
        return f"a quotation mark makes one row of {lines}, which look like rows; close it"
    if not reach or table.header.is_full(cells, reach):
        return ""
    if is_comment and table.header.has_comments:
        return None
    wanted = columns.required if len(cells) < columns.required else len(columns.names)
    shown = quote(", ".join(cell.strip() for cell in cells[:_QUOTED_CELLS]))
    hint = "; delete the line if it is a comment" if is_comment else ""
    count = f"{len(cells):,} cell{'s' * (len(cells) != 1)}"
    return f"has {count}, the header has {wanted:,}: {shown}{hint}"


def _is_swallowed(text: list[str], delimiter: str, count: int) -> bool:
    """Return whether a row's lines look like rows, so that a quotation mark is not closed.

    A text of several lines may well have one comma in each of them.
    """
    if len(text) < _SWALLOWED_LINES or count < (3 if delimiter == "," else 2):
        return False
    alike = sum(line.count(delimiter) == count - 1 for line in text)
    return alike >= _SWALLOWED_SHARE * len(text)


def closed_rows(dialect: Dialect, lines: TextLines) -> Iterator[tuple[int, list[str]]]:
    """Yield the line and the cells of each row; raises ValueError for a row that is not CSV."""
    rows = dialect.rows(lines)
    while True:
        lines.start_row()
        # A quoted cell may contain line ends, so a row begins after the end of the previous row.
        line = lines.number + 1
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            raise ValueError(_why_not_csv(str(error), line, lines)) from None
        yield line, cells


def _why_not_csv(error: str, line: int, lines: TextLines) -> str:
    if "unexpected end" in error:
        return f"line {line}: a quotation mark is opened and never closed"
    if "expected after" in error:
        error = (
            "text follows the quotation mark that closes a cell; write two quotation marks where"
            f" a text contains one: {quote(lines.row[-1])}"
        )
    return f"line {lines.number}: is not CSV: {error}"


def examine_csv(file: IO[str]) -> CsvTable:
    """Return how the file is read, by its first lines; raises ValueError if it is not CSV."""
    sample, notes = _sample(file), []
    if "\0" in sample.lines[0]:
        raise ValueError("has zero bytes, as UTF-16 has; save the table as CSV UTF-8")
    if separator := separator_of(sample.lines[0]):
        notes = [f"line {sample.first_line} gives the delimiter"]
        sample = sample.without_first()
    fit = best_fit(sample, separator)
    fit = fit if separator else rare_fit(sample, fit)
    if escaped := _escaped_fit(sample, fit):
        fit = escaped
        notes.append(r"a backslash before a quotation mark (\") makes it part of a text")
    if stray := _stray_quote(file, fit):
        fit = replace(fit, dialect=replace(fit.dialect, quote=""))
        notes.append(
            f"quotation marks are read as plain characters, as in line {stray}, where one does not"
            " enclose a cell"
        )
    try:
        return _table(sample, fit, notes)
    except UnclearNames:
        if fit.dialect.delimiter != "," or not fit.dialect.skips_space:
            raise
        # A list of texts: each of them happens to have a comma, with a blank after it.
        return _table(sample, best_fit(sample, NO_DELIMITER), notes)


def _escaped_fit(sample: Sample, fit: Fit) -> Fit | None:
    """Return how cells are read in which a backslash stands before a quotation mark, as in MySQL.

    Return None if the file can be read without, or if it has other faults.
    """
    if not any('\\"' in line for line in sample.lines):
        return None
    delimiter = "," if fit.dialect.delimiter == NO_DELIMITER else fit.dialect.delimiter
    plain = any(not record.cells for record in split(sample, fit.dialect))
    escaped = measure(sample, Dialect(delimiter, has_escapes=True))
    is_better = escaped.is_table and escaped.start == 0 and escaped.fitting > fit.fitting
    return escaped if plain and is_better and not escaped.broken else None


def _table(sample: Sample, fit: Fit, notes: list[str]) -> CsvTable:
    records = list(split(sample, fit.dialect))
    header = find_header(fit, records)
    return CsvTable(fit.dialect, header, records, (*notes, *header.notes))


def _sample(file: IO[str]) -> Sample:
    """Return the first lines of a file, without blank lines before them."""
    lines = lines_from(file, 1)
    read: list[str] = []
    characters = 0
    for text in lines:
        lines.start_row()
        if read or text.strip():
            read.append(text)
            characters += len(text)
        if len(read) >= _SAMPLE_LINES or characters >= _SAMPLE_CHARACTERS:
            break
    return Sample(read, lines.number - len(read) + 1, is_whole=not file.read(1))


def lines_from(file: IO[str], first: int) -> TextLines:
    """Return the lines of a file from a line on."""
    file.seek(0)
    lines = TextLines(file)
    for _ in range(first - 1):
        next(lines, "")
        lines.start_row()
    return lines


def _stray_quote(file: IO[str], fit: Fit) -> int:
    """Return the first line in which a quotation mark is a plain character, 0 if there is none.

    Only cells between tabs or pipes can have such characters; a comma may be part of a text, so
    quotation marks must be right there. The whole file is read, because one such line decides.
    """
    if fit.dialect.delimiter not in UNQUOTED_DELIMITERS or not fit.records:
        return 0
    first = fit.records[fit.start]
    strict = replace(fit.dialect, quote=fit.dialect.quote or '"')
    lines = lines_from(file, first.line)
    first_joined = excess = 0
    try:
        for line, cells in closed_rows(strict, lines):
            kind = _kind_of_quotes(lines.row, cells, len(first.cells), strict)
            first_joined = first_joined or (line if kind == "joins" else 0)
            excess += (kind == "joins") - (kind == "encloses")
    except UnicodeDecodeError:
        raise
    except ValueError:
        return lines.number - len(lines.row) + 1
    if excess > 0:
        return first_joined
    return 0 if fit.dialect.quote else first.line


def _kind_of_quotes(text: list[str], cells: list[str], count: int, dialect: Dialect) -> str:
    """Return "joins" if the lines of a row look like rows without its quotation marks.

    Return "encloses" if they look like one only with them, and "" if they show nothing.
    """
    if len(text) == 1 and dialect.quote not in text[0]:
        return ""
    is_row = len(cells) == count
    if all(line.count(dialect.delimiter) == count - 1 for line in text):
        return "" if is_row and len(text) == 1 else "joins"
    return "encloses" if is_row else ""
