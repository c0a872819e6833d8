"""Run `enrich run` as a real process, and open and close its gate."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import delete, select

from db.files.exporter import export_rows
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.queue.planner import CHUNK_RECORDS
from db.queue.workers.worker_row import all_workers
from db.records.dataset import Dataset
from db.records.enrichment import count_enrichments
from db.spec.section import EnricherSpec
from db.store import tables
from db.store.store import Store
from db.traffic.web_load import WebLoad, write_load
from enrich.gate.machine.process_tree import tree
from tests import processes
from tests.conftest import ROOT, command_environment, notes_spec, register, run_command
from tests.faults.conftest import FULL
from tests.processes import PATIENCE_SECONDS, is_gone, state

# Stopping a child works the same on both; reporting a web process's load to workers does not.
on_postgresql = pytest.mark.parametrize(
    "database_url", ["sqlite", "postgresql"] if FULL else ["postgresql"], indirect=True
)
# For tests in which the kind of database does not matter.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
RECORDS = 1000
# After this many records, fewer than a chunk has, the enricher waits for the file named by GO.
BEFORE_GO = 100
# How long work stays suspended in the test that this does not change the rate.
SUSPENDED_SECONDS = 5.0
wait_for = partial(processes.wait_for, look_seconds=0.2)
# The variable with the path to which the enricher writes the sentences that it has processed.
JOURNAL = "TEST_JOURNAL"
# The variable with the path of the file that the enricher waits for.
GO = "TEST_GO"
# Settings under which no other program on this machine closes the gate.
CALM = {
    "GATE_OPEN_SECONDS": "1",
    "GATE_CLOSED_SECONDS": "1",
    "GATE_OPEN_CORES": "1000",
    "GATE_CLOSE_CORES": "1000",
    "GATE_OPEN_MEMORY": "0",
    "GATE_CLOSE_MEMORY": "0",
    "GATE_PRESSURE": "1",
    "GATE_GPU": "1",
    "GATE_DISK_MIB": "0",
}


# A small module, which a child imports quickly. It sleeps, so that it needs no CPU, and it cannot
# finish before the file named by GO exists, however long a test takes until then.
SLOW = f"""
import os
import time

class Slow:
    version = "1"

    def __call__(self, rows):
        with open(os.environ["{JOURNAL}"], "a+", encoding="utf-8") as journal:
            journal.seek(0)
            done = len(journal.readlines())
            while done >= {BEFORE_GO} and not os.path.exists(os.environ["{GO}"]):
                time.sleep(0.01)
            time.sleep(0.001 * len(rows))
            journal.writelines(row["sentence"] + "\\n" for row in rows)
        return [len(row["sentence"]) for row in rows]
"""


SPEC = notes_spec({"slow": EnricherSpec(use="slow_enricher.Slow")})


@dataclass(frozen=True)
class Site:
    """A store with many stale records, and the files of a worker on it."""

    store: Store
    url: str
    dataset: Dataset
    sentences_file: Path
    log: Path

    @contextmanager
    def working(self, *program: str, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a worker for the block; then kill it and every process it started."""
        code = {"CODE_PATHS": "slow_enricher", "PYTHONPATH": str(self.sentences_file.parent)}
        files = {JOURNAL: str(self.sentences_file), GO: str(self.go_file)}
        environment = {**CALM, **code, **files, **settings}
        with (
            self.log.open("wb") as log,
            subprocess.Popen(
                [sys.executable, "-m", *(program or ("enrich", "run"))],
                cwd=ROOT,
                env=command_environment(self.url, **environment),
                stdout=log,
                stderr=subprocess.STDOUT,
            ) as worker,
        ):
            try:
                yield worker
            finally:
                for pid in tree([worker.pid]):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        assert "Traceback" not in self.log.read_text()

    def gate(self) -> dict[str, Any]:
        """Return the worker's last report."""
        with self.store.reading() as connection:
            workers = all_workers(connection)
        return vars(workers[0]) if workers else {"state": "", "reason": ""}

    def wait_until_it_works(self) -> None:
        """Wait until the gate is open and some records are done."""
        wait_for(lambda: self.gate()["state"] == "open" and bool(self.processed()))

    @property
    def go_file(self) -> Path:
        """Return the path of the file that lets the enricher finish."""
        return self.log.with_name("go")

    def status(self) -> tuple[str, dict[str, Any]]:
        """Return what `enrich status` prints about the worker, as text and as JSON."""
        text = run_command(self.url, "enrich", "status")
        status = run_command(self.url, "enrich", "status", "--json")
        assert (text.code, status.code) == (0, 0), text.err + status.err
        return text.out, json.loads(status.out)["workers"][0]

    def processed(self) -> list[str]:
        """Return the sentences that the enricher has processed, in order."""
        return (
            self.sentences_file.read_text("utf-8").splitlines()
            if self.sentences_file.exists()
            else []
        )

    def done(self) -> int:
        """Return how many records have an enrichment."""
        with self.store.reading() as connection:
            return sum(count_enrichments(connection, self.dataset.id).values())

    def is_done(self) -> bool:
        """Return whether every record has an enrichment."""
        return self.done() == RECORDS

    def unfinished(self) -> list[Any]:
        """Return all chunks that are owned or were attempted, and all quarantine reasons."""
        with self.store.reading() as connection:
            tried = tables.chunk.c.owner.isnot(None) | (tables.chunk.c.attempts > 0)
            return [
                *connection.execute(
                    select(tables.chunk.c.id, tables.chunk.c.attempts).where(tried)
                ),
                *connection.execute(select(tables.quarantine.c.reason)),
            ]


