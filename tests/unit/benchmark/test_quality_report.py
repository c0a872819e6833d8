"""Tests of the report on public tables: whose answers are compared with the peer's."""

from __future__ import annotations

from deploy.quality.metrics import Comparison
from deploy.quality.report import report_lines
from deploy.quality.result import Result

RESULT = Result(
    table="wages",
    kind="regression",
    rows=1000,
    held_out_rows=200,
    columns=4,
    estimator="boosting",
    peer={"r2": 0.5, "rmse": 2.0},
    teacher={"r2": 0.75, "rmse": 1.5},
    student={"r2": 0.25, "rmse": 2.5},
    comparison=Comparison(difference=2.25, standard_error=0.5),
    student_is_teacher=False,
    peer_seconds=1.0,
    train_seconds=2.0,
    train_cpu_seconds=2.0,
    microseconds=5.0,
    remarks=[],
)


def test_the_report_says_that_the_students_answers_are_compared() -> None:
    """The teacher may be better than the peer where its student is worse."""
    head, _, row, _, counts, *_ = report_lines([RESULT])
    column = [cell.strip() for cell in head.split("|")].index("student compared with the peer")
    assert row.split("|")[column].strip() == "worse (+4.5 se)"
    assert counts.startswith("student and peer:")
    assert "not worse by more than one standard error on 0 of 1" in counts
