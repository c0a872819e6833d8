"""Chunks: stale records, leased to one worker at a time.

A worker claims a chunk: this sets the end of its lease and raises the chunk's fence by one. While
it computes, the worker renews the lease. If it does not, because it died or was stopped or cut
off, the lease ends, and another worker may claim the chunk, under the next fence. Every write of a
worker (renew, finish, return, fail) first checks, in the same transaction, that the chunk still
has the worker's fence, and raises LeaseLost if not. So a worker that was taken for dead and then
continues cannot write its results over those of the next worker. Leases run on the store's clock
(see `dialect.lease_clock`), so workers' clocks need not agree.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Update,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from db.errors import LeaseLost
from db.records.encoded_inputs import decode_inputs
from db.records.enrichment import Enrichment, write_enrichments
from db.records.listing_columns import write_listing_columns
from db.records.prediction import Prediction, write_predictions
from db.records.record import Record
from db.store import tables
from db.store.dialect import lease_clock
from db.store.json_rows import encode_rows, json_rows

from .quarantine import EnricherFailure, write_failures

MOST_ATTEMPTS = 3
# Made once: SQLAlchemy takes as long to make a statement as SQLite to run it.
_OF_CHUNK = tables.record.c.chunk_id == bindparam("chunk")
_RECORDS = (
    select(*(tables.record.c[name] for name in Record._fields))
    .where(_OF_CHUNK)
    .order_by(tables.record.c.key)
)
_LOCKED = (
    select(tables.record.c.id, tables.record.c.key)
    .where(_OF_CHUNK)
    .order_by(tables.record.c.id)
    .with_for_update()
)
_NOT_QUARANTINED = delete(tables.quarantine).where(
    tables.quarantine.c.record_id.in_(select(tables.record.c.id).where(_OF_CHUNK))
)
_UP_TO_DATE = (
    update(tables.record).where(_OF_CHUNK).values(chunk_id=None, revision=bindparam("new_revision"))
)


@dataclass(frozen=True)
class NotBefore:
    """How long a returned chunk must not be claimed, and why."""

    seconds: float = 0.0
    reason: str = ""


AT_ONCE = NotBefore()


@dataclass(frozen=True)
class Chunk:
    """A leased chunk; each lease of the chunk has its own fence."""

    id: int
    dataset_id: int
    revision: int
    fence: int
    attempts: int


def make_chunk(
    connection: Connection, dataset_id: int, revision: int, ids: Sequence[int], *, asked: bool
) -> None:
    """Put records into a new chunk, which is not leased yet."""
    new = insert(tables.chunk).values(dataset_id=dataset_id, revision=revision, asked=asked)
    chunk_id = connection.execute(new.returning(tables.chunk.c.id)).scalar_one()
    rows = encode_rows([(record_id,) for record_id in ids])
    connection.execute(
        _put_into_chunk(connection.dialect.name), {"chunk": chunk_id, "records": rows}
    )


@functools.cache
def _put_into_chunk(dialect: str) -> Update:
    new = json_rows(dialect, "records", id=BigInteger)
    chosen = update(tables.record).where(tables.record.c.id.in_(select(new.c.id)))
    return chosen.values(chunk_id=bindparam("chunk"))


def claim_chunk(
    connection: Connection, revisions: Mapping[int, int], worker_id: int, lease_seconds: float
) -> Chunk | None:
    """Lease the next free chunk of these datasets; return None if there is none.

    `revisions` maps dataset ids to current revisions. The chunk gets its dataset's current
    revision, even if it was planned under an older one.
    """
    if not revisions:
        return None
    now, boot = lease_clock(connection)
    current = case(revisions, value=tables.chunk.c.dataset_id)
    is_free = or_(
        # What a chunk was postponed for may have gone with the plan that it was made under.
        and_(tables.chunk.c.owner.is_(None), tables.chunk.c.revision != current),
        tables.chunk.c.lease_until.is_(None),
        tables.chunk.c.lease_boot != boot,
        tables.chunk.c.lease_until < now,
    )
    candidate = (
        select(tables.chunk.c.id)
        .where(is_free, tables.chunk.c.dataset_id.in_(revisions))
        .order_by(*_claim_order())
        .limit(1)
        .with_for_update(skip_locked=True)
        .cte("candidate")
        # Otherwise PostgreSQL may run the select with its limit again for each updated row.
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    claim = (
        update(tables.chunk)
        .where(tables.chunk.c.id == select(candidate.c.id).scalar_subquery())
        .values(
            fence=tables.chunk.c.fence + 1,
            revision=current,
            attempts=tables.chunk.c.attempts + 1,
            owner=worker_id,
            lease_until=now + lease_seconds,
            lease_boot=boot,
        )
        .returning(*(tables.chunk.c[name] for name in Chunk.__dataclass_fields__))
    )
    row = connection.execute(claim).first()
    return None if row is None else Chunk(*row)


def _claim_order() -> tuple[ColumnElement[Any], ...]:
    """Return the order in which chunks are claimed: what was asked for, returned ones, the rest.

    Of chunks that were returned with an error any may come next. If one whose records are all at
    fault always came first, its step would seem broken for ever.
    """
    is_returned = tables.chunk.c.error.is_not(None)
    rank = case((is_returned, 1), (tables.chunk.c.asked, 0), else_=2)
    return rank, case((is_returned, func.random()), else_=tables.chunk.c.id)


def renew_lease(connection: Connection, chunk: Chunk, lease_seconds: float) -> None:
    """Extend the lease; raise LeaseLost if another worker has claimed the chunk."""
    now, boot = lease_clock(connection)
    _update_fenced(connection, chunk, lease_until=now + lease_seconds, lease_boot=boot)


def _update_fenced(connection: Connection, chunk: Chunk, **values: object) -> None:
    """Update the chunk's row; raise LeaseLost if the row has another fence or is gone."""
    has_fence = and_(tables.chunk.c.id == chunk.id, tables.chunk.c.fence == chunk.fence)
    result = connection.execute(update(tables.chunk).where(has_fence).values(**values))
    if result.rowcount != 1:
        raise LeaseLost(f"chunk {chunk.id}: its lease has ended and another worker has claimed it")


