"""Claims: the records that a browser is labelling, so that no other gets them, or has skipped."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, delete, or_, select

from db.store import tables
from db.store.dialect import upsert
from db.store.direct.clock import wall_seconds

# A person who has left does not keep others from a record for long.
CLAIM_SECONDS = 600.0
SKIP_SECONDS = 86_400.0

_claim = tables.label_claim.c


def claim_record(connection: Connection, dataset_id: int, record_id: int, holder: str) -> None:
    """Keep a record from other browsers for CLAIM_SECONDS; `holder` is a browser's random name."""
    _write_claim(connection, dataset_id, record_id, holder, is_skipped=False)


def claim_key(connection: Connection, dataset_id: int, key: bytes, holder: str) -> None:
    """Claim the record with this key, if it is still there."""
    record_id = _record_id(connection, dataset_id, key)
    if record_id is not None:
        claim_record(connection, dataset_id, record_id, holder)


def skip_key(connection: Connection, dataset_id: int, key: bytes, holder: str) -> None:
    """Keep a record from this browser for SKIP_SECONDS; others may get it at once."""
    record_id = _record_id(connection, dataset_id, key)
    if record_id is not None:
        _write_claim(connection, dataset_id, record_id, holder, is_skipped=True)


def release_key(connection: Connection, dataset_id: int, key: bytes, holder: str) -> None:
    """End the claim of this browser on a record, if it has one."""
    of_holder = _claim.record_id == _record_id(connection, dataset_id, key), _claim.holder == holder
    connection.execute(delete(tables.label_claim).where(*of_holder))


def drop_ended_claims(connection: Connection, dataset_id: int) -> None:
    """Delete the claims of a dataset whose time is over; the table stays as small as its use."""
    ended = _claim.held_until <= wall_seconds(connection)
    connection.execute(delete(tables.label_claim).where(_claim.dataset_id == dataset_id, ended))


def closed_records(connection: Connection, ids: Sequence[int], holder: str) -> set[int]:
    """Return which of these records a browser does not get: held by others, or skipped by it."""
    of_others = and_(_claim.holder != holder, ~_claim.is_skipped)
    skipped = and_(_claim.holder == holder, _claim.is_skipped)
    lasts = _claim.held_until > wall_seconds(connection)
    query = select(_claim.record_id).where(
        _claim.record_id.in_(ids), lasts, or_(of_others, skipped)
    )
    return set(connection.execute(query).scalars())


def _write_claim(
    connection: Connection, dataset_id: int, record_id: int, holder: str, *, is_skipped: bool
) -> None:
    seconds = SKIP_SECONDS if is_skipped else CLAIM_SECONDS
    row = {
        "record_id": record_id,
        "holder": holder,
        "dataset_id": dataset_id,
        "held_until": wall_seconds(connection) + seconds,
        "is_skipped": is_skipped,
    }
    upsert(connection, tables.label_claim, [row], ("record_id", "holder"))


def _record_id(connection: Connection, dataset_id: int, key: bytes) -> int | None:
    record = tables.record.c
    query = select(record.id).where(record.dataset_id == dataset_id, record.key == key)
    return connection.execute(query).scalar()
