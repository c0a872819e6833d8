"""The detail of one record: its values and prediction, with times and fingerprints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from db.errors import UnknownRecord
from db.scoring.packed_numbers import Vector
from db.spec.dataset_spec import PREDICTION
from db.spec.field import Inputs
from db.store import tables

from .dataset import Dataset
from .encoded_inputs import decode_inputs
from .enrichment import read_value
from .observation import (
    NO_ROW_IDS,
    Observation,
    RowIds,
    count_labels_of,
    observations_of,
    row_ids_of,
)


@dataclass(frozen=True)
class EnrichmentDetail:
    """One enricher's value for a record.

    For a vector, `value` has its first numbers and `numbers` their total; otherwise `numbers` is 0.
    """

    enricher: str
    value: Any
    numbers: int
    fingerprint: str
    is_fresh: bool
    made_at: float | None


@dataclass(frozen=True)
class QuarantineEntry:
    """The reason why an enricher has no value for the record."""

    enricher: str
    reason: str
    made_at: float


@dataclass(frozen=True)
class RecordDetail:
    """A record with everything derived from it; `prediction` is the stored response body."""

    key: str
    inputs: Inputs
    label: str | None
    labels: Mapping[str, int]
    observations: list[Observation]
    row_ids: RowIds
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
    """Return the detail of a record; raise UnknownRecord if no record has this key."""
    query = select(tables.record).where(
        tables.record.c.dataset_id == dataset.id, tables.record.c.key == key
    )
    row = connection.execute(query).first()
    if row is None:
        raise UnknownRecord(f"{dataset.name} has no record with the key {key.hex()}")
    fingerprints = dataset.fingerprints()
    of_record = tables.enrichment.c.record_id == row.id
    enrichments = connection.execute(
        select(tables.enrichment).where(of_record).order_by(tables.enrichment.c.enricher)
    )
    of_key = tables.prediction.c.dataset_id == dataset.id, tables.prediction.c.key == key
    prediction = connection.execute(select(tables.prediction).where(*of_key)).first()
    owner = select(tables.chunk.c.owner).where(tables.chunk.c.id == row.chunk_id)
    return RecordDetail(
        key=key.hex(),
        inputs=decode_inputs(row.inputs),
        label=row.label,
        labels=count_labels_of(connection, [row.id]).get(row.id, {}),
        observations=observations_of(connection, row.id),
        row_ids=row_ids_of(connection, [row.id]).get(row.id, NO_ROW_IDS),
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
        values=[_enrichment_detail(enrichment, fingerprints) for enrichment in enrichments],
        refused=_quarantine_entries(connection, row.id),
        prediction=prediction.body if prediction else None,
        prediction_fresh=bool(
            prediction and prediction.fingerprint == fingerprints.get(PREDICTION)
        ),
        predicted_at=prediction.made_at if prediction else None,
    )


def _enrichment_detail(row: Row[Any], fingerprints: dict[str, str]) -> EnrichmentDetail:
    value, numbers = read_value(row.value, row.vector), 0
    if isinstance(value, Vector):
        vector = value.numbers()
        value, numbers = vector[:SHOWN_NUMBERS], len(vector)
    is_fresh = fingerprints.get(row.enricher) == row.fingerprint
    return EnrichmentDetail(row.enricher, value, numbers, row.fingerprint, is_fresh, row.made_at)


def _quarantine_entries(connection: Connection, record_id: int) -> list[QuarantineEntry]:
    columns = tables.quarantine.c.enricher, tables.quarantine.c.reason, tables.quarantine.c.made_at
    query = select(*columns).where(tables.quarantine.c.record_id == record_id)
    return [
        QuarantineEntry(*row)
        for row in connection.execute(query.order_by(tables.quarantine.c.enricher))
    ]
