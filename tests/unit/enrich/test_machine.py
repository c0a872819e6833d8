"""What the machine says: CPU of others, memory, pressure, GPUs and process trees."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrich.gate.machine import pressure, process_tree
from enrich.gate.machine.cgroup import Cgroup, Use
from enrich.gate.machine.cpu import Cpu, Sample, foreign_cores, total_source
from enrich.gate.machine.gpu import read_gpu
from enrich.gate.machine.memory import free_share, read_memory
from enrich.gate.machine.pressure import Pressure, stalled_seconds
from enrich.gate.machine.process_tree import anonymous_bytes, cpu_seconds, servers, tree
from tests.processes import go_on, line_of

MIB = 2**20
# What has been reaped is told in ticks, rounded down: user's and system's of each level.
ROUNDED = 0.05
MINE, MINE_TOO, FOREIGN = 101, 102, 999
BURN = """
import time
def burn(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass
"""


@contextmanager
def talking(code: str) -> Iterator[subprocess.Popen[str]]:
    """Run code that prints a line when it is ready and waits for one before it ends."""
    with subprocess.Popen(
        [sys.executable, "-c", BURN + code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            for pid in tree([running.pid]):
                psutil.Process(pid).kill()


def test_foreign_cores_are_all_but_our_own() -> None:
    """Two cores were used for a second, half a one by us."""
    samples = [Sample(10.0, 100.0, {1: 7.0}), Sample(11.0, 102.0, {1: 7.5})]
    assert foreign_cores(samples, 1.0) == pytest.approx(1.5)


def test_foreign_cores_are_not_known_before_two_samples_lie_far_enough_apart() -> None:
    """A shorter time would tell chance."""
    first, second = Sample(10.0, 100.0, {1: 0.0}), Sample(10.9, 101.0, {1: 0.0})
    assert foreign_cores([first], 0.1) is None
    assert foreign_cores([first, second], 1.0) is None
    assert foreign_cores([first, second], 0.9 - 1e-9) is not None


def test_foreign_cores_are_those_of_the_shortest_time_that_is_long_enough() -> None:
    """What was long ago is over."""
    samples = [Sample(0.0, 0.0, {1: 0.0}), Sample(9.0, 9.0, {1: 0.0}), Sample(10.0, 9.0, {1: 0.0})]
    assert foreign_cores(samples, 1.0) == 0.0
    assert foreign_cores(samples, 5.0) == pytest.approx(0.9)


def test_what_we_used_is_never_taken_for_others_less_than_nothing() -> None:
    """The machine's clock is coarser than ours."""
    samples = [Sample(0.0, 50.0, {1: 5.0}), Sample(1.0, 50.9, {1: 6.0})]
    assert foreign_cores(samples, 1.0) == 0.0


def test_own_children_that_have_ended_are_not_counted_as_others() -> None:
    """Their CPU has moved to their parent, and the sum is as before."""
    samples = [Sample(0.0, 0.0, {1: 3.0}), Sample(1.0, 1.0, {1: 4.0}), Sample(2.0, 2.0, {1: 5.0})]
    assert foreign_cores(samples, 1.0) == pytest.approx(0.0)


samples_in_order = st.lists(
    st.tuples(st.floats(0.01, 5), st.floats(0, 8), st.floats(-100, 100)), min_size=1, max_size=20
)


@given(samples_in_order, st.floats(0.01, 5))
def test_foreign_cores_are_never_negative_and_never_more_than_all(
    steps: list[tuple[float, float, float]], window: float
) -> None:
    """Even where our own sum falls, because one of ours has ended elsewhere."""
    at = total = own = 0.0
    samples = [Sample(at, total, {1: own})]
    for after, cores, more in steps:
        at, total, own = at + after, total + cores * after, own + more
        samples.append(Sample(at, total, {1: own}))
    found = foreign_cores(samples, window)
    assert found is None or 0 <= found <= 8 * (1 + 1e-6) + 1e-6


@contextmanager
def neighbour() -> Iterator[int]:
    """Give a process of ours that has used some CPU, and is no child of this one's in the sum."""
    with talking('burn(0.5)\nprint("burnt", flush=True)\ninput()') as running:
        line_of(running)
        yield running.pid


class Machine:
    """A machine that nobody uses but this process, and others as much as is said."""

    def __init__(self) -> None:
        self.foreign = 100.0

    def total(self) -> float:
        """Return the CPU of all."""
        return self.foreign + cpu_seconds([os.getpid()])


def test_one_of_our_own_that_ends_does_not_make_the_rest_of_us_others() -> None:
    """Another worker left with all that it had used; what we use meanwhile is still ours."""
    meter, me = Cpu(Machine().total), os.getpid()
    with neighbour() as other:
        meter.read({me: [me], other: [other]}, 0.05)
        until = cpu_seconds([me]) + 0.3
        while cpu_seconds([me]) < until:
            pass
        assert meter.read({me: [me]}, 0.05) == pytest.approx(0.0, abs=0.05)


def test_one_that_turns_out_to_be_ours_does_not_hide_others() -> None:
    """Another worker came; what it had used before is not of this moment."""
    machine, me = Machine(), os.getpid()
    meter = Cpu(machine.total)
    with neighbour() as other:
        began = time.monotonic()
        meter.read({me: [me]}, 0.05)
        time.sleep(0.1)
        machine.foreign += time.monotonic() - began
        assert meter.read({me: [me], other: [other]}, 0.05) == pytest.approx(1.0, abs=0.3)


def test_the_meter_keeps_no_more_samples_than_it_needs() -> None:
    """It runs for months."""
    meter = Cpu(lambda: 0.0)
    for _ in range(50):
        meter.read({}, 0.001)
    assert len(meter._samples) <= 50
    meter._samples[0] = Sample(meter._samples[0].at - 10, 0.0, {})
    meter.read({}, 0.001)
    assert meter._samples[0].at > meter._samples[-1].at - 5


def test_a_container_with_limited_cpu_is_its_own_machine(tmp_path: Path) -> None:
    """Whatever its host's others do."""
    process, root = tmp_path / "self", tmp_path / "root"
    top = root / "sys/fs/cgroup"
    top.mkdir(parents=True)
    process.mkdir()
    (process / "cgroup").write_text("0::/\n")
    (process / "mountinfo").write_text("30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
    (top / "cpu.stat").write_text("usage_usec 2500000\n")
    (top / "cpu.max").write_text("max 100000\n")
    unlimited = Cgroup(process, root)
    assert total_source("auto", unlimited)() != 2.5
    assert total_source("cgroup", unlimited)() == 2.5
    (top / "cpu.max").write_text("50000 100000\n")
    limited = Cgroup(process, root)
    assert total_source("auto", limited)() == 2.5
    assert total_source("machine", limited)() != 2.5


def test_the_machines_cpu_rises_by_what_is_used() -> None:
    """Idle time does not count."""
    source = total_source("machine", Cgroup())
    before, own = source(), cpu_seconds([os.getpid()])
    sum(range(10_000_000))
    used = cpu_seconds([os.getpid()]) - own
    # The machine counts in ticks, a few of which may be missing.
    assert source() - before >= used - 0.05


def test_our_own_memory_counts_as_free() -> None:
    """It would be, without us."""
    assert free_share([Use(100, 80)], 0) == pytest.approx(0.2)
    assert free_share([Use(100, 80)], 30) == pytest.approx(0.5)
    assert free_share([Use(100, 80)], 90) == 1.0


def test_the_tightest_limit_says_how_much_is_free() -> None:
    """Whichever level it stands at."""
    assert free_share([Use(100, 10), Use(50, 40), Use(1000, 500)], 0) == pytest.approx(0.2)


def test_a_limit_above_the_machines_memory_is_none() -> None:
    """The machine itself is the nearest limit then."""
    host = psutil.virtual_memory()

    class Roomy(Cgroup):
        """A group that may use more than there is."""

        def memory_use(self) -> list[Use]:
            return [Use(host.total * 2, host.total * 2)]

    assert 0 < read_memory(Roomy(), 0) <= 1


def test_a_small_limit_counts_though_the_machine_is_empty() -> None:
    """A container's memory is what it may use."""

    class Tight(Cgroup):
        """A group that is nearly full."""

        def memory_use(self) -> list[Use]:
            return [Use(10 * MIB, 9 * MIB)]

    assert read_memory(Tight(), 0) == pytest.approx(0.1)


def psi(total_us: int, full_us: int = 0) -> str:
    """Return a pressure file."""
    averages = "avg10=0.00 avg60=0.00 avg300=0.00"
    return f"some {averages} total={total_us}\nfull {averages} total={full_us}\n"


def test_stalled_seconds_are_those_of_the_kind_waited_for_longest(tmp_path: Path) -> None:
    """Some task's wait counts, not only that of all."""
    (tmp_path / "memory.pressure").write_text(psi(1_500_000, 9_000_000))
    (tmp_path / "io.pressure").write_text(psi(2_500_000))
    assert stalled_seconds(tmp_path) == 2.5


def test_stalled_seconds_are_unknown_where_the_kernel_does_not_say(tmp_path: Path) -> None:
    """One kind may be there without the other; a file may be empty."""
    assert stalled_seconds(tmp_path) is None
    (tmp_path / "memory.pressure").write_text("")
    assert stalled_seconds(tmp_path) is None
    (tmp_path / "io.pressure").write_text(psi(500_000))
    assert stalled_seconds(tmp_path) == 0.5


def test_the_machines_pressure_is_read_without_a_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are named otherwise."""
    monkeypatch.setattr(pressure, "MACHINE", tmp_path)
    (tmp_path / "io").write_text(psi(3_000_000))
    assert stalled_seconds(None) == 3.0


def test_pressure_is_the_change_since_the_last_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown at first, and again after a file could not be read; never more than all the time."""
    times = iter([10.0, 12.0, 14.0, 16.0, 18.0, 20.0])
    monkeypatch.setattr("time.monotonic", lambda: next(times))
    file = tmp_path / "memory.pressure"
    reader = Pressure(tmp_path)
    file.write_text(psi(1_000_000))
    assert reader.read() is None
    file.write_text(psi(1_500_000))
    assert reader.read() == pytest.approx(0.25)
    file.write_text(psi(9_000_000))
    assert reader.read() == 1.0
    file.unlink()
    assert reader.read() is None
    file.write_text(psi(9_100_000))
    assert reader.read() is None
    assert reader.read() == 0.0


class FakeTool:
    """A nvidia-smi that says what it is told to."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "nvidia-smi"

    def says(self, processes: str, shares: str, code: int = 0) -> None:
        """Let it answer both questions."""
        script = f"""#!/bin/sh
case "$1" in
  --query-compute-apps=*) printf '{processes}';;
  --query-gpu=*) printf '{shares}';;
