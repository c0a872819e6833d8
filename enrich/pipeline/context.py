"""The context of a worker: store, settings, executors, and what it remembers of each step."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection

from db.queue.fault import backoff_seconds, clear_fault, record_fault
from db.records.dataset import Dataset, PlanStep
from db.settings import Settings
from db.store.store import Store
from enrich.executors.base import Executor, Stopped

from .batch_size import MicroBatch
from .failed_calls import FailedCalls
from .store_retry import retry_while_unreachable

T = TypeVar("T")

FIRST_POSTPONEMENT_SECONDS = 5.0
LONGEST_POSTPONEMENT_SECONDS = 600.0


@dataclass(frozen=True)
class Postponement:
    """A step that cannot be done now: until when (monotonic), why, and how often in a row."""

    until: float
    reason: str
    times: int

    @property
    def seconds(self) -> float:
        """How long the step is still postponed."""
        return max(self.until - time.monotonic(), 0.0)


class FindingsCache:
    """The findings of each dataset's newest analyses, which every chunk needs."""

    def __init__(self) -> None:
        self._findings: dict[tuple[int, str], tuple[str, dict[str, Any]]] = {}

    def get(
        self, dataset_id: int, step: PlanStep, read: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """Return findings by record key; `read` is called once for each fingerprint of the step."""
        fingerprint, findings = self._findings.get((dataset_id, step.name), ("", {}))
        if fingerprint != step.fingerprint:
            findings = read()
            self._findings[dataset_id, step.name] = step.fingerprint, findings
        return findings


@dataclass
class WorkerContext:
    """A worker's store, settings and executors, and what it remembers of each step."""

    store: Store
    settings: Settings
    executor: Executor
    worker_id: int
    # Makes metered calls: one process at a time, at the granted pace, and each call once.
    caller: Executor
    stop: threading.Event = field(default_factory=threading.Event)
    batches: dict[str, MicroBatch] = field(default_factory=dict)
    failed_calls: dict[str, FailedCalls] = field(default_factory=dict)
    postponed: dict[str, Postponement] = field(default_factory=dict)
    findings: FindingsCache = field(default_factory=FindingsCache)
    # A row for which each step has made a value, to tell a broken step from a record at fault.
    good_rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    # The datasets and subjects with a fault in the store, when they were last read.
    known_faults: set[tuple[str, str]] = field(default_factory=set)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run a transaction; retry it while the store cannot be reached, for a lease's time."""
        return retry_while_unreachable(
            self.stop, self.settings.lease_seconds, lambda: self.store.write(work)
        )

    def wait(self, seconds: float) -> None:
        """Wait that many seconds; raises Stopped."""
        if self.stop.wait(seconds):
            raise Stopped

    def record_fault(
        self, dataset: Dataset, subject: str, reason: str, wait_seconds: float = 0.0
    ) -> float:
        """Record a fault for everybody to see; return how long to wait before the next try."""
        self.known_faults.add((dataset.name, subject))
        return self.write(
            partial(
                record_fault,
                dataset_id=dataset.id,
                subject=subject,
                reason=reason,
                wait_seconds=wait_seconds,
            )
        )

    def clear_fault(self, dataset: Dataset, subject: str) -> None:
        """Remove a fault of something that works."""
        if (dataset.name, subject) in self.known_faults:
            self.write(partial(clear_fault, dataset_id=dataset.id, subject=subject))
            self.known_faults.discard((dataset.name, subject))

    def postpone_step(self, fingerprint: str, reason: str, seconds: float) -> Postponement:
        """Postpone a step by that many seconds; 0: by twice as long each time."""
        before = self.postponed.get(fingerprint)
        times = before.times + 1 if before else 1
        wait = seconds or backoff_seconds(
            times, FIRST_POSTPONEMENT_SECONDS, LONGEST_POSTPONEMENT_SECONDS
        )
        self.postponed[fingerprint] = Postponement(time.monotonic() + wait, reason, times)
        return self.postponed[fingerprint]
