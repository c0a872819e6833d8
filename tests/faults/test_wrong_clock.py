"""Workers whose clocks are wrong, or are set while they run."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select, update

from db.files.exporter import export_rows
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.queue.run_history import begin_run, is_running
from db.queue.workers.worker_registry import count_workers, register_worker
from db.records.dataset import Dataset
from db.settings import Settings
from db.spec.section import EnricherSpec
from db.store import tables
from db.store.store import Store
from db.traffic.web_load import WebLoad, read_load, write_load
from enrich.enrichers.base import Row
from enrich.gate.sampler import LoadSampler, StoreState
from tests.conftest import (
    ROOT,
    ask,
    command_environment,
    make_store,
    notes_spec,
    register,
    sample_spec,
)
from tests.extent import on_store
from tests.processes import PATIENCE_SECONDS, wait_for
from tests.programs import require_program
from tests.wrong_clock import OTHER_CLOCK

from .conftest import FULL

HOUR = 3600
ASKED, OTHERS = 5, 20
LOOK_SECONDS = 0.1

# Debian's libfaketime also changes the clock of C code. Neither changes monotonic clocks.
CLOCKS = ["wrapped", "faketime"]

# Seconds that the clocks of holder and rival are ahead. Here the lease seems over to the rival.
SEEMS_OVER = [(0, HOUR), (-HOUR, 0)]
# Here the lease seems to the rival to last an hour longer.
SEEMS_LONG = [(0, -HOUR), (HOUR, 0)]

clocks = pytest.mark.parametrize("clock", CLOCKS)

# With these settings only the load of the web processes closes the gate.
OPEN_GATE = {
    "GATE_OPEN_CORES": "1024",
    "GATE_CLOSE_CORES": "1024",
    "GATE_OPEN_SECONDS": "0",
    "GATE_CLOSED_SECONDS": "0",
    "GATE_OPEN_MEMORY": "0",
    "GATE_CLOSE_MEMORY": "0",
    "GATE_DISK_MIB": "0",
    "GATE_PRESSURE": "1",
    "GATE_GPU": "1",
}


class Waiting:
    """Return the lengths; sentences with "attends" wait until the file exists."""

    version = "1"

    def __init__(self, file: str) -> None:
        self._file = Path(file)

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        while any("attends" in row["sentence"] for row in rows) and not self._file.exists():
            # libfaketime 0.9 mistakes the end of time.sleep() for a time of the fake clock.
            threading.Event().wait(LOOK_SECONDS)
        return [len(row["sentence"]) for row in rows]


def sweep_fake_clocks() -> None:
    """Remove files of killed processes; `faketime` refuses to run under the pid of one of them."""
    for left in Path("/dev/shm").glob("*faketime_*_*"):  # noqa: S108
        if not psutil.pid_exists(int(left.name.rpartition("_")[2])):
            left.unlink(missing_ok=True)


def faketime(ahead: int) -> dict[str, str]:
    """Return the environment that the `faketime` command gives to the process it starts.

    With the command itself, a kill would hit the command instead of the process.
    """
    program = require_program("faketime", install="apt-get install faketime")
    sweep_fake_clocks()
    fake = [program, "--exclude-monotonic", "-f", f"{ahead:+d}s", "env"]
    done = subprocess.run(fake, check=True, capture_output=True, text=True)
    variables = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    return {
        name: variables[name] for name in ("LD_PRELOAD", "FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC")
    }


@dataclass(frozen=True)
class Notes:
    """A dataset whose first chunk waits for `go`, and the folder of clocks and logs."""

    store: Store
    url: str
    dataset: Dataset
    folder: Path

    def go(self) -> None:
        """Let the first chunk be computed."""
        (self.folder / "go").touch()

    def add(self, text: str, count: int, *, asked: bool = False) -> None:
        """Add records, either imported or as a web process does."""
        rows = []
        for number in range(count):
            inputs = self.dataset.spec.read_inputs({"sentence": f"{text} {number}"})
            rows.append(NewRow(self.dataset.spec.key(inputs), inputs))
        with self.store.writing() as connection:
            if asked:
                ask(connection, self.dataset.id, rows)
            else:
                add_rows(connection, self.dataset, rows, "import")

    def done(self) -> int:
        """Count the records with the right value."""
        rows = list(export_rows(self.store, self.dataset))
        return sum(
            row["enrichments"].get("waiting") == len(row["inputs"]["sentence"]) for row in rows
        )

    def held(self) -> list[tuple[int, int, int]]:
        """Return the id, fence and owner of each chunk that has an owner."""
        query = select(tables.chunk.c.id, tables.chunk.c.fence, tables.chunk.c.owner).where(
            tables.chunk.c.owner.isnot(None)
        )
        with self.store.reading() as connection:
            return [(row.id, row.fence, row.owner) for row in connection.execute(query)]

    @contextmanager
    def running(
        self, name: str, ahead: int, *arguments: str, clock: str = "wrapped", **environment: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run `python -m enrich` with a clock that is this many seconds ahead."""
        self.set_clock(name, ahead)
        command = [sys.executable, "-c", OTHER_CLOCK, str(self.folder / f"{name}.clock")]
        if clock == "faketime":
            environment |= faketime(ahead)
            command = [sys.executable, "-m", "enrich"]
        with (
            (self.folder / f"{name}.log").open("wb") as log,
            subprocess.Popen(
                [*command, *arguments],
                cwd=ROOT,
                env=command_environment(self.url, **environment),
                stdout=log,
                stderr=log,
            ) as process,
        ):
            try:
                yield process
            finally:
                # The compute child ends only when it no longer waits for the file.
                self.go()
                process.kill()

    def set_clock(self, name: str, ahead: int) -> None:
        """Set a process's clock atomically, because the process may be reading it."""
        new = self.folder / f"{name}.new"
        new.write_text(str(ahead), "ascii")
        new.replace(self.folder / f"{name}.clock")

    def log(self, name: str) -> str:
        """Return the log of a process so far."""
        return (self.folder / f"{name}.log").read_text("utf-8")


