"""Tests of races between transactions; on SQLite the transactions run one after the other."""

from __future__ import annotations

import threading
from functools import partial

import pytest
from sqlalchemy import select, update

from db.admin.clock_check import DAY_SECONDS
from db.admin.prune import prune_store
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.queue.chunk import claim_chunk, finish_chunk, records_in_chunk
from db.queue.fault import read_faults
from db.queue.planner import plan_chunks
from db.queue.quarantine import count_quarantined
from db.queue.run_history import begin_run, is_running
from db.queue.workers.worker_registry import _host
from db.records.dataset import Dataset, PlanStep, set_plan
from db.records.lookup import find_body
from db.records.observation import count_labels
from db.records.prediction import Prediction
from db.records.record import forget_record
from db.scoring.response_body import Answer, encode_answer
from db.settings import Settings
from db.store import tables
from db.store.generation import read_generation
from db.store.store import Store
from enrich.executors.base import RecipeError
from enrich.learning.training import train_model
from enrich.planning.due_command import raise_error
from enrich.planning.maintenance import use_model
from enrich.worker.worker import PlanChanged, working
from tests.conftest import ask, register
from tests.inline import InlineExecutor, enrich_now

from . import sample_enrichers
from .test_enrich import CHAIN, fill

LEASE = 60.0
SOME_BODY = encode_answer(
    Answer(
        dataset="notes",
        prediction="loud",
        probabilities={"loud": 1.0},
        source="teacher",
        model="notes@1",
        enrichment="done",
    )
)


@pytest.fixture
def notes(store: Store) -> Dataset:
    """Return a dataset with a chain of enrichers and 60 labelled records."""
    found = register(store, CHAIN)
    fill(store, found)
    return found


def sentence(dataset: Dataset, text: str, label: str | None = None) -> NewRow:
    """Return a record with this sentence."""
    inputs = dataset.spec.read_inputs({"sentence": text})
    return NewRow(dataset.spec.key(inputs), inputs, label)


def test_a_label_is_kept_if_the_same_input_is_requested_at_the_same_time(
    store: Store, notes: Dataset
) -> None:
    """The import finds no record, and then the request is committed first."""
    if store.writer.dialect.name == "sqlite":
        with store.writing() as connection:
            ask(connection, notes.id, [sentence(notes, "bonjour")])
            add_rows(connection, notes, [sentence(notes, "bonjour", "warm")], "import")
    else:
        asking = store.writer.connect()
        ask(asking, notes.id, [sentence(notes, "bonjour")])

        def label_it() -> None:
            with store.writing() as connection:
                add_rows(connection, notes, [sentence(notes, "bonjour", "warm")], "import")

        importing = threading.Thread(target=label_it)
        importing.start()
        importing.join(1.0)
        asking.commit()
        asking.close()
        importing.join()
    with store.reading() as connection:
        assert count_labels(connection, notes.id) == 61


def test_a_requested_input_that_is_imported_later_does_not_count_as_a_request(
    store: Store, notes: Dataset
) -> None:
    """Pruning must not delete it as an old request."""
    with store.writing() as connection:
        ask(connection, notes.id, [sentence(notes, "bonjour")])
        add_rows(connection, notes, [sentence(notes, "bonjour")], "import")
        ask(connection, notes.id, [sentence(notes, "bonjour")])
        connection.execute(
            update(tables.record).values(made_at=tables.record.c.made_at - 99 * DAY_SECONDS)
        )
    assert prune_store(store)["requests"] == 0


