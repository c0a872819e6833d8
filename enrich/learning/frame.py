"""Records as training reads them."""

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
from db.spec.key import fold_of
from db.store import tables

from .column import Columns, Table, columns_of, first_value, make_table

Array: TypeAlias = npt.NDArray[Any]

PAGE_RECORDS = 1000
# Beyond this an unlabelled record teaches the student little that the others have not.
MOST_UNLABELLED = 20_000


@dataclass(frozen=True)
class Frame:
    """Rows of a dataset: keys, inputs, the teacher's table, labels (none: empty), folds."""

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
    """Return all labelled records with the named enrichers' values."""
    where = [tables.record.c.label.isnot(None)]
    if dataset.spec.labels:
        where.append(tables.record.c.label.in_(dataset.spec.labels))
    return _read(connection, dataset, fingerprints, None, *where)


def read_unlabelled(
    connection: Connection, dataset: Dataset, fingerprints: Mapping[str, str]
) -> Frame:
    """Return unlabelled records that a student may learn from and that have all values."""
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
        for one, row in zip(page, _rows(connection, dataset, page, fingerprints), strict=True):
            if row is not None:
                records.append(one)
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
    """Return inputs and fresh values of each record, None where a value is not there."""
    if not fingerprints:
        return [dict(one.inputs) for one in page]
    made = enrichments_between(connection, dataset.id, page[0].id, page[-1].id)
    rows: list[dict[str, Any] | None] = []
    for one in page:
        fresh = {
            name: value.value
            for name, value in made.get(one.id, {}).items()
            if fingerprints.get(name) == value.fingerprint
        }
        rows.append({**one.inputs, **fresh} if len(fresh) == len(fingerprints) else None)
    return rows


def _frame(
    dataset: Dataset,
    records: Sequence[Record],
    rows: Sequence[dict[str, Any]],
    fingerprints: Mapping[str, str],
) -> Frame:
    example = {name: first_value(name, rows) for name in fingerprints}
    columns = columns_of(dataset.spec, example)
    labels: list[Any] = [one.label for one in records]
    if dataset.spec.kind == "regression":
        labels = [np.nan if label is None else float(label) for label in labels]
    return Frame(
        keys=[one.key for one in records],
        inputs=[one.inputs for one in records],
        columns=columns,
        table=make_table(columns, rows),
        labels=np.array(labels, dtype="f8" if dataset.spec.kind == "regression" else "U"),
        folds=np.array([fold_of(one.key) for one in records], dtype=int),
    )
