"""Tests of which labels count after an import, without a store."""

from __future__ import annotations

from typing import Any

from db.ingestion.label_precedence import LabelledRow, replacements


def row(row_id: int, label: str | None, replaced_by: int | None = None, **more: Any) -> LabelledRow:  # noqa: ANN401
    """Return a row of a file."""
    values: dict[str, Any] = {"origin": "import", "submission_id": 0, "request_id": None}
    return LabelledRow(row_id, 1, label, replaced_by=replaced_by, is_unsure=False, **values | more)


def given(row_id: int, label: str | None, replaced_by: int | None = None) -> LabelledRow:
    """Return a label that a person gave, None for one that was removed."""
    return row(row_id, label, replaced_by, origin="person")


def test_a_label_of_one_row_gives_way_to_that_row_alone() -> None:
    """Another row with the same inputs, old or new, says nothing about it."""
    rows = [row(1, "no", 3), row(2, "no"), given(3, "yes")]
    assert replacements(rows) == {1: 3, 2: None, 3: None}
    assert replacements([*rows, row(4, "no")]) == {1: 3, 2: None, 3: None, 4: None}
    assert replacements(rows, changed={2}) == {1: 3, 2: None, 3: None}
    assert replacements(rows, changed={1}) == {1: None, 2: None, 3: 1}


def test_a_row_that_arrives_by_a_correction_is_new_to_the_record() -> None:
    """Its inputs were others, or it had no label, so that the person did not see it."""
    rows = [row(1, "no"), row(2, "no", 3), given(3, "yes")]
    assert replacements(rows, changed={1}, arrived={1}) == {1: None, 2: None, 3: 1}


def test_a_label_of_a_request_does_not_give_way() -> None:
    """It is an event of its own, beside the rows of the file."""
    event = row(2, "yes", origin="person", request_id="a1")
    assert replacements([row(1, "no"), event, row(3, "no")]) == {1: None, 2: None, 3: None}


def test_a_removed_label_comes_back_with_the_next_row_of_the_file() -> None:
    """A row without a label is not newer."""
    rows = [row(1, "no", 2), given(2, None)]
    assert replacements([*rows, row(3, None)]) == {1: 2, 2: None, 3: None}
    assert replacements([*rows, row(3, "maybe")]) == {1: None, 2: 3, 3: None}


def test_a_row_that_has_left_is_stood_in_for_by_those_that_are_there() -> None:
    """Where none is left, the newest label of a person counts again."""
    assert replacements([given(2, "yes", 9), row(5, "no")]) == {2: 5, 5: None}
    assert replacements([given(2, "yes", 9), given(3, "no", 9)]) == {2: 3, 3: None}
