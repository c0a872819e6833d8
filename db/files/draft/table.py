"""One pass over a source: the profiles of its columns, and a sample of its rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from db.errors import DataFileError
from db.files.column_type import ColumnProfile
from db.files.source_file import Source

from .row_sample import RowSample
from .total_row import TotalRows

PROGRESS_ROWS = 1000
MOST_COLUMNS = 20_000


@dataclass
class Table:
    """What was read of a file; `faults` rows could not be read, the first one says why."""

    delimiter: str
    notes: tuple[str, ...]
    columns: dict[str, ColumnProfile] = field(default_factory=dict)
    sample: RowSample = field(default_factory=RowSample)
    totals: TotalRows = field(default_factory=TotalRows)
    faults: int = 0
    first_fault: str = ""


def read_table(
    source: Source,
    missing: frozenset[str] = frozenset(),
    progress: Callable[[int], None] = lambda _: None,
    most_columns: int = MOST_COLUMNS,
) -> Table:
    """Read a whole source once, in bounded memory; raises DataFileError."""
    layout = source.layout()
    table = Table(layout.delimiter, layout.notes)
    for name in layout.names:
        table.columns[name] = ColumnProfile(name, missing=missing)
    _check_columns(source, table, most_columns)
    for row in source.rows():
        if row.fault:
            table.faults += 1
            table.first_fault = table.first_fault or f"line {row.line:,}: {row.fault}"
            continue
        for name, value in row.values.items():
            if name not in table.columns:
                table.columns[name] = ColumnProfile(name, missing=missing)
            table.columns[name].add(value, row.line)
        _check_columns(source, table, most_columns)
        table.sample.add(row.values)
        table.totals.add(row.line, row.values)
        if table.sample.seen % PROGRESS_ROWS == 0:
            progress(PROGRESS_ROWS)
    table.totals.finish()
    if not table.sample.seen:
        why = f"; {table.first_fault}" if table.faults else ""
        raise DataFileError(f"{source.name}: has no rows{why}")
    for column in table.columns.values():
        column.rows = table.sample.seen
    return table


def _check_columns(source: Source, table: Table, most_columns: int) -> None:
    """Raise DataFileError at too many columns: each row of a JSON file can bring new ones."""
    if len(table.columns) > most_columns:
        raise DataFileError(
            f"{source.name}: has more than {most_columns:,} columns; leave some out"
        )
