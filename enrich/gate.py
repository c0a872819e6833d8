"""The gate: whether this machine has nothing better to do."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

READING_SECONDS = 0.5
# Share of all cores that others may use, and share of memory that must be left.
MOST_BUSY = 0.5
LEAST_MEMORY = 0.15


@dataclass(frozen=True)
class Reading:
    """What the machine does while this worker does nothing: shares from 0 to 1."""

    busy: float
    memory: float


def read_machine() -> Reading:
    """Watch the machine for a moment."""
    memory = psutil.virtual_memory()
    return Reading(
        busy=psutil.cpu_percent(READING_SECONDS) / 100,
        memory=memory.available / memory.total,
    )


def closed_because(reading: Reading) -> str:
    """Return why the worker should not work, "" where it may."""
    if reading.busy > MOST_BUSY:
        return f"{reading.busy:.0%} of the cores are busy"
    if reading.memory < LEAST_MEMORY:
        return f"only {reading.memory:.0%} of the memory is available"
    return ""
