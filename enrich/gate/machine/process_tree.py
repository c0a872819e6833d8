"""Process trees: what our own processes use, so that the rest is known to be others'."""

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
    """Return these processes and all that came of them and are there."""
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting.extend(_children(pid))
    return found


def trees(roots: Iterable[int]) -> dict[int, set[int]]:
    """Return each root's tree; a root within another's tree has none of its own."""
    found = {root: tree({root}) for root in roots}
    inner = {
        root for root in found for other, pids in found.items() if root in pids and root != other
    }
    return {root: pids for root, pids in found.items() if root not in inner}


def _children(pid: int) -> Iterator[int]:
    if not _HAS_CHILDREN:
        with contextlib.suppress(psutil.Error):
            yield from (child.pid for child in psutil.Process(pid).children())
        return
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            yield from (int(child) for child in (thread / "children").read_text("ascii").split())


def servers(pids: Iterable[int], name: str) -> set[int]:
    """Return which of these are processes of that name here, and not on some other machine."""
    return {pid for pid in pids if _name(pid).startswith(name)}


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text("utf-8", errors="replace")
    except OSError:
        return ""


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the CPU that these processes have used, with that of their ended children."""
    there = set(pids)
    while True:
        used = sum(_process_seconds(pid) + _ended_seconds(pid) for pid in there)
        gone = {pid for pid in there if not psutil.pid_exists(pid)}
        if not gone:
            return used
        # What ended meanwhile may stand in its parent's account too, or in none that was read.
        there -= gone


def _process_seconds(pid: int) -> float:
    """Return a process's CPU to the nanosecond; /proc tells it in hundredths of a second.

    Two such figures 0.1 s apart would be wrong by up to 0.2 cores. The clock's number is made as
    clock_getcpuclockid(3) makes it.
    """
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return _coarse_seconds(pid)


def _coarse_seconds(pid: int) -> float:
    """Return the same where there is no such clock, or no such process any more."""
    try:
        used = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(used.user + used.system)


def _ended_seconds(pid: int) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    except OSError:
        return 0.0
    after_name = stat.rpartition(")")[2].split()
    return (int(after_name[13]) + int(after_name[14])) * TICK_SECONDS


def anonymous_bytes(pids: Iterable[int]) -> int:
    """Return the memory that these processes alone keep from others."""
    return sum(_anonymous_bytes(pid) for pid in pids)


def _anonymous_bytes(pid: int) -> int:
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text("ascii").split()
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * PAGE_BYTES
