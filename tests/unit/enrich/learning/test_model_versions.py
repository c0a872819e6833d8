"""Tests of models that other versions of the libraries made: tried first, and then used or not."""

from __future__ import annotations

import threading
from typing import Any

import msgspec
import numpy as np
import pytest
from sqlalchemy import func, select, update

from db.errors import TrainingError
from db.queue.fault import read_faults
from db.queue.quarantine import list_quarantine
from db.queue.workers.worker_registry import register_worker
from db.records.dataset import Dataset, find_dataset
from db.records.models.model_versions import KnownAnswers
from db.records.models.trained_model import Model, active_model
from db.scoring.library_versions import (
    ModelLibraries,
    Versions,
    encode_libraries,
    encode_versions,
    library_versions,
)
from db.spec.field import ChoiceField, NumberField
from db.store import tables
from enrich.evaluation import evaluate_file
from enrich.executors.base import ChildDied, Computed
from enrich.learning.training import train_model
from enrich.planning.maintenance import training_due
from enrich.planning.model_versions import describe_use, why_unusable
from enrich.worker.worker import working
from tests.conftest import run_command
from tests.inline import InlineExecutor, enrich_now
from tests.unit.sample_code import Middle

from .frames import spec_of
from .place import Place

ROOMS = msgspec.structs.replace(
    spec_of("regression", area=NumberField(), town=ChoiceField()),
    teacher="tests.unit.sample_code.middle",
)
LINES = ["area,town,y", *(f"{at},{('Lyon', 'Pau')[at % 2]},{1000 + 3 * at}" for at in range(60))]
HERE = library_versions()["scikit-learn"]
OTHER: Versions = {**library_versions(), "scikit-learn": "1.6.1"}


def trained_elsewhere(place: Place, made: Versions | None = OTHER) -> Dataset:
    """Return a dataset whose active model other versions made; None: earlier code made it."""
    dataset = place.load(ROOMS, LINES)
    train_model(place.store, dataset.name, place.settings)
    values: dict[str, Any] = {"libraries": None, "known_answers": None}
    if made is not None:
        values = {"libraries": encode_libraries(ModelLibraries(made))}
    change_models(place, **values)
    return dataset


def change_models(place: Place, **values: Any) -> None:  # noqa: ANN401
    """Change columns of all stored models."""
    with place.store.writing() as connection:
        connection.execute(update(tables.model).values(**values))


def active(place: Place, dataset: Dataset) -> Model:
    """Return the active model."""
    with place.store.reading() as connection:
        model = active_model(connection, dataset.id)
    assert model is not None
    return model


def count_predictions(place: Place) -> int:
    """Return how many predictions are stored."""
    with place.store.reading() as connection:
        counted = select(func.count()).select_from(tables.prediction)
        return connection.execute(counted).scalar_one()


def why_due(place: Place, dataset: Dataset) -> str:
    """Return why training is due."""
    with place.store.reading() as connection:
        return training_due(connection, find_dataset(connection, dataset.name), place.settings)


def reasons(place: Place) -> list[str]:
    """Return the reasons of all faults."""
    with place.store.reading() as connection:
        assert not list_quarantine(connection, None, 1)
        return [fault.reason for fault in read_faults(connection) if fault.subject == "model"]


