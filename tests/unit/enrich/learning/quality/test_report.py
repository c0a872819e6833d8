"""Tests of the report: rows and records, and the remarks on what was measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from db.scoring.interval import Interval
from db.scoring.student import Student
from db.scoring.student_data import StudentData
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import ChoiceField
from enrich.learning.quality.conformal import fit_interval
from enrich.learning.quality.importance import importance
from enrich.learning.quality.out_of_fold import ModelKind, pack_answers
from enrich.learning.quality.report import Intervals, report_on
from enrich.learning.quality.report_text import format_report
from tests.hand_made_student import rents
from tests.unit.enrich.learning.frames import frame_of, spec_of

TRIPS = spec_of("classification", trip=ChoiceField())
AREAS = spec_of("regression", trip=ChoiceField())


def report_of(
    spec: DatasetSpec,
    rows: list[dict[str, Any]],
    answers: list[list[float]],
    of_student: list[list[float]] | None = None,
    intervals: Intervals | None = None,
) -> dict[str, Any]:
    """Return the report on answers of teacher and student, one for each record."""
    frame = frame_of(spec, rows)
    labels = sorted({row["y"] for row in rows}) if spec.kind == "classification" else []
    teacher, student = np.array(answers), np.array(of_student or answers)
    packed = pack_answers(labels, frame.keys, teacher, student)
    return {"estimator": "linear", "target": "y", **report_on(frame, packed, intervals)}


def report_lines(
    spec: DatasetSpec, rows: list[dict[str, Any]], answers: list[list[float]]
) -> list[str]:
    """Return the lines of the report on answers."""
    return format_report("rooms@1", report_of(spec, rows, answers))


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
    assert lines[1].startswith("  model     accuracy  macro-F1  ")
    assert lines[2].startswith("  teacher      0.917  ")
    place = lines.index("  label  precision  recall     F1   rows")
    assert lines[place + 1] == "  big        0.952   0.952  0.952  1,050"


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


def test_a_report_without_the_members_that_were_added_since_is_still_shown() -> None:
    """Older versions of a model have no number of records, no importance and no coverage."""
    rows = [{"trip": f"t{at}", "y": float(at)} for at in range(20)]
    metrics = report_of(AREAS, rows, [[float(at)] for at in range(20)])
    added = {"records", "single_records", "rare_labels", "verdict"}
    old = {name: value for name, value in metrics.items() if name not in added}
    assert format_report("rooms@1", old)[0].startswith("rooms@1: 20 labelled rows, ")
    trips_before = report_of(TRIPS, trips(work=(10, 0), fun=(0, 10)), [[0.9, 0.1], [0.1, 0.9]])
    for model in ("teacher", "student", "baseline"):
        del trips_before[model]["log_loss"], trips_before[model]["calibration_error"]
    assert format_report("rooms@1", trips_before)[2].startswith("  teacher      1.000  ")


GOOD = "better than a constant answer, by more than chance"
POOR = "not better than a constant answer by more than chance"


@pytest.mark.parametrize(
    ("wrong", "verdict"),
    [
        (5, f"90% of its answers are right; the most frequent label is right for 50%: {GOOD}"),
        (25, f"50% of its answers are right; the most frequent label is right for 50%: {POOR}"),
    ],
)
def test_one_sentence_says_how_good_a_classification_is(wrong: int, verdict: str) -> None:
    """A constant answer is what anybody could give."""
    rows = [{"trip": f"t{at}", "y": ("big", "small")[at % 2]} for at in range(50)]
    answers = [[0.9, 0.1] if (at % 2 == 0) != (at < wrong) else [0.1, 0.9] for at in range(50)]
    report = report_of(TRIPS, rows, answers)
    assert report["verdict"] == verdict
    assert report["beats_baseline"] == (verdict.endswith(GOOD) and POOR not in verdict)
    assert f"  {verdict}" in format_report("rooms@1", report)


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (0.5, f"it is wrong by 0.5 on average; the mean of all rows by 5: {GOOD}"),
        (9.0, f"it is wrong by 9 on average; the mean of all rows by 5: {POOR}"),
    ],
)
def test_one_sentence_says_how_good_a_regression_is(error: float, verdict: str) -> None:
    """Its unit is that of the target."""
    rows = [{"trip": f"t{at}", "y": float(at)} for at in range(20)]
    answers = [[at + error * (-1) ** at] for at in range(20)]
    assert report_of(AREAS, rows, answers)["verdict"] == verdict


def test_probabilities_that_are_too_certain_are_reported() -> None:
    """Six of ten answers are right, and .9 was said of each."""
    rows = [{"trip": f"t{at}", "y": "big" if at < 6 else "small"} for at in range(10)]
    report = report_of(TRIPS, rows, [[0.9, 0.1]] * 10, [[0.6, 0.4]] * 10)
    assert report["teacher"]["calibration_error"] == pytest.approx(0.3)
    assert report["student"]["calibration_error"] == pytest.approx(0, abs=1e-6)
    loss = -(6 * np.log(0.9) + 4 * np.log(0.1)) / 10
    assert report["teacher"]["log_loss"] == pytest.approx(loss)
    lines = format_report("rooms@1", report)
    assert lines[1].endswith("  log loss  calibration error")
    assert lines[2].split()[-2:] == [f"{loss:.3f}", "0.300"]
    # The baseline answers the shares, which is what the student does here.
    assert report["baseline"]["log_loss"] == pytest.approx(report["student"]["log_loss"])


def test_the_share_of_truths_within_their_intervals_is_reported() -> None:
    """Each model has its own interval."""
    rows = [{"trip": f"t{at}", "y": float(at)} for at in range(20)]
    answers = [[at + (2.0 if at < 5 else 0.0)] for at in range(20)]
    narrow, wide = (Interval(coverage=0.9, edges=[], below=[-by], above=[by]) for by in (1.0, 3.0))
    report = report_of(AREAS, rows, answers, intervals={"teacher": narrow, "student": wide})
    found = [(report[one]["coverage"], report[one]["interval_width"]) for one in MODELS]
    assert found == [(0.75, 2.0), (1.0, 6.0)]
    assert "coverage" not in report["baseline"]
    titles, teacher = format_report("rooms@1", report)[1:3]
    assert titles.endswith("  within interval")
    assert teacher.endswith("  75%")


def test_the_share_that_training_reports_is_that_of_rows_that_were_held_out() -> None:
    """An interval that was fitted on twenty rows holds them all."""
    chance = np.random.default_rng(3)
    rows = [{"trip": f"t{at}", "y": float(chance.standard_normal())} for at in range(20)]
    report = report_of(AREAS, rows, [[0.0]] * 20)
    whole = fit_interval(np.zeros(20), np.array([row["y"] for row in rows]))
    assert report["teacher"]["coverage"] < 1
    assert report["teacher"]["interval_width"] == pytest.approx(whole.above[0] - whole.below[0])
    assert "coverage" not in report["baseline"]


def test_a_student_without_intervals_has_no_share_within_them() -> None:
    """Older ones have none; neither have labels."""
    rows = [{"trip": f"t{at}", "y": float(at)} for at in range(20)]
    without = report_of(AREAS, rows, [[0.0]] * 20, intervals=dict.fromkeys(MODELS))
    of_labels = report_of(TRIPS, trips(work=(10, 5), fun=(0, 10)), [[0.9, 0.1], [0.1, 0.9]])
    assert all("coverage" not in report[one] for report in (without, of_labels) for one in MODELS)


@pytest.mark.parametrize(("rise", "beats"), [(1.8, False), (1.0, True)])
def test_what_may_be_chance_does_not_beat_a_constant_answer(rise: float, *, beats: bool) -> None:
    """The squared errors of thirty rows fall by one; the gain is 1.6 or 3.6 standard errors."""
    rows = [{"trip": f"t{at}", "y": float((-1) ** at)} for at in range(40)]
    wrong = 1 - (1 + rise) ** 0.5
    answers = [[(-1) ** at * (1.0 if at < 30 else wrong)] for at in range(40)]
    report = report_of(AREAS, rows, answers)
    assert report["teacher"]["mse"] < report["baseline"]["mse"]
    assert report["beats_baseline"] is beats


def test_a_record_that_is_often_repeated_does_not_beat_a_constant_answer_alone() -> None:
    """Half of the rows are answered better, and all are of one record; all others are worse."""
    rows = [{"trip": "work", "y": 1.0}] * 30 + [{"trip": f"t{at}", "y": -1.0} for at in range(30)]
    apart = [{**row, "trip": f"t{at}"} for at, row in enumerate(rows)]
    wrong = 1.5**0.5 - 1
    of_each = report_of(AREAS, apart, [[1.0]] * 30 + [[wrong]] * 30)
    repeated = report_of(AREAS, rows, [[1.0]] + [[wrong]] * 30)
    assert of_each["teacher"]["mse"] == pytest.approx(repeated["teacher"]["mse"])
    assert (of_each["beats_baseline"], repeated["beats_baseline"]) == (True, False)


MODELS: tuple[ModelKind, ...] = ("teacher", "student")


def test_the_report_says_whether_the_student_is_the_teacher() -> None:
    """Otherwise it says how often both agree."""
    rows = [{"trip": f"t{at}", "y": ("big", "small")[at % 2]} for at in range(20)]
    other = [[0.9, 0.1]] * 15 + [[0.1, 0.9]] * 5
    report = report_of(TRIPS, rows, [[0.9, 0.1]] * 20, other)
    assert "  the student agrees with the teacher: 0.750" in format_report("rooms@1", report)
    lines = format_report("rooms@1", {**report, "student_is_teacher": True})
    assert "  the student is the teacher itself: each first answer is the teacher's" in lines


def test_the_inputs_that_move_answers_most_come_first() -> None:
    """The shares add up to one; an input that never differs has none."""
    student = Student(rents())
    inputs = [{"area": 10.0 + 3 * at, "town": ("Lyon", "Paris")[at % 2]} for at in range(60)]
    shares = importance(student, inputs)
    assert sum(shares.values()) == pytest.approx(1)
    assert list(shares) == ["area", "town"]
    assert shares["area"] > 0.5
    report = report_of(TRIPS, trips(work=(10, 5), fun=(0, 10)), [[0.9, 0.1], [0.1, 0.9]])
    lines = format_report("rooms@1", {**report, "importance": {"area": 0.75, "town": 0.25}})
    assert "  what moves the answers most: area 75%, town 25%" in lines


def test_an_input_that_no_model_reads_is_not_important() -> None:
    """Nothing that moves no answer is named as if it did."""
    constant = StudentData(labels=[], bias=[0.0], shift=0, parts={})
    assert importance(Student(constant), [{"area": 1.0}]) == {}


def test_a_report_says_how_many_values_of_an_enricher_are_not_read() -> None:
    """The values of a mixed column would be lost silently."""
    report = report_of(TRIPS, trips(work=(10, 5), fun=(0, 10)), [[0.9, 0.1], [0.1, 0.9]])
    assert not [one for one in format_report("rooms@1", report) if "missing" in one]
    lines = format_report("rooms@1", {**report, "unread_values": {"score": 1200}})
    assert (
        "  1,200 values of score count as missing: they are of another kind than most of its"
        " values, or numbers beyond 1e100"
    ) in lines
