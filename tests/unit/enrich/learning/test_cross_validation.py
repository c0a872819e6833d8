"""Tests of cross-validation: what teacher and student answer for records that were held out."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from db.spec.dataset_spec import DatasetSpec
from db.spec.date_value import moment_of
from db.spec.field import ChoiceField, DateField, NumberField, TextField
from enrich.learning.cross_validation import cross_validate, student_training_set
from enrich.learning.report import loss_of, report_on
from enrich.learning.teacher import candidates, fit_teacher
from enrich.learning.training_table import Frame, extent_of

from .frames import frame_of, no_rows, spec_of


def best_report(spec: DatasetSpec, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the report on the teacher with the smallest loss, as training chooses it."""
    frame = frame_of(spec, rows)
    tried = [
        cross_validate(candidate, spec, frame, no_rows(spec))
        for candidate in candidates(spec, frame.columns, extent_of(frame), ())
    ]
    return report_on(frame, min(tried, key=lambda answers: loss_of(frame, answers)))


def test_rows_that_repeat_a_few_records_are_learnt_from_all_of_them() -> None:
    """Twelve records, of which each contradicts itself: most rows can still be answered."""
    spec = spec_of("classification", rank=ChoiceField(), sex=ChoiceField(), age=ChoiceField())
    chance, rows = random.Random(1), list[dict[str, Any]]()
    for at in range(1800):
        rank, sex, age = at % 3, at % 2, int(chance.random() < 0.1)
        odds = 0.2 + 0.5 * sex + 0.1 * age - 0.05 * rank
        lived = "yes" if chance.random() < odds else "no"
        rows.append({"rank": f"r{rank}", "sex": f"s{sex}", "age": f"a{age}", "y": lived})
    report = best_report(spec, rows)
    possible = sum(
        max(labels.count("yes"), labels.count("no"))
        for labels in (
            [row["y"] for row in rows if (row["rank"], row["sex"], row["age"]) == cell]
            for cell in {(row["rank"], row["sex"], row["age"]) for row in rows}
        )
    )
    assert (report["rows"], report["records"]) == (1800, 12)
    assert report["teacher"]["rows"] == sum(map(sum, report["teacher"]["confusion"])) == 1800
    assert report["teacher"]["accuracy"] > possible / 1800 - 0.02
    assert report["student"]["accuracy"] > possible / 1800 - 0.02


def test_a_weekly_and_a_yearly_pattern_are_learnt_from_the_date() -> None:
    """The rows are sorted by date, as files are."""
    spec = spec_of("regression", day=DateField(), shop=ChoiceField())
    chance, rows = random.Random(2), list[dict[str, Any]]()
    for month in range(1, 13):
        for day in range(1, 28, 2):
            date = f"2024-{month:02}-{day:02}"
            base = 500 if month > 10 else 100
            sunday = 80 if moment_of(date).isoweekday() == 7 else 0
            y = base + sunday + chance.gauss(0, 5)
            rows.append({"day": date, "shop": chance.choice(["a", "b"]), "y": y})
    report = best_report(spec, rows)
    assert report["teacher"]["r2"] > 0.98
    assert report["student"]["r2"] > 0.98


@pytest.mark.parametrize("negative", [True, False])
def test_counts_are_not_answered_below_zero(*, negative: bool) -> None:
    """A straight line would; what is reported is what is served."""
    spec = spec_of("regression", hour=NumberField())
    rows = [{"hour": at, "y": max(0, at - 40) ** 2 - (500 if negative else 0)} for at in range(60)]
    frame = frame_of(spec, rows)
    linear = candidates(spec, frame.columns, extent_of(frame), ())[0]
    answers = cross_validate(linear, spec, frame, no_rows(spec))
    lowest = min(answers.answers("teacher").values())
    assert (lowest < -500) if negative else (lowest == 0)
    if not negative:
        assert min(answers.answers("student").values()) >= 0


