"""Pressure: how long tasks have waited for memory or disk, by Linux pressure stall information."""

from __future__ import annotations

import time
from pathlib import Path

MACHINE = Path("/proc/pressure")
KINDS = ("memory", "io")


def stalled_seconds(folder: Path | None) -> float | None:
    """Return for how many seconds at least one task has waited so far, for memory or for disk.

    The larger of the two; None if the kernel reports neither. `folder` is that of a control group,
    None for the machine.
    """
    if folder is None:
        files = [MACHINE / kind for kind in KINDS]
    else:
        files = [folder / f"{kind}.pressure" for kind in KINDS]
    waits = [_some_seconds(file) for file in files]
    return max((seconds for seconds in waits if seconds is not None), default=None)


def _some_seconds(file: Path) -> float | None:
    """Return the total of the file's first line, "some": at least one task waited."""
    try:
        some = file.read_text("ascii").splitlines()[0].split()
    except (OSError, IndexError):
        return None
    return int(some[-1].removeprefix("total=")) / 1e6


class Pressure:
    """Reads the pressure since the reading before."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._before: tuple[float, float] | None = None

    def read(self) -> float | None:
        """Return the share of the time since the last reading in which a task waited.

        None at the first reading, and if the kernel reports no pressure.
        """
        stalled, now = stalled_seconds(self._folder), time.monotonic()
        before, self._before = self._before, None if stalled is None else (now, stalled)
        if before is None or stalled is None or now <= before[0]:
            return None
        return min((stalled - before[1]) / (now - before[0]), 1.0)
