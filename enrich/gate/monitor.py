"""The gate monitor: advances the gate and stops or continues work, in a thread of its own.

Nothing else runs in that thread, so nothing else can delay the closing of the gate.
"""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType
from typing import Self

from enrich.gate.machine.reading import Reading

from .averages import Averages
from .decision import CLOSE_WINDOW_SECONDS, OPEN_WINDOW_SECONDS, Cause, Gate, Limits, advance
from .sampler import LoadSampler
from .suspender import ProcessSuspender

# Seconds between two readings, while work is in progress and otherwise.
BUSY_SECONDS = 0.05
IDLE_SECONDS = 0.5
# After its start the monitor knows the load within this time.
START_SECONDS = 3.0

log = logging.getLogger("veilleuse.worker")


class GateMonitor:
    """Reads the load twice a second, twenty times a second during work, and acts on the gate.

    With `now` the machine's load is ignored: only a pause closes the gate.
    """

    def __init__(
        self,
        sampler: LoadSampler,
        limits: Limits,
        suspender: ProcessSuspender,
        suspend_seconds: float,
        *,
        now: bool,
    ) -> None:
        self._sampler = sampler
        self._limits = limits
        self._suspender = suspender
        self._suspend_seconds = suspend_seconds
        self._now = now
        self._ended = threading.Event()
        self._woken = threading.Event()
        self._in_progress = False
        self._reading = Reading()
        self._started_at = self._changed_at = time.monotonic()
        self._open_seconds = 0.0
        self._logged_cause: Cause = ""
        self.gate = Gate(since=self._started_at)
        self.averages = Averages(self._started_at)
        self._thread = threading.Thread(target=self._run, name="gate-monitor", daemon=True)

    def set_in_progress(self, in_progress: bool) -> None:  # noqa: FBT001
        """Set whether work is in progress; while it is, the load is read more often."""
        self._in_progress = in_progress
        if in_progress:
            self._woken.set()

    def open_share(self) -> float:
        """Return the share of the time since the start in which the gate was open."""
        now = time.monotonic()
        current = now - self._changed_at if self.gate.is_open else 0.0
        return (self._open_seconds + current) / max(now - self._started_at, 1e-9)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self.step()
            except Exception:
                # No work may continue while the load is unknown.
                log.exception("the load of this machine cannot be read")
                self._close_on_failure()
            if self.gate.is_open and self._in_progress:
                self._ended.wait(BUSY_SECONDS)
            else:
                self._woken.wait(IDLE_SECONDS)
                self._woken.clear()

    def _close_on_failure(self) -> None:
        before, now = self.gate, time.monotonic()
        failed = Reading(failed="the load of this machine cannot be read; see the worker's log")
        self.gate = advance(before, failed, now, self._limits, in_progress=self._in_progress)
        self._suspender.stop()
        if self.gate.state != before.state:
            self._record_change(before)

    def step(self) -> None:
        """Read the load, advance the gate, and stop, continue or end the work accordingly."""
        before, in_progress = self.gate, self._in_progress
        window = CLOSE_WINDOW_SECONDS if before.is_open else OPEN_WINDOW_SECONDS
        self.gate = self._advance(window, in_progress=in_progress)
        self.averages.add(self._reading, time.monotonic(), is_open=before.is_open)
        if self.gate.is_open and not before.is_open:
            self._suspender.release()
        elif not self.gate.is_open:
            self._stop_work()
        if self.gate.state != before.state:
            self._record_change(before)
        elif self._has_new_cause():
            self._logged_cause = self.gate.cause
            log.info("waiting: %s", self.gate.reason)

    def _has_new_cause(self) -> bool:
        """Return whether something else than the log says keeps the gate closed.

        At the start neither the store nor the CPU use of other programs is known yet.
        """
        is_starting = time.monotonic() - self._started_at < START_SECONDS
        is_unknown = bool(self._reading.failed) or self._reading.foreign_cores is None
        if is_starting and is_unknown and not self._reading.is_paused:
            return False
        return self.gate.cause not in {"", self._logged_cause}

    def _advance(self, window_seconds: float, *, in_progress: bool) -> Gate:
        now = time.monotonic()
        store_state = self._sampler.store_state
        self._reading = (
            Reading(is_paused=store_state.is_paused) if store_state and self._now else Reading()
        )
        if not self._now:
            self._reading = self._sampler.read(window_seconds)
        if not self._now or store_state is None or store_state.is_paused:
            return advance(self.gate, self._reading, now, self._limits, in_progress=in_progress)
        return self.gate if self.gate.is_open else Gate("open", now, reason="started with --now")

    def _stop_work(self) -> None:
        """Stop the work; end it if its memory is needed or it has been stopped for too long."""
        self._suspender.stop()
        share = self._reading.memory_share
        is_short = share is not None and share < self._limits.close_memory
        if is_short or self._suspender.stopped_for() > self._suspend_seconds:
            self._suspender.end()

    def _record_change(self, before: Gate) -> None:
        """Log the new state, and add the seconds for which the gate was open."""
        now = time.monotonic()
        if before.is_open:
            self._open_seconds += now - self._changed_at
        self._changed_at = now
        self._logged_cause = self.gate.cause
        reason = f": {self.gate.reason}" if self.gate.reason else ""
        log.info("gate %s → %s%s", before.state, self.gate.state, reason)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._woken.set()
        self._thread.join()
