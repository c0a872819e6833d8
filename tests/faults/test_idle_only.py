"""The gate ignores the worker's own load and closes for the load of other programs."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import func, select

from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.records.dataset import Dataset
from db.spec.section import EnricherSpec
from db.store import tables
from db.store.store import Store
from tests.conftest import ROOT, command_environment, make_store, notes_spec, register
from tests.processes import PATIENCE_SECONDS, wait_for

from .conftest import FULL

RECORDS = 400_000 if FULL else 30_000
# A full run measures the real machine, with the default gate settings. A short run simulates a
# machine of a few processes, and waits for gate changes instead of fixed times.
OWN_SECONDS, OWN_RECORDS = 600.0, 2_000
BUSY_SECONDS, IDLE_SECONDS, CYCLES = (30.0, 60.0, 4) if FULL else (0.0, 2.0, 2)
# Enough to close the gate on a machine on which other programs run too.
BURNERS = 1 if FULL else 4
QUICK = {} if FULL else {"GATE_OPEN_SECONDS": "1.5", "GATE_CLOSED_SECONDS": "2"}
CLOSED_SECONDS = 20.0 if FULL else 2.0
CALM = {
    "GATE_PRESSURE": "1",
    "GATE_DISK_MIB": "0",
    "GATE_OPEN_MEMORY": "0",
    "GATE_CLOSE_MEMORY": "0",
}
BURN = "while True: sum(range(1000))"
CLOSED = "gate open →"

SPEC = notes_spec({"busy": EnricherSpec(use="tests.faults.busy_enricher.Busy")})


@dataclass(frozen=True)
class Site:
    """A store with a long backlog, and the folder of the worker's log and the burners' ids."""

    url: str
    store: Store
    folder: Path

    @property
    def burners(self) -> Path:
        """The file of the ids of the processes that burn CPU."""
        return self.folder / "burners"

    @property
    def log(self) -> str:
        """The worker's log so far."""
        return (self.folder / "log").read_text("utf-8")

    def done(self) -> int:
        """Count the stored enrichment values."""
        with self.store.reading() as connection:
            return connection.execute(
                select(func.count()).select_from(tables.enrichment)
            ).scalar_one()


@pytest.fixture
def site(sqlite_url: str, tmp_path: Path) -> Iterator[Site]:
    """Yield a store with a backlog that lasts for the whole test."""
    store = make_store(sqlite_url)
    dataset = register(store, SPEC)
    for first in range(0, RECORDS, 5000):
        fill(store, dataset, first)
    site = Site(sqlite_url, store, tmp_path)
    site.burners.write_text("", "ascii")
    yield site
    store.close()


def fill(store: Store, dataset: Dataset, first: int) -> None:
    """Add five thousand records."""
    records = []
    for number in range(first, first + 5000):
        inputs = dataset.spec.read_inputs({"sentence": f"phrase {number}"})
        records.append(NewRow(dataset.spec.key(inputs), inputs))
    with store.writing() as connection:
        add_rows(connection, dataset, records, "import")


@contextmanager
def worker(site: Site, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker: the real command in a full run or with arguments, else a simulated machine."""
    if FULL or arguments:
        command = [sys.executable, "-m", "enrich", "run", *arguments]
    else:
        command = [sys.executable, "-m", "tests.faults.small_machine", str(site.burners)]
    settings = command_environment(site.url, **{**CALM, **QUICK, **environment})
    with (
        (site.folder / "log").open("w") as log,
        subprocess.Popen(command, cwd=ROOT, env=settings, stdout=log, stderr=log) as running,
    ):
        try:
            yield running
        finally:
            running.terminate()
            running.wait(PATIENCE_SECONDS)


@contextmanager
def burning(site: Site) -> Iterator[None]:
    """Run processes that burn CPU until the end of the block."""
    with ExitStack() as stack:
        for _ in range(BURNERS):
            burner = stack.enter_context(subprocess.Popen([sys.executable, "-c", BURN]))
            stack.callback(burner.kill)
            site.burners.write_text(f"{site.burners.read_text('ascii')} {burner.pid}", "ascii")
        yield


def wait_for_work(site: Site, records: int = 1) -> None:
    """Wait until the worker has enriched this many more records."""
    before = site.done()
    wait_for(lambda: site.done() >= before + records, lambda: site.log)


def wait_for_gate(site: Site, closed: int, opened: int) -> None:
    """Wait until the gate has closed and opened at least this often."""
    wait_for(lambda: site.log.count(CLOSED) >= closed, lambda: site.log)
    wait_for(lambda: len(openings(site.log)) >= opened, lambda: site.log)


def test_a_workers_own_load_never_closes_its_gate(site: Site) -> None:
    """The gate stays open under any load of the worker itself, including training."""
    with worker(site):
        if FULL:
            wait_for_work(site)
            time.sleep(OWN_SECONDS)
        else:
            wait_for_work(site, OWN_RECORDS)
    assert "gate opening → open" in site.log
    assert CLOSED not in site.log, site.log


def openings(log: str) -> list[float]:
    """Return the times at which the gate opened, as Unix seconds."""
    times = re.findall(r"(\d+-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) gate \w+ → open\b", log)
    return [datetime.fromisoformat(time_text).timestamp() for time_text in times]


def test_in_idle_time_a_gated_worker_does_at_least_half_the_work_of_an_ungated_worker(
    site: Site,
) -> None:
    """Its gate also opens no more than once per cycle, and stays closed for the set time."""
    with worker(site, "--now"):
        wait_for_work(site)
        before, began = site.done(), time.monotonic()
        time.sleep(IDLE_SECONDS)
        # On a machine that is busy with other tests the worker may have done nothing yet.
        wait_for_work(site)
        rate = (site.done() - before) / (time.monotonic() - began)
    with worker(site):
        wait_for_work(site)
        before = site.done()
        for cycle in range(1, CYCLES + 1):
            with burning(site):
                time.sleep(BUSY_SECONDS)
                if not FULL:
                    wait_for_gate(site, closed=cycle, opened=cycle)
            time.sleep(IDLE_SECONDS)
            if not FULL:
                wait_for_gate(site, closed=cycle, opened=cycle + 1)
        done = site.done() - before
    share = done / (rate * IDLE_SECONDS * CYCLES)
    opened = openings(site.log)
    sys.stdout.write(f"{share:.0%} of an ungated worker's {rate:.0f} records/s; opened {opened}\n")
    assert 1 <= len(opened) <= CYCLES + 1, site.log
    assert all(later - sooner >= CLOSED_SECONDS for sooner, later in pairwise(opened))
    # The rate depends on other load on the machine; only a full run has the machine to itself.
    assert share >= (0.5 if FULL else 0.0), site.log
