"""The llm enricher: four workers, one store, and a service of which a fifth of answers are bad."""

from __future__ import annotations

import json
import random
import threading
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from db.files.exporter import export_rows
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
from db.store import tables
from db.store.store import Store
from enrich.planning.maintenance import refresh_plan
from tests import bad_server as behaviour
from tests.bad_server import BadServer, Behaviour, Handler, bad_server
from tests.conftest import register, run_command
from tests.integration.llm_server import (
    ANSWER_TOKENS,
    FINAL,
    MALFORMED,
    PROMPT_TOKENS,
    ROUTE,
    fenced,
    prompt_of,
    says,
    streams,
)
from tests.processes import PATIENCE_SECONDS

from .conftest import FULL
from .test_metered_calls import (
    SECRET,
    assert_no_secret,
    logs,
    once,
    spent,
    wait_for,
    workers_running,
)

RECORDS = 1000 if FULL else 100
CHUNK_RECORDS = 50 if FULL else 12
TRIES = 4
# Longer than a good answer takes on any machine, because a good call must not be repeated.
TIMEOUT_SECONDS = 20
# Some records never get a usable answer. Their order is that of their keys, so few are in a row.
CURSED = RECORDS // 50
CURSES = {**MALFORMED, **FINAL}
# Each takes a whole time-out.
STALLED = 10 if FULL else 0
SHARE_OF_FAULTS = 0.2
# What an answer without usage, or without an end, does not report.
UNPAID = frozenset({"error", "no choices", "other shape", "page", "too large"})
TRANSIENT: Mapping[str, Behaviour] = {
    "429": behaviour.asks_for_pause(1),
    "500": behaviour.fails(500),
    "503": behaviour.fails(503, Retry_After="0"),
    "cut": behaviour.breaks_off(),
    "hangs up": behaviour.hangs_up(),
    "streams": streams(),
}


class Model:
    """A service that counts its good answers by prompt, and spoils a fifth of its answers.

    The first answers to a prompt may be bad and the third is good, except to a cursed prompt.
    """

    def __init__(self, seed: int, cursed: int, stalled: int = 0) -> None:
        self._lock = threading.Lock()
        self._seed = seed
        self._cursed = cursed
        self._stalled = stalled
        self._asked: Counter[str] = Counter()
        self.good: Counter[str] = Counter()
        self.bad: Counter[str] = Counter()
        self.tokens: Counter[str] = Counter()

    def __call__(self, handler: Handler) -> None:
        prompt = prompt_of(handler.call)
        number = int(prompt.split()[-1])
        with self._lock:
            self._asked[prompt] += 1
            name = self._fault(number, self._asked[prompt])
            (self.bad if name else self.good)[name or prompt] += 1
            if name not in UNPAID and name not in TRANSIENT and name != "stalls":
                self.tokens.update(prompt=PROMPT_TOKENS, answer=ANSWER_TOKENS)
        self._behaviour(name, number)(handler)

    def _fault(self, number: int, turn: int) -> str:
        """Return the name of the fault of an answer, "" for a good one."""
        chance = random.Random(zlib.crc32(f"{self._seed} {number} {turn}".encode()))
        if number < self._cursed:
            return chance.choice(sorted(CURSES))
        if number < self._cursed + self._stalled and turn == 1:
            return "stalls"
        if turn > 2 or chance.random() >= SHARE_OF_FAULTS:
            return ""
        return chance.choice([*sorted(MALFORMED), *sorted(TRANSIENT)])

    def _behaviour(self, name: str, number: int) -> Behaviour:
        if name == "stalls":
            return behaviour.stalls()
        if name:
            return TRANSIENT[name] if name in TRANSIENT else CURSES[name][0]
        value = {"mood": "good" if number % 2 else "bad", "urgency": number}
        return says(value) if number % 3 else fenced(value)


@pytest.fixture
def server() -> Iterator[BadServer]:
    """Yield a server for one test."""
    with bad_server() as running:
        yield running


def llm_enricher(server: BadServer, **config: Any) -> EnricherSpec:  # noqa: ANN401
    """Return an enricher that asks the model of this server."""
    return EnricherSpec(
        use="llm",
        reads=("sentence",),
        config={
            "base_url": server.url + "/v1",
            "model": "small",
            "prompt": "About {sentence}",
            "answer": {"mood": ["good", "bad"], "urgency": "integer"},
            "headers": {"Authorization": "Bearer ${API_TEST_KEY}"},
            "timeout_seconds": TIMEOUT_SECONDS,
            "tries": TRIES,
            "price_per_million_prompt_tokens": 2.0,
            "price_per_million_answer_tokens": 8,
            **config,
        },
    )


def make_notes(
    store: Store, settings: Settings, enricher: EnricherSpec, records: int, chunk_records: int
) -> Dataset:
    """Return a dataset of numbered notes, cut into chunks for several workers."""
    spec = DatasetSpec(
        name="notes",
        kind="classification",
        target="tone",
        fields={"sentence": TextField()},
        enrichers={"judged": enricher},
    )
    dataset = register(store, spec)
    inputs = [spec.read_inputs({"sentence": f"note {number}"}) for number in range(records)]
    with store.writing() as connection:
        rows = [NewRow(spec.key(each), each) for each in inputs]
        add_rows(connection, dataset, rows, "import")
        dataset = refresh_plan(connection, dataset, settings)
        ids = [record.id for record in each_record(connection, dataset.id)]
        for some in slices(ids, chunk_records):
            make_chunk(connection, dataset.id, dataset.revision, some, asked=False)
    return dataset


