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
from db.queue.run_history import begin_run, is_running
from db.queue.worker_registry import count_workers, register_worker
from db.records.dataset import Dataset
from db.records.record import NewRecord, add_records
from db.settings import Settings
from db.spec.dataset_spec import EnricherSpec
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
from tests.processes import PATIENCE_SECONDS, wait_for
from tests.programs import require_program

from .conftest import FULL

HOUR = 3600
ASKED, OTHERS = 5, 20
LOOK_SECONDS = 0.1

# Makes a clock that is as many seconds ahead as a file says at the moment.
WRONG_CLOCK = """
import datetime, time
right = time.time

def wrong():
    with open(file, encoding="ascii") as clock:
        return right() + float(clock.read() or 0)

class Wrong(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(wrong(), tz)

time.time, datetime.datetime = wrong, Wrong
"""
# Runs `python -m enrich` by it.
OTHER_CLOCK = f"""
import runpy, sys
_, file, *arguments = sys.argv
{WRONG_CLOCK}
sys.argv = ["enrich", *arguments]
runpy.run_module("enrich", run_name="__main__", alter_sys=True)
"""
# Debian's libfaketime lies to C too. The clocks that nobody can set are left alone.
CLOCKS = ["wrapped", "faketime"]

# Seconds that the holder's and the rival's clocks are ahead: to the rival the lease seems over.
SEEMS_OVER = [(0, HOUR), (-HOUR, 0)]
# To the rival the lease seems to run for an hour more.
SEEMS_LONG = [(0, -HOUR), (HOUR, 0)]

clocks = pytest.mark.parametrize("clock", CLOCKS)

# Nothing that other processes do to this machine closes the gate, but for the web.
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
    """The length; of what waits, once there is a file of that name."""

    version = "1"

    def __init__(self, file: str) -> None:
        self._file = Path(file)

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        while any("attends" in row["sentence"] for row in rows) and not self._file.exists():
            # libfaketime 0.9 takes the moment that time.sleep() sleeps until for one of its own.
            threading.Event().wait(LOOK_SECONDS)
        return [len(row["sentence"]) for row in rows]


def sweep_fake_clocks() -> None:
    """Remove what killed processes have left: the command refuses to run under the pid of one."""
    for left in Path("/dev/shm").glob("*faketime_*_*"):  # noqa: S108
        if not psutil.pid_exists(int(left.name.rpartition("_")[2])):
            left.unlink(missing_ok=True)


def faketime(ahead: int) -> dict[str, str]:
    """Return the environment that the command of that name gives to the process it starts.

    The command itself would stay in between, and be killed instead.
    """
    program = require_program("faketime", install="apt-get install faketime")
    sweep_fake_clocks()
    fake = [program, "--exclude-monotonic", "-f", f"{ahead:+d}s", "env"]
    done = subprocess.run(fake, check=True, capture_output=True, text=True)
    given = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    return {
        name: given[name] for name in ("LD_PRELOAD", "FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC")
    }


