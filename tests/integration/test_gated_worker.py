"""`enrich run` as a real process, and its gate."""

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
from db.queue.planner import CHUNK_RECORDS
from db.queue.worker_registry import all_workers
from db.records.dataset import Dataset
from db.records.enrichment import count_enrichments
from db.records.record import NewRecord, add_records
from db.spec.dataset_spec import EnricherSpec
from db.store import tables
from db.store.store import Store
from db.traffic.web_load import WebLoad, write_load
from enrich.gate.machine.process_tree import tree
from tests import processes
from tests.conftest import ROOT, command_environment, notes_spec, register, run_command
from tests.faults.conftest import FULL
from tests.processes import PATIENCE_SECONDS, is_gone, state

# What stops a child is the same on both; that a web process's load reaches workers is not.
on_postgresql = pytest.mark.parametrize(
    "database_url", ["sqlite", "postgresql"] if FULL else ["postgresql"], indirect=True
)
# Where the kind of store does not matter.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
RECORDS = 1000
# After this many records, fewer than a chunk has, the enricher waits until it may go on.
BEFORE_GO = 100
# How long work stays suspended where that must not change a rate.
SUSPENDED_SECONDS = 5.0
wait_for = partial(processes.wait_for, look_seconds=0.2)
# The file to which the enricher writes the sentences it was given.
JOURNAL = "TEST_JOURNAL"
# The file that the enricher waits for.
GO = "TEST_GO"
# Nothing that others do on this machine closes such a gate.
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


