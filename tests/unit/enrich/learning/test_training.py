"""Tests of training and evaluation on a store: every row counts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from db.errors import DataFileError, TrainingError
from db.records.models.trained_model import active_model, read_student, read_teacher
from db.scoring.response_body import decode_answer, student_answer
from db.scoring.student import Student
from db.scoring.student_data import decode_student
from db.spec.field import ChoiceField, DateField, NumberField
from db.spec.stored_spec import encode_spec
from enrich.evaluation import evaluate_file
from enrich.executors.recipe import PredictedRow, PredictionRecipe
from enrich.learning.training import train_model
from tests.conftest import register

from .frames import spec_of
from .place import Place

TRIPS = spec_of("classification", trip=ChoiceField(), age=NumberField(optional=True))
HEADER = "trip,age,y"


def trips(*counts: tuple[str, str, str, int]) -> list[str]:
    """Return the lines of a file with so many rows of a trip, an age and a label each."""
    return [HEADER, *(f"{trip},{age},{y}" for trip, age, y, n in counts for _ in range(n))]


MIXED = trips(
    ("work", "30", "big", 18),
    ("work", "30", "small", 6),
    ("fun", "", "small", 20),
    ("fun", "40", "small", 9),
    ("work", "50", "big", 7),
    ("sport", "20", "small", 3),
    ("sport", "", "small", 3),
)


def test_training_counts_rows_and_keeps_each_record_once(place: Place) -> None:
    """The counts for drift are those of rows too."""
    place.load(TRIPS, MIXED)
    metrics = train_model(place.store, "rooms", place.settings).metrics
    assert (metrics["rows"], metrics["records"]) == (66, 6)
    assert metrics["teacher"]["rows"] == sum(metrics["answers"].values()) == 66
    assert metrics["teacher"]["labels"]["small"]["rows"] == 41


def test_a_new_model_is_compared_on_rows(place: Place) -> None:
    """Six records would be too few."""
    place.load(TRIPS, MIXED)
    train_model(place.store, "rooms", place.settings)
    again = train_model(place.store, "rooms", place.settings)
    assert again.decision.reason == "not worse on 66 rows"


def test_the_labels_of_a_spec_choose_among_the_rows_of_a_record(place: Place) -> None:
    """A record keeps those of its rows that have one of them."""
    dataset = place.load(TRIPS, MIXED[:30] + trips(("work", "30", "odd", 40))[1:] + MIXED[30:])
    only = msgspec.structs.replace(TRIPS, labels=("big", "small"))
    register(place.store, only)
    metrics = train_model(place.store, dataset.name, place.settings).metrics
    assert (metrics["rows"], metrics["labels"]) == (66, ["big", "small"])


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (trips(("work", "30", "", 30)), "rooms: no row has a label; import a file with a column y"),
        (trips(("work", "30", "big", 19)), "rooms: 19 labelled rows are too few"),
        (trips(("work", "30", "big", 25), ("fun", "1", "big", 5)), "rooms: every label is big"),
        (trips(*(("work", str(at), f"row {at}", 1) for at in range(30))), "no label has 2 rows"),
        (
            trips(("work", "30", "big", 25), ("work", "30", "small", 5)),
            "rooms: all 30 labelled rows have the same inputs",
        ),
    ],
)
def test_rows_that_cannot_be_learnt_from_are_refused(
    place: Place, lines: list[str], words: str
) -> None:
    """The message says what is missing."""
    place.load(TRIPS, lines)
    with pytest.raises(TrainingError) as caught:
        train_model(place.store, "rooms", place.settings)
    assert words in str(caught.value)


@pytest.mark.parametrize(("number", "shown"), [("7.50", "7.5"), ("0", "0"), ("-3", "-3")])
def test_a_number_that_never_varies_is_refused(place: Place, number: str, shown: str) -> None:
    """A constant answers it; the message says which number it is."""
    place.load(
        spec_of("regression", age=NumberField()),
        ["age,y", *(f"{at},{number}" for at in range(40))],
    )
    with pytest.raises(TrainingError, match=f"^rooms: every y is {shown}; import rows with others"):
        train_model(place.store, "rooms", place.settings)


@pytest.mark.parametrize(("negative", "lowest"), [(False, 0.0), (True, -float("inf"))])
def test_teacher_and_student_are_served_with_the_same_warnings(
    place: Place, *, negative: bool, lowest: float
) -> None:
    """An unseen choice and a date outside the range are named, and no count is below zero."""
    spec = spec_of(
        "regression", trip=ChoiceField(), day=DateField(), age=NumberField(optional=True)
    )
    lines = ["trip,day,age,y"]
    for at in range(40):
        y = -at if negative else max(0, 3 * (20 - at))
        lines.append(
            f"{('work', 'fun')[at % 2]},2024-01-{at % 28 + 1:02},{at if at % 9 else ''},{y}"
        )
    dataset = place.load(spec, lines)
    train_model(place.store, "rooms", place.settings)
    with place.store.reading() as connection:
        model = active_model(connection, dataset.id)
        assert model is not None
        teacher, student = read_teacher(connection, model), read_student(connection, model)
    columns = model.metrics["columns"]
    assert columns["day.weekday"] == "choice"
    recipe = PredictionRecipe(encode_spec(spec), "rooms@1", columns, teacher, student, ())
    rows: list[dict[str, Any]] = [
        {"trip": "sport", "day": "2031-05-01", "age": 500},
        {"trip": None, "day": None, "age": None},
    ]
    predicted: list[PredictedRow] = recipe.start()(rows)
    scorer = Student(decode_student(student.data, student.sha256))
    assert scorer.lowest == lowest
    for row, made in zip(rows, predicted, strict=True):
        ours = student_answer("rooms", "rooms@1", scorer, row, "off")
        assert list(decode_answer(made.body).warnings) == list(ours.warnings)
        for answer in (ours, decode_answer(made.body)):
            assert isinstance(answer.prediction, float | int)
            assert answer.prediction >= lowest
    assert decode_answer(predicted[0].body).warnings == [
        "day: 2031-05-01 is above 2024-01-28, the largest seen in training",
        "age: 500 is above 39, the largest seen in training",
        "trip: 'sport' was not seen in training",
    ]


def test_rows_that_cannot_be_read_do_not_stop_an_evaluation(place: Place) -> None:
    """They are counted and described; unseen choices and gaps are answered."""
    place.load(TRIPS, MIXED)
    train_model(place.store, "rooms", place.settings)
    asked = place.write(
        "asked.csv",
        [
            HEADER,
            "work,31,big",
            "work,31,big",
            "sea,,small",
            "work,old,big",
            "work,30,big",
            ",,big",
        ],
    )
    result = evaluate_file(place.store, "rooms", asked, place.settings)
    assert (result["rows"], result["records"], result["seen"], result["skipped"]) == (3, 2, 1, 2)
    assert result["teacher"]["rows"] == 3
    assert len(result["faults"]) == 2
    assert result["faults"][0].startswith(f"{asked}:5: age: must be a number")
    assert result["faults"][1].startswith(f"{asked}:7: trip: ")


def test_only_the_first_reasons_are_kept(place: Place) -> None:
    """All are counted."""
    place.load(TRIPS, MIXED)
    train_model(place.store, "rooms", place.settings)
    asked = place.write("asked.csv", [HEADER, "work,31,big", "sea,1,small", *["work,old,big"] * 25])
    result = evaluate_file(place.store, "rooms", asked, place.settings)
    assert (result["skipped"], len(result["faults"])) == (25, 20)


def test_an_evaluation_without_any_row_that_can_be_read_says_why(place: Place) -> None:
    """The first reason is part of the message."""
    place.load(TRIPS, MIXED)
    train_model(place.store, "rooms", place.settings)
    asked = place.write("asked.csv", [HEADER, "work,old,big"])
    with pytest.raises(DataFileError, match=r"fewer than 2 usable rows; .*must be a num"):
        evaluate_file(place.store, "rooms", asked, place.settings)


def test_rows_with_known_inputs_are_evaluated_only_on_demand(place: Place) -> None:
    """A table with few different inputs has no others."""
    place.load(TRIPS, MIXED)
    train_model(place.store, "rooms", place.settings)
    asked = place.write("asked.csv", [HEADER, *["work,30,big"] * 4])
    with pytest.raises(DataFileError, match="add --every-row"):
        evaluate_file(place.store, "rooms", asked, place.settings)
    result = evaluate_file(place.store, "rooms", asked, place.settings, every_row=True)
    assert (result["rows"], result["seen"]) == (4, 0)
