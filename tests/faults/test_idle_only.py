"""The worker's own load, and others'."""

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

from db.records.dataset import Dataset
from db.records.record import NewRecord, add_records
from db.spec.dataset_spec import EnricherSpec
from db.store import tables
from db.store.store import Store
from tests.conftest import ROOT, command_environment, make_store, notes_spec, register
from tests.processes import PATIENCE_SECONDS, wait_for

from .conftest import FULL

RECORDS = 400_000 if FULL else 30_000
# In full on the real machine, with the gate as it comes; in short on one of a few processes, where
# it is not time that counts, but what the gate has done.
OWN_SECONDS, OWN_RECORDS = 600.0, 2_000
BUSY_SECONDS, IDLE_SECONDS, CYCLES = (30.0, 60.0, 4) if FULL else (0.0, 2.0, 2)
# So many use enough of a machine on which others run too.
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
    """A store with a long backlog, and where a worker's log and the burners' ids are."""

    url: str
    store: Store
    folder: Path

    @property
    def burners(self) -> Path:
        """The file that names those who burn CPU."""
        return self.folder / "burners"

    @property
    def log(self) -> str:
        """What the worker has logged so far."""
        return (self.folder / "log").read_text("utf-8")

    def done(self) -> int:
        """Count the values that are there."""
        with self.store.reading() as connection:
            return connection.execute(
                select(func.count()).select_from(tables.enrichment)
            ).scalar_one()


@pytest.fixture
def site(sqlite_url: str, tmp_path: Path) -> Iterator[Site]:
    """Give a store with a backlog for as long as the test may take."""
    store = make_store(sqlite_url)
    found = register(store, SPEC)
    for first in range(0, RECORDS, 5000):
        fill(store, found, first)
    made = Site(sqlite_url, store, tmp_path)
    made.burners.write_text("", "ascii")
    yield made
    store.close()


def fill(store: Store, dataset: Dataset, first: int) -> None:
    """Add five thousand records."""
    records = []
    for number in range(first, first + 5000):
        inputs = dataset.spec.read_inputs({"sentence": f"phrase {number}"})
        records.append(NewRecord(dataset.spec.key(inputs), inputs))
    with store.writing() as connection:
        add_records(connection, dataset.id, records, "import")


@contextmanager
def worker(site: Site, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker: on the real machine in full, or where it is told to work now."""
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
    """Burn a core, as far as it is free, for as long as the block takes."""
    with ExitStack() as stack:
        for _ in range(BURNERS):
            burner = stack.enter_context(subprocess.Popen([sys.executable, "-c", BURN]))
            stack.callback(burner.kill)
            site.burners.write_text(f"{site.burners.read_text('ascii')} {burner.pid}", "ascii")
        yield


def wait_for_work(site: Site, records: int = 1) -> None:
    """Wait until the worker has done so many more records."""
    before = site.done()
    wait_for(lambda: site.done() >= before + records, lambda: site.log)


def wait_for_gate(site: Site, closed: int, opened: int) -> None:
    """Wait until the gate has closed and opened so many times."""
    wait_for(lambda: site.log.count(CLOSED) >= closed, lambda: site.log)
    wait_for(lambda: len(openings(site.log)) >= opened, lambda: site.log)


def test_a_workers_own_load_never_closes_its_gate(site: Site) -> None:
    """However hard it works, training included."""
    with worker(site):
        if FULL:
            wait_for_work(site)
            time.sleep(OWN_SECONDS)
        else:
            wait_for_work(site, OWN_RECORDS)
    assert "gate opening → open" in site.log
    assert CLOSED not in site.log, site.log


def openings(log: str) -> list[float]:
    """Return when the gate opened, in seconds."""
    times = re.findall(r"(\d+-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) gate \w+ → open\b", log)
    return [datetime.fromisoformat(one).timestamp() for one in times]


def test_beside_others_it_does_half_of_what_an_ungated_worker_does_while_they_rest(
    site: Site,
) -> None:
    """And its gate does not flutter."""
    with worker(site, "--now"):
        wait_for_work(site)
        before, began = site.done(), time.monotonic()
        time.sleep(IDLE_SECONDS)
        # On a machine that is busy with other tests it may have done nothing at all yet.
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
    # How fast it is depends on what else a machine does: only in full is it ours alone.
    assert share >= (0.5 if FULL else 0.0), site.log