# In a module of its own, which a child imports quickly. It sleeps, so that it needs no CPU, and it
# is not done before it may go on, however long a test takes until then.
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
    """A store with many stale records, and a worker on it."""

    store: Store
    url: str
    dataset: Dataset
    log_text: Path
    log: Path

    @contextmanager
    def working(self, *program: str, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a worker, and end it with all that came of it."""
        code = {"CODE_PATHS": "slow_enricher", "PYTHONPATH": str(self.log_text.parent)}
        files = {JOURNAL: str(self.log_text), GO: str(self.may_go_on)}
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
        """Return what the worker last said of itself."""
        with self.store.reading() as connection:
            found = all_workers(connection)
        return vars(found[0]) if found else {"state": "", "reason": ""}

    def wait_until_it_works(self) -> None:
        """Wait until the gate is open and some records are done."""
        wait_for(lambda: self.gate()["state"] == "open" and bool(self.asked()))

    @property
    def may_go_on(self) -> Path:
        """The file that lets the enricher work to the end."""
        return self.log.with_name("go")

    def status(self) -> tuple[str, dict[str, Any]]:
        """Return what `enrich status` says of the worker, in words and as JSON."""
        words = run_command(self.url, "enrich", "status")
        said = run_command(self.url, "enrich", "status", "--json")
        assert (words.code, said.code) == (0, 0), words.err + said.err
        return words.out, json.loads(said.out)["workers"][0]

    def asked(self) -> list[str]:
        """Return the sentences that the enricher was asked, in their order."""
        return self.log_text.read_text("utf-8").splitlines() if self.log_text.exists() else []

    def done(self) -> int:
        """Return how many records have their value."""
        with self.store.reading() as connection:
            return sum(count_enrichments(connection, self.dataset.id).values())

    def is_done(self) -> bool:
        """Tell whether every record has."""
        return self.done() == RECORDS

    def left_over(self) -> list[Any]:
        """Return all chunks that have an owner or were tried, and what is quarantined."""
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
    """Give a store that takes a worker several seconds."""
    (tmp_path / "slow_enricher.py").write_text(SLOW)
    found = register(store, SPEC)
    records = []
    for number in range(RECORDS):
        inputs = found.spec.read_inputs({"sentence": f"phrase {number}"})
        records.append(NewRecord(found.spec.key(inputs), inputs))
    with store.writing() as connection:
        add_records(connection, found.id, records, "import")
    return Site(store, database_url, found, tmp_path / "journal", tmp_path / "log")


def child_of(worker: subprocess.Popen[bytes]) -> int:
    """Return the compute child's id."""
    found = []
    for child in psutil.Process(worker.pid).children():
        with contextlib.suppress(psutil.Error):
            if any("spawn_main" in word for word in child.cmdline()):
                found.append(child.pid)
    (only,) = found
    return only


def assert_values_are_right(site: Site) -> None:
    """Each record has its one value."""
    rows = list(export_rows(site.store, site.dataset))
    assert len(rows) == RECORDS
    for row in rows:
        assert row["enrichments"]["slow"] == len(row["inputs"]["sentence"])
    with site.store.reading() as connection:
        waiting = select(tables.record.c.id).where(tables.record.c.chunk_id.isnot(None))
        assert connection.execute(waiting).all() == []


def pause(site: Site) -> None:
    """Let every worker wait, as a person does."""
    assert run_command(site.url, "enrich", "pause").code == 0


def resume(site: Site) -> None:
    """Let every worker go on."""
    assert run_command(site.url, "enrich", "resume").code == 0


def suspend(site: Site, worker: subprocess.Popen[bytes]) -> int:
    """Pause a worker that is at work; returns its child, which is stopped."""
    site.wait_until_it_works()
    child = child_of(worker)
    pause(site)
    wait_for(lambda: state(child) == "T")
    wait_for(lambda: site.gate()["state"] == "suspended")
    return child


def assert_all_gone(pids: set[int]) -> None:
    """None of these processes is left, not even as a stopped one."""
    wait_for(lambda: all(is_gone(pid) for pid in pids))


@on_postgresql
def test_paused_work_is_stopped_and_goes_on_where_it_was(site: Site) -> None:
    """No value is lost, doubled, or even computed twice."""
    with site.working() as worker:
        child = suspend(site, worker)
        asked = site.asked()
        words, said = site.status()
        assert said["state"] == "suspended"
        reason = "workers are paused; to resume: python -m enrich resume"
        assert said["reason"] == reason
        assert "(gate suspended)" in words
        assert reason in words.splitlines()
        assert site.asked() == asked
        assert not site.is_done()
        site.may_go_on.touch()
        resume(site)
        wait_for(site.is_done)
        assert child_of(worker) == child
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE_SECONDS) == 0
    assert_values_are_right(site)
    assert set(Counter(site.asked()).values()) == {1}
    assert site.left_over() == []


@pytest.mark.slow
@on_postgresql
def test_web_load_closes_the_gate_and_its_end_opens_it(site: Site) -> None:
    """Told again and again, as a web process does."""
    with site.working(GATE_WEB_REQUESTS="20") as worker:
        site.wait_until_it_works()
        child = child_of(worker)
        with web_load(site.store, WebLoad(500.0, 3, 0.01)):
            wait_for(lambda: state(child) == "T")
            wait_for(lambda: "web" in site.gate()["reason"])
            words, said = site.status()
            assert said["state"] == "suspended"
            assert said["reason"] == "the web processes answer 500 requests/s (limit 20)"
            assert said["reason"] in words
            assert state(child) == "T"
        site.may_go_on.touch()
        wait_for(site.is_done)
    assert_values_are_right(site)


@contextmanager
def web_load(store: Store, load: WebLoad) -> Iterator[None]:
    """Say all the time that a web process does so much."""
    ended = threading.Event()

    def tell() -> None:
        while not ended.is_set():
            store.write(partial(write_load, process="web", load=load))
            ended.wait(0.5)

    telling = threading.Thread(target=tell)
    telling.start()
    try:
        yield
    finally:
        ended.set()
        telling.join()


