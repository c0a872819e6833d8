"""Write a backup of the store while everything runs: `python -m db backup`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Table

from db.store.generation import read_generation
from db.store.schema_version import schema_version
from db.store.store import Store
from db.store.transfer import snapshot, stream_rows

from .backup_file import new_backup_file
from .contents import fetch_count, kept_tables, rows_of
from .frames import FORMAT, FrameWriter, Header, TableStart

_PROGRESS_ROWS = 1000


def backup_store(
    store: Store, path: Path | None, progress: Callable[[int], None] = lambda _rows: None
) -> dict[str, int]:
    """Write the store into a file, or to standard output; return the number of rows by table.

    All rows are of one moment. `progress` is told how many more rows have been written.
    """
    with new_backup_file(path) as file, snapshot(store) as connection:
        writer = FrameWriter(file, _header(connection))
        for table in kept_tables():
            _write_table(connection, writer, table, progress)
        return writer.finish()


def _header(connection: Connection) -> Header:
    return Header(
        format=FORMAT,
        schema=schema_version(connection) or "",
        database=connection.dialect.name,
        made_at=time.time(),
        generation=read_generation(connection),
    )


def _write_table(
    connection: Connection, writer: FrameWriter, table: Table, progress: Callable[[int], None]
) -> None:
    query = rows_of(table)
    columns = tuple(str(column.name) for column in query.selected_columns)
    writer.begin_table(TableStart(str(table.name), columns))
    encode = msgspec.msgpack.Encoder().encode
    count = 0
    for row in stream_rows(connection, query, fetch_count(table)):
        writer.add_row(encode(tuple(row)))
        count += 1
        if count % _PROGRESS_ROWS == 0:
            progress(_PROGRESS_ROWS)
    progress(count % _PROGRESS_ROWS)
