"""What a reference table of the store says of a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from sqlalchemy import ColumnClause, Connection, and_, column, or_, select, table

from db.errors import EnricherError
from db.store.tables import metadata

from .base import Row


class Sql:
    """The row of a reference table that matches a record: read, and never written.

    `match` maps fields to the table's columns. One column of `columns` gives its value, several
    an object; no match gives null. Change `edition` when the table has changed, so that what was
    looked up becomes stale.
    """

    version: ClassVar[str] = "1"
    # Its values come out of the store, which the child does not know.
    looks_up: ClassVar[bool] = True

    def __init__(
        self, table: str, match: Mapping[str, str], columns: Sequence[str], edition: str = ""
    ) -> None:
        if table.lower() in {*metadata.tables, "alembic_version"}:
            raise EnricherError(f"config.table: {table} is a table of ours; name one of yours")
        if not match:
            raise EnricherError('config.match: name a field and its column: { city = "name" }')
        if isinstance(columns, str) or not columns:
            raise EnricherError('config.columns: name the columns to read: ["population"]')
        self._table = table
        self._match = dict(match)
        self._columns = list(columns)
        self._edition = edition

    def look_up(self, connection: Connection, rows: Sequence[Row]) -> list[Any]:
        """Return a value for each row; raises EnricherError where two rows of the table match."""
        asked = [self._key(row) for row in rows]
        found = self._find(connection, set(asked))
        return [found.get(key) for key in asked]

    def _key(self, row: Row) -> tuple[Any, ...]:
        for field in self._match:
            if field not in row:
                raise EnricherError(f"config.match: {field} is not read; it reads {', '.join(row)}")
        return tuple(row[field] for field in self._match)

    def _find(
        self, connection: Connection, keys: set[tuple[Any, ...]]
    ) -> dict[tuple[Any, ...], Any]:
        names = dict.fromkeys([*self._match.values(), *self._columns])
        # By their table's name: SQLite takes an unknown name in quotes for a text.
        asked = table(self._table, *map(column, names))
        by: list[ColumnClause[Any]] = [asked.c[name] for name in self._match.values()]
        read: list[ColumnClause[Any]] = [asked.c[name] for name in self._columns]
        matches = [
            and_(*(one == value for one, value in zip(by, key, strict=True))) for key in keys
        ]
        query = select(*by, *read).select_from(asked).where(or_(*matches))
        found: dict[tuple[Any, ...], Any] = {}
        for row in connection.execute(query):
            key = tuple(row[: len(by)])
            if key in found:
                raise EnricherError(f"config.match: {self._table} has several rows for {key}")
            found[key] = self._value([_plain(value) for value in row[len(by) :]])
        return found

    def _value(self, values: list[Any]) -> Any:  # noqa: ANN401
        if len(values) == 1:
            return values[0]
        return dict(zip(self._columns, values, strict=True))


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Return a value that JSON can say: decimals as numbers, dates as text."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return float(value) if hasattr(value, "as_tuple") else str(value)
