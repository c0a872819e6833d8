"""Records that an enricher could not take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, func, select, update

from db.records.record import erase_records
from db.store import tables
from db.store.dialect import upsert, wall_seconds
from db.store.generation import raise_generation


@dataclass(frozen=True)
class EnricherFailure:
    """Why a record has no value of an enricher."""

    record_id: int
    enricher: str
    reason: str


@dataclass(frozen=True)
class Quarantined:
    """A record that waits for a person."""

    dataset: str
    key: str
    inputs: str
    enricher: str
    reason: str
    made_at: float


def write_failures(
    connection: Connection, dataset_id: int, revision: int, refusals: Iterable[EnricherFailure]
) -> None:
    """Quarantine records, of each enricher the last reason over the one before."""
    now = wall_seconds(connection)
    rows = [
        {
            "record_id": one.record_id,
            "dataset_id": dataset_id,
            "revision": revision,
            "enricher": one.enricher,
            "reason": one.reason,
            "made_at": now,
        }
        for one in refusals
    ]
    upsert(connection, tables.quarantine, rows, ("record_id", "enricher"))


def failures_in_chunk(
    connection: Connection, chunk_id: int, revision: int
) -> list[EnricherFailure]:
    """Return what of a chunk was refused already under that revision of its dataset."""
    query = (
        select(
            tables.quarantine.c.record_id, tables.quarantine.c.enricher, tables.quarantine.c.reason
        )
        .join(tables.record, tables.record.c.id == tables.quarantine.c.record_id)
        .where(tables.record.c.chunk_id == chunk_id, tables.quarantine.c.revision == revision)
    )
    return [EnricherFailure(*row) for row in connection.execute(query)]


def count_quarantined(connection: Connection, dataset_id: int) -> int:
    """Return how many records of a dataset lack a value of an enricher."""
    query = select(func.count(tables.quarantine.c.record_id.distinct()))
    return connection.execute(query.where(_of(dataset_id))).scalar_one()


def quarantined_since(connection: Connection, at: float) -> tuple[int, str]:
    """Return how many records were quarantined from then on, and why the first was."""
    later = tables.quarantine.c.made_at >= at
    count = select(func.count(tables.quarantine.c.record_id.distinct())).where(later)
    first = (
        select(tables.quarantine.c.reason)
        .where(later)
        .order_by(tables.quarantine.c.made_at)
        .limit(1)
    )
    reason = connection.execute(first).scalar_one_or_none()
    return connection.execute(count).scalar_one(), reason or ""


def list_quarantine(
    connection: Connection, dataset_id: int | None = None, most: int = 1000
) -> list[Quarantined]:
    """Return what is quarantined, the latest first."""
    query = (
        select(
            tables.dataset.c.name,
            tables.record.c.key,
            tables.record.c.inputs,
            tables.quarantine.c.enricher,
            tables.quarantine.c.reason,
            tables.quarantine.c.made_at,
        )
        .join(tables.record, tables.record.c.id == tables.quarantine.c.record_id)
        .join(tables.dataset, tables.dataset.c.id == tables.quarantine.c.dataset_id)
        .where(_of(dataset_id))
        .order_by(
            tables.quarantine.c.made_at.desc(),
            tables.quarantine.c.record_id,
            tables.quarantine.c.enricher,
        )
        .limit(most)
    )
    return [Quarantined(name, key.hex(), *more) for name, key, *more in connection.execute(query)]


def _of(dataset_id: int | None) -> ColumnElement[bool]:
    every = tables.quarantine.c.record_id.isnot(None)
    return every if dataset_id is None else tables.quarantine.c.dataset_id == dataset_id


def _chosen(
    connection: Connection, dataset_id: int | None, keys: Sequence[bytes]
) -> list[tuple[int, int]]:
    """Return the record and dataset ids of what is meant, all if no key is given."""
    query = (
        select(tables.quarantine.c.record_id, tables.quarantine.c.dataset_id)
        .distinct()
        .join(tables.record, tables.record.c.id == tables.quarantine.c.record_id)
        .where(_of(dataset_id))
    )
    if keys:
        query = query.where(tables.record.c.key.in_(keys))
    return [(record_id, of) for record_id, of in connection.execute(query)]


def retry_quarantine(
    connection: Connection, dataset_id: int | None = None, keys: Sequence[bytes] = ()
) -> int:
    """Make quarantined records stale, so that they are tried again; returns how many."""
    ids = [record_id for record_id, _ in _chosen(connection, dataset_id, keys)]
    connection.execute(update(tables.record).where(tables.record.c.id.in_(ids)).values(revision=0))
    connection.execute(delete(tables.quarantine).where(tables.quarantine.c.record_id.in_(ids)))
    return len(ids)


def drop_quarantine(
    connection: Connection, dataset_id: int | None = None, keys: Sequence[bytes] = ()
) -> int:
    """Erase quarantined records and all that came of them; returns how many."""
    chosen = _chosen(connection, dataset_id, keys)
    for of in {of for _, of in chosen}:
        erase_records(connection, of, [record_id for record_id, mine in chosen if mine == of])
    if chosen:
        raise_generation(connection)
    return len(chosen)
