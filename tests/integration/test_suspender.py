"""The process suspender on real processes, including the compute child."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from db.spec.dataset_spec import DatasetSpec
from db.spec.field import TextField
from db.spec.section import EnricherSpec
from db.spec.stored_spec import encode_spec
from enrich.enrichers.base import Row
from enrich.executors.base import Computed, Stopped, Suspended
from enrich.executors.local import LocalExecutor
from enrich.executors.recipe import EnricherRecipe
from enrich.gate.machine.process_tree import cpu_seconds, tree
from enrich.gate.suspender import ProcessSuspender
from tests import processes
from tests.conftest import ROOT, make_store
from tests.processes import PATIENCE_SECONDS, go_on, is_gone, line_of, state

STOPS = 30

wait_for = partial(processes.wait_for, look_seconds=0.02)
PR_SET_CHILD_SUBREAPER = 36

FAMILY = """
import os
child = os.fork()
if child:
    print(child, flush=True)
while True:
    sum(range(10_000))
"""
LOCK_HOLDER = """
import fcntl, sys
with open(sys.argv[1], "w") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.readline()
print("let go", flush=True)
sys.stdin.readline()
"""
WRITER = """
import sys, time
from pathlib import Path
from db.store.dialect import insert
from db.settings import load_settings
from db.store.store import connect_store
from db.store.tables import generation
from enrich.worker.subcommand import yielding
store = yielding(connect_store(load_settings({"DATABASE_URL": sys.argv[1]})), Path(sys.argv[2]))
print("ready", flush=True)
for number in range(1_000_000):
    with store.writing() as connection:
        connection.execute(insert(connection, generation).values(id=number + 10, number=1))
        time.sleep(0.01)
        connection.execute(insert(connection, generation).values(id=-number - 10, number=1))
"""
# Runs an executor, and prints the process ids of itself, of its child and of the helper.
PARENT = """
import os, sys, threading, time
from enrich.gate.suspender import ProcessSuspender
from enrich.executors.local import LocalExecutor
from tests.integration.test_suspender import recipe
class Eager(ProcessSuspender):
    def add(self, group, lock=None):
        self.stop()
        super().add(group, lock)
suspender = Eager() if "eager" in sys.argv else ProcessSuspender()
executor = LocalExecutor(suspender=suspender)
if "eager" not in sys.argv:
    helper = executor.compute("f", recipe, [{"sentence": "start a helper"}]).values[0]
again = [{"sentence": "work for ever"}]
threading.Thread(target=executor.compute, args=("f", recipe, again), daemon=True).start()
while executor._child is None or not executor._child.pid or not suspender._groups:
    time.sleep(0.01)
if "stopped" in sys.argv:
    suspender.stop()
print(os.getpid(), executor._child.pid, *([] if "eager" in sys.argv else [helper]), flush=True)
time.sleep(600)
"""
# Runs code in its own process group, as a shell does, in a session that process 1 is not in.
SHELL = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", *sys.argv[1:]], process_group=0).wait()
time.sleep(600)
"""


class Act:
    """An enricher that acts on the commands in its sentences."""

    version = "1"

    def __call__(self, rows: Sequence[Row]) -> list[str]:
        return [self._do(row["sentence"]) for row in rows]

    def _do(self, sentence: str) -> str:
        if sentence == "start a helper":
            code = "while True: sum(range(10_000))"
            return str(subprocess.Popen([sys.executable, "-c", code]).pid)
        if sentence == "work for ever":
            while True:
                sum(range(10_000))
        if sentence.startswith("work until "):
            mark = Path(sentence.removeprefix("work until "))
            mark.with_suffix(".begun").touch()
            while not mark.exists():
                sum(range(10_000))
        return str(len(sentence))


SPEC = DatasetSpec(
    name="acts",
    kind="classification",
    target="tone",
    fields={"sentence": TextField()},
    enrichers={"act": EnricherSpec(use="tests.integration.test_suspender.Act")},
)


def recipe() -> EnricherRecipe:
    """Return the recipe from which a child makes the Act enricher."""
    return EnricherRecipe(encode_spec(SPEC), "act", ("tests",))


def kill(*pids: int) -> None:
    """Kill those of these processes that still exist."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextmanager
def running(
    code: str, *arguments: str, group: int | None = 0, session: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """Run code in its own process group; kill it and its descendants at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
        process_group=group,
        start_new_session=session,
    ) as started:
        try:
            yield started
        finally:
            kill(*tree([started.pid]))


@contextmanager
def family() -> Iterator[tuple[int, int]]:
    """Yield the ids of a busy process in its own group, and of its busy child."""
    with running(FAMILY) as parent:
        child = int(line_of(parent))
        try:
            yield parent.pid, child
        finally:
            kill(child)


