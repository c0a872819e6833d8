"""Snapshots: what an enricher found by looking at a whole set of records."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from db.store import tables
from db.store.dialect import upsert


@dataclass(frozen=True)
class Analysis:
    """The newest look at a set; `basis` says what it was told by, such as intents@3."""

    enricher: str
    number: int
    basis: str
    fingerprint: str


def all_analyses(connection: Connection, dataset_id: int) -> dict[str, Analysis]:
    """Return a dataset's snapshots by enricher."""
    columns = [tables.snapshot.c[name] for name in Analysis.__dataclass_fields__]
    query = select(*columns).where(tables.snapshot.c.dataset_id == dataset_id)
    return {row.enricher: Analysis(*row) for row in connection.execute(query)}


def read_findings(connection: Connection, dataset_id: int, enricher: str, number: int) -> bytes:
    """Return what was found, b"" where there is a newer snapshot by now."""
    query = select(tables.snapshot.c.findings).where(
        tables.snapshot.c.dataset_id == dataset_id,
        tables.snapshot.c.enricher == enricher,
        tables.snapshot.c.number == number,
    )
    return connection.execute(query).scalar() or b""


def write_analysis(
    connection: Connection, dataset_id: int, made: Analysis, findings: bytes
) -> None:
    """Put a snapshot in the place of the one before; `made.number` must be the next."""
    row = {
        "dataset_id": dataset_id,
        "enricher": made.enricher,
        "number": made.number,
        "basis": made.basis,
        "fingerprint": made.fingerprint,
        "findings": findings,
        "made_at": time.time(),
    }
    is_older = tables.snapshot.c.number < made.number
    upsert(connection, tables.snapshot, [row], ("dataset_id", "enricher"), where=is_older)


def delete_analyses(connection: Connection, dataset_id: int, kept: set[str]) -> None:
    """Drop the snapshots of enrichers that the spec no longer names."""
    gone = tables.snapshot.c.dataset_id == dataset_id, tables.snapshot.c.enricher.notin_(kept)
    connection.execute(delete(tables.snapshot).where(*gone))
