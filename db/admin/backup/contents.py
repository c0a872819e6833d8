"""The tables and columns that a backup has, and the types of their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from sqlalchemy import Column, LargeBinary, Select, Table, literal, null, select
from sqlalchemy.sql.expression import ColumnElement

from db.store import tables

# These rows belong to processes that run now: the restored store has other ones. The records of
# chunks are planned again, and files are uploaded again. The generation is in the header.
_LEFT_OUT = (
    tables.worker,
    tables.reading,
    tables.chunk,
    tables.call_grant,
    tables.web_signal,
    tables.generation,
    tables.label_claim,
    tables.job,
    tables.job_file,
)
# Values of columns that point at those rows, or that are times on the clock of one boot. Calls that
# are reserved may all have been made, so they count as made.
_REPLACED: Mapping[Column[Any], ColumnElement[Any]] = {
    tables.record.c.chunk_id: null(),
    tables.run.c.worker_id: null(),
    tables.meter.c.calls: tables.meter.c.calls + tables.meter.c.held,
    tables.meter.c.held: literal(0),
    tables.meter.c.next_call: literal(0.0),
    tables.meter.c.next_boot: literal(""),
    tables.response.c.held_until: null(),
    tables.response.c.held_boot: null(),
    tables.response.c.held_worker: null(),
    tables.response.c.held_by: null(),
}
# Calls that are being made now have no text yet.
_KEPT_ROWS = {tables.response: tables.response.c.text.isnot(None)}
_FETCH_ROWS = 500
# Values such as models are megabytes long.
_FETCH_ONE = {tables.model, tables.snapshot}


def kept_tables() -> list[Table]:
    """Return the tables of a backup, each after the tables that it refers to."""
    return [table for table in tables.metadata.sorted_tables if table not in _LEFT_OUT]


def rows_of(table: Table) -> Select[Any]:
    """Return the query of the rows that a backup has of a table."""
    columns = [_REPLACED.get(column, column).label(column.name) for column in table.c]
    query = select(*columns)
    return query.where(_KEPT_ROWS[table]) if table in _KEPT_ROWS else query


def fetch_count(table: Table) -> int:
    """Return how many rows to have in memory at a time."""
    return 1 if table in _FETCH_ONE else _FETCH_ROWS


def row_type(table: Table | None, columns: Sequence[str]) -> Any:  # noqa: ANN401  a type
    """Return the type of a row with these columns; those that the table lacks stay encoded."""
    known: Mapping[str, Column[Any]] = dict(table.c.items()) if table is not None else {}
    types = tuple(_value_type(known[name]) if name in known else msgspec.Raw for name in columns)
    return tuple[types]  # type: ignore[valid-type]


def _value_type(column: Column[Any]) -> Any:  # noqa: ANN401  a type
    kind: Any = column.type.python_type
    if isinstance(column.type, LargeBinary) and (length := column.type.length):
        kind = Annotated[bytes, msgspec.Meta(min_length=length, max_length=length)]
    return kind | None if column.nullable else kind
