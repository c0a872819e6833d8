"""The queries of every request, which the driver runs by itself.

SQLAlchemy takes 50 µs and more for what the driver does in 6 µs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from .schema import schema_of

T = TypeVar("T")

Row: TypeAlias = tuple[Any, ...]
# A query bound to a connection, from its values to its first row or to all of them.
FindRow: TypeAlias = Callable[..., Row | None]
FindRows: TypeAlias = Callable[..., list[Row]]


@dataclass(frozen=True)
class RowQuery:
    """A query for few rows: each {} stands for a value, {schema} comes before each table's name."""

    sql: str

    def bind(self, connection: Connection) -> FindRow:
        """Return the query for one row on a connection, which must stay open.

        It raises DBAPIError, as SQLAlchemy does, but without its knowledge: nothing tells it that
        the connection is lost.
        """
        return self._bind(connection, _first)

    def bind_all(self, connection: Connection) -> FindRows:
        """Return what `bind` does, for all rows."""
        return self._bind(connection, list)

    def _bind(self, connection: Connection, fetch: Callable[[Any], T]) -> Callable[..., T]:
        driver = connection.connection.driver_connection
        assert driver is not None  # noqa: S101  set while the connection is open
        error_class = connection.dialect.loaded_dbapi.Error
        sql = self.for_driver(connection)

        def find(*values: object) -> T:
            try:
                return fetch(driver.execute(sql, values))
            except error_class as error:
                raise DBAPIError(sql, None, error) from error

        return find

    def for_driver(self, connection: Connection) -> str:
        """Return the query as the driver of a connection takes it."""
        place = "?" if connection.dialect.name == "sqlite" else "%s"
        schema = schema_of(connection)
        prefix = f'"{schema}".' if schema else ""
        return self.sql.format(*[place] * self.sql.count("{}"), schema=prefix)


def _first(cursor: Any) -> Row | None:  # noqa: ANN401  of any driver
    row: Row | None = cursor.fetchone()
    return row
