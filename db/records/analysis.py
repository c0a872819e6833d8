"""Analyses: what an enricher computed from all records of a dataset together."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from db.store import tables
from db.store.dialect import upsert


@dataclass(frozen=True)
class Analysis:
    """An enricher's newest analysis; `basis` names what it was computed from, such as intents@3."""

    enricher: str
    number: int
    basis: str
    fingerprint: str


def all_analyses(connection: Connection, dataset_id: int) -> dict[str, Analysis]:
    """Return the newest analysis of each enricher of a dataset."""
    columns = [tables.snapshot.c[name] for name in Analysis.__dataclass_fields__]
    query = select(*columns).where(tables.snapshot.c.dataset_id == dataset_id)
    return {row.enricher: Analysis(*row) for row in connection.execute(query)}


def read_findings(connection: Connection, dataset_id: int, enricher: str, number: int) -> bytes:
    """Return the findings of an analysis, b"" if a newer one has replaced it."""
    query = select(tables.snapshot.c.findings).where(
        tables.snapshot.c.dataset_id == dataset_id,
        tables.snapshot.c.enricher == enricher,
        tables.snapshot.c.number == number,
    )
    return connection.execute(query).scalar() or b""


def write_analysis(
    connection: Connection, dataset_id: int, analysis: Analysis, findings: bytes
) -> None:
    """Replace the stored analysis, unless its number is as high as the new one's or higher."""
    row = {
        "dataset_id": dataset_id,
        "enricher": analysis.enricher,
        "number": analysis.number,
        "basis": analysis.basis,
        "fingerprint": analysis.fingerprint,
        "findings": findings,
        "made_at": time.time(),
    }
    is_older = tables.snapshot.c.number < analysis.number
    upsert(connection, tables.snapshot, [row], ("dataset_id", "enricher"), where=is_older)


def delete_analyses(connection: Connection, dataset_id: int, kept: set[str]) -> None:
    """Delete the analyses of all enrichers except those in `kept`."""
    unused = tables.snapshot.c.dataset_id == dataset_id, tables.snapshot.c.enricher.notin_(kept)
    connection.execute(delete(tables.snapshot).where(*unused))
