"""Tests of trained models in the store: what is kept, compared, evaluated and reported."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from sqlalchemy import update

from db.errors import TrainingError
from db.records.dataset import Dataset
from db.records.models.model_versions import NewModel, add_model
from db.records.models.trained_model import (
    Model,
    active_model,
    all_models,
    read_student,
    read_teacher,
)
from db.records.record import each_record
from db.scoring.student import Student
from db.scoring.student_data import Artifact, decode_student
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import ChoiceField, NumberField, TextField
from db.spec.section import EnricherSpec
from db.store import tables
from enrich.evaluation import evaluate_file
from enrich.learning.portable.linear_model import LinearModel
from enrich.learning.quality.conformal import COVERAGE
from enrich.learning.quality.out_of_fold import encode_out_of_fold, pack_answers
from enrich.learning.quality.report_text import format_report
from enrich.learning.teacher_file import load_teacher
from enrich.learning.training import train_model
from enrich.planning.maintenance import use_model
from tests.inline import enrich_now

from .frames import spec_of
from .place import Place

CODE = "tests.unit.sample_code"
ROOMS = spec_of("regression", area=NumberField(), town=ChoiceField())
WISHES = spec_of("regression", wish=TextField())


def rooms(count: int = 200, noise: float = 5.0) -> list[str]:
    """Return the lines of a file whose numbers depend on area and town."""
    chance, lines = random.Random(1), ["area,town,y"]
    for _ in range(count):
        area, town = chance.randint(10, 100), chance.choice(["Lyon", "Nice", "Pau"])
        y = 1000 + 3 * area + 50 * (town == "Lyon") + chance.gauss(0, noise)
        lines.append(f"{area},{town},{y:.3f}")
    return lines


def active(place: Place, dataset: Dataset) -> tuple[Model, Student, Artifact | None]:
    """Return the active model with its student and its teacher."""
    with place.store.reading() as connection:
        model = active_model(connection, dataset.id)
        assert model is not None
        stored, teacher = read_student(connection, model), read_teacher(connection, model)
    return model, Student(decode_student(stored.data, stored.sha256)), teacher


def test_a_student_that_is_the_teacher_is_stored_alone(place: Place) -> None:
    """There is no second file that could differ from it."""
    dataset = place.load(ROOMS, rooms())
    metrics = train_model(place.store, dataset.name, place.settings).metrics
    model, student, teacher = active(place, dataset)
    assert student.is_teacher
    assert teacher is None
    assert (model.teacher_sha256, model.reads) == ("", {})
    assert metrics["student_is_teacher"]
    assert metrics["teacher"] == metrics["student"]
    assert metrics["estimator"] == metrics["student_estimator"]
    assert metrics["teacher"]["r2"] > 0.95


def test_an_interval_holds_the_truth_of_nine_in_ten_new_rows(place: Place) -> None:
    """Of those that were held out, and of those in another file."""
    dataset = place.load(ROOMS, rooms(1000))
    metrics = train_model(place.store, dataset.name, place.settings).metrics
    assert 0.88 <= metrics["student"]["coverage"] <= 0.92
    _, student, _ = active(place, dataset)
    assert student.interval is not None
    assert student.interval.coverage == COVERAGE
    new = place.write("new.csv", ["area,town,y", *rooms(2500)[1001:]])
    result = evaluate_file(place.store, dataset.name, new, place.settings, every_row=True)
    assert 0.87 <= result["teacher"]["coverage"] <= 0.93


def test_the_inputs_that_decide_are_reported_first(place: Place) -> None:
    """The area decides more than the town does."""
    dataset = place.load(ROOMS, rooms())
    metrics = train_model(place.store, dataset.name, place.settings).metrics
    assert list(metrics["importance"]) == ["area", "town"]
    assert sum(metrics["importance"].values()) == pytest.approx(1)
    lines = format_report("rooms@1", metrics)
    assert any(line.startswith("  what moves the answers most: area ") for line in lines)


def own_teacher(spec: DatasetSpec) -> DatasetSpec:
    """Return a spec with a teacher that always answers the median."""
    return msgspec.structs.replace(spec, teacher=f"{CODE}.middle")


def test_a_spec_s_own_teacher_is_kept_as_a_file(place: Place) -> None:
    """The student answers better, but the spec decides; each has its own interval."""
    dataset = place.load(own_teacher(ROOMS), rooms())
    metrics = train_model(place.store, dataset.name, place.settings).metrics
    model, student, teacher = active(place, dataset)
    assert not student.is_teacher
    assert teacher is not None
    assert model.teacher_sha256 == teacher.sha256
    assert metrics["estimator"] == f"{CODE}.middle"
    assert metrics["student"]["r2"] > 0.95
    assert metrics["teacher"]["r2"] < 0.1
    assert student.interval is not None
    assert student.teacher_interval is not None
    widths = [one.around(0.0)[1] for one in (student.teacher_interval, student.interval)]
    assert widths[0] > 3 * widths[1]
    loaded = load_teacher(teacher, ("tests",))
    assert loaded.predict(np.zeros(1)) == pytest.approx(1195, abs=40)


def test_a_student_learns_the_numbers_that_a_teacher_answers_for_unlabelled_rows(
    place: Place,
) -> None:
    """Few labelled wishes have few of the words; the student knows the price of the others."""
    chance = random.Random(7)
    wishes = [f"tram{100 + 5 * chance.randrange(60)} {chance.random()}" for _ in range(900)]
    lines = [f"{wish},{wish[4:7] if at < 60 else ''}" for at, wish in enumerate(wishes)]
    spec = msgspec.structs.replace(WISHES, teacher=f"{CODE}.prices")
    dataset = place.load(spec, ["wish,y", *lines])
    train_model(place.store, dataset.name, place.settings)
    _, student, teacher = active(place, dataset)
    assert teacher is not None
    errors = [student.number({"wish": wish}) - float(wish[4:7]) for wish in wishes[60:]]
    assert np.mean(np.abs(errors)) < 30


def test_a_spec_s_own_teacher_that_raises_is_named(place: Place) -> None:
    """The message says what it is, that it failed and why."""
    spec = msgspec.structs.replace(WISHES, teacher=f"{CODE}.prices")
    dataset = place.load(spec, ["wish,y", *(f"tram{at}x rapide,{at}" for at in range(30))])
    words = rf"the teacher {CODE}.prices cannot be fitted: ValueError"
    with pytest.raises(TrainingError, match=words):
        train_model(place.store, dataset.name, place.settings)


def test_a_teacher_that_reads_an_enrichment_that_tells_more_is_kept_as_a_file(
    place: Place,
) -> None:
    """How long a wish is decides, which its words do not say."""
    length = EnricherSpec(use=f"{CODE}.Length", reads=("wish",))
    spec = msgspec.structs.replace(WISHES, enrichers={"length": length})
    chance, lines = random.Random(2), ["wish,y"]
    for _ in range(120):
        wish = "".join(chance.choice("abcdefgh") for _ in range(chance.randint(3, 40)))
        lines.append(f"{wish},{len(wish)}")
    dataset = place.load(spec, lines)
    enrich_now(place.store, place.settings)
    metrics = train_model(place.store, dataset.name, place.settings).metrics
    model, student, teacher = active(place, dataset)
    assert not student.is_teacher
    assert teacher is not None
    assert list(model.reads) == ["length"]
    assert metrics["teacher"]["r2"] > 0.99 > metrics["student"]["r2"]
    assert "length" in metrics["columns"]


def test_texts_beside_numbers_are_trained_with_unlabelled_rows(place: Place) -> None:
    """The student answers as its model, which training checks itself."""
    spec = spec_of("classification", wish=TextField(), left=NumberField(), right=NumberField())
    chance, lines = random.Random(3), ["wish,left,right,y"]
    for at in range(220):
        wish = " ".join(chance.choice(["red", "blue", "room", "sea"]) for _ in range(3))
        left, right = chance.random(), chance.random()
        y = ((left > 0.5) != (right > 0.5)) + 2 * ("red" in wish)
        lines.append(f"{wish} {at},{left:.6f},{right:.6f},{f't{y}' if at < 200 else ''}")
    dataset = place.load(spec, lines)
    metrics = train_model(place.store, dataset.name, place.settings).metrics
    assert metrics["unlabelled"] == 20
    assert metrics["student"]["accuracy"] > 0.5
    assert metrics["beats_baseline"]


def test_a_student_that_answers_otherwise_than_its_model_is_never_stored(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of the export must not reach those who ask."""
    exported: Callable[..., Any] = LinearModel.data
    monkeypatch.setattr(
        LinearModel, "data", lambda self, factor=1.0: exported(self, factor * 1.001)
    )
    dataset = place.load(ROOMS, rooms(40))
    with pytest.raises(TrainingError, match="answers otherwise than the model"):
        train_model(place.store, dataset.name, place.settings)
    with place.store.reading() as connection:
        assert all_models(connection, dataset.id) == []


