"""Tests of the report: rows and records, and the remarks on what was measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from db.spec.field import ChoiceField
from enrich.learning.cross_validation import OutOfFold, number_type
from enrich.learning.report import format_report, report_on

from .frames import frame_of, spec_of

TRIPS = spec_of("classification", trip=ChoiceField())
AREAS = spec_of("regression", trip=ChoiceField())


def report_lines(spec: Any, rows: list[dict[str, Any]], answers: list[list[float]]) -> list[str]:  # noqa: ANN401
    """Return the lines on answers of teacher and student, one for each record."""
    frame = frame_of(spec, rows)
    labels = sorted({row["y"] for row in rows}) if spec.kind == "classification" else []
    stored = np.array(answers).astype(number_type(labels)).tobytes()
    out_of_fold = OutOfFold(
        labels=labels, keys=b"".join(frame.keys), teacher=stored, student=stored
    )
    metrics = {"estimator": "linear", "target": "y", **report_on(frame, out_of_fold)}
    return format_report("rooms@1", metrics)


def trips(**rows: tuple[int, int]) -> list[dict[str, Any]]:
    """Return so many rows of the labels big and small for each trip."""
    return [
        {"trip": trip, "y": label}
        for trip, counts in rows.items()
        for label, count in zip(("big", "small"), counts, strict=True)
        for _ in range(count)
    ]


def test_a_report_says_how_many_rows_are_of_how_many_records() -> None:
    """Its scores count rows: of 1,200 rows 1,100 are answered as they are labelled."""
    lines = report_lines(TRIPS, trips(work=(1000, 50), fun=(50, 100)), [[0.9, 0.1], [0.1, 0.9]])
    assert lines[0] == "rooms@1: 1,200 labelled rows of 2 records, teacher linear reads trip"
    assert lines[1].startswith("  teacher  accuracy 0.917  ")
    assert "  big                      precision 0.952  recall 0.952  F1 0.952  of 1,050" in lines


def test_a_report_on_rows_that_differ_does_not_speak_of_records() -> None:
    """Their number is the same."""
    rows = [{"trip": f"t{at}", "y": ("big", "small")[at % 2]} for at in range(20)]
    lines = report_lines(TRIPS, rows, [[0.9, 0.1]] * 20)
    assert lines[0] == "rooms@1: 20 labelled rows, teacher linear reads trip"


REMARK = "  almost perfect: check whether a column is known only after y is"


@pytest.mark.parametrize(("wrong", "remarked"), [(0, True), (1, True), (2, False)])
def test_an_accuracy_that_is_too_good_is_remarked(wrong: int, *, remarked: bool) -> None:
    """One column alone may tell the target because it follows from it."""
    lines = report_lines(
        TRIPS, trips(work=(500, wrong), fun=(0, 1000 - 500 - wrong)), [[0.9, 0.1], [0.1, 0.9]]
    )
    assert (REMARK in lines) is remarked


@pytest.mark.parametrize(("error", "remarked"), [(0.01, True), (1.0, False)])
def test_an_r2_that_is_too_good_is_remarked(error: float, *, remarked: bool) -> None:
    """The same holds for numbers."""
    rows = [{"trip": f"t{at}", "y": float(at)} for at in range(20)]
    lines = report_lines(AREAS, rows, [[at + error] for at in range(20)])
    assert (REMARK in lines) is remarked


def test_labels_of_a_single_record_are_remarked() -> None:
    """While the record is held out, no other has its label."""
    lines = report_lines(TRIPS, trips(work=(10, 0), fun=(10, 0), sport=(0, 10)), [[0.9, 0.1]] * 3)
    assert any(line.startswith("  1 of 2 labels have rows of one record only: ") for line in lines)


def test_a_report_from_before_rows_were_counted_is_still_shown() -> None:
    """Its metrics have no number of records."""
    rows = [{"trip": f"t{at}", "y": float(at)} for at in range(20)]
    frame = frame_of(AREAS, rows)
    stored = np.arange(20.0).tobytes()
    answers = OutOfFold(labels=[], keys=b"".join(frame.keys), teacher=stored, student=stored)
    metrics = {"estimator": "linear", "target": "y", **report_on(frame, answers)}
    del metrics["records"], metrics["single_records"]
    assert format_report("rooms@1", metrics)[0].startswith("rooms@1: 20 labelled rows, ")