@pytest.fixture
def site(store: Store, database_url: str, tmp_path: Path) -> Site:
    """Return a store that takes a worker several seconds."""
    (tmp_path / "slow_enricher.py").write_text(SLOW)
    dataset = register(store, SPEC)
    records = []
    for number in range(RECORDS):
        inputs = dataset.spec.read_inputs({"sentence": f"phrase {number}"})
        records.append(NewRow(dataset.spec.key(inputs), inputs))
    with store.writing() as connection:
        add_rows(connection, dataset, records, "import")
    return Site(store, database_url, dataset, tmp_path / "journal", tmp_path / "log")


def child_of(worker: subprocess.Popen[bytes]) -> int:
    """Return the process id of the compute child."""
    pids = []
    for child in psutil.Process(worker.pid).children():
        with contextlib.suppress(psutil.Error):
            if any("spawn_main" in word for word in child.cmdline()):
                pids.append(child.pid)
    (only,) = pids
    return only


def assert_values_are_right(site: Site) -> None:
    """Fail unless each record has its one value and none waits in a chunk."""
    rows = list(export_rows(site.store, site.dataset))
    assert len(rows) == RECORDS
    for row in rows:
        assert row["enrichments"]["slow"] == len(row["inputs"]["sentence"])
    with site.store.reading() as connection:
        waiting = select(tables.record.c.id).where(tables.record.c.chunk_id.isnot(None))
        assert connection.execute(waiting).all() == []


def pause(site: Site) -> None:
    """Pause every worker with the command that a person uses."""
    assert run_command(site.url, "enrich", "pause").code == 0


def resume(site: Site) -> None:
    """Resume every worker."""
    assert run_command(site.url, "enrich", "resume").code == 0


def suspend(site: Site, worker: subprocess.Popen[bytes]) -> int:
    """Pause a worker while it computes; return the process id of its stopped child."""
    site.wait_until_it_works()
    child = child_of(worker)
    pause(site)
    wait_for(lambda: state(child) == "T")
    wait_for(lambda: site.gate()["state"] == "suspended")
    return child


def assert_all_gone(pids: set[int]) -> None:
    """Wait until none of these processes is left, not even a stopped one."""
    wait_for(lambda: all(is_gone(pid) for pid in pids))


@on_postgresql
def test_paused_work_stops_and_continues_where_it_was(site: Site) -> None:
    """No value is lost, duplicated or computed twice."""
    with site.working() as worker:
        child = suspend(site, worker)
        processed = site.processed()
        text, status = site.status()
        assert status["state"] == "suspended"
        reason = "workers are paused; to resume: python -m enrich resume"
        assert status["reason"] == reason
        assert "(gate suspended)" in text
        assert reason in text.splitlines()
        assert site.processed() == processed
        assert not site.is_done()
        site.go_file.touch()
        resume(site)
        wait_for(site.is_done)
        assert child_of(worker) == child
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE_SECONDS) == 0
    assert_values_are_right(site)
    assert set(Counter(site.processed()).values()) == {1}
    assert site.unfinished() == []


@pytest.mark.slow
@on_postgresql
def test_web_load_closes_the_gate_and_its_end_opens_it(site: Site) -> None:
    """The load is reported repeatedly, as a web process does."""
    with site.working(GATE_WEB_REQUESTS="20") as worker:
        site.wait_until_it_works()
        child = child_of(worker)
        with web_load(site.store, WebLoad(500.0, 3, 0.01)):
            wait_for(lambda: state(child) == "T")
            wait_for(lambda: "web" in site.gate()["reason"])
            text, status = site.status()
            assert status["state"] == "suspended"
            assert status["reason"] == "the web processes answer 500 requests/s (limit 20)"
            assert status["reason"] in text
            assert state(child) == "T"
        site.go_file.touch()
        wait_for(site.is_done)
    assert_values_are_right(site)