esac
exit {code}
"""
        self.file.write_text(script)
        self.file.chmod(self.file.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTool:
    """Give a tool that is found first."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return FakeTool(tmp_path)


def test_without_the_tool_nothing_is_known_of_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most machines have none."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_gpu([]) is None


def test_gpus_that_only_we_use_are_free(tool: FakeTool) -> None:
    """However busy they are."""
    tool.says(f"{MINE}\\n{MINE_TOO}\\n", "93\\n12\\n")
    assert read_gpu([MINE, MINE_TOO]) == 0.0


def test_gpus_that_others_use_are_as_busy_as_the_busiest(tool: FakeTool) -> None:
    """Which of them it is cannot be told."""
    tool.says(f"{MINE}\\n{FOREIGN}\\n", "12\\n93\\n")
    assert read_gpu([MINE]) == pytest.approx(0.93)


def test_gpus_in_use_by_nobody_who_is_named_are_others(tool: FakeTool) -> None:
    """Screens and games are not computing processes."""
    tool.says("", "45\\n")
    assert read_gpu([MINE]) == pytest.approx(0.45)


def test_a_gpu_that_does_not_tell_its_use_counts_as_free(tool: FakeTool) -> None:
    """Some models answer "[N/A]"."""
    tool.says(f"{FOREIGN}\\n", "[N/A]\\n")
    assert read_gpu([MINE]) == 0.0


