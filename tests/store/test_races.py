"""What happens between two transactions: on PostgreSQL for real, on SQLite one after the other."""

from __future__ import annotations

import threading
from functools import partial

import pytest
from sqlalchemy import select, update

from db.admin.prune import DAY_SECONDS, prune_store
from db.queue.chunk import claim_chunk, finish_chunk, records_in_chunk
from db.queue.planner import plan_chunks
from db.queue.run import begin_run, is_running
from db.queue.worker import _host
from db.records.dataset import Dataset, PlanStep, set_plan
from db.records.prediction import Prediction, find_body
from db.records.record import NewRecord, add_records, count_labels, forget_record
from db.scoring.response_body import Answer, encode_answer
from db.settings import Settings
from db.store import tables
from db.store.engine import Store
from db.store.generation import read_generation
from enrich.learning.training import train_model
from enrich.planning.maintenance import use_model
from enrich.worker.worker import PlanChanged, _raise, working
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
    """Give a dataset with a chain of enrichers and 60 labelled records."""
    found = register(store, CHAIN)
    fill(store, found)
    return found


def sentence(dataset: Dataset, text: str, label: str | None = None) -> NewRecord:
    """Return a record."""
    inputs = dataset.spec.read_inputs({"sentence": text})
    return NewRecord(dataset.spec.key(inputs), inputs, label)


def test_a_label_is_kept_where_a_request_brings_the_same_input_at_the_same_time(
    store: Store, notes: Dataset
) -> None:
    """The import has looked, found nothing, and then the request is there first."""
    if store.writer.dialect.name == "sqlite":
        with store.writing() as connection:
            ask(connection, notes.id, [sentence(notes, "bonjour")])
            add_records(connection, notes.id, [sentence(notes, "bonjour", "warm")], "import")
    else:
        asking = store.writer.connect()
        ask(asking, notes.id, [sentence(notes, "bonjour")])

        def label_it() -> None:
            with store.writing() as connection:
                add_records(connection, notes.id, [sentence(notes, "bonjour", "warm")], "import")

        importing = threading.Thread(target=label_it)
        importing.start()
        importing.join(1.0)
        asking.commit()
        asking.close()
        importing.join()
    with store.reading() as connection:
        assert count_labels(connection, notes.id) == 61


def test_a_request_that_is_imported_later_is_no_request_any_more(
    store: Store, notes: Dataset
) -> None:
    """It is not pruned as one."""
    with store.writing() as connection:
        ask(connection, notes.id, [sentence(notes, "bonjour")])
        add_records(connection, notes.id, [sentence(notes, "bonjour")], "import")
        ask(connection, notes.id, [sentence(notes, "bonjour")])
        connection.execute(
            update(tables.record).values(made_at=tables.record.c.made_at - 99 * DAY_SECONDS)
        )
    assert prune_store(store)["requests"] == 0


def test_writers_of_the_same_records_in_other_orders_both_come_through(
    store: Store, notes: Dataset
) -> None:
    """Neither waits for the other for ever, nor fails."""
    rows = [sentence(notes, f"phrase {number}", "warm") for number in range(300)]
    errors: list[BaseException] = []

    def write(some: list[NewRecord], label: str) -> None:
        mine = [NewRecord(one.key, one.inputs, label) for one in some]
        try:
            for _ in range(5):
                store.write(lambda c: add_records(c, notes.id, mine, "import"))
        except BaseException as error:  # noqa: BLE001  told to the test
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


def test_a_model_that_comes_into_use_between_plan_and_work_predicts_nothing_under_the_old_plan(
    store: Store, settings: Settings, notes: Dataset
) -> None:
    """Going back must not find the other model's answers taken for fresh."""
    for _ in range(2):
        train_model(store, "notes", settings, force=True)
    use_model(store, "notes", 1, settings)
    with working(store, settings, threading.Event(), InlineExecutor()) as one:
        planned = one._plan_datasets((), _raise)
        use_model(store, "notes", 2, settings)
        with pytest.raises(PlanChanged):
            one._claim(planned)
        one.enrich()
    use_model(store, "notes", 1, settings)
    enrich_now(store, settings)
    key = sentence(notes, "merci beaucoup 0").key
    with store.reading() as connection:
        assert b'"notes@1"' in (find_body(connection, notes.id, key) or b"")


def test_what_a_killed_worker_had_finished_is_told_by_the_next(
    store: Store, settings: Settings, notes: Dataset
) -> None:
    """Else web processes would serve what they remember for ever."""
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
    """Whichever comes first."""
    with store.writing() as connection:
        dataset = set_plan(connection, notes, (PlanStep("prediction", "f"),))
        plan_chunks(connection, dataset, 1)
        taken = claim_chunk(connection, {dataset.id: dataset.revision}, 1, LEASE)
    assert taken is not None
    with store.reading() as connection:
        keys = [one.key for one in records_in_chunk(connection, taken)]
    with store.writing() as connection:
        finish_chunk(
            connection, taken, [], [Prediction(key, SOME_BODY, "f", "loud", 1.0) for key in keys]
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
    """Nobody may be left to remove its row."""
    with store.writing() as connection:
        made = tables.worker.insert().values(
            host="elsewhere", process="1 1", started_at=0, seen_at=0, state="", reason=""
        )
        silent = connection.execute(made.returning(tables.worker.c.id)).scalar_one()
        begin_run(connection, notes.id, "train", silent)
        assert not is_running(connection, notes.id, "train")


def test_a_lone_worker_takes_over_from_a_version_that_has_left(
    store: Store, settings: Settings, notes: Dataset
) -> None:
    """Somebody ran a newer version once, and went."""
    with working(store, settings, threading.Event(), InlineExecutor()) as mine:
        mine.enrich()
        with store.writing() as connection:
            set_plan(connection, notes, (PlanStep("length", "of another version"),))
        assert mine.enrich() == 60
        other = select(tables.worker.c.id)
        with store.reading() as connection:
            assert len(connection.execute(other).all()) == 1


def test_an_enricher_whose_new_values_the_old_teacher_cannot_take_heals(
    store: Store, settings: Settings, notes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The values are written, so that the next teacher can learn from them."""
    enrich_now(store, settings)
    train_model(store, "notes", settings)
    monkeypatch.setattr(sample_enrichers.Length, "version", "2")
    monkeypatch.setattr(sample_enrichers.Length, "__call__", lambda _, rows: ["word"] * len(rows))
    monkeypatch.setattr(sample_enrichers.Double, "__call__", lambda _, rows: [1] * len(rows))
    enrich_now(store, settings)
    trained = train_model(store, "notes", settings, force=True)
    assert set(trained.metrics["covering"]) == {"length", "double", "shout"}
    enrich_now(store, settings)
    key = sentence(notes, "merci beaucoup 0").key
    with store.reading() as connection:
        assert b'"notes@2"' in (find_body(connection, notes.id, key) or b"")
