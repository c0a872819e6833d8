"""The llm enricher where something is wrong for all records: what it costs, and what is said."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.queue.chunk import make_chunk
from db.queue.quarantine import list_quarantine
from db.records.dataset import Dataset
from db.records.encoded_inputs import slices
from db.records.record import each_record
from db.settings import Settings
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import TextField
from db.spec.section import EnricherSpec
from db.store.store import Store
from enrich.enrichers.http.circuit_breaker import FEWEST_ALIKE
from enrich.planning.maintenance import refresh_plan
from tests import bad_server as behaviour
from tests.bad_server import BadServer, bad_server
from tests.conftest import command_environment, register, run_command
from tests.integration.llm_server import ROUTE, answers_late, completes, prompt_of, says
from tests.processes import PATIENCE_SECONDS

from .test_llm_calls import judged, llm_enricher, make_notes
from .test_metered_calls import ONE_WORKER, SECRET, once, spent, wait_for


@pytest.fixture
def server() -> Iterator[BadServer]:
    """Yield a server for one test."""
    with bad_server() as running:
        yield running


def reasons(store: Store) -> list[str]:
    """Return the reasons of all quarantined records."""
    with store.reading() as connection:
        return [one.reason for one in list_quarantine(connection)]


@ONE_WORKER
def test_calls_whose_answers_are_lost_count_in_the_budget(
    store: Store, settings: Settings, database_url: str, server: BadServer
) -> None:
    """Otherwise an enricher that fails after its calls would be paid for without end."""
    enricher = EnricherSpec(
        use="tests.faults.broken_calls.FailsAfterCalls",
        reads=("sentence",),
        config={"url": server.on("/score", behaviour.answers(1)), "tries": 2, "budget_calls": 4},
    )
    dataset = make_notes(store, settings, enricher, 3, 3)
    for _ in range(4):
        done = once(database_url)
        assert done.code == 1
    assert 1 <= len(server.calls) <= spent(store, dataset) <= 4
    assert "its budget of 4 calls is spent" in done.err
    assert reasons(store) == []


@ONE_WORKER
def test_a_schema_that_cannot_be_checked_costs_no_call(
    store: Store, settings: Settings, database_url: str, server: BadServer
) -> None:
    """The reason names the part, and no record is at fault."""
    server.on(ROUTE, says())
    wrong = {"$defs": {"a%20b": {}}, "properties": {"mood": {"$ref": "#/$defs/a%20b"}}}
    enricher = llm_enricher(server, answer=None, schema=wrong, budget_calls=10)
    dataset = make_notes(store, settings, enricher, 3, 3)
    done = once(database_url)
    assert done.code == 1
    assert "judged: config.schema: $ref '#/$defs/a%20b' must lead to" in done.err
    assert (len(server.calls), spent(store, dataset), reasons(store)) == (0, 0, [])


@ONE_WORKER
def test_a_worker_that_is_stopped_pays_again_for_one_slow_call_at_most(
    store: Store, settings: Settings, database_url: str, server: BadServer
) -> None:
    """Every answer that has come is kept; only the tries of the call in progress may be lost."""
    server.on(ROUTE, answers_late(1.2, {"mood": "good", "urgency": 1}))
    dataset = make_notes(store, settings, llm_enricher(server, budget_calls=100, tries=3), 5, 5)
    worker = subprocess.Popen(
        [sys.executable, "-m", "enrich", "run", "--now"],
        env=command_environment(database_url, API_TEST_KEY=SECRET),
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: len(server.calls) >= 4, lambda: "no calls")
        worker.terminate()
        worker.wait(PATIENCE_SECONDS)
    finally:
        worker.kill()
        worker.wait()
    made = len(server.calls)
    assert len(judged(store, dataset)) >= made - 1
    assert spent(store, dataset) <= made + 3
    assert once(database_url).code == 0
    assert len(server.calls) <= 6


@ONE_WORKER
def test_calls_that_all_fail_end_and_leave_the_other_records_waiting(
    store: Store, settings: Settings, database_url: str, server: BadServer
) -> None:
    """The configuration is wrong; the reason says so, and costs no more than it must."""
    said = {"error": {"message": "Invalid parameter: response_format"}}
    server.on(ROUTE, behaviour.answers(said, 400))
    dataset = make_notes(store, settings, llm_enricher(server), 40, 10)
    done = once(database_url)
    assert done.code == 1
    assert "judged: calls in a row that failed alike: " in done.err
    assert "the last: the API answered 400" in done.err
    assert "correct its config or the service, no record is charged" in done.err
    # A batch may have had some more.
    assert FEWEST_ALIKE <= len(server.calls) == spent(store, dataset) < 2 * FEWEST_ALIKE
    assert reasons(store) == []


@ONE_WORKER
def test_an_answer_between_failures_lets_the_calls_go_on(
    store: Store, settings: Settings, database_url: str, server: BadServer
) -> None:
    """Many records may be at fault without the configuration being wrong."""

    def behave(handler: behaviour.Handler) -> None:
        number = int(prompt_of(handler.call).split()[-1])
        (says() if number % 3 == 0 else completes("no"))(handler)

    server.on(ROUTE, behave)
    dataset = make_notes(store, settings, llm_enricher(server, tries=1), 60, 60)
    assert "40 of them lack a value" in once(database_url).err
    assert len(judged(store, dataset)) == 20


def make_places(store: Store, settings: Settings, enricher: EnricherSpec) -> Dataset:
    """Return a dataset of records that all ask the same, in four chunks."""
    spec = DatasetSpec(
        name="notes",
        kind="classification",
        target="tone",
        fields={"sentence": TextField(), "place": TextField()},
        enrichers={"judged": enricher},
    )
    dataset = register(store, spec)
    with store.writing() as connection:
        inputs = [{"sentence": f"note {number}", "place": "Paris"} for number in range(20)]
        rows = [NewRow(spec.key(one), spec.read_inputs(one)) for one in inputs]
        add_rows(connection, dataset, rows, "import")
        dataset = refresh_plan(connection, dataset, settings)
        ids = [record.id for record in each_record(connection, dataset.id)]
        for some in slices(ids, 5):
            make_chunk(connection, dataset.id, dataset.revision, some, asked=False)
    return dataset


@ONE_WORKER
def test_a_request_that_has_failed_is_not_paid_for_again_by_another_record(
    store: Store, settings: Settings, database_url: str, server: BadServer
) -> None:
    """Each record is quarantined with the reason, and a retry asks again."""
    server.on(ROUTE, completes("no"))
    enricher = llm_enricher(server, prompt="About {place}", tries=2)
    enricher = EnricherSpec(use="llm", reads=("place",), config=enricher.config)
    make_places(store, settings, enricher)
    assert "20 of them lack a value" in once(database_url).err
    assert Counter(prompt_of(call) for call in server.calls) == {"About Paris": 2}
    assert set(reasons(store)) == {"the answer is not one JSON value: it begins with no"}
    server.on(ROUTE, says())
    assert run_command(database_url, "enrich", "quarantine", "retry").code == 0
    assert once(database_url).code == 0
    assert (len(server.calls), reasons(store)) == (3, [])


@pytest.mark.parametrize("use", ["http", "llm"])
def test_a_reason_with_characters_that_no_table_holds_is_stored(
    use: str, store: Store, settings: Settings, database_url: str, server: BadServer
) -> None:
    """A service or a model can say anything; a terminal must not obey it."""
    if use == "llm":
        server.on(ROUTE, behaviour.answers({"error": "a\0b\x9b31m\nc"}, 400))
        enricher = llm_enricher(server)
    else:
        url = server.on("/score", behaviour.answers({"a\0b\x9b31m\nc": 1}))
        config = {"url": f"{url}?text={{sentence}}", "answer": "score"}
        enricher = EnricherSpec(use="http", reads=("sentence",), config=config)
    make_notes(store, settings, enricher, 2, 2)
    done = once(database_url)
    assert "2 of them lack a value and are quarantined" in done.err
    for reason in reasons(store):
        assert reason.isprintable()
        assert "a" in reason
