"""A meter: what the server takes, a reading a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Self

from benchmark.processes import children, cpu_seconds, tree_mebibytes

from .scrape import scrape

EVERY_SECONDS = 1.0

# CPU seconds used until now and MiB held now; None where it cannot be told.
Reading = tuple[float, float]


class ResourceMeter:
    """Reads in a thread of its own for as long as the block takes."""

    def __init__(self, read: Callable[[], Reading | None]) -> None:
        self._read = read
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        # Seconds since the start, share of a core since the last, MiB.
        self.rows: list[tuple[float, float, float]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _go_on(self) -> None:
        zero = time.monotonic()
        at, last = zero, self._read()
        while not self._ended.wait(EVERY_SECONDS):
            now, reading = time.monotonic(), self._read()
            if reading is not None and last is not None:
                share = (reading[0] - last[0]) / (now - at)
                self.rows.append((now - zero, max(share, 0.0), reading[1]))
            at, last = now, reading


def of_process(pid: int) -> Callable[[], Reading | None]:
    """Return how to read a process of this machine, its children with it."""

    def read() -> Reading | None:
        try:
            return _tree_cpu_seconds(pid), tree_mebibytes(pid)
        except OSError:
            return None

    return read


def _tree_cpu_seconds(pid: int) -> float:
    return cpu_seconds(pid) + sum(_tree_cpu_seconds(child) for child in children(pid))


def of_host(host: str, headers: dict[str, str]) -> Callable[[], Reading | None]:
    """Return how to read a server that tells its own figures."""

    def read() -> Reading | None:
        found = scrape(host, headers)
        return None if found is None else (found.cpu_seconds, found.mebibytes)

    return read
