"""Enrichments: the values of enrichers for records."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec
from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    exists,
    func,
    null,
    select,
)

from db.scoring.explanation import Neighbour
from db.scoring.packed_numbers import Vector
from db.store import tables
from db.store.json_rows import encode_rows, json_rows, part_of, upsert_from

from .dataset import PlanStep

EnrichmentValue: TypeAlias = Any  # any JSON value, or a Vector
AnySelect: TypeAlias = "Select[*tuple[Any, ...]]"


class Enrichment(NamedTuple):
    """The value of one enricher for one record, with the enricher's fingerprint.

    `listing_column` names the listing column that the value sets, if any; see
    db.records.listing_columns.
    """

    record_id: int
    enricher: str
    fingerprint: str
    value: EnrichmentValue
    listing_column: Literal["", "issue", "duplicates"] = ""


class VectorOfRecord(NamedTuple):
    """A record's vector, as little-endian float32 numbers, and its label."""

    key: bytes
    label: str | None
    data: bytes


def write_enrichments(connection: Connection, values: Iterable[Enrichment]) -> None:
    """Write values; each replaces the value that its enricher had for the record.

    All values of an enricher are written by one statement, all vectors of one length by another.
    """
    groups: dict[tuple[str, str, int | None], list[Enrichment]] = {}
    for one in values:
        size = len(one.value.data) if isinstance(one.value, Vector) else None
        groups.setdefault((one.enricher, one.fingerprint, size), []).append(one)
    dialect, now = connection.dialect.name, time.time()
    for (enricher, fingerprint, size), some in groups.items():
        shared = {"new_enricher": enricher, "new_fingerprint": fingerprint, "new_made_at": now}
        if size is None:
            rows = [(one.record_id, msgspec.json.encode(one.value).decode()) for one in some]
            connection.execute(_upsert_json(dialect), {**shared, "rows": encode_rows(rows)})
        else:
            ids = encode_rows([(one.record_id,) for one in some])
            vectors = b"".join([one.value.data for one in some])
            own = {"rows": ids, "vectors": vectors, "size": size}
            connection.execute(_upsert_vectors(dialect), {**shared, **own})


@functools.cache
def _upsert_json(dialect: str) -> Any:  # noqa: ANN401
    new = json_rows(dialect, "rows", record_id=BigInteger, value=Text)
    return _upsert(dialect, new.c.record_id, new.c.value, null().label("vector"))


@functools.cache
def _upsert_vectors(dialect: str) -> Any:  # noqa: ANN401
    new = json_rows(dialect, "rows", record_id=BigInteger)
    size = bindparam("size", type_=Integer)
    vector = part_of("vectors", new.c.at * size, size).label("vector")
    return _upsert(dialect, new.c.record_id, null().label("value"), vector)


def _upsert(dialect: str, *columns: Any) -> Any:  # noqa: ANN401
    table = tables.enrichment
    shared = (table.c.enricher, table.c.fingerprint, table.c.made_at)
    names = [bindparam(f"new_{one.name}", type_=one.type).label(one.name) for one in shared]
    key = table.c.record_id, table.c.enricher
    return upsert_from(dialect, table, select(*columns, *names), key)


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


def count_vectors(
    connection: Connection, dataset_id: int, enricher: str, fingerprint: str
) -> tuple[int, int]:
    """Return how many records have a vector with this fingerprint, and how many are labelled."""
    columns = func.count(), func.count(tables.record.c.label)
    query = _with_vector(select(*columns), dataset_id, enricher, fingerprint)
    records, labelled = connection.execute(query).one()
    return records, labelled


def each_vector(
    connection: Connection, dataset_id: int, enricher: str, fingerprint: str, page: int = 1000
) -> Iterator[VectorOfRecord]:
    """Yield every vector with this fingerprint by record id, in pages as `each_record` does."""
    last = 0
    while True:
        query = _page_of_vectors(dataset_id, enricher, fingerprint, last, page)
        rows = connection.execute(query).all()
        yield from (
            VectorOfRecord(row.key, row.label, row.vector) for row in rows if row.vector is not None
        )
        if len(rows) < page:
            return
        last = rows[-1].id