def judged(store: Store, dataset: Dataset) -> dict[int, Any]:
    """Return the stored values by the number of the note."""
    return {
        int(row["inputs"]["sentence"].split()[-1]): row["enrichments"]["judged"]
        for row in export_rows(store, dataset)
        if "judged" in row["enrichments"]
    }


def status(url: str) -> tuple[dict[str, Any], str]:
    """Return the status of the only dataset, and the status as text."""
    report = run_command(url, "enrich", "status", "--json")
    [dataset] = json.loads(report.out)["datasets"]
    text = run_command(url, "enrich", "status").out
    assert SECRET[:8] not in report.out + text
    return dataset, text


def test_every_record_is_paid_for_once_or_quarantined_with_the_reason(
    store: Store, settings: Settings, database_url: str, server: BadServer, tmp_path: Path
) -> None:
    """No good answer is bought twice, no call is uncounted, and no secret is written anywhere."""
    model = Model(15, CURSED, STALLED)
    server.on(ROUTE, model)
    # Enough if every try that was not needed is given back.
    budget = int(RECORDS * 1.5) + TRIES * CURSED
    dataset = make_notes(
        store, settings, llm_enricher(server, budget_calls=budget), RECORDS, CHUNK_RECORDS
    )
    with workers_running(database_url, tmp_path):
        wait_for(
            lambda: len(judged(store, dataset)) + quarantined(store) == RECORDS,
            lambda: (model.bad, logs(tmp_path)),
            seconds=2 * PATIENCE_SECONDS,
        )
    assert judged(store, dataset) == {
        number: {"mood": "good" if number % 2 else "bad", "urgency": number}
        for number in range(CURSED, RECORDS)
    }
    assert model.good == {f"About note {number}": 1 for number in range(CURSED, RECORDS)}
    # Faults of every kind were among the answers, so the test tests something.
    assert sum(model.bad.values()) > RECORDS * SHARE_OF_FAULTS / 2
    assert len(server.calls) == sum(model.good.values()) + sum(model.bad.values())
    assert len(server.calls) == spent(store, dataset) <= budget
    assert_quarantine(store)
    assert_status(database_url, model, len(server.calls))
    assert_no_secret(store, database_url, tmp_path)
    assert all(call.headers["authorization"] == f"Bearer {SECRET}" for call in server.calls)
    with store.reading() as connection:
        assert len(connection.execute(select(tables.response)).all()) == RECORDS - CURSED


def quarantined(store: Store) -> int:
    """Return the number of quarantined records."""
    with store.reading() as connection:
        return len(list_quarantine(connection))


def assert_quarantine(store: Store) -> None:
    """Fail unless the cursed records alone are quarantined, each with a short reason."""
    with store.reading() as connection:
        found = list_quarantine(connection)
    numbers = sorted(int(json.loads(one.inputs)["sentence"].split()[-1]) for one in found)
    assert numbers == list(range(CURSED))
    known = [reason for _, reason in CURSES.values()]
    for one in found:
        assert any(reason in one.reason for reason in known), one.reason
        assert len(one.reason) <= 200


def assert_status(url: str, model: Model, calls: int) -> None:
    """Fail unless the status shows the tokens that the service has reported, and their cost."""
    dataset, text = status(url)
    used = {"prompt": model.tokens["prompt"], "answer": model.tokens["answer"]}
    cost = (2 * used["prompt"] + 8 * used["answer"]) / 1e6
    assert dataset["calls"] == {"judged": calls}
    assert dataset["tokens"] == {"judged": {**used, "cost": pytest.approx(cost)}}
    shown = f"{used['prompt']:,} prompt tokens, {used['answer']:,} answer tokens, cost {cost:,.4f}"
    assert f"{calls:,} calls, {shown} in this budget period" in text
    assert "quarantined" in text


def test_a_budget_that_is_spent_ends_the_calls_whatever_went_wrong(
    store: Store, settings: Settings, database_url: str, server: BadServer, tmp_path: Path
) -> None:
    """Malformed answers are paid for, so they count; the other records wait with the reason."""
    model = Model(16, cursed=2)
    server.on(ROUTE, model)
    budget = 40
    enricher = llm_enricher(server, budget_calls=budget, timeout_seconds=60)
    dataset = make_notes(store, settings, enricher, 80, 10)
    reason = f"judged: its budget of {budget} calls is spent"

    def is_spent() -> bool:
        report = json.loads(run_command(database_url, "enrich", "status", "--json").out)
        return any(reason in (worker["error"] or "") for worker in report["workers"])

    with workers_running(database_url, tmp_path):
        wait_for(is_spent, lambda: logs(tmp_path))
    assert budget - TRIES < len(server.calls) == spent(store, dataset) <= budget
    done = once(database_url)
    assert (done.code, len(server.calls) <= budget) == (1, True)
    assert reason in done.err
    assert model.good == {f"About note {number}": 1 for number in judged(store, dataset)}
    assert_no_secret(store, database_url, tmp_path)
