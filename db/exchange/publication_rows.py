"""The rows that are published: an id and the values of its answer, read from the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, exists, func, select

from db.files.prediction.row_answer import added_columns, row_answer
from db.records.dataset import Dataset
from db.records.encoded_inputs import KEYS_PER_STATEMENT, decode_inputs, slices
from db.records.predictor import Predictor
from db.scoring.response_body import Answer
from db.spec.dataset_spec import DatasetSpec
from db.store import tables

PAGE_ROWS = 2000
_KEY_BYTES = 16

Value: TypeAlias = str | float | None


@dataclass(frozen=True)
class PublishedRow:
    """A row of the table; its values are those of `value_names`, in their order."""

    id: str
    values: tuple[Value, ...]


def number_names(spec: DatasetSpec) -> tuple[str, ...]:
    """Return the columns that have numbers."""
    if spec.kind == "classification":
        return ("probability",)
    return ("prediction", "interval_low", "interval_high")


def value_names(spec: DatasetSpec) -> tuple[str, ...]:
    """Return the columns that are compared, which are all but the id and the time."""
    return tuple(name for name in added_columns(spec) if name != "error")


def count_rows(connection: Connection, dataset: Dataset) -> int:
    """Return how many rows are published: those with a row id, or all records without an id.

    Records that somebody only asked about are not published: nobody gave them as rows.
    """
    query = select(func.count()).where(*_published(dataset))
    return connection.execute(query).scalar_one()


def has_rows(connection: Connection, dataset: Dataset) -> bool:
    """Return whether any row is published."""
    return bool(connection.execute(select(exists().where(*_published(dataset)))).scalar_one())


def pages(connection: Connection, predictor: Predictor) -> Iterator[list[PublishedRow]]:
    """Yield all rows in pages, so that neither memory nor a transaction grows with the dataset."""
    last: str | bytes = "" if predictor.dataset.spec.id else b""
    while found := _read_page(connection, predictor.dataset, last):
        yield _answered(connection, predictor, found)
        last = found[-1].at


def present_ids(connection: Connection, dataset: Dataset, ids: Sequence[str]) -> set[str]:
    """Return those ids that the dataset has."""
    if not dataset.spec.id:
        return _present_keys(connection, dataset.id, ids)
    rows = tables.observation.c
    present: set[str] = set()
    for part in slices(ids, KEYS_PER_STATEMENT):
        query = select(rows.row_id).where(rows.dataset_id == dataset.id, rows.row_id.in_(part))
        present.update(connection.execute(query).scalars())
    return present


def _read_page(connection: Connection, dataset: Dataset, last: str | bytes) -> list[Any]:
    """Return the next rows after a row id or key: `at`, `key` and `inputs`.

    They are in the order of an index that begins with the dataset. In the order of their numbers,
    SQLite would sort the rest of the dataset for each page.
    """
    record, rows = tables.record.c, tables.observation.c
    if dataset.spec.id:
        query = (
            select(rows.row_id.label("at"), record.key, record.inputs)
            .join_from(tables.observation, tables.record, rows.record_id == record.id)
            .where(rows.dataset_id == dataset.id, rows.row_id.isnot(None), rows.row_id > last)
            .order_by(rows.row_id)
        )
    else:
        query = (
            select(record.key.label("at"), record.key, record.inputs)
            .where(*_published_records(dataset.id), record.key > last)
            .order_by(record.key)
        )
    return list(connection.execute(query.limit(PAGE_ROWS)))


def _answered(
    connection: Connection, predictor: Predictor, found: Sequence[Any]
) -> list[PublishedRow]:
    """Return a page's rows with their answers; rows with the same inputs share one."""
    inputs = {row.key: row.inputs for row in found}
    asked = [(key, decode_inputs(encoded)) for key, encoded in inputs.items()]
    answers = predictor.answers(connection, asked)
    spec = predictor.dataset.spec
    values = {key: answer_values(answer) for (key, _), answer in zip(asked, answers, strict=True)}
    return [PublishedRow(row.at if spec.id else row.at.hex(), values[row.key]) for row in found]


def answer_values(answer: Answer) -> tuple[Value, ...]:
    """Return the values of an answer, in the order of `value_names`."""
    row = row_answer(answer)
    return row.prediction, *row.certainty, row.source, row.model


def _published(dataset: Dataset) -> tuple[ColumnElement[bool], ...]:
    if not dataset.spec.id:
        return _published_records(dataset.id)
    rows = tables.observation.c
    return rows.dataset_id == dataset.id, rows.row_id.isnot(None)


def _published_records(dataset_id: int) -> tuple[ColumnElement[bool], ...]:
    record = tables.record.c
    return record.dataset_id == dataset_id, record.origin != "request"


def _present_keys(connection: Connection, dataset_id: int, ids: Sequence[str]) -> set[str]:
    keys = [key for key in map(_key, ids) if key is not None]
    columns = tables.record.c
    present: set[str] = set()
    for part in slices(keys, KEYS_PER_STATEMENT):
        query = select(columns.key).where(*_published_records(dataset_id), columns.key.in_(part))
        present.update(key.hex() for key in connection.execute(query).scalars())
    return present


def _key(text: str) -> bytes | None:
    """Return the key that an id is, None if it is none; `fromhex` also accepts spaces."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        return None
    return key if len(key) == _KEY_BYTES and key.hex() == text else None
