"""The sql enricher: looks rows up in a reference table of the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from sqlalchemy import ColumnClause, Connection, and_, column, or_, select, table
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from db.errors import EnricherError, ExchangeError
from db.exchange.limited_reading import SYSTEM_TABLES, is_too_slow, limited_reading
from db.exchange.user_database import open_database
from db.store.dialect import is_unreachable
from db.store.schema_version import OWN_TABLES
from db.store.store import error_reason

from .base import Row, Unavailable, WrongAnswer

MOST_SECONDS = 600
RETRY_SECONDS = 5.0
LARGEST = 2**63 - 1


class Sql:
    """Looks up the row of a reference table that matches a record. The table is never written.

    A query that takes longer than `timeout_seconds` is ended.

    `match` maps fields to columns of the table. If `columns` names one column the value is that of
    the column, otherwise an object; it is null if no row matches, and a missing value matches no
    row. Change `edition` when the table has changed: the values that were looked up before become
    stale.
    """

    version: ClassVar[str] = "1"
    # Its values come from the store's database, on the machine of the worker.
    kind: ClassVar[str] = "lookup"
    apart_from_values: ClassVar[frozenset[str]] = frozenset({"timeout_seconds"})

    def __init__(
        self,
        table: str,
        match: Mapping[str, str],
        columns: Sequence[str],
        edition: str = "",
        timeout_seconds: float = 30,
    ) -> None:
        if table.lower() in OWN_TABLES:
            raise EnricherError(
                f"config.table: {table} is a table of Veilleuse; name another table"
            )
        if table.lower().startswith(SYSTEM_TABLES):
            raise EnricherError(
                f"config.table: {table} is a table of the database itself; name another table"
            )
        if isinstance(timeout_seconds, bool) or not 0 < timeout_seconds <= MOST_SECONDS:
            raise EnricherError(f"config.timeout_seconds: must be above 0 and up to {MOST_SECONDS}")
        self._timeout_seconds = timeout_seconds
        if not match:
            raise EnricherError('config.match: name a field and its column: { city = "name" }')
        if isinstance(columns, str) or not columns:
            raise EnricherError('config.columns: name the columns to read: ["population"]')
        self._table = table
        self._match = dict(match)
        self._columns = list(columns)
        self._edition = edition

    def read(self, url: str, rows: Sequence[Row]) -> list[Any]:
        """Return the value of each row by a connection that only reads, for a limited time.

        Raises Unavailable if the database cannot be reached, WrongAnswer for any other fault.
        """
        try:
            with (
                open_database(url, read_only=True) as database,
                limited_reading(database, self._timeout_seconds) as connection,
            ):
                return self.look_up(connection, rows)
        except SQLAlchemyError as error:
            is_lost = is_unreachable(error) and not isinstance(error, ProgrammingError)
            if is_lost and not is_too_slow(error):
                raise Unavailable(error_reason(error), RETRY_SECONDS) from None
            raise WrongAnswer(self._reason(error)) from None
        except ExchangeError as error:
            raise Unavailable(str(error), RETRY_SECONDS) from None
        except EnricherError as error:
            raise WrongAnswer(str(error)) from None

    def _reason(self, error: SQLAlchemyError) -> str:
        if not is_too_slow(error):
            return error_reason(error)
        columns = ", ".join(self._match.values())
        return (
            f"a look-up in {self._table} took longer than {self._timeout_seconds:g} s;"
            f" give its column {columns} an index, or raise config.timeout_seconds"
        )

    def look_up(self, connection: Connection, rows: Sequence[Row]) -> list[Any]:
        """Return the value of each row; raises EnricherError if several rows of the table match."""
        keys = [self._key(row) for row in rows]
        # A condition on None would match the rows where the table has no value.
        complete = {key for key in keys if None not in key}
        values = self._find(connection, complete) if complete else {}
        return [values.get(key) for key in keys]

    def _key(self, row: Row) -> tuple[Any, ...]:
        for field in self._match:
            if field not in row:
                read = ", ".join(row)
                raise EnricherError(f"config.match: {field} is not read; the enricher reads {read}")
        return tuple(_searched(row[field]) for field in self._match)

    def _find(
        self, connection: Connection, keys: set[tuple[Any, ...]]
    ) -> dict[tuple[Any, ...], Any]:
        names = dict.fromkeys([*self._match.values(), *self._columns])
        # Columns are qualified by their table: SQLite takes an unknown name in quotes for a text.
        source = table(self._table, *map(column, names))
        matched: list[ColumnClause[Any]] = [source.c[name] for name in self._match.values()]
        wanted: list[ColumnClause[Any]] = [source.c[name] for name in self._columns]
        conditions = [
            and_(*(field == value for field, value in zip(matched, key, strict=True)))
            for key in keys
        ]
        query = select(*matched, *wanted).select_from(source).where(or_(*conditions))
        values: dict[tuple[Any, ...], Any] = {}
        for row in connection.execute(query):
            key = tuple(row[: len(matched)])
            if key in values:
                raise EnricherError(f"config.match: {self._table} has several rows for {key}")
            values[key] = self._value([_plain(value) for value in row[len(matched) :]])
        return values

    def _value(self, values: list[Any]) -> Any:  # noqa: ANN401
        if len(values) == 1:
            return values[0]
        return dict(zip(self._columns, values, strict=True))


def _searched(value: Any) -> Any:  # noqa: ANN401
    """Return a value that a driver can send: larger integers are only in columns of floats."""
    is_large = isinstance(value, int) and not -LARGEST - 1 <= value <= LARGEST
    return float(value) if is_large else value


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Return a value that JSON can represent: decimals as numbers, dates as text."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return float(value) if hasattr(value, "as_tuple") else str(value)
