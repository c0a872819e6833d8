"""`enrich run --now`, in a process that kills itself at one of the kill points.

The points are wrapped around the product's functions here; the product contains no test code.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import db.queue.chunk
import enrich.executors.child
import enrich.pipeline.lease_renewal
import enrich.pipeline.work_chunk
import enrich.worker.loop
import enrich.worker.worker
from db.queue.chunk import Chunk
from db.store.store import Store
from enrich.commands.base import open_worker_store, stop_on_signals
from enrich.pipeline.step import StepRun
from enrich.worker.loop import WorkerOptions, run_worker
from enrich.worker.worker import Worker

from .kill_point import visit

# So short that leases are renewed during every other step, however long they last.
RENEW_SECONDS = 0.05
TICK_SECONDS = 1


def lay_points() -> None:
    """Wrap the worker's functions with its kill points."""
    after(Worker, "__init__", "worker_registered")
    after(StepRun, "compute", "batch_computed")
    after(enrich.pipeline.work_chunk, "_compute", "chunk_computed")
    after(db.queue.chunk, "write_enrichments", "enrichments_written")
    after(enrich.pipeline.work_chunk, "_finish", "chunk_ended")
    after(enrich.pipeline.lease_renewal, "renew_lease", "lease_renewed")
    after(enrich.pipeline.work_chunk.ComputedChunk, "write", "chunk_committed")
    before(enrich.worker.worker, "work_chunk", "chunk_claimed")
    before(Worker, "_publish", "web_not_told", when=lambda _, done: done)


def after(where: Any, name: str, point: str) -> None:  # noqa: ANN401  a module or a class
    """Visit a point each time a function has returned."""
    wrapped = getattr(where, name)

    @functools.wraps(wrapped)
    def wrapper(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        result = wrapped(*args, **kwargs)
        visit(point)
        return result

    setattr(where, name, wrapper)


def before(
    where: Any,  # noqa: ANN401
    name: str,
    point: str,
    when: Callable[..., object] = lambda *_: True,
) -> None:
    """Visit a point before each call of a function whose arguments satisfy `when`."""
    wrapped = getattr(where, name)

    @functools.wraps(wrapped)
    def wrapper(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        if when(*args):
            visit(point)
        return wrapped(*args, **kwargs)

    setattr(where, name, wrapper)


def renew_often() -> None:
    """Renew leases far more often than their length requires."""
    begin = enrich.pipeline.lease_renewal.Lease.__init__

    @functools.wraps(begin)
    def wrapper(
        lease: enrich.pipeline.lease_renewal.Lease, store: Store, chunk: Chunk, seconds: float
    ) -> None:
        # A lease is renewed three times before it would run out.
        begin(lease, store, chunk, 3 * RENEW_SECONDS)
        lease._seconds = seconds

    setattr(enrich.pipeline.lease_renewal.Lease, "__init__", wrapper)  # noqa: B010  mypy rejects the assignment


def main() -> None:
    """Work until SIGTERM or a kill point ends the process."""
    lay_points()
    renew_often()
    enrich.worker.loop.TICK_SECONDS = TICK_SECONDS
    store, settings = open_worker_store()
    run_worker(store, settings, stop_on_signals(), WorkerOptions(now=True))


if __name__ == "__main__":
    main()
else:
    # The child imports this module too; load from other tests must not hold up its work.
    enrich.executors.child.yield_to_others = lambda: None
