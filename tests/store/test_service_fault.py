"""A service that fails alike for all records: no record is charged, and the calls stop."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select, update

from db.files.exporter import export_rows
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.queue.call_quota import spent_calls
from db.queue.chunk_wait import wait_for_chunk
from db.queue.fault import read_faults
from db.queue.quarantine import list_quarantine, retry_quarantine
from db.records.dataset import Dataset, all_datasets
from db.settings import Settings
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import TextField
from db.spec.section import EnricherSpec
from db.store import tables
from db.store.store import Store
from enrich.enrichers.http.circuit_breaker import FEWEST_ALIKE
from enrich.pipeline.context import FIRST_POSTPONEMENT_SECONDS, LONGEST_POSTPONEMENT_SECONDS
from enrich.worker.worker import Worker, working
from tests import bad_server as behaviour
from tests.bad_server import BadServer, Behaviour, bad_server
from tests.conftest import register
from tests.extent import on_store
from tests.inline import InlineExecutor

RECORDS = 40
LENGTH = EnricherSpec(use="tests.store.sample_enrichers.Length", reads=("sentence",))


@pytest.fixture
def server() -> Iterator[BadServer]:
    """Yield a server for one test."""
    with bad_server() as running:
        yield running


@pytest.fixture
def worker(store: Store, settings: Settings) -> Iterator[Worker]:
    """Yield a worker that computes and calls in this process."""
    with working(store, settings, threading.Event(), InlineExecutor()) as running:
        yield running


def make_notes(store: Store, url: str, records: int = RECORDS, **config: Any) -> Dataset:  # noqa: ANN401
    """Return a dataset whose records ask a service, and are counted by another enricher."""
    config = {"url": f"{url}?text={{sentence}}", "budget_calls": 1000, "tries": 1, **config}
    spec = DatasetSpec(
        name="notes",
        kind="classification",
        target="tone",
        fields={"sentence": TextField()},
        enrichers={
            "length": LENGTH,
            "score": EnricherSpec(use="http", reads=("sentence",), config=config),
        },
    )
    dataset = register(store, spec)
    add_notes(store, dataset, 0, records)
    return dataset


def add_notes(store: Store, dataset: Dataset, first: int, count: int) -> None:
    """Add that many records."""
    raw = [{"sentence": f"note {number}"} for number in range(first, first + count)]
    rows = [NewRow(dataset.spec.key(one), dataset.spec.read_inputs(one)) for one in raw]
    with store.writing() as connection:
        add_rows(connection, dataset, rows, "import")


def enrich(worker: Worker, store: Store) -> str:
    """Make one pass, whatever has been postponed before; return the reasons of its faults."""
    worker._context.postponed.clear()
    with store.writing() as connection:
        # Chunks without an owner may be claimed at once.
        connection.execute(
            update(tables.chunk).where(tables.chunk.c.owner.is_(None)).values(lease_until=None)
        )
    errors: list[Exception] = []
    worker.enrich(on_error=lambda _, error: errors.append(error))
    return " ".join(map(str, errors))


def scored(store: Store, dataset: Dataset) -> tuple[int, int]:
    """Return how many records have a score, and how many a length."""
    rows = list(export_rows(store, dataset))
    made = [row["enrichments"].keys() for row in rows]
    return sum("score" in names for names in made), sum("length" in names for names in made)


def quarantined(store: Store) -> list[str]:
    """Return the reasons of all quarantined records."""
    with store.reading() as connection:
        return [one.reason for one in list_quarantine(connection)]


def spent(store: Store, dataset: Dataset) -> int:
    """Return the calls that count in the budget."""
    with store.reading() as connection:
        return spent_calls(connection, dataset.id)["score"]


LOGIN = behaviour.fails(302, Location="https://login.corp.test/")
PAGE = behaviour.sends(b"<html><title>Sign in</title>", media_type="text/html")


@on_store("sqlite")
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (LOGIN, "the API answered 302, a redirect to login.corp.test"),
        (PAGE, "the API answered 200 with HTML, not JSON: its title is Sign in"),
        (behaviour.fails(404), "the API answered 404"),
        (behaviour.fails(422), "the API answered 422"),
        (behaviour.answers({"other": 1}), "the answer has no score; it has: other"),
        (behaviour.sends(b"\x1f\x8b", Content_Encoding="gzip"), "the answer is compressed, and"),
    ],
    ids=["login", "page", "wrong path", "refused", "wrong answer", "damaged"],
)
def test_a_service_that_fails_alike_for_all_records_charges_none(
    store: Store, worker: Worker, server: BadServer, bad: Behaviour, reason: str
) -> None:
    """A few calls show it; the reason is kept as a fault, and other enrichers go on."""
    dataset = make_notes(store, server.on("/score", bad), answer="score")
    assert reason in enrich(worker, store)
    # The batch in which the last of them failed may have had some more.
    assert FEWEST_ALIKE <= len(server.calls) == spent(store, dataset) < 2 * FEWEST_ALIKE
    assert quarantined(store) == []
    assert scored(store, dataset) == (0, RECORDS)
    with store.reading() as connection:
        (fault,) = read_faults(connection)
    assert (fault.dataset, fault.subject) == ("notes", "enricher score")
    assert reason in fault.reason


def test_one_call_tries_a_broken_service_and_the_first_answer_lets_all_go_on(
    store: Store, worker: Worker, server: BadServer
) -> None:
    """The fault is gone then, and every record has its value."""
    url = server.on("/score", LOGIN)
    dataset = make_notes(store, url)
    enrich(worker, store)
    before = len(server.calls)
    assert "in a row that failed alike: 1;" in enrich(worker, store)
    assert len(server.calls) == before + 1
    server.on("/score", behaviour.answers(1))
    assert enrich(worker, store) == ""
    assert scored(store, dataset) == (RECORDS, RECORDS)
    assert len(server.calls) == before + 1 + RECORDS
    with store.reading() as connection:
        assert read_faults(connection) == []


def test_records_that_a_broken_service_has_charged_before_are_given_back(
    store: Store, worker: Worker, server: BadServer
) -> None:
    """Few records come at a time, so the fault shows only over several chunks."""
    url = server.on("/score", behaviour.fails(404))
    dataset = make_notes(store, url, records=FEWEST_ALIKE - 1)
    assert enrich(worker, store) == ""
    assert len(quarantined(store)) == FEWEST_ALIKE - 1
    add_notes(store, dataset, 100, 3)
    assert "the API answered 404" in enrich(worker, store)
    assert quarantined(store) == []
    server.on("/score", behaviour.answers(1))
    assert enrich(worker, store) == ""
    assert scored(store, dataset) == (FEWEST_ALIKE + 2, FEWEST_ALIKE + 2)


def test_a_record_that_alone_is_refused_among_answers_keeps_its_fault(
    store: Store, worker: Worker, server: BadServer
) -> None:
    """The service works, so the others get their values."""

    def behave(handler: behaviour.Handler) -> None:
        number = int(handler.call.path.rpartition("%20")[2])
        (behaviour.fails(404) if number % 10 == 3 else behaviour.answers(1))(handler)

    dataset = make_notes(store, server.on("/score", behave))
    assert enrich(worker, store) == ""
    assert len(quarantined(store)) == RECORDS // 10
    assert scored(store, dataset)[0] == RECORDS - RECORDS // 10
    assert len(server.calls) == RECORDS


def test_a_key_that_is_refused_is_a_fault_with_its_reason(
    store: Store, worker: Worker, server: BadServer
) -> None:
    """One call shows it, and the budget is hardly touched."""
    dataset = make_notes(store, server.on("/score", behaviour.fails(401)))
    enrich(worker, store)
    assert (spent(store, dataset), quarantined(store)) == (1, [])
    with store.reading() as connection:
        (fault,) = read_faults(connection)
        chunks = select(func.count()).select_from(tables.chunk)
        assert connection.execute(chunks).scalar_one() > 0
    assert "401: check the key in config.headers" in fault.reason


@on_store("sqlite")
def test_the_time_of_the_next_try_is_shown_as_it_is(
    server: BadServer, store: Store, worker: Worker
) -> None:
    """The worker's own pause between two tries of a service, which is shorter than others."""
    make_notes(store, server.on("/score", behaviour.fails(401)))
    for _ in range(3):
        enrich(worker, store)
    with store.reading() as connection:
        fault = read_faults(connection)[0]
    assert (fault.subject, fault.tries) == ("enricher score", 3)
    assert fault.wait_seconds <= FIRST_POSTPONEMENT_SECONDS


