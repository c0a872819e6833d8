"""The worker: claims chunk after chunk, as long as it may work and something is stale."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from db.errors import EnricherError, LeaseLost
from db.queue.chunk import MOST_ATTEMPTS, Chunk, claim_chunk, fail_chunk
from db.queue.chunk_wait import Wait, wait_for_chunk
from db.queue.fault import CHUNK
from db.queue.planner import plan_chunks
from db.queue.workers.worker_registry import (
    count_workers,
    register_worker,
    remove_dead_workers,
    remove_worker,
)
from db.settings import Settings
from db.store.generation import raise_generation
from db.store.store import Store
from enrich.enrichers.base import Unavailable
from enrich.executors.base import Executor, Stopped
from enrich.executors.local import LocalExecutor
from enrich.pipeline.context import WorkerContext
from enrich.pipeline.step import ChunkTask, PlannedDataset
from enrich.pipeline.work_chunk import ChunkResult, ComputedChunk, work_chunk
from enrich.planning.due_command import OnError, raise_error

from .confinement import Confinement
from .dataset_plans import DatasetPlans
from .heartbeat import Heartbeat
from .hooks import WorkerHooks
from .result_writer import ResultWriter, TimedChunk
from .stats import WorkerStats

# Pause between looks while another worker holds the last chunks.
POLL_SECONDS = 0.5
# A command that is to end does not wait for a chunk that is postponed for longer.
MOST_WAIT_SECONDS = 60.0


class PlanChanged(Exception):
    """A dataset's plan has changed since it was read."""


