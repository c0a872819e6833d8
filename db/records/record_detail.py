"""Dossiers: everything that is known of one record, when it was made and by which version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from db.errors import UnknownRecord
from db.spec.field import Inputs
from db.store import tables

from .dataset import Dataset
from .enrichment import Vector, read_value
from .record import decode_inputs


@dataclass(frozen=True)
class EnrichmentDetail:
    """What one enricher made of a record; of a vector its first numbers and how many there are."""

    enricher: str
    value: Any
    numbers: int
    fingerprint: str
    is_fresh: bool
    made_at: float | None


@dataclass(frozen=True)
class QuarantineEntry:
    """Why an enricher has no value."""

    enricher: str
    reason: str
    made_at: float


@dataclass(frozen=True)
class RecordDetail:
    """A record with all that came of it; `prediction` is the body as it is sent."""

    key: str
    inputs: Inputs
    label: str | None
    origin: str
    made_at: float
    asked: bool
    is_fresh: bool
    chunk: int | None
    worker: int | None
    answer: str
    score: float | None
    held_out: bool
    issue: bool | None
    group: str | None
    values: list[EnrichmentDetail]
    refused: list[QuarantineEntry]
    prediction: bytes | None
    prediction_fresh: bool
    predicted_at: float | None


SHOWN_NUMBERS = 6


def read_record_detail(connection: Connection, dataset: Dataset, key: bytes) -> RecordDetail:
    """Return all that is known of a record; raises UnknownRecord."""
    query = select(tables.record).where(
        tables.record.c.dataset_id == dataset.id, tables.record.c.key == key
    )
    row = connection.execute(query).first()
    if row is None:
        raise UnknownRecord(f"{dataset.name} has no record with the key {key.hex()}")
    today = dataset.fingerprints()
    of_record = tables.enrichment.c.record_id == row.id
    made = connection.execute(
        select(tables.enrichment).where(of_record).order_by(tables.enrichment.c.enricher)
    )
    of_key = tables.prediction.c.dataset_id == dataset.id, tables.prediction.c.key == key
    predicted = connection.execute(select(tables.prediction).where(*of_key)).first()
    owner = select(tables.chunk.c.owner).where(tables.chunk.c.id == row.chunk_id)
    return RecordDetail(
        key=key.hex(),
        inputs=decode_inputs(row.inputs),
        label=row.label,
        origin=row.origin,
        made_at=row.made_at,
        asked=row.asked,
        is_fresh=row.revision >= dataset.revision and bool(dataset.plan),
        chunk=row.chunk_id,
        worker=connection.execute(owner).scalar(),
        answer=row.answer,
        score=row.score,
        held_out=row.held_out,
        issue=row.issue,
        group=row.duplicates,
        values=[_value(one, today) for one in made],
        refused=_refused(connection, row.id),
        prediction=predicted.body if predicted else None,
        prediction_fresh=bool(predicted and predicted.fingerprint == today.get("prediction")),
        predicted_at=predicted.made_at if predicted else None,
    )


def _value(row: Row[Any], today: dict[str, str]) -> EnrichmentDetail:
    value, numbers = read_value(row.value, row.vector), 0
    if isinstance(value, Vector):
        every = value.numbers()
        value, numbers = every[:SHOWN_NUMBERS], len(every)
    is_fresh = today.get(row.enricher) == row.fingerprint
    return EnrichmentDetail(row.enricher, value, numbers, row.fingerprint, is_fresh, row.made_at)


def _refused(connection: Connection, record_id: int) -> list[QuarantineEntry]:
    columns = tables.quarantine.c.enricher, tables.quarantine.c.reason, tables.quarantine.c.made_at
    query = select(*columns).where(tables.quarantine.c.record_id == record_id)
    return [
        QuarantineEntry(*row)
        for row in connection.execute(query.order_by(tables.quarantine.c.enricher))
    ]
