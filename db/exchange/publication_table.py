"""A table of a user's database that holds predictions: it is compared and corrected."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    bindparam,
    delete,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError

from db.errors import ExchangeError
from db.records.encoded_inputs import KEYS_PER_STATEMENT, slices
from db.store.direct.errors import is_transient
from db.store.store import error_reason

from .publication_columns import Stored, TableColumn
from .publication_rows import PAGE_ROWS, PublishedRow
from .user_database import UserDatabase

T = TypeVar("T")
Values: TypeAlias = tuple[Stored, ...]

TRIES = 5
# The errors of MySQL and MariaDB that say: run the transaction again.
_MYSQL_TRANSIENT = {1020, 1205, 1213}
MYSQL = {"mysql", "mariadb"}


@dataclass(frozen=True)
class PublicationCounts:
    """What became of rows of the table."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0

    def __add__(self, other: PublicationCounts) -> PublicationCounts:
        return PublicationCounts(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.deleted + other.deleted,
        )


@dataclass(frozen=True)
class PublicationTable:
    """An open table of predictions."""

    database: UserDatabase
    connection: Connection
    name: str
    """The name as the user wrote it."""
    table: Table
    """The columns that are read and written, with our names as keys."""
    columns: dict[str, TableColumn]
    value_names: tuple[str, ...]

    def write(self, rows: Sequence[PublishedRow]) -> PublicationCounts:
        """Insert rows that are not there and update those that differ, in one transaction."""
        wanted = self._fit(rows)

        def work() -> PublicationCounts:
            stored = self._read(list(wanted))
            new = {at: row for at, row in wanted.items() if at not in stored}
            changed = {at: row for at, row in wanted.items() if stored.get(at, row) != row}
            self._insert(new)
            self._update(changed)
            return PublicationCounts(len(new), len(changed), len(wanted) - len(new) - len(changed))

        return self._in_transaction(work)

    def ids(self) -> Iterator[list[Any]]:
        """Yield all ids of the table in pages, as the database returns them."""
        at = self.table.c.id
        query = select(at).where(at.isnot(None)).order_by(at).limit(PAGE_ROWS)
        page = self._query_ids(query)
        while page:
            yield page
            page = self._query_ids(query.where(at > page[-1]))

    def text_of(self, at: Any) -> str:  # noqa: ANN401
        """Return an id of the table as the id of a row."""
        return str(self.columns["id"].read(at))

    def delete(self, ids: Sequence[Any]) -> None:
        """Delete the rows with these ids."""

        def work() -> None:
            for part in slices(ids, KEYS_PER_STATEMENT):
                self.connection.execute(delete(self.table).where(self.table.c.id.in_(part)))

        self._in_transaction(work)

    def _fit(self, rows: Sequence[PublishedRow]) -> dict[Stored, Values]:
        columns = [self.columns[name] for name in self.value_names]
        at = self.columns["id"]
        try:
            return {
                at.fit(row.id): tuple(map(TableColumn.fit, columns, row.values)) for row in rows
            }
        except ExchangeError as error:
            raise ExchangeError(f"{self.database.name}: table {self.name}: {error}") from None

    def _read(self, ids: Sequence[Stored]) -> dict[Stored, Values]:
        """Return the values of those ids that the table has."""
        read = [self.columns[name].read for name in ("id", *self.value_names)]
        selected = [self._selected(name) for name in ("id", *self.value_names)]
        stored: dict[Stored, Values] = {}
        for part in slices(ids, KEYS_PER_STATEMENT):
            query = select(*selected).where(self.table.c.id.in_(part))
            for row in self.connection.execute(query):
                at, *values = (convert(value) for convert, value in zip(read, row, strict=True))
                stored[at] = tuple(values)
        return stored

    def _selected(self, name: str) -> ColumnElement[Any]:
        column: ColumnElement[Any] = self.table.c[name]
        if self.columns[name].is_single and self.connection.dialect.name in MYSQL:
            # A FLOAT itself is returned with six digits only.
            return (column + literal_column("0e0")).label(name)
        return column

    def _insert(self, rows: dict[Stored, Values]) -> None:
        if rows:
            self.connection.execute(insert(self.table), list(self._parameters(rows, "")))

    def _update(self, rows: dict[Stored, Values]) -> None:
        if rows:
            new: dict[str, Any] = {
                name: bindparam(f"new_{name}") for name in (*self.value_names, "predicted_at")
            }
            of_row = self.table.c.id == bindparam("new_id")
            statement = update(self.table).where(of_row).values(new)
            self.connection.execute(statement, list(self._parameters(rows, "new_")))

    def _parameters(self, rows: dict[Stored, Values], prefix: str) -> Iterator[dict[str, Any]]:
        names = [prefix + name for name in ("id", *self.value_names)]
        now = datetime.now(UTC)
        if not getattr(self.columns["predicted_at"].type, "timezone", False):
            now = now.replace(tzinfo=None)
        for at, values in rows.items():
            row = dict(zip(names, (at, *values), strict=True))
            yield {**row, f"{prefix}predicted_at": now}

    def _query_ids(self, query: Any) -> list[Any]:  # noqa: ANN401
        return self._in_transaction(lambda: list(self.connection.execute(query).scalars()))

    def _in_transaction(self, work: Callable[[], T]) -> T:
        """Run `work` in a transaction; repeat it if another transaction was in its way."""
        with self.database.errors():
            for attempt in range(TRIES - 1):
                with suppress(_Repeat):
                    return self._try(work)
                # A random pause, so that the same transactions do not collide again.
                time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311  no secret
            try:
                with self.connection.begin():
                    return work()
            except IntegrityError as error:
                reason = self.database.hide(error_reason(error))
                raise ExchangeError(f"{self.database.name}: table {self.name}: {reason}") from None

    def _try(self, work: Callable[[], T]) -> T:
        try:
            with self.connection.begin():
                return work()
        except DBAPIError as error:
            if is_repeatable(error):
                raise _Repeat from None
            raise


class _Repeat(Exception):
    """The transaction failed, and may succeed if it is run again."""


def is_repeatable(error: DBAPIError) -> bool:
    """Return whether a page may succeed when it is compared again.

    An IntegrityError may come from another publisher that inserted the same row meanwhile.
    """
    if isinstance(error, IntegrityError) or is_transient(error):
        return True
    arguments = getattr(error.orig, "args", ())
    return type(error.orig).__module__.startswith("pymysql") and bool(
        _MYSQL_TRANSIENT & {code for code in arguments[:1] if isinstance(code, int)}
    )
