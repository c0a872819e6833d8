"""The resource meter, which records the server's CPU and memory every second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Self

from benchmark.processes import children, cpu_seconds, tree_mebibytes

from .scrape import scrape

EVERY_SECONDS = 1.0

# CPU seconds used since the start of the server, and MiB of memory.
Usage = tuple[float, float]


class ResourceMeter:
    """Records the usage of a server from a background thread, while the block runs."""

    def __init__(self, read_usage: Callable[[], Usage | None]) -> None:
        self._read_usage = read_usage
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        # Seconds since the start, share of a core since the row before, MiB.
        self.rows: list[tuple[float, float, float]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        began = time.monotonic()
        last_at, last = began, self._read_usage()
        while not self._ended.wait(EVERY_SECONDS):
            now, usage = time.monotonic(), self._read_usage()
            if usage is not None and last is not None:
                share = (usage[0] - last[0]) / (now - last_at)
                self.rows.append((now - began, max(share, 0.0), usage[1]))
            last_at, last = now, usage


def usage_of_process(pid: int) -> Callable[[], Usage | None]:
    """Return a function that reads the usage of a process and its descendants."""

    def read_usage() -> Usage | None:
        try:
            return _tree_cpu_seconds(pid), tree_mebibytes(pid)
        except OSError:
            return None

    return read_usage


def _tree_cpu_seconds(pid: int) -> float:
    return cpu_seconds(pid) + sum(_tree_cpu_seconds(child) for child in children(pid))


def usage_of_host(host: str, headers: dict[str, str]) -> Callable[[], Usage | None]:
    """Return a function that reads the usage of a server from its /metrics."""

    def read_usage() -> Usage | None:
        metrics = scrape(host, headers)
        return None if metrics is None else (metrics.cpu_seconds, metrics.mebibytes)

    return read_usage