def test_a_service_that_said_200_with_an_error_is_asked_again_once_it_works(
    store: Store, worker: Worker, server: BadServer
) -> None:
    """Its stored answers have no value, and would keep the circuit open or charge their records."""
    url = server.on("/score", behaviour.answers({"error": "down for maintenance"}))
    dataset = make_notes(store, url, records=FEWEST_ALIKE, answer="score")
    for _ in range(3):
        assert "the answer has no score; it has: error" in enrich(worker, store)
    server.on("/score", behaviour.answers({"score": 1}))
    assert enrich(worker, store) == ""
    assert scored(store, dataset)[0] == FEWEST_ALIKE
    assert quarantined(store) == []


def test_a_record_that_is_retried_after_an_unusable_answer_is_asked_again(
    store: Store, worker: Worker, server: BadServer
) -> None:
    """A person says so after the service was corrected; the stored answer would fail again."""
    url = server.on("/score", behaviour.answers({"error": "unknown"}))
    dataset = make_notes(store, url, records=1, answer="score")
    assert enrich(worker, store) == ""
    assert len(quarantined(store)) == 1
    server.on("/score", behaviour.answers({"score": 1}))
    with store.writing() as connection:
        assert retry_quarantine(connection) == 1
    assert enrich(worker, store) == ""
    assert scored(store, dataset)[0] == 1