def older_model(place: Place, dataset: Dataset, error: float) -> int:
    """Add an active model as older code left it, which was wrong by `error` out of fold."""
    model, _, _ = active(place, dataset)
    with place.store.reading() as connection:
        student = read_student(connection, model)
        records = list(each_record(connection, dataset.id))
    answers = np.array([[float(record.label or 0) + error] for record in records])
    packed = pack_answers([], [record.key for record in records], answers, answers)
    score = {"r2": 0.9, "mse": 1.0, "rmse": 1.0, "rows": len(records)}
    metrics = {
        "estimator": "linear",
        "target": "y",
        "rows": len(records),
        "columns": {"area": "number"},
        "labels": [],
        "fidelity": 1.0,
        "beats_baseline": True,
        "answers": {},
        **dict.fromkeys(("teacher", "student", "baseline"), score),
    }
    new = NewModel(metrics, {}, student, None, encode_out_of_fold(packed))
    with place.store.writing() as connection:
        version = add_model(connection, dataset.id, new)
    use_model(place.store, dataset.name, version, place.settings)
    return version


@pytest.mark.parametrize(("error", "is_active"), [(0.1, False), (200.0, True)])
def test_a_new_model_replaces_an_older_one_only_if_it_is_not_worse(
    place: Place, error: float, *, is_active: bool
) -> None:
    """Whatever kind of model it is; the older one stays in the list."""
    dataset = place.load(ROOMS, rooms(100))
    train_model(place.store, dataset.name, place.settings)
    assert older_model(place, dataset, error) == 2
    trained = train_model(place.store, dataset.name, place.settings)
    assert trained.decision.active is is_active
    assert active(place, dataset)[0].version == (3 if is_active else 2)
    with place.store.reading() as connection:
        versions = all_models(connection, dataset.id)
    assert [model.version for model in versions] == [3, 2, 1]
    assert "verdict" not in versions[1].metrics


