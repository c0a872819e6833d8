"""Workers whose PostgreSQL server is restarted repeatedly."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, select

from db.files.exporter import export_rows
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.records.dataset import Dataset, find_dataset
from db.records.record import count_stale
from db.spec.section import EnricherSpec
from db.store import tables
from db.store.store import Store
from enrich.enrichers.base import Row
from tests import processes
from tests.conftest import ROOT, command_environment, make_store, notes_spec, register
from tests.processes import PATIENCE_SECONDS

from .conftest import FULL
from .own_postgres import Server
from .own_postgres import server as server  # noqa: PLC0414  a fixture

WORKERS = 4
RESTARTS = 3
FULL_SECONDS = 600.0
EARLIEST_SECONDS, LATEST_SECONDS = 5.0, 40.0
ROW_SECONDS = 0.02 if FULL else 0.005
# Records are added whenever fewer are left, so that all workers always have work.
RECORDS = 4_000 if FULL else 2_500
# Enough that chunks are partly done at a restart.
FEW_VALUES = 500

wait_for = partial(processes.wait_for, look_seconds=0.2)


class SlowLength:
    """Return each sentence's length after a delay."""

    version = "1"

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        time.sleep(ROW_SECONDS * len(rows))
        return [len(row["sentence"]) for row in rows]


class Half:
    """Return half of the slow enricher's value."""

    version = "1"

    def __call__(self, rows: Sequence[Row]) -> list[float]:
        return [row["slow"] / 2 for row in rows]


SPEC = notes_spec(
    {
        "slow": EnricherSpec(use=f"{__name__}.SlowLength"),
        "half": EnricherSpec(use=f"{__name__}.Half", reads=("slow",)),
    }
)


@dataclass
class Notes:
    """A dataset to which records are added whenever `fill` finds few left."""

    store: Store
    dataset: Dataset
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def fill(self) -> None:
        """Add records if few are left to enrich."""
        with self.store.writing() as connection:
            if self._left() >= RECORDS:
                return
            rows = []
            for number in itertools.islice(self.numbers, RECORDS):
                inputs = self.dataset.spec.read_inputs({"sentence": f"merci {number}"})
                rows.append(NewRow(self.dataset.spec.key(inputs), inputs))
            add_rows(connection, self.dataset, rows, "import")

    def _left(self) -> int:
        with self.store.reading() as connection:
            current = find_dataset(connection, self.dataset.name)
            # Before a worker has made a plan the revision is 0, at which no record is stale.
            return count_stale(connection, current.id, max(current.revision, 1))

    def is_done(self) -> bool:
        """Return whether no record is stale."""
        return self._left() == 0

    def value_count(self) -> int:
        """Count the stored enrichment values."""
        with self.store.reading() as connection:
            return connection.execute(
                select(func.count()).select_from(tables.enrichment)
            ).scalar_one()

    def left_over(self) -> list[int]:
        """Count the chunks and the quarantined records."""
        with self.store.reading() as connection:
            return [
                connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in (tables.chunk, tables.quarantine)
            ]

    def check(self) -> int:
        """Fail unless every value is right; return the number of records."""
        count = 0
        for row in export_rows(self.store, self.dataset):
            length = len(row["inputs"]["sentence"])
            assert row["enrichments"] == {"slow": length, "half": length / 2}
            count += 1
        return count


@pytest.fixture
def notes(server: Server) -> Iterator[Notes]:
    """Yield a dataset with stale records."""
    store = make_store(server.server.get_uri())
    notes = Notes(store, register(store, SPEC))
    notes.fill()
    yield notes
    store.close()


@contextmanager
def worker_running(url: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker, and kill it at the end of the block."""
    with (
        log.open("wb") as file,
        subprocess.Popen(
            [sys.executable, "-m", "enrich", "run", "--now"],
            cwd=ROOT,
            env=command_environment(url),
            stdout=file,
            stderr=file,
        ) as running,
    ):
        try:
            yield running
        finally:
            running.kill()


def work_on(notes: Notes, generator: random.Random) -> None:
    """Let the workers work for a while, and keep them supplied with records."""
    before = notes.value_count()
    until = time.monotonic() + generator.uniform(EARLIEST_SECONDS, LATEST_SECONDS)

    def is_enough() -> bool:
        notes.fill()
        return notes.value_count() >= before + FEW_VALUES and (
            not FULL or time.monotonic() >= until
        )

    wait_for(is_enough)


def restart_repeatedly(server: Server, notes: Notes) -> int:
    """Restart the server repeatedly during the work; return the number of restarts."""
    generator = random.Random(5)
    until = time.monotonic() + FULL_SECONDS
    for restarts in itertools.count():
        if time.monotonic() >= until if FULL else restarts >= RESTARTS:
            return restarts
        work_on(notes, generator)
        notes.store.close()
        server.stop(("fast", "immediate")[restarts % 2])
        time.sleep(generator.uniform(0, 3))
        server.start()
    raise AssertionError


def end_all(workers: Sequence[subprocess.Popen[bytes]]) -> list[int]:
    """Terminate the workers and return their exit codes. Raises TimeoutExpired."""
    for worker in workers:
        worker.terminate()
    return [worker.wait(PATIENCE_SECONDS) for worker in workers]


def test_workers_survive_repeated_restarts_of_the_store(
    server: Server, notes: Notes, tmp_path: Path
) -> None:
    """No result is lost, no record is quarantined, and all workers run until SIGTERM."""
    logs = [tmp_path / f"worker-{number}" for number in range(WORKERS)]
    url = server.server.get_uri()
    with ExitStack() as stack:
        workers = [stack.enter_context(worker_running(url, log)) for log in logs]
        restarts = restart_repeatedly(server, notes)
        wait_for(notes.is_done)
        assert [worker.poll() for worker in workers] == [None] * WORKERS
        assert end_all(workers) == [0] * WORKERS
    assert notes.left_over() == [0, 0]
    records = notes.check()
    for log in logs:
        assert "Traceback" not in log.read_text("utf-8")
    print(f"{records:,} records, {restarts} restarts")  # noqa: T201


def test_a_worker_ends_on_sigterm_while_the_store_is_down(
    server: Server, notes: Notes, tmp_path: Path
) -> None:
    """It waits for the store without a limit, but ends although the store is still down."""
    log = tmp_path / "worker"
    with worker_running(server.server.get_uri(), log) as running:
        work_on(notes, random.Random(5))
        notes.store.close()
        server.stop("fast")
        assert end_all([running]) == [0], log.read_text("utf-8")
        server.start()
    assert "Traceback" not in log.read_text("utf-8")