def records_in_chunk(connection: Connection, chunk: Chunk) -> list[Record]:
    """Return a chunk's records, sorted by key."""
    rows = connection.execute(_RECORDS, {"chunk": chunk.id}).all()
    return [Record(id_, key, decode_inputs(inputs), *rest) for id_, key, inputs, *rest in rows]


def finish_chunk(
    connection: Connection,
    chunk: Chunk,
    enrichments: Sequence[Enrichment],
    predictions: Sequence[Prediction],
    failures: Sequence[EnricherFailure] = (),
) -> None:
    """Write a chunk's results and delete the chunk, in the caller's transaction.

    Raise LeaseLost, which rolls everything back, if another worker has claimed the chunk.
    """
    _update_fenced(connection, chunk, owner=None)
    ids = _write_results(connection, chunk, enrichments, predictions)
    connection.execute(_NOT_QUARANTINED, {"chunk": chunk.id})
    _quarantine_existing(connection, chunk, failures, ids)
    _end_chunk(connection, chunk)


def _write_results(
    connection: Connection,
    chunk: Chunk,
    enrichments: Sequence[Enrichment],
    predictions: Sequence[Prediction],
) -> set[int]:
    """Write the results of the records that still exist; return these records' ids."""
    # A record may have been deleted since it was read; its results must not be written.
    keys_by_id = {row.id: row.key for row in _lock_records(connection, chunk)}
    keys = set(keys_by_id.values())
    enrichments = [new for new in enrichments if new.record_id in keys_by_id]
    predictions = [new for new in predictions if new.key in keys]
    write_enrichments(connection, enrichments)
    write_predictions(connection, chunk.dataset_id, predictions)
    write_listing_columns(connection, keys_by_id, enrichments, predictions)
    return set(keys_by_id)


def _quarantine_existing(
    connection: Connection, chunk: Chunk, failures: Sequence[EnricherFailure], ids: set[int]
) -> None:
    """Quarantine those of the failures whose records still exist."""
    existing = [failure for failure in failures if failure.record_id in ids]
    write_failures(connection, chunk.dataset_id, chunk.revision, existing)


def _lock_records(connection: Connection, chunk: Chunk) -> Sequence[Row[int, bytes]]:
    return connection.execute(_LOCKED, {"chunk": chunk.id}).all()


def _end_chunk(connection: Connection, chunk: Chunk) -> None:
    connection.execute(_UP_TO_DATE, {"chunk": chunk.id, "new_revision": chunk.revision})
    connection.execute(delete(tables.chunk).where(tables.chunk.c.id == chunk.id))


def return_chunk(
    connection: Connection,
    chunk: Chunk,
    enrichments: Sequence[Enrichment] = (),
    predictions: Sequence[Prediction] = (),
    failures: Sequence[EnricherFailure] = (),
    not_before: NotBefore = AT_ONCE,
) -> None:
    """Return a chunk that is not finished, with its results so far.

    This claim does not count as an attempt.
    """
    now, boot = lease_clock(connection)
    postponed = {"lease_until": now + not_before.seconds, "lease_boot": boot}
    free = {"lease_until": None, "lease_boot": None}
    _update_fenced(
        connection,
        chunk,
        owner=None,
        attempts=chunk.attempts - 1,
        error=not_before.reason or None,
        **(postponed if not_before.seconds else free),
    )
    ids = _write_results(connection, chunk, enrichments, predictions)
    _quarantine_existing(connection, chunk, failures, ids)


def fail_chunk(connection: Connection, chunk: Chunk, error: str) -> None:
    """Return a chunk whose workers died while they computed it.

    A chunk of several records is split in two, so that the record that kills workers ends up
    alone. A chunk of one record is quarantined after three attempts.
    """
    _update_fenced(connection, chunk, owner=None, lease_until=None, lease_boot=None, error=error)
    ids = [row.id for row in _lock_records(connection, chunk)]
    if len(ids) > 1:
        _split(connection, chunk, ids)
    elif chunk.attempts >= MOST_ATTEMPTS:
        failures = [EnricherFailure(record_id, "", error) for record_id in ids]
        write_failures(connection, chunk.dataset_id, chunk.revision, failures)
        _end_chunk(connection, chunk)


def _split(connection: Connection, chunk: Chunk, ids: Sequence[int]) -> None:
    middle = len(ids) // 2
    for half in (ids[:middle], ids[middle:]):
        make_chunk(connection, chunk.dataset_id, chunk.revision, half, asked=True)
    connection.execute(delete(tables.chunk).where(tables.chunk.c.id == chunk.id))


def release_chunks(connection: Connection, worker_id: int) -> None:
    """End the leases of a worker that has ended or died."""
    connection.execute(
        update(tables.chunk)
        .where(tables.chunk.c.owner == worker_id)
        .values(owner=None, lease_until=None, lease_boot=None, fence=tables.chunk.c.fence + 1)
    )
