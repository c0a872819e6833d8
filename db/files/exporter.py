"""Export records with their enrichments and predictions, as JSON lines or CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import IO, Any

import msgspec
from sqlalchemy import Connection, select

from db.records.dataset import Dataset
from db.records.enrichment import Enrichment, Vector, enrichments_between
from db.records.record import Record, batches, each_record
from db.scoring.response_body import decode_answer
from db.spec.normalization import normal_number
from db.store import tables
from db.store.store import Store

PAGE_RECORDS = 500


def export_lines(store: Store, dataset: Dataset, out: IO[str]) -> int:
    """Write each record as a line of JSON; return the number of records."""
    count = 0
    for row in export_rows(store, dataset):
        out.write(msgspec.json.encode(row).decode() + "\n")
        count += 1
    return count


def export_csv(store: Store, dataset: Dataset, out: IO[str]) -> int:
    """Write each record as a row of CSV; return the number of records.

    Enrichments that are lists or objects are JSON in their cells.
    """
    enrichers = [step.name for step in dataset.plan if step.name != "prediction"]
    answer_columns = ("prediction", "source", "model")
    writer = csv.writer(out)
    writer.writerow([*dataset.spec.fields, dataset.spec.target, "key", *answer_columns, *enrichers])
    count = 0
    for row in export_rows(store, dataset):
        answer = row["prediction"] or {}
        writer.writerow(
            [
                *row["inputs"].values(),
                row["label"],
                row["key"],
                *(answer.get(name) for name in answer_columns),
                *(_cell(row["enrichments"].get(name)) for name in enrichers),
            ]
        )
        count += 1
    return count


def _cell(value: object) -> object:
    return msgspec.json.encode(value).decode() if isinstance(value, list | dict) else value


def export_rows(store: Store, dataset: Dataset) -> Iterator[dict[str, Any]]:
    """Yield a dict per record: key, inputs, label, origin, enrichments and prediction."""
    with store.reading() as connection:
        for page in batches(each_record(connection, dataset.id), PAGE_RECORDS):
            values = enrichments_between(connection, dataset.id, page[0].id, page[-1].id)
            bodies = _find_bodies(connection, dataset.id, page)
            for record in page:
                yield {
                    "key": record.key.hex(),
                    "inputs": record.inputs,
                    "label": _label(dataset, record),
                    "origin": record.origin,
                    "enrichments": _plain(values.get(record.id, {})),
                    "prediction": _decode(bodies.get(record.key)),
                }


def _find_bodies(connection: Connection, dataset_id: int, page: list[Record]) -> dict[bytes, bytes]:
    query = select(tables.prediction.c.key, tables.prediction.c.body).where(
        tables.prediction.c.dataset_id == dataset_id,
        tables.prediction.c.key.in_([record.key for record in page]),
    )
    return {row.key: row.body for row in connection.execute(query)}


def _label(dataset: Dataset, record: Record) -> str | float | None:
    """Return the label as it was imported; the store keeps the numbers of a regression as text."""
    if record.label is None or dataset.spec.kind == "classification":
        return record.label
    return normal_number(float(record.label))


def _plain(values: dict[str, Enrichment]) -> dict[str, object]:
    return {
        name: enrichment.value.numbers()
        if isinstance(enrichment.value, Vector)
        else enrichment.value
        for name, enrichment in values.items()
    }


def _decode(body: bytes | None) -> object:
    return None if body is None else msgspec.to_builtins(decode_answer(body))
