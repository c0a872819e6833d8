"""The rows of a query of a user's database, read once in a transaction that changes nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from typing import Any

from sqlalchemy import Connection, CursorResult

from db.errors import ExchangeError, InputError
from db.files.source_file import Layout, SourceRow
from db.files.spool import Spool, spooled
from db.files.typed_value import plain_value, typed_row
from db.ingestion.present_ids import PresentIds
from db.records.encoded_inputs import batches
from db.spec.dataset_spec import DatasetSpec

from .since_position import Newest, Position
from .user_database import UserDatabase

FETCH_ROWS = 1000
_SELECT = re.compile(
    r"(?>\s+|--[^\n]*+|/\*(?>.*?\*/)|\()*+(?:SELECT|WITH|VALUES|TABLE)\b", re.IGNORECASE | re.DOTALL
)
# Strings, quoted names and comments, in which a semicolon is a character.
_TOKEN = re.compile(
    r"""'[^']*+'?|"[^"]*+"?|`[^`]*+`?|--[^\n]*+|/\*(?>.*?\*/|.*+)|\$\$(?>.*?\$\$|.*+)|.""",
    re.DOTALL,
)
_END = re.compile(r"(?>\s+|;|--[^\n]*+|#[^\n]*+|/\*.*?\*/)*+", re.DOTALL)
# What makes a new connection's first transaction read one state of the data and write nothing.
# The settings of the session are for statements after a COMMIT that is hidden in the query.
_READ_ONLY = {
    "postgresql": ("SET default_transaction_read_only = on",),
    "mysql": (
        # A TIMESTAMP is shown in the session's zone, where a change of the clock repeats an hour.
        "SET @veilleuse_zone = @@session.time_zone, time_zone = '+00:00'",
        "SET SESSION TRANSACTION READ ONLY",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ),
    "sqlite": ("PRAGMA query_only = ON", "BEGIN"),
}
_READ_ONLY["mariadb"] = _READ_ONLY["mysql"]
_LATER_CLOCK = (
    "GREATEST(UTC_TIMESTAMP(6),"
    " COALESCE(CONVERT_TZ(UTC_TIMESTAMP(6), '+00:00', @veilleuse_zone), UTC_TIMESTAMP(6)))"
)
_CLOCKS = {
    ("postgresql", "datetime"): "SELECT LOCALTIMESTAMP",
    ("postgresql", "zoned"): "SELECT now()",
    ("postgresql", "date"): "SELECT CURRENT_DATE",
    ("mysql", "stamp"): "SELECT UTC_TIMESTAMP(6)",
    # A DATETIME or DATE is in the zone of the program that wrote it: UTC, or the server's zone.
    ("mysql", "datetime"): f"SELECT {_LATER_CLOCK}",
    ("mysql", "date"): f"SELECT DATE({_LATER_CLOCK})",
    ("sqlite", "str"): "SELECT CURRENT_TIMESTAMP",
}
_TIMESTAMP = 7


class Query:
    """A query of a user's database in an open transaction, which sees one state of the data."""

    def __init__(self, connection: Connection, database: UserDatabase, query: str) -> None:
        self._connection = connection
        self._query = query
        self._result: CursorResult[Any] | None = None
        self._stamps: set[str] = set()
        self.name = f"{database.name} (query)"
        self.has_text_times = database.engine.dialect.name == "sqlite"

    @contextmanager
    def spooled(
        self, since: tuple[str, Position] | None = None, newest: Newest | None = None
    ) -> Iterator[Spool]:
        """Yield the rows, in a temporary file; raises ExchangeError.

        With `since`, only rows whose column has at least this value, or none. `newest` reads its
        column of every row.
        """
        result = self._run() if since is None else self._run_since(*since)
        columns = _column_names(self.name, result)
        kinds = (each[1] for each in result.cursor.description) if result.cursor else ()
        self._stamps = {
            name for name, kind in zip(columns, kinds, strict=False) if kind == _TIMESTAMP
        }
        rows = _typed_rows(result, columns)
        if newest is not None:
            rows = _noting(self.name, result, columns, newest)
        with spooled(self.name, Layout("", tuple(columns), 0, ()), rows) as spool:
            yield spool

    def read_ids(self, spec: DatasetSpec, present: PresentIds) -> None:
        """Add the ids of all rows to `present`; raises ExchangeError if there are none."""
        column = self._quoted(spec.row_id_column)
        # DISTINCT would fold ids that differ in case where the column's collation does.
        result = self._execute(f"SELECT {column} FROM ({self._query}\n) q")  # noqa: S608
        for part in batches(result, FETCH_ROWS):
            ids = _readable_ids(spec, part)
            present.add(set(ids))
            present.unread += len(part) - len(ids)
        if present.is_empty() and not present.unread:
            raise ExchangeError(
                f"{self.name}: returned no row, so nothing was imported and no row was removed; to"
                " delete all rows, drop the dataset"
            )

    def clock(self, column: str, position: Position | None) -> object:
        """Return the database's own time in the type of a position, None if it has none."""
        kind = type(position).__name__
        if getattr(position, "tzinfo", None):
            kind = "zoned"
        database = self._connection.dialect.name.replace("mariadb", "mysql")
        if database == "mysql" and kind == "datetime" and column in self._stamps:
            kind = "stamp"
        statement = _CLOCKS.get((database, kind))
        return statement and self._connection.exec_driver_sql(statement).scalar()

    def close(self) -> None:
        """Stop reading, wherever that is."""
        if self._result is None:
            return
        unread = getattr(self._result.cursor, "_result", None)
        if unread is not None and getattr(unread, "unbuffered_active", False):
            # PyMySQL would first read the rest of the rows.
            unread.unbuffered_active = False
            self._connection.invalidate()
        else:
            self._result.close()

    def _run(self) -> CursorResult[Any]:
        return self._execute(self._query)

    def _run_since(self, column: str, begin: Position) -> CursorResult[Any]:
        quoted = f"q.{self._quoted(column)}"
        paramstyle = self._connection.dialect.paramstyle
        place = {"qmark": "?", "pyformat": "%(begin)s", "format": "%s"}.get(paramstyle, ":begin")
        query = self._query
        if place.startswith("%"):
            query, quoted = query.replace("%", "%%"), quoted.replace("%", "%%")
        statement = f"SELECT * FROM ({query}\n) q WHERE {quoted} >= {place} OR {quoted} IS NULL"  # noqa: S608
        values = (begin,) if place in {"?", "%s"} else {"begin": begin}
        return self._execute(statement, values)

    def _execute(self, statement: str, values: Any = None) -> CursorResult[Any]:  # noqa: ANN401
        # `yield_per` makes the driver use a cursor of the server. Without parameters the driver
        # must not look for them: a % in the query is a %.
        options = {"yield_per": FETCH_ROWS, "no_parameters": values is None}
        self._result = self._connection.exec_driver_sql(
            statement, values, execution_options=options
        )
        return self._result

    def _quoted(self, name: str) -> str:
        return self._connection.dialect.identifier_preparer.quote_identifier(name)


