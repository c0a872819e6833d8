"""Tests of the queue of records to label, on both databases."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, select, text, update

from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.labels import queue_scan
from db.labels.label_claim import CLAIM_SECONDS, SKIP_SECONDS, release_key, skip_key
from db.labels.label_queue import (
    UNSURE_SECONDS,
    count_queue,
    count_uncertain,
    known_labels,
    next_record,
    peek_record,
)
from db.labels.queue_scan import Order, QueueScan, page_query, scans_of
from db.labels.record_label import give_label, mark_unsure, undo_label
from db.records.dataset import Dataset
from db.records.prediction import Prediction, write_predictions
from db.scoring.response_body import Answer, encode_answer
from db.store import tables
from db.store.store import Store
from enrich.learning.training import train_model
from tests.conftest import ask, make_store, notes_spec, register, settings_for
from tests.hand_made_student import RENTS

LABELS = ("cold", "loud", "warm")
MINE, OTHER = "a" * 24, "b" * 24


@pytest.fixture
def notes(store: Store) -> Dataset:
    """Return a dataset of 40 records: the first ten have a label, the last ten no answer."""
    found = register(store, notes_spec({}))
    rows = [new_row(found, number, "warm" if number < 10 else None) for number in range(40)]
    with store.writing() as connection:
        add_rows(connection, found, rows, "import")
        for number in range(30):
            answer = LABELS[number % 3]
            change(connection, rows[number].key, answer=answer, score=(60 + number) / 100)
    return found


def new_row(dataset: Dataset, number: int, label: str | None = None) -> NewRow:
    """Return a row whose sentence has this number."""
    inputs = dataset.spec.read_inputs({"sentence": f"phrase {number}"})
    return NewRow(dataset.spec.key(inputs), inputs, label)


def change(connection: Connection, key: bytes, **values: object) -> None:
    """Change columns of a record."""
    connection.execute(update(tables.record).where(tables.record.c.key == key).values(**values))


def key_of(dataset: Dataset, number: int) -> bytes:
    """Return the key of the record whose sentence has this number."""
    return new_row(dataset, number).key


def take(store: Store, dataset: Dataset, order: Order = "uncertain", holder: str = MINE) -> bytes:
    """Return the next record of a browser, as its page does."""
    key = store.write(lambda connection: next_record(connection, dataset, order, holder))
    assert key is not None
    return key


def skipped(store: Store, dataset: Dataset, order: Order) -> list[bytes]:
    """Skip all records of an order in a browser of its own, and return their keys."""
    keys: list[bytes] = []
    with store.writing() as connection:
        while (key := next_record(connection, dataset, order, order)) is not None:
            keys.append(key)
            skip_key(connection, dataset.id, key, order)
    return keys


def test_each_order_begins_with_what_matters_most_in_it(store: Store, notes: Dataset) -> None:
    """Each record comes once, and then nothing is left."""
    doubtful = sorted([key_of(notes, 3), key_of(notes, 5)])
    with store.writing() as connection:
        for key in doubtful:
            change(connection, key, issue=True)
    assert skipped(store, notes, "asked") == []
    by_doubt = skipped(store, notes, "uncertain")
    assert by_doubt[:20] == [key_of(notes, number) for number in range(10, 30)]
    # Those without an answer come last.
    assert sorted(by_doubt[20:]) == sorted(key_of(notes, number) for number in range(30, 40))
    wrong = [number for number in range(9, -1, -1) if LABELS[number % 3] != "warm"]
    assert skipped(store, notes, "disagreements") == [key_of(notes, number) for number in wrong]
    assert skipped(store, notes, "issues") == doubtful
    # The keys have nothing to do with the inputs.
    assert sorted(skipped(store, notes, "sample")) == sorted(key_of(notes, it) for it in range(40))
    # What was imported is not among what was asked, nor what has a label.
    with store.writing() as connection:
        ask(connection, notes.id, [new_row(notes, number) for number in range(39, 44)])
        for number in range(40, 44):
            change(connection, key_of(notes, number), made_at=float(number))
        change(connection, key_of(notes, 42), label="warm")
    assert skipped(store, notes, "asked") == [key_of(notes, number) for number in (43, 41, 40)]


def test_what_a_person_has_labelled_does_not_come_again(store: Store, notes: Dataset) -> None:
    """That holds also for a label that a person has confirmed."""
    first = take(store, notes, "disagreements")
    assert first == key_of(notes, 9)
    with store.writing() as connection:
        give_label(connection, notes, first, "warm", "key of a test")
        release_key(connection, notes.id, first, MINE)
    assert take(store, notes, "disagreements") == key_of(notes, 7)
    assert first not in skipped(store, notes, "sample")


def test_browsers_that_ask_at_the_same_time_get_different_records(
    store: Store, notes: Dataset
) -> None:
    """One waits for the other."""
    with ThreadPoolExecutor(4) as threads:
        keys = list(threads.map(lambda holder: take(store, notes, holder=holder), "abcdefgh"))
    assert len(set(keys)) == 8


def let_pass(store: Store, seconds: float) -> None:
    """Move all claims into the past, as if time had passed."""
    ends = tables.label_claim.c.held_until
    with store.writing() as connection:
        connection.execute(update(tables.label_claim).values(held_until=ends - seconds))


def test_two_browsers_get_different_records_until_a_claim_ends(
    store: Store, notes: Dataset
) -> None:
    """Each gets its own record again for ten minutes; the table keeps no claim that has ended."""
    mine, other = take(store, notes), take(store, notes, holder=OTHER)
    assert (mine, other) == (key_of(notes, 10), key_of(notes, 11))
    assert take(store, notes) == mine
    assert take(store, notes, holder=OTHER) == other
    with store.reading() as connection:
        assert peek_record(connection, notes, "uncertain") == key_of(notes, 12)
    let_pass(store, CLAIM_SECONDS - 60)
    assert take(store, notes, holder=OTHER) == other
    let_pass(store, CLAIM_SECONDS)
    assert take(store, notes, holder=OTHER) == mine
    with store.reading() as connection:
        holders = connection.execute(select(tables.label_claim.c.holder)).scalars().all()
    assert holders == [OTHER]


def test_a_skipped_record_goes_to_others_and_comes_back_after_a_day(
    store: Store, notes: Dataset
) -> None:
    """Skipping ends the claim."""
    first = take(store, notes)
    with store.writing() as connection:
        skip_key(connection, notes.id, first, MINE)
    assert take(store, notes) == key_of(notes, 11)
    assert take(store, notes, holder=OTHER) == first
    let_pass(store, SKIP_SECONDS + 60)
    assert take(store, notes) == first


def test_a_record_that_nobody_can_decide_is_left_out_for_a_month(
    store: Store, notes: Dataset
) -> None:
    """It is left out for all browsers, and comes back at once if that is undone."""
    with store.writing() as connection:
        key = key_of(notes, 10)
        given = mark_unsure(connection, notes, key, "key of a test")
    assert take(store, notes, holder=OTHER) == key_of(notes, 11)
    made_at = tables.observation.c.made_at
    with store.writing() as connection:
        connection.execute(update(tables.observation).values(made_at=made_at - UNSURE_SECONDS))
    assert take(store, notes) == key
    with store.writing() as connection:
        connection.execute(update(tables.observation).values(made_at=made_at + UNSURE_SECONDS))
        undo_label(connection, notes, given, "key of a test")
    assert take(store, notes) == key


def test_counts_are_of_uncertain_records_and_end_at_a_limit(store: Store, notes: Dataset) -> None:
    """What a person has judged does not count."""
    with store.writing() as connection:
        mark_unsure(connection, notes, key_of(notes, 10), "key of a test")
        assert count_queue(connection, notes, "uncertain", 1001) == 29
        assert count_uncertain(connection, notes, 1001) == 4
        assert count_uncertain(connection, notes, 3) == 3
        assert count_queue(connection, notes, "sample", 1001) == 39
        assert count_queue(connection, notes, "sample", 7) == 7
        assert known_labels(connection, notes.id, 10) == ["warm"]
        for number, label in ((0, "loud"), (1, "cold")):
            give_label(connection, notes, key_of(notes, number), label, "key of a test")
        assert known_labels(connection, notes.id, 10) == ["cold", "loud", "warm"]
        assert known_labels(connection, notes.id, 2) == ["cold", "loud"]


def test_the_queue_goes_on_behind_a_page_of_records_that_are_done(
    store: Store, notes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to wait until a page of the index is free."""
    monkeypatch.setattr(queue_scan, "PAGE_ROWS", 10)
    with store.writing() as connection:
        rows = sorted(connection.execute(select(tables.record.c.key, tables.record.c.id)).all())
        given = {"dataset_id": notes.id, "origin": "person", "label": "warm", "made_at": 0.0}
        labels = [{**given, "record_id": row.id, "ordinal": -1} for row in rows[:-1]]
        connection.execute(tables.observation.insert(), labels)
    assert take(store, notes, "sample") == rows[-1].key


