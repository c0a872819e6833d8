"""Find the table in a sheet by the rules for CSV files: its header, its names and its rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

from db.files.csv_layout.dialect import NO_DELIMITER, Dialect, Fit, Record, measure_records
from db.files.csv_layout.header import Header, UnclearNames, find_header
from db.files.source_file import Layout, SourceRow, position_name, quote
from db.spec.normalization import normal_number

# The rows by which the layout is decided, as for CSV.
_SAMPLE_ROWS = 500
_SAMPLE_CHARACTERS = 1 << 18
_SHOWN = 5
# Spreadsheets keep so many digits of a number.
_MOST_EXACT = 10**15


@dataclass(frozen=True)
class SheetRow:
    """The filled cells of a sheet's row by column, counted from 1.

    `percents` are the columns whose cells show percent.
    """

    number: int
    cells: dict[int, object]
    percents: frozenset[int] = frozenset()
    fault: str = ""


def read_table(rows: Iterable[SheetRow]) -> tuple[Layout, Iterator[SourceRow]]:
    """Return how a sheet is read, and its rows; raises ValueError if it has no header."""
    remaining = iter(rows)
    sample = _sample(remaining)
    records = _records(sample)
    if not records:
        raise ValueError("has no sheet with cells")
    header = _header(records)
    names = header.used_names(records)
    notes = (*header.notes, *_percent_notes(sample, header), *_digit_notes(sample, header))
    layout = Layout("", names, header.line, notes)
    return layout, _source_rows(header, chain(sample, remaining))


def _sample(rows: Iterator[SheetRow]) -> list[SheetRow]:
    sample, characters = [], 0
    for row in rows:
        sample.append(row)
        characters += max(row.cells, default=0)
        characters += sum(len(value) for value in row.cells.values() if isinstance(value, str))
        if len(sample) >= _SAMPLE_ROWS or characters >= _SAMPLE_CHARACTERS:
            break
    return sample


def _records(sample: list[SheetRow]) -> list[Record]:
    """Return rows as CSV has them: each of them as long as the longest one."""
    width = max((max(row.cells, default=0) for row in sample), default=0)
    return [_record(row, width) for row in sample if row.cells]


def _record(row: SheetRow, width: int) -> Record:
    reach = max(row.cells)
    # A comment is a single cell.
    length = reach if _is_comment(row) else width
    cells = [_shown(row.cells.get(column)) for column in range(1, length + 1)]
    return Record(row.number, cells, reach)


def _is_comment(row: SheetRow) -> bool:
    first = row.cells.get(1)
    return len(row.cells) == 1 and isinstance(first, str) and first.startswith("#")


def _shown(value: object) -> str:
    """Return a cell as CSV has it, on one line."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(normal_number(value))
    return " ".join(str(value).split())


def _header(records: list[Record]) -> Header:
    try:
        return find_header(_fit(records), records)
    except UnclearNames as error:
        what, _, _ = str(error).partition("; ")
        raise ValueError(f"{what}; leave one row that names each column") from None


def _fit(records: list[Record]) -> Fit:
    """Return the table's width; columns of a sheet are certain, so there is no delimiter."""
    fit = measure_records(records, Dialect(","))
    if fit.is_table:
        return fit
    if fit.records and fit.records[0].reach > 1:
        # Its rows are bad, and are reported as such.
        return replace(fit, width=fit.records[0].reach, start=0)
    return measure_records(records, Dialect(NO_DELIMITER))


def _percent_notes(sample: list[SheetRow], header: Header) -> Iterator[str]:
    if columns := sorted({column for row in sample for column in row.percents}):
        shown = _columns(header, columns)
        yield f"cells that show percent are read as they are stored, 25 % as 0.25: {shown}"


def _digit_notes(sample: list[SheetRow], header: Header) -> Iterator[str]:
    columns = {
        column for row in sample for column, value in row.cells.items() if _is_rounded(value)
    }
    if columns:
        yield (
            "spreadsheets round numbers of more than 15 digits; keep such ids as texts:"
            f" {_columns(header, sorted(columns))}"
        )


def _is_rounded(value: object) -> bool:
    return isinstance(value, int | float) and _MOST_EXACT <= abs(value) < math.inf


def _columns(header: Header, columns: list[int]) -> str:
    names = [_name(header.columns.names, column) for column in columns]
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(quote(name) for name in names[:_SHOWN]) + more


def _name(names: tuple[str, ...], column: int) -> str:
    return names[column - 1] if column <= len(names) else position_name(column, names)


def _source_rows(header: Header, rows: Iterable[SheetRow]) -> Iterator[SourceRow]:
    names, required = header.columns.names, header.columns.required
    header_cells: dict[int, object] = {}
    for row in rows:
        if row.number == header.line:
            header_cells = row.cells
        elif row.number > header.line:
            fault = row.fault or _fault(row, header, header_cells)
            if fault or required == 1 or not (header.has_comments and _is_comment(row)):
                values = {_name(names, column): value for column, value in row.cells.items()}
                yield SourceRow(row.number, values, fault)


def _fault(row: SheetRow, header: Header, header_cells: dict[int, object]) -> str:
    """Return why a row is bad, "" if it is good."""
    names, required = header.columns.names, header.columns.required
    reach = max(row.cells)
    if required > 1 and row.cells == header_cells:
        return "repeats the columns' names; delete the row"
    if reach > len(names):
        shown = quote(str(row.cells[reach]))
        return f"has a cell in column {reach:,}, the header has {len(names):,}: {shown}"
    if required > 1 and _is_comment(row) and not header.has_comments:
        shown = quote(str(row.cells[1]))
        return (
            f"has 1 cell, the header has {required:,}: {shown}; delete the row if it is a comment"
        )
    return ""
