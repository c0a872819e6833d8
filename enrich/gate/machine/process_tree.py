"""Process trees: the CPU and memory of our own processes; the rest belongs to other programs."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_HAS_CHILDREN = Path(f"/proc/self/task/{os.getpid()}/children").exists()


def tree(roots: Iterable[int]) -> set[int]:
    """Return these processes and all their living descendants."""
    pids: set[int] = set()
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in pids:
            pids.add(pid)
            waiting.extend(_children(pid))
    return pids


def trees(roots: Iterable[int]) -> dict[int, set[int]]:
    """Return the tree of each root; a root within another root's tree is left out."""
    by_root = {root: tree({root}) for root in roots}
    inner = {
        root
        for root in by_root
        for other, pids in by_root.items()
        if root in pids and root != other
    }
    return {root: pids for root, pids in by_root.items() if root not in inner}


def _children(pid: int) -> Iterator[int]:
    if not _HAS_CHILDREN:
        with contextlib.suppress(psutil.Error):
            yield from (child.pid for child in psutil.Process(pid).children())
        return
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            yield from (int(child) for child in (thread / "children").read_text("ascii").split())


def servers(pids: Iterable[int], name: str) -> set[int]:
    """Return those ids that belong, on this machine, to a process whose name starts with `name`."""
    return {pid for pid in pids if _name(pid).startswith(name)}


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text("utf-8", errors="replace")
    except OSError:
        return ""


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the CPU seconds of these processes and of their children that have ended."""
    alive = set(pids)
    while True:
        used = sum(_process_seconds(pid) + _ended_seconds(pid) for pid in alive)
        gone = {pid for pid in alive if not psutil.pid_exists(pid)}
        if not gone:
            return used
        # A process that ended during the loop may be counted twice, by itself and by its parent,
        # or not at all.
        alive -= gone


def _process_seconds(pid: int) -> float:
    """Return the CPU seconds of a process to the nanosecond.

    /proc counts in hundredths of a second: over 0.1 s the difference of two such figures would be
    wrong by up to 0.2 cores. The id of the clock is computed as clock_getcpuclockid(3) does.
    """
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return _coarse_seconds(pid)


def _coarse_seconds(pid: int) -> float:
    """Return the CPU seconds as psutil reports them, 0 if the process is gone."""
    try:
        used = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(used.user + used.system)


def _ended_seconds(pid: int) -> float:
    """Return the CPU seconds of the process's children that have ended and been waited for."""
    fields = _stat_fields(pid)
    return (int(fields[13]) + int(fields[14])) * TICK_SECONDS if fields else 0.0


def niced_seconds(pids: Iterable[int]) -> float:
    """Return the CPU seconds that the kernel has counted as nice for these processes.

    It counts the user time of processes at a nice value above 0.
    """
    return sum(map(_niced_seconds, pids))


def _niced_seconds(pid: int) -> float:
    fields = _stat_fields(pid)
    if not fields or int(fields[16]) <= 0:
        return 0.0
    return (int(fields[11]) + int(fields[13])) * TICK_SECONDS


def _stat_fields(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name; none if the process is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    except OSError:
        return []
    return stat.rpartition(")")[2].split()


def anonymous_bytes(pids: Iterable[int]) -> int:
    """Return the resident memory of these processes that they share with no file or process."""
    return sum(_anonymous_bytes(pid) for pid in pids)


def _anonymous_bytes(pid: int) -> int:
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text("ascii").split()
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * PAGE_BYTES
