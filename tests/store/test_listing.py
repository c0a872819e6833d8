"""Tests of the listings of records, on both databases."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, text, update

from db.errors import InputError, UnknownRecord
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.queue.chunk import Chunk, claim_chunk, finish_chunk
from db.queue.planner import plan_chunks
from db.queue.workers.gate_history import KEEP_SECONDS, GateAverages, recent_gate_averages
from db.queue.workers.worker_registry import (
    WorkerReport,
    record_heartbeat,
    register_worker,
    remove_worker,
)
from db.records.dataset import Dataset, PlanStep, find_dataset, set_plan
from db.records.enrichment import Enrichment
from db.records.listing_columns import write_held_out
from db.records.listings import index_scan
from db.records.listings.index_scan import choose_scan, count_rows, scan_rows
from db.records.listings.listing import (
    MOST_SCANNED_ROWS,
    ListedRecord,
    ListingPage,
    list_records,
)
from db.records.listings.listing_filter import ListingFilter, read_sort
from db.records.listings.sorted_listing import sort_records, sorted_pages
from db.records.prediction import Prediction
from db.records.record_detail import read_record_detail
from db.scoring.response_body import Answer, encode_answer
from db.store import tables
from db.store.store import Store
from enrich.learning.training import train_model
from tests.conftest import Done, notes_spec, register, run_command, sample_spec, settings_for

from .test_enrich import CHAIN, fill

LABELS = ("cold", "loud", "warm")


@pytest.fixture
def notes(store: Store) -> Dataset:
    """Return a dataset of 300 records: two thirds have a label, and all have a prediction."""
    return add_notes(store)


@pytest.fixture(scope="module")
def read_notes(shared_store: Store) -> Dataset:
    """Return such a dataset for all tests that only read it."""
    return add_notes(shared_store)


def add_notes(store: Store) -> Dataset:
    """Add 300 records to a new dataset, with labels and predictions."""
    found = register(store, notes_spec({}))
    chance = random.Random(1)
    records = []
    for number in range(300):
        inputs = found.spec.read_inputs({"sentence": f"phrase {number}"})
        label = LABELS[number % 3] if number % 3 else None
        records.append(NewRow(found.spec.key(inputs), inputs, label))
    with store.writing() as connection:
        add_rows(connection, found, records, "import")
        rows = connection.execute(select(tables.record)).all()
        for row in rows:
            score = round(chance.uniform(0.3, 1.0), 2)
            columns = {"answer": chance.choice(LABELS), "score": score}
            columns["issue"] = chance.random() < 0.2
            columns["duplicates"] = f"g{row.id % 7}" if row.id % 5 == 0 else None
            connection.execute(
                update(tables.record).where(tables.record.c.id == row.id).values(**columns)
            )
    return found


def pages(
    connection: Connection, dataset: Dataset, wanted: ListingFilter, rows: int = 7
) -> Iterator[ListingPage]:
    """Yield every page of a listing."""
    after = ""
    while True:
        regression = dataset.spec.kind == "regression"
        page = list_records(
            connection, dataset.id, wanted, regression=regression, after=after, rows=rows
        )
        assert len(page.rows) <= rows
        yield page
        after = page.after
        if not after:
            return


def listed(connection: Connection, dataset: Dataset, wanted: ListingFilter) -> list[str]:
    """Return the keys of a whole listing, in its order."""
    return [row.key for page in pages(connection, dataset, wanted) for row in page.rows]


@pytest.mark.parametrize(
    ("wanted", "condition"),
    [
        (ListingFilter(), "1 = 1"),
        (ListingFilter(label="warm"), "label = 'warm'"),
        (ListingFilter(prediction="cold"), "answer = 'cold'"),
        (ListingFilter(label="warm", prediction="cold"), "label = 'warm' AND answer = 'cold'"),
        (ListingFilter("unlabelled"), "label IS NULL"),
        (ListingFilter("unlabelled", prediction="cold"), "label IS NULL AND answer = 'cold'"),
        (ListingFilter(text="PHRASE 1"), "inputs LIKE '%phrase 1%'"),
        (ListingFilter("uncertain", text="1"), "inputs LIKE '%1%' AND score < 0.75"),
        (ListingFilter("disagreements"), "label <> answer"),
        (ListingFilter("disagreements", label="warm"), "label = 'warm' AND answer <> 'warm'"),
        (ListingFilter("disagreements", prediction="cold"), "answer = 'cold' AND label <> 'cold'"),
        (ListingFilter("uncertain"), "score < 0.75"),
        (ListingFilter("uncertain", label="loud"), "score < 0.75 AND label = 'loud'"),
        (ListingFilter("issues"), "issue"),
        (ListingFilter("issues", prediction="loud"), "issue AND answer = 'loud'"),
        (ListingFilter("duplicates"), "duplicates IS NOT NULL"),
        (ListingFilter(group="g0"), "duplicates = 'g0'"),
    ],
    ids=lambda it: str(it) if isinstance(it, str) else "",
)
def test_the_pages_of_a_listing_hold_exactly_the_matching_records(
    shared_store: Store, read_notes: Dataset, wanted: ListingFilter, condition: str
) -> None:
    """Each record appears once."""
    with shared_store.reading() as connection:
        keys = listed(connection, read_notes, wanted)
        rows = connection.execute(select(tables.record.c.key).where(text(condition))).scalars()
        assert sorted(keys) == sorted(key.hex() for key in rows)
    assert len(keys) > 7


def test_the_most_uncertain_records_come_first(shared_store: Store, read_notes: Dataset) -> None:
    """People who label records by hand begin with them."""
    with shared_store.reading() as connection:
        scores = [
            row.score or 0.0
            for page in pages(connection, read_notes, ListingFilter("uncertain"))
            for row in page.rows
        ]
    assert scores == sorted(scores)


def test_the_previous_pages_are_the_pages_that_came_before(
    shared_store: Store, read_notes: Dataset
) -> None:
    """Back and forth, whatever the order is."""
    for wanted in (ListingFilter(), ListingFilter("unlabelled"), ListingFilter("disagreements")):
        with shared_store.reading() as connection:
            forward = list(pages(connection, read_notes, wanted, 20))
            before, backward = forward[-1].before, [forward[-1].rows]
            while before:
                page = list_records(
                    connection, read_notes.id, wanted, regression=False, before=before, rows=20
                )
                backward.append(page.rows)
                assert page.after
                before = page.before
        assert [row.rows for row in forward] == backward[::-1]


def test_a_search_that_ends_before_the_listing_says_where_to_continue(
    store: Store, notes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No matching record is left out."""
    monkeypatch.setattr("db.records.listings.listing.MOST_SEARCHED_ROWS", 50)
    with store.reading() as connection:
        found = list(pages(connection, notes, ListingFilter(text="phrase 299")))
    assert [row.inputs["sentence"] for page in found for row in page.rows] == ["phrase 299"]
    assert len(found) > 5