@dataclass(frozen=True)
class Notes:
    """A dataset whose first chunk takes until `go`; and where clocks and logs are kept."""

    store: Store
    url: str
    dataset: Dataset
    folder: Path

    def go(self) -> None:
        """Let the first chunk be done."""
        (self.folder / "go").touch()

    def add(self, text: str, count: int, *, asked: bool = False) -> None:
        """Add records."""
        rows = []
        for number in range(count):
            inputs = self.dataset.spec.read_inputs({"sentence": f"{text} {number}"})
            rows.append(NewRecord(self.dataset.spec.key(inputs), inputs))
        with self.store.writing() as connection:
            if asked:
                ask(connection, self.dataset.id, rows)
            else:
                add_records(connection, self.dataset.id, rows, "import")

    def done(self) -> int:
        """Count records with their value."""
        rows = list(export_rows(self.store, self.dataset))
        return sum(
            row["enrichments"].get("waiting") == len(row["inputs"]["sentence"]) for row in rows
        )

    def held(self) -> list[tuple[int, int, int]]:
        """Return the id, fence and owner of each chunk that somebody holds."""
        query = select(tables.chunk.c.id, tables.chunk.c.fence, tables.chunk.c.owner).where(
            tables.chunk.c.owner.isnot(None)
        )
        with self.store.reading() as connection:
            return [(row.id, row.fence, row.owner) for row in connection.execute(query)]

    @contextmanager
    def running(
        self, name: str, ahead: int, *arguments: str, clock: str = "wrapped", **environment: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run `python -m enrich` by a clock that is so many seconds ahead."""
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
                # Its child ends when it has nothing to wait for.
                self.go()
                process.kill()

    def set_clock(self, name: str, ahead: int) -> None:
        """Set a process's clock, which it may be reading just now."""
        new = self.folder / f"{name}.new"
        new.write_text(str(ahead), "ascii")
        new.replace(self.folder / f"{name}.clock")

    def log(self, name: str) -> str:
        """Return what a process has said so far."""
        return (self.folder / f"{name}.log").read_text("utf-8")


@pytest.fixture
def notes(store: Store, database_url: str, tmp_path: Path) -> Notes:
    """Give a dataset of two chunks, of which the one that waits comes first."""
    use, config = f"{__name__}.Waiting", {"file": str(tmp_path / "go")}
    spec = notes_spec({"waiting": EnricherSpec(use=use, config=config)})
    made = Notes(store, database_url, register(store, spec), tmp_path)
    made.add("rien", OTHERS)
    made.add("attends", ASKED, asked=True)
    return made


@clocks
@pytest.mark.parametrize(("holders", "rivals"), SEEMS_OVER + SEEMS_LONG if FULL else SEEMS_OVER)
def test_a_live_lease_is_not_stolen_by_a_wrong_clock(
    notes: Notes, clock: str, holders: int, rivals: int
) -> None:
    """The rival takes the chunk behind it, and this one only once its holder is dead."""
    lease = {"LEASE_SECONDS": "600"}
    with notes.running("holder", holders, "once", clock=clock, **lease) as holder:
        wait_for(lambda: bool(notes.held()))
        held = notes.held()
        with notes.running("rival", rivals, "once", clock=clock, **lease) as rival:
            # Claimed in order: this one was passed over.
            wait_for(lambda: notes.done() == OTHERS)
            assert notes.held() == held
            holder.kill()
            holder.wait()
            notes.go()
            assert rival.wait(PATIENCE_SECONDS) == 0, notes.log("rival")
    assert notes.done() == ASKED + OTHERS


@clocks
@pytest.mark.parametrize(("holders", "rivals"), SEEMS_LONG + SEEMS_OVER if FULL else SEEMS_LONG)
def test_a_lease_of_a_worker_that_died_elsewhere_runs_out_in_its_time(
    notes: Notes, clock: str, holders: int, rivals: int
) -> None:
    """Nobody can see that it is dead, and no clock makes the lease an hour longer."""
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
            wait_for(lambda: (chunk_id, owner) not in [(one, by) for one, _, by in notes.held()])
            notes.go()
            assert rival.wait(PATIENCE_SECONDS) == 0, notes.log("rival")
    assert notes.done() == ASKED + OTHERS


def gate_changes(log: str) -> list[str]:
    """Return what a worker says of its gate."""
    return re.findall(r"gate (\w+ → .*)", log)


def test_a_clock_that_is_set_moves_no_gate(notes: Notes) -> None:
    """The gate closes for the web's load and opens after it, and for nothing else."""
    notes.go()
    with notes.running("worker", 0, "run", **OPEN_GATE) as running:

        def wait_for_change(end: str, load: WebLoad) -> None:
            seen = len(gate_changes(notes.log("worker")))

            def has_come() -> bool:
                with notes.store.writing() as connection:
                    write_load(connection, "web", load)
                return any(end in one for one in gate_changes(notes.log("worker"))[seen:])

            wait_for(has_come)

        wait_for(lambda: any("→ open" in one for one in gate_changes(notes.log("worker"))))
        for ahead in (HOUR, -HOUR, 0):
            notes.set_clock("worker", ahead)
            wait_for_change("the web processes answer", WebLoad(requests_per_second=1000))
            notes.set_clock("worker", -ahead)
            wait_for_change("→ open", WebLoad())
        running.terminate()
        assert running.wait(PATIENCE_SECONDS) == 0
    changes = gate_changes(notes.log("worker"))
    closed = [one for one in changes if one.startswith("open ")]
    assert len(closed) == 3
    assert all("the web processes answer" in one for one in closed)
    assert all("failed" not in one for one in notes.log("worker").splitlines())


@pytest.mark.parametrize(
    "ahead",
    [
        HOUR,
        -HOUR,
    ],
)
def test_a_worker_whose_clock_is_set_works_on(notes: Notes, ahead: int) -> None:
    """What is added afterwards is done as soon as ever."""
    notes.go()
    with notes.running("worker", 0, "run", "--now") as running:
        wait_for(lambda: notes.done() == OTHERS + ASKED)
        notes.set_clock("worker", ahead)
        # The tick after the one that the right clock has set.
        for batch in range(3):
            before = notes.done()
            notes.add(f"encore {batch}", OTHERS)
            wait_for(lambda count=before: notes.done() == count + OTHERS)  # type: ignore[misc]
        assert running.poll() is None


def test_the_webs_load_is_known_whatever_the_clocks_say(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A web process an hour ahead and a worker an hour behind, and the other way round."""
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
    """News do not grow old by it, and no share of time comes out of range."""
    right, jumps = time.time, itertools.cycle((HOUR, -HOUR, 0))
    monkeypatch.setattr(time, "time", lambda: right() + next(jumps))
    reader = LoadSampler(settings)
    reader.store_state = StoreState(time.monotonic(), frozenset({os.getpid()}))
    readings = []
    for _ in range(10):
        readings.append(reader.read(0.01))
        time.sleep(0.02)
    assert [one.failed for one in readings] == [""] * 10
    cores = [one.foreign_cores for one in readings[1:]]
    assert all(one is not None and one >= 0 for one in cores)
    assert all(one.memory_share is not None and 0 <= one.memory_share <= 1 for one in readings)
    assert all(0 <= (one.stalled_share or 0.0) <= 1 for one in readings)


@pytest.fixture
def shared_store(postgres: Callable[[], str]) -> Iterator[Store]:
    """Give a store that several machines can share, each with its own clock."""
    store = make_store(postgres())
    yield store
    store.close()


def test_a_living_worker_whose_clock_is_behind_counts_elsewhere(
    shared_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else two train at once, and two versions of the code set their plans in turn for ever."""
    found = register(shared_store, sample_spec("intents"))
    right = time.time
    with shared_store.writing() as connection:
        monkeypatch.setattr(time, "time", lambda: right() - HOUR)
        begin_run(connection, found.id, "train", register_worker(connection))
        monkeypatch.undo()
        assert count_workers(connection) == 1
        assert is_running(connection, found.id, "train")


def test_a_dead_worker_whose_clock_was_ahead_counts_no_longer_than_others(
    shared_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nobody trains for an hour, or for as long as its clock was ahead."""
    found = register(shared_store, sample_spec("intents"))
    right = time.time
    with shared_store.writing() as connection:
        monkeypatch.setattr(time, "time", lambda: right() + HOUR)
        begin_run(connection, found.id, "train", register_worker(connection))
        monkeypatch.undo()
        # Five minutes later it has not been seen again.
        connection.execute(update(tables.worker).values(seen_at=tables.worker.c.seen_at - 300))
        assert count_workers(connection) == 0
        assert not is_running(connection, found.id, "train")
