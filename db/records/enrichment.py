"""Enrichments: the values of enrichers for records."""

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

EnrichmentValue: TypeAlias = Any  # any JSON value, or a Vector


@dataclass(frozen=True)
class Vector:
    """Float32 numbers as little-endian bytes."""

    data: bytes

    @classmethod
    def of(cls, numbers: Iterable[float]) -> Vector:
        """Return a vector of these numbers."""
        floats = array("f", numbers)
        if sys.byteorder == "big":
            floats.byteswap()
        return cls(floats.tobytes())

    def numbers(self) -> list[float]:
        """Return the numbers as a list of floats."""
        floats = array("f", self.data)
        if sys.byteorder == "big":
            floats.byteswap()
        return floats.tolist()


@dataclass(frozen=True)
class Enrichment:
    """The value of one enricher for one record, with the enricher's fingerprint.

    `listing_column` names the listing column that the value sets, if any; see
    db.records.listing_columns.
    """

    record_id: int
    enricher: str
    fingerprint: str
    value: EnrichmentValue
    listing_column: Literal["", "issue", "duplicates"] = ""


def write_enrichments(connection: Connection, values: Iterable[Enrichment]) -> None:
    """Write values; each replaces the value that its enricher had for the record."""
    now = time.time()
    rows = [{**_columns(value), "made_at": now} for value in values]
    upsert(connection, tables.enrichment, rows, ("record_id", "enricher"))


def _columns(enrichment: Enrichment) -> dict[str, object]:
    is_vector = isinstance(enrichment.value, Vector)
    return {
        "record_id": enrichment.record_id,
        "enricher": enrichment.enricher,
        "fingerprint": enrichment.fingerprint,
        "value": None if is_vector else msgspec.json.encode(enrichment.value).decode(),
        "vector": enrichment.value.data if is_vector else None,
    }


def read_value(value: str | None, vector: bytes | None) -> EnrichmentValue:
    """Return the value of the table's two value columns."""
    return Vector(vector) if vector is not None else msgspec.json.decode(value or "null")


def enrichments_between(
    connection: Connection, dataset_id: int, first_id: int, last_id: int
) -> dict[int, dict[str, Enrichment]]:
    """Return a dataset's enrichments for a range of record ids, by record id and enricher."""
    query = (
        select(tables.enrichment)
        .join(tables.record, tables.record.c.id == tables.enrichment.c.record_id)
        .where(
            tables.record.c.dataset_id == dataset_id, tables.record.c.id.between(first_id, last_id)
        )
    )
    return _by_record(connection, query)


def enrichments_in_chunk(connection: Connection, chunk_id: int) -> dict[int, dict[str, Enrichment]]:
    """Return the enrichments of a chunk's records, by record id and enricher."""
    query = (
        select(tables.enrichment)
        .join(tables.record, tables.record.c.id == tables.enrichment.c.record_id)
        .where(tables.record.c.chunk_id == chunk_id)
    )
    return _by_record(connection, query)


def _by_record(connection: Connection, query: Any) -> dict[int, dict[str, Enrichment]]:  # noqa: ANN401
    enrichments: dict[int, dict[str, Enrichment]] = {}
    for row in connection.execute(query):
        value = read_value(row.value, row.vector)
        enrichment = Enrichment(row.record_id, row.enricher, row.fingerprint, value)
        enrichments.setdefault(row.record_id, {})[row.enricher] = enrichment
    return enrichments


def enrichers_covering_labels(
    connection: Connection, dataset_id: int, fingerprints: Mapping[str, str]
) -> list[str]:
    """Return the enrichers that have a value with this fingerprint for every labelled record."""
    return [
        name
        for name, fingerprint in fingerprints.items()
        if not connection.execute(select(_has_gap(dataset_id, name, fingerprint))).scalar_one()
    ]


def _has_gap(dataset_id: int, name: str, fingerprint: str) -> Any:  # noqa: ANN401
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
    return {(name, fingerprint): count for name, fingerprint, count in connection.execute(query)}
