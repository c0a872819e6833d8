"""Listings of records, on either database."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, select, text, update

from db.errors import InputError, UnknownRecord
from db.queue.chunk import Chunk, claim_chunk, finish_chunk
from db.queue.gate_history import KEEP_SECONDS, GateAverages, last_hour
from db.queue.planner import plan_chunks
from db.queue.worker import WorkerReport, record_heartbeat, register_worker, remove_worker
from db.records.dataset import Dataset, PlanStep, find_dataset, set_plan
from db.records.enrichment import Enrichment
from db.records.listing import MOST_LOOKED_AT, ListingFilter, ListingPage, list_records
from db.records.listing_columns import write_held_out
from db.records.prediction import Prediction
from db.records.record import NewRecord, add_records
from db.records.record_detail import read_record_detail
from db.scoring.response_body import Answer, encode_answer
from db.store import tables
from db.store.engine import Store
from enrich.learning.training import train_model
from tests.conftest import Done, notes_spec, register, run_command, sample_spec, settings_for

from .test_enrich import CHAIN, fill

LABELS = ("cold", "loud", "warm")


@pytest.fixture
def notes(store: Store) -> Dataset:
    """Give a dataset of 300 records, of which two thirds have a label and all a prediction."""
    found = register(store, notes_spec({}))
    chance = random.Random(1)
    records = []
    for number in range(300):
        inputs = found.spec.read_inputs({"sentence": f"phrase {number}"})
        label = LABELS[number % 3] if number % 3 else None
        records.append(NewRecord(found.spec.key(inputs), inputs, label))
    with store.writing() as connection:
        add_records(connection, found.id, records, "import")
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
    return [one.key for page in pages(connection, dataset, wanted) for one in page.rows]


@pytest.mark.parametrize(
    ("wanted", "condition"),
    [
        (ListingFilter(), "1 = 1"),
        (ListingFilter(label="warm"), "label = 'warm'"),
        (ListingFilter(prediction="cold"), "answer = 'cold'"),
        (ListingFilter(label="warm", prediction="cold"), "label = 'warm' AND answer = 'cold'"),
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
def test_page_after_page_a_listing_holds_just_what_was_asked_for(
    store: Store, notes: Dataset, wanted: ListingFilter, condition: str
) -> None:
    """Each record once."""
    with store.reading() as connection:
        keys = listed(connection, notes, wanted)
        rows = connection.execute(select(tables.record.c.key).where(text(condition))).scalars()
        assert sorted(keys) == sorted(key.hex() for key in rows)
    assert len(keys) > 7


def test_the_most_uncertain_come_first(store: Store, notes: Dataset) -> None:
    """Whoever labels by hand begins with those."""
    with store.reading() as connection:
        scores = [
            one.score or 0.0
            for page in pages(connection, notes, ListingFilter("uncertain"))
            for one in page.rows
        ]
    assert scores == sorted(scores)


def test_duplicates_stand_together(store: Store, notes: Dataset) -> None:
    """Group by group."""
    with store.reading() as connection:
        groups = [
            one.group
            for page in pages(connection, notes, ListingFilter("duplicates"))
            for one in page.rows
        ]
    assert groups == sorted(map(str, groups))


def test_a_page_that_finds_nothing_fitting_says_where_to_go_on(
    store: Store, notes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks at so many records and no more, so that it takes no longer."""
    assert MOST_LOOKED_AT > 300
    monkeypatch.setattr("db.records.listing.MOST_LOOKED_AT", 2)
    with store.reading() as connection:
        found = list(pages(connection, notes, ListingFilter("uncertain", label="warm")))
        keys = [one.key for page in found for one in page.rows]
        condition = text("score < 0.75 AND label = 'warm'")
        rows = connection.execute(select(tables.record.c.key).where(condition)).scalars()
        assert sorted(keys) == sorted(key.hex() for key in rows)
    assert any(not page.rows for page in found[:-1])


@pytest.mark.parametrize("after", ["x", "[]", "[1]", '["a"]', '["a", "b", 1]', "zz", '["\\u0000"]'])
@pytest.mark.parametrize(
    "wanted", [ListingFilter(), ListingFilter("disagreements"), ListingFilter("uncertain")]
)
def test_a_place_that_no_page_gave_is_refused(
    store: Store, notes: Dataset, wanted: ListingFilter, after: str
) -> None:
    """It comes from an address that a person may have changed."""
    with store.reading() as connection, pytest.raises(InputError, match="after"):
        list_records(connection, notes.id, wanted, regression=False, after=after)


