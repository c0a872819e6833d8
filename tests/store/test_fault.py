"""Tests of the faults of datasets in the store."""

from __future__ import annotations

import msgspec
import pytest
from sqlalchemy import delete, select, update

from db.errors import MOST_REASON_CHARACTERS, SpecChangeRefused, SpecError
from db.queue.fault import (
    LONGEST_WAIT_SECONDS,
    Fault,
    all_faults,
    backoff_seconds,
    clear_fault,
    read_faults,
    record_fault,
    step_subject,
)
from db.queue.run_history import recorded_run
from db.queue.workers.worker_registry import count_workers, register_worker
from db.queue.workers.worker_row import SILENT_SECONDS, all_workers
from db.records.dataset import Dataset, all_datasets, find_dataset, register_dataset
from db.records.delete_dataset import drop_dataset
from db.spec.field import NumberField
from db.store import tables
from db.store.direct.clock import wall_seconds
from db.store.generation import read_generation
from db.store.store import Store
from enrich.commands.status import format_status
from enrich.worker_status import worker_status
from tests.conftest import notes_spec, register

from .test_enrich import fill


@pytest.fixture
def notes(store: Store) -> Dataset:
    """Return a dataset with 60 labelled records."""
    found = register(store, notes_spec({}))
    fill(store, found)
    return found


def damage(store: Store, dataset: Dataset, spec: str) -> None:
    """Replace the stored spec."""
    with store.writing() as connection:
        of_dataset = tables.dataset.c.id == dataset.id
        connection.execute(update(tables.dataset).where(of_dataset).values(spec=spec))


def record(store: Store, dataset: Dataset, reason: str = "no", seconds: float = 0.0) -> float:
    """Record a fault of an enricher."""
    with store.writing() as connection:
        return record_fault(connection, dataset.id, step_subject("length"), reason, seconds)


def test_a_fault_waits_twice_as_long_after_each_try_and_begins_once(
    store: Store, notes: Dataset
) -> None:
    """Each try has its reason; a wait that is given is kept."""
    assert [record(store, notes, f"no {number}") for number in (1, 2, 3)] == [5, 10, 20]
    assert record(store, notes, "tomorrow", 86_400) == 86_400
    with store.reading() as connection:
        [fault] = read_faults(connection, notes.id)
    assert (fault.dataset, fault.subject, fault.reason) == ("notes", "enricher length", "tomorrow")
    assert (fault.tries, fault.wait_seconds) == (4, 86_400)
    assert fault.since < fault.tried_at


def test_the_wait_never_exceeds_an_hour() -> None:
    """Also after so many tries that the doubled time would be no number."""
    assert max(backoff_seconds(tries) for tries in (1, 12, 10_000)) == LONGEST_WAIT_SECONDS
    assert backoff_seconds(2_000, 5.0, 600.0) == 600.0


def test_a_fault_of_a_wrong_clock_is_tried_again_at_once() -> None:
    """A time in the future is not believed."""
    fault = Fault("notes", "spec", "no", 1000.0, 1, 1000.0, 60.0)
    assert [fault.seconds_left(now) for now in (1000.0, 1050.0, 1100.0, 999.0)] == [60, 10, 0, 0]


def test_web_processes_hear_of_a_fault_when_it_begins_and_when_it_ends(
    store: Store, notes: Dataset
) -> None:
    """Another failed try is no news: the caches of responses are kept."""
    numbers = []
    for work in (
        read_generation,
        lambda connection: record_fault(connection, notes.id, "plan", "no"),
        lambda connection: record_fault(connection, notes.id, "plan", "still no"),
        lambda connection: clear_fault(connection, notes.id, "plan"),
        lambda connection: clear_fault(connection, notes.id, "plan"),
    ):
        with store.writing() as connection:
            work(connection)
        with store.reading() as connection:
            numbers.append(read_generation(connection))
    first = numbers[0]
    assert numbers == [first, first + 1, first + 1, first + 2, first + 2]


def test_any_reason_can_be_stored(store: Store, notes: Dataset) -> None:
    """On one line of bounded length."""
    record(store, notes, "a\0b\n\ud800" + "x" * 1000)
    with store.reading() as connection:
        [fault] = read_faults(connection)
    assert fault.reason.startswith("a b ?x")
    assert len(fault.reason) == MOST_REASON_CHARACTERS