def test_an_older_model_can_be_evaluated_and_reported(place: Place) -> None:
    """Its metrics have no member that was added since."""
    dataset = place.load(ROOMS, rooms(100))
    train_model(place.store, dataset.name, place.settings)
    older_model(place, dataset, 1.0)
    asked = place.write("asked.csv", ["area,town,y", "5,Lyon,1065", "7,Nice,1021", "8,Pau,1024"])
    result = evaluate_file(place.store, dataset.name, asked, place.settings)
    assert result["model"] == "rooms@2"
    lines = format_report(result["model"], result)
    assert lines[0].startswith("rooms@2: 3 labelled rows, teacher linear reads")
    with place.store.reading() as connection:
        old = all_models(connection, dataset.id)[0]
    assert format_report("rooms@2", old.metrics)[2].startswith("  teacher   0.900  ")


def test_damaged_teachers_are_refused_when_a_file_is_evaluated(place: Place) -> None:
    """Its bytes no longer match what was stored with them."""
    dataset = place.load(own_teacher(ROOMS), rooms(40))
    train_model(place.store, dataset.name, place.settings)
    with place.store.writing() as connection:
        connection.execute(update(tables.model).values(teacher=b"damaged"))
    asked = place.write("asked.csv", ["area,town,y", "5,Lyon,1065", "7,Nice,1021"])
    with pytest.raises(Exception, match="do not match their SHA-256"):
        evaluate_file(place.store, dataset.name, asked, place.settings)