def test_of_a_regression_those_farthest_from_their_label_come_first(store: Store) -> None:
    """There a label and a prediction are hardly ever the same."""
    found = register(store, sample_spec("customers"))
    rows = []
    for age in range(20, 60):
        inputs = found.spec.read_inputs({"age": age, "education": "PhD", "income": 1000})
        rows.append(NewRecord(found.spec.key(inputs), inputs, repr(float(age))))
    with store.writing() as connection:
        add_records(connection, found.id, rows, "import")
        write_held_out(connection, found.id, [(row.key, "", 40.0) for row in rows[:-5]])
        seen = [
            abs(float(one.label or 0) - (one.score or 0))
            for page in pages(connection, found, ListingFilter("disagreements"))
            for one in page.rows
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


def body(label: str, share: float) -> bytes:
    """Return a prediction."""
    return encode_answer(
        Answer(
            dataset="notes",
            prediction=label,
            probabilities={label: share, "other": 1 - share},
            source="teacher",
            model="notes@1",
            enrichment="done",
        )
    )


def test_what_a_chunk_gave_is_what_its_records_are_listed_by(store: Store) -> None:
    """In the same transaction; a finding that is gone by the next time is gone from the list."""
    found = register(store, notes_spec({}))
    inputs = found.spec.read_inputs({"sentence": "bonjour"})
    key = found.spec.key(inputs)
    with store.writing() as connection:
        add_records(connection, found.id, [NewRecord(key, inputs, None)], "import")
        (record_id,) = connection.execute(select(tables.record.c.id)).scalars()
    found_this = [
        Enrichment(record_id, "a", "f", {"issue": True, "quality": 0.1}, "issue"),
        Enrichment(record_id, "b", "f", {"group": key.hex(), "size": 2}, "duplicates"),
        Enrichment(record_id, "c", "f", {"issue": False}),
    ]
    finish(store, found, found_this, [Prediction(key, body("warm", 0.6), "f", "warm", 0.6)])
    with store.reading() as connection:
        (one,) = list_records(
            connection, found.id, ListingFilter("uncertain"), regression=False
        ).rows
        assert (one.answer, one.score, one.issue, one.group) == ("warm", 0.6, True, key.hex())
    gone = [
        Enrichment(record_id, "a", "g", {"issue": False, "quality": 0.9}, "issue"),
        Enrichment(record_id, "b", "g", None, "duplicates"),
    ]
    finish(store, found, gone, [Prediction(key, body("cold", 0.9), "g", "cold", 0.9)])
    with store.reading() as connection:
        (one,) = list_records(connection, found.id, ListingFilter(), regression=False).rows
        assert (one.answer, one.score, one.issue, one.group) == ("cold", 0.9, False, None)
        assert not list_records(
            connection, found.id, ListingFilter("issues"), regression=False
        ).rows


def test_labelled_records_are_listed_by_what_was_said_without_their_label(store: Store) -> None:
    """A teacher that has learnt from a record repeats its label."""
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
        (one,) = listed(connection, found, ListingFilter("disagreements"))
        detail = read_record_detail(
            connection, find_dataset(connection, "notes"), bytes.fromhex(one)
        )
        assert (detail.label, detail.answer, detail.held_out) == ("cold", "warm", True)
    finish(store, found, [], [Prediction(bytes.fromhex(one), body("cold", 1.0), "f", "cold", 1.0)])
    with store.reading() as connection:
        assert listed(connection, found, ListingFilter("disagreements")) == [one]


def test_a_dossier_says_what_is_known_and_by_which_version(store: Store) -> None:
    """Of a record that is not there, that it is not."""
    found = register(store, CHAIN)
    fill(store, found, rows=2)
    url = store.writer.url.render_as_string(hide_password=False)
    assert run_enrich(url).code == 0
    with store.reading() as connection:
        today = find_dataset(connection, "notes")
        key = connection.execute(select(tables.record.c.key)).scalars().first()
        assert key is not None
        known = read_record_detail(connection, today, key)
        assert {one.enricher for one in known.values} == set(CHAIN.enrichers)
        assert all(one.is_fresh for one in known.values)
        assert all(abs((one.made_at or 0) - time.time()) < 600 for one in known.values)
        assert known.is_fresh
        with pytest.raises(UnknownRecord):
            read_record_detail(connection, today, b"\0" * 16)
    with store.writing() as connection:
        later = set_plan(connection, today, tuple(PlanStep(one.name, "new") for one in today.plan))
        aged = read_record_detail(connection, later, key)
    assert not any(one.is_fresh for one in aged.values)
    assert not aged.is_fresh


def run_enrich(url: str) -> Done:
    """Enrich all that is stale, as a user does."""
    return run_command(url, "enrich", "once")


def test_what_gates_have_read_is_kept_for_an_hour(store: Store) -> None:
    """And no longer than its worker."""
    means = GateAverages(0.5, foreign_cores=1.5, memory_share=0.9)
    with store.writing() as connection:
        first, second = register_worker(connection), register_worker(connection)
        record_heartbeat(connection, first, WorkerReport("open", 5.0, means=means))
        record_heartbeat(connection, second, WorkerReport("open", 5.0, means=means))
        record_heartbeat(connection, second, WorkerReport("open", 5.0))
        ((ago, read),) = last_hour(connection)[first]
        assert (read, abs(ago) < 60) == (means, True)
        connection.execute(update(tables.reading).values(at=tables.reading.c.at - KEEP_SECONDS - 5))
        assert last_hour(connection) == {}
        record_heartbeat(connection, first, WorkerReport("open", 5.0, means=means))
        assert connection.execute(text("SELECT count(*) FROM reading")).scalar() == 1
        remove_worker(connection, first)
        assert connection.execute(text("SELECT count(*) FROM reading")).scalar() == 0
