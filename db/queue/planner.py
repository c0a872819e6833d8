"""The planner: puts stale records into chunks."""

from __future__ import annotations

from sqlalchemy import Connection, and_, func, or_, select

from db.records.dataset import Dataset
from db.store import tables
from db.store.dialect import lease_clock

from .chunk import make_chunk

CHUNK_RECORDS = 500
OPEN_CHUNKS_A_WORKER = 4


def plan_chunks(connection: Connection, planned: Dataset, workers: int) -> int | None:
    """Put stale records without a chunk into chunks, what people asked for first.

    There are never more than a few open chunks a worker, however many records are stale.
    Returns how many chunks were made, None where the plan has changed since it was read. Until
    the transaction ends nobody can change it.
    """
    # Two planners at once would put the same records into two chunks.
    of_dataset = tables.dataset.c.id == planned.id
    lock = select(tables.dataset.c.revision).where(of_dataset).with_for_update(key_share=True)
    if connection.execute(lock).scalar_one() != planned.revision:
        return None
    room = OPEN_CHUNKS_A_WORKER * max(workers, 1) - _open_chunks(connection, planned.id)
    made = 0
    for asked in (True, False):
        while made < room and _plan_chunk(connection, planned, asked=asked):
            made += 1
    return made


def _open_chunks(connection: Connection, dataset_id: int) -> int:
    """Count chunks but for those put off, which would keep all other records from their turn."""
    now, boot = lease_clock(connection)
    put_off = and_(
        tables.chunk.c.owner.is_(None),
        tables.chunk.c.lease_boot == boot,
        tables.chunk.c.lease_until > now,
    )
    query = select(func.count()).where(
        tables.chunk.c.dataset_id == dataset_id, or_(tables.chunk.c.lease_until.is_(None), ~put_off)
    )
    return connection.execute(query).scalar_one()


def _plan_chunk(connection: Connection, planned: Dataset, *, asked: bool) -> bool:
    stale = (
        select(tables.record.c.id)
        .where(
            tables.record.c.dataset_id == planned.id,
            tables.record.c.asked == asked,
            tables.record.c.revision < planned.revision,
            tables.record.c.chunk_id.is_(None),
        )
        .order_by(tables.record.c.revision, tables.record.c.key)
        .limit(CHUNK_RECORDS)
    )
    ids = connection.execute(stale).scalars().all()
    if ids:
        make_chunk(connection, planned.id, planned.revision, ids, asked=asked)
    return bool(ids)
