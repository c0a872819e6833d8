"""The watch: works gate and brake, from a thread of its own that nothing else can hold up."""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType
from typing import Self

from enrich.gate.machine.reading import Reading

from .averages import Averages
from .decision import CLOSE_WINDOW_SECONDS, OPEN_WINDOW_SECONDS, Gate, Limits, advance
from .sampler import LoadSampler
from .suspender import ProcessSuspender

BUSY_SECONDS = 0.05
IDLE_SECONDS = 0.5

log = logging.getLogger("veilleuse.worker")


class GateMonitor:
    """Decides, many times a second while work goes on, whether it may."""

    def __init__(
        self,
        reader: LoadSampler,
        limits: Limits,
        suspender: ProcessSuspender,
        suspend_seconds: float,
        *,
        now: bool,
    ) -> None:
        self._sampler = reader
        self._limits = limits
        self._suspender = suspender
        self._suspend_seconds = suspend_seconds
        self._now = now
        self._ended = threading.Event()
        self._woken = threading.Event()
        self._holding = False
        self._reading = Reading()
        self._began = self._turned = time.monotonic()
        self._open_seconds = 0.0
        self.gate = Gate(since=self._began)
        self.averages = Averages(self._began)
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def holding(self, is_holding: bool) -> None:  # noqa: FBT001
        """Say that work has begun, or is done: while it goes on the machine is read more often."""
        self._holding = is_holding
        if is_holding:
            self._woken.set()

    def open_share(self) -> float:
        """Return the share of the time since the start in which the gate was open."""
        now = time.monotonic()
        still = now - self._turned if self.gate.is_open else 0.0
        return (self._open_seconds + still) / max(now - self._began, 1e-9)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self.step()
            except Exception:
                # Without a watch nothing may run on.
                log.exception("the machine cannot be watched")
                self._close_on_failure()
            if self.gate.is_open and self._holding:
                self._ended.wait(BUSY_SECONDS)
            else:
                self._woken.wait(IDLE_SECONDS)
                self._woken.clear()

    def _close_on_failure(self) -> None:
        before, now = self.gate, time.monotonic()
        failed = Reading(failed="the machine cannot be watched")
        self.gate = advance(before, failed, now, self._limits, holding=self._holding)
        self._suspender.stop()
        if self.gate.state != before.state:
            self._note(before)

    def step(self) -> None:
        """Take a reading, and do what the gate then says."""
        before, holding = self.gate, self._holding
        window = CLOSE_WINDOW_SECONDS if before.is_open else OPEN_WINDOW_SECONDS
        self.gate = self._advance(window, holding=holding)
        self.averages.add(self._reading, time.monotonic(), is_open=before.is_open)
        if self.gate.is_open and not before.is_open:
            self._suspender.release()
        elif not self.gate.is_open:
            self._hold_back()
        if self.gate.state != before.state:
            self._note(before)

    def _advance(self, window: float, *, holding: bool) -> Gate:
        now = time.monotonic()
        store_state = self._sampler.store_state
        self._reading = (
            Reading(is_paused=store_state.is_paused) if store_state and self._now else Reading()
        )
        if not self._now:
            self._reading = self._sampler.read(window)
        if not self._now or store_state is None or store_state.is_paused:
            return advance(self.gate, self._reading, now, self._limits, holding=holding)
        return self.gate if self.gate.is_open else Gate("open", now, reason="told to work now")

    def _hold_back(self) -> None:
        """Stop what works; end it where its memory is needed, or where it has waited too long."""
        self._suspender.stop()
        share = self._reading.memory_share
        is_short = share is not None and share < self._limits.close_memory
        if is_short or self._suspender.stopped_for() > self._suspend_seconds:
            self._suspender.end()

    def _note(self, before: Gate) -> None:
        now = time.monotonic()
        if before.is_open:
            self._open_seconds += now - self._turned
        self._turned = now
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