@pytest.fixture
def rents(store: Store) -> Dataset:
    """Return a regression of six records: three have a label, all have an answer."""
    found = register(store, RENTS)
    inputs = [found.spec.read_inputs({"area": area, "town": "Lyon"}) for area in range(10, 16)]
    keys = [found.spec.key(one) for one in inputs]
    with store.writing() as connection:
        rows = [
            NewRow(key, one, "100.0" if at < 3 else None, row_id=str(at))
            for at, (key, one) in enumerate(zip(keys, inputs, strict=True))
        ]
        add_rows(connection, found, rows, "import")
        for at, key in enumerate(keys):
            change(connection, key, score=100.0 + 10 * at)
        answers = [rent(key, 5.0 * at) for at, key in enumerate(keys)]
        write_predictions(connection, found.id, answers)
    return found


def rent(key: bytes, width: float) -> Prediction:
    """Return a predicted rent with an interval of this width."""
    answer = Answer(
        dataset="rents",
        prediction=100.0,
        interval=(100.0, 100.0 + width),
        source="teacher",
        model="rents@1",
        enrichment="done",
    )
    return Prediction(key, encode_answer(answer), "of the tests", "", 100.0)


def test_numbers_come_by_their_intervals_or_their_errors(store: Store, rents: Dataset) -> None:
    """The widest interval comes first; those without a label have no error."""
    keys = [rents.spec.key({"area": area, "town": "Lyon"}) for area in range(10, 16)]
    assert skipped(store, rents, "uncertain") == keys[:2:-1]
    assert skipped(store, rents, "disagreements") == keys[2::-1]
    with store.reading() as connection:
        assert count_queue(connection, rents, "uncertain", 1001) == 3
        assert count_uncertain(connection, rents, 1001) == 0


