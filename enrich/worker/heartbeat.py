"""The pulse: tells the store that a worker lives and how it is, and brings back the news."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import partial

from db.queue.pause import paused_at
from db.queue.worker import WorkerReport, local_worker_pids, record_heartbeat
from db.store.dialect import worker_backend_pids
from db.store.engine import Store
from db.traffic.web_load import read_load
from enrich.gate.machine.gpu import read_gpu
from enrich.gate.machine.process_tree import servers, tree
from enrich.gate.sampler import StoreState
from enrich.periodic_thread import PeriodicThread

HEARTBEAT_SECONDS = 1.0
# What has not changed is told no more often than this: each time is a write.
TELL_SECONDS = 10.0
GPU_SECONDS = 5.0


class Heartbeat(PeriodicThread):
    """Says what `report` returns whenever that has changed, and hands `on_store_state` the news."""

    def __init__(
        self,
        store: Store,
        worker_id: int,
        report: Callable[[], WorkerReport],
        on_store_state: Callable[[StoreState], None] = lambda _: None,
    ) -> None:
        super().__init__(HEARTBEAT_SECONDS, "pulse", first_seconds=0.0)
        self._store = store
        self._worker_id = worker_id
        self._report = report
        self._on_store_state = on_store_state
        self._told: tuple[str, str, str | None] | None = None
        self._told_at = 0.0
        self._gpu_at = -GPU_SECONDS
        self._gpu_share: float | None = None

    def run_once(self) -> None:
        """Bring the news, and tell what is new."""
        self._on_store_state(self._store_state())
        report = self._report()
        # Figures in a reason change all the time.
        words = (report.state, re.sub(r"[\d.,]+", "", report.reason), report.error)
        is_due = time.monotonic() - self._told_at >= TELL_SECONDS
        if words != self._told or is_due or report.means is not None:
            self.send_report(report)
            self._told, self._told_at = words, time.monotonic()

    def send_report(self, report: WorkerReport) -> None:
        """Write what a worker says of itself."""
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
