"""The columns of a record that listings filter and sort by: prediction, label issue, duplicates."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import BigInteger, Connection, Update, bindparam, update

from db.store import tables
from db.store.json_rows import encode_rows, json_rows

from .enrichment import Enrichment
from .prediction import Prediction

ListingColumns = dict[str, Any]


def listing_columns_of_value(column: str, value: Any) -> ListingColumns:  # noqa: ANN401  any JSON
    """Return the label issue or the group of duplicates that an enricher's value reports."""
    finding = value if isinstance(value, dict) else {}
    if column == "issue":
        return {"issue": bool(finding.get("issue"))}
    group = finding.get("group")
    return {"duplicates": None if group is None else str(group)}


def write_listing_columns(
    connection: Connection,
    keys: Mapping[int, bytes],
    enrichments: Iterable[Enrichment],
    predictions: Iterable[Prediction],
) -> None:
    """Update the listing columns from new values; `keys` maps the records' ids to their keys."""
    ids = {key: record_id for record_id, key in keys.items()}
    changes = [
        *((ids[new.key], {"answer": new.label, "score": new.score}) for new in predictions),
        *(
            (new.record_id, listing_columns_of_value(new.listing_column, new.value))
            for new in enrichments
            if new.listing_column
        ),
    ]
    for names in (("answer", "score"), ("issue",), ("duplicates",)):
        _write(connection, names, [change for change in changes if names[0] in change[1]])


def clear_held_out(connection: Connection, dataset_id: int) -> None:
    """Allow new predictions to overwrite the held-out answers of an earlier version."""
    of_dataset = tables.record.c.dataset_id == dataset_id
    connection.execute(
        update(tables.record).where(of_dataset, tables.record.c.held_out).values(held_out=False)
    )


def write_held_out(
    connection: Connection, dataset_id: int, answers: Iterable[tuple[bytes, str, float]]
) -> None:
    """Write the held-out answers of labelled records, as (key, answer, score).

    Each comes from a model that was trained without the record's label.
    """
    statement = (
        update(tables.record)
        .where(
            tables.record.c.dataset_id == dataset_id,
            tables.record.c.key == bindparam("record_key"),
        )
        .values(answer=bindparam("new_answer"), score=bindparam("new_score"), held_out=True)
    )
    values = [
        {"record_key": key, "new_answer": answer, "new_score": score}
        for key, answer, score in answers
    ]
    if values:
        connection.execute(statement, values)


def _write(
    connection: Connection, names: tuple[str, ...], changes: list[tuple[int, ListingColumns]]
) -> None:
    if not changes:
        return
    rows = [(record_id, *(columns[name] for name in names)) for record_id, columns in changes]
    if connection.dialect.name == "sqlite":
        # JSON would change the last bit of some scores there.
        parameters = "record_id", *(f"new_{name}" for name in names)
        values = [dict(zip(parameters, row, strict=True)) for row in rows]
        connection.execute(_update_one(names), values)
    else:
        connection.execute(_update_all(names), {"rows": encode_rows(rows)})


@functools.cache
def _update_one(names: tuple[str, ...]) -> Update:
    statement = _update(names).where(tables.record.c.id == bindparam("record_id"))
    return statement.values({name: bindparam(f"new_{name}") for name in names})


@functools.cache
def _update_all(names: tuple[str, ...]) -> Update:
    """Return one statement for many records; PostgreSQL would plan one for each of them."""
    types = {name: tables.record.c[name].type for name in names}
    new = json_rows("postgresql", "rows", record_id=BigInteger(), **types)
    statement = _update(names).where(tables.record.c.id == new.c.record_id)
    return statement.values({name: new.c[name] for name in names})


def _update(names: tuple[str, ...]) -> Update:
    statement = update(tables.record)
    # Keep the held-out answer: on its own training rows the teacher repeats the label.
    return statement.where(~tables.record.c.held_out) if "answer" in names else statement
