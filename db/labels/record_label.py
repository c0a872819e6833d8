"""Labels that people give to records: each is an observation that replaces the labels before it.

What it replaces stays in the store as history: `replaced_by` names the observation that replaced
it, so that the newest can be undone. How an import takes precedence again over a person's label:
db.ingestion.label_precedence.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, exists, func, insert, select, update

from db.errors import InputError, LabelRefused, UnknownRecord
from db.records.dataset import Dataset
from db.records.observation import count_labels_of, summarize_labels
from db.records.record import erase_records
from db.store import tables
from db.store.generation import raise_generation

_rows = tables.observation.c
# What a new label replaces: the current labels, and the note that a person removed the label.
IS_REPLACED_BY_LABELS = _rows.replaced_by.is_(None) & (
    _rows.label.isnot(None) | ((_rows.origin == "person") & ~_rows.is_unsure)
)

_GONE = "this label is no longer there; somebody has undone it already"


def give_label(
    connection: Connection,
    dataset: Dataset,
    key: bytes,
    label: str,
    author: str,
    origin: str = "person",
) -> int:
    """Make this the label of a record, and return the id of its observation.

    It replaces every current label of the record. Raises InputError if the dataset's spec refuses
    the label, and UnknownRecord if there is no such record.
    """
    value = dataset.spec.read_label(label)
    if value is None:
        example = dataset.spec.labels[0] if dataset.spec.labels else None
        raise InputError(dataset.spec.target, "is missing; give a label, or remove it", example)
    return _replace_labels(connection, dataset, key, label=value, author=author, origin=origin)


def remove_label(connection: Connection, dataset: Dataset, key: bytes, author: str) -> int:
    """Take a record's labels away, and return the id of the observation that says so."""
    return _replace_labels(connection, dataset, key, label=None, author=author, origin="person")


def mark_unsure(connection: Connection, dataset: Dataset, key: bytes, author: str) -> int:
    """Note that a person could not decide, and return the id of the observation that says so.

    The labels of the record stay as they are.
    """
    record_id = lock_record(connection, dataset, key)
    values = {"author": author, "origin": "person", "is_unsure": True}
    return add_observation(connection, dataset, record_id, values)


def undo_label(connection: Connection, dataset: Dataset, observation_id: int, author: str) -> bytes:
    """Delete a person's observation, give back the labels that it replaced, and return the key.

    Raises LabelRefused if somebody else gave it, or if a newer label has replaced it.
    """
    key = _find_key(connection, dataset, observation_id)
    if key is None:
        raise LabelRefused(_GONE)
    record_id = lock_record(connection, dataset, key)
    of_id = _rows.id == observation_id
    # Read under the lock, since another transaction may just have replaced or deleted it.
    _check_may_undo(connection.execute(select(tables.observation).where(of_id)).first(), author)
    given_back = update(tables.observation).where(_rows.replaced_by == observation_id)
    connection.execute(given_back.values(replaced_by=None))
    connection.execute(delete(tables.observation).where(of_id))
    sum_up_labels(connection, dataset, record_id)
    _release_record(connection, dataset, record_id)
    return key


def count_labels_given(connection: Connection, dataset_id: int, since: float) -> int:
    """Return how many current labels people have given since a time, in seconds since 1970."""
    query = select(func.count()).where(
        _rows.dataset_id == dataset_id,
        _rows.author.isnot(None),
        _rows.made_at > since,
        tables.IS_CURRENT_LABEL,
    )
    return connection.execute(query).scalar_one()


def _replace_labels(
    connection: Connection,
    dataset: Dataset,
    key: bytes,
    *,
    label: str | None,
    author: str,
    origin: str,
) -> int:
    record_id = lock_record(connection, dataset, key)
    values = {"label": label, "author": author, "origin": origin}
    new_id = add_observation(connection, dataset, record_id, values)
    replaced = IS_REPLACED_BY_LABELS & (_rows.record_id == record_id) & (_rows.id != new_id)
    connection.execute(update(tables.observation).where(replaced).values(replaced_by=new_id))
    sum_up_labels(connection, dataset, record_id)
    return new_id


def lock_record(connection: Connection, dataset: Dataset, key: bytes) -> int:
    """Return the id of a record, locked so that people label it one after another."""
    of_key = tables.record.c.dataset_id == dataset.id, tables.record.c.key == key
    query = select(tables.record.c.id).where(*of_key).with_for_update()
    record_id: int | None = connection.execute(query).scalar()
    if record_id is None:
        raise UnknownRecord(f"{dataset.name} has no record with the key {key.hex()}")
    return record_id


def add_observation(
    connection: Connection, dataset: Dataset, record_id: int, values: dict[str, Any]
) -> int:
    """Add an observation that is a person's, and return its id."""
    # Below all ordinals of imports, which count from 0: an equal row of a file is one of its own.
    lowest = select(func.min(_rows.ordinal)).where(_rows.record_id == record_id)
    ordinal = min(connection.execute(lowest).scalar() or 0, 0) - 1
    own = {
        "dataset_id": dataset.id,
        "record_id": record_id,
        "made_at": time.time(),
        "ordinal": ordinal,
    }
    statement = insert(tables.observation).values(own | values).returning(_rows.id)
    new_id: int = connection.execute(statement).scalar_one()
    return new_id


def sum_up_labels(connection: Connection, dataset: Dataset, record_id: int) -> None:
    """Set the label of a record from its current labels; a person has judged it, so no issue."""
    counts = count_labels_of(connection, [record_id]).get(record_id, Counter())
    label = summarize_labels(counts, regression=dataset.spec.kind == "regression")
    of_record = tables.record.c.id == record_id
    connection.execute(update(tables.record).where(of_record).values(label=label, issue=None))


def _release_record(connection: Connection, dataset: Dataset, record_id: int) -> None:
    """Delete a record that nothing but the undone label has kept: its rows have left the data."""
    record = tables.record.c
    has_row = exists().where(_rows.record_id == record.id)
    is_kept = select(has_row | record.asked).where(record.id == record_id)
    if not connection.execute(is_kept).scalar_one():
        erase_records(connection, dataset.id, [record_id])
        raise_generation(connection)


def _find_key(connection: Connection, dataset: Dataset, observation_id: int) -> bytes | None:
    of_dataset: ColumnElement[bool] = _rows.dataset_id == dataset.id
    query = select(tables.record.c.key).join_from(
        tables.observation, tables.record, _rows.record_id == tables.record.c.id
    )
    return connection.execute(query.where(of_dataset, _rows.id == observation_id)).scalar()


def _check_may_undo(given: Row[Any] | None, author: str) -> None:
    if given is None:
        raise LabelRefused(_GONE)
    if given.author is None:
        raise LabelRefused("this label came with the data; give the record another label instead")
    if given.author != author:
        raise LabelRefused(
            f"{given.author} gave this label, and nobody else can undo it; give the record another"
            f" label instead"
        )
    if given.replaced_by is not None:
        raise LabelRefused(
            "a newer label has replaced this one; give the record the label that it should have"
        )
