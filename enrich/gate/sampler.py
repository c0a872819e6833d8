"""The load sampler: combines the machine's load with what was last read from the store."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import psutil
from sqlalchemy.engine import make_url

from db.settings import Settings
from db.traffic.web_load import WebLoad
from enrich.gate.machine.cgroup import Cgroup
from enrich.gate.machine.cpu import Cpu, nice_source, total_source
from enrich.gate.machine.memory import read_memory
from enrich.gate.machine.pressure import Pressure
from enrich.gate.machine.process_tree import anonymous_bytes, trees
from enrich.gate.machine.reading import Reading

T = TypeVar("T")

MEMORY_SECONDS = 0.25
PRESSURE_SECONDS = 1.0
DISK_SECONDS = 5.0
# After this long without an answer from the store, the load of the web processes is unknown.
STALE_SECONDS = 15.0
BYTES_PER_MIB = 2**20


@dataclass(frozen=True)
class StoreState:
    """The state that was last read from the store, at `at` on the monotonic clock.

    `own` holds the ids of Veilleuse's processes on this machine, whose load is not foreign.
    """

    at: float
    own: frozenset[int]
    web: WebLoad | None = None
    is_paused: bool = False
    gpu_share: float | None = None


class _Cached(Generic[T]):
    """Calls a function at most once in `seconds`, and returns its last value in between."""

    def __init__(self, seconds: float, read: Callable[[], T]) -> None:
        self._seconds = seconds
        self._read = read
        self._at = -seconds
        self._value: T | None = None

    def __call__(self) -> T | None:
        now = time.monotonic()
        if now - self._at >= self._seconds:
            self._value, self._at = self._read(), now
        return self._value


class LoadSampler:
    """Reads the load of this machine for one worker; the heartbeat sets `store_state`."""

    def __init__(self, settings: Settings, cgroup: Cgroup | None = None) -> None:
        cgroup = cgroup or Cgroup()
        self.store_state: StoreState | None = None
        self._own: set[int] = set()
        scope = settings.gate_scope
        nice = nice_source(scope, cgroup) if settings.gate_nice == "ignore" else None
        self._cpu = Cpu(total_source(scope, cgroup), nice)
        folder = _store_folder(settings)
        self._memory = _Cached(
            MEMORY_SECONDS, lambda: read_memory(cgroup, anonymous_bytes(self._own))
        )
        self._pressure = _Cached(PRESSURE_SECONDS, Pressure(cgroup.pressure_folder).read)
        self._disk = _Cached(DISK_SECONDS, lambda: shutil.disk_usage(folder).free / BYTES_PER_MIB)

    def read(self, window_seconds: float) -> Reading:
        """Return a reading, with CPU use averaged over the last `window_seconds`."""
        store_state = self.store_state
        if store_state is None:
            return Reading(failed="the store has not answered yet")
        if time.monotonic() - store_state.at > STALE_SECONDS:
            return Reading(failed="the store does not answer")
        reading = Reading(
            web=store_state.web, is_paused=store_state.is_paused, gpu_share=store_state.gpu_share
        )
        try:
            own = trees(store_state.own)
            self._own = {pid for pids in own.values() for pid in pids}
            return dataclasses.replace(
                reading,
                foreign_cores=self._cpu.read(own, window_seconds),
                memory_share=self._memory(),
                disk_mib=self._disk(),
                stalled_share=self._pressure(),
            )
        except (OSError, ValueError, psutil.Error) as error:
            words = f"the load of this machine cannot be read: {error}"
            return dataclasses.replace(reading, failed=words)


def _store_folder(settings: Settings) -> Path:
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite":
        return Path(url.database or ".").absolute().parent
    return Path.cwd()