def test_a_broken_tool_tells_nothing(tool: FakeTool) -> None:
    """A driver that does not fit its kernel must not close the gate."""
    tool.says("", "", code=9)
    assert read_gpu([MINE]) is None
    tool.file.write_bytes(b"\x7fELF no program")
    assert read_gpu([MINE]) is None


def test_a_tool_that_tells_processes_but_no_use_closes_no_gate(tool: FakeTool) -> None:
    """Nobody knows how busy it is."""
    tool.file.write_text(f'#!/bin/sh\ncase "$1" in --query-gpu=*) exit 9;; esac\necho {FOREIGN}\n')
    tool.file.chmod(0o755)
    assert not read_gpu([MINE])


def test_a_tool_that_speaks_no_text_does_no_harm(tool: FakeTool) -> None:
    """It must not end the thread that asks."""
    tool.file.write_text("#!/bin/sh\nprintf '\\377\\376'\n")
    tool.file.chmod(0o755)
    assert not read_gpu([MINE])


def test_a_tree_holds_children_and_their_children() -> None:
    """And those of any thread."""
    code = """
import subprocess, sys, threading
grandchild = "import subprocess, sys; p = subprocess.Popen(['sleep', '600']);"
grandchild += "print(p.pid, flush=True); p.wait()"
def start():
    child = subprocess.Popen([sys.executable, '-c', grandchild], stdout=subprocess.PIPE, text=True)
    print(child.pid, child.stdout.readline().strip(), flush=True)
    child.wait()
thread = threading.Thread(target=start)
thread.start()
thread.join()
"""
    with talking(code) as running:
        child, grandchild = (int(word) for word in line_of(running).split())
        assert tree([running.pid]) == {running.pid, child, grandchild}
        assert tree([child]) == {child, grandchild}
        assert {running.pid, child, grandchild} <= tree([os.getpid()])


