"""Reads records from the store into the frame that training works on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Connection

from db.records.dataset import Dataset
from db.records.enrichment import enrichments_between
from db.records.record import Record, batches, each_record
from db.spec.record_key import fold_of
from db.store import tables

from .column import Columns, Table, columns_of, first_value, make_table

Array: TypeAlias = npt.NDArray[Any]

PAGE_RECORDS = 1000
# Further unlabelled records hardly improve the student.
MOST_UNLABELLED = 20_000


@dataclass(frozen=True)
class Frame:
    """Records of a dataset, one per row.

    `table` is what the teacher reads, with `columns`; `inputs` is what the student reads. `labels`
    are text or float64; an unlabelled frame has no meaningful labels. `folds` are fold numbers.
    """

    keys: list[bytes]
    inputs: list[dict[str, Any]]
    columns: Columns
    table: Table
    labels: Array
    folds: Array

    def __len__(self) -> int:
        return len(self.keys)


def read_labelled(
    connection: Connection, dataset: Dataset, fingerprints: Mapping[str, str]
) -> Frame:
    """Return the labelled records, with their values of the enrichers in `fingerprints`.

    Records that lack one of these values are left out, and so are labels that the spec excludes.
    """
    where = [tables.record.c.label.isnot(None)]
    if dataset.spec.labels:
        where.append(tables.record.c.label.in_(dataset.spec.labels))
    return _read(connection, dataset, fingerprints, None, *where)


def read_unlabelled(
    connection: Connection, dataset: Dataset, fingerprints: Mapping[str, str]
) -> Frame:
    """Return up to MOST_UNLABELLED unlabelled records that have all values of the enrichers.

    Recorded requests are left out unless the spec sets `distil_requests`.
    """
    where: list[ColumnElement[bool]] = [tables.record.c.label.is_(None)]
    if not dataset.spec.distil_requests:
        where.append(tables.record.c.origin != "request")
    return _read(connection, dataset, fingerprints, MOST_UNLABELLED, *where)


def _read(
    connection: Connection,
    dataset: Dataset,
    fingerprints: Mapping[str, str],
    most: int | None,
    *where: ColumnElement[bool],
) -> Frame:
    records: list[Record] = []
    rows: list[dict[str, Any]] = []
    for page in batches(each_record(connection, dataset.id, *where), PAGE_RECORDS):
        for record, row in zip(page, _rows(connection, dataset, page, fingerprints), strict=True):
            if row is not None:
                records.append(record)
                rows.append(row)
        if most is not None and len(records) >= most:
            break
    return _frame(dataset, records[:most], rows[:most], fingerprints)


def _rows(
    connection: Connection,
    dataset: Dataset,
    page: Sequence[Record],
    fingerprints: Mapping[str, str],
) -> list[dict[str, Any] | None]:
    """Return the inputs and fresh values of each record, None if a fresh value is missing."""
    if not fingerprints:
        return [dict(record.inputs) for record in page]
    enrichments = enrichments_between(connection, dataset.id, page[0].id, page[-1].id)
    rows: list[dict[str, Any] | None] = []
    for record in page:
        fresh = {
            name: enrichment.value
            for name, enrichment in enrichments.get(record.id, {}).items()
            if fingerprints.get(name) == enrichment.fingerprint
        }
        rows.append({**record.inputs, **fresh} if len(fresh) == len(fingerprints) else None)
    return rows


def _frame(
    dataset: Dataset,
    records: Sequence[Record],
    rows: Sequence[dict[str, Any]],
    fingerprints: Mapping[str, str],
) -> Frame:
    example = {name: first_value(name, rows) for name in fingerprints}
    columns = columns_of(dataset.spec, example)
    labels: list[Any] = [record.label for record in records]
    if dataset.spec.kind == "regression":
        labels = [np.nan if label is None else float(label) for label in labels]
    return Frame(
        keys=[record.key for record in records],
        inputs=[record.inputs for record in records],
        columns=columns,
        table=make_table(columns, rows),
        labels=np.array(labels, dtype="f8" if dataset.spec.kind == "regression" else "U"),
        folds=np.array([fold_of(record.key) for record in records], dtype=int),
    )
