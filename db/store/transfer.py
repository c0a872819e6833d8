"""Whole tables, read from one snapshot and written fast."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, func, select, text
from sqlalchemy.exc import DBAPIError

from .schema import qualified_name
from .store import Store


@contextmanager
def snapshot(store: Store) -> Iterator[Connection]:
    """Open a transaction that sees the store as it is now, whatever others write meanwhile."""
    with store.reading() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                connection.exec_driver_sql("ROLLBACK")
            return
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with connection.execution_options(**options).begin():
            yield connection


def stream_rows(connection: Connection, query: Select[Any], count: int) -> Iterator[Row[Any]]:
    """Yield the rows of a query, at most `count` of which are in memory."""
    yield from connection.execute(query, execution_options={"yield_per": count})


def insert_rows(
    connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Insert rows with values for these columns; the other columns get their defaults."""
    quote = connection.dialect.identifier_preparer.quote
    target = f"{qualified_name(connection, table.name)} ({', '.join(map(quote, columns))})"
    if connection.dialect.name == "sqlite":
        places = ", ".join("?" * len(columns))
        sql = f"INSERT INTO {target} VALUES ({places})"  # noqa: S608  our own names, quoted
        connection.exec_driver_sql(sql, [tuple(row) for row in rows])
        return
    _copy_rows(connection, f"COPY {target} FROM STDIN", rows)


def _copy_rows(connection: Connection, sql: str, rows: Sequence[Sequence[Any]]) -> None:
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(sql) as copy:
            for row in rows:
                copy.write_row(row)
    except connection.dialect.loaded_dbapi.Error as error:
        raise DBAPIError(sql, None, error) from error


def continue_ids(connection: Connection, table: Table) -> None:
    """Let the ids that the database assigns go on after those of inserted rows."""
    column = table.autoincrement_column
    if column is None or connection.dialect.name == "sqlite":
        # SQLite remembers the highest id that a table has had.
        return
    highest = connection.execute(select(func.max(column))).scalar_one()
    if highest is not None:
        values = {
            "table": qualified_name(connection, table.name),
            "column": column.name,
            "id": highest,
        }
        sql = "SELECT setval(pg_get_serial_sequence(:table, :column), :id)"
        connection.execute(text(sql), values)