def _page_of_vectors(
    dataset_id: int, enricher: str, fingerprint: str, last: int, page: int
) -> AnySelect:
    """Return the next records after an id, each with its vector or null.

    The page is cut before the join: SQLite would sort all records of the join for each page.
    """
    columns = tables.record.c.id, tables.record.c.key, tables.record.c.label
    records = (
        select(*columns)
        .where(tables.record.c.dataset_id == dataset_id, tables.record.c.id > last)
        .order_by(tables.record.c.id)
        .limit(page)
        .subquery()
    )
    of_record = and_(
        tables.enrichment.c.record_id == records.c.id,
        tables.enrichment.c.enricher == enricher,
        tables.enrichment.c.fingerprint == fingerprint,
    )
    joined = select(records, tables.enrichment.c.vector).outerjoin(tables.enrichment, of_record)
    return joined.order_by(records.c.id)


def labelled_vectors(
    connection: Connection, dataset_id: int, enricher: str, fingerprint: str, limit: int
) -> list[VectorOfRecord]:
    """Return the vectors of the labelled records with the smallest keys: a fair sample."""
    columns = tables.record.c.key, tables.record.c.label, tables.enrichment.c.vector
    query = _with_vector(select(*columns), dataset_id, enricher, fingerprint)
    labelled = query.where(tables.record.c.label.isnot(None))
    rows = connection.execute(labelled.order_by(tables.record.c.key).limit(limit))
    return [VectorOfRecord(*row) for row in rows]


def _with_vector(query: AnySelect, dataset_id: int, enricher: str, fingerprint: str) -> AnySelect:
    """Restrict a query to the records that have a vector with this fingerprint."""
    of_record = tables.enrichment.c.record_id == tables.record.c.id
    return query.join_from(tables.record, tables.enrichment, of_record).where(
        tables.record.c.dataset_id == dataset_id,
        tables.enrichment.c.enricher == enricher,
        tables.enrichment.c.fingerprint == fingerprint,
        tables.enrichment.c.vector.isnot(None),
    )


def read_fresh_value(
    connection: Connection, dataset_id: int, key: bytes, enricher: str
) -> EnrichmentValue:
    """Return a record's value if it has the enricher's current fingerprint, else None."""
    query = (
        select(tables.enrichment, tables.dataset.c.plan)
        .join(tables.record, tables.record.c.id == tables.enrichment.c.record_id)
        .join(tables.dataset, tables.dataset.c.id == tables.record.c.dataset_id)
        .where(
            tables.record.c.dataset_id == dataset_id,
            tables.record.c.key == key,
            tables.enrichment.c.enricher == enricher,
        )
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    plan = msgspec.json.decode(row.plan, type=tuple[PlanStep, ...])
    is_fresh = any((step.name, step.fingerprint) == (enricher, row.fingerprint) for step in plan)
    return read_value(row.value, row.vector) if is_fresh else None


def existing_neighbours(
    connection: Connection, dataset_id: int, value: EnrichmentValue
) -> list[Neighbour] | None:
    """Return the neighbours that a value lists and whose records were not deleted since.

    None if the value lists no neighbours: it is null, or that of another enricher.
    """
    try:
        neighbours = msgspec.convert(value, list[Neighbour])
        keys = [bytes.fromhex(neighbour.key) for neighbour in neighbours]
    except ValueError:  # msgspec's error is one too
        return None
    return _existing(connection, dataset_id, neighbours, keys) if keys else []


def _existing(
    connection: Connection, dataset_id: int, neighbours: Sequence[Neighbour], keys: Sequence[bytes]
) -> list[Neighbour]:
    of_dataset = tables.record.c.dataset_id == dataset_id
    query = select(tables.record.c.key).where(of_dataset, tables.record.c.key.in_(keys))
    existing = set(connection.execute(query).scalars())
    return [neighbour for neighbour, key in zip(neighbours, keys, strict=True) if key in existing]
