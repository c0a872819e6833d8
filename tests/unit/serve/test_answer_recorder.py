"""Tests of the answer recorder, without its thread unless a test is about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete, select

from db.records.dataset import Dataset
from db.scoring.response_body import Answer, encode_answer
from db.store import tables
from db.store.direct.errors import DriverError
from db.store.store import Store
from serve.prediction import answer_recorder, request_recorder
from serve.prediction.answer_recorder import AnswerRecorder
from serve.prediction.cache import CachedResponse
from serve.prediction.request_recorder import RequestRecorder
from tests.conftest import make_store, notes_spec, register
from tests.direct import direct_store
from tests.processes import wait_for


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Yield a store for all tests of this module."""
    store = make_store(f"sqlite:///{tmp_path_factory.mktemp('answers') / 'store.db'}")
    yield store
    store.close()


@pytest.fixture
def store(shared_store: Store) -> Store:
    """Return the store without answers."""
    with shared_store.writing() as connection:
        connection.execute(delete(tables.served_answer))
    return shared_store


@pytest.fixture
def dataset(store: Store) -> Dataset:
    """Return a dataset."""
    return register(store, notes_spec({}))


def response(dataset_id: int, prediction: str | float = "warm", key: bytes = b"k" * 16) -> Any:  # noqa: ANN401
    """Return a response as the service makes it."""
    answer = Answer(
        dataset="notes",
        prediction=prediction,
        source="student",
        model="notes@12",
        enrichment="queued",
        probabilities={"warm": 0.75, "cold": 0.25} if prediction == "warm" else msgspec.UNSET,
    )
    body = encode_answer(answer)
    return CachedResponse(body, '"tag"', dataset_id, "notes", "student", str(prediction), key)


def answers(store: Store) -> list[Any]:
    """Return the answers in the store, by request id."""
    query = select(tables.served_answer).order_by(tables.served_answer.c.request_id)
    with store.reading() as connection:
        return list(connection.execute(query))


def test_an_answer_is_kept_with_what_was_predicted(store: Store, dataset: Dataset) -> None:
    """Items of a batch have the id of the request and their place."""
    recorder = AnswerRecorder(direct_store(store), 20)
    recorder.record("r1", response(dataset.id))
    recorder.record("r2", response(dataset.id, 612.5), item=3)
    recorder.write()
    label, number = answers(store)
    assert (label.request_id, label.prediction, label.score) == ("r1", "warm", 0.75)
    assert (label.key, label.source, label.model_version) == (b"k" * 16, "student", 12)
    assert (number.request_id, number.prediction, number.score) == ("r2/3", "612.5", 612.5)


def test_answers_above_the_allowance_of_a_second_are_counted_and_not_kept(
    store: Store, dataset: Dataset
) -> None:
    """The next second has an allowance of its own."""
    recorder = AnswerRecorder(direct_store(store), 2)
    for number in range(5):
        recorder.record(f"a{number}", response(dataset.id))
    recorder.write()
    recorder.record("b", response(dataset.id))
    recorder.write()
    assert [one.request_id for one in answers(store)] == ["a0", "a1", "b"]
    assert recorder.skipped == 3


def test_a_dataset_that_remembers_nothing_has_no_answers_kept(
    store: Store, dataset: Dataset
) -> None:
    """Its responses have no key."""
    recorder = AnswerRecorder(direct_store(store), 20)
    recorder.record("r1", response(dataset.id, key=b""))
    recorder.write()
    assert answers(store) == []


def test_what_waits_while_the_store_is_down_is_bounded(
    store: Store, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written when the store is back, and answers go on being counted meanwhile."""

    def is_down(*_arguments: object, **_more: object) -> None:
        raise DriverError(Exception())

    monkeypatch.setattr(answer_recorder, "MOST_WAITING", 5)
    recorder = AnswerRecorder(direct_store(store), 3)
    with monkeypatch.context() as patched:
        patched.setattr(answer_recorder, "write_answers", is_down)
        for number in range(20):
            recorder.record(f"r{number:02}", response(dataset.id))
            if number % 5 == 4:
                recorder.write()
    recorder.write()
    assert len(answers(store)) == 5
    assert recorder.skipped == 15


def test_answers_of_a_dropped_dataset_do_not_hold_up_others(store: Store, dataset: Dataset) -> None:
    """A web process may answer for a dataset that has just been dropped."""
    recorder = AnswerRecorder(direct_store(store), 20)
    recorder.record("gone", response(dataset.id + 1))
    recorder.record("here", response(dataset.id))
    recorder.write()
    assert [one.request_id for one in answers(store)] == ["here"]
    assert recorder.refused == 1


def test_the_thread_survives_an_answer_that_cannot_be_read(
    store: Store, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later answers are written."""
    monkeypatch.setattr(request_recorder, "ALSO_SECONDS", 0.0)
    monkeypatch.setattr(request_recorder, "GATHER_SECONDS", 0.01)
    recorder = AnswerRecorder(direct_store(store), 20)
    thread = RequestRecorder(direct_store(store), 10, 10, also=recorder.write)
    thread.start()
    try:
        recorder.record("bad", response(dataset.id)._replace(body=b"not JSON"))
        recorder.record("good", response(dataset.id))
        wait_for(lambda: [one.request_id for one in answers(store)] == ["good"], seconds=30)
    finally:
        thread.close()


def test_without_an_allowance_nothing_is_kept(store: Store, dataset: Dataset) -> None:
    """ANSWERS_PER_SECOND=0 turns the recorder off."""
    recorder = AnswerRecorder(direct_store(store), 0)
    recorder.record("r1", response(dataset.id))
    recorder.write()
    assert answers(store) == []
