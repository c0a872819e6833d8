"""Requested inputs that were not in the store: they become records, which are enriched first."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from db.records.encoded_inputs import encode_inputs
from db.spec.field import Inputs
from db.spec.record_key import KEY_BYTES
from db.store.direct.locks import lock_requested
from db.store.direct.statement import Statement, StoreConnection

_INTO = "INSERT INTO {schema}record AS known (dataset_id, key, inputs, origin, asked, made_at)"
# Without a condition before it, SQLite takes ON for the condition of a join.
_UPSERT = (
    "WHERE TRUE ON CONFLICT (dataset_id, key) DO UPDATE SET asked = TRUE WHERE NOT known.asked"
)
# The values: dataset id, all keys in one, KEY_BYTES, KEY_BYTES, seconds since 1970, JSON of inputs.
_record = {
    "sqlite": Statement(
        f"{_INTO} SELECT {{}}, substr({{}}, 1 + {{}} * key, {{}}), value, 'request', TRUE, {{}}"  # noqa: S608
        f" FROM json_each({{}}) {_UPSERT}"
    ),
    "postgresql": Statement(
        f"{_INTO} SELECT CAST({{}} AS bigint), substr(CAST({{}} AS bytea),"  # noqa: S608
        " 1 + CAST({} AS integer) * (CAST(number AS integer) - 1), CAST({} AS integer)),"
        " CAST(value AS text), 'request', TRUE, CAST({} AS double precision)"
        " FROM json_array_elements(CAST({} AS json)) WITH ORDINALITY AS input (value, number)"
        f" {_UPSERT}"
    ),
}
# SQLite searches the index by `asked` only where it is compared.
_count_waiting = Statement(
    "SELECT count(*) FROM (SELECT id FROM {schema}record WHERE dataset_id = {} AND asked = TRUE"
    " AND revision = 0 AND chunk_id IS NULL LIMIT {}) waiting"
)


class RequestedInput(NamedTuple):
    """A key and its encoded inputs; compact, since thousands of them may wait in memory."""

    key: bytes
    inputs: bytes


def pack_requested(key: bytes, inputs: Inputs) -> RequestedInput:
    """Return requested inputs in the form in which they are stored."""
    return RequestedInput(key, encode_inputs(inputs))


def record_requested(
    connection: StoreConnection, dataset_id: int, requested: Iterable[RequestedInput]
) -> int:
    """Add records for requested inputs; mark records that exist as requested.

    Return how many inputs have not been requested before.

    All rows are written by one statement. With a statement for each row, this thread and those
    that answer requests kept passing Python's lock to each other, and the slowest one percent of
    requests took a third longer.
    """
    # Each key once. All writers lock records in the order of keys, so that they cannot deadlock.
    rows = sorted({row.key: row for row in requested}.values())
    if not rows:
        return 0
    keys = b"".join(row.key for row in rows)
    inputs = f"[{b','.join(row.inputs for row in rows).decode()}]"
    values = dataset_id, keys, KEY_BYTES, KEY_BYTES, time.time(), inputs
    return _record[connection.dialect.name].run(connection, *values)


def record_within_limit(
    connection: StoreConnection, dataset_id: int, requested: Sequence[RequestedInput], limit: int
) -> int:
    """Record requested inputs until `limit` of the dataset's wait; return how many had room.

    Processes and machines do so one after the other, so that all of them together keep the limit.
    """
    lock_requested(connection, dataset_id)
    room = max(limit - count_waiting(connection, dataset_id, limit), 0)
    record_requested(connection, dataset_id, requested[:room])
    return min(len(requested), room)


def count_waiting(connection: StoreConnection, dataset_id: int, limit: int) -> int:
    """Return how many requested records have never been enriched, counting up to `limit`."""
    count: int = _count_waiting.value(connection, dataset_id, limit)
    return count
