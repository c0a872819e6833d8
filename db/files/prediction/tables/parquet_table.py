"""Parquet files: their rows, and the same columns with further ones."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from db.errors import DataFileError
from db.files.prediction.output_file import OutputFile
from db.files.prediction.row_answer import RowAnswer
from db.files.source_file import SourceRow
from db.files.typed_value import typed_row

from .table_writer import Row, as_text

# The rows of a row group, all of whose columns are in memory.
GROUP_ROWS = 16_384


class ParquetFile:
    """A Parquet file that is open."""

    def __init__(self, file: pq.ParquetFile) -> None:
        self._file = file
        self.schema: pa.Schema = file.schema_arrow
        self.names = tuple(_leaf_names(self.schema))
        self.rows: int = file.metadata.num_rows

    def blocks(self, read: Collection[str] | None) -> Iterator[tuple[list[SourceRow], Any]]:
        """Yield rows with the values of the columns in `read`, and their batch of all columns.

        None stands for all columns.
        """
        at = [
            position
            for position, name in enumerate(self.schema.names)
            if read is None or any(one == name or one.startswith(f"{name}.") for one in read)
        ]
        names = [self.schema.names[position] for position in at]
        line = 1
        for batch in self._file.iter_batches(GROUP_ROWS):
            columns = [batch.column(position).to_pylist() for position in at]
            values = zip(*columns, strict=True) if columns else [()] * batch.num_rows
            yield [typed_row(line + n, names, row) for n, row in enumerate(values)], batch
            line += batch.num_rows


@contextmanager
def opened_parquet(path: Path) -> Iterator[ParquetFile]:
    """Open a Parquet file; raises DataFileError if it cannot be read."""
    try:
        with pq.ParquetFile(path) as file:
            yield ParquetFile(file)
    except pa.ArrowException as error:
        raise DataFileError(f"{path}: cannot be read as Parquet: {error}") from None


def _leaf_names(fields: Any) -> Iterator[str]:  # noqa: ANN401  a schema or a struct
    """Yield the name of each column; a member of an object has a name with a dot."""
    for field in fields:
        if pa.types.is_struct(field.type):
            yield from (f"{field.name}.{name}" for name in _leaf_names(field.type))
        else:
            yield field.name


class ParquetWriter:
    """Writes rows with their answers; each block of rows is a row group."""

    def __init__(
        self,
        file: OutputFile,
        own: pa.Schema | Sequence[str],
        added: Sequence[str],
        *,
        is_number: bool,
    ) -> None:
        if not isinstance(own, pa.Schema):
            own = pa.schema([pa.field(name, pa.string()) for name in own])
        self._own = own
        # The prediction, its certainty, and then source, model and error.
        types = [pa.float64() if is_number else pa.string()]
        types += [pa.float64()] * (len(added) - 4) + [pa.string()] * 3
        self._added = [pa.field(name, kind) for name, kind in zip(added, types, strict=True)]
        schema = pa.schema([*own, *self._added], metadata=own.metadata)
        self._writer = pq.ParquetWriter(file, schema)
        self._schema = schema

    def write_batch(self, batch: Any, answers: Sequence[RowAnswer]) -> None:  # noqa: ANN401
        """Write a batch of rows as they were read."""
        columns = [*batch.columns, *self._columns(answers)]
        self._writer.write_batch(pa.record_batch(columns, schema=self._schema))

    def write_rows(self, rows: Sequence[Row], answers: Sequence[RowAnswer]) -> None:
        """Write rows of another format; their values are text."""
        own = [
            pa.array([as_text(row.get(name)) for row in rows], pa.string())
            for name in self._own.names
        ]
        columns = [*own, *self._columns(answers)]
        self._writer.write_batch(pa.record_batch(columns, schema=self._schema))

    def _columns(self, answers: Sequence[RowAnswer]) -> list[pa.Array]:
        cells = list(zip(*(answer.cells() for answer in answers), strict=True))
        cells = cells or [()] * len(self._added)
        return [
            pa.array(values, field.type) for values, field in zip(cells, self._added, strict=True)
        ]

    def close(self) -> None:
        """Write the end of the file."""
        self._writer.close()
