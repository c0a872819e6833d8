"""Restore a backup into an empty store: `python -m db restore`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple

from sqlalchemy import Connection, select, update
from sqlalchemy.exc import DBAPIError

from db.errors import BackupError
from db.store import tables
from db.store.generation import read_generation
from db.store.store import Store, describe_store, error_reason
from db.store.transfer import continue_ids, insert_rows

from .backup_file import open_backup_file
from .contents import kept_tables
from .frames import Header
from .rows import Batch, read_backup


class Contents(NamedTuple):
    """A backup's header, its rows by table, and the tables and columns that this code lacks."""

    header: Header
    rows: dict[str, int]
    unknown: list[str]


def restore_store(
    store: Store, path: Path, progress: Callable[[int], None] = lambda _rows: None
) -> Contents:
    """Insert all rows of a backup into a store whose tables are empty, in one transaction.

    The backup is read twice, so that damage is found before anything is written. `progress` is told
    how many more rows have been checked or inserted.
    """
    with open_backup_file(path) as file:
        contents = check_backup(file, str(path), progress)
        file.seek(0)
        with store.writing() as connection:
            _check_empty(connection, describe_store(store))
            _insert(connection, file, str(path), progress)
            _raise_generation(connection, contents.header.generation)
    return contents


def check_backup(file: IO[bytes], name: str, progress: Callable[[int], None]) -> Contents:
    """Read a whole backup; raises BackupError if any part of it is damaged or cannot be used."""
    header, batches = read_backup(file, name)
    rows: Counter[str] = Counter()
    unknown: dict[str, None] = {}
    for batch in batches:
        rows[batch.start.name] += len(batch.rows)
        progress(len(batch.rows))
        unknown |= dict.fromkeys(_unknown(batch))
    return Contents(header, dict(rows), list(unknown))


def _unknown(batch: Batch) -> list[str]:
    if batch.table is None:
        return [batch.start.name]
    lacking = [name for name in batch.start.columns if name not in batch.table.c]
    return [f"{batch.start.name}.{name}" for name in lacking]


def _check_empty(connection: Connection, name: str) -> None:
    """Raise BackupError if the store has rows besides those of idle workers, and a pause."""
    for table in kept_tables():
        if table is tables.pause:
            continue
        if connection.execute(select(table).limit(1)).first() is not None:
            raise BackupError(
                f"{name}: has data already, in the table {table.name}, so nothing was restored;"
                " restore into a new database, or on PostgreSQL into another DATABASE_SCHEMA"
            )


def _insert(
    connection: Connection, file: IO[bytes], name: str, progress: Callable[[int], None]
) -> None:
    is_paused = connection.execute(select(tables.pause)).first() is not None
    for batch in read_backup(file, name)[1]:
        if batch.rows and not (batch.table is tables.pause and is_paused):
            _insert_batch(connection, batch, name)
        progress(len(batch.rows))
    for table in kept_tables():
        continue_ids(connection, table)


def _insert_batch(connection: Connection, batch: Batch, name: str) -> None:
    if batch.table is None:
        return
    at = [at for at, column in enumerate(batch.start.columns) if column in batch.table.c]
    columns = [batch.start.columns[index] for index in at]
    rows = batch.rows
    if len(at) < len(batch.start.columns):
        rows = [tuple(row[index] for index in at) for row in rows]
    try:
        insert_rows(connection, batch.table, columns, rows)
    except DBAPIError as error:
        raise BackupError(
            f"{name}: the store does not take its rows of {batch.start.name}, so nothing was"
            f" restored: {error_reason(error)}"
        ) from error


def _raise_generation(connection: Connection, backup_generation: int) -> None:
    """Set a generation that neither this store nor the one of the backup had."""
    number = max(read_generation(connection), backup_generation) + 1
    connection.execute(update(tables.generation).values(number=number))
