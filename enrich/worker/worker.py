"""Workers: they take chunk after chunk until nothing is stale, or they should not work."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from db.errors import EnricherError, LeaseLost, VeilleuseError
from db.queue.chunk import MOST_ATTEMPTS, Chunk, Wait, claim_chunk, fail_chunk, wait_for_chunk
from db.queue.planner import plan_chunks
from db.queue.worker import (
    WorkerReport,
    count_workers,
    register_worker,
    remove_dead_workers,
    remove_worker,
)
from db.records.analysis import all_analyses
from db.records.dataset import Dataset, PlanStep, all_datasets, find_dataset, set_plan
from db.records.model import Model, active_model
from db.settings import Settings
from db.store.engine import Store
from db.store.generation import raise_generation
from enrich.executors.base import Executor, RecipeError, Stopped
from enrich.executors.local import LocalExecutor
from enrich.gate.sampler import StoreState
from enrich.pipeline.chunk import work_chunk
from enrich.pipeline.context import WorkerContext
from enrich.pipeline.step import ChunkTask
from enrich.planning.plan import make_plan

from .heartbeat import Heartbeat
from .stats import WorkerStats, WorkerTotals

# While another worker holds the last chunks, look again this often at least.
LOOK_SECONDS = 0.5
# A chunk that was put off for longer is not waited for by a command that is to end.
MOST_WAIT_SECONDS = 60.0


OnError: TypeAlias = Callable[[str, VeilleuseError], None]


def _raise(_name: str, error: VeilleuseError) -> None:
    raise error


class PlanChanged(Exception):
    """A plan is another by now than the one that was read a moment ago."""


@dataclass(frozen=True)
class Planned:
    """A dataset, and the model that its plan was made with."""

    dataset: Dataset
    model: Model | None


class Worker:
    """One process's part in the work."""

    def __init__(self, context: WorkerContext, hooks: WorkerHooks) -> None:
        self._context = context
        self._hooks = hooks
        self.stats = WorkerStats()
        self._set_by_me: dict[int, tuple[PlanStep, ...]] = {}
        self._left_out: set[int] = set()
        self._untold = False
        self._waited_since: float | None = None

    @property
    def id(self) -> int:
        """The worker's id in the store."""
        return self._context.worker_id

    def enrich(
        self,
        names: Collection[str] = (),
        *,
        may_work: Callable[[], bool] = lambda: True,
        wait: bool = False,
        progress: Callable[[int], None] = lambda _: None,
        on_error: OnError = _raise,
    ) -> int:
        """Enrich what is stale in those datasets, all if none is named; returns how many records.

        Between chunks it asks whether it may work on. With `wait` it stays until other workers
        have finished their chunks too, or their leases have run out. A dataset that cannot be
        worked on at all is told to `on_error`, and left out of this pass if that does not raise.
        Raises Stopped.
        """
        done = 0
        self._left_out.clear()
        self._waited_since = None
        self._context.write(remove_dead_workers)
        try:
            while may_work():
                self._check_stop()
                datasets = self._datasets(names, on_error)
                try:
                    chunk = self._claim(datasets)
                except PlanChanged:
                    continue
                if chunk is not None:
                    count = self._work(datasets, chunk, on_error)
                    done += count
                    progress(count)
                    self._waited_since = None if count else self._waited_since
                elif not (wait and self._wait_for_others(datasets)):
                    break
        finally:
            self._tell_web(done)
        return done

    def _tell_web(self, done: int) -> None:
        """Raise the generation for what was done, now or in a pass that could not say so."""
        self._untold = self._untold or bool(done)
        if self._untold:
            self._context.write(raise_generation)
            self._untold = False

    def _check_stop(self) -> None:
        if self._context.stop.is_set():
            raise Stopped

    def _datasets(self, names: Collection[str], on_error: OnError) -> list[Planned]:
        """Return the datasets to work on, their plans brought up to date, in one order for all."""
        with self._context.store.reading() as connection:
            found = all_datasets(connection)
            for name in set(names) - {one.name for one in found}:
                find_dataset(connection, name)
        wanted = [one for one in found if not names or one.name in names]
        planned = [self._try_plan(one, on_error) for one in wanted if one.id not in self._left_out]
        return sorted(
            (one for one in planned if one is not None and one.dataset.plan),
            key=lambda one: one.dataset.id,
        )

    def _try_plan(self, dataset: Dataset, on_error: OnError) -> Planned | None:
        try:
            return self._planned(dataset)
        except VeilleuseError as error:
            self._left_out.add(dataset.id)
            on_error(dataset.name, error)
            return None

    def _planned(self, dataset: Dataset) -> Planned | None:
        """Return a dataset under this code's plan, None where another version's is in force.

        When two versions of the code run side by side, the one that started last decides: each
        sets its plan when it starts, or when the plan changes for it too, or when it is alone.
        """
        with self._context.store.reading() as connection:
            model = active_model(connection, dataset.id)
            analyses = all_analyses(connection, dataset.id)
        mine = make_plan(dataset, model, self._context.settings.code_paths, analyses)
        if mine != dataset.plan:
            if self._set_by_me.get(dataset.id) == mine and not self._is_alone():
                return None
            dataset = self._context.write(partial(set_plan, dataset=dataset, plan=mine))
        self._set_by_me[dataset.id] = mine
        return Planned(dataset, model)

    def _is_alone(self) -> bool:
        with self._context.store.reading() as connection:
            return count_workers(connection) <= 1

    def _claim(self, datasets: list[Planned]) -> Chunk | None:
        return self._context.write(partial(self._plan_and_claim, datasets=datasets))

    def _plan_and_claim(self, connection: Connection, datasets: list[Planned]) -> Chunk | None:
        workers = count_workers(connection)
        current = {
            one.dataset.id: one.dataset.revision
            for one in datasets
            if plan_chunks(connection, one.dataset, workers) is not None
        }
        if len(current) < len(datasets):
            raise PlanChanged
        return claim_chunk(connection, current, self.id, self._context.settings.lease_seconds)

    def _work(self, datasets: list[Planned], chunk: Chunk, on_error: OnError) -> int:
        if chunk.attempts > MOST_ATTEMPTS:
            self._give_up(chunk)
            return 0
        planned = next(one for one in datasets if one.dataset.id == chunk.dataset_id)
        began, stopped = time.monotonic(), self._hooks.stopped_seconds()
        self._hooks.on_work(True)  # noqa: FBT003
        try:
            result = work_chunk(self._context, ChunkTask(planned.dataset, planned.model, chunk))
        finally:
            self._hooks.on_work(False)  # noqa: FBT003
        if result.records:
            waited = self._hooks.stopped_seconds() - stopped
            self.stats.count(result.records, time.monotonic() - began - waited)
        self._untold = self._untold or result.is_lost
        if result.fault is not None:
            self.stats.fail(str(result.fault))
            if isinstance(result.fault, RecipeError):
                on_error(planned.dataset.name, result.fault)
        return result.records

    def _give_up(self, chunk: Chunk) -> None:
        """Split a chunk over which workers have died, or quarantine its one record."""
        words = f"{chunk.attempts - 1} workers died over it"
        with contextlib.suppress(LeaseLost):
            self._context.write(partial(fail_chunk, held=chunk, error=words))

    def _wait_for_others(self, datasets: list[Planned]) -> bool:
        """Wait a little while chunks are held or put off; returns whether it is worth it."""
        ids = [one.dataset.id for one in datasets]
        self._context.write(remove_dead_workers)
        with self._context.store.reading() as connection:
            wait = wait_for_chunk(connection, ids)
        if wait is None:
            return False
        if wait.reason:
            self._check_patience(wait)
        self._context.stop.wait(min(wait.seconds, LOOK_SECONDS))
        return True

    def _check_patience(self, wait: Wait) -> None:
        """Raise EnricherError where what is put off will be so for long, or has been."""
        now = time.monotonic()
        self._waited_since = self._waited_since or now
        if max(wait.seconds, now - self._waited_since) > MOST_WAIT_SECONDS:
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
    hooks = hooks or WorkerHooks(open_report())
    worker_id = store.write(_begin)
    caller = executor if executor.is_here else hooks.caller or LocalExecutor(stop.is_set)
    worker = Worker(WorkerContext(store, settings, executor, worker_id, caller, stop), hooks)
    try:
        with Heartbeat(
            store, worker_id, lambda: hooks.report(worker.stats.read()), hooks.on_store_state
        ):
            yield worker
    finally:
        for one in (executor, caller):
            one.close()
        # Where the store is gone, the row goes stale by itself.
        with contextlib.suppress(SQLAlchemyError), store.writing() as connection:
            remove_worker(connection, worker_id)


@dataclass(frozen=True)
class WorkerHooks:
    """What ties a worker to its gate: what to report, whom to tell of held work and of news.

    `stopped_seconds` says how long its processes have been stopped in all; `caller` makes metered
    calls where the executor is elsewhere.
    """

    report: Callable[[WorkerTotals], WorkerReport]
    on_work: Callable[[bool], None] = lambda _: None
    on_store_state: Callable[[StoreState], None] = lambda _: None
    stopped_seconds: Callable[[], float] = lambda: 0.0
    caller: Executor | None = None


def open_report(reason: str = "") -> Callable[[WorkerTotals], WorkerReport]:
    """Return the report of a command that works without a gate."""
    began = time.time()

    def report(figures: WorkerTotals) -> WorkerReport:
        return WorkerReport("open", began, reason, open_share=1.0, **dataclasses.asdict(figures))

    return report


def _begin(connection: Connection) -> int:
    remove_dead_workers(connection)
    return register_worker(connection)
