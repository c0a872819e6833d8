"""Samples of inputs: of labelled records, and of what has been asked lately."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, and_, func, select

from db.records.encoded_inputs import decode_inputs
from db.spec.field import Inputs
from db.store import tables

# The number of places, evenly spread, at which the labelled records of a large dataset are read.
PLACES = 20


def read_served_inputs(
    connection: Connection, dataset_id: int, since: float, limit: int
) -> list[Inputs]:
    """Return the inputs of the latest answers since a time, of at most `limit`, the newest first.

    Answers are kept as a sample, and inputs that have not become a record are unknown.
    """
    answer, record = tables.served_answer.c, tables.record.c
    latest = (
        select(answer.key, answer.made_at)
        .where(answer.dataset_id == dataset_id, answer.made_at >= since)
        .order_by(answer.made_at.desc())
        .limit(limit)
        .subquery()
    )
    of_record = and_(record.dataset_id == dataset_id, record.key == latest.c.key)
    query = select(record.inputs).join(latest, of_record).order_by(latest.c.made_at.desc())
    return [decode_inputs(inputs) for inputs in connection.execute(query).scalars()]


def read_labelled_inputs(connection: Connection, dataset_id: int, limit: int) -> list[Inputs]:
    """Return the inputs of labelled records, at most `limit`, spread evenly over their ids."""
    record = tables.record.c
    is_labelled = and_(record.dataset_id == dataset_id, record.label.isnot(None))
    found = _first_inputs(connection, limit, is_labelled)
    if len(found) < limit:
        return list(found.values())
    last: int = connection.execute(select(func.max(record.id)).where(is_labelled)).scalar_one()
    first = min(found)
    spread: dict[int, Inputs] = {}
    for place in range(PLACES):
        start = first + (last - first) * place // PLACES
        spread |= _first_inputs(connection, limit // PLACES, is_labelled & (record.id >= start))
    return list(spread.values())


def _first_inputs(
    connection: Connection, limit: int, where: ColumnElement[bool]
) -> dict[int, Inputs]:
    """Return the inputs of the first records by id."""
    record = tables.record.c
    query = select(record.id, record.inputs).where(where).order_by(record.id).limit(limit)
    return {row.id: decode_inputs(row.inputs) for row in connection.execute(query)}
