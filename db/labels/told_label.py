"""Labels that are told after an answer was given, and the records that they are about."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, select

from db.errors import InputError, ToldLabelsRefused
from db.records.dataset import Dataset
from db.records.encoded_inputs import KEYS_PER_STATEMENT, slices
from db.spec.field import TextField, Value
from db.spec.validation import read_value
from db.store import tables
from db.traffic.kept_answers import KEEP_DAYS, find_answers
from db.traffic.served_answers import ServedAnswer

REQUEST_ID = "request_id"
MOST_ID_CHARACTERS = 100


@dataclass(frozen=True)
class ToldLabel:
    """A label as the store has it, and what it is the truth of.

    That is the row with the id `row_id`; or the inputs, or the answer to the request `request_id`,
    or both: then the inputs are used where the answer was not recorded.
    """

    label: str
    row_id: str | None = None
    request_id: str | None = None
    inputs: Mapping[str, Value] | None = None


@dataclass(frozen=True)
class Subject:
    """What a told label is about: a record, or one row of it, or one answer.

    `row` is the id of the row's observation.
    """

    key: bytes
    row: int | None = None
    answer: ServedAnswer | None = None


def read_request_id(raw: object) -> str:
    """Return the id of a request as text; raises InputError."""
    # The spaces around it count as well, as the API's description says.
    if isinstance(raw, str) and len(raw) > MOST_ID_CHARACTERS:
        raise InputError(
            REQUEST_ID, f"has {len(raw)} characters; an id has at most {MOST_ID_CHARACTERS}"
        )
    return str(read_value(REQUEST_ID, TextField(), raw))


class _Row(NamedTuple):
    id: int
    key: bytes


@dataclass(frozen=True)
class _Found:
    """What the store has of what labels name: rows, answers, and the keys of records."""

    rows: Mapping[str, _Row]
    answers: Mapping[str, ServedAnswer]
    keys: Collection[bytes]


def find_subjects(
    connection: Connection, dataset: Dataset, items: Sequence[ToldLabel]
) -> list[Subject]:
    """Return what each label is about; raises ToldLabelsRefused with what is wrong with others."""
    answers = _find_answers(connection, dataset.id, items)
    keys = find_keys(connection, dataset.id, {answer.key for answer in answers.values()})
    found = _Found(_find_rows(connection, dataset.id, items), answers, keys)
    told = _find_told(connection, dataset.id, items)
    subjects: list[Subject] = []
    faults: dict[int, InputError] = {}
    for at, item in enumerate(items):
        try:
            subject = _subject(dataset, item, found)
            _check_request(item, subject, told)
            subjects.append(subject)
        except InputError as error:
            faults[at] = error
    if faults:
        raise ToldLabelsRefused(faults)
    return subjects


def _subject(dataset: Dataset, item: ToldLabel, found: _Found) -> Subject:
    if item.row_id is not None:
        return _subject_of_row(dataset, item.row_id, found)
    answer = found.answers.get(item.request_id) if item.request_id else None
    if item.inputs is None:
        return _subject_of_answer(answer, found)
    key = dataset.spec.key(item.inputs)
    if answer is not None and answer.key != key:
        raise InputError(
            REQUEST_ID,
            "the answer to this request was for other inputs; send the inputs of that"
            " request, or no request_id",
        )
    return Subject(key, answer=answer)


def _subject_of_row(dataset: Dataset, row_id: str, found: _Found) -> Subject:
    row = found.rows.get(row_id)
    if row is None:
        raise InputError(
            dataset.spec.id,
            f"{dataset.name} has no row with the {dataset.spec.id} {row_id!r}; import the row, or"
            " send the values of its fields instead",
        )
    return Subject(row.key, row=row.id)


def _subject_of_answer(answer: ServedAnswer | None, found: _Found) -> Subject:
    if answer is None:
        raise InputError(
            REQUEST_ID,
            "no answer was recorded under this request id: answers above ANSWERS_PER_SECOND, by"
            f" default 20 a second, are not, and none is kept for more than {KEEP_DAYS} days; send"
            " the inputs instead",
        )
    if answer.key not in found.keys:
        raise InputError(
            REQUEST_ID,
            "the inputs of this request are not in the store: they were deleted, or the model needs"
            " no worker for them; send them too, beside request_id",
        )
    return Subject(answer.key, answer=answer)


def _check_request(item: ToldLabel, subject: Subject, told: dict[str, bytes]) -> None:
    """Add the request of a label to those told; raise InputError if it was told of other inputs.

    Clients choose the ids of requests, and may choose one twice. Its second label would otherwise
    correct the first one, and with it the label of another record.
    """
    if item.request_id is None:
        return
    if told.setdefault(item.request_id, subject.key) != subject.key:
        raise InputError(
            REQUEST_ID,
            "a label of this request was told for other inputs; send the inputs of that request, or"
            " no request_id",
        )


def _find_told(
    connection: Connection, dataset_id: int, items: Sequence[ToldLabel]
) -> dict[str, bytes]:
    """Return the keys of the records of which requests were told before, by request id."""
    rows, record = tables.observation.c, tables.record.c
    wanted = sorted({item.request_id for item in items if item.request_id})
    told: dict[str, bytes] = {}
    for part in slices(wanted, KEYS_PER_STATEMENT):
        query = (
            select(rows.request_id, record.key)
            .join_from(tables.observation, tables.record, rows.record_id == record.id)
            .where(rows.dataset_id == dataset_id, rows.request_id.in_(part))
        )
        told |= {row.request_id: bytes(row.key) for row in connection.execute(query)}
    return told


def _find_rows(
    connection: Connection, dataset_id: int, items: Sequence[ToldLabel]
) -> dict[str, _Row]:
    """Return the rows of a dataset that labels name, by row id."""
    rows, record = tables.observation.c, tables.record.c
    wanted = sorted({item.row_id for item in items if item.row_id is not None})
    found: dict[str, _Row] = {}
    for part in slices(wanted, KEYS_PER_STATEMENT):
        query = (
            select(rows.row_id, rows.id, record.key)
            .join_from(tables.observation, tables.record, rows.record_id == record.id)
            .where(rows.dataset_id == dataset_id, rows.row_id.in_(part))
        )
        found |= {row.row_id: _Row(row.id, bytes(row.key)) for row in connection.execute(query)}
    return found


def _find_answers(
    connection: Connection, dataset_id: int, items: Sequence[ToldLabel]
) -> dict[str, ServedAnswer]:
    wanted = sorted({item.request_id for item in items if item.request_id})
    found: dict[str, ServedAnswer] = {}
    for part in slices(wanted, KEYS_PER_STATEMENT):
        found |= find_answers(connection, dataset_id, part)
    return found


def find_keys(connection: Connection, dataset_id: int, keys: Collection[bytes]) -> set[bytes]:
    """Return those of the keys that have a record."""
    record = tables.record.c
    found: set[bytes] = set()
    for part in slices(sorted(keys), KEYS_PER_STATEMENT):
        query = select(record.key).where(record.dataset_id == dataset_id, record.key.in_(part))
        found.update(bytes(key) for key in connection.execute(query).scalars())
    return found
