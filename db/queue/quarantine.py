"""Quarantine: records for which an enricher failed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, func, select, true, update

from db.records.record import erase_records
from db.store import tables
from db.store.dialect import upsert
from db.store.direct.clock import wall_seconds
from db.store.generation import raise_generation


@dataclass(frozen=True)
class EnricherFailure:
    """The reason why an enricher has no value for a record; "" as enricher means all of them."""

    record_id: int
    enricher: str
    reason: str


@dataclass(frozen=True)
class Quarantined:
    """A quarantined record, which waits for a person to retry or drop it."""

    dataset: str
    key: str
    inputs: str
    enricher: str
    reason: str
    made_at: float


def write_failures(
    connection: Connection, dataset_id: int, revision: int, failures: Iterable[EnricherFailure]
) -> None:
    """Quarantine records; a new reason replaces the one of the same record and enricher."""
    now = wall_seconds(connection)
    rows = [
        {
            "record_id": failure.record_id,
            "dataset_id": dataset_id,
            "revision": revision,
            "enricher": failure.enricher,
            "reason": failure.reason,
            "made_at": now,
        }
        for failure in failures
    ]
    upsert(connection, tables.quarantine, rows, ("record_id", "enricher"))


def failures_in_chunk(
    connection: Connection, chunk_id: int, revision: int
) -> list[EnricherFailure]:
    """Return the failures of a chunk's records under this revision of their dataset."""
    query = (
        select(
            tables.quarantine.c.record_id, tables.quarantine.c.enricher, tables.quarantine.c.reason
        )
        .join(tables.record, tables.record.c.id == tables.quarantine.c.record_id)
        .where(tables.record.c.chunk_id == chunk_id, tables.quarantine.c.revision == revision)
    )
    return [EnricherFailure(*row) for row in connection.execute(query)]


def count_quarantined(connection: Connection, dataset_id: int) -> int:
    """Return how many records of a dataset are quarantined."""
    query = select(func.count(tables.quarantine.c.record_id.distinct()))
    return connection.execute(query.where(_is_in_dataset(dataset_id))).scalar_one()


def quarantined_since(connection: Connection, at: float) -> tuple[int, str]:
    """Return how many records were quarantined since a time, and the reason of the first."""
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
    connection: Connection, dataset_id: int | None = None, limit: int = 1000
) -> list[Quarantined]:
    """Return the quarantined records of one dataset or of all, the latest first."""
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
        .where(_is_in_dataset(dataset_id))
        .order_by(
            tables.quarantine.c.made_at.desc(),
            tables.quarantine.c.record_id,
            tables.quarantine.c.enricher,
        )
        .limit(limit)
    )
    return [Quarantined(name, key.hex(), *more) for name, key, *more in connection.execute(query)]


def _is_in_dataset(dataset_id: int | None) -> ColumnElement[bool]:
    if dataset_id is None:
        return true()
    return tables.quarantine.c.dataset_id == dataset_id


def _select_records(
    connection: Connection, dataset_id: int | None, keys: Sequence[bytes]
) -> list[tuple[int, int]]:
    """Return the record and dataset ids of quarantined records, of all if no keys are given."""
    query = (
        select(tables.quarantine.c.record_id, tables.quarantine.c.dataset_id)
        .distinct()
        .join(tables.record, tables.record.c.id == tables.quarantine.c.record_id)
        .where(_is_in_dataset(dataset_id))
    )
    if keys:
        query = query.where(tables.record.c.key.in_(keys))
    return [
        (record_id, record_dataset_id) for record_id, record_dataset_id in connection.execute(query)
    ]


def retry_quarantine(
    connection: Connection, dataset_id: int | None = None, keys: Sequence[bytes] = ()
) -> int:
    """Make quarantined records stale, so that they are tried again; return how many."""
    ids = [record_id for record_id, _ in _select_records(connection, dataset_id, keys)]
    _forget_unusable_responses(connection, ids)
    connection.execute(update(tables.record).where(tables.record.c.id.in_(ids)).values(revision=0))
    connection.execute(delete(tables.quarantine).where(tables.quarantine.c.record_id.in_(ids)))
    return len(ids)


def _forget_unusable_responses(connection: Connection, ids: Sequence[int]) -> None:
    """Delete the stored responses of records for which a calling enricher failed.

    Otherwise the same response would be read again. An enricher that calls has a meter.
    """
    of_meter = (tables.meter.c.dataset_id == tables.quarantine.c.dataset_id) & (
        tables.meter.c.enricher == tables.quarantine.c.enricher
    )
    failed = (
        select(tables.quarantine.c.record_id)
        .join(tables.meter, of_meter)
        .where(tables.quarantine.c.record_id.in_(ids))
    )
    has_text = tables.response.c.text.is_not(None)
    connection.execute(
        delete(tables.response).where(has_text, tables.response.c.record_id.in_(failed))
    )


def withdraw_failures(connection: Connection, enricher: str, record_ids: Sequence[int]) -> None:
    """Take failures of an enricher back: they were those of its service, not of these records."""
    failed = tables.quarantine.c.record_id.in_(record_ids)
    withdrawn = delete(tables.quarantine).where(failed, tables.quarantine.c.enricher == enricher)
    ids = connection.execute(withdrawn.returning(tables.quarantine.c.record_id)).scalars().all()
    connection.execute(update(tables.record).where(tables.record.c.id.in_(ids)).values(revision=0))


def drop_quarantine(
    connection: Connection, dataset_id: int | None = None, keys: Sequence[bytes] = ()
) -> int:
    """Delete quarantined records and everything derived from them; return how many."""
    selected = _select_records(connection, dataset_id, keys)
    ids_by_dataset: dict[int, list[int]] = {}
    for record_id, record_dataset_id in selected:
        ids_by_dataset.setdefault(record_dataset_id, []).append(record_id)
    for record_dataset_id, ids in ids_by_dataset.items():
        erase_records(connection, record_dataset_id, ids)
    if selected:
        raise_generation(connection)
    return len(selected)
