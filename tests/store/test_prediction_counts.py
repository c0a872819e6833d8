"""Tests of the hourly counts of predictions, and of the count of inputs that wait."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from db.admin.prune import prune_store
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.records.dataset import Dataset
from db.records.models.model_versions import NewModel, activate_model, add_model
from db.records.models.trained_model import active_model
from db.records.record import forget_record
from db.scoring.student_data import Artifact
from db.settings import Settings
from db.store import tables
from db.store.direct.clock import wall_seconds
from db.store.store import Store
from db.traffic.counted_answers import (
    KEEP_HOURS,
    first_hour_of_model,
    prune_prediction_counts,
    read_answer_counts,
    read_prediction_counts,
)
from db.traffic.prediction_counts import HOUR_SECONDS, add_prediction_counts, prediction_name
from db.traffic.requested_inputs import count_waiting
from tests.conftest import ask, register, sample_spec
from tests.inline import enrich_now

from .test_enrich import CHAIN

Counts = Mapping[tuple[int, str, str], int]


@pytest.fixture
def intents(store: Store) -> Dataset:
    """Return a dataset without records."""
    return register(store, sample_spec("intents"))


def add_counts(store: Store, counts: Counts) -> None:
    """Add to the counts of the current hour."""
    with store.writing() as connection:
        add_prediction_counts(connection, counts)


def counted(store: Store, dataset: Dataset, hours: int = 24) -> dict[tuple[str, str], int]:
    """Return the counts of the last hours together, by source and prediction."""
    sums: dict[tuple[str, str], int] = {}
    with store.reading() as connection:
        for _, source, prediction, answers in read_prediction_counts(connection, dataset.id, hours):
            sums[source, prediction] = sums.get((source, prediction), 0) + answers
    return sums


def this_hour(store: Store) -> int:
    """Return the current hour by the store's clock."""
    with store.reading() as connection:
        return int(wall_seconds(connection)) // HOUR_SECONDS


def put_hour(store: Store, dataset: Dataset, hour: int, answers: int = 1) -> None:
    """Add a count of answers in another hour."""
    row = {"dataset_id": dataset.id, "hour": hour, "source": "student", "prediction": "purchase"}
    with store.writing() as connection:
        connection.execute(insert(tables.served).values(**row, answers=answers))


def test_counts_add_up(store: Store, intents: Dataset) -> None:
    """Counts are summed by source and prediction."""
    add_counts(
        store, {(intents.id, "student", "purchase"): 2, (intents.id, "teacher", "purchase"): 1}
    )
    add_counts(
        store, {(intents.id, "student", "purchase"): 40, (intents.id, "student", "find-train"): 1}
    )
    add_counts(store, {})
    assert counted(store, intents) == {
        ("student", "purchase"): 42,
        ("student", "find-train"): 1,
        ("teacher", "purchase"): 1,
    }


def test_counts_may_be_large(store: Store, intents: Dataset) -> None:
    """A count may need more than four bytes."""
    for _ in range(2):
        add_counts(store, {(intents.id, "teacher", "purchase"): 2**40})
    assert counted(store, intents) == {("teacher", "purchase"): 2**41}


def test_each_dataset_has_its_own_counts(store: Store, intents: Dataset) -> None:
    """Two datasets may have the same prediction."""
    customers = register(store, sample_spec("customers"))
    add_counts(store, {(intents.id, "student", "a"): 1, (customers.id, "student", "a"): 2})
    assert counted(store, intents) == {("student", "a"): 1}
    assert counted(store, customers) == {("student", "a"): 2}


