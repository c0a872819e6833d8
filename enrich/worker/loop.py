"""The long-running worker: APScheduler ticks; each makes a pass, then runs what is due."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import SQLAlchemyError

from db.errors import VeilleuseError, one_line
from db.queue.fault import backoff_seconds
from db.queue.run_history import error_words
from db.queue.workers.worker_registry import WorkerReport
from db.settings import Settings
from db.store.store import Store
from enrich.executors.base import Executor, Stopped, Suspended
from enrich.executors.local import LocalExecutor
from enrich.gate.decision import Limits
from enrich.gate.monitor import GateMonitor
from enrich.gate.sampler import LoadSampler, StoreState
from enrich.gate.suspender import ProcessSuspender
from enrich.pipeline.work_chunk import LOG
from enrich.planning.due_command import EXCHANGES, Due, due_subcommands, is_exchange_due
from enrich.planning.exchange_due import all_missing_variables

from .coverage_counter import CoverageCounter
from .daily_pruning import DailyPruning
from .hooks import WorkerHooks
from .job_runner import JobRunner
from .stats import WorkerTotals
from .subcommand import Subcommands
from .worker import Worker, working

TICK_SECONDS = 5
SIGNAL_SECONDS = 1
ABORT_SECONDS = 0.5
DRAIN_SECONDS = 10.0
# After this time an import or a publication that failed for the same reason is tried again.
RETRY_SECONDS = 3600.0
# An analysis or a training may take hours: it waits twice as long after each failure.
MOST_RETRY_SECONDS = 86_400.0

log = logging.getLogger("veilleuse.worker")


@dataclass(frozen=True)
class WorkerOptions:
    """How a worker works: `now`, without waiting for idleness; executor, its own child if None."""

    now: bool = False
    executor: Executor | None = None


def run_worker(
    store: Store, settings: Settings, stop: threading.Event, options: WorkerOptions
) -> None:
    """Work whenever the machine is idle until `stop` is set; with `now`, idle or not."""
    suspender, sampler = ProcessSuspender(), LoadSampler(settings)
    seconds = settings.gate_suspend_seconds
    local = LocalExecutor(stop.is_set, suspender, seconds)
    executor = options.executor or local
    monitor = GateMonitor(sampler, Limits.of(settings), suspender, seconds, now=options.now)
    hooks = GateHooks(monitor, sampler, suspender, local, settings)
    with working(store, settings, stop, executor, hooks) as worker, monitor:
        subcommands = Subcommands(suspender, stop, seconds)
        loop = WorkerLoop(store, settings, worker, monitor, subcommands)
        _tick_until(stop, loop.tick, local, store)
    log.info("worker has ended")


class GateHooks(WorkerHooks):
    """Links a worker to the gate of its machine."""

    def __init__(
        self,
        monitor: GateMonitor,
        sampler: LoadSampler,
        suspender: ProcessSuspender,
        caller: Executor,
        settings: Settings,
    ) -> None:
        super().__init__()
        self._monitor = monitor
        self._sampler = sampler
        self._suspender = suspender
        self.caller = caller
        self._limits = msgspec.json.encode(Limits.of(settings)).decode()

    def report(self, totals: WorkerTotals) -> WorkerReport:
        """Return the state of the gate, and what the worker has done."""
        gate = self._monitor.gate
        return WorkerReport(
            gate.state,
            time.time() - (time.monotonic() - gate.since),
            gate.reason,
            open_share=self._monitor.open_share(),
            limits=self._limits,
            means=self._monitor.averages.flush(time.monotonic()),
            **dataclasses.asdict(totals),
        )

    def on_work(self, is_working: bool) -> None:  # noqa: FBT001
        """Have the gate watch the machine closely while work goes on."""
        self._monitor.set_in_progress(is_working)

    def on_store_state(self, state: StoreState) -> None:
        """Pass the state of web processes and of pauses to the load sampler."""
        self._sampler.store_state = state

    def stopped_seconds(self) -> float:
        """Return for how long the worker's processes have been stopped in all."""
        return self._suspender.stopped_seconds()


def _tick_until(
    stop: threading.Event, tick: Callable[[], None], local: Executor, store: Store
) -> None:
    # APScheduler warns of each tick that comes during a pass, which often takes longer.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    scheduler = BackgroundScheduler(
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    at_once = datetime.now(UTC)
    job = scheduler.add_job(tick, "interval", seconds=TICK_SECONDS, next_run_time=at_once)
    scheduler.start()
    # With a time-out: when a stopped process is continued, the kernel may give a signal to another
    # thread, and Python's handler runs only when this one wakes.
    while not stop.wait(SIGNAL_SECONDS):
        now = datetime.now(UTC)
        due = job.next_run_time
        # The scheduler uses the date, and would wait for as long as the clock was set back.
        if due is not None and (due - now).total_seconds() > 2 * TICK_SECONDS:
            job.modify(next_run_time=now)
    # A thread that writes to a stopped child would wait for ever: abort ends the child.
    ending = threading.Thread(target=scheduler.shutdown)
    ending.start()
    cut_at = time.monotonic() + DRAIN_SECONDS
    while ending.is_alive():
        local.abort()
        if time.monotonic() >= cut_at:
            # A store that hangs must not keep the worker from ending.
            store.sessions.cut()
        ending.join(ABORT_SECONDS)


