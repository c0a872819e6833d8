"""The http enricher: four workers, one store, and a server that behaves badly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from sqlalchemy import inspect, select, text, update

from db.files.exporter import export_rows
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.queue.call_quota import Caller, grant_calls, spent_calls
from db.queue.chunk import make_chunk
from db.queue.quarantine import list_quarantine
from db.queue.workers.pause import pause_workers, resume_workers
from db.queue.workers.worker_registry import _process, register_worker
from db.queue.workers.worker_row import all_workers
from db.records.dataset import Dataset
from db.records.encoded_inputs import slices
from db.records.record import each_record, forget_record
from db.settings import Settings
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import TextField
from db.spec.section import EnricherSpec
from db.store import tables
from db.store.store import Store
from enrich.enrichers.base import find_enricher
from enrich.enrichers.http.service import quota_of
from enrich.executors.base import Stopped
from enrich.planning.maintenance import refresh_plan
from enrich.worker.worker import working
from tests import bad_server as behaviour
from tests import processes
from tests.bad_server import BadServer, Behaviour, bad_server
from tests.conftest import ROOT, Done, command_environment, register, run_command
from tests.extent import FULL, on_store
from tests.inline import InlineExecutor
from tests.processes import PATIENCE_SECONDS

WORKERS = 4
TEXTS = 150 if FULL else 75
RECORDS = 120 if FULL else 60
# So small that every worker gets chunks of each dataset.
CHUNK_RECORDS = 15
SECRET = "s3cret/of-the~faults"  # noqa: S105
HEADERS = {"Authorization": "Bearer ${API_TEST_KEY}", "X-Worker": "${WORKER_NAME}"}
LENGTH = EnricherSpec(use="tests.store.sample_enrichers.Length", reads=("sentence",))

wait_for = partial(processes.wait_for, look_seconds=0.2)
# Slow tests; a short run uses only the database on which they are more likely to fail.
MANY_WORKERS = on_store("postgresql")
ONE_WORKER = on_store("sqlite")


@pytest.fixture
def server() -> Iterator[BadServer]:
    """Yield a bad server for one test."""
    with bad_server() as running:
        yield running


def http_enricher(url: str, field: str = "sentence", **config: Any) -> EnricherSpec:  # noqa: ANN401
    """Return an enricher whose value is the path of its request."""
    return EnricherSpec(
        use="http",
        reads=(field,),
        config={
            "url": f"{url}?text={{{field}}}",
            "answer": "path",
            "headers": HEADERS,
            "timeout_seconds": 60,
            **config,
        },
    )


def make_dataset(
    store: Store,
    settings: Settings,
    name: str,
    first: int = 0,
    chunk_records: int = CHUNK_RECORDS,
    **enrichers: EnricherSpec,
) -> Dataset:
    """Return a dataset cut into small chunks, which shares texts with other datasets."""
    dataset = register(
        store,
        DatasetSpec(
            name=name,
            kind="classification",
            target="tone",
            fields={"sentence": TextField(), "subject": TextField()},
            enrichers={"length": LENGTH, **enrichers},
        ),
    )
    rows = []
    for number in range(first, first + RECORDS):
        raw = {"sentence": text_of(number), "subject": text_of(number + 1)}
        rows.append(NewRow(dataset.spec.key(raw), dataset.spec.read_inputs(raw)))
    with store.writing() as connection:
        add_rows(connection, dataset, rows, "import")
        dataset = refresh_plan(connection, dataset, settings)
        ids = [record.id for record in each_record(connection, dataset.id)]
        for chunk_ids in slices(ids, chunk_records):
            make_chunk(connection, dataset.id, dataset.revision, chunk_ids, asked=False)
    return dataset


def text_of(number: int) -> str:
    """Return one of a few texts."""
    return f"bonjour à {number % TEXTS}"


@contextmanager
def workers_running(url: str, folder: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run WORKERS workers with --now; those that still run at the end must end cleanly."""
    running = [_start_worker(url, folder, number) for number in range(WORKERS)]
    try:
        yield running
        for worker in running:
            worker.terminate()
        codes = {worker.wait(PATIENCE_SECONDS) for worker in running}
    finally:
        for worker in running:
            worker.kill()
            worker.wait()
    assert codes <= {0, -signal.SIGKILL}, logs(folder)
    assert "Traceback" not in logs(folder)