def test_a_word_that_is_rarely_given_does_not_stop_or_spoil_training() -> None:
    """Trees still read the numbers beside it."""
    spec = spec_of(
        "regression", width=NumberField(), depth=NumberField(), pool=TextField(optional=True)
    )
    chance, rows = random.Random(3), list[dict[str, Any]]()
    for at in range(300):
        width, depth = chance.uniform(0, 50), chance.uniform(0, 50)
        pool = "Ex" if at % 100 == 0 else ""
        rows.append({"width": width, "depth": depth, "pool": pool, "y": width * depth - 600})
    assert best_report(spec, rows)["teacher"]["r2"] > 0.95


def two_words(first: int, second: int) -> tuple[DatasetSpec, Frame]:
    """Return a frame of two records, with so many rows of one label each."""
    spec = spec_of("classification", trip=ChoiceField())
    rows = [{"trip": "work", "y": "big"}] * first + [{"trip": "fun", "y": "small"}] * second
    return spec, frame_of(spec, rows)


@pytest.mark.parametrize(("first", "second"), [(10, 10), (19, 1), (1, 19)])
def test_folds_that_leave_one_label_or_few_rows_can_be_fitted(first: int, second: int) -> None:
    """Of two records one is left: the answer is its label."""
    spec, frame = two_words(first, second)
    for candidate in candidates(spec, frame.columns, extent_of(frame), ()):
        answers = cross_validate(candidate, spec, frame, no_rows(spec))
        for model in ("teacher", "student"):
            by_key = answers.answers(model)
            assert [by_key[key] for key in frame.keys] == ["small", "big"]


@pytest.mark.parametrize("first", [1, 19])
def test_numbers_of_two_records_can_be_fitted(first: int) -> None:
    """The held-out record gets the mean of the other."""
    spec = spec_of("regression", age=NumberField())
    rows = [{"age": 1, "y": 5}] * first + [{"age": 2, "y": 7}] * (20 - first)
    frame = frame_of(spec, rows)
    for candidate in candidates(spec, frame.columns, extent_of(frame), ()):
        answers = cross_validate(candidate, spec, frame, no_rows(spec)).answers("teacher")
        assert [answers[key] for key in frame.keys] == pytest.approx([7, 5])


def test_a_target_of_many_labels_with_three_rows_each_is_trained() -> None:
    """Forty-one topics, told apart by one word of three sentences."""
    spec = spec_of("classification", text=TextField())
    openings = ("please look at", "again about", "who knows")
    rows = [
        {"text": f"{opening} topic{at}", "y": f"t{at}"} for at in range(41) for opening in openings
    ]
    report = best_report(spec, rows)
    assert report["teacher"]["accuracy"] > 0.8
    assert report["student"]["accuracy"] > 0.6


def test_a_choice_of_thousands_of_values_is_learnt() -> None:
    """Its weights are shrunk, and the frequent ones count."""
    spec = spec_of("regression", town=ChoiceField(), area=NumberField())
    chance, rows = random.Random(4), list[dict[str, Any]]()
    for at in range(3000):
        town = at % 1500 if at % 2 else at % 20
        y = (100 if town % 2 else 0) + chance.gauss(0, 5)
        rows.append({"town": f"town {town}", "area": chance.random(), "y": y})
    report = best_report(spec, rows)
    assert report["teacher"]["r2"] > 0.7
    assert report["student"]["r2"] > 0.7


def test_the_student_of_repeated_rows_learns_the_teachers_answers() -> None:
    """Each of them is weighted by its number of rows."""
    spec = spec_of("classification", trip=ChoiceField())
    rows = [{"trip": "work", "y": "big"}] * 30 + [{"trip": "fun", "y": "small"}] * 10
    frame = frame_of(spec, [*rows, {"trip": "fun", "y": "big"}])
    linear = candidates(spec, frame.columns, extent_of(frame), ())[0]
    teacher = fit_teacher(linear, frame.table[frame.index], frame.labels)
    every_row = np.arange(len(frame))
    training = student_training_set(spec, frame, every_row, no_rows(spec), teacher)
    assert len(training.rows) == len(training.labels) == 0
    assert training.unlabelled == frame.inputs
    assert training.answers.sum(axis=1).tolist() == pytest.approx([30, 11])
    assert training.answers[:, 0] == pytest.approx(
        [30, 11] * teacher.predict_proba(frame.table)[:, 0]
    )
