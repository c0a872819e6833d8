"""The gate's decision: may a worker use this machine now? A pure function of readings and time.

closed: something blocks work, such as other programs' CPU use. No work may start.
    Becomes opening when nothing blocks work.
opening: nothing blocks work, but not for long enough yet. No work may start.
    Becomes open after `open_seconds`, or closed when something blocks work.
open: work may start and continue.
    When something blocks work it becomes suspended if work is in progress, closed if not.
suspended: the gate has closed while work is in progress, and that work is stopped.
    Becomes open after `open_seconds` without a cause; or closed or opening if the work is given up.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal, TypeAlias

from db.settings import Settings
from enrich.gate.machine.reading import Reading

State: TypeAlias = Literal["closed", "opening", "open", "suspended"]
Cause: TypeAlias = Literal[
    "", "failed", "paused", "cpu", "memory", "disk", "web", "pressure", "gpu"
]

# Seconds over which the CPU use of other programs is averaged, for opening and for closing.
# Closing must be quick; opening is not urgent, and a longer window is steadier.
OPEN_WINDOW_SECONDS = 1.0
CLOSE_WINDOW_SECONDS = 0.1


@dataclass(frozen=True)
class Gate:
    """The state of a gate, when it began and why. Times are seconds of one monotonic clock.

    `cause` is what blocks work, "" if nothing does; `reason` explains the state to a person, and is
    "" while the gate is open. `idle_since` is the time since when nothing blocks work, None while
    something does or the gate is open. `closed_at` is when an open gate last closed.
    """

    state: State = "closed"
    since: float = 0.0
    cause: Cause = ""
    reason: str = "the worker has just started"
    idle_since: float | None = None
    closed_at: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether work may start and continue."""
        return self.state == "open"


@dataclass(frozen=True)
class Limits:
    """The GATE_* settings: below or above which figures the gate opens and closes.

    CPU in cores of other programs. Memory, pressure and GPU as shares from 0 to 1.
    """

    open_cores: float
    close_cores: float
    open_seconds: float
    closed_seconds: float
    open_memory: float
    close_memory: float
    disk_mib: float
    web_requests: float
    web_seconds: float
    pressure: float
    gpu: float

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """Return the limits that the settings give."""
        return cls(*(getattr(settings, f"gate_{name}") for name in cls.__dataclass_fields__))


def advance(gate: Gate, reading: Reading, now: float, limits: Limits, *, in_progress: bool) -> Gate:
    """Return the gate after a reading; `in_progress` says whether work has begun and is not done.

    One reading above the closing limits closes the gate. It opens when all readings have been
    within the opening limits for `open_seconds`, and at least `closed_seconds` after it closed.
    """
    cause, reason = find_cause(reading, limits, is_open=gate.is_open)
    if gate.is_open:
        if not cause:
            return gate
        state: State = "suspended" if in_progress else "closed"
        return Gate(state, now, cause, reason, closed_at=now)
    if cause:
        gate = dataclasses.replace(gate, cause=cause, reason=reason, idle_since=None)
        return _with_state(gate, "closed", now, in_progress=in_progress)
    idle_since = gate.idle_since if gate.idle_since is not None else now
    if _seconds_left(gate, idle_since, now, limits) <= 0:
        return Gate("open", now, "", "", closed_at=gate.closed_at)
    reason = f"the machine must be idle for {limits.open_seconds:g} s before work starts"
    gate = dataclasses.replace(gate, cause="", reason=reason, idle_since=idle_since)
    return _with_state(gate, "opening", now, in_progress=in_progress)


def _seconds_left(gate: Gate, idle_since: float, now: float, limits: Limits) -> float:
    """Return the seconds until the gate may open if nothing blocks work until then."""
    left = limits.open_seconds - (now - idle_since)
    if gate.closed_at is None:
        return left
    return max(left, limits.closed_seconds - (now - gate.closed_at))


def _with_state(gate: Gate, state: State, now: float, *, in_progress: bool) -> Gate:
    """Return the gate in that state, except that it stays suspended while work is in progress."""
    if gate.state == state or (gate.state == "suspended" and in_progress):
        return gate
    return dataclasses.replace(gate, state=state, since=now)


def find_cause(reading: Reading, limits: Limits, *, is_open: bool) -> tuple[Cause, str]:
    """Return what blocks work, and the reason in words; two empty strings if nothing does.

    An open gate is held to the closing limits, any other to the opening limits.
    """
    if reading.failed:
        return "failed", reading.failed
    if reading.is_paused:
        return "paused", "workers are paused; to resume: python -m enrich resume"
    return (
        # Memory first: of all causes it alone ends the work instead of stopping it.
        _memory(reading, limits, is_open=is_open)
        or _cpu(reading, limits, is_open=is_open)
        or _disk(reading, limits)
        or _web(reading, limits)
        or _pressure(reading, limits, is_open=is_open)
        or _gpu(reading, limits)
        or ("", "")
    )


_Blocked: TypeAlias = tuple[Cause, str] | None


def _memory(reading: Reading, limits: Limits, *, is_open: bool) -> _Blocked:
    share = reading.memory_share
    least = limits.close_memory if is_open else limits.open_memory
    if share is None or share >= least:
        return None
    limit = f"pauses below {least:.0%}" if is_open else f"starts above {least:.0%}"
    return "memory", f"other programs leave {share:.0%} of the memory free ({limit})"


def _cpu(reading: Reading, limits: Limits, *, is_open: bool) -> _Blocked:
    cores = reading.foreign_cores
    if cores is None:
        # Too soon to know: that stops no work, but lets none start.
        return None if is_open else ("cpu", "the CPU use of other programs is being measured")
    most = limits.close_cores if is_open else limits.open_cores
    if cores <= most:
        return None
    limit = f"pauses above {most:g}" if is_open else f"starts below {most:g}"
    return "cpu", f"other programs use {cores:.2f} CPU cores ({limit})"


def _disk(reading: Reading, limits: Limits) -> _Blocked:
    free = reading.disk_mib
    if free is None or free >= limits.disk_mib:
        return None
    return "disk", f"{free:,.0f} MiB of disk space are free (needs {limits.disk_mib:,.0f} MiB)"


def _web(reading: Reading, limits: Limits) -> _Blocked:
    web = reading.web
    if web is None:
        return None
    if web.requests_per_second > limits.web_requests:
        rate, most = web.requests_per_second, limits.web_requests
        return "web", f"the web processes answer {rate:.0f} requests/s (limit {most:g})"
    if web.p95_seconds > limits.web_seconds:
        p95, most = web.p95_seconds, limits.web_seconds
        return "web", f"the web processes' p95 latency is {p95:.2f} s (limit {most:g} s)"
    return None


def _pressure(reading: Reading, limits: Limits, *, is_open: bool) -> _Blocked:
    share = reading.stalled_share
    # Our own work waits for memory and disk too: that is no reason to stop it.
    if is_open or share is None or share <= limits.pressure:
        return None
    waited = f"tasks wait for memory or disk {share:.0%} of the time"
    return "pressure", f"{waited} (starts below {limits.pressure:.0%})"


def _gpu(reading: Reading, limits: Limits) -> _Blocked:
    share = reading.gpu_share
    if share is None or share <= limits.gpu:
        return None
    return "gpu", f"other programs use {share:.0%} of a GPU (limit {limits.gpu:.0%})"