@contextmanager
def web_load(store: Store, load: WebLoad) -> Iterator[None]:
    """Report this load of a web process repeatedly until the block ends."""
    ended = threading.Event()

    def report() -> None:
        while not ended.is_set():
            store.write(partial(write_load, process="web", load=load))
            ended.wait(0.5)

    reporter = threading.Thread(target=report)
    reporter.start()
    try:
        yield
    finally:
        ended.set()
        reporter.join()


@pytest.mark.slow
@on_sqlite
def test_other_programs_that_use_the_cpu_close_the_gate(site: Site, tmp_path: Path) -> None:
    """`enrich status` gives the reason; the gate reopens when the other programs end."""
    # The real machine's load is unknown: this one has only the worker and these processes.
    others = tmp_path / "others"
    others.write_text("")
    limits = {"GATE_OPEN_CORES": "0.05", "GATE_CLOSE_CORES": "0.1"}
    with site.working("tests.faults.small_machine", str(others), **limits) as worker:
        site.wait_until_it_works()
        child = child_of(worker)
        with burning(2) as burners:
            others.write_text(" ".join(str(pid) for pid in burners))
            wait_for(lambda: state(child) == "T" and "cores" in site.gate()["reason"])
            text, status = site.status()
            assert status["state"] == "suspended"
            assert status["reason"].startswith("other programs use ")
            assert ": other programs use " in text
        site.go_file.touch()
        wait_for(site.is_done)
    assert_values_are_right(site)


@contextmanager
def burning(count: int) -> Iterator[list[int]]:
    """Keep this many cores busy, as far as they are free."""
    code = "while True: sum(range(10_000))"
    burners = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(count)]
    try:
        yield [burner.pid for burner in burners]
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


@pytest.mark.slow
@on_sqlite
def test_a_worker_terminated_while_suspended_ends_soon_and_leaves_nothing(site: Site) -> None:
    """It ends without being resumed, and its chunk is free again with no attempt counted."""
    with site.working() as worker:
        suspend(site, worker)
        pids = tree([worker.pid])
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE_SECONDS) == 0
        assert_all_gone(pids)
    assert site.gate()["state"] == ""
    assert site.unfinished() == []


@pytest.mark.slow
@on_sqlite
def test_a_worker_killed_while_suspended_leaves_no_process(site: Site) -> None:
    """A stopped child would hold its memory forever; the next worker finds all the work."""
    with site.working() as worker:
        suspend(site, worker)
        pids = tree([worker.pid])
        worker.kill()
        assert_all_gone(pids)
    site.go_file.touch()
    resume(site)
    with site.working():
        wait_for(site.is_done)
    assert_values_are_right(site)


@pytest.mark.slow
@on_sqlite
def test_work_that_stays_suspended_is_given_back(site: Site) -> None:
    """Other workers may take the work, and the child's memory is freed; resuming finishes it."""
    with site.working(GATE_SUSPEND_SECONDS="2") as worker:
        child = suspend(site, worker)
        wait_for(lambda: site.unfinished() == [])
        assert_all_gone({child})
        wait_for(lambda: site.gate()["state"] == "closed")
        assert worker.poll() is None
        site.go_file.touch()
        resume(site)
        wait_for(site.is_done)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE_SECONDS) == 0
    assert_values_are_right(site)
    # Only the batch that was being computed may have been computed again.
    assert max(Counter(site.processed()).values()) <= 2


@pytest.mark.slow
@on_sqlite
def test_time_spent_suspended_does_not_make_the_rate_look_slower(site: Site) -> None:
    """The rate counts only time at work; the share of time at work is reported separately."""
    only_one_chunk(site)
    with site.working() as worker:
        wait_for(lambda: site.gate()["state"] == "open")
        opened_at = site.gate()["since"]
        suspend(site, worker)
        stopped = time.monotonic()
        time.sleep(SUSPENDED_SECONDS)
        site.go_file.touch()
        # It was suspended for at least this long, and at work for at most the rest.
        stopped_seconds = time.monotonic() - stopped
        resume(site)
        wait_for(lambda: site.done() == CHUNK_RECORDS)
        seconds = time.time() - opened_at
        wait_for(lambda: site.gate()["records"])
        status = site.gate()
    assert status["records"] == CHUNK_RECORDS
    assert status["rate"] >= CHUNK_RECORDS / (seconds - stopped_seconds)
    assert 0 < status["open_share"] < 1


def only_one_chunk(site: Site) -> None:
    """Delete all records but those of one chunk."""
    with site.store.writing() as connection:
        kept = select(tables.record.c.id).order_by(tables.record.c.id).limit(CHUNK_RECORDS)
        connection.execute(delete(tables.record).where(tables.record.c.id.not_in(kept)))