@dataclass(frozen=True)
class FailedCommand:
    """When a due command last failed, on the monotonic clock, and how often in a row."""

    at: float
    tries: int


def retry_seconds(command: str, tries: int) -> float:
    """Return after how long a command that failed so often is tried again for the same reason."""
    if command in EXCHANGES:
        return RETRY_SECONDS
    return backoff_seconds(tries, RETRY_SECONDS, MOST_RETRY_SECONDS)


class WorkerLoop:
    """What a worker does at each tick."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        worker: Worker,
        monitor: GateMonitor,
        subcommands: Subcommands,
    ) -> None:
        self._store = store
        self._settings = settings
        self._worker = worker
        self._monitor = monitor
        self._subcommands = subcommands
        self._coverage = CoverageCounter(store)
        self._pruning = DailyPruning(store, worker.id)
        self._jobs = JobRunner(store, worker.id, subcommands)
        self._failed: dict[Due, FailedCommand] = {}
        self._interruption_checked_at = 0.0
        self._missing_variables: set[tuple[str, str]] = set()
        log.info("worker %s has started", worker.id)

    def tick(self) -> None:
        """Run jobs, enrich, run due subcommands; an error ends only the part that raises it."""
        for name, part in (
            ("the work on files", self._run_jobs),
            ("this pass", self._enrich),
            ("the check of variables", self._warn_of_missing_variables),
            ("the run of due commands", self._run_all_due),
            ("the daily maintenance", self._prune),
        ):
            if not self._may_work():
                return
            try:
                part()
            except (Stopped, Suspended):
                return
            except Exception as error:  # noqa: BLE001  the next tick tries again
                self._report_error(name, error)

    def _run_jobs(self) -> None:
        # People wait for them.
        self._jobs.run_all(self._may_work, self._monitor.set_in_progress)

    def _enrich(self) -> None:
        done = self._worker.enrich(may_work=self._may_go_on, on_error=self._report)
        if done:
            self._coverage.publish(at_once=True)
            log.info("enriched %s records", f"{done:,}")

    def _run_all_due(self) -> None:
        self._run_due(due_subcommands(self._store, self._settings, self._report_error))
        self._coverage.publish()

    def _prune(self) -> None:
        self._pruning.run_if_due(self._may_work)

    def _may_work(self) -> bool:
        return self._monitor.gate.is_open

    def _may_go_on(self) -> bool:
        # A pass over many records takes hours.
        self._coverage.publish()
        return self._may_work() and not self._is_pass_interrupted()

    def _is_pass_interrupted(self) -> bool:
        """Return True, at most every TICK_SECONDS, if a pass should end for a job or an import."""
        now = time.monotonic()
        if now - self._interruption_checked_at < TICK_SECONDS:
            return False
        self._interruption_checked_at = now
        if self._jobs.is_needed():
            return True
        return is_exchange_due(self._store, self._settings, self._still_failed())

    def _still_failed(self) -> set[Due]:
        """Return the failed subcommands that are not tried again yet.

        One runs again at once when its reason has changed.
        """
        now = time.monotonic()
        return {
            one
            for one, failed in self._failed.items()
            if now - failed.at < retry_seconds(one.command, failed.tries)
        }

    def _warn_of_missing_variables(self) -> None:
        """Log once which users' databases this worker cannot exchange rows with."""
        with self._store.reading() as connection:
            missing = all_missing_variables(connection)
        for dataset, name in missing - self._missing_variables:
            log.warning("%s: %s is not set, so this worker does not use it", dataset, name)
        self._missing_variables = missing

    def _report_error(self, what: str, error: Exception) -> None:
        if not isinstance(error, VeilleuseError | SQLAlchemyError):
            log.error("%s failed", what, exc_info=error)
        self._report(what, error)

    def _report(self, what: str, error: Exception) -> None:
        """Log an error in one line; the confinement of a dataset has logged where it arose."""
        message = one_line(error_words(error, LOG))
        log.warning("%s failed: %s", what, message)
        self._worker.stats.fail(f"{what}: {message}")

    def _run_due(self, due: Iterable[Due]) -> None:
        for one in due:
            if one in self._still_failed() or not self._may_work():
                continue
            log.info("%s %s: %s", one.command, one.dataset, one.reason)
            self._monitor.set_in_progress(True)
            try:
                succeeded = self._subcommands.run(one.command, one.dataset)
            finally:
                self._monitor.set_in_progress(False)
            if succeeded is False:
                tries = self._failed[one].tries if one in self._failed else 0
                self._failed[one] = FailedCommand(time.monotonic(), tries + 1)
