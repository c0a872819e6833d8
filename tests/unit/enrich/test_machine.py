"""Tests of the machine readings: CPU of other programs, memory, pressure, GPUs, process trees."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrich.gate.machine import pressure, process_tree
from enrich.gate.machine.cgroup import Cgroup, Use
from enrich.gate.machine.cpu import (
    NICE_SECONDS,
    Cpu,
    Sample,
    foreign_cores,
    nice_source,
    total_source,
)
from enrich.gate.machine.gpu import read_gpu
from enrich.gate.machine.memory import free_share, read_memory
from enrich.gate.machine.pressure import Pressure, stalled_seconds
from enrich.gate.machine.process_tree import (
    anonymous_bytes,
    cpu_seconds,
    niced_seconds,
    servers,
    tree,
)
from enrich.gate.sampler import LoadSampler
from tests.conftest import settings_for
from tests.processes import go_on, line_of

MIB = 2**20
# CPU of reaped processes is counted in ticks, rounded down: user and system, at each level.
ROUNDED = 0.05
MINE, MINE_TOO, FOREIGN = 101, 102, 999
BURN = """
import time
def burn(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass
"""
# The kernel counts user time alone as nice, and reading the clock is system time.
NICE_CPU_SECONDS = 0.4
COMPUTE = f"""
import os, time
input()
time.sleep(1)
while os.times().user < {NICE_CPU_SECONDS}:
    sum(range(100_000))
print("done", flush=True)
input()
"""


@contextmanager
def run_code(code: str, *before: str) -> Iterator[subprocess.Popen[str]]:
    """Run code that prints a line when it is ready and waits for one before it ends.

    `before` are words of the command line before it, such as `nice`.
    """
    with subprocess.Popen(
        [*before, sys.executable, "-c", BURN + code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            for pid in tree([process.pid]):
                psutil.Process(pid).kill()


def test_foreign_cores_are_all_cores_but_our_own() -> None:
    """Two cores were used for a second, half of one by Veilleuse."""
    samples = [Sample(10.0, 100.0, {1: 7.0}), Sample(11.0, 102.0, {1: 7.5})]
    assert foreign_cores(samples, 1.0) == pytest.approx(1.5)


def test_foreign_cores_are_unknown_until_two_samples_are_far_enough_apart() -> None:
    """A shorter time would measure chance."""
    first, second = Sample(10.0, 100.0, {1: 0.0}), Sample(10.9, 101.0, {1: 0.0})
    assert foreign_cores([first], 0.1) is None
    assert foreign_cores([first, second], 1.0) is None
    assert foreign_cores([first, second], 0.9 - 1e-9) is not None


def test_foreign_cores_are_measured_over_the_shortest_sufficient_time() -> None:
    """Earlier use no longer matters."""
    samples = [Sample(0.0, 0.0, {1: 0.0}), Sample(9.0, 9.0, {1: 0.0}), Sample(10.0, 9.0, {1: 0.0})]
    assert foreign_cores(samples, 1.0) == 0.0
    assert foreign_cores(samples, 5.0) == pytest.approx(0.9)


def test_foreign_cores_are_zero_if_we_used_more_than_the_machine_counts() -> None:
    """The machine's CPU counter is coarser than that of a process."""
    samples = [Sample(0.0, 50.0, {1: 5.0}), Sample(1.0, 50.9, {1: 6.0})]
    assert foreign_cores(samples, 1.0) == 0.0


def test_own_children_that_have_ended_are_not_counted_as_foreign() -> None:
    """Their CPU is added to their parent's, so the sum stays the same."""
    samples = [Sample(0.0, 0.0, {1: 3.0}), Sample(1.0, 1.0, {1: 4.0}), Sample(2.0, 2.0, {1: 5.0})]
    assert foreign_cores(samples, 1.0) == pytest.approx(0.0)


samples_in_order = st.lists(
    st.tuples(st.floats(0.01, 5), st.floats(0, 8), st.floats(-100, 100)), min_size=1, max_size=20
)


@given(samples_in_order, st.floats(0.01, 5))
def test_foreign_cores_are_never_negative_and_never_above_all_cores(
    steps: list[tuple[float, float, float]], window: float
) -> None:
    """Our own sum may even fall, because one of our processes has ended."""
    at = total = own = 0.0
    samples = [Sample(at, total, {1: own})]
    for after, cores, more in steps:
        at, total, own = at + after, total + cores * after, own + more
        samples.append(Sample(at, total, {1: own}))
    result = foreign_cores(samples, window)
    assert result is None or 0 <= result <= 8 * (1 + 1e-6) + 1e-6


@contextmanager
def other_own_process() -> Iterator[int]:
    """Yield the pid of a child process that has used CPU and is counted separately."""
    with run_code('burn(0.5)\nprint("burnt", flush=True)\ninput()') as process:
        line_of(process)
        yield process.pid


class FakeMachine:
    """A machine that only this process and a given amount of foreign work use."""

    def __init__(self) -> None:
        self.foreign = 100.0

    def total(self) -> float:
        """Return the CPU seconds of all programs."""
        return self.foreign + cpu_seconds([os.getpid()])


def test_an_own_process_that_ends_does_not_make_the_others_foreign(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The counter of the ended worker is gone; CPU that this process uses is still our own."""
    meter, me = Cpu(FakeMachine().total), os.getpid()
    times = iter([10.0, 11.0])
    with other_own_process() as other, monkeypatch.context() as patch:
        patch.setattr("time.monotonic", lambda: next(times))
        meter.read({me: [me], other: [other]}, 0.05)
        until = cpu_seconds([me]) + 0.3
        while cpu_seconds([me]) < until:
            pass
        assert meter.read({me: [me]}, 0.05) == pytest.approx(0.0, abs=0.05)


def test_a_new_own_process_does_not_hide_foreign_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The CPU that another worker used before it was known must not count now."""
    machine, me = FakeMachine(), os.getpid()
    meter = Cpu(machine.total)
    times = iter([10.0, 11.0])
    with other_own_process() as other, monkeypatch.context() as patch:
        patch.setattr("time.monotonic", lambda: next(times))
        meter.read({me: [me]}, 0.05)
        machine.foreign += 1.0
        assert meter.read({me: [me], other: [other]}, 0.05) == pytest.approx(1.0, abs=0.3)


def test_the_meter_keeps_no_more_samples_than_it_needs() -> None:
    """A worker runs for months."""
    meter = Cpu(lambda: 0.0)
    for _ in range(50):
        meter.read({}, 0.001)
    assert len(meter._samples) <= 50
    meter._samples[0] = Sample(meter._samples[0].at - 10, 0.0, {})
    meter.read({}, 0.001)
    assert meter._samples[0].at > meter._samples[-1].at - 5


def test_a_container_with_limited_cpu_is_its_own_machine(tmp_path: Path) -> None:
    """The CPU use of other programs on its host does not count."""
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
    """Without Veilleuse it would be free."""
    assert free_share([Use(100, 80)], 0) == pytest.approx(0.2)
    assert free_share([Use(100, 80)], 30) == pytest.approx(0.5)
    assert free_share([Use(100, 80)], 90) == 1.0


def test_the_tightest_limit_decides_how_much_is_free() -> None:
    """It may be the limit of any level."""
    assert free_share([Use(100, 10), Use(50, 40), Use(1000, 500)], 0) == pytest.approx(0.2)


def test_a_limit_above_the_machines_memory_is_ignored() -> None:
    """The machine's own memory is then the tightest limit."""
    host = psutil.virtual_memory()

    class Roomy(Cgroup):
        """A group whose limit is above the machine's memory."""

        def memory_use(self) -> list[Use]:
            return [Use(host.total * 2, host.total * 2)]

    assert 0 < read_memory(Roomy(), 0) <= 1


def test_a_small_limit_counts_even_if_the_machine_has_free_memory() -> None:
    """A container may use no more than its limit."""

    class Tight(Cgroup):
        """A group that is nearly full."""

        def memory_use(self) -> list[Use]:
            return [Use(10 * MIB, 9 * MIB)]

    assert read_memory(Tight(), 0) == pytest.approx(0.1)


def psi(total_us: int, full_us: int = 0) -> str:
    """Return the text of a pressure file."""
    averages = "avg10=0.00 avg60=0.00 avg300=0.00"
    return f"some {averages} total={total_us}\nfull {averages} total={full_us}\n"


def test_stalled_seconds_are_those_of_the_resource_with_the_longest_waits(tmp_path: Path) -> None:
    """The line "some" counts, which covers waits of single tasks, not the line "full"."""
    (tmp_path / "memory.pressure").write_text(psi(1_500_000, 9_000_000))
    (tmp_path / "io.pressure").write_text(psi(2_500_000))
    assert stalled_seconds(tmp_path) == 2.5


def test_stalled_seconds_are_unknown_without_pressure_files(tmp_path: Path) -> None:
    """One file may exist without the other, and a file may be empty."""
    assert stalled_seconds(tmp_path) is None
    (tmp_path / "memory.pressure").write_text("")
    assert stalled_seconds(tmp_path) is None
    (tmp_path / "io.pressure").write_text(psi(500_000))
    assert stalled_seconds(tmp_path) == 0.5


def test_the_machines_pressure_is_read_without_a_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files have other names than those of a group."""
    monkeypatch.setattr(pressure, "MACHINE", tmp_path)
    (tmp_path / "io").write_text(psi(3_000_000))
    assert stalled_seconds(None) == 3.0


def test_pressure_is_the_change_since_the_last_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is unknown at first and after a failed reading, and never above 1."""
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
    """A fake nvidia-smi with output that the test chooses."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "nvidia-smi"

    def set_output(self, processes: str, shares: str, code: int = 0) -> None:
        """Write the script that answers both queries."""
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
    """Return a fake nvidia-smi that is first on the PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return FakeTool(tmp_path)


def test_without_nvidia_smi_the_gpu_use_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most machines have no GPU."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_gpu([]) is None


def test_gpus_that_only_we_use_are_free(tool: FakeTool) -> None:
    """Their utilization does not matter."""
    tool.set_output(f"{MINE}\\n{MINE_TOO}\\n", "93\\n12\\n")
    assert read_gpu([MINE, MINE_TOO]) == 0.0


def test_with_foreign_processes_the_busiest_gpu_counts(tool: FakeTool) -> None:
    """The output does not show which GPU they use."""
    tool.set_output(f"{MINE}\\n{FOREIGN}\\n", "12\\n93\\n")
    assert read_gpu([MINE]) == pytest.approx(0.93)


def test_gpu_use_without_a_listed_process_is_foreign(tool: FakeTool) -> None:
    """Screens and games are not listed as computing processes."""
    tool.set_output("", "45\\n")
    assert read_gpu([MINE]) == pytest.approx(0.45)


def test_a_gpu_that_does_not_report_its_use_counts_as_free(tool: FakeTool) -> None:
    """Some models answer "[N/A]"."""
    tool.set_output(f"{FOREIGN}\\n", "[N/A]\\n")
    assert read_gpu([MINE]) == 0.0


def test_a_broken_tool_gives_no_reading(tool: FakeTool) -> None:
    """A driver that does not match its kernel must not close the gate."""
    tool.set_output("", "", code=9)
    assert read_gpu([MINE]) is None
    tool.file.write_bytes(b"\x7fELF no program")
    assert read_gpu([MINE]) is None


def test_a_tool_that_lists_processes_but_no_use_does_not_close_the_gate(tool: FakeTool) -> None:
    """The utilization of the GPU is unknown."""
    tool.file.write_text(f'#!/bin/sh\ncase "$1" in --query-gpu=*) exit 9;; esac\necho {FOREIGN}\n')
    tool.file.chmod(0o755)
    assert not read_gpu([MINE])


def test_a_tool_that_prints_invalid_text_is_ignored(tool: FakeTool) -> None:
    """It must not end the thread that reads the GPU."""
    tool.file.write_text("#!/bin/sh\nprintf '\\377\\376'\n")
    tool.file.chmod(0o755)
    assert not read_gpu([MINE])


def test_a_tree_contains_children_and_their_children() -> None:
    """Children that another thread started are included."""
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
    with run_code(code) as process:
        child, grandchild = (int(word) for word in line_of(process).split())
        assert tree([process.pid]) == {process.pid, child, grandchild}
        assert tree([child]) == {child, grandchild}
        assert {process.pid, child, grandchild} <= tree([os.getpid()])


def test_the_tree_of_an_ended_process_is_its_root_alone() -> None:
    """The process counts as using nothing."""
    with subprocess.Popen([sys.executable, "-c", "pass"]) as ended:
        ended.wait()
    assert tree([ended.pid]) == {ended.pid}
    assert cpu_seconds([ended.pid]) == 0.0
    assert anonymous_bytes([ended.pid]) == 0


def test_a_child_that_has_been_reaped_still_counts() -> None:
    """Otherwise its end would look like foreign work."""
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
    with run_code(code) as process:
        line_of(process)
        assert tree([process.pid]) == {process.pid}
        assert cpu_seconds([process.pid]) >= 0.4 - ROUNDED
        go_on(process)


def test_a_child_that_is_reaped_during_a_reading_counts_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise all its CPU would look like foreign work of this moment, or hide some."""
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
    with run_code(code) as process:
        line_of(process)
        both, original = tree([process.pid]), process_tree._ended_seconds
        before = cpu_seconds(both)

        def reap_after_the_first(pid: int) -> float:
            monkeypatch.setattr(process_tree, "_ended_seconds", original)
            used = original(pid)
            go_on(process)
            line_of(process)
            return used

        monkeypatch.setattr(process_tree, "_ended_seconds", reap_after_the_first)
        assert cpu_seconds(both) == pytest.approx(before, abs=ROUNDED)


def test_a_child_that_is_dead_and_not_reaped_still_counts() -> None:
    """Its CPU is not yet part of its parent's."""
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
    with run_code(code) as process:
        line_of(process)
        assert cpu_seconds(tree([process.pid])) >= 0.4


def test_grandchildren_count_alive_and_reaped() -> None:
    """One uses CPU and stays alive, the other uses CPU and is reaped by its parent."""
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
    with run_code(code) as process:
        line_of(process)
        assert cpu_seconds(tree([process.pid])) >= 0.6 - ROUNDED


def test_cpu_is_measured_more_finely_than_in_ticks() -> None:
    """Readings a tenth of a second apart must differ."""
    own = [os.getpid()]
    before = cpu_seconds(own)
    until = before + 0.002
    while (now := cpu_seconds(own)) < until:
        pass
    assert now - before < 0.5


def test_private_memory_of_a_process_is_counted() -> None:
    """The process allocates 50 MiB between the two readings."""
    code = """
input()
kept = bytearray(b"x") * (50 * 2**20)
print("there", flush=True)
input()
"""
    with run_code('print("here", flush=True)' + code) as process:
        line_of(process)
        before = anonymous_bytes([process.pid])
        go_on(process)
        line_of(process)
        more = anonymous_bytes([process.pid]) - before
        assert 50 * MIB <= more < 60 * MIB
        assert anonymous_bytes([process.pid, os.getpid()]) > more
        go_on(process)


def test_servers_are_recognized_by_the_name_of_their_process() -> None:
    """The pid of a server may belong to a process of another machine."""
    code = """
from pathlib import Path

Path("/proc/self/comm").write_text("postgres")
print("named", flush=True)
input()
"""
    with run_code(code) as process:
        line_of(process)
        assert servers([process.pid, os.getpid(), 2**22 + 1], "postgres") == {process.pid}
        assert servers([process.pid], "mysqld") == set()


def test_foreign_nice_load_is_left_out_if_it_does_not_count() -> None:
    """Of two foreign cores one was nice; our own niced child is subtracted only once."""
    first = Sample(10.0, 100.0, {MINE: 5.0}, 50.0, {MINE: 4.0})
    last = Sample(11.0, 102.5, {MINE: 5.5}, 51.5, {MINE: 4.5})
    assert foreign_cores([first, last], 1.0) == pytest.approx(1.0)
    counted = [Sample(one.at, one.total, one.own) for one in (first, last)]
    assert foreign_cores(counted, 1.0) == pytest.approx(2.0)


def test_nice_load_is_measured_over_a_second_since_the_kernel_counts_it_in_ticks() -> None:
    """Until samples are so far apart, all load counts."""
    first, last = Sample(10.0, 100.0, {}, 0.0), Sample(10.5, 100.5, {}, 0.5)
    assert foreign_cores([first, last], 0.1) == pytest.approx(1.0)


def test_a_busy_process_at_nice_19_is_foreign_load_only_if_nice_load_counts() -> None:
    """The same counters are read either way."""
    total, nice = total_source("machine", Cgroup()), nice_source("machine", Cgroup())

    def sample() -> Sample:
        return Sample(time.monotonic(), total(), {}, nice())

    with run_code(COMPUTE, "nice", "-n", "19") as process:
        first = sample()
        go_on(process)
        line_of(process)
        last = sample()
        assert niced_seconds([process.pid]) >= NICE_CPU_SECONDS - ROUNDED
    assert niced_seconds([os.getpid()]) == 0.0, "it is not niced"
    ignored = foreign_cores([first, last], NICE_SECONDS)
    counted = foreign_cores([replace(one, nice=0.0) for one in (first, last)], NICE_SECONDS)
    assert ignored is not None
    assert counted is not None
    assert (counted - ignored) * (last.at - first.at) > NICE_CPU_SECONDS / 2


def test_nice_load_is_read_only_if_it_does_not_count() -> None:
    """Our own niced processes are told apart from those of other programs."""
    code = "import os; os.nice(19); print('ready', flush=True); input()"
    with run_code(code) as process:
        line_of(process)
        meter = Cpu(lambda: 0.0, lambda: 7.0)
        meter.read({process.pid: [process.pid]}, 0.001)
        assert (meter._samples[0].nice, set(meter._samples[0].own_nice)) == (7.0, {process.pid})
    meter = Cpu(lambda: 0.0)
    meter.read({os.getpid(): [os.getpid()]}, 0.001)
    assert (meter._samples[0].nice, meter._samples[0].own_nice) == (0.0, {})


@pytest.mark.parametrize(("setting", "is_read"), [("count", False), ("ignore", True)])
def test_the_setting_decides_whether_nice_load_counts(setting: str, *, is_read: bool) -> None:
    """By default it does."""
    settings = settings_for("sqlite:///store.db", GATE_NICE=setting)
    assert (LoadSampler(settings)._cpu._nice is not None) is is_read