class Worker:
    """Enriches chunk after chunk until nothing is stale, or until it may not work."""

    def __init__(self, context: WorkerContext, hooks: WorkerHooks) -> None:
        self._context = context
        self._hooks = hooks
        self.stats = WorkerStats()
        self._confinement = Confinement(context)
        self._plans = DatasetPlans(context, self._confinement)
        self._writer = ResultWriter()
        self._has_unpublished = False
        self._waiting_since: float | None = None

    @property
    def id(self) -> int:
        """The worker's id in the store."""
        return self._context.worker_id

    def close(self) -> None:
        """End the thread that writes results."""
        self._writer.close()

    def enrich(
        self,
        names: Collection[str] = (),
        *,
        may_work: Callable[[], bool] = lambda: True,
        wait: bool = False,
        progress: Callable[[int], None] = lambda _: None,
        on_error: OnError = raise_error,
    ) -> int:
        """Enrich the stale records of those datasets, or of all; return how many records.

        Between chunks it asks whether it may work on. With `wait` it stays until other workers
        have finished their chunks too, or their leases have run out. A dataset that cannot be
        worked on is reported to `on_error`; if that does not raise, the dataset is tried again
        after a time that grows, and the others go on. Raises Stopped.
        """
        done = 0
        self._confinement.begin_pass()
        self._plans.forget()
        self._waiting_since = None
        self._context.write(remove_dead_workers)
        try:
            for count in self._each_count(names, may_work, on_error, wait=wait):
                done += count
                progress(count)
                self._waiting_since = None if count else self._waiting_since
        finally:
            # After an error, what was computed is still written.
            while not self._writer.is_idle:
                with contextlib.suppress(Exception):
                    done += self._write_rest(on_error)
            self._publish(done)
        return done

    def _each_count(
        self,
        names: Collection[str],
        may_work: Callable[[], bool],
        on_error: OnError,
        *,
        wait: bool,
    ) -> Iterator[int]:
        """Yield after each chunk how many records are written; the last ones are, a chunk later."""
        while may_work():
            self._check_stop()
            datasets = self._plans.read(names, on_error)
            try:
                chunk = self._claim(datasets)
            except PlanChanged:
                self._plans.forget()
                continue
            if chunk is not None:
                if chunk.attempts > 1 and not self._writer.is_idle:
                    # It may kill this worker as it has killed another.
                    yield self._write_rest(on_error)
                self._work(datasets, chunk, on_error)
                yield self._finish_writing(on_error)
                if self._writer.is_urgent:
                    yield self._write_rest(on_error)
            elif not self._writer.is_idle:
                yield self._write_rest(on_error)
            elif not (wait and self._wait_for_others(datasets)):
                self._confinement.forget_done(one.dataset for one in datasets)
                break
        while not self._writer.is_idle:
            yield self._write_rest(on_error)

    def _publish(self, done: int) -> None:
        """Raise the generation for finished records, also for those of a pass that failed to."""
        self._has_unpublished = self._has_unpublished or bool(done)
        if self._has_unpublished:
            self._context.write(raise_generation)
            self._has_unpublished = False

    def _check_stop(self) -> None:
        if self._context.stop.is_set():
            raise Stopped

    def _claim(self, datasets: list[PlannedDataset]) -> Chunk | None:
        return self._context.write(partial(self._plan_and_claim, datasets=datasets))

    def _plan_and_claim(
        self, connection: Connection, datasets: list[PlannedDataset]
    ) -> Chunk | None:
        workers = count_workers(connection)
        current = {
            one.dataset.id: one.dataset.revision
            for one in datasets
            if plan_chunks(connection, one.dataset, workers) is not None
        }
        if len(current) < len(datasets):
            raise PlanChanged
        return claim_chunk(connection, current, self.id, self._context.settings.lease_seconds)

    def _work(self, datasets: list[PlannedDataset], chunk: Chunk, on_error: OnError) -> None:
        """Compute a chunk, while the one before it is written."""
        if chunk.attempts > MOST_ATTEMPTS:
            self._give_up(chunk)
            return
        planned = next(one for one in datasets if one.dataset.id == chunk.dataset_id)
        began, stopped = time.monotonic(), self._hooks.stopped_seconds()
        self._hooks.on_work(True)  # noqa: FBT003
        try:
            result = work_chunk(self._context, ChunkTask(planned, chunk), self._writer.start)
        except Exception as error:  # noqa: BLE001  one dataset must not stop the others
            self._confine(planned, error, on_error)
            return
        finally:
            self._hooks.on_work(False)  # noqa: FBT003
        seconds = time.monotonic() - began - (self._hooks.stopped_seconds() - stopped)
        if isinstance(result, ComputedChunk):
            self._writer.hold(TimedChunk(result, seconds))
        else:
            self._count(planned, result, seconds, on_error)

    def _write_rest(self, on_error: OnError) -> int:
        self._writer.start()
        return self._finish_writing(on_error)

    def _finish_writing(self, on_error: OnError) -> int:
        """Wait for the chunk that is being written; return how many records are done."""
        written = self._writer.finish()
        if written is None:
            return 0
        chunk, writing = written
        planned = chunk.computed.task.planned
        try:
            result = writing.result()
        except Exception as error:  # noqa: BLE001  one dataset must not stop the others
            self._confine(planned, error, on_error)
            return 0
        self._count(planned, result, chunk.seconds, on_error)
        return result.records

    def _confine(self, planned: PlannedDataset, error: Exception, on_error: OnError) -> None:
        self._confinement.confine(planned.dataset, CHUNK, error)
        self._plans.forget()
        on_error(planned.dataset.name, error)

    def _count(
        self, planned: PlannedDataset, result: ChunkResult, seconds: float, on_error: OnError
    ) -> None:
        if result.records:
            self._confinement.release(planned.dataset)
            self.stats.count(result.records, seconds)
        self._has_unpublished = self._has_unpublished or result.is_lost
        if result.fault is not None:
            self.stats.fail(str(result.fault))
            if not isinstance(result.fault, Unavailable):
                self._confinement.note_fault(planned.dataset)
                on_error(planned.dataset.name, result.fault)

    def _give_up(self, chunk: Chunk) -> None:
        """Split a chunk that has killed its workers, or quarantine its one record."""
        error = f"{chunk.attempts - 1} workers died over it"
        with contextlib.suppress(LeaseLost):
            self._context.write(partial(fail_chunk, chunk=chunk, error=error))

    def _wait_for_others(self, datasets: list[PlannedDataset]) -> bool:
        """Wait a little while chunks are leased or postponed; return whether any are.

        Those of a dataset with a fault wait for longer than a command does.
        """
        others = [one.dataset for one in datasets if not self._confinement.is_faulty(one.dataset)]
        self._context.write(remove_dead_workers)
        with self._context.store.reading() as connection:
            wait = wait_for_chunk(connection, [one.id for one in others])
        if wait is None:
            return False
        if wait.reason:
            self._check_wait(wait)
        self._context.stop.wait(min(wait.seconds, POLL_SECONDS))
        return True

    def _check_wait(self, wait: Wait) -> None:
        """Raise EnricherError where a chunk is postponed, or has been waited for, too long."""
        now = time.monotonic()
        self._waiting_since = self._waiting_since or now
        if max(wait.seconds, now - self._waiting_since) > MOST_WAIT_SECONDS:
            raise EnricherError(f"some records have to wait: {wait.reason}")


@contextmanager
def working(
    store: Store,
    settings: Settings,
    stop: threading.Event,
    executor: Executor | None = None,
    hooks: WorkerHooks | None = None,
) -> Iterator[Worker]:
    """Register this process as a worker for as long as the block runs."""
    executor = executor or LocalExecutor(stop.is_set)
    hooks = hooks or WorkerHooks()
    worker_id = store.write(_register)
    caller = executor if executor.is_local else hooks.caller or LocalExecutor(stop.is_set)
    worker = Worker(WorkerContext(store, settings, executor, worker_id, caller, stop), hooks)
    try:
        with Heartbeat(
            store, worker_id, lambda: hooks.report(worker.stats.read()), hooks.on_store_state
        ):
            yield worker
    finally:
        for one in (worker, executor, caller):
            one.close()
        if stop.is_set():
            # A store that hangs must not keep the process from ending.
            store.sessions.cut()
        # Where the store cannot be reached, the worker's row expires by itself.
        with contextlib.suppress(SQLAlchemyError), store.writing() as connection:
            remove_worker(connection, worker_id)


def _register(connection: Connection) -> int:
    remove_dead_workers(connection)
    return register_worker(connection)