@pytest.mark.slow
@on_sqlite
def test_others_who_use_the_cpu_close_the_gate(site: Site, tmp_path: Path) -> None:
    """And status says so; when they end, it opens again."""
    # On the real machine nobody knows what else goes on: it consists of us and of those named here.
    others = tmp_path / "others"
    others.write_text("")
    limits = {"GATE_OPEN_CORES": "0.05", "GATE_CLOSE_CORES": "0.1"}
    with site.working("tests.faults.small_machine", str(others), **limits) as worker:
        site.wait_until_it_works()
        child = child_of(worker)
        with burning(2) as burners:
            others.write_text(" ".join(str(one) for one in burners))
            wait_for(lambda: state(child) == "T" and "cores" in site.gate()["reason"])
            words, said = site.status()
            assert said["state"] == "suspended"
            assert said["reason"].startswith("other programs use ")
            assert ": other programs use " in words
        site.may_go_on.touch()
        wait_for(site.is_done)
    assert_values_are_right(site)


@contextmanager
def burning(count: int) -> Iterator[list[int]]:
    """Use so many cores, as far as they are free."""
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
def test_a_worker_told_to_end_while_suspended_ends_soon_and_leaves_nothing(site: Site) -> None:
    """It ends although nobody resumes it, and its chunk is back, untried, for the next one."""
    with site.working() as worker:
        suspend(site, worker)
        family = tree([worker.pid])
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE_SECONDS) == 0
        assert_all_gone(family)
    assert site.gate()["state"] == ""
    assert site.left_over() == []


@pytest.mark.slow
@on_sqlite
def test_a_worker_killed_while_suspended_leaves_no_process(site: Site) -> None:
    """A stopped child would keep its memory for ever; and the next worker finds all its work."""
    with site.working() as worker:
        suspend(site, worker)
        family = tree([worker.pid])
        worker.kill()
        assert_all_gone(family)
    site.may_go_on.touch()
    resume(site)
    with site.working():
        wait_for(site.is_done)
    assert_values_are_right(site)


@pytest.mark.slow
@on_sqlite
def test_work_that_stays_suspended_is_given_back(site: Site) -> None:
    """Others may take it, and its child's memory is free; resumed it is done."""
    with site.working(GATE_SUSPEND_SECONDS="2") as worker:
        child = suspend(site, worker)
        wait_for(lambda: site.left_over() == [])
        assert_all_gone({child})
        wait_for(lambda: site.gate()["state"] == "closed")
        assert worker.poll() is None
        site.may_go_on.touch()
        resume(site)
        wait_for(site.is_done)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE_SECONDS) == 0
    assert_values_are_right(site)
    # Only the batch that was being computed may have been computed again.
    assert max(Counter(site.asked()).values()) <= 2


@pytest.mark.slow
@on_sqlite
def test_time_spent_suspended_does_not_make_the_rate_look_slower(site: Site) -> None:
    """It is records a second at work; the share of time at work is told beside it."""
    only_one_chunk(site)
    with site.working() as worker:
        wait_for(lambda: site.gate()["state"] == "open")
        opened_at = site.gate()["since"]
        suspend(site, worker)
        stopped = time.monotonic()
        time.sleep(SUSPENDED_SECONDS)
        site.may_go_on.touch()
        # It was suspended for at least so long, and at work for at most the rest.
        stopped_seconds = time.monotonic() - stopped
        resume(site)
        wait_for(lambda: site.done() == CHUNK_RECORDS)
        seconds = time.time() - opened_at
        wait_for(lambda: site.gate()["records"])
        said = site.gate()
    assert said["records"] == CHUNK_RECORDS
    assert said["rate"] >= CHUNK_RECORDS / (seconds - stopped_seconds)
    assert 0 < said["open_share"] < 1


def only_one_chunk(site: Site) -> None:
    """Leave the worker no more records than it takes at once."""
    with site.store.writing() as connection:
        kept = select(tables.record.c.id).order_by(tables.record.c.id).limit(CHUNK_RECORDS)
        connection.execute(delete(tables.record).where(tables.record.c.id.not_in(kept)))
