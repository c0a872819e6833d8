"""The server stores counts of its answers and a limited number of unseen inputs."""

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

MAX_WAITING = 3


def all_counts(url: str) -> dict[tuple[str, str, str], int]:
    """Return the stored counts of answers by dataset, source and prediction."""
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
            key = name, source, prediction
            sums[key] = sums.get(key, 0) + answers
    store.close()
    return sums


def add_one(counts: dict[tuple[str, str, str], int], answer: dict[str, Any]) -> None:
    """Add an answer to the expected counts."""
    key = answer["dataset"], answer["source"], prediction_name(answer["prediction"])
    counts[key] = counts.get(key, 0) + 1


@pytest.mark.parametrize("processes", ["1", "2"])
def test_counts_of_answers_are_in_the_store_after_the_server_ends(
    trained: Path, tmp_path: Path, processes: str
) -> None:
    """Cached answers, single requests and batches are all counted."""
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
    """The loop, the thread and the watcher each keep a store connection open."""
    with serving_copy(trained, tmp_path / "own", WEB_THREADS="1") as site:
        before = site.record_count()
        site.post("/predict/intents", [{"sentence": "un fil"}])
        site.predict("une boucle")
        until(lambda: site.record_count() == before + 2)
        # It counts again how many more may wait, over a connection of its own.
        time.sleep(COUNT_SECONDS + 1)
        site.predict("encore une")
        until(lambda: site.record_count() == before + 3)


def test_the_flat_route_is_counted_too(trained: Path, tmp_path: Path) -> None:
    """The flat route gives the same answers in another format."""
    with serving_copy(trained, tmp_path / "own") as site:
        flat = site.get(f"/api/intent?{query(sentence='un vol pour Oslo')}").json()
        label = max(flat, key=flat.__getitem__)
    assert all_counts(site.url) == {("intents", "student", label): 1}


@pytest.fixture
def narrow(trained: Path, tmp_path: Path) -> Iterator[Site]:
    """Yield a server in which at most three unseen inputs may wait."""
    more = {"WAITING_RECORDS": str(MAX_WAITING), "STUDENT_TTL": "0", "CLIENT_WAITING_SHARE": "1"}
    with serving_copy(trained, tmp_path / "narrow", **more) as running:
        yield running


def ask_new(site: Site, numbers: Iterator[int]) -> str:
    """Request a prediction for an unseen input; return the state of its enrichment."""
    enrichment: str = site.predict(f"une phrase jamais vue, numéro {next(numbers)}")["enrichment"]
    return enrichment


def fill(site: Site, numbers: Iterator[int]) -> None:
    """Send unseen inputs until no more may wait."""
    until(lambda: ask_new(site, numbers) == "off")
    until(lambda: len(site.records(origin="request")) >= MAX_WAITING)


def dropped(site: Site) -> float:
    """Return how many inputs were dropped for lack of room."""
    return counted(site, "veilleuse_unseen_queue_dropped")


def test_no_more_inputs_are_written_than_may_wait(narrow: Site) -> None:
    """All inputs are answered, single or in a batch; those that are not stored are counted."""
    numbers = itertools.count()
    items = [{"sentence": f"une phrase du lot, numéro {number}"} for number in range(50)]
    assert len(narrow.post("/predict/intents", items).json()) == 50
    until(lambda: len(narrow.records(origin="request")) == MAX_WAITING)
    fill(narrow, numbers)
    before = until(lambda: dropped(narrow))
    for _ in range(3):
        until(lambda: ask_new(narrow, numbers) == "off")
    until(lambda: dropped(narrow) >= before + 3)
    # Inputs that were queued before the end are written before the end, or not at all.
    narrow.process.terminate()
    narrow.process.wait()
    assert len(narrow.records(origin="request")) == MAX_WAITING


def test_a_request_with_enrichment_off_is_not_written(narrow: Site) -> None:
    """The stored records agree with what the answer says."""
    numbers = itertools.count()
    fill(narrow, numbers)
    sentence = "une phrase qui vient trop tard"
    until(lambda: narrow.predict(sentence)["enrichment"] == "off")
    narrow.process.terminate()
    narrow.process.wait()
    assert not [row for row in narrow.records(origin="request") if "trop tard" in row.inputs]


def test_forgotten_inputs_make_room_for_others(narrow: Site) -> None:
    """After they are forgotten, the same number may wait again."""
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
    assert len(second) == MAX_WAITING
    assert not first & second


def test_enriched_inputs_make_room_for_others(narrow: Site) -> None:
    """An enriched input no longer waits."""
    numbers = itertools.count()
    fill(narrow, numbers)
    enrich_some(narrow)

    def is_written() -> bool:
        ask_new(narrow, numbers)
        return len(narrow.records(origin="request")) > MAX_WAITING

    until(is_written)
