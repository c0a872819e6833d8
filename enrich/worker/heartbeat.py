"""The heartbeat: reports a worker to the store, and reads the state that its gate needs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import partial

from db.queue.workers.pause import paused_at
from db.queue.workers.worker_registry import WorkerReport, local_worker_pids, record_heartbeat
from db.store.dialect import worker_backend_pids
from db.store.store import Store
from db.traffic.web_load import read_load
from enrich.gate.machine.gpu import read_gpu
from enrich.gate.machine.process_tree import servers, tree
from enrich.gate.sampler import StoreState
from enrich.periodic_thread import PeriodicThread

HEARTBEAT_SECONDS = 1.0
# A report that has not changed is written no more often than this.
REPORT_SECONDS = 10.0
GPU_SECONDS = 5.0


class Heartbeat(PeriodicThread):
    """Writes the report whenever it has changed, and passes the store's state on."""

    def __init__(
        self,
        store: Store,
        worker_id: int,
        report: Callable[[], WorkerReport],
        on_store_state: Callable[[StoreState], None] = lambda _: None,
    ) -> None:
        super().__init__(HEARTBEAT_SECONDS, "heartbeat", first_seconds=0.0)
        self._store = store
        self._worker_id = worker_id
        self._report = report
        self._on_store_state = on_store_state
        self._reported: tuple[str, str, str | None] | None = None
        self._reported_at = 0.0
        self._gpu_at = -GPU_SECONDS
        self._gpu_share: float | None = None

    def run_once(self) -> None:
        """Read the store's state, and write the report if it has changed."""
        self._on_store_state(self._store_state())
        report = self._report()
        # The numbers in a reason change all the time; they alone are no reason to write.
        summary = (report.state, re.sub(r"[\d.,]+", "", report.reason), report.error)
        is_due = time.monotonic() - self._reported_at >= REPORT_SECONDS
        if summary != self._reported or is_due or report.means is not None:
            self.send_report(report)
            self._reported, self._reported_at = summary, time.monotonic()

    def send_report(self, report: WorkerReport) -> None:
        """Write the worker's report to the store."""
        self._store.write(partial(record_heartbeat, worker_id=self._worker_id, report=report))

    def _store_state(self) -> StoreState:
        with self._store.reading() as connection:
            own = local_worker_pids(connection) | servers(
                worker_backend_pids(connection), "postgres"
            )
            store_state = StoreState(
                at=time.monotonic(),
                own=frozenset(own),
                web=read_load(connection),
                is_paused=paused_at(connection) is not None,
            )
        return StoreState(
            store_state.at, store_state.own, store_state.web, store_state.is_paused, self._gpu(own)
        )

    def _gpu(self, own: set[int]) -> float | None:
        now = time.monotonic()
        if now - self._gpu_at >= GPU_SECONDS:
            self._gpu_share, self._gpu_at = read_gpu(tree(own)), now
        return self._gpu_share