@contextmanager
def opened_query(database: UserDatabase, query: str) -> Iterator[Query]:
    """Yield a query in a transaction that can only read; raises ExchangeError."""
    if not _SELECT.match(query):
        raise ExchangeError(f"{database.name} (query): must be a SELECT, which changes nothing")
    with database.errors(), database.connect() as connection:
        _begin_read_only(connection)
        opened = Query(connection, database, without_end(query))
        try:
            yield opened
        except OSError as error:
            raise ExchangeError(
                f"{database.name} (query): the rows cannot be kept in a temporary file:"
                f" {error.strerror}; TMPDIR chooses another folder"
            ) from None
        finally:
            opened.close()


@contextmanager
def query_source(database: UserDatabase, query: str) -> Iterator[Spool]:
    """Yield the rows of a query; the database is read before, and its connection is closed."""
    with ExitStack() as kept:
        with opened_query(database, query) as opened:
            rows = kept.enter_context(opened.spooled())
        yield rows


def without_end(query: str) -> str:
    """Return a query without its semicolon and the comments after it.

    Later runs put it in parentheses. What else comes after a semicolon is left to the database,
    which refuses it.
    """
    for token in _TOKEN.finditer(query):
        if token[0] == ";":
            is_end = _END.fullmatch(query, token.start())
            return query[: token.start()] if is_end else query
    return query.rstrip()


def _begin_read_only(connection: Connection) -> None:
    kind = connection.dialect.name
    if kind == "postgresql":
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    elif kind in {"mysql", "mariadb"}:
        connection.execution_options(isolation_level="REPEATABLE READ")
    for statement in _READ_ONLY.get(kind, ()):
        connection.exec_driver_sql(statement)


def _column_names(name: str, result: CursorResult[Any]) -> list[str]:
    """Return the names of the columns; raises ExchangeError if one has none or two have one."""
    cursor = result.cursor
    if cursor is None or not result.returns_rows:
        raise ExchangeError(f"{name}: returns no rows; it must be a SELECT")
    # SQLAlchemy's own names lack what comes before a dot.
    names = [" ".join(str(column[0]).split()) for column in cursor.description]
    for at, each in enumerate(names, 1):
        if not each or each == "?column?":
            raise ExchangeError(f"{name}: column {at} has no name; give it one: … AS NAME")
    twice = [each for each, occurrences in Counter(names).items() if occurrences > 1]
    if twice:
        raise ExchangeError(
            f"{name}: has two columns named {twice[0]}; select one of them, or rename it: … AS NAME"
        )
    return names


def _typed_rows(result: CursorResult[Any], columns: Sequence[str]) -> Iterator[SourceRow]:
    for line, row in zip(count(1), result, strict=False):
        yield typed_row(line, columns, row)


def _noting(
    name: str, result: CursorResult[Any], columns: Sequence[str], newest: Newest
) -> Iterator[SourceRow]:
    """Yield the rows, and let `newest` read its column."""
    if newest.column not in columns:
        raise ExchangeError(
            f"{name}: has no column {newest.column}; its columns are {', '.join(columns)}"
        )
    at = columns.index(newest.column)
    for line, row in zip(count(1), result, strict=False):
        newest.read(row[at])
        yield typed_row(line, columns, row)


def _readable_ids(spec: DatasetSpec, rows: Sequence[Sequence[object]]) -> list[str]:
    ids = []
    for (raw,) in rows:
        with suppress(InputError):
            ids.append(spec.read_row_id(plain_value(raw)))
    return ids
