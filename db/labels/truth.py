"""The truth that comes later: labels that people or programs tell, and the answers they judge.

A label names what it is the truth of by a row id, by the id of the request that was answered, or by
the inputs. An outcome keeps the label beside the answer that it judges: what was predicted, when,
and by which version of the model.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from sqlalchemy import Connection, delete, func, select, update

from db.ingestion.record_writer import find_or_add_records
from db.ingestion.row import NewRow
from db.ingestion.submission import begin_rows
from db.records.dataset import Dataset
from db.records.encoded_inputs import KEYS_PER_STATEMENT, slices
from db.store import tables
from db.store.dialect import upsert
from db.store.direct.clock import wall_seconds
from db.traffic.kept_answers import newest_answers
from db.traffic.served_answers import ServedAnswer

from .record_label import add_observation, give_label, lock_record, sum_up_labels
from .told_label import Subject, ToldLabel, find_keys, find_subjects

Change: TypeAlias = Literal["added", "corrected", "unchanged"]

_rows = tables.observation.c


@dataclass(frozen=True)
class TellCounts:
    """What became of labels that were told.

    `corrected` labels were told before, of the same request, and were different. `records` were not
    there yet. `judged` labels are the truth of an answer that is known.
    """

    added: int = 0
    corrected: int = 0
    unchanged: int = 0
    records: int = 0
    judged: int = 0

    def __add__(self, other: TellCounts) -> TellCounts:
        theirs = asdict(other)
        return TellCounts(**{name: mine + theirs[name] for name, mine in asdict(self).items()})


class _Given(NamedTuple):
    """A label, and who gives it."""

    label: str
    author: str

    def values(self) -> dict[str, Any]:
        """Return the columns of its observation."""
        return {"label": self.label, "author": self.author, "origin": "person"}


class _Told(NamedTuple):
    """The observation of a label that was told, and what it changed."""

    observation_id: int
    change: Change


def tell_labels(
    connection: Connection, dataset: Dataset, items: Sequence[ToldLabel], author: str
) -> TellCounts:
    """Keep labels that were told, all or none, and how the answers turned out that they judge.

    Raises ToldLabelsRefused with what is wrong with each label that cannot be told.

    The label of a row replaces the label of that row; the label of inputs replaces all labels of
    their record. The label of a request is an event of its own, which stands beside other labels of
    the record, and telling it again corrects it. It judges the answer to that request; the others
    judge the newest answer for their record.
    """
    subjects = find_subjects(connection, dataset, items)
    records = _add_records(connection, dataset, items)
    newest = _newest_answers(connection, dataset, subjects)
    counts = TellCounts(records=records)
    outcomes: dict[int, dict[str, Any]] = {}
    # All writers lock records in the order of keys, so that they cannot deadlock.
    for item, subject in sorted(zip(items, subjects, strict=True), key=lambda pair: pair[1].key):
        told = _tell(connection, dataset, item, subject, author)
        counts += TellCounts(**{told.change: 1})
        answer = subject.answer or newest.get(subject.key)
        if told.change == "unchanged":
            continue
        if answer is not None:
            outcomes[told.observation_id] = _outcome(dataset, told, item.label, answer)
        elif told.change == "corrected":
            _correct_outcome(connection, told.observation_id, item.label)
    _write_outcomes(connection, outcomes)
    return counts + TellCounts(judged=len(outcomes))


def _add_records(connection: Connection, dataset: Dataset, items: Sequence[ToldLabel]) -> int:
    """Add the records of inputs that are not there, as POST /records does; return how many."""
    inputs = [item.inputs for item in items if item.inputs is not None]
    by_key = {dataset.spec.key(one): one for one in inputs}
    missing = by_key.keys() - find_keys(connection, dataset.id, by_key)
    if not missing:
        return 0
    target = begin_rows(dataset, "api", last_id=0)
    rows = [NewRow(key, dict(by_key[key])) for key in sorted(missing)]
    records = find_or_add_records(connection, target, rows)
    return len(records.ids) - len(records.known)


def _newest_answers(
    connection: Connection, dataset: Dataset, subjects: Sequence[Subject]
) -> dict[bytes, ServedAnswer]:
    """Return the newest answer of each record whose labels name no answer themselves."""
    now = wall_seconds(connection)
    keys = sorted({subject.key for subject in subjects if subject.answer is None})
    found: dict[bytes, ServedAnswer] = {}
    for part in slices(keys, KEYS_PER_STATEMENT):
        found |= newest_answers(connection, dataset.id, part, now)
    return found


def _tell(
    connection: Connection, dataset: Dataset, item: ToldLabel, subject: Subject, author: str
) -> _Told:
    # Before anything is read that another transaction may be changing.
    record_id = lock_record(connection, dataset, subject.key)
    given = _Given(item.label, author)
    if item.request_id:
        return _tell_of_request(connection, dataset, record_id, item.request_id, given)
    if subject.row is not None and _has_several_rows(connection, record_id):
        return _tell_of_row(connection, dataset, record_id, subject.row, given)
    return _tell_of_record(connection, dataset, subject.key, record_id, given)


def _tell_of_request(
    connection: Connection, dataset: Dataset, record_id: int, request_id: str, given: _Given
) -> _Told:
    """Tell the label of one request; another label of the same request is corrected."""
    of_request = _rows.dataset_id == dataset.id, _rows.request_id == request_id
    query = select(_rows.id, _rows.record_id, _rows.label).where(*of_request)
    before = connection.execute(query).first()
    if before is None:
        values = given.values() | {"request_id": request_id}
        new_id = add_observation(connection, dataset, record_id, values)
        sum_up_labels(connection, dataset, record_id)
        return _Told(new_id, "added")
    if before.label == given.label:
        return _Told(before.id, "unchanged")
    new_values = given.values() | {"made_at": time.time()}
    connection.execute(update(tables.observation).where(*of_request).values(**new_values))
    sum_up_labels(connection, dataset, before.record_id)
    return _Told(before.id, "corrected")


def _has_several_rows(connection: Connection, record_id: int) -> bool:
    query = select(func.count()).where(_rows.record_id == record_id, _rows.row_id.isnot(None))
    return connection.execute(query).scalar_one() > 1


def _tell_of_row(
    connection: Connection, dataset: Dataset, record_id: int, row: int, given: _Given
) -> _Told:
    """Tell the label of one row of a record, and leave the labels of its other rows."""
    standing = _standing_label(connection, row)
    if (standing.origin, standing.label) == ("person", given.label):
        return _Told(standing.id, "unchanged")
    new_id = add_observation(connection, dataset, record_id, given.values())
    # A label of the whole record goes on standing for its other rows.
    is_alone = standing.id == row or _replaced_by(connection, standing.id) == [row]
    replaced = standing.id if is_alone else row
    of_id = _rows.id == replaced
    connection.execute(update(tables.observation).where(of_id).values(replaced_by=new_id))
    sum_up_labels(connection, dataset, record_id)
    return _Told(new_id, "added")


def _standing_label(connection: Connection, row: int) -> _Standing:
    """Return the observation that stands for a row: the last one of those that replaced it."""
    columns = _rows.id, _rows.label, _rows.origin, _rows.replaced_by
    newer: int | None = row
    while newer is not None:
        standing = _Standing(*connection.execute(select(*columns).where(_rows.id == newer)).one())
        newer = standing.replaced_by
    return standing


class _Standing(NamedTuple):
    """An observation whose label may stand for a row."""

    id: int
    label: str | None
    origin: str
    replaced_by: int | None


def _replaced_by(connection: Connection, observation_id: int) -> list[int]:
    query = select(_rows.id).where(_rows.replaced_by == observation_id)
    return list(connection.execute(query).scalars())


def _tell_of_record(
    connection: Connection, dataset: Dataset, key: bytes, record_id: int, given: _Given
) -> _Told:
    """Tell the label of a record, unless it is exactly what was told before."""
    query = select(_rows.id, _rows.label, _rows.origin, _rows.request_id)
    of_record = _rows.record_id == record_id
    current = connection.execute(query.where(of_record, tables.IS_CURRENT_LABEL).limit(2)).all()
    if len(current) == 1 and current[0][1:] == (given.label, "person", None):
        return _Told(current[0].id, "unchanged")
    return _Told(give_label(connection, dataset, key, given.label, given.author), "added")


def _outcome(dataset: Dataset, told: _Told, label: str, answer: ServedAnswer) -> dict[str, Any]:
    return {
        "observation_id": told.observation_id,
        "dataset_id": dataset.id,
        "prediction": answer.prediction,
        "label": label,
        "source": answer.source,
        "model_version": answer.model_version,
        "predicted_at": answer.made_at,
        "told_at": time.time(),
    }


def _correct_outcome(connection: Connection, observation_id: int, label: str) -> None:
    """Correct the label of an outcome whose answer is no longer kept."""
    of_label = tables.outcome.c.observation_id == observation_id
    connection.execute(
        update(tables.outcome).where(of_label).values(label=label, told_at=time.time())
    )


def _write_outcomes(connection: Connection, outcomes: Mapping[int, dict[str, Any]]) -> None:
    """Write outcomes, and delete those of labels that they replace: an answer counts once."""
    ids = sorted(outcomes)
    rows = [outcomes[one] for one in ids]
    upsert(connection, tables.outcome, rows, ("observation_id",))
    # Afterwards, since of equal inputs in one request a label replaces the one before it.
    for part in slices(ids, KEYS_PER_STATEMENT):
        replaced = select(_rows.id).where(_rows.replaced_by.in_(part), _rows.request_id.is_(None))
        of_replaced = tables.outcome.c.observation_id.in_(replaced)
        connection.execute(delete(tables.outcome).where(of_replaced))
