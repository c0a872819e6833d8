"""Columns of a record by which listings find it: prediction, label issue, duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, update

from db.store import tables

from .enrichment import Enrichment
from .prediction import Prediction

ListingColumns = dict[str, Any]


def listing_columns_of_value(column: str, value: Any) -> ListingColumns:  # noqa: ANN401  any JSON
    """Return what an enricher's value says of a record: an issue, or a group of duplicates."""
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
    """Write the listing columns of records, given by id with their keys, from new values."""
    ids = {key: record_id for record_id, key in keys.items()}
    changes = [
        *((ids[made.key], {"answer": made.label, "score": made.score}) for made in predictions),
        *(
            (made.record_id, listing_columns_of_value(made.listing_column, made.value))
            for made in enrichments
            if made.listing_column
        ),
    ]
    for names in (("answer", "score"), ("issue",), ("duplicates",)):
        _write(connection, names, [change for change in changes if names[0] in change[1]])


def clear_held_out(connection: Connection, dataset_id: int) -> None:
    """Let predictions overwrite the held-out answers of an earlier version."""
    of_dataset = tables.record.c.dataset_id == dataset_id
    connection.execute(
        update(tables.record).where(of_dataset, tables.record.c.held_out).values(held_out=False)
    )


def write_held_out(
    connection: Connection, dataset_id: int, answers: Iterable[tuple[bytes, str, float]]
) -> None:
    """Write the answers that a model gave to labelled records without having seen their labels."""
    statement = (
        update(tables.record)
        .where(tables.record.c.dataset_id == dataset_id, tables.record.c.key == bindparam("of"))
        .values(answer=bindparam("new_answer"), score=bindparam("new_score"), held_out=True)
    )
    values = [{"of": key, "new_answer": answer, "new_score": it} for key, answer, it in answers]
    if values:
        connection.execute(statement, values)


def _write(
    connection: Connection, names: Sequence[str], changes: list[tuple[int, ListingColumns]]
) -> None:
    if not changes:
        return
    statement = update(tables.record).where(tables.record.c.id == bindparam("of"))
    if "answer" in names:
        # Keep the held-out answer: on its own training rows the teacher repeats the label.
        statement = statement.where(~tables.record.c.held_out)
    new: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
    values = [
        {"of": record_id, **{f"new_{name}": value for name, value in columns.items()}}
        for record_id, columns in changes
    ]
    connection.execute(statement.values(new), values)