def test_training_learns_from_the_labels_that_people_gave(sqlite_url: str) -> None:
    """A record about which somebody was unsure has no label to learn from."""
    store = make_store(sqlite_url)
    dataset = register(store, notes_spec({}))
    tones = {number: LABELS[number % 3] for number in range(45)}
    inputs = [
        dataset.spec.read_inputs({"sentence": f"{tone} {number}"}) for number, tone in tones.items()
    ]
    with store.writing() as connection:
        add_rows(
            connection, dataset, [NewRow(dataset.spec.key(it), it, None) for it in inputs], "import"
        )
        for number, tone in tones.items():
            give_label(connection, dataset, dataset.spec.key(inputs[number]), tone, "key of a test")
        mark_unsure(connection, dataset, dataset.spec.key(inputs[0]), "key of a test")
    trained = train_model(store, "notes", settings_for(sqlite_url))
    assert trained.metrics["rows"] == 45
    store.close()


INDEXES: dict[tuple[Order, bool], list[str]] = {
    ("uncertain", False): ["record_unlabelled"],
    ("uncertain", True): ["sqlite_autoindex_record_1", "record_unlabelled"],
    ("disagreements", False): ["record_mistaken"],
    ("disagreements", True): ["record_far"],
    ("issues", False): ["record_with_issue"],
    ("sample", False): ["sqlite_autoindex_record_1"],
    ("asked", False): ["record_asked"],
}


def test_every_order_reads_an_index(sqlite_url: str) -> None:
    """No order sorts or reads all records. PostgreSQL reads small tables without an index."""
    store = make_store(sqlite_url)
    with store.reading() as connection:
        for (order, regression), indexes in INDEXES.items():
            for scan, index in zip(scans_of(order, regression=regression), indexes, strict=True):
                assert index_of(connection, scan) == index, order
    store.close()


def index_of(connection: Connection, scan: QueueScan) -> str:
    """Return the index that a page of a scan is read from, in its order."""
    query = page_query(1, scan).compile(connection, compile_kwargs={"literal_binds": True})
    (step,) = connection.execute(text(f"EXPLAIN QUERY PLAN {query}")).all()
    found = re.search(r"INDEX (\w+) \(", step.detail)
    return found[1] if found else ""