@pytest.fixture
def notes(store: Store, database_url: str, tmp_path: Path) -> Notes:
    """Return a dataset of two chunks, of which the waiting one is claimed first."""
    use, config = f"{__name__}.Waiting", {"file": str(tmp_path / "go")}
    spec = notes_spec({"waiting": EnricherSpec(use=use, config=config)})
    notes = Notes(store, database_url, register(store, spec), tmp_path)
    notes.add("rien", OTHERS)
    notes.add("attends", ASKED, asked=True)
    return notes


@clocks
@pytest.mark.parametrize(("holders", "rivals"), SEEMS_OVER + SEEMS_LONG if FULL else SEEMS_OVER)
def test_a_live_lease_is_not_stolen_by_a_wrong_clock(
    notes: Notes, clock: str, holders: int, rivals: int
) -> None:
    """The rival skips the held chunk, and claims it only after its holder has died."""
    lease = {"LEASE_SECONDS": "600"}
    with notes.running("holder", holders, "once", clock=clock, **lease) as holder:
        wait_for(lambda: bool(notes.held()))
        held = notes.held()
        with notes.running("rival", rivals, "once", clock=clock, **lease) as rival:
            # Chunks are claimed in order, so the rival has skipped the held one.
            wait_for(lambda: notes.done() == OTHERS)
            assert notes.held() == held
            holder.kill()
            holder.wait()
            notes.go()
            assert rival.wait(PATIENCE_SECONDS) == 0, notes.log("rival")
    assert notes.done() == ASKED + OTHERS


@clocks
@pytest.mark.parametrize(("holders", "rivals"), SEEMS_LONG + SEEMS_OVER if FULL else SEEMS_LONG)
def test_a_lease_of_a_worker_that_died_elsewhere_runs_out_on_time(
    notes: Notes, clock: str, holders: int, rivals: int
) -> None:
    """Its death cannot be seen from this machine, and no clock makes the lease longer."""
    lease = {"LEASE_SECONDS": "2"}
    with notes.running("holder", holders, "once", clock=clock, **lease) as holder:
        wait_for(lambda: bool(notes.held()))
        ((chunk_id, _, owner),) = notes.held()
        with notes.store.writing() as connection:
            elsewhere = (
                update(tables.worker).where(tables.worker.c.id == owner).values(host="elsewhere")
            )
            connection.execute(elsewhere)
        holder.kill()
        holder.wait()
        with notes.running("rival", rivals, "once", clock=clock, **lease) as rival:
            wait_for(lambda: (chunk_id, owner) not in [(held, by) for held, _, by in notes.held()])
            notes.go()
            assert rival.wait(PATIENCE_SECONDS) == 0, notes.log("rival")
    assert notes.done() == ASKED + OTHERS


def gate_changes(log: str) -> list[str]:
    """Return the gate changes that a worker has logged."""
    return re.findall(r"gate (\w+ → .*)", log)


