"""Reads records from the store into the frame that training works on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Connection

from db.records.dataset import Dataset
from db.records.encoded_inputs import batches
from db.records.enrichment import enrichments_between
from db.records.observation import labels_between
from db.records.record import Record, each_record
from db.spec.dataset_spec import DatasetSpec
from db.spec.record_key import FOLDS, fold_of
from db.store import tables

from .column import (
    Columns,
    Table,
    columns_of,
    feature_counts,
    make_table,
    unread_counts,
    usual_value,
)

Array: TypeAlias = npt.NDArray[Any]

PAGE_RECORDS = 1000
# Further unlabelled records hardly improve the student.
MOST_UNLABELLED = 20_000


# The keys of fewer records may fall into few of the folds, so these are dealt out evenly.
FEWEST_FOLDED_BY_KEY = 50
# If there are two for each, more folds are dealt: a model learns much from each of a few records.
MORE_FOLDS = 10
# Rows repeat their records if there are at least this many rows for each, and not more records.
FEWEST_REPEATS = 5
MOST_REPEATED = 1000


@dataclass(frozen=True)
class Frame:
    """Records of a dataset, and their labelled observations, which are the rows of training.

    `keys`, `inputs`, `table` and `folds` have one item for each record: `table` is what the teacher
    reads, with `columns`; `inputs` is what the student reads; `folds` are fold numbers. `labels`
    and `index` have one item for each row: a text or a float64, and the position of its record. The
    rows of a record are next to each other. An unlabelled frame has no rows.
    """

    keys: list[bytes]
    inputs: list[dict[str, Any]]
    columns: Columns
    table: Table
    folds: Array
    labels: Array
    index: Array
    # How many values of an enricher are of another kind than its column, and so not read.
    unread: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.labels)

    @property
    def row_folds(self) -> Array:
        """The fold of each row."""
        folds: Array = self.folds[self.index]
        return folds


@dataclass(frozen=True)
class Extent:
    """What training works on: how many rows, records, labels, and features of each column."""

    rows: int
    records: int
    labels: int
    features: Mapping[str, int]

    @property
    def repeats(self) -> float:
        """How many rows there are for each record, 1.0 where they hardly repeat any."""
        share = self.rows / max(self.records, 1)
        return share if share >= FEWEST_REPEATS and self.records <= MOST_REPEATED else 1.0


def extent_of(frame: Frame) -> Extent:
    """Return the extent of a frame; a regression has no labels."""
    is_regression = frame.labels.dtype.kind == "f"
    return Extent(
        rows=len(frame),
        records=len(frame.keys),
        labels=0 if is_regression else len(np.unique(frame.labels)),
        features=feature_counts(frame.columns, frame.table),
    )


def deal_folds(keys: Sequence[bytes], rows: Sequence[int]) -> Array:
    """Return the fold of each record, by its key where there are many records.

    The folds of a few records have as equal numbers of rows as possible: `rows` are those of each.
    """
    by_key = np.array([fold_of(key) for key in keys], dtype=int)
    if len(keys) >= FEWEST_FOLDED_BY_KEY and len(set(by_key.tolist())) == FOLDS:
        return by_key
    sizes = [0] * (MORE_FOLDS if len(keys) >= 2 * MORE_FOLDS else FOLDS)
    folds = np.zeros(len(keys), dtype=int)
    for at in sorted(range(len(keys)), key=lambda at: (-rows[at], keys[at])):
        folds[at] = sizes.index(min(sizes))
        sizes[folds[at]] += rows[at]
    return folds


def make_frame(
    spec: DatasetSpec,
    records: Sequence[tuple[bytes, dict[str, Any], Sequence[str]]],
    rows: Sequence[Mapping[str, Any]],
    enrichers: Sequence[str],
) -> Frame:
    """Return the frame of records, given as key, inputs and the label of each observation.

    `rows` hold the inputs of each record, and its values of the enrichers.
    """
    columns = columns_of(spec, {name: usual_value(name, rows) for name in enrichers})
    keys = [key for key, _, _ in records]
    counts = [len(labels) for _, _, labels in records]
    labels = [label for _, _, of_record in records for label in of_record]
    is_regression = spec.kind == "regression"
    return Frame(
        keys=keys,
        inputs=[inputs for _, inputs, _ in records],
        columns=columns,
        table=make_table(columns, rows),
        folds=deal_folds(keys, counts),
        labels=np.array(list(map(float, labels)) if is_regression else labels, _type(spec)),
        index=np.repeat(np.arange(len(keys)), counts),
        unread=unread_counts(columns, rows, enrichers),
    )


def _type(spec: DatasetSpec) -> str:
    return "f8" if spec.kind == "regression" else "U"


def read_labelled(
    connection: Connection,
    dataset: Dataset,
    fingerprints: Mapping[str, str],
    key_limit: bytes | None = None,
) -> Frame:
    """Return the labelled records, with their values of the enrichers in `fingerprints`.

    With `key_limit` only records with smaller keys. Records that lack one of these values are left
    out, and so are observations with a label that the spec excludes.
    """
    where: list[ColumnElement[bool]] = [tables.record.c.label.isnot(None)]
    if key_limit is not None:
        where.append(tables.record.c.key < key_limit)
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
    """Return the frame of the records; at most `most` of them, without labels, if it is given."""
    records: list[tuple[bytes, dict[str, Any], Sequence[str]]] = []
    rows: list[dict[str, Any]] = []
    for page in batches(each_record(connection, dataset.id, *where), PAGE_RECORDS):
        labels = {} if most else _labels(connection, dataset, page)
        for record, row in zip(page, _rows(connection, dataset, page, fingerprints), strict=True):
            if row is not None and (most or labels.get(record.id)):
                records.append((record.key, record.inputs, labels.get(record.id, ())))
                rows.append(row)
        if most is not None and len(records) >= most:
            break
    return make_frame(dataset.spec, records[:most], rows[:most], list(fingerprints))


def _labels(
    connection: Connection, dataset: Dataset, page: Sequence[Record]
) -> dict[int, list[str]]:
    """Return the labels of each record of a page, without those that the spec excludes."""
    labels = labels_between(connection, dataset.id, page[0].id, page[-1].id)
    wanted = set(dataset.spec.labels)
    if not wanted:
        return labels
    return {
        record_id: [label for label in of_record if label in wanted]
        for record_id, of_record in labels.items()
    }


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