@pytest.mark.parametrize("name", ["sentence", "label", "prediction", "confidence", "made_at"])
def test_a_listing_is_sorted_by_any_column_both_ways(
    shared_store: Store, read_notes: Dataset, name: str
) -> None:
    """Records without a value come last in either order."""
    sorts = [read_sort(text, ("sentence",)) for text in (name, f"-{name}")]
    for sort in sorts:
        assert sort is not None
        reading = shared_store.reading
        parts = sorted_pages(reading, read_notes.id, ListingFilter(), sort, regression=False)
        values = [_sorted_value(row, name) for part in parts for row in part]
        assert len(values) == 300
        present = [value for value in values if value is not None]
        assert values[: len(present)] == sorted(present, reverse=sort.descending)


def test_a_search_and_a_sort_read_few_rows_at_once(
    store: Store, notes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inputs of 20,000 characters took a GiB of memory in four sorts."""
    limits: list[int] = []

    def scan_few_rows(*arguments: Any) -> Any:  # noqa: ANN401  as they are
        limits.append(arguments[-1])
        return scan_rows(*arguments)

    monkeypatch.setattr(index_scan, "PART_ROWS", 7)
    monkeypatch.setattr(index_scan, "scan_rows", scan_few_rows)
    with store.reading() as connection:
        whole = list_records(connection, notes.id, ListingFilter(), regression=False, rows=300)
        part = list_records(
            connection, notes.id, ListingFilter(text="1"), regression=False, rows=20
        )
    assert [row.key for row in part.rows] == [
        row.key for row in whole.rows if "1" in str(row.inputs["sentence"])
    ][:20]
    sort = read_sort("sentence", ("sentence",))
    assert sort is not None
    pages = sorted_pages(store.reading, notes.id, ListingFilter(), sort, regression=False)
    assert sum(len(page) for page in pages) == 300
    assert max(limits) == 7


def _sorted_value(row: ListedRecord, name: str) -> str | float | None:
    values = {"prediction": row.answer, "confidence": row.score, "sentence": row.inputs["sentence"]}
    value = values[name] if name in values else getattr(row, name)
    assert value is None or isinstance(value, str | float)
    return value


def test_a_listing_that_is_too_long_to_sort_says_so(
    store: Store, notes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sorting a million records would keep the store busy; a filtered listing is sorted."""
    monkeypatch.setattr("db.records.listings.sorted_listing.MOST_SORTED_ROWS", 250)
    sort = read_sort("-confidence", ())
    assert sort is not None
    with store.reading() as connection:
        with pytest.raises(InputError, match="sort"):
            sort_records(connection, notes.id, ListingFilter(), sort, regression=False)
        page = sort_records(
            connection, notes.id, ListingFilter("unlabelled"), sort, regression=False, after="50"
        )
        assert (len(page.rows), page.before, page.after) == (50, "0", "")


def test_the_records_of_a_listing_are_counted(store: Store, notes: Dataset) -> None:
    """Also with a second condition."""
    for wanted, records in (
        (ListingFilter(), 300),
        (ListingFilter("unlabelled"), 100),
        (ListingFilter(label="loud"), 100),
    ):
        with store.reading() as connection:
            assert (
                count_rows(connection, notes.id, choose_scan(wanted, regression=False)) == records
            )
            both = choose_scan(ListingFilter("uncertain", "loud", "warm"), regression=False)
            listed_rows = listed(connection, notes, ListingFilter("uncertain", "loud", "warm"))
            assert count_rows(connection, notes.id, both) == len(listed_rows) > 0


def test_requested_records_are_listed_until_they_are_imported(store: Store, notes: Dataset) -> None:
    """The newest comes first."""
    with store.writing() as connection:
        ids = connection.execute(select(tables.record.c.id).limit(20)).scalars().all()
        for at, record_id in enumerate(ids):
            asked = {"origin": "request", "made_at": 1000.0 + at}
            of_id = tables.record.c.id == record_id
            connection.execute(update(tables.record).where(of_id).values(**asked))
        times = [
            row.made_at
            for page in pages(connection, notes, ListingFilter("asked"))
            for row in page.rows
        ]
    assert times == [1000.0 + at for at in reversed(range(20))]


def test_duplicates_are_listed_together(store: Store, notes: Dataset) -> None:
    """The listing is ordered by group."""
    with store.reading() as connection:
        groups = [
            row.group
            for page in pages(connection, notes, ListingFilter("duplicates"))
            for row in page.rows
        ]
    assert groups == sorted(map(str, groups))


def test_a_page_without_matching_records_says_where_to_continue(
    store: Store, notes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page scans a limited number of records, so that its time is limited."""
    assert MOST_SCANNED_ROWS > 300
    monkeypatch.setattr("db.records.listings.listing.MOST_SCANNED_ROWS", 2)
    with store.reading() as connection:
        found = list(pages(connection, notes, ListingFilter("uncertain", label="warm")))
        keys = [row.key for page in found for row in page.rows]
        condition = text("score < 0.75 AND label = 'warm'")
        rows = connection.execute(select(tables.record.c.key).where(condition)).scalars()
        assert sorted(keys) == sorted(key.hex() for key in rows)
    assert any(not page.rows for page in found[:-1])


@pytest.mark.parametrize("after", ["x", "[]", "[1]", '["a"]', '["a", "b", 1]', "zz", '["\\u0000"]'])
@pytest.mark.parametrize(
    "wanted", [ListingFilter(), ListingFilter("disagreements"), ListingFilter("uncertain")]
)
def test_a_position_that_no_page_returned_is_refused(
    shared_store: Store, read_notes: Dataset, wanted: ListingFilter, after: str
) -> None:
    """The position comes from a URL, which a person may have changed."""
    with shared_store.reading() as connection, pytest.raises(InputError, match="after"):
        list_records(connection, read_notes.id, wanted, regression=False, after=after)


def test_records_of_a_regression_farthest_from_their_label_come_first(store: Store) -> None:
    """In a regression, a label and a prediction are hardly ever equal."""
    found = register(store, sample_spec("customers"))
    rows = []
    for age in range(20, 60):
        inputs = found.spec.read_inputs({"age": age, "education": "PhD", "income": 1000})
        rows.append(NewRow(found.spec.key(inputs), inputs, repr(float(age))))
    with store.writing() as connection:
        add_rows(connection, found, rows, "import")
        write_held_out(connection, found.id, [(row.key, "", 40.0) for row in rows[:-5]])
        seen = [
            abs(float(row.label or 0) - (row.score or 0))
            for page in pages(connection, found, ListingFilter("disagreements"))
            for row in page.rows
        ]
    assert len(seen) == 35
    assert seen == sorted(seen, reverse=True)


def finish(
    store: Store, dataset: Dataset, enrichments: list[Enrichment], predictions: list[Prediction]
) -> Chunk:
    """Plan, claim and finish a chunk with these results."""
    with store.writing() as connection:
        planned = set_plan(connection, dataset, (PlanStep("prediction", str(time.time())),))
        plan_chunks(connection, planned, 1)
        worker_id = register_worker(connection)
        chunk = claim_chunk(connection, {planned.id: planned.revision}, worker_id, 60.0)
        assert chunk is not None
        finish_chunk(connection, chunk, enrichments, predictions)
    return chunk


def body(label: str, probability: float) -> bytes:
    """Return the body of a prediction."""
    return encode_answer(
        Answer(
            dataset="notes",
            prediction=label,
            probabilities={label: probability, "other": 1 - probability},
            source="teacher",
            model="notes@1",
            enrichment="done",
        )
    )


def test_records_are_listed_by_the_results_of_their_last_chunk(store: Store) -> None:
    """A finding that the next chunk does not repeat is not listed any more."""
    found = register(store, notes_spec({}))
    inputs = found.spec.read_inputs({"sentence": "bonjour"})
    key = found.spec.key(inputs)
    with store.writing() as connection:
        add_rows(connection, found, [NewRow(key, inputs, None)], "import")
        (record_id,) = connection.execute(select(tables.record.c.id)).scalars()
    first_results = [
        Enrichment(record_id, "a", "f", {"issue": True, "quality": 0.1}, "issue"),
        Enrichment(record_id, "b", "f", {"group": key.hex(), "size": 2}, "duplicates"),
        Enrichment(record_id, "c", "f", {"issue": False}),
    ]
    finish(store, found, first_results, [Prediction(key, body("warm", 0.6), "f", "warm", 0.6)])
    with store.reading() as connection:
        (row,) = list_records(
            connection, found.id, ListingFilter("uncertain"), regression=False
        ).rows
        assert (row.answer, row.score, row.issue, row.group) == ("warm", 0.6, True, key.hex())
    later_results = [
        Enrichment(record_id, "a", "g", {"issue": False, "quality": 0.9}, "issue"),
        Enrichment(record_id, "b", "g", None, "duplicates"),
    ]
    finish(store, found, later_results, [Prediction(key, body("cold", 0.9), "g", "cold", 0.9)])
    with store.reading() as connection:
        (row,) = list_records(connection, found.id, ListingFilter(), regression=False).rows
        assert (row.answer, row.score, row.issue, row.group) == ("cold", 0.9, False, None)
        assert not list_records(
            connection, found.id, ListingFilter("issues"), regression=False
        ).rows


def test_labelled_records_are_listed_by_their_held_out_answer(store: Store) -> None:
    """A teacher that was trained on a record repeats its label."""
    found = register(store, CHAIN)
    fill(store, found)
    with store.writing() as connection:
        wrong = connection.execute(
            select(tables.record.c.id).where(tables.record.c.label == "warm")
        ).scalars()
        connection.execute(
            update(tables.record).where(tables.record.c.id == wrong.first()).values(label="cold")
        )
    url = store.writer.url.render_as_string(hide_password=False)
    trained = train_model(store, "notes", settings_for(url))
    assert trained.decision.active
    with store.reading() as connection:
        (key,) = listed(connection, found, ListingFilter("disagreements"))
        detail = read_record_detail(
            connection, find_dataset(connection, "notes"), bytes.fromhex(key)
        )
        assert (detail.label, detail.answer, detail.held_out) == ("cold", "warm", True)
    finish(store, found, [], [Prediction(bytes.fromhex(key), body("cold", 1.0), "f", "cold", 1.0)])
    with store.reading() as connection:
        assert listed(connection, found, ListingFilter("disagreements")) == [key]


def test_the_record_detail_shows_which_values_are_fresh(store: Store) -> None:
    """A record that does not exist raises an error."""
    found = register(store, CHAIN)
    fill(store, found, rows=2)
    url = store.writer.url.render_as_string(hide_password=False)
    assert run_enrich(url).code == 0
    with store.reading() as connection:
        current = find_dataset(connection, "notes")
        key = connection.execute(select(tables.record.c.key)).scalars().first()
        assert key is not None
        detail = read_record_detail(connection, current, key)
        assert {value.enricher for value in detail.values} == set(CHAIN.enrichers)
        assert all(value.is_fresh for value in detail.values)
        assert all(abs((value.made_at or 0) - time.time()) < 600 for value in detail.values)
        assert detail.is_fresh
        with pytest.raises(UnknownRecord):
            read_record_detail(connection, current, b"\0" * 16)
    with store.writing() as connection:
        later = set_plan(
            connection, current, tuple(PlanStep(step.name, "new") for step in current.plan)
        )
        stale_detail = read_record_detail(connection, later, key)
    assert not any(value.is_fresh for value in stale_detail.values)
    assert not stale_detail.is_fresh


def run_enrich(url: str) -> Done:
    """Enrich all stale records, as a user does."""
    return run_command(url, "enrich", "once")


def test_gate_averages_are_kept_for_an_hour(store: Store) -> None:
    """The averages of a worker that is removed are deleted."""
    count = select(func.count()).select_from(tables.reading)
    means = GateAverages(0.5, foreign_cores=1.5, memory_share=0.9)
    with store.writing() as connection:
        first, second = register_worker(connection), register_worker(connection)
        record_heartbeat(connection, first, WorkerReport("open", 5.0, means=means))
        record_heartbeat(connection, second, WorkerReport("open", 5.0, means=means))
        record_heartbeat(connection, second, WorkerReport("open", 5.0))
        ((ago, read),) = recent_gate_averages(connection)[first]
        assert (read, abs(ago) < 60) == (means, True)
        connection.execute(update(tables.reading).values(at=tables.reading.c.at - KEEP_SECONDS - 5))
        assert recent_gate_averages(connection) == {}
        record_heartbeat(connection, first, WorkerReport("open", 5.0, means=means))
        assert connection.execute(count).scalar() == 1
        remove_worker(connection, first)
        assert connection.execute(count).scalar() == 0