def answer_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the teacher answer otherwise than when it was trained, as with another version."""
    monkeypatch.setattr(Middle, "predict", lambda self, rows: np.full(len(rows), self.median_ + 1))


def test_a_model_keeps_the_versions_of_the_libraries_that_made_it(place: Place) -> None:
    """Python is one of them."""
    dataset = place.load(ROOMS, LINES)
    train_model(place.store, dataset.name, place.settings)
    made = active(place, dataset).libraries.made
    assert made == library_versions()
    assert made.keys() == {"Python", "scikit-learn", "NumPy", "skops"}


def test_a_teacher_that_answers_as_before_is_used_with_other_versions(place: Place) -> None:
    """It is tried once, and that is kept with the model."""
    dataset = trained_elsewhere(place)
    enrich_now(place.store, place.settings)
    assert count_predictions(place) == 60
    [check] = active(place, dataset).libraries.checks
    assert (check.versions, check.difference, check.answers) == (library_versions(), "", 60)
    assert not reasons(place)
    assert not why_due(place, dataset)


def test_a_teacher_that_answers_otherwise_is_not_used(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault names the versions; no record is quarantined, and training is due."""
    dataset = trained_elsewhere(place)
    answer_otherwise(monkeypatch)
    enrich_now(place.store, place.settings)
    assert count_predictions(place) == 0
    here = library_versions()["scikit-learn"]
    words = (
        f"rooms@1 was made with scikit-learn 1.6.1, this worker has {here}: 60 of 60 known answers"
    )
    assert reasons(place)[0].startswith(words)
    assert why_due(place, dataset).startswith(words)