def test_a_tree_of_what_is_gone_is_its_root_alone() -> None:
    """Which has used nothing."""
    with subprocess.Popen([sys.executable, "-c", "pass"]) as ended:
        ended.wait()
    assert tree([ended.pid]) == {ended.pid}
    assert cpu_seconds([ended.pid]) == 0.0
    assert anonymous_bytes([ended.pid]) == 0


def test_a_child_that_has_been_reaped_still_counts() -> None:
    """Else its end would look like others' work."""
    code = """
import os
child = os.fork()
if not child:
    burn(0.4)
    os._exit(0)
os.waitpid(child, 0)
print("reaped", flush=True)
input()
"""
    with talking(code) as running:
        line_of(running)
        assert tree([running.pid]) == {running.pid}
        assert cpu_seconds([running.pid]) >= 0.4 - ROUNDED
        go_on(running)


def test_a_child_that_is_reaped_while_it_is_looked_at_counts_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else all that it ever used would look like others' work of this moment, or hide theirs."""
    code = """
import os
child = os.fork()
if not child:
    burn(0.4)
    os._exit(0)
os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
print("dead", flush=True)
input()
os.waitpid(child, 0)
print("reaped", flush=True)
input()
"""
    with talking(code) as running:
        line_of(running)
        both, read = tree([running.pid]), process_tree._ended_seconds
        before = cpu_seconds(both)

        def reap_after_the_first(pid: int) -> float:
            monkeypatch.setattr(process_tree, "_ended_seconds", read)
            used = read(pid)
            go_on(running)
            line_of(running)
            return used

        monkeypatch.setattr(process_tree, "_ended_seconds", reap_after_the_first)
        assert cpu_seconds(both) == pytest.approx(before, abs=ROUNDED)


def test_a_child_that_is_dead_and_not_reaped_still_counts() -> None:
    """Nobody else knows of its CPU yet."""
    code = """
import os
child = os.fork()
if not child:
    burn(0.4)
    os._exit(0)
os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
print("dead", flush=True)
input()
"""
    with talking(code) as running:
        line_of(running)
        assert cpu_seconds(tree([running.pid])) >= 0.4


def test_grandchildren_count_alive_and_reaped() -> None:
    """One burns and lives on, one burns and is reaped by its parent."""
    code = """
import os
read, write = os.pipe()
child = os.fork()
if not child:
    dead = os.fork()
    if not dead:
        burn(0.3)
        os._exit(0)
    os.waitpid(dead, 0)
    if not os.fork():
        burn(0.3)
        os.write(write, b"!")
    os.read(0, 1)
    os._exit(0)
os.read(read, 1)
print("burnt", flush=True)
os.read(0, 1)
"""
    with talking(code) as running:
        line_of(running)
        assert cpu_seconds(tree([running.pid])) >= 0.6 - ROUNDED


def test_cpu_is_told_more_finely_than_in_ticks() -> None:
    """Two figures a tenth of a second apart are to be told apart."""
    own = [os.getpid()]
    before = cpu_seconds(own)
    until = before + 0.002
    while (now := cpu_seconds(own)) < until:
        pass
    assert now - before < 0.5


def test_memory_that_a_process_alone_keeps_is_counted() -> None:
    """50 MiB more than without them."""
    code = """
input()
kept = bytearray(b"x") * (50 * 2**20)
print("there", flush=True)
input()
"""
    with talking('print("here", flush=True)' + code) as running:
        line_of(running)
        before = anonymous_bytes([running.pid])
        go_on(running)
        line_of(running)
        more = anonymous_bytes([running.pid]) - before
        assert 50 * MIB <= more < 60 * MIB
        assert anonymous_bytes([running.pid, os.getpid()]) > more
        go_on(running)


def test_servers_are_told_by_their_name_here() -> None:
    """A server's number may be that of some other machine's process."""
    code = """
from pathlib import Path

Path("/proc/self/comm").write_text("postgres")
print("named", flush=True)
input()
"""
    with talking(code) as running:
        line_of(running)
        assert servers([running.pid, os.getpid(), 2**22 + 1], "postgres") == {running.pid}
        assert servers([running.pid], "mysqld") == set()
