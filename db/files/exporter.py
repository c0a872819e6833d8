"""Export records with their enrichments and predictions, as JSON lines or CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import IO, Any

import msgspec

from db.files.prediction.row_answer import unused_names
from db.labels.standing_label import standing_rows
from db.records.dataset import Dataset
from db.records.encoded_inputs import batches
from db.records.enrichment import Enrichment, enrichments_between
from db.records.lookup import find_bodies
from db.records.observation import Observation, observations_between
from db.records.record import each_record
from db.scoring.packed_numbers import Vector
from db.scoring.response_body import decode_answer
from db.spec.dataset_spec import PREDICTION, DatasetSpec
from db.spec.field import IntegerField, NumberField
from db.spec.normalization import normal_number
from db.spec.number_format import parse_format
from db.store.store import Store

from .spreadsheet_cell import SpreadsheetCells

PAGE_RECORDS = 500


def export_lines(store: Store, dataset: Dataset, out: IO[str]) -> int:
    """Write each record as a line of JSON; return the number of records."""
    count = 0
    for row in export_rows(store, dataset):
        out.write(msgspec.json.encode(row).decode() + "\n")
        count += 1
    return count


def export_csv(
    store: Store, dataset: Dataset, out: IO[str], cells: SpreadsheetCells | None = None
) -> int:
    """Write each observation as a row of CSV; return the number of rows.

    A record without observations, such as a requested one, is a row without a label. Fields have
    the names of their columns, so that the file can be imported again; an added column whose name
    is taken gets a number. Enrichments that are lists or objects are JSON in their cells.
    """
    cells = cells or SpreadsheetCells(for_spreadsheet=False)
    spec = dataset.spec
    enrichers = [step.name for step in dataset.plan if step.name != PREDICTION]
    answer_columns = ("prediction", "source", "model")
    ids = [spec.id_column or spec.id] if spec.id else []
    columns = [field.column or name for name, field in spec.fields.items()]
    writer = csv.writer(out)
    header = [*ids, *columns, spec.target]
    header += unused_names(["key", *answer_columns], set(header))
    header += unused_names(enrichers, set(header))
    writer.writerow(map(cells.write, header))
    count = 0
    for record in export_rows(store, dataset):
        answer = record["prediction"] or {}
        values = [
            record["key"],
            *(cells.write(answer.get(name)) for name in answer_columns),
            *(cells.write(_cell(record["enrichments"].get(name))) for name in enrichers),
        ]
        given = record["inputs"].items()
        inputs = [_input_cell(spec, name, cells.write(value)) for name, value in given]
        for row in record["observations"] or [{"id": None, "label": None}]:
            label = _number_cell(cells.write(row["label"]), spec.cell_format(spec.target_format))
            row_id = [cells.write(row["id"])] if spec.id else []
            writer.writerow([*row_id, *inputs, label, *values])
            count += 1
    return count


def _input_cell(spec: DatasetSpec, name: str, value: object) -> object:
    field = spec.fields[name]
    if isinstance(field, NumberField | IntegerField):
        return _number_cell(value, spec.cell_format(field.format))
    return value


def _number_cell(value: object, number_format: str) -> object:
    """Return a number in the format of its column, and any other value as it is."""
    if not number_format or isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return parse_format(number_format).write(value)


def _cell(value: object) -> object:
    return msgspec.json.encode(value).decode() if isinstance(value, list | dict) else value


def export_rows(store: Store, dataset: Dataset) -> Iterator[dict[str, Any]]:
    """Yield a dict per record: key, inputs, observations, origin, enrichments and prediction.

    Its `label` sums up the labels of its observations, each of which has the label that counts for
    it. Its `history` has what people said, the oldest first: a label, none, or that they were not
    sure, and whether something newer has replaced it.
    """
    with store.reading() as connection:
        for page in batches(each_record(connection, dataset.id), PAGE_RECORDS):
            values = enrichments_between(connection, dataset.id, page[0].id, page[-1].id)
            bodies = find_bodies(connection, dataset.id, {record.key for record in page})
            rows = observations_between(connection, page[0].id, page[-1].id)
            for record in page:
                yield {
                    "key": record.key.hex(),
                    "inputs": record.inputs,
                    "label": _label(dataset, record.label),
                    "observations": [
                        {
                            "id": row.row_id,
                            "label": _label(dataset, row.label),
                            "origin": row.origin,
                            "made_at": row.made_at,
                        }
                        for row in standing_rows(rows.get(record.id, []))
                    ],
                    "history": [
                        _given(dataset, row)
                        for row in rows.get(record.id, [])
                        if row.author is not None
                    ],
                    "origin": record.origin,
                    "enrichments": _plain(values.get(record.id, {})),
                    "prediction": _decode(bodies.get(record.key)),
                }


def _given(dataset: Dataset, row: Observation) -> dict[str, object]:
    return {
        "label": _label(dataset, row.label),
        "author": row.author,
        "is_unsure": row.is_unsure,
        "is_replaced": row.is_replaced,
        "made_at": row.made_at,
    }


def _label(dataset: Dataset, label: str | None) -> str | float | None:
    """Return a label as it was imported; the store keeps the numbers of a regression as text."""
    if label is None or dataset.spec.kind == "classification":
        return label
    return normal_number(float(label))


def _plain(values: dict[str, Enrichment]) -> dict[str, object]:
    return {
        name: enrichment.value.numbers()
        if isinstance(enrichment.value, Vector)
        else enrichment.value
        for name, enrichment in values.items()
    }


def _decode(body: bytes | None) -> object:
    return None if body is None else msgspec.to_builtins(decode_answer(body))
