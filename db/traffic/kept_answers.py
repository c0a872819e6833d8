"""The answers that are kept: found by their request or their key, and deleted when they are old."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, select

from db.store import tables
from db.store.direct.clock import wall_seconds

from .served_answers import ServedAnswer

DAY_SECONDS = 86_400
KEEP_DAYS = 90
# Of each dataset; with 20 a second and process they are reached after half a day of full load.
KEEP_ANSWERS = 1_000_000

_answers = tables.served_answer.c


def find_answers(
    connection: Connection, dataset_id: int, request_ids: Collection[str]
) -> dict[str, ServedAnswer]:
    """Return the answers of a dataset to these requests, by request id."""
    found = _read(connection, dataset_id, _answers.request_id.in_(sorted(request_ids)))
    return {answer.request_id: answer for answer in found}


def newest_answers(
    connection: Connection, dataset_id: int, keys: Collection[bytes], until: float
) -> dict[bytes, ServedAnswer]:
    """Return the newest answer for each of these keys that was given until a time."""
    newest = (
        select(_answers.key, func.max(_answers.made_at).label("made_at"))
        .where(
            _answers.dataset_id == dataset_id,
            _answers.key.in_(sorted(keys)),
            _answers.made_at <= until,
        )
        .group_by(_answers.key)
        .subquery()
    )
    query = (
        select(*(_answers[name] for name in ServedAnswer._fields))
        .join(newest, (newest.c.key == _answers.key) & (newest.c.made_at == _answers.made_at))
        .where(_answers.dataset_id == dataset_id)
        .order_by(_answers.request_id)
    )
    return {answer.key: answer for answer in map(_answer, connection.execute(query))}


def _read(
    connection: Connection, dataset_id: int, *where: ColumnElement[bool]
) -> Sequence[ServedAnswer]:
    query = select(*(_answers[name] for name in ServedAnswer._fields))
    rows = connection.execute(query.where(_answers.dataset_id == dataset_id, *where))
    return [_answer(row) for row in rows]


def _answer(row: Row[Any]) -> ServedAnswer:
    return ServedAnswer(**{**row._mapping, "key": bytes(row.key)})  # noqa: SLF001


def oldest_kept(connection: Connection, dataset_id: int) -> float:
    """Return the time from which on a dataset's answers are kept, in seconds since 1970."""
    by_age = wall_seconds(connection) - KEEP_DAYS * DAY_SECONDS
    query = select(_answers.made_at).where(_answers.dataset_id == dataset_id)
    last = query.order_by(_answers.made_at.desc()).offset(KEEP_ANSWERS - 1).limit(1)
    by_number: float | None = connection.execute(last).scalar()
    return by_age if by_number is None else max(by_age, by_number)


def delete_answers(connection: Connection, dataset_id: int, before: float, limit: int) -> int:
    """Delete at most `limit` answers of a dataset from before a time; return how many."""
    due = (
        select(_answers.request_id)
        .where(_answers.dataset_id == dataset_id, _answers.made_at < before)
        .order_by(_answers.made_at)
        .limit(limit)
    )
    done = connection.execute(
        delete(tables.served_answer).where(_answers.request_id.in_(due.scalar_subquery()))
    )
    return done.rowcount