def burns(*pids: int) -> bool:
    """Wait until each process has used more CPU than now."""
    before = {pid: cpu_seconds([pid]) for pid in pids}
    wait_for(lambda: all(cpu_seconds([pid]) > before[pid] + 0.01 for pid in pids))
    return True


def are_stopped(*pids: int) -> bool:
    """Wait until each process is stopped; return whether they then use no CPU."""
    wait_for(lambda: all(state(pid) == "T" for pid in pids))
    before = cpu_seconds(pids)
    time.sleep(0.3)
    return cpu_seconds(pids) == before


def test_stop_and_release_apply_to_a_process_and_its_children() -> None:
    """The processes use no CPU in between."""
    suspender = ProcessSuspender()
    with family() as pids:
        suspender.add(pids[0])
        assert burns(*pids)
        suspender.stop()
        assert suspender.is_on
        assert are_stopped(*pids)
        suspender.release()
        assert suspender.stopped_for() == 0
        assert burns(*pids)


def test_end_ends_a_process_and_its_children() -> None:
    """`remove` reports exactly once that the suspender ended the process."""
    suspender = ProcessSuspender()
    with family() as pids:
        suspender.add(pids[0])
        suspender.stop()
        assert are_stopped(*pids)
        suspender.end()
        wait_for(lambda: all(is_gone(pid) for pid in pids))
        assert suspender.remove(pids[0])
        assert not suspender.remove(pids[0])


def test_a_process_that_ends_by_itself_was_not_ended_by_the_suspender() -> None:
    """Its own work has made it end."""
    suspender = ProcessSuspender()
    with running("pass") as short:
        suspender.add(short.pid)
        short.wait()
        suspender.stop()
        suspender.release()
        assert not suspender.remove(short.pid)


def test_a_group_added_while_the_suspender_is_on_is_stopped() -> None:
    """Its processes continue on release."""
    suspender = ProcessSuspender()
    suspender.stop()
    with family() as pids:
        suspender.add(pids[0])
        assert are_stopped(*pids)
        suspender.release()
        assert burns(*pids)


def test_a_group_that_was_removed_is_left_alone() -> None:
    """Another group may have its number after it ends."""
    suspender = ProcessSuspender()
    with family() as pids:
        suspender.add(pids[0])
        assert not suspender.remove(pids[0])
        suspender.stop()
        suspender.end()
        assert burns(*pids)


def test_a_process_that_does_not_lead_a_group_yet_is_stopped() -> None:
    """A process that was just started is still in its parent's group."""
    suspender = ProcessSuspender()
    with running("while True: pass", group=None) as early:
        suspender.add(early.pid)
        suspender.stop()
        assert are_stopped(early.pid)
        suspender.release()
        assert burns(early.pid)


def test_a_group_that_holds_its_lock_is_not_stopped_until_it_releases_it(tmp_path: Path) -> None:
    """It is writing to the store, and would block all other writers."""
    suspender, lock = ProcessSuspender(), tmp_path / "lock"
    with running(LOCK_HOLDER, str(lock)) as holder:
        assert line_of(holder) == "held"
        suspender.add(holder.pid, lock)
        suspender.stop()
        assert state(holder.pid) in "SR"
        go_on(holder)
        assert line_of(holder) == "let go"
        assert state(holder.pid) in "SR"
        suspender.stop()
        assert are_stopped(holder.pid)
        # The suspender does not keep the lock.
        with lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_seconds_of_each_stop_add_up() -> None:
    """The latest stop is also counted alone; a second stop in a row changes nothing."""
    suspender = ProcessSuspender()
    assert (suspender.stopped_for(), suspender.stopped_seconds()) == (0.0, 0.0)
    suspender.stop()
    time.sleep(0.05)
    suspender.stop()
    assert suspender.stopped_for() >= 0.05
    suspender.release()
    suspender.release()
    first = suspender.stopped_seconds()
    assert first >= 0.05
    assert suspender.stopped_for() == 0.0
    began = time.monotonic()
    suspender.stop()
    assert suspender.stopped_for() <= time.monotonic() - began
    assert suspender.stopped_seconds() >= first


def test_a_transaction_of_a_yielding_store_is_never_stopped_in_the_middle(tmp_path: Path) -> None:
    """While it is stopped, others can write at once and see only complete transactions."""
    path, lock = tmp_path / "store.db", tmp_path / "lock"
    make_store(f"sqlite:///{path}").close()
    suspender, rng = ProcessSuspender(), random.Random(7)
    with running(WRITER, f"sqlite:///{path}", str(lock)) as writer:
        line_of(writer)
        suspender.add(writer.pid, lock)
        number = written = 0
        # On a busy machine it may not have written anything yet.
        while number < STOPS or not written:
            number += 1
            time.sleep(rng.uniform(0, 0.05))
            suspender.stop()
            while state(writer.pid) != "T":
                suspender.stop()
            connection = sqlite3.connect(path, timeout=0, isolation_level=None)
            try:
                connection.execute("INSERT INTO generation VALUES (?, 0)", (-1 - number % 9,))
                connection.execute("DELETE FROM generation WHERE number = 0")
                rows = connection.execute("SELECT count(*), sum(id) FROM generation").fetchone()
            finally:
                connection.close()
            assert rows[0] % 2 == 0
            assert not rows[1]
            written = rows[0]
            suspender.release()


