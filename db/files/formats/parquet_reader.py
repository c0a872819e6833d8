"""Read rows from Parquet files in flat memory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from db.errors import DataFileError
from db.files.csv_layout.column_names import ColumnNames, name_columns
from db.files.source_file import (
    MAX_ROW_CHARACTERS,
    Layout,
    SourceRow,
    digest_of_file,
    quote,
)

from . import parquet_probe
from .json_reader import flat_row
from .parquet_values import plain_values, text_bytes

_MAX_ROW_BYTES = 4 * MAX_ROW_CHARACTERS
_READ_BYTES = 1 << 16
_MAX_ANSWER = 300


@dataclass(frozen=True)
class ParquetTable:
    """The table in a Parquet file; the line of a row is its number, counted from 1."""

    path: Path
    file: Any
    columns: ColumnNames
    batch_rows: int

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self.path)

    def layout(self) -> Layout:
        """Return the columns' names; members of a struct have names with a dot."""
        schema = self.file.schema_arrow
        names = (
            leaf
            for name, field in zip(self.columns.names, schema, strict=True)
            for leaf in _leaves(name, field.type)
        )
        return Layout("", tuple(dict.fromkeys(names)), 0, self.columns.notes)

    def rows(self) -> Iterator[SourceRow]:
        """Yield the rows that have a value; raises DataFileError for a damaged file."""
        at = range(len(self.columns.names))
        for part, done in self.parts():
            yield from (row for row in self.rows_of(part, done, at) if row.values or row.fault)

    def parts(self) -> Iterator[tuple[Any, int]]:
        """Yield batches whose values fit in memory, each with the number of rows before it."""
        done = 0
        with _errors_of(self.path):
            for batch in self.file.iter_batches(self.batch_rows, use_threads=False):
                for part in _small_batches(batch, done):
                    yield part, done
                    done += part.num_rows

    def rows_of(self, part: Any, done: int, at: Sequence[int]) -> Iterator[SourceRow]:  # noqa: ANN401
        """Yield the rows of a part with the values of the columns at these positions."""
        names = [self.columns.names[position] for position in at]
        with _errors_of(self.path):
            yield from _rows([part.column(position) for position in at], names, part.num_rows, done)

    def digest(self) -> bytes:
        """Return SHA-256 over the file."""
        return digest_of_file(self.path)


def _leaves(name: str, kind: Any) -> Iterator[str]:  # noqa: ANN401
    if not pa.types.is_struct(kind):
        yield name
        return
    for field in kind:
        yield from _leaves(f"{name}.{field.name}", field.type)


@contextmanager
def open_parquet(path: Path) -> Iterator[ParquetTable]:
    """Open a Parquet file; raises DataFileError, also if it declares more than fits in memory.

    Values have the types of their columns; dates are ISO 8601 text, and durations are seconds.
    """
    batch_rows = _readable_rows(path)
    with _errors_of(path), pq.ParquetFile(path, pre_buffer=False, buffer_size=_READ_BYTES) as file:
        columns = name_columns(1, file.schema_arrow.names)
        yield ParquetTable(path, file, columns, batch_rows)


def _readable_rows(path: Path) -> int:
    """Return how many rows can be read at once; raises DataFileError if the file is hostile."""
    # The program finds its packages where this process does, and not beside itself.
    command = [sys.executable, "-P", parquet_probe.__file__, str(path)]
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        # Arrow's own pool reserves more address space than it uses.
        "ARROW_DEFAULT_MEMORY_POOL": "system",
    }
    done = subprocess.run(command, capture_output=True, env=environment, text=True, check=False)  # noqa: S603
    answer = done.stdout.strip()
    if answer.isdecimal():
        return int(answer)
    why = quote(answer) if len(answer) > _MAX_ANSWER else answer
    raise DataFileError(f"{path}: {why or 'is damaged: it crashes the program that reads it'}")


def _small_batches(batch: Any, first: int) -> Iterator[Any]:  # noqa: ANN401
    """Yield parts of a batch whose values fit in memory; raises ValueError for one row too large.

    `first` rows of the file come before the batch.
    """
    size = sum(map(text_bytes, batch.columns))
    if size <= _MAX_ROW_BYTES:
        yield batch
    elif batch.num_rows > 1:
        half = batch.num_rows // 2
        yield from _small_batches(batch.slice(0, half), first)
        yield from _small_batches(batch.slice(half), first + half)
    else:
        raise ValueError(f"row {first + 1:,} has more than {_MAX_ROW_BYTES:,} bytes")


def _rows(
    columns: Sequence[Any], names: Sequence[str], count: int, done: int
) -> Iterator[SourceRow]:
    is_nested = any(pa.types.is_nested(column.type) for column in columns)
    values = [plain_values(column) for column in columns]
    rows = zip(*values, strict=True) if values else [()] * count
    for line, row in enumerate(rows, done + 1):
        pairs = zip(names, row, strict=True)
        if is_nested:
            yield flat_row(line, dict(pairs))
        else:
            yield SourceRow(line, {name: value for name, value in pairs if value is not None})


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    """Raise a DataFileError that names the file for each error that pyarrow can raise."""
    try:
        yield
    except DataFileError:
        raise
    except pa.ArrowException as error:
        raise DataFileError(f"{path}: cannot be read as Parquet: {quote(str(error))}") from None
    except MemoryError:
        raise DataFileError(f"{path}: needs too much memory; save the table as CSV") from None
    except OSError as error:
        why = error.strerror or f"cannot be read as Parquet: {quote(str(error))}"
        raise DataFileError(f"{path}: {why}") from None
    except (ValueError, OverflowError, KeyError, NotImplementedError, RecursionError) as error:
        raise DataFileError(f"{path}: {' '.join(str(error).split())[:500]}") from None