def _start_worker(url: str, folder: Path, number: int) -> subprocess.Popen[bytes]:
    with (folder / f"worker-{number}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "enrich", "run", "--now"],
            cwd=ROOT,
            env=environment(url, f"worker-{number}"),
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def environment(url: str, name: str) -> dict[str, str]:
    """Return the environment of a worker, including the secret."""
    return command_environment(url, API_TEST_KEY=SECRET, WORKER_NAME=name, LEASE_SECONDS="60")


def logs(folder: Path) -> str:
    """Return the logs of all workers."""
    return "\n".join(path.read_text("utf-8") for path in folder.glob("*.log"))


def once(url: str) -> Done:
    """Run `enrich once` with the secret."""
    return run_command(url, "enrich", "once", API_TEST_KEY=SECRET, WORKER_NAME="worker-x")


def values(store: Store, dataset: Dataset, enricher: str) -> dict[str, Any]:
    """Return the stored values of an enricher, by text."""
    field = dataset.spec.enrichers[enricher].reads[0]
    return {
        row["inputs"][field]: row["enrichments"][enricher]
        for row in export_rows(store, dataset)
        if enricher in row["enrichments"]
    }


def is_done(store: Store, *datasets: Dataset) -> bool:
    """Return whether every record has every value."""
    return all(
        len(row["enrichments"]) == len(dataset.spec.enrichers)
        for dataset in datasets
        for row in export_rows(store, dataset)
    )


def assert_right(store: Store, *datasets: Dataset) -> None:
    """Fail unless each record has the answer to its own text and none is quarantined."""
    for dataset in datasets:
        for name, enricher in dataset.spec.enrichers.items():
            if enricher.use == "http":
                answers = values(store, dataset, name)
                assert len(answers) == RECORDS
                for asked, path in answers.items():
                    assert parse_qs(urlsplit(path).query)["text"] == [asked]
    with store.reading() as connection:
        assert list_quarantine(connection) == []


def spent(store: Store, dataset: Dataset) -> int:
    """Return the number of calls that a dataset's enrichers have spent."""
    with store.reading() as connection:
        return sum(spent_calls(connection, dataset.id).values())


def texts_asked(server: BadServer) -> list[str]:
    """Return the text of each request that the server received."""
    return [parse_qs(urlsplit(call.path).query)["text"][0] for call in server.calls]


def assert_no_secret(store: Store, url: str, folder: Path) -> None:
    """Fail if the secret, in any encoding, is in the store or the logs."""
    for written in (logs(folder).encode(), dump(store, url)):
        assert SECRET.encode() not in written
        assert SECRET.encode().hex().encode() not in written
        assert quote(SECRET, safe="").encode() not in written
        assert SECRET[:8].encode() not in written


def dump(store: Store, url: str) -> bytes:
    """Return the whole store: the SQLite files, or every PostgreSQL row as text."""
    if url.startswith("sqlite"):
        file = Path(url.removeprefix("sqlite:///"))
        return b"".join(path.read_bytes() for path in file.parent.glob(file.name + "*"))
    with store.reading() as connection:
        return "\n".join(
            row
            for table in inspect(connection).get_table_names()
            for row in connection.execute(text(f'SELECT t::text FROM "{table}" t')).scalars()  # noqa: S608
        ).encode()


def test_every_call_is_made_once_and_every_record_has_its_answer(
    store: Store, settings: Settings, database_url: str, server: BadServer, tmp_path: Path
) -> None:
    """Equal calls of several datasets and fields are made once; no secret is stored or logged."""
    url = server.on("/score", behaviour.echoes())
    datasets = [
        make_dataset(
            store,
            settings,
            name,
            first,
            score=http_enricher(url),
            title=http_enricher(url, "subject"),
        )
        for name, first in (("letters", 0), ("notes", 20), ("posts", 60))
    ]
    with workers_running(database_url, tmp_path):
        wait_for(lambda: is_done(store, *datasets), lambda: logs(tmp_path))
    assert_right(store, *datasets)
    asked = texts_asked(server)
    assert sorted(asked) == sorted({text_of(number) for number in range(TEXTS)})
    assert sum(spent(store, dataset) for dataset in datasets) == len(asked)
    assert all(call.headers["authorization"] == f"Bearer {SECRET}" for call in server.calls)
    with store.reading() as connection:
        kept = connection.execute(select(tables.response.c.text)).scalars().all()
    assert len(kept) == TEXTS
    assert all(
        json.loads(body)["headers"]["authorization"] == "Bearer ***" for body in kept if body
    )
    assert_no_secret(store, database_url, tmp_path)


def flaky() -> Behaviour:
    """Return a behaviour that, depending on the text, fails, stalls or pauses before it answers."""
    kinds: dict[int, list[Behaviour]] = {
        0: [behaviour.fails(500), behaviour.fails(503)],
        1: [behaviour.stalls()],
        2: [behaviour.asks_for_pause(1)],
        3: [behaviour.hangs_up(), behaviour.asks_for_pause_until(2), behaviour.fails(500)],
    }
    seen: dict[str, int] = {}
    lock = threading.Lock()

    def behave(handler: behaviour.Handler) -> None:
        with lock:
            before = seen.get(handler.call.path, 0)
            seen[handler.call.path] = before + 1
        number = int(parse_qs(urlsplit(handler.call.path).query)["text"][0].split()[-1])
        bad = kinds.get(number % 25, [])
        (bad[before] if before < len(bad) else behaviour.echoes())(handler)

    return behave


@MANY_WORKERS
def test_a_server_that_fails_stalls_and_asks_for_pauses_is_asked_within_the_budget(
    store: Store, settings: Settings, database_url: str, server: BadServer, tmp_path: Path
) -> None:
    """All values are stored in the end, and each request to the server was charged."""
    url = server.on("/score", flaky())
    # Barely enough if no unused try is refunded.
    budget = 4 * (RECORDS + 12)
    config: dict[str, Any] = {"tries": 4, "timeout_seconds": 4, "budget_calls": budget}
    datasets = [
        make_dataset(store, settings, name, first, score=http_enricher(url, **config))
        for name, first in (("letters", 0), ("notes", 30))
    ]
    with workers_running(database_url, tmp_path):
        wait_for(lambda: is_done(store, *datasets), lambda: logs(tmp_path))
    assert_right(store, *datasets)
    assert all(spent(store, dataset) <= budget for dataset in datasets)
    assert len(server.calls) <= sum(spent(store, dataset) for dataset in datasets)
    assert len(server.calls) > TEXTS
    assert_no_secret(store, database_url, tmp_path)


def test_a_budget_that_is_spent_leaves_the_other_records_waiting_with_the_reason(
    store: Store, settings: Settings, database_url: str, server: BadServer, tmp_path: Path
) -> None:
    """Other enrichers still write their values; `once` reports the spent budget and fails."""
    url = server.on("/score", behaviour.echoes())
    config: dict[str, Any] = {"tries": 3, "budget_calls": 32}
    dataset = make_dataset(store, settings, "notes", score=http_enricher(url, **config))
    others = make_dataset(store, settings, "posts", 60)
    reason = "score: its budget of 32 calls is spent"

    def errors() -> list[str]:
        status = json.loads(run_command(database_url, "enrich", "status", "--json").out)
        return [worker["error"] or "" for worker in status["workers"]]

    def is_waiting() -> bool:
        current = errors()
        return len(current) == WORKERS and any(reason in error for error in current)

    with workers_running(database_url, tmp_path):
        wait_for(lambda: len(values(store, dataset, "length")) == RECORDS, lambda: logs(tmp_path))
        wait_for(lambda: is_done(store, others) and is_waiting(), errors)
        wait_for(lambda: len(server.calls) >= 30, lambda: len(server.calls))
    # The last two calls of a budget may stay unused.
    assert 30 <= len(server.calls) <= 32
    assert len(values(store, dataset, "score")) == len(server.calls) == spent(store, dataset)
    done = once(database_url)
    assert done.code == 1
    assert reason in done.err
    assert len(done.err.strip().splitlines()) == 1, done.err
    assert len(server.calls) <= 32
    with store.reading() as connection:
        assert list_quarantine(connection) == []


def test_a_worker_killed_in_the_middle_of_its_calls_loses_no_value_and_no_budget(
    store: Store, settings: Settings, database_url: str, server: BadServer, tmp_path: Path
) -> None:
    """Other workers notice its death and repeat its unanswered calls at once."""
    caught: list[str] = []
    may_go_on = threading.Event()

    def catch(handler: behaviour.Handler) -> None:
        caught.append(handler.call.headers["x-worker"])
        may_go_on.wait(PATIENCE_SECONDS)
        behaviour.echoes()(handler)

    answer = behaviour.echoes()
    url = server.on("/score", *[answer] * 30, catch, answer)
    budget = 3 * (RECORDS + 60)
    config: dict[str, Any] = {"tries": 3, "timeout_seconds": 60, "budget_calls": budget}
    dataset = make_dataset(store, settings, "notes", score=http_enricher(url, **config))
    with workers_running(database_url, tmp_path) as running:
        wait_for(lambda: bool(caught), lambda: logs(tmp_path))
        victim = running[int(caught[0].removeprefix("worker-"))]
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()
        may_go_on.set()
        wait_for(lambda: is_done(store, dataset), lambda: logs(tmp_path))
    assert_right(store, dataset)
    assert len(server.calls) <= spent(store, dataset) <= budget
    assert_no_secret(store, database_url, tmp_path)


@MANY_WORKERS
def test_all_workers_together_keep_the_rate(
    store: Store, settings: Settings, database_url: str, server: BadServer, tmp_path: Path
) -> None:
    """At any moment there were at most as many calls as slots; late calls may bunch together."""
    rate = 20
    url = server.on("/score", behaviour.echoes())
    dataset = make_dataset(
        store, settings, "notes", score=http_enricher(url, calls_per_second=rate)
    )
    store.write(pause_workers)
    with workers_running(database_url, tmp_path):
        wait_for(lambda: worker_count(store) == WORKERS, lambda: logs(tmp_path))
        began = time.monotonic()
        store.write(resume_workers)
        wait_for(lambda: is_done(store, dataset), lambda: logs(tmp_path))
    assert_right(store, dataset)
    times = sorted(call.at for call in server.calls)
    assert len(times) == RECORDS
    # A call arrives at its slot or later, and slots are 1 / rate apart. Late calls of a slow worker
    # may coincide with those of another, so there is no bound for each single second.
    assert all(count <= rate * (at - began) + 1 for count, at in enumerate(times, 1))


def worker_count(store: Store) -> int:
    """Count the workers that have registered."""
    with store.reading() as connection:
        return len(all_workers(connection))


@MANY_WORKERS
def test_a_budget_that_suffices_is_enough_for_any_number_of_workers(
    store: Store, settings: Settings, database_url: str, server: BadServer, tmp_path: Path
) -> None:
    """Workers wait for the calls that others charged in advance, most of which are refunded."""
    url = server.on("/score", behaviour.echoes())
    config: dict[str, Any] = {"tries": 10, "budget_calls": RECORDS + 10}
    dataset = make_dataset(store, settings, "notes", score=http_enricher(url, **config))
    with workers_running(database_url, tmp_path):
        wait_for(lambda: is_done(store, dataset), lambda: (len(server.calls), logs(tmp_path)))
    assert_right(store, dataset)
    assert len(server.calls) == spent(store, dataset) == RECORDS


# Tests with one worker in this process


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """Set the environment variables that the headers name."""
    named = {"API_TEST_KEY": SECRET, "WORKER_NAME": "worker-x"}
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    return named


class Eraser(InlineExecutor):
    """An executor that erases a record when the first batch is computed."""

    def __init__(self, store: Store, dataset: Dataset) -> None:
        super().__init__()
        self._store = store
        self._dataset = dataset

    def compute(self, *arguments: Any) -> Any:  # noqa: ANN401
        if not self.rows:
            with self._store.writing() as connection:
                first = next(each_record(connection, self._dataset.id))
                forget_record(connection, self._dataset.id, first.key)
        return super().compute(*arguments)


@pytest.mark.usefixtures("secrets")
def test_a_record_erased_while_its_chunk_is_worked_on_keeps_no_worker_busy(
    store: Store, settings: Settings, server: BadServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No worker is granted the erased record's call, so no worker may wait for its answer."""
    url = server.on("/score", behaviour.echoes())
    dataset = make_dataset(store, settings, "notes", score=http_enricher(url))
    grants = []

    def count(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        grants.append(named)
        assert len(grants) < 100, "the same call is asked for again and again"
        return grant_calls(*arguments, **named)

    monkeypatch.setattr("enrich.pipeline.api_calls.grant_calls", count)
    with working(store, settings, threading.Event(), Eraser(store, dataset)) as worker:
        worker.enrich()
    assert len(values(store, dataset, "score")) == RECORDS - 1


@ONE_WORKER
def test_a_refused_call_is_not_made_again_while_its_chunk_waits_for_another(
    store: Store, settings: Settings, database_url: str, server: BadServer
) -> None:
    """A repeated call would be charged again without any use."""
    plan: dict[str, list[Behaviour]] = {}

    def behave(handler: behaviour.Handler) -> None:
        [asked] = parse_qs(urlsplit(handler.call.path).query)["text"]
        bad = plan.get(asked, [])
        (bad.pop() if bad else behaviour.echoes())(handler)

    url = server.on("/score", behave)
    dataset = make_dataset(
        store, settings, "notes", chunk_records=RECORDS, score=http_enricher(url)
    )
    with store.reading() as connection:
        by_key = sorted(each_record(connection, dataset.id), key=lambda record: record.key)
    texts = [str(record.inputs["sentence"]) for record in by_key]
    for refused in texts[:5]:
        plan[refused] = [behaviour.fails(404) for _ in range(9)]
    # So long that the worker postpones the call instead of waiting for it.
    plan[texts[-1]] = [behaviour.asks_for_pause(11)]
    done = once(database_url)
    assert done.code == 1
    assert "5 of them lack a value and are quarantined" in done.err
    assert len(values(store, dataset, "score")) == RECORDS - 5
    assert Counter(texts_asked(server)) == Counter([*texts, texts[-1]])


@pytest.mark.usefixtures("secrets")
def test_a_worker_that_waits_for_another_sees_it_die(
    store: Store, settings: Settings, server: BadServer
) -> None:
    """It does not wait for as long as the calls of the dead worker might have taken."""
    dataset = make_dataset(
        store, settings, "notes", score=http_enricher(server.on("/score", behaviour.echoes()))
    )
    code = find_enricher(dataset.spec, "score", settings.code_paths).make()
    with store.reading() as connection:
        wanted = {
            code.request({"sentence": record.inputs["sentence"]}).hash: record.id
            for record in each_record(connection, dataset.id)
        }
    stop = threading.Event()
    with (
        subprocess.Popen(["sleep", "600"]) as other,
        working(store, settings, stop, InlineExecutor()) as worker,
    ):
        caller = Caller(dataset.id, "score", register_other(store, other.pid))
        quota = quota_of(code, len(wanted), 600)
        store.write(partial(grant_calls, caller=caller, wanted=wanted, quota=quota))
        enriching = threading.Thread(target=until_stopped, args=(worker.enrich,))
        enriching.start()
        time.sleep(1)
        assert server.calls == []
        other.kill()
        other.wait()
        enriching.join(PATIENCE_SECONDS)
        in_time = not enriching.is_alive()
        stop.set()
        enriching.join()
    assert in_time
    assert_right(store, dataset)


def until_stopped(work: Callable[[], object]) -> None:
    """Call a function, and return if it is stopped."""
    with suppress(Stopped):
        work()


def register_other(store: Store, pid: int) -> int:
    """Register a process as a worker of this machine, and return the worker's id."""
    worker_id = store.write(register_worker)
    with store.writing() as connection:
        worker = update(tables.worker).where(tables.worker.c.id == worker_id)
        connection.execute(worker.values(process=_process(pid)))
    return worker_id


def test_a_placeholder_that_no_row_has_is_reported_once_and_blames_no_record(
    store: Store, settings: Settings, database_url: str, server: BadServer
) -> None:
    """The error is in the configuration, so no record is quarantined."""
    wrong = http_enricher(server.on("/score", behaviour.echoes()))
    wrong.config["url"] = f"{server.url}/score?text={{sentense}}"
    dataset = make_dataset(store, settings, "notes", score=wrong)
    done = once(database_url)
    assert done.code == 1
    assert "{sentense} is not read; the enricher reads sentence" in done.err
    assert values(store, dataset, "score") == {}
    with store.reading() as connection:
        assert list_quarantine(connection) == []


def test_a_secret_that_is_not_set_is_reported_and_nothing_is_charged(
    store: Store, settings: Settings, database_url: str, server: BadServer
) -> None:
    """No record is quarantined, and the calls are made once the secret is set."""
    url = server.on("/score", behaviour.echoes())
    dataset = make_dataset(store, settings, "notes", score=http_enricher(url, budget_calls=50))
    done = run_command(database_url, "enrich", "once", WORKER_NAME="worker-x")
    assert done.code == 1
    assert "the variable API_TEST_KEY is not set; set it in the worker's environment" in done.err
    assert (server.calls, spent(store, dataset)) == ([], 0)
    assert once(database_url).code == 1
    assert 47 <= len(server.calls) <= 50
    with store.reading() as connection:
        assert list_quarantine(connection) == []
