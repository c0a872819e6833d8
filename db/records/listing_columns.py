"""Marks: what stands beside a record so that listings find it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, update

from db.scoring.response_body import decode_answer
from db.store import tables

from .enrichment import Enrichment
from .prediction import Prediction

Marks = dict[str, Any]


def marks_of_answer(body: bytes) -> Marks:
    """Return a prediction's label and its probability; of a regression the number alone."""
    answer = decode_answer(body)
    if isinstance(answer.probabilities, dict):
        score = answer.probabilities.get(str(answer.prediction))
        return {"answer": str(answer.prediction), "score": score}
    return {"answer": "", "score": float(answer.prediction)}


def marks_of_value(mark: str, value: Any) -> Marks:  # noqa: ANN401  whatever JSON can say
    """Return what an enricher says of a record: an issue, or a group of duplicates."""
    said = value if isinstance(value, dict) else {}
    if mark == "issue":
        return {"issue": bool(said.get("issue"))}
    group = said.get("group")
    return {"duplicates": None if group is None else str(group)}


def write_marks(
    connection: Connection,
    here: Mapping[int, bytes],
    enrichments: Iterable[Enrichment],
    predictions: Iterable[Prediction],
) -> None:
    """Mark records, given with their keys, by what was just made of them."""
    ids = {key: record_id for record_id, key in here.items()}
    answered = [(ids[made.key], marks_of_answer(made.body)) for made in predictions]
    marked = [
        (made.record_id, marks_of_value(made.mark, made.value)) for made in enrichments if made.mark
    ]
    for columns in (("answer", "score"), ("issue",), ("duplicates",)):
        rows = [(of, marks) for of, marks in [*answered, *marked] if columns[0] in marks]
        _write(connection, columns, rows)


def clear_held_out(connection: Connection, dataset_id: int) -> None:
    """Let what another version said be overwritten by predictions."""
    of_dataset = tables.record.c.dataset_id == dataset_id
    connection.execute(
        update(tables.record).where(of_dataset, tables.record.c.held_out).values(held_out=False)
    )


def write_held_out(
    connection: Connection, dataset_id: int, answers: Iterable[tuple[bytes, str, float]]
) -> None:
    """Mark labelled records by answers that were given without having seen their labels."""
    statement = (
        update(tables.record)
        .where(tables.record.c.dataset_id == dataset_id, tables.record.c.key == bindparam("of"))
        .values(answer=bindparam("new_answer"), score=bindparam("new_score"), held_out=True)
    )
    values = [{"of": key, "new_answer": answer, "new_score": it} for key, answer, it in answers]
    if values:
        connection.execute(statement, values)


def _write(connection: Connection, columns: Collection[str], rows: list[tuple[int, Marks]]) -> None:
    if not rows:
        return
    statement = update(tables.record).where(tables.record.c.id == bindparam("of"))
    if "answer" in columns:
        # Of what it has learnt from, a teacher says what it was told.
        statement = statement.where(~tables.record.c.held_out)
    new: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
    values = [
        {"of": of, **{f"new_{name}": value for name, value in marks.items()}} for of, marks in rows
    ]
    connection.execute(statement.values(new), values)
