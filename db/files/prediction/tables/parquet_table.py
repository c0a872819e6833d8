"""Parquet files: their rows, and the same columns with further ones."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from db.files.formats.parquet_reader import ParquetTable, open_parquet
from db.files.prediction.output_file import OutputFile
from db.files.prediction.row_answer import RowAnswer
from db.files.source_file import SourceRow

from .table_writer import Row, as_text

# Batches are collected to a row group, which is in memory as a whole.
_GROUP_ROWS = 16_384
_GROUP_BYTES = 16 << 20


@dataclass(frozen=True)
class ParquetFile:
    """A Parquet file that is open; its rows are read as those of an import."""

    table: ParquetTable

    @property
    def schema(self) -> Any:  # noqa: ANN401
        """The columns as they are in the file."""
        return self.table.file.schema_arrow

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return int(self.table.file.metadata.num_rows)

    def blocks(self, read: Collection[str] | None) -> Iterator[tuple[list[SourceRow], Any]]:
        """Yield rows with the values of the columns in `read`, and their batch of all columns.

        None stands for all columns.
        """
        at = [
            position
            for position, name in enumerate(self.table.columns.names)
            if read is None or any(one == name or one.startswith(f"{name}.") for one in read)
        ]
        for part, done in self.table.parts():
            yield list(self.table.rows_of(part, done, at)), part


@contextmanager
def opened_parquet(path: Path) -> Iterator[ParquetFile]:
    """Open a Parquet file; raises DataFileError if it cannot be read."""
    with open_parquet(path) as table:
        yield ParquetFile(table)


class ParquetWriter:
    """Writes rows with their answers, in row groups of several blocks.

    `decimal` is the decimal mark of numbers that become text.
    """

    def __init__(
        self,
        file: OutputFile,
        own: pa.Schema | Sequence[str],
        added: Sequence[str],
        *,
        is_number: bool,
        decimal: str = ".",
    ) -> None:
        if not isinstance(own, pa.Schema):
            own = pa.schema([pa.field(name, pa.string()) for name in own])
        self._file = file
        self._own = own
        self._decimal = decimal
        # The prediction, its certainty, and then source, model and error.
        types = [pa.float64() if is_number else pa.string()]
        types += [pa.float64()] * (len(added) - 4) + [pa.string()] * 3
        self._added = [pa.field(name, kind) for name, kind in zip(added, types, strict=True)]
        schema = pa.schema([*own, *self._added], metadata=own.metadata)
        self._writer = pq.ParquetWriter(file, schema)
        self._schema = schema
        self._waiting: list[Any] = []
        self._rows = self._bytes = 0

    def write_batch(self, batch: Any, answers: Sequence[RowAnswer]) -> None:  # noqa: ANN401
        """Write a batch of rows as they were read."""
        self._write([*batch.columns, *self._columns(answers)])

    def write_rows(self, rows: Sequence[Row], answers: Sequence[RowAnswer]) -> None:
        """Write rows of another format; their values are text."""
        own = [
            pa.array([as_text(row.get(name), self._decimal) for row in rows], pa.string())
            for name in self._own.names
        ]
        self._write([*own, *self._columns(answers)])

    def _columns(self, answers: Sequence[RowAnswer]) -> list[pa.Array]:
        cells = list(zip(*(answer.cells() for answer in answers), strict=True))
        cells = cells or [()] * len(self._added)
        return [
            pa.array(values, field.type) for values, field in zip(cells, self._added, strict=True)
        ]

    def _write(self, columns: Sequence[pa.Array]) -> None:
        batch = pa.record_batch(columns, schema=self._schema)
        self._waiting.append(batch)
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        if self._rows >= _GROUP_ROWS or self._bytes >= _GROUP_BYTES:
            self._end_group()

    def _end_group(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting, self._schema))
            self._waiting, self._rows, self._bytes = [], 0, 0

    def close(self) -> None:
        """Write the end of the file."""
        self._end_group()
        self._writer.close()

    def abandon(self) -> None:
        """End after an error; the file is not complete."""
        # Otherwise the writer is ended when Python removes it, whose file is closed then.
        self._file.abandon()
        with suppress(Exception):
            self._writer.close()
        self._writer.is_open = False