def test_a_deleted_dataset_takes_its_faults_along(store: Store, notes: Dataset) -> None:
    """Also where code deletes it that does not know of faults; a later fault is ignored."""
    record(store, notes)
    drop_dataset(store, notes)
    assert record(store, notes) == 5.0
    other = register(store, notes_spec({}))
    record(store, other)
    with store.writing() as connection:
        connection.execute(delete(tables.dataset).where(tables.dataset.c.id == other.id))
    with store.reading() as connection:
        assert connection.execute(select(tables.fault)).all() == []


@pytest.mark.parametrize(
    "spec",
    ["", "{", "[]", "null", "{}", '{"name": "notes"}', '{"name": "notes", "fields": 1}', "OTHER"],
)
def test_a_damaged_spec_stops_its_dataset_alone(store: Store, notes: Dataset, spec: str) -> None:
    """It is named with what to do; the other datasets are still there."""
    register(store, msgspec.structs.replace(notes_spec({}), name="healthy"))
    with store.reading() as connection:
        of_healthy = tables.dataset.c.name == "healthy"
        other = connection.execute(select(tables.dataset.c.spec).where(of_healthy)).scalar_one()
    damage(store, notes, other if spec == "OTHER" else spec)
    with store.reading() as connection:
        assert [one.name for one in all_datasets(connection)] == ["healthy"]
        [fault] = all_faults(connection)
        with pytest.raises(SpecError, match="the stored spec of notes"):
            find_dataset(connection, "notes")
    assert (fault.dataset, fault.subject) == ("notes", "spec")
    assert fault.reason.endswith("load its file again: python -m db load notes.toml")
    lines = list(format_status(worker_status(store)))
    assert any(line.startswith("notes: spec is stopped: the stored spec") for line in lines)


def test_loading_its_file_mends_a_damaged_spec(store: Store, notes: Dataset) -> None:
    """A file with other fields is refused, since the records would get other keys."""
    damage(store, notes, "{")
    other = msgspec.structs.replace(notes_spec({}), fields={"area": NumberField()})
    with store.writing() as connection, pytest.raises(SpecChangeRefused, match="other fields"):
        register_dataset(connection, other)
    assert register(store, notes_spec({})).spec == notes.spec


def test_a_damaged_plan_is_made_again(store: Store, notes: Dataset) -> None:
    """It can be derived from the spec and the code."""
    with store.writing() as connection:
        connection.execute(update(tables.dataset).values(plan="{"))
    with store.reading() as connection:
        assert find_dataset(connection, notes.name).plan == ()


def test_all_faults_include_commands_whose_last_run_failed(store: Store, notes: Dataset) -> None:
    """Until one of them succeeds."""
    with (
        pytest.raises(SpecError),
        recorded_run(store, notes.id, "train", store.write(register_worker)),
    ):
        raise SpecError("no teacher is named x")
    record(store, notes)
    with store.reading() as connection:
        faults = all_faults(connection)
    assert [(one.subject, one.reason) for one in faults] == [
        ("enricher length", "no"),
        ("train", "no teacher is named x"),
    ]
    with recorded_run(store, notes.id, "train", store.write(register_worker)) as run:
        run.complete("done")
    with store.reading() as connection:
        assert [one.subject for one in all_faults(connection)] == ["enricher length"]


@pytest.mark.parametrize("ahead_seconds", [-SILENT_SECONDS - 30, 5 * 365 * 86_400.0])
def test_status_takes_a_silent_worker_for_dead(store: Store, ahead_seconds: float) -> None:
    """Whether it was killed in another container, or was last seen by a clock that was wrong."""
    store.write(register_worker)
    with store.writing() as connection:
        seen_at = wall_seconds(connection) + ahead_seconds
        values = {"host": "elsewhere", "seen_at": seen_at, "state": "open"}
        connection.execute(update(tables.worker).values(**values))
    with store.reading() as connection:
        assert count_workers(connection) == 0
        [worker] = all_workers(connection)
        assert not worker.lives(wall_seconds(connection))
    lines = list(format_status(worker_status(store)))
    assert not any("gate open" in line for line in lines)
    assert any("taken for dead" in line for line in lines)
    assert "no worker runs; start one: python -m enrich run" in lines