def test_two_writers_of_the_same_records_in_opposite_orders_both_succeed(
    store: Store, notes: Dataset
) -> None:
    """They do not deadlock, and neither fails."""
    rows = [sentence(notes, f"phrase {number}", "warm") for number in range(300)]
    errors: list[BaseException] = []

    def write(some: list[NewRow], label: str) -> None:
        labelled = [NewRow(record.key, record.inputs, label) for record in some]
        try:
            for _ in range(5):
                store.write(lambda c: add_rows(c, notes, labelled, "import"))
        except BaseException as error:  # noqa: BLE001  the test asserts on it
            errors.append(error)

    threads = [
        threading.Thread(target=write, args=(rows, "warm")),
        threading.Thread(target=write, args=(rows[::-1], "cold")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_model_activated_between_plan_and_work_predicts_nothing_under_the_old_plan(
    store: Store, settings: Settings, notes: Dataset
) -> None:
    """Otherwise the other model's answers would count as fresh after going back."""
    for _ in range(2):
        train_model(store, "notes", settings, force=True)
    use_model(store, "notes", 1, settings)
    with working(store, settings, threading.Event(), InlineExecutor()) as worker:
        planned = worker._plans.read((), raise_error)
        use_model(store, "notes", 2, settings)
        with pytest.raises(PlanChanged):
            worker._claim(planned)
        worker.enrich()
    use_model(store, "notes", 1, settings)
    enrich_now(store, settings)
    key = sentence(notes, "merci beaucoup 0").key
    with store.reading() as connection:
        assert b'"notes@1"' in (find_body(connection, notes.id, key) or b"")


def test_the_next_worker_raises_the_generation_for_one_that_was_killed(
    store: Store, settings: Settings, notes: Dataset
) -> None:
    """Otherwise web processes would serve the old cached responses for ever."""
    with store.reading() as connection:
        before = read_generation(connection)
    with store.writing() as connection:
        dead = tables.worker.insert().values(
            host=_host(), process="999999999 1", started_at=0, seen_at=0, state="", reason=""
        )
        connection.execute(dead)
    enrich_now(store, settings)
    with store.reading() as connection:
        assert read_generation(connection) > before
    assert notes.name == "notes"


def test_a_record_forgotten_while_its_chunk_is_finished_leaves_no_prediction(
    store: Store, notes: Dataset
) -> None:
    """It makes no difference which transaction comes first."""
    with store.writing() as connection:
        dataset = set_plan(connection, notes, (PlanStep("prediction", "f"),))
        plan_chunks(connection, dataset, 1)
        chunk = claim_chunk(connection, {dataset.id: dataset.revision}, 1, LEASE)
    assert chunk is not None
    with store.reading() as connection:
        keys = [record.key for record in records_in_chunk(connection, chunk)]
    with store.writing() as connection:
        finish_chunk(
            connection, chunk, [], [Prediction(key, SOME_BODY, "f", "loud", 1.0) for key in keys]
        )
        erase = partial(forget_record, dataset_id=notes.id, key=keys[0])
        forgetting = threading.Thread(target=store.write, args=(erase,))
        forgetting.start()
        forgetting.join(0.5)
    forgetting.join()
    with store.reading() as connection:
        assert find_body(connection, notes.id, keys[0]) is None
        assert find_body(connection, notes.id, keys[1]) is not None


def test_a_training_whose_worker_fell_silent_does_not_count_as_running(
    store: Store, notes: Dataset
) -> None:
    """There may be no process left that removes its row."""
    with store.writing() as connection:
        made = tables.worker.insert().values(
            host="elsewhere", process="1 1", started_at=0, seen_at=0, state="", reason=""
        )
        silent = connection.execute(made.returning(tables.worker.c.id)).scalar_one()
        begin_run(connection, notes.id, "train", silent)
        assert not is_running(connection, notes.id, "train")


def test_a_single_worker_replaces_the_plan_of_a_version_that_has_ended(
    store: Store, settings: Settings, notes: Dataset
) -> None:
    """A newer version was started once and has ended."""
    with working(store, settings, threading.Event(), InlineExecutor()) as worker:
        worker.enrich()
        with store.writing() as connection:
            set_plan(connection, notes, (PlanStep("length", "of another version"),))
        assert worker.enrich() == 60
        workers = select(tables.worker.c.id)
        with store.reading() as connection:
            assert len(connection.execute(workers).all()) == 1


def test_values_that_the_old_teacher_cannot_read_are_still_written(
    store: Store, settings: Settings, notes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next teacher can learn from them and predict again."""
    enrich_now(store, settings)
    train_model(store, "notes", settings)
    monkeypatch.setattr(sample_enrichers.Length, "version", "2")
    monkeypatch.setattr(sample_enrichers.Length, "__call__", lambda _, rows: ["word"] * len(rows))
    monkeypatch.setattr(sample_enrichers.Double, "__call__", lambda _, rows: [1] * len(rows))
    with pytest.raises(RecipeError, match="prediction: fails on every record"):
        enrich_now(store, settings)
    with store.reading() as connection:
        assert count_quarantined(connection, notes.id) == 0, "it is the teacher's fault"
        assert [one.subject for one in read_faults(connection)] == ["prediction"]
    trained = train_model(store, "notes", settings, force=True)
    assert set(trained.metrics["covering"]) == {"length", "double", "shout"}
    enrich_now(store, settings)
    key = sentence(notes, "merci beaucoup 0").key
    with store.reading() as connection:
        assert b'"notes@2"' in (find_body(connection, notes.id, key) or b"")
        assert read_faults(connection) == []
