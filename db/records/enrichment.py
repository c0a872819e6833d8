"""The values that enrichers made."""

from __future__ import annotations

import sys
import time
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import msgspec
from sqlalchemy import Connection, and_, exists, func, select

from db.store import tables
from db.store.dialect import upsert

EnrichmentValue: TypeAlias = Any  # whatever JSON can say, or a vector


@dataclass(frozen=True)
class Vector:
    """Float32 numbers as little-endian bytes."""

    data: bytes

    @classmethod
    def of(cls, numbers: Iterable[float]) -> Vector:
        """Return the vector of these numbers."""
        lanes = array("f", numbers)
        if sys.byteorder == "big":
            lanes.byteswap()
        return cls(lanes.tobytes())

    def numbers(self) -> list[float]:
        """Return the numbers."""
        numbers = array("f", self.data)
        if sys.byteorder == "big":
            numbers.byteswap()
        return numbers.tolist()


@dataclass(frozen=True)
class Enrichment:
    """The value of one enricher on one record, under a fingerprint.

    `listing_column` names the column that the value fills, if any; see
    db.records.listing_columns.
    """

    record_id: int
    enricher: str
    fingerprint: str
    value: EnrichmentValue
    listing_column: Literal["", "issue", "duplicates"] = ""


def write_enrichments(connection: Connection, values: Iterable[Enrichment]) -> None:
    """Write values over those of older fingerprints."""
    now = time.time()
    rows = [{**_columns(value), "made_at": now} for value in values]
    upsert(connection, tables.enrichment, rows, ("record_id", "enricher"))


def _columns(made: Enrichment) -> dict[str, object]:
    is_vector = isinstance(made.value, Vector)
    return {
        "record_id": made.record_id,
        "enricher": made.enricher,
        "fingerprint": made.fingerprint,
        "value": None if is_vector else msgspec.json.encode(made.value).decode(),
        "vector": made.value.data if is_vector else None,
    }


def read_value(value: str | None, vector: bytes | None) -> EnrichmentValue:
    """Return what the two columns hold."""
    return Vector(vector) if vector is not None else msgspec.json.decode(value or "null")


def enrichments_between(
    connection: Connection, dataset_id: int, first_id: int, last_id: int
) -> dict[int, dict[str, Enrichment]]:
    """Return all enrichments of the dataset's records with ids in that range."""
    query = (
        select(tables.enrichment)
        .join(tables.record, tables.record.c.id == tables.enrichment.c.record_id)
        .where(
            tables.record.c.dataset_id == dataset_id, tables.record.c.id.between(first_id, last_id)
        )
    )
    return _by_record(connection, query)


def enrichments_in_chunk(connection: Connection, chunk_id: int) -> dict[int, dict[str, Enrichment]]:
    """Return all enrichments of a chunk's records."""
    query = (
        select(tables.enrichment)
        .join(tables.record, tables.record.c.id == tables.enrichment.c.record_id)
        .where(tables.record.c.chunk_id == chunk_id)
    )
    return _by_record(connection, query)


def _by_record(connection: Connection, query: Any) -> dict[int, dict[str, Enrichment]]:  # noqa: ANN401
    found: dict[int, dict[str, Enrichment]] = {}
    for row in connection.execute(query):
        value = read_value(row.value, row.vector)
        made = Enrichment(row.record_id, row.enricher, row.fingerprint, value)
        found.setdefault(row.record_id, {})[row.enricher] = made
    return found


def covers_labels(
    connection: Connection, dataset_id: int, fingerprints: Mapping[str, str]
) -> list[str]:
    """Return which of the enrichers have a fresh value for every labelled record."""
    return [
        name
        for name, fingerprint in fingerprints.items()
        if not connection.execute(select(_gap(dataset_id, name, fingerprint))).scalar_one()
    ]


def _gap(dataset_id: int, name: str, fingerprint: str) -> Any:  # noqa: ANN401
    fresh = exists().where(
        tables.enrichment.c.record_id == tables.record.c.id,
        tables.enrichment.c.enricher == name,
        tables.enrichment.c.fingerprint == fingerprint,
    )
    labelled = and_(tables.record.c.dataset_id == dataset_id, tables.record.c.label.isnot(None))
    return exists().where(labelled, ~fresh)


def count_enrichments(connection: Connection, dataset_id: int) -> dict[tuple[str, str], int]:
    """Return how many records have a value, by enricher and fingerprint."""
    query = (
        select(tables.enrichment.c.enricher, tables.enrichment.c.fingerprint, func.count())
        .join(tables.record, tables.record.c.id == tables.enrichment.c.record_id)
        .where(tables.record.c.dataset_id == dataset_id)
        .group_by(tables.enrichment.c.enricher, tables.enrichment.c.fingerprint)
    )
    return {(name, stamp): count for name, stamp, count in connection.execute(query)}
