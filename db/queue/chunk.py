"""Chunks: stale records, leased to one worker at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    Connection,
    Row,
    and_,
    case,
    delete,
    insert,
    or_,
    select,
    update,
)

from db.errors import LeaseLost
from db.records.enrichment import Enrichment, write_enrichments
from db.records.listing_columns import write_listing_columns
from db.records.prediction import Prediction, write_predictions
from db.records.record import Record, decode_inputs
from db.store import tables
from db.store.dialect import lease_clock

from .quarantine import EnricherFailure, write_failures

MOST_ATTEMPTS = 3


@dataclass(frozen=True)
class NotBefore:
    """How long nobody should take a chunk again, and why."""

    seconds: float = 0.0
    reason: str = ""


AT_ONCE = NotBefore()


@dataclass(frozen=True)
class Chunk:
    """A leased chunk; the fence tells this lease from any other of the same chunk."""

    id: int
    dataset_id: int
    revision: int
    fence: int
    attempts: int


def make_chunk(
    connection: Connection, dataset_id: int, revision: int, ids: Sequence[int], *, asked: bool
) -> None:
    """Put records into a new chunk that nobody holds."""
    made = insert(tables.chunk).values(dataset_id=dataset_id, revision=revision, asked=asked)
    chunk_id = connection.execute(made.returning(tables.chunk.c.id)).scalar_one()
    connection.execute(
        update(tables.record).where(tables.record.c.id.in_(ids)).values(chunk_id=chunk_id)
    )


def claim_chunk(
    connection: Connection, revisions: Mapping[int, int], worker_id: int, lease_seconds: float
) -> Chunk | None:
    """Lease a chunk of these datasets that nobody holds, or None where there is none.

    It is worked on under its dataset's revision of today, whatever it was planned under.
    """
    if not revisions:
        return None
    now, boot = lease_clock(connection)
    free = or_(
        tables.chunk.c.lease_until.is_(None),
        tables.chunk.c.lease_boot != boot,
        tables.chunk.c.lease_until < now,
    )
    picked = (
        select(tables.chunk.c.id)
        .where(free, tables.chunk.c.dataset_id.in_(revisions))
        .order_by(tables.chunk.c.asked.desc(), tables.chunk.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .cte("picked")
        # Without it PostgreSQL may run the limited select again for each row it updates.
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    claimed = (
        update(tables.chunk)
        .where(tables.chunk.c.id == select(picked.c.id).scalar_subquery())
        .values(
            fence=tables.chunk.c.fence + 1,
            revision=case(revisions, value=tables.chunk.c.dataset_id),
            attempts=tables.chunk.c.attempts + 1,
            owner=worker_id,
            lease_until=now + lease_seconds,
            lease_boot=boot,
        )
        .returning(*(tables.chunk.c[name] for name in Chunk.__dataclass_fields__))
    )
    row = connection.execute(claimed).first()
    return None if row is None else Chunk(*row)


def renew_lease(connection: Connection, held: Chunk, lease_seconds: float) -> None:
    """Hold a chunk for longer; raises LeaseLost where it belongs to another by now."""
    now, boot = lease_clock(connection)
    renewed = {"lease_until": now + lease_seconds, "lease_boot": boot}
    _fenced(connection, held, **renewed)


def _fenced(connection: Connection, held: Chunk, **values: object) -> None:
    mine = and_(tables.chunk.c.id == held.id, tables.chunk.c.fence == held.fence)
    done = connection.execute(update(tables.chunk).where(mine).values(**values))
    if done.rowcount != 1:
        raise LeaseLost(f"chunk {held.id}: its lease ran out and another worker took it")


def records_in_chunk(connection: Connection, held: Chunk) -> list[Record]:
    """Return a chunk's records by key."""
    query = (
        select(tables.record)
        .where(tables.record.c.chunk_id == held.id)
        .order_by(tables.record.c.key)
    )
    return [
        Record(row.id, row.key, decode_inputs(row.inputs), row.label, row.origin)
        for row in connection.execute(query)
    ]


def finish_chunk(
    connection: Connection,
    held: Chunk,
    enrichments: Sequence[Enrichment],
    predictions: Sequence[Prediction],
    refused: Sequence[EnricherFailure] = (),
) -> None:
    """Write a chunk's results and end it, in the caller's one transaction.

    Raises LeaseLost, so that everything is rolled back, where another worker has it by now.
    """
    _fenced(connection, held, owner=None)
    here = _write_results(connection, held, enrichments, predictions)
    connection.execute(delete(tables.quarantine).where(tables.quarantine.c.record_id.in_(here)))
    still = [one for one in refused if one.record_id in here]
    write_failures(connection, held.dataset_id, held.revision, still)
    _end_chunk(connection, held)


