"""The process suspender on real processes, and the compute child under it."""

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

from db.spec.dataset_spec import DatasetSpec, EnricherSpec, encode_spec
from db.spec.field import TextField
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
# Runs an executor, says its child's id, and does what it is told.
PARENT = """
import sys, threading, time
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
print(executor._child.pid, helper if "eager" not in sys.argv else 0, flush=True)
time.sleep(600)
"""


class Act:
    """Does what its sentences say."""

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
    """Return how a child does what sentences say."""
    return EnricherRecipe(encode_spec(SPEC), "act", ("tests",))


def kill(*pids: int) -> None:
    """End processes, if they are there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextmanager
def running(
    code: str, *arguments: str, group: int | None = 0, session: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """Run code in a group of its own; it is ended with all that came of it."""
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
    """Give a process that burns CPU in a group of its own, and its child, which does so too."""
    with running(FAMILY) as parent:
        child = int(line_of(parent))
        try:
            yield parent.pid, child
        finally:
            kill(child)


def burns(*pids: int) -> bool:
    """Wait until each has used some CPU from now on."""
    before = {pid: cpu_seconds([pid]) for pid in pids}
    wait_for(lambda: all(cpu_seconds([pid]) > before[pid] + 0.01 for pid in pids))
    return True


def are_stopped(*pids: int) -> bool:
    """Tell whether each is stopped, and uses no CPU."""
    wait_for(lambda: all(state(pid) == "T" for pid in pids))
    before = cpu_seconds(pids)
    time.sleep(0.3)
    return cpu_seconds(pids) == before


def test_stop_and_release_hold_a_process_and_what_it_has_started() -> None:
    """No CPU is used in between."""
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


def test_end_ends_a_process_and_what_it_has_started() -> None:
    """Stopped or not; and whoever minds them hears whose doing it was, once."""
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
    """Its work is at fault."""
    suspender = ProcessSuspender()
    with running("pass") as short:
        suspender.add(short.pid)
        short.wait()
        suspender.stop()
        suspender.release()
        assert not suspender.remove(short.pid)


def test_a_group_added_while_the_suspender_is_on_is_stopped() -> None:
    """And goes on with the others."""
    suspender = ProcessSuspender()
    suspender.stop()
    with family() as pids:
        suspender.add(pids[0])
        assert are_stopped(*pids)
        suspender.release()
        assert burns(*pids)


def test_a_group_that_is_minded_no_longer_is_left_alone() -> None:
    """Its number may be another's by now."""
    suspender = ProcessSuspender()
    with family() as pids:
        suspender.add(pids[0])
        assert not suspender.remove(pids[0])
        suspender.stop()
        suspender.end()
        assert burns(*pids)


def test_a_process_that_is_not_yet_the_head_of_its_group_is_stopped_all_the_same() -> None:
    """It has just been started."""
    suspender = ProcessSuspender()
    with running("while True: pass", group=None) as early:
        suspender.add(early.pid)
        suspender.stop()
        assert are_stopped(early.pid)
        suspender.release()
        assert burns(early.pid)


def test_a_group_that_holds_its_lock_is_not_stopped_until_it_lets_go(tmp_path: Path) -> None:
    """It writes to the store, and would keep everybody from writing."""
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
    """The latest counts by itself; stopped twice is stopped once."""
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
    """Whenever it is stopped others can write at once, and see all of a transaction or nothing."""
    path, lock = tmp_path / "store.db", tmp_path / "lock"
    make_store(f"sqlite:///{path}").close()
    suspender, chance = ProcessSuspender(), random.Random(7)
    with running(WRITER, f"sqlite:///{path}", str(lock)) as writer:
        line_of(writer)
        suspender.add(writer.pid, lock)
        number = written = 0
        # On a busy machine it may have written nothing by then.
        while number < STOPS or not written:
            number += 1
            time.sleep(chance.uniform(0, 0.05))
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
class RequestedInput:
    """A question to an executor, put in a thread of its own."""

    executor: LocalExecutor
    rows: list[dict[str, str]]
    done: Computed | None = None
    error: BaseException | None = None
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._ask, daemon=True)
        self.thread.start()

    def _ask(self) -> None:
        try:
            self.done = self.executor.compute("f", recipe, self.rows)
        except BaseException as error:  # noqa: BLE001  whatever it is, the test looks at it
            self.error = error

    def values(self) -> list[Any]:
        """Return the answer."""
        self._join()
        assert self.error is None, self.error
        assert self.done is not None
        return self.done.values

    def failure(self) -> BaseException | None:
        """Return what it raised."""
        self._join()
        return self.error

    def _join(self) -> None:
        self.thread.join(PATIENCE_SECONDS)
        assert not self.thread.is_alive(), "it still waits for its answer"


