"""The planner, which puts stale records into chunks."""

from __future__ import annotations

from sqlalchemy import Connection, and_, bindparam, func, or_, select

from db.records.dataset import Dataset
from db.store import tables
from db.store.dialect import lease_clock

from .chunk import make_chunk

CHUNK_RECORDS = 500
OPEN_CHUNKS_PER_WORKER = 4
# Made once: SQLAlchemy takes as long to make a statement as the store to run it.
_STALE = (
    select(tables.record.c.id)
    .where(
        tables.record.c.dataset_id == bindparam("dataset"),
        tables.record.c.asked == bindparam("asked"),
        tables.record.c.revision < bindparam("new_revision"),
        tables.record.c.chunk_id.is_(None),
    )
    .order_by(tables.record.c.revision, tables.record.c.key)
    .limit(bindparam("most"))
)


def plan_chunks(connection: Connection, dataset: Dataset, workers: int) -> int | None:
    """Put stale records that have no chunk into chunks, first those that came with requests.

    Only a few chunks per worker are open at any time, however many records are stale. Return how
    many chunks were made, None if the plan has changed since it was read. The dataset stays
    locked until the transaction ends.
    """
    # Without the lock, two planners could put the same records into two chunks.
    of_dataset = tables.dataset.c.id == dataset.id
    lock = select(tables.dataset.c.revision).where(of_dataset).with_for_update(key_share=True)
    if connection.execute(lock).scalar_one() != dataset.revision:
        return None
    room = OPEN_CHUNKS_PER_WORKER * max(workers, 1) - _open_chunks(connection, dataset.id)
    count = 0
    for asked in (True, False):
        while count < room and _plan_chunk(connection, dataset, asked=asked):
            count += 1
    return count


def _open_chunks(connection: Connection, dataset_id: int) -> int:
    """Count the chunks that are not postponed; postponed ones must not block other records."""
    now, boot = lease_clock(connection)
    is_postponed = and_(
        tables.chunk.c.owner.is_(None),
        tables.chunk.c.lease_boot == boot,
        tables.chunk.c.lease_until > now,
    )
    query = select(func.count()).where(
        tables.chunk.c.dataset_id == dataset_id,
        or_(tables.chunk.c.lease_until.is_(None), ~is_postponed),
    )
    return connection.execute(query).scalar_one()


def _plan_chunk(connection: Connection, dataset: Dataset, *, asked: bool) -> bool:
    wanted = {"dataset": dataset.id, "asked": asked, "new_revision": dataset.revision}
    ids = connection.execute(_STALE, {**wanted, "most": CHUNK_RECORDS}).scalars().all()
    if ids:
        make_chunk(connection, dataset.id, dataset.revision, ids, asked=asked)
    return bool(ids)