def _write_results(
    connection: Connection,
    held: Chunk,
    enrichments: Sequence[Enrichment],
    predictions: Sequence[Prediction],
) -> set[int]:
    """Write what was made of the records that are still there; returns their ids."""
    # A record that was erased meanwhile leaves no results behind.
    here = {row.id: row.key for row in _ids_and_keys(connection, held)}
    keys = set(here.values())
    enriched = [made for made in enrichments if made.record_id in here]
    predicted = [made for made in predictions if made.key in keys]
    write_enrichments(connection, enriched)
    write_predictions(connection, held.dataset_id, predicted)
    write_listing_columns(connection, here, enriched, predicted)
    return set(here)


def _ids_and_keys(connection: Connection, held: Chunk) -> Sequence[Row[int, bytes]]:
    of_chunk = tables.record.c.chunk_id == held.id
    query = (
        select(tables.record.c.id, tables.record.c.key).where(of_chunk).order_by(tables.record.c.id)
    )
    return connection.execute(query.with_for_update()).all()


def _end_chunk(connection: Connection, held: Chunk) -> None:
    connection.execute(
        update(tables.record)
        .where(tables.record.c.chunk_id == held.id)
        .values(chunk_id=None, revision=held.revision)
    )
    connection.execute(delete(tables.chunk).where(tables.chunk.c.id == held.id))


def return_chunk(
    connection: Connection,
    held: Chunk,
    enrichments: Sequence[Enrichment] = (),
    predictions: Sequence[Prediction] = (),
    refused: Sequence[EnricherFailure] = (),
    not_before: NotBefore = AT_ONCE,
) -> None:
    """Give a chunk back that is not done, with what was made of it; that is no attempt at it."""
    now, boot = lease_clock(connection)
    put_off = {"lease_until": now + not_before.seconds, "lease_boot": boot}
    _fenced(
        connection,
        held,
        owner=None,
        attempts=held.attempts - 1,
        error=not_before.reason or None,
        **(put_off if not_before.seconds else {"lease_until": None, "lease_boot": None}),
    )
    here = _write_results(connection, held, enrichments, predictions)
    still = [one for one in refused if one.record_id in here]
    write_failures(connection, held.dataset_id, held.revision, still)


def fail_chunk(connection: Connection, held: Chunk, error: str) -> None:
    """Give back a chunk whose workers died over it.

    Several records are split in two, so that a poison record is alone in the end; alone, it
    is quarantined after three tries.
    """
    _fenced(connection, held, owner=None, lease_until=None, lease_boot=None, error=error)
    ids = [row.id for row in _ids_and_keys(connection, held)]
    if len(ids) > 1:
        _split(connection, held, ids)
    elif held.attempts >= MOST_ATTEMPTS:
        refusals = [EnricherFailure(record_id, "", error) for record_id in ids]
        write_failures(connection, held.dataset_id, held.revision, refusals)
        _end_chunk(connection, held)


def _split(connection: Connection, held: Chunk, ids: Sequence[int]) -> None:
    middle = len(ids) // 2
    for half in (ids[:middle], ids[middle:]):
        make_chunk(connection, held.dataset_id, held.revision, half, asked=True)
    connection.execute(delete(tables.chunk).where(tables.chunk.c.id == held.id))


def free_chunks_of(connection: Connection, worker_id: int) -> None:
    """End the leases of a worker that is known to be dead."""
    connection.execute(
        update(tables.chunk)
        .where(tables.chunk.c.owner == worker_id)
        .values(owner=None, lease_until=None, lease_boot=None, fence=tables.chunk.c.fence + 1)
    )


@dataclass(frozen=True)
class Wait:
    """How long until a chunk that is there can be taken, and why it cannot be now."""

    seconds: float
    reason: str


def wait_for_chunk(connection: Connection, dataset_ids: Sequence[int]) -> Wait | None:
    """Return the shortest wait for a chunk of these datasets, None without a chunk.

    A chunk that somebody holds gives no reason: it may end at any moment.
    """
    now, boot = lease_clock(connection)
    rows = connection.execute(
        select(
            tables.chunk.c.owner,
            tables.chunk.c.lease_boot,
            tables.chunk.c.lease_until - now,
            tables.chunk.c.error,
        ).where(tables.chunk.c.dataset_id.in_(dataset_ids))
    ).all()
    waits = [
        Wait(
            0.0 if left is None or of_boot != boot else max(left, 0.0),
            (error or "") if owner is None else "",
        )
        for owner, of_boot, left, error in rows
    ]
    return min(waits, key=lambda wait: wait.seconds, default=None)
