"""Workers: they take chunk after chunk until nothing is stale, or they should not work."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from db.chunk import Chunk, claim_chunk, plan_chunks, seconds_to_next_chunk
from db.dataset import Dataset, Step, all_datasets, find_dataset, set_plan
from db.errors import VeilleuseError
from db.generation import raise_generation
from db.model import Model, active_model
from db.settings import Settings
from db.store import Store
from db.worker import bury_dead, count_workers, leave_worker, register_worker, see_worker

from .executor import Executor, LocalExecutor, Stopped
from .lease import Pulse
from .plan import make_plan
from .work import Bench, work_chunk

# While another worker holds the last chunks, look again this often at least.
LOOK_SECONDS = 0.5


OnError: TypeAlias = Callable[[str, VeilleuseError], None]


def _raise(_name: str, error: VeilleuseError) -> None:
    raise error


class PlanChanged(Exception):
    """A plan is another by now than the one that was read a moment ago."""


@dataclass(frozen=True)
class Planned:
    """A dataset, and the model that its plan was made with."""

    found: Dataset
    model: Model | None


class Worker:
    """One process's part in the work."""

    def __init__(self, bench: Bench, stop: threading.Event) -> None:
        self._bench = bench
        self._stop = stop
        self._set_by_me: dict[int, tuple[Step, ...]] = {}
        self._left_out: set[int] = set()
        self._untold = False

    @property
    def id(self) -> int:
        """The worker's id in the store."""
        return self._bench.worker_id

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
                elif not (wait and self._wait_for_others(datasets)):
                    break
        finally:
            self._tell_web(done)
        return done

    def _tell_web(self, done: int) -> None:
        """Raise the generation for what was done, now or in a pass that could not say so."""
        self._untold = self._untold or bool(done)
        if self._untold:
            self._bench.store.write(raise_generation)
            self._untold = False

    def say(self, state: str, reason: str = "") -> None:
        """Tell in the store what this worker does."""
        with self._bench.store.writing() as connection:
            see_worker(connection, self.id, state, reason)

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise Stopped

    def _datasets(self, names: Collection[str], on_error: OnError) -> list[Planned]:
        """Return the datasets to work on, their plans brought up to date, in one order for all."""
        with self._bench.store.reading() as connection:
            found = all_datasets(connection)
            for name in set(names) - {one.name for one in found}:
                find_dataset(connection, name)
        wanted = [one for one in found if not names or one.name in names]
        planned = [self._try_plan(one, on_error) for one in wanted if one.id not in self._left_out]
        return sorted(
            (one for one in planned if one is not None and one.found.plan),
            key=lambda one: one.found.id,
        )

    def _try_plan(self, found: Dataset, on_error: OnError) -> Planned | None:
        try:
            return self._planned(found)
        except VeilleuseError as error:
            self._left_out.add(found.id)
            on_error(found.name, error)
            return None

    def _planned(self, found: Dataset) -> Planned | None:
        """Return a dataset under this code's plan, None where another version's is in force.

        When two versions of the code run side by side, the one that started last decides: each
        sets its plan when it starts, or when the plan changes for it too, or when it is alone.
        """
        with self._bench.store.reading() as connection:
            model = active_model(connection, found.id)
        mine = make_plan(found, model, self._bench.settings.code_paths)
        if mine != found.plan:
            if self._set_by_me.get(found.id) == mine and not self._is_alone():
                return None
            found = self._bench.store.write(partial(set_plan, found=found, plan=mine))
        self._set_by_me[found.id] = mine
        return Planned(found, model)

    def _is_alone(self) -> bool:
        with self._bench.store.reading() as connection:
            return count_workers(connection) <= 1

    def _claim(self, datasets: list[Planned]) -> Chunk | None:
        return self._bench.store.write(partial(self._plan_and_claim, datasets=datasets))

    def _plan_and_claim(self, connection: Connection, datasets: list[Planned]) -> Chunk | None:
        workers = count_workers(connection)
        current = {
            one.found.id: one.found.revision
            for one in datasets
            if plan_chunks(connection, one.found, workers) is not None
        }
        if len(current) < len(datasets):
            raise PlanChanged
        return claim_chunk(connection, current, self.id, self._bench.settings.lease_seconds)

    def _work(self, datasets: list[Planned], chunk: Chunk, on_error: OnError) -> int:
        planned = next(one for one in datasets if one.found.id == chunk.dataset_id)
        try:
            return work_chunk(self._bench, planned.found, planned.model, chunk)
        except VeilleuseError as error:
            self._left_out.add(planned.found.id)
            on_error(planned.found.name, error)
            return 0

    def _wait_for_others(self, datasets: list[Planned]) -> bool:
        """Wait a little while another worker holds chunks; returns whether it is worth it."""
        ids = [one.found.id for one in datasets]
        with self._bench.store.writing() as connection:
            bury_dead(connection)
            seconds = seconds_to_next_chunk(connection, ids)
        if seconds is None:
            return False
        self._stop.wait(min(seconds, LOOK_SECONDS))
        return True


@contextmanager
def working(
    store: Store, settings: Settings, stop: threading.Event, executor: Executor | None = None
) -> Iterator[Worker]:
    """Register this process as a worker for as long as the block runs."""
    executor = executor or LocalExecutor(stop.is_set)
    worker_id = store.write(_begin)
    try:
        with Pulse(store, worker_id):
            yield Worker(Bench(store, settings, executor, worker_id), stop)
    finally:
        executor.close()
        # Where the store is gone, the row goes stale by itself.
        with contextlib.suppress(SQLAlchemyError), store.writing() as connection:
            leave_worker(connection, worker_id)


def _begin(connection: Connection) -> int:
    if bury_dead(connection):
        # What the dead have finished they may not have lived to tell.
        raise_generation(connection)
    return register_worker(connection)
