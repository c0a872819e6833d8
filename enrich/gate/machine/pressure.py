"""Pressure: how long tasks have waited for memory or disk, where the kernel says so (PSI)."""

from __future__ import annotations

import time
from pathlib import Path

MACHINE = Path("/proc/pressure")
KINDS = ("memory", "io")


def stalled_seconds(folder: Path | None) -> float | None:
    """Return for how long some task has waited so far, of the kind waited for longest."""
    if folder is None:
        places = [MACHINE / kind for kind in KINDS]
    else:
        places = [folder / f"{kind}.pressure" for kind in KINDS]
    found = [_some_seconds(place) for place in places]
    return max((one for one in found if one is not None), default=None)


def _some_seconds(place: Path) -> float | None:
    try:
        some = place.read_text("ascii").splitlines()[0].split()
    except (OSError, IndexError):
        return None
    return int(some[-1].removeprefix("total=")) / 1e6


class Pressure:
    """The change of what was last read."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._before: tuple[float, float] | None = None

    def read(self) -> float | None:
        """Return the share of the time since the last reading in which somebody waited."""
        stalled, now = stalled_seconds(self._folder), time.monotonic()
        before, self._before = self._before, None if stalled is None else (now, stalled)
        if before is None or stalled is None or now <= before[0]:
            return None
        return min((stalled - before[1]) / (now - before[0]), 1.0)
