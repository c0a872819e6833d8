"""Statements for many rows, which the driver runs by itself.

SQLAlchemy takes 5 to 10 µs for the values of a row, several times what the database does with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection, CursorResult, Table

from db.store.schema import qualified_name

# A statement with these rows has at most 999 values, as many as older versions of SQLite accept.
# Each further number of rows would be another statement to prepare and to keep.
SQLITE_ROWS = 200
# One statement must not take as long as a statement may.
POSTGRESQL_ROWS = 5000
# Values in one list of a query.
LISTED_VALUES = 500


def insert_many(
    connection: Connection,
    table: Table,
    common: Mapping[str, object],
    columns: Sequence[str],
    rows: Sequence[tuple[object, ...]],
) -> int:
    """Insert rows that do not exist, and return how many; `common` has what all of them share."""
    inserted = _insert(connection, table, common, columns, rows, "")
    return sum(result.rowcount for result in inserted)


def insert_many_returning(
    connection: Connection,
    table: Table,
    common: Mapping[str, object],
    columns: Sequence[str],
    rows: Sequence[tuple[object, ...]],
    returned: Sequence[str],
) -> list[Any]:
    """Insert rows as `insert_many` does, and return these columns of the inserted ones."""
    inserted = _insert(connection, table, common, columns, rows, f" RETURNING {_list(returned)}")
    return [row for result in inserted for row in result.all()]


def select_listed(
    connection: Connection, table: Table, query: str, dataset_id: int, values: Sequence[object]
) -> list[Any]:
    """Return the rows of a query for each of many values, such as keys.

    In the query, {table} stands for the table's name, {dataset} for the dataset's id, which comes
    before {listed}, the condition that a column has one of the values, and {lock} for a lock that
    keeps others from deleting the rows.
    """
    found: list[Any] = []
    is_sqlite = connection.dialect.name == "sqlite"
    # On SQLite, a transaction that writes has locked the whole store.
    names = {
        "table": qualified_name(connection, table.name),
        "dataset": "?" if is_sqlite else "%s",
        "lock": "" if is_sqlite else "FOR KEY SHARE",
    }
    for start in range(0, len(values), LISTED_VALUES):
        part = values[start : start + LISTED_VALUES]
        listed = f"IN ({_places(len(part))})" if is_sqlite else "= ANY(%s)"
        listed_values = part if is_sqlite else [list(part)]
        statement = query.format(listed=listed, **names)
        found += connection.exec_driver_sql(statement, (dataset_id, *listed_values)).all()
    return found


def _insert(
    connection: Connection,
    table: Table,
    common: Mapping[str, object],
    columns: Sequence[str],
    rows: Sequence[tuple[object, ...]],
    returning: str,
) -> Iterable[CursorResult[Any]]:
    """Insert rows, in statements of one of two sizes."""
    is_sqlite = connection.dialect.name == "sqlite"
    build, size = (_sqlite, SQLITE_ROWS) if is_sqlite else (_postgresql, POSTGRESQL_ROWS)
    names = _list([*common, *columns])
    into = f"INSERT INTO {qualified_name(connection, table.name)} ({names}) "
    whole = len(rows) // size * size if is_sqlite else len(rows)
    parts = [rows[at : at + size] for at in range(0, whole, size)]
    parts += [rows[at : at + 1] for at in range(whole, len(rows))]
    for part in parts:
        query, values = build(connection, table, common, columns, part)
        statement = f"{into}{query} ON CONFLICT DO NOTHING{returning}"
        yield connection.exec_driver_sql(statement, values)


def _sqlite(
    _connection: Connection,
    _table: Table,
    common: Mapping[str, object],
    columns: Sequence[str],
    rows: Sequence[tuple[object, ...]],
) -> tuple[str, tuple[object, ...]]:
    shared = _list(f"? AS c{at}" for at in range(len(common)))
    given = _list(["shared.*", *(f"column{at + 1}" for at in range(len(columns)))])
    lines = _list([f"({_places(len(columns))})"] * len(rows))
    # Without the condition, SQLite would take ON for the condition of a join.
    query = f"SELECT {given} FROM (SELECT {shared}) AS shared, (VALUES {lines}) WHERE true"  # noqa: S608
    return query, (*common.values(), *chain.from_iterable(rows))


def _postgresql(
    connection: Connection,
    table: Table,
    common: Mapping[str, object],
    columns: Sequence[str],
    rows: Sequence[tuple[object, ...]],
) -> tuple[str, tuple[object, ...]]:
    types = {column.name: column.type.compile(connection.dialect) for column in table.columns}
    shared = [f"%s::{types[name]}" for name in common]
    arrays = _list(f"%s::{types[name]}[]" for name in columns)
    query = f"SELECT {_list([*shared, 'given.*'])} FROM unnest({arrays}) AS given"  # noqa: S608
    # The shared values come first in the text of the statement.
    return query, (*common.values(), *(list(column) for column in zip(*rows, strict=True)))


def _places(count: int) -> str:
    return _list(["?"] * count)


def _list(items: Iterable[str]) -> str:
    return ", ".join(items)