def test_concurrent_writers_lose_no_counts(store: Store, intents: Dataset) -> None:
    """The threads write the same rows in different orders, and do not deadlock."""
    names = [f"label {number}" for number in range(10)]

    def count_often(order: list[str]) -> None:
        for _ in range(20):
            add_counts(store, {(intents.id, "student", name): 1 for name in order})

    orders = (names, names[::-1], names[5:] + names[:5], names)
    threads = [threading.Thread(target=count_often, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted(store, intents) == {("student", name): 80 for name in names}


def test_each_hour_is_counted_separately(store: Store, intents: Dataset) -> None:
    """The hours are returned in order."""
    hour = this_hour(store)
    for past in (3, 1, 2):
        put_hour(store, intents, hour - past, past)
    add_counts(store, {(intents.id, "student", "purchase"): 10})
    with store.reading() as connection:
        rows = read_prediction_counts(connection, intents.id)
    assert [(at - hour, answers) for at, _, _, answers in rows[:3]] == [(-3, 3), (-2, 2), (-1, 1)]
    # The next hour may have begun in the meantime.
    assert rows[3][0] - hour in {0, 1}
    assert rows[3][1:] == ("student", "purchase", 10)


def test_counts_are_summed_by_steps_of_hours(store: Store, intents: Dataset) -> None:
    """Steps are counted from 1970, so that a day is one of UTC."""
    day = this_hour(store) // 24 * 24
    for hour, answers in ((day - 25, 1), (day - 24, 2**40), (day - 1, 2**40), (day, 8)):
        put_hour(store, intents, hour, answers)
    with store.reading() as connection:
        by_day = read_answer_counts(connection, intents.id, day - 24, 24)
        by_hour = read_answer_counts(connection, intents.id, day - 1)
    assert [(it.hour - day, it.answers) for it in by_day] == [(-24, 2**41), (0, 8)]
    assert [(it.hour - day, it.answers) for it in by_hour] == [(-1, 2**40), (0, 8)]
    assert all(type(it.answers) is int for it in (*by_day, *by_hour))


def test_answers_of_an_earlier_model_do_not_count(store: Store, intents: Dataset) -> None:
    """The hour in which a model replaced another one has answers of both."""
    begins = []
    with store.writing() as connection:
        for _ in range(2):
            new = NewModel({}, {}, Artifact(b"student", ""), None, b"")
            activate_model(connection, intents, add_model(connection, intents.id, new))
            model = active_model(connection, intents.id)
            assert model is not None
            begins.append(first_hour_of_model(connection, intents.id, model.id))
    assert begins[0] == 0
    assert begins[1] - this_hour(store) in {0, 1}


def test_only_the_requested_number_of_hours_is_returned(store: Store, intents: Dataset) -> None:
    """The current hour is one of them."""
    hour = this_hour(store)
    for past in (0, 1, 5, 12, 40):
        put_hour(store, intents, hour - past, past + 1)
    assert counted(store, intents, 9) == {("student", "purchase"): 1 + 2 + 6}
    assert counted(store, intents, 24) == {("student", "purchase"): 1 + 2 + 6 + 13}


def test_hours_that_are_too_old_are_deleted(store: Store, intents: Dataset) -> None:
    """Hours within `KEEP_HOURS` stay."""
    hour = this_hour(store)
    for past in (0, KEEP_HOURS - 5, KEEP_HOURS + 5, KEEP_HOURS * 3):
        put_hour(store, intents, hour - past)
    with store.writing() as connection:
        assert prune_prediction_counts(connection) == 2
        assert prune_prediction_counts(connection) == 0
        kept = sorted(connection.execute(select(tables.served.c.hour)).scalars())
    assert kept == [hour - KEEP_HOURS + 5, hour]


def test_pruning_the_store_deletes_old_hours(store: Store, intents: Dataset) -> None:
    """The user does not need another command."""
    put_hour(store, intents, this_hour(store) - KEEP_HOURS - 5)
    put_hour(store, intents, this_hour(store))
    prune_store(store)
    with store.reading() as connection:
        assert len(connection.execute(select(tables.served)).all()) == 1


@pytest.mark.parametrize(
    ("prediction", "name"),
    [
        ("find-train", "find-train"),
        ("1830", "1830"),
        (1830.0, "2000"),
        (2170.0, "2000"),
        (-1830.0, "-2000"),
        (0.0, "0"),
        (-0.0, "0"),
        (0.034, "0.03"),
        (96.0, "100"),
        (4e20, "4e+20"),
    ],
)
def test_a_prediction_is_counted_under_a_name(prediction: str | float, name: str) -> None:
    """A label is its own name; a number is rounded to one digit."""
    assert prediction_name(prediction) == name


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(1.7976931348623157e308)
@example(5e-324)
@hypothesis_settings(deadline=None, database=None)
def test_every_number_has_a_short_name_near_it(number: float) -> None:
    """The largest and the smallest numbers have one too."""
    name = prediction_name(number)
    assert len(name) <= len("-4.94066e-324")
    if 1e-300 < abs(number) < 1e300:
        assert float(name) == pytest.approx(number, rel=0.5)


@given(st.lists(st.floats(1, 1e6), min_size=50))
@hypothesis_settings(deadline=None, database=None)
def test_numbers_have_few_names(numbers: list[float]) -> None:
    """There are nine names for each power of ten."""
    assert len({prediction_name(number) for number in numbers}) <= 9 * 6 + 1


def waiting(store: Store, dataset: Dataset, most: int = 100) -> int:
    """Return the number of inputs that wait for workers, at most `most`."""
    with store.reading() as connection:
        return count_waiting(connection, dataset.id, most)


def new_record(dataset: Dataset, sentence: str) -> NewRow:
    """Return a record with a sentence."""
    inputs = dataset.spec.read_inputs({"sentence": sentence})
    return NewRow(dataset.spec.key(inputs), inputs)


@pytest.fixture
def notes(store: Store) -> Dataset:
    """Return a dataset with 5 requested inputs and 3 imported ones."""
    found = register(store, CHAIN)
    with store.writing() as connection:
        ask(connection, found.id, [new_record(found, f"asked {number}") for number in range(5)])
        imported = [new_record(found, f"imported {number}") for number in range(3)]
        add_rows(connection, found, imported, "import")
    return found


def test_requested_inputs_wait(store: Store, notes: Dataset) -> None:
    """The count stops at a maximum, and imported inputs do not count."""
    assert [waiting(store, notes, most) for most in (0, 3, 5, 100)] == [0, 3, 5, 5]
    with store.writing() as connection:
        ask(connection, notes.id, [new_record(notes, "asked 1")])
    assert waiting(store, notes) == 5


def test_waiting_inputs_are_counted_by_dataset(store: Store, notes: Dataset) -> None:
    """Each dataset has its own queue."""
    assert waiting(store, register(store, sample_spec("intents"))) == 0
    assert waiting(store, notes) == 5


def test_an_input_that_is_enriched_or_forgotten_does_not_wait(
    store: Store, settings: Settings, notes: Dataset
) -> None:
    """It makes room for other inputs."""
    with store.writing() as connection:
        forget_record(connection, notes.id, new_record(notes, "asked 0").key)
    assert waiting(store, notes) == 4
    assert enrich_now(store, settings) > 0
    assert waiting(store, notes) == 0


def test_an_input_that_was_enriched_does_not_wait_when_it_is_stale(
    store: Store, settings: Settings, notes: Dataset
) -> None:
    """A new plan makes all records stale, but must not fill the queue."""
    enrich_now(store, settings)
    with store.writing() as connection:
        assert (
            connection.execute(
                update(tables.dataset).values(revision=tables.dataset.c.revision + 1)
            ).rowcount
            == 1
        )
    assert waiting(store, notes) == 0
