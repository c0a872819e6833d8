"""What the server leaves in the store: what it answered, and no more inputs than may wait."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from db.records.dataset import find_dataset
from db.records.record import forget_record
from db.store import tables
from db.store.store import connect_store
from db.traffic.prediction_counts import prediction_name
from serve.prediction.request_recorder import COUNT_SECONDS
from tests.conftest import settings_for

from .answers import TAUGHT, teach
from .conftest import Site, query, serving_copy, until
from .test_predict import enrich_some
from .test_routes import counted

MOST = 3


def all_counts(url: str) -> dict[tuple[str, str, str], int]:
    """Return what the store holds of answers, by dataset, source and prediction."""
    store = connect_store(settings_for(url))
    columns = (
        tables.dataset.c.name,
        tables.served.c.source,
        tables.served.c.prediction,
        tables.served.c.answers,
    )
    sums: dict[tuple[str, str, str], int] = {}
    with store.reading() as connection:
        query = select(*columns).join_from(
            tables.served, tables.dataset, tables.served.c.dataset_id == tables.dataset.c.id
        )
        for name, source, prediction, answers in connection.execute(query):
            place = name, source, prediction
            sums[place] = sums.get(place, 0) + answers
    store.close()
    return sums


def add_one(counts: dict[tuple[str, str, str], int], answer: dict[str, Any]) -> None:
    """Count an answer as the store should."""
    place = answer["dataset"], answer["source"], prediction_name(answer["prediction"])
    counts[place] = counts.get(place, 0) + 1


@pytest.mark.parametrize("processes", ["1", "2"])
def test_what_was_answered_is_in_the_store_after_the_end(
    trained: Path, tmp_path: Path, processes: str
) -> None:
    """By dataset, source and prediction, from memory or not, one by one or many at once."""
    wanted: dict[tuple[str, str, str], int] = {}
    customer = query(education="PhD", age=30, income=1000)
    with serving_copy(trained, tmp_path / "own", WEB_CONCURRENCY=processes) as site:
        teach(site.store)
        for sentence in ("un vol pour Oslo", "un vol pour Oslo", "un train", TAUGHT, TAUGHT):
            add_one(wanted, site.predict(sentence))
        add_one(wanted, site.get(f"/predict/customers?{customer}").json())
        add_one(wanted, site.get(f"/predict?{customer}").json())
        many = [{"sentence": "un hôtel"}, {"sentence": TAUGHT}, {"wrong": "item"}]
        for answer in site.post("/predict/intents", many).json()[:2]:
            add_one(wanted, answer)
        site.get("/predict/intents")
    assert all_counts(site.url) == wanted
    assert {source for _, source, _ in wanted} == {"student", "teacher"}
    assert wanted["intents", "teacher", "purchase"] == 3


def test_an_unseen_input_is_written_though_each_thread_keeps_a_connection(
    trained: Path, tmp_path: Path
) -> None:
    """The loop, the thread and the watcher each hold one to the store for good."""
    with serving_copy(trained, tmp_path / "own", WEB_THREADS="1") as site:
        before = site.record_count()
        site.post("/predict/intents", [{"sentence": "un fil"}])
        site.predict("une boucle")
        until(lambda: site.record_count() == before + 2)
        # It looks again how many more may wait, through a connection of its own.
        time.sleep(COUNT_SECONDS + 1)
        site.predict("encore une")
        until(lambda: site.record_count() == before + 3)


def test_the_flat_route_is_counted_too(trained: Path, tmp_path: Path) -> None:
    """It gives the same answers, in another form."""
    with serving_copy(trained, tmp_path / "own") as site:
        flat = site.get(f"/api/intent?{query(sentence='un vol pour Oslo')}").json()
        label = max(flat, key=flat.__getitem__)
    assert all_counts(site.url) == {("intents", "student", label): 1}


@pytest.fixture
def narrow(trained: Path, tmp_path: Path) -> Iterator[Site]:
    """Give a server of which no more than three unseen inputs may wait."""
    more = {"WAITING_RECORDS": str(MOST), "STUDENT_TTL": "0"}
    with serving_copy(trained, tmp_path / "narrow", **more) as running:
        yield running


def ask_new(site: Site, numbers: Iterator[int]) -> str:
    """Ask for what nobody has asked for, and return what becomes of it."""
    enrichment: str = site.predict(f"une phrase jamais vue, numéro {next(numbers)}")["enrichment"]
    return enrichment


def fill(site: Site, numbers: Iterator[int]) -> None:
    """Ask for new things until as many wait as may."""
    until(lambda: ask_new(site, numbers) == "off")
    until(lambda: len(site.records(origin="request")) >= MOST)


def dropped(site: Site) -> float:
    """Return for how many inputs there was no room."""
    return counted(site, "veilleuse_unseen_queue_dropped")


def test_no_more_inputs_are_written_than_may_wait(narrow: Site) -> None:
    """However many come, one by one or at once; all are answered, and the rest is counted."""
    numbers = itertools.count()
    items = [{"sentence": f"une phrase du lot, numéro {number}"} for number in range(50)]
    assert len(narrow.post("/predict/intents", items).json()) == 50
    until(lambda: len(narrow.records(origin="request")) == MOST)
    fill(narrow, numbers)
    before = until(lambda: dropped(narrow))
    for _ in range(3):
        until(lambda: ask_new(narrow, numbers) == "off")
    until(lambda: dropped(narrow) >= before + 3)
    # What was queued before the end is written before the end, or not at all.
    narrow.process.terminate()
    narrow.process.wait()
    assert len(narrow.records(origin="request")) == MOST


def test_a_request_that_is_off_is_not_written(narrow: Site) -> None:
    """What the answer says is so."""
    numbers = itertools.count()
    fill(narrow, numbers)
    sentence = "une phrase qui vient trop tard"
    until(lambda: narrow.predict(sentence)["enrichment"] == "off")
    narrow.process.terminate()
    narrow.process.wait()
    assert not [row for row in narrow.records(origin="request") if "trop tard" in row.inputs]


def test_when_those_that_waited_are_gone_others_are_taken(narrow: Site) -> None:
    """Erased here; again as many and no more."""
    numbers = itertools.count()
    fill(narrow, numbers)
    first = {row.key for row in narrow.records(origin="request")}
    with narrow.store.writing() as connection:
        dataset = find_dataset(connection, "intents")
        for key in first:
            forget_record(connection, dataset.id, key)
    until(lambda: ask_new(narrow, numbers) == "queued")
    fill(narrow, numbers)
    second = {row.key for row in narrow.records(origin="request")}
    assert len(second) == MOST
    assert not first & second


def test_when_those_that_waited_are_enriched_others_are_taken(narrow: Site) -> None:
    """Workers make room."""
    numbers = itertools.count()
    fill(narrow, numbers)
    enrich_some(narrow)

    def is_written() -> bool:
        ask_new(narrow, numbers)
        return len(narrow.records(origin="request")) > MOST

    until(is_written)
