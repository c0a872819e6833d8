"""Readings: the load that other programs put on this machine, at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from db.traffic.web_load import WebLoad


@dataclass(frozen=True)
class Reading:
    """The load of the machine without our own processes. Shares are from 0 to 1.

    A figure is None if it is not known yet or the machine does not report it. `memory_share` would
    be free within the tightest limit if our processes did not run. `stalled_share` is the share of
    the time in which a task waited for memory or disk. `failed` names a required source that could
    not be read, "" if there is none.
    """

    foreign_cores: float | None = None
    memory_share: float | None = None
    disk_mib: float | None = None
    stalled_share: float | None = None
    gpu_share: float | None = None
    web: WebLoad | None = None
    is_paused: bool = False
    failed: str = ""