@dataclass
class Computation:
    """A computation that an executor runs in a thread of its own."""

    executor: LocalExecutor
    rows: list[dict[str, str]]
    done: Computed | None = None
    error: BaseException | None = None
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._compute, daemon=True)
        self.thread.start()

    def _compute(self) -> None:
        try:
            self.done = self.executor.compute("f", recipe, self.rows)
        except BaseException as error:  # noqa: BLE001  the test inspects it
            self.error = error

    def values(self) -> list[Any]:
        """Wait for the values, and return them."""
        self._join()
        assert self.error is None, self.error
        assert self.done is not None
        return self.done.values

    def failure(self) -> BaseException | None:
        """Wait for the end, and return the exception that was raised."""
        self._join()
        return self.error

    def _join(self) -> None:
        self.thread.join(PATIENCE_SECONDS)
        assert not self.thread.is_alive(), "it still waits for its answer"


class Harness:
    """An executor with a suspender, and a flag that stops the executor."""

    def __init__(self, suspend_seconds: float = 600.0) -> None:
        self.suspender = ProcessSuspender()
        self.is_stopped = False
        self.executor = LocalExecutor(lambda: self.is_stopped, self.suspender, suspend_seconds)

    def compute(self, *sentences: str) -> Computation:
        """Start to compute sentences."""
        return Computation(self.executor, [{"sentence": sentence} for sentence in sentences])

    @property
    def child(self) -> int:
        """Return the child's process id."""
        child = self.executor._child
        assert child is not None
        assert child.pid is not None
        return child.pid


@pytest.fixture
def harness() -> Iterator[Harness]:
    """Yield an executor with its suspender, and end it."""
    harness = Harness()
    yield harness
    harness.is_stopped = True
    harness.executor.abort()
    harness.executor.close()