class Room:
    """An executor with a suspender, and a flag that stops it."""

    def __init__(self, suspend_seconds: float = 600.0) -> None:
        self.suspender = ProcessSuspender()
        self.is_stopped = False
        self.executor = LocalExecutor(lambda: self.is_stopped, self.suspender, suspend_seconds)

    def ask(self, *sentences: str) -> RequestedInput:
        """Ask it about sentences."""
        return RequestedInput(self.executor, [{"sentence": one} for one in sentences])

    @property
    def child(self) -> int:
        """The child's id."""
        child = self.executor._child
        assert child is not None
        assert child.pid is not None
        return child.pid


@pytest.fixture
def room() -> Iterator[Room]:
    """Give an executor, and end it."""
    made = Room()
    yield made
    made.is_stopped = True
    made.executor.abort()
    made.executor.close()


def test_the_child_takes_only_what_nobody_else_wants(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CPU, disk and memory; and it has a group of its own."""
    # Other tests keep its priority as it is: see `tests/startup`.
    monkeypatch.delenv("PYTHONPATH", raising=False)
    # It may be long before it gets the CPU to answer.
    room.ask("a")
    wait_for(lambda: room.executor._child is not None)
    child = room.child
    wait_for(lambda: Path(f"/proc/{child}/oom_score_adj").read_text() == "1000\n")
    assert os.sched_getscheduler(child) == os.SCHED_IDLE
    assert os.getpriority(os.PRIO_PROCESS, child) == 19
    assert psutil.Process(child).ionice().ioclass == psutil.IOPRIO_CLASS_IDLE
    assert os.getpgid(child) == child
    assert os.getsid(child) == os.getsid(0)


def test_work_stopped_in_the_middle_goes_on_where_it_was(room: Room, tmp_path: Path) -> None:
    """And the time it was stopped does not count as its own."""
    mark = tmp_path / "mark"
    asked = room.ask(f"work until {mark}", "ab")
    wait_for(mark.with_suffix(".begun").exists)
    child = room.child
    began = time.monotonic()
    room.suspender.stop()
    assert are_stopped(child)
    mark.touch()
    time.sleep(0.5)
    assert asked.thread.is_alive()
    room.suspender.release()
    assert asked.values() == [str(len(f"work until {mark}")), "2"]
    assert room.child == child
    assert asked.done is not None
    assert asked.done.seconds >= 0
    assert 0.5 <= room.suspender.stopped_seconds() <= time.monotonic() - began


def test_work_ended_for_its_memory_is_done_again_and_nothing_is_blamed(
    room: Room, tmp_path: Path
) -> None:
    """The same rows, by another child, once it may."""
    mark = tmp_path / "mark"
    asked = room.ask(f"work until {mark}", "ab")
    wait_for(mark.with_suffix(".begun").exists)
    child = room.child
    room.suspender.stop()
    room.suspender.end()
    wait_for(lambda: is_gone(child))
    mark.touch()
    time.sleep(0.3)
    assert asked.thread.is_alive()
    room.suspender.release()
    assert asked.values() == [str(len(f"work until {mark}")), "2"]
    assert room.child != child


def test_a_child_ended_while_it_had_nothing_to_do_is_started_again(room: Room) -> None:
    """Whoever asks next does not notice."""
    room.ask("a").values()
    child = room.child
    room.suspender.stop()
    room.suspender.end()
    wait_for(lambda: is_gone(child))
    asked = room.ask("abc")
    room.suspender.release()
    assert asked.values() == ["3"]
    assert room.child != child


def test_work_suspended_for_too_long_is_given_back(tmp_path: Path) -> None:
    """Its child goes with it, stopped as it is."""
    room = Room(suspend_seconds=0.3)
    asked = room.ask(f"work until {tmp_path / 'never'}")
    wait_for((tmp_path / "never.begun").exists)
    child = room.child
    room.suspender.stop()
    assert isinstance(asked.failure(), Suspended)
    wait_for(lambda: is_gone(child))
    room.suspender.release()
    try:
        assert room.ask("ab").values() == ["2"]
    finally:
        room.executor.close()


def test_work_is_given_back_when_the_suspender_is_on_for_too_long() -> None:
    """No child is even started."""
    room = Room(suspend_seconds=0.2)
    room.suspender.stop()
    assert isinstance(room.ask("a").failure(), Suspended)
    assert room.executor._child is None


def test_abort_frees_whoever_writes_to_a_child_that_is_stopped(room: Room) -> None:
    """Ten megabytes fill the pipe, and nobody reads them."""
    room.ask("a").values()
    child = room.child
    os.killpg(child, signal.SIGSTOP)
    assert are_stopped(child)
    asked = room.ask(*["x" * 10_000] * 1000)
    time.sleep(0.5)
    assert asked.thread.is_alive()
    room.is_stopped = True
    room.executor.abort()
    assert isinstance(asked.failure(), Stopped)
    assert is_gone(child)


def test_abort_frees_whoever_waits_for_a_child_that_is_stopped(room: Room, tmp_path: Path) -> None:
    """Whatever it had begun."""
    asked = room.ask(f"work until {tmp_path / 'never'}")
    wait_for((tmp_path / "never.begun").exists)
    child = room.child
    room.suspender.stop()
    assert are_stopped(child)
    room.is_stopped = True
    room.executor.abort()
    assert isinstance(asked.failure(), Stopped)
    assert is_gone(child)


@pytest.mark.parametrize("how", ["close", "abort"])
@pytest.mark.parametrize("stopped", [True, False])
def test_what_an_enricher_has_started_ends_with_the_child(how: str, *, stopped: bool) -> None:
    """No process of a worker's is left when it ends."""
    room = Room()
    helper = int(room.ask("start a helper").values()[0])
    try:
        if stopped:
            room.suspender.stop()
        getattr(room.executor, how)()
        wait_for(lambda: is_gone(helper))
    finally:
        kill(helper)
        room.executor.close()


def check_killed_parent_leaves_nothing(
    *arguments: str, leads_session: bool = False, helpers: bool = True
) -> None:
    """Run an executor in a process, kill that, and wait until all that came of it is gone."""
    group = None if leads_session else 0
    with running(PARENT, *arguments, group=group, session=leads_session) as parent:
        pids = [int(word) for word in line_of(parent).split() if word != "0"]
        try:
            if "stopped" in arguments or "eager" in arguments:
                assert are_stopped(*pids)
            parent.kill()
            parent.wait()
            watched = pids if helpers else pids[:1]
            wait_for(
                lambda: all(is_gone(pid) for pid in watched),
                lambda: [state(pid) for pid in watched],
            )
        finally:
            kill(*pids)


def test_the_parent_of_a_stopped_child_leaves_nothing_when_it_is_killed() -> None:
    """Started in a group of its own, as a shell does; its child and what that has started."""
    check_killed_parent_leaves_nothing("stopped")


def test_a_parent_that_leads_its_session_leaves_nothing_when_it_is_killed() -> None:
    """Started as a service is, and as `make run` does."""
    check_killed_parent_leaves_nothing("stopped", leads_session=True)


def test_a_parent_killed_while_its_child_computes_leaves_nothing() -> None:
    """However long the child would take; what an enricher has started is its own to look after."""
    check_killed_parent_leaves_nothing(helpers=False)


def test_a_child_stopped_as_soon_as_it_was_started_does_not_outlive_its_parent() -> None:
    """It had no group of its own yet."""
    check_killed_parent_leaves_nothing("eager", leads_session=True)


def test_a_stopped_child_ends_with_its_parent_although_its_session_lives_on() -> None:
    """As where a shell, or a starter of several processes, is a container's first process."""
    libc = ctypes.CDLL(None)
    # Orphans come to us, as they would to that first process, and we are in their session.
    assert libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    try:
        check_killed_parent_leaves_nothing("stopped", helpers=False)
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
