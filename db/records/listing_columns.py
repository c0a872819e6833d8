"""The columns of a record that listings filter and sort by: prediction, label issue, duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, update

from db.store import tables

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
    connection: Connection, names: Sequence[str], changes: list[tuple[int, ListingColumns]]
) -> None:
    if not changes:
        return
    statement = update(tables.record).where(tables.record.c.id == bindparam("record_id"))
    if "answer" in names:
        # Keep the held-out answer: on its own training rows the teacher repeats the label.
        statement = statement.where(~tables.record.c.held_out)
    new: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
    values = [
        {"record_id": record_id, **{f"new_{name}": value for name, value in columns.items()}}
        for record_id, columns in changes
    ]
    connection.execute(statement.values(new), values)
