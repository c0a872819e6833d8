"""The gate: whether this machine has nothing better to do. A function of readings and time."""

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

# While the work waits, others' CPU is looked at over a longer time: opening is not urgent.
OPEN_WINDOW_SECONDS = 1.0
CLOSE_WINDOW_SECONDS = 0.1


@dataclass(frozen=True)
class Gate:
    """The gate's state, since when and why.

    closed: somebody needs the machine. opening: nobody does, but not for long enough yet.
    open: work may go on. suspended: closed, and work that had begun waits.
    `idle_since` is since when nobody has needed the machine, `closed_at` when it last closed.
    """

    state: State = "closed"
    since: float = 0.0
    cause: Cause = ""
    reason: str = "it has just started"
    idle_since: float | None = None
    closed_at: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether work may go on."""
        return self.state == "open"


@dataclass(frozen=True)
class Limits:
    """Where the gate opens and closes; memory and the like as shares, disk in MiB."""

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
        """Return what the settings say."""
        return cls(*(getattr(settings, f"gate_{name}") for name in cls.__dataclass_fields__))


def advance(gate: Gate, reading: Reading, now: float, limits: Limits, *, holding: bool) -> Gate:
    """Return the gate after a reading; `holding` says whether work has begun and is not done.

    Above the higher limits it closes at once. It opens again when everything has been below the
    lower ones for a while, and never sooner than a while after it closed.
    """
    cause, reason = why_not(reading, limits, is_open=gate.is_open)
    if gate.is_open:
        if not cause:
            return gate
        state: State = "suspended" if holding else "closed"
        return Gate(state, now, cause, reason, closed_at=now)
    if cause:
        gate = dataclasses.replace(gate, cause=cause, reason=reason, idle_since=None)
        return _waiting(gate, "closed", now, holding=holding)
    idle_since = gate.idle_since if gate.idle_since is not None else now
    left = _seconds_left(gate, idle_since, now, limits)
    if left <= 0:
        return Gate("open", now, "", "", closed_at=gate.closed_at)
    reason = f"the machine is idle, for {limits.open_seconds:g} s before work goes on"
    gate = dataclasses.replace(gate, cause="", reason=reason, idle_since=idle_since)
    return _waiting(gate, "opening", now, holding=holding)


def _seconds_left(gate: Gate, idle_since: float, now: float, limits: Limits) -> float:
    idle = limits.open_seconds - (now - idle_since)
    if gate.closed_at is None:
        return idle
    return max(idle, limits.closed_seconds - (now - gate.closed_at))


def _waiting(gate: Gate, state: State, now: float, *, holding: bool) -> Gate:
    """Return a gate that is not open; work that waits is suspended, whatever it waits for."""
    if holding and gate.state == "suspended":
        return gate
    return gate if state == gate.state else dataclasses.replace(gate, state=state, since=now)


def why_not(reading: Reading, limits: Limits, *, is_open: bool) -> tuple[Cause, str]:
    """Return why work should not go on, by the limits that close an open gate or keep it closed."""
    if reading.failed:
        return "failed", reading.failed
    if reading.is_paused:
        return "paused", "workers are paused; go on with: python -m enrich resume"
    return (
        _memory(reading, limits.close_memory if is_open else limits.open_memory)
        or _cpu(reading, limits.close_cores if is_open else limits.open_cores, is_open=is_open)
        or _disk(reading, limits)
        or _web(reading, limits)
        or _rest(reading, limits, is_open=is_open)
        or ("", "")
    )


_Why: TypeAlias = tuple[Cause, str] | None


def _cpu(reading: Reading, most_cores: float, *, is_open: bool) -> _Why:
    used = reading.foreign_cores
    if used is None:
        # Too soon to tell: not a reason to end work, but none to begin it either.
        return None if is_open else ("cpu", "the CPU is being watched for a moment")
    if used <= most_cores:
        return None
    return "cpu", f"others use {used:.2f} cores, more than {most_cores:g}"


def _memory(reading: Reading, least: float) -> _Why:
    share = reading.memory_share
    if share is None or share >= least:
        return None
    return "memory", f"others leave {share:.0%} of the memory free, less than {least:.0%}"


def _disk(reading: Reading, limits: Limits) -> _Why:
    free = reading.disk_mib
    if free is None or free >= limits.disk_mib:
        return None
    return "disk", f"{free:,.0f} MiB of disk are free, less than {limits.disk_mib:,.0f}"


def _web(reading: Reading, limits: Limits) -> _Why:
    web = reading.web
    if web is None:
        return None
    if web.requests_per_second > limits.web_requests:
        rate, most = web.requests_per_second, limits.web_requests
        return "web", f"the web answers {rate:.0f} requests/s, more than {most:g}"
    if web.p95_seconds > limits.web_seconds:
        slow, most = web.p95_seconds, limits.web_seconds
        return "web", f"the web's p95 is {slow:.2f} s, more than {most:g} s"
    return None


def _rest(reading: Reading, limits: Limits, *, is_open: bool) -> _Why:
    # Our own work waits for memory and disk too: that is no reason to end it.
    if (
        not is_open
        and reading.stalled_share is not None
        and reading.stalled_share > limits.pressure
    ):
        return "pressure", f"memory or disk kept somebody waiting {reading.stalled_share:.0%}"
    if reading.gpu_share is not None and reading.gpu_share > limits.gpu:
        return "gpu", f"others use {reading.gpu_share:.0%} of a GPU"
    return None