def test_the_child_runs_at_the_lowest_priority(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The priority covers CPU, disk and memory; the child has its own process group."""
    # `tests/startup` keeps the child's priority unchanged in other tests.
    monkeypatch.delenv("PYTHONPATH", raising=False)
    # Do not wait for the values: it may take long until the child gets the CPU.
    harness.compute("a")
    wait_for(lambda: harness.executor._child is not None)
    child = harness.child
    wait_for(lambda: Path(f"/proc/{child}/oom_score_adj").read_text() == "1000\n")
    assert os.sched_getscheduler(child) == os.SCHED_IDLE
    assert os.getpriority(os.PRIO_PROCESS, child) == 19
    assert psutil.Process(child).ionice().ioclass == psutil.IOPRIO_CLASS_IDLE
    assert os.getpgid(child) == child
    assert os.getsid(child) == os.getsid(0)


def test_work_stopped_in_the_middle_continues_where_it_was(
    harness: Harness, tmp_path: Path
) -> None:
    """The time while it is stopped does not count as computing time."""
    mark = tmp_path / "mark"
    computation = harness.compute(f"work until {mark}", "ab")
    wait_for(mark.with_suffix(".begun").exists)
    child = harness.child
    began = time.monotonic()
    harness.suspender.stop()
    assert are_stopped(child)
    mark.touch()
    time.sleep(0.5)
    assert computation.thread.is_alive()
    harness.suspender.release()
    assert computation.values() == [str(len(f"work until {mark}")), "2"]
    assert harness.child == child
    assert computation.done is not None
    assert computation.done.seconds >= 0
    assert 0.5 <= harness.suspender.stopped_seconds() <= time.monotonic() - began


def test_work_ended_for_its_memory_is_done_again_and_nothing_is_blamed(
    harness: Harness, tmp_path: Path
) -> None:
    """Another child computes the same rows after the release."""
    mark = tmp_path / "mark"
    computation = harness.compute(f"work until {mark}", "ab")
    wait_for(mark.with_suffix(".begun").exists)
    child = harness.child
    harness.suspender.stop()
    harness.suspender.end()
    wait_for(lambda: is_gone(child))
    mark.touch()
    time.sleep(0.3)
    assert computation.thread.is_alive()
    harness.suspender.release()
    assert computation.values() == [str(len(f"work until {mark}")), "2"]
    assert harness.child != child


def test_a_child_ended_while_it_was_idle_is_started_again(harness: Harness) -> None:
    """The next computation does not notice."""
    harness.compute("a").values()
    child = harness.child
    harness.suspender.stop()
    harness.suspender.end()
    wait_for(lambda: is_gone(child))
    computation = harness.compute("abc")
    harness.suspender.release()
    assert computation.values() == ["3"]
    assert harness.child != child


def test_work_suspended_for_too_long_is_given_back(tmp_path: Path) -> None:
    """Its child is ended, although it is stopped."""
    harness = Harness(suspend_seconds=0.3)
    computation = harness.compute(f"work until {tmp_path / 'never'}")
    wait_for((tmp_path / "never.begun").exists)
    child = harness.child
    harness.suspender.stop()
    assert isinstance(computation.failure(), Suspended)
    wait_for(lambda: is_gone(child))
    harness.suspender.release()
    try:
        assert harness.compute("ab").values() == ["2"]
    finally:
        harness.executor.close()


def test_work_is_given_back_when_the_suspender_is_on_for_too_long() -> None:
    """No child is started at all."""
    harness = Harness(suspend_seconds=0.2)
    harness.suspender.stop()
    assert isinstance(harness.compute("a").failure(), Suspended)
    assert harness.executor._child is None


def test_abort_ends_a_write_to_a_stopped_child(harness: Harness) -> None:
    """Ten megabytes fill the pipe, and the stopped child does not read them."""
    harness.compute("a").values()
    child = harness.child
    os.killpg(child, signal.SIGSTOP)
    assert are_stopped(child)
    computation = harness.compute(*["x" * 10_000] * 1000)
    time.sleep(0.5)
    assert computation.thread.is_alive()
    harness.is_stopped = True
    harness.executor.abort()
    assert isinstance(computation.failure(), Stopped)
    assert is_gone(child)


def test_abort_ends_a_wait_for_a_stopped_child(harness: Harness, tmp_path: Path) -> None:
    """The child is stopped in the middle of its work."""
    computation = harness.compute(f"work until {tmp_path / 'never'}")
    wait_for((tmp_path / "never.begun").exists)
    child = harness.child
    harness.suspender.stop()
    assert are_stopped(child)
    harness.is_stopped = True
    harness.executor.abort()
    assert isinstance(computation.failure(), Stopped)
    assert is_gone(child)


@pytest.mark.parametrize("how", ["close", "abort"])
@pytest.mark.parametrize("stopped", [True, False])
def test_processes_that_an_enricher_has_started_end_with_the_child(
    how: str, *, stopped: bool
) -> None:
    """A worker that ends leaves no process behind."""
    harness = Harness()
    helper = int(harness.compute("start a helper").values()[0])
    try:
        if stopped:
            harness.suspender.stop()
        getattr(harness.executor, how)()
        wait_for(lambda: is_gone(helper))
    finally:
        kill(helper)
        harness.executor.close()


def check_killed_parent_leaves_nothing(
    *arguments: str, starter: tuple[str, ...] = (), leads_session: bool = True, helpers: bool = True
) -> None:
    """Kill a process that runs an executor; wait until all its descendants are gone."""
    group = None if leads_session else 0
    with running(*starter, PARENT, *arguments, group=group, session=leads_session) as started:
        parent, *pids = map(int, line_of(started).split())
        try:
            if "stopped" in arguments or "eager" in arguments:
                assert are_stopped(*pids)
            kill(parent)
            watched = pids if helpers else pids[:1]
            wait_for(
                lambda: all(is_gone(pid) for pid in watched),
                lambda: [state(pid) for pid in watched],
            )
        finally:
            kill(*pids)


def test_the_parent_of_a_stopped_child_leaves_nothing_when_it_is_killed() -> None:
    """The parent runs in its own group, as in a shell; its child and the helper both end."""
    check_killed_parent_leaves_nothing("stopped", starter=(SHELL,))


def test_a_parent_that_leads_its_session_leaves_nothing_when_it_is_killed() -> None:
    """The parent is started like a service, and like `make run` starts it."""
    check_killed_parent_leaves_nothing("stopped")


def test_a_parent_killed_while_its_child_computes_leaves_nothing() -> None:
    """The child ends at once; an enricher itself must take care of what it has started."""
    check_killed_parent_leaves_nothing(leads_session=False, helpers=False)


def test_a_child_stopped_as_soon_as_it_was_started_does_not_outlive_its_parent() -> None:
    """The child has no group of its own yet when it is stopped."""
    check_killed_parent_leaves_nothing("eager")


def test_a_stopped_child_ends_with_its_parent_although_its_session_lives_on() -> None:
    """The session lives on where a shell or process manager is a container's first process."""
    libc = ctypes.CDLL(None)
    # This process adopts orphans, as that first process would, and is in their session.
    assert libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    try:
        check_killed_parent_leaves_nothing("stopped", leads_session=False, helpers=False)
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