def test_stored_answers_stay_while_the_teacher_cannot_be_used(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker of another version does not touch what the earlier one has predicted."""
    dataset = place.load(ROOMS, LINES)
    train_model(place.store, dataset.name, place.settings)
    enrich_now(place.store, place.settings)
    change_models(place, libraries=encode_libraries(ModelLibraries(OTHER)))
    answer_otherwise(monkeypatch)
    enrich_now(place.store, place.settings)
    assert count_predictions(place) == 60
    assert reasons(place)


def test_a_teacher_that_cannot_answer_at_all_is_not_used(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attribute that another version expects is missing: no record is at fault."""
    dataset = trained_elsewhere(place)
    monkeypatch.setattr(Middle, "predict", lambda self, rows: self.other_ * len(rows))
    enrich_now(place.store, place.settings)
    assert "it cannot be used: 'Middle' object has no attribute 'other_'" in reasons(place)[0]
    assert "it cannot be used" in why_due(place, dataset)


def test_a_new_model_takes_the_place_of_one_that_cannot_be_used(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if by chance it is worse: the other one answers nothing here."""
    dataset = trained_elsewhere(place)
    with monkeypatch.context() as patch:
        answer_otherwise(patch)
        enrich_now(place.store, place.settings)
    assert why_due(place, dataset)
    assert train_model(place.store, dataset.name, place.settings).decision.active
    assert not why_due(place, dataset)
    enrich_now(place.store, place.settings)
    assert count_predictions(place) == 60
    assert not reasons(place)


def test_workers_of_two_versions_do_not_train_in_turns(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one lives that has the model's versions, the others leave its dataset to it."""
    dataset = trained_elsewhere(place)
    answer_otherwise(monkeypatch)
    with place.store.writing() as connection:
        other = register_worker(connection)
        versions = encode_versions(OTHER)
        of_worker = tables.worker.c.id == other
        connection.execute(update(tables.worker).where(of_worker).values(libraries=versions))
    enrich_now(place.store, place.settings)
    assert why_unusable(dataset, active(place, dataset))
    assert count_predictions(place) == 0
    assert not reasons(place)
    assert not why_due(place, dataset)


def test_a_model_of_earlier_code_is_tried_on_its_stored_predictions(place: Place) -> None:
    """It does not say which versions made it, and has no other answers."""
    dataset = place.load(ROOMS, LINES)
    train_model(place.store, dataset.name, place.settings)
    enrich_now(place.store, place.settings)
    change_models(place, libraries=None, known_answers=None)
    enrich_now(place.store, place.settings)
    [check] = active(place, dataset).libraries.checks
    assert (check.difference, check.answers) == ("", 60)


def test_a_model_of_earlier_code_that_answers_otherwise_is_not_used(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own stored predictions tell."""
    dataset = place.load(ROOMS, LINES)
    train_model(place.store, dataset.name, place.settings)
    enrich_now(place.store, place.settings)
    change_models(place, libraries=None, known_answers=None)
    answer_otherwise(monkeypatch)
    enrich_now(place.store, place.settings)
    assert reasons(place)[0].startswith("rooms@1 does not say which versions made it")
    assert "60 of 60 known answers are others now" in why_due(place, dataset)


def test_a_model_of_earlier_code_without_answers_is_used(place: Place) -> None:
    """The upgrade came right after its training, most likely with the same libraries."""
    dataset = trained_elsewhere(place, None)
    enrich_now(place.store, place.settings)
    assert count_predictions(place) == 60
    assert not why_due(place, dataset)


def test_a_model_of_other_versions_without_answers_is_not_used(place: Place) -> None:
    """Silently wrong answers would be worse than a new training."""
    dataset = trained_elsewhere(place)
    change_models(place, known_answers=None)
    enrich_now(place.store, place.settings)
    assert count_predictions(place) == 0
    assert "no record is left to check it on" in why_due(place, dataset)


def test_a_student_that_is_the_teacher_needs_no_check(place: Place) -> None:
    """It is plain data, which no library has made."""
    dataset = place.load(msgspec.structs.replace(ROOMS, teacher="default"), LINES)
    train_model(place.store, dataset.name, place.settings)
    change_models(place, libraries=encode_libraries(ModelLibraries(OTHER)))
    enrich_now(place.store, place.settings)
    assert count_predictions(place) == 60
    assert not active(place, dataset).libraries.checks


def test_the_list_of_models_says_which_versions_made_one(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whether it can be used here, which a check has found."""
    dataset = trained_elsewhere(place)
    made = f"rooms@1 was made with scikit-learn 1.6.1, this worker has {HERE}: "
    assert describe_use(dataset, active(place, dataset)) == f"{made}not tried yet"
    enrich_now(place.store, place.settings)
    same = f"{made}it gives the same 60 answers"
    assert describe_use(dataset, active(place, dataset)) == same
    change_models(place, libraries=encode_libraries(ModelLibraries(OTHER)))
    answer_otherwise(monkeypatch)
    enrich_now(place.store, place.settings)
    words = describe_use(dataset, active(place, dataset))
    assert words.endswith("are others now; train again: python -m enrich train rooms")


def test_enrich_once_fails_and_says_that_the_model_cannot_be_used(place: Place) -> None:
    """Its exit code is 1, although nothing else is wrong."""
    trained_elsewhere(place)
    with place.store.reading() as connection:
        stored = connection.execute(select(tables.model.c.known_answers)).scalar_one()
    known = msgspec.msgpack.decode(stored, type=KnownAnswers)
    other = msgspec.structs.replace(known, rows=[[number + 1] for [number] in known.rows])
    change_models(place, known_answers=msgspec.msgpack.encode(other))
    done = run_command(place.settings.database_url, "enrich", "once", CODE_PATHS="tests")
    assert done.code == 1
    assert "rooms@1 was made with scikit-learn 1.6.1, this worker has" in done.err
    assert "60 of 60 known answers are others now; stored answers stay" in done.err
    assert count_predictions(place) == 0


def test_a_model_that_cannot_be_used_is_not_evaluated(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its figures would be those of another model."""
    dataset = trained_elsewhere(place)
    answer_otherwise(monkeypatch)
    enrich_now(place.store, place.settings)
    file = place.write("new.csv", LINES)
    with pytest.raises(TrainingError, match="60 of 60 known answers are others now; run: python"):
        evaluate_file(place.store, dataset.name, file, place.settings, every_row=True)


def test_a_teacher_that_kills_its_process_is_not_used(place: Place) -> None:
    """A tree of another version may have nodes that this one reads beyond the end."""
    dataset = trained_elsewhere(place)

    class Killed(InlineExecutor):
        def compute(self, *_: Any) -> Computed:  # noqa: ANN401
            raise ChildDied("the compute child died with exit code -11")

    with working(place.store, place.settings, threading.Event(), Killed()) as worker:
        worker.enrich()
    assert "it cannot be used: the compute child died with exit code -11" in reasons(place)[0]
    assert why_due(place, dataset)
