"""The request recorder while the store fails at any of its statements: no input may be lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg
import pytest
from sqlalchemy import Connection, select

from db.records.dataset import Dataset
from db.store import tables
from db.store.direct.connection import DirectConnection
from db.store.direct.errors import DriverError
from db.store.store import Store
from db.store.timed_connection import StatementTimeout
from db.traffic.requested_inputs import RequestedInput, record_within_limit
from serve.prediction import request_recorder
from serve.prediction.request_recorder import RequestRecorder
from tests.conftest import notes_spec, register
from tests.direct import direct_store
from tests.processes import wait_for

Step = Callable[..., Any]
# Where the driver is asked for something.
STEPS = ("rows", "run", "run_each")
MANY = 100


@dataclass
class Faults:
    """Lets steps fail, counted from 1: before they are done, or after, so that nobody hears it."""

    kind: str
    failing: range = range(0)
    count: int = 0

    def wrap(self, step: Step) -> Step:
        """Return a step that fails when it is its turn."""

        def run(connection: DirectConnection, *arguments: Any) -> object:  # noqa: ANN401
            self.count += 1
            fails = self.count in self.failing
            if fails and self.kind != "unheard":
                self._fail(connection)
            result = step(connection, *arguments)
            if fails:
                self._fail(connection)
            return result

        return run

    def _fail(self, connection: DirectConnection) -> None:
        with connection.driver_errors():
            if connection.dialect.name == "sqlite":
                raise sqlite3.OperationalError("disk I/O error")
            connection.driver.pgconn.finish()
            if self.kind == "late":
                raise StatementTimeout("no answer from the store in time")
            raise psycopg.OperationalError("the connection is lost")


@contextmanager
def failing(faults: Faults) -> Iterator[None]:
    """Let steps of the store fail until the block's end."""
    with pytest.MonkeyPatch.context() as patch:
        for name in STEPS:
            patch.setattr(DirectConnection, name, faults.wrap(getattr(DirectConnection, name)))
        yield


def asked(number: int) -> RequestedInput:
    """Return inputs that the store accepts."""
    return RequestedInput(bytes([number]) * 16, b'{"sentence":"merci %d"}' % number)


@pytest.fixture
def datasets(store: Store) -> list[Dataset]:
    """Return two datasets without records."""
    specs = [msgspec.structs.replace(notes_spec({}), name=name) for name in ("notes", "others")]
    return [register(store, spec) for spec in specs]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_recorder, "GATHER_SECONDS", 0.01)
    monkeypatch.setattr(request_recorder, "RETRY_SECONDS", 0.01)


def stored(store: Store) -> list[tuple[int, bytes]]:
    """Return dataset and key of all records."""
    columns = tables.record.c.dataset_id, tables.record.c.key
    with store.reading() as connection:
        return [(row[0], bytes(row[1])) for row in connection.execute(select(*columns))]


def empty(store: Store) -> None:
    """Delete all records."""

    def delete(connection: Connection) -> None:
        connection.execute(tables.record.delete())

    store.write(delete)


def record(store: Store, datasets: list[Dataset], faults: Faults) -> RequestRecorder:
    """Record three inputs of each dataset with these faults; return the recorder."""
    recorder = RequestRecorder(direct_store(store), MANY, MANY)
    for dataset in datasets:
        for number in range(3):
            assert recorder.put(dataset.id, asked(number))
    with failing(faults):
        recorder.start()
        wait_for(lambda: not len(recorder))
        recorder.close()
    return recorder


@pytest.mark.parametrize("kind", ["cut", "late", "unheard"])
@pytest.mark.parametrize("times", [1, 4])
def test_an_input_is_stored_once_whichever_statement_fails(
    store: Store, datasets: list[Dataset], kind: str, times: int
) -> None:
    """The connection is lost, an answer is late, or what was done is not acknowledged."""
    wanted = sorted((dataset.id, asked(number).key) for dataset in datasets for number in range(3))
    first, count = 1, 1
    while first <= count:
        faults = Faults(kind, range(first, first + times))
        recorder = record(store, datasets, faults)
        assert sorted(stored(store)) == wanted, f"statement {first}"
        assert (recorder.refused, recorder.has_died) == (0, False), f"statement {first}"
        empty(store)
        # Without the steps that were tried again.
        first, count = first + 1, faults.count - times
    assert first > 5


def test_a_process_that_ends_waits_for_a_store_that_restarts(
    store: Store, datasets: list[Dataset]
) -> None:
    """A deployment may come while the store restarts: one failure must not lose all inputs."""
    faults = Faults("cut", range(1, 6))
    recorder = RequestRecorder(direct_store(store), MANY, MANY)
    for number in range(3):
        assert recorder.put(datasets[0].id, asked(number))
    with failing(faults):
        recorder.start()
        recorder.close()
    assert len(stored(store)) == 3
    assert recorder.dropped == 0
    assert not recorder.put(datasets[0].id, asked(4)), "it would never be written"


def test_a_process_that_ends_does_not_wait_for_a_store_that_stays_away(
    store: Store,
    datasets: list[Dataset],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What is lost is counted, and a line says so."""
    monkeypatch.setattr(request_recorder, "CLOSE_SECONDS", 0.3)
    recorder = RequestRecorder(direct_store(store), MANY, MANY)
    assert recorder.put(datasets[0].id, asked(1))
    with failing(Faults("cut", range(1, 1_000_000))):
        recorder.start()
        recorder.close()
        recorder._thread.join(30)
    assert recorder.dropped == 1
    assert "1 unseen inputs are lost" in caplog.text


@pytest.mark.parametrize("at_once", [2, MANY])
def test_a_store_that_is_slow_gets_fewer_inputs_at_a_time(
    store: Store, datasets: list[Dataset], monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """Otherwise a batch that takes longer than its limit would be tried forever."""
    write = record_within_limit
    # The store becomes faster: it takes two at a time, and then any number.
    most = [2, 2, MANY]

    def slow(connection: DirectConnection, requested: list[RequestedInput], **more: Any) -> int:  # noqa: ANN401
        if len(requested) > most[0]:
            raise DriverError(StatementTimeout("no answer from the store in time"))
        del most[: len(most) > 1]
        return write(connection, requested=requested, **more)

    monkeypatch.setattr(request_recorder, "record_within_limit", slow)
    recorder = RequestRecorder(direct_store(store), MANY, MANY)
    recorder._at_once = at_once
    for number in range(20):
        assert recorder.put(datasets[0].id, asked(number))
    recorder.start()
    wait_for(lambda: not len(recorder))
    recorder.close()
    assert len(stored(store)) == 20