def test_a_clock_that_is_set_does_not_move_the_gate(notes: Notes) -> None:
    """The gate closes only for the load of the web processes, and opens after it."""
    notes.go()
    with notes.running("worker", 0, "run", **OPEN_GATE) as running:

        def wait_for_change(end: str, load: WebLoad) -> None:
            seen = len(gate_changes(notes.log("worker")))

            def has_come() -> bool:
                with notes.store.writing() as connection:
                    write_load(connection, "web", load)
                return any(end in change for change in gate_changes(notes.log("worker"))[seen:])

            wait_for(has_come)

        wait_for(lambda: any("→ open" in change for change in gate_changes(notes.log("worker"))))
        for ahead in (HOUR, -HOUR, 0):
            notes.set_clock("worker", ahead)
            wait_for_change("the web processes answer", WebLoad(requests_per_second=1000))
            notes.set_clock("worker", -ahead)
            wait_for_change("→ open", WebLoad())
        running.terminate()
        assert running.wait(PATIENCE_SECONDS) == 0
    changes = gate_changes(notes.log("worker"))
    closed = [change for change in changes if change.startswith("open ")]
    assert len(closed) == 3
    assert all("the web processes answer" in change for change in closed)
    assert all("failed" not in line for line in notes.log("worker").splitlines())


@on_store("postgresql")
@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
def test_a_worker_whose_clock_is_set_keeps_working(notes: Notes, ahead: int) -> None:
    """Records that are added after the clock is set are enriched without delay."""
    notes.go()
    with notes.running("worker", 0, "run", "--now") as running:
        wait_for(lambda: notes.done() == OTHERS + ASKED)
        notes.set_clock("worker", ahead)
        # Several batches, because the first tick was scheduled before the clock was set.
        for batch in range(3):
            before = notes.done()
            notes.add(f"encore {batch}", OTHERS)
            wait_for(lambda count=before: notes.done() == count + OTHERS)  # type: ignore[misc]
        assert running.poll() is None


def test_the_web_load_is_known_whatever_the_clocks_say(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The web process is an hour ahead and the worker an hour behind, and the reverse."""
    load, right = WebLoad(30.0, 2, 0.25), time.time
    for ahead in (HOUR, -HOUR):
        with store.writing() as connection:
            monkeypatch.setattr(time, "time", lambda by=ahead: right() + by)
            write_load(connection, "web", load)
            monkeypatch.setattr(time, "time", lambda by=ahead: right() - by)
            assert read_load(connection) == load


def test_a_clock_that_jumps_gives_no_false_reading(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store state does not look outdated, and no share of time is out of range."""
    right, jumps = time.time, itertools.cycle((HOUR, -HOUR, 0))
    monkeypatch.setattr(time, "time", lambda: right() + next(jumps))
    sampler = LoadSampler(settings)
    sampler.store_state = StoreState(time.monotonic(), frozenset({os.getpid()}))
    readings = []
    for _ in range(10):
        readings.append(sampler.read(0.01))
        time.sleep(0.02)
    assert [reading.failed for reading in readings] == [""] * 10
    cores = [reading.foreign_cores for reading in readings[1:]]
    assert all(used is not None and used >= 0 for used in cores)
    assert all(
        reading.memory_share is not None and 0 <= reading.memory_share <= 1 for reading in readings
    )
    assert all(0 <= (reading.stalled_share or 0.0) <= 1 for reading in readings)


@pytest.fixture
def shared_store(postgres: Callable[[], str]) -> Iterator[Store]:
    """Yield a store that several machines with their own clocks can share."""
    store = make_store(postgres())
    yield store
    store.close()


def test_a_living_worker_whose_clock_is_behind_is_counted_by_others(
    shared_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise two workers train at once, and two code versions replace each other's plans."""
    dataset = register(shared_store, sample_spec("intents"))
    right = time.time
    with shared_store.writing() as connection:
        monkeypatch.setattr(time, "time", lambda: right() - HOUR)
        begin_run(connection, dataset.id, "train", register_worker(connection))
        monkeypatch.undo()
        assert count_workers(connection) == 1
        assert is_running(connection, dataset.id, "train")


def test_a_dead_worker_whose_clock_was_ahead_counts_no_longer_than_others(
    shared_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise no worker trains for as long as the dead worker's clock was ahead."""
    dataset = register(shared_store, sample_spec("intents"))
    right = time.time
    with shared_store.writing() as connection:
        monkeypatch.setattr(time, "time", lambda: right() + HOUR)
        begin_run(connection, dataset.id, "train", register_worker(connection))
        monkeypatch.undo()
        # Simulate that the worker was last seen five minutes ago.
        connection.execute(update(tables.worker).values(seen_at=tables.worker.c.seen_at - 300))
        assert count_workers(connection) == 0
        assert not is_running(connection, dataset.id, "train")