def test_a_second_worker_spends_one_call_on_a_service_that_the_first_has_found_broken(
    store: Store, settings: Settings, worker: Worker, server: BadServer
) -> None:
    """Twenty workers would spend a hundred; the calls cost money."""
    dataset = make_notes(store, server.on("/score", behaviour.fails(404)))
    enrich(worker, store)
    before = len(server.calls)
    with working(store, settings, threading.Event(), InlineExecutor()) as other:
        assert "in a row that failed alike: 1;" in enrich(other, store)
        assert len(server.calls) == before + 1
        server.on("/score", behaviour.answers(1))
        assert enrich(other, store) == ""
    assert scored(store, dataset)[0] == RECORDS
    with store.reading() as connection:
        assert read_faults(connection) == []


def test_a_corrected_address_is_tried_at_once(
    store: Store, worker: Worker, server: BadServer
) -> None:
    """The fault and the wait were those of the other address."""
    dataset = make_notes(store, server.on("/score", behaviour.fails(404)))
    worker.enrich(on_error=lambda _name, _error: None)
    dataset = make_notes(store, server.on("/new", behaviour.answers(1)), records=0)
    worker.enrich()
    assert scored(store, dataset) == (RECORDS, RECORDS)


def test_a_budget_that_is_raised_is_noticed_before_its_period_ends(
    store: Store, worker: Worker, server: BadServer
) -> None:
    """A worker looks again within minutes, although the period lasts for a month."""
    url = server.on("/score", behaviour.answers(1))
    make_notes(store, url, budget_calls=10)
    errors: list[Exception] = []
    worker.enrich(on_error=lambda _, error: errors.append(error))
    with store.reading() as connection:
        wait = wait_for_chunk(connection, [one.id for one in all_datasets(connection)])
    assert wait is not None
    assert "its budget of 10 calls is spent" in wait.reason
    assert 0 < wait.seconds <= LONGEST_POSTPONEMENT_SECONDS
    dataset = make_notes(store, url, budget_calls=1000, records=0)
    assert enrich(worker, store) == ""
    assert scored(store, dataset)[0] == RECORDS
