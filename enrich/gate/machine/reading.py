"""Readings: what others do with this machine, at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from db.traffic.web_load import WebLoad


@dataclass(frozen=True)
class Reading:
    """What the machine does apart from our own processes.

    A figure is None while it is not known yet, or where the machine does not tell it.
    `memory_share` is what would be free within the nearest limit if our processes were not there;
    `stalled_share` the part of the time in which somebody waited for memory or disk.
    `failed` says what could not be read although it must be.
    """

    foreign_cores: float | None = None
    memory_share: float | None = None
    disk_mib: float | None = None
    stalled_share: float | None = None
    gpu_share: float | None = None
    web: WebLoad | None = None
    is_paused: bool = False
    failed: str = ""
