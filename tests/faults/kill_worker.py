"""`enrich run --now`, in a process that kills itself at one point or another.

The points are laid around the product's functions from without: it knows nothing of them.
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

# So that leases are renewed in the midst of everything, however long they last.
RENEW_SECONDS = 0.05
TICK_SECONDS = 1


def lay_points() -> None:
    """Put the worker's points in place."""
    after(Worker, "__init__", "worker_registered")
    after(StepRun, "compute", "batch_computed")
    after(enrich.pipeline.work_chunk, "_compute", "chunk_computed")
    after(db.queue.chunk, "write_enrichments", "enrichments_written")
    after(enrich.pipeline.work_chunk, "_finish", "chunk_ended")
    after(enrich.pipeline.lease_renewal, "renew_lease", "lease_renewed")
    after(enrich.worker.worker, "work_chunk", "chunk_committed")
    before(enrich.worker.worker, "work_chunk", "chunk_claimed")
    before(Worker, "_tell_web", "web_not_told", when=lambda _, done: done)


def after(where: Any, name: str, point: str) -> None:  # noqa: ANN401  a module or a class
    """Lay a point where a function has just returned."""
    wrapped = getattr(where, name)

    @functools.wraps(wrapped)
    def wrapper(*given: Any, **named: Any) -> Any:  # noqa: ANN401
        made = wrapped(*given, **named)
        visit(point)
        return made

    setattr(where, name, wrapper)


def before(
    where: Any,  # noqa: ANN401
    name: str,
    point: str,
    when: Callable[..., object] = lambda *_: True,
) -> None:
    """Lay a point where a function is about to be called, if `when` says so of its arguments."""
    wrapped = getattr(where, name)

    @functools.wraps(wrapped)
    def wrapper(*given: Any, **named: Any) -> Any:  # noqa: ANN401
        if when(*given):
            visit(point)
        return wrapped(*given, **named)

    setattr(where, name, wrapper)


def renew_often() -> None:
    """Renew leases far more often than their length asks for."""
    begin = enrich.pipeline.lease_renewal.Lease.__init__

    @functools.wraps(begin)
    def wrapper(
        lease: enrich.pipeline.lease_renewal.Lease, store: Store, chunk: Chunk, seconds: float
    ) -> None:
        # It is renewed three times before it would run out.
        begin(lease, store, chunk, 3 * RENEW_SECONDS)
        lease._seconds = seconds

    setattr(enrich.pipeline.lease_renewal.Lease, "__init__", wrapper)  # noqa: B010  mypy minds the assignment


def main() -> None:
    """Work until told to end, or killed."""
    lay_points()
    renew_often()
    enrich.worker.loop.TICK_SECONDS = TICK_SECONDS
    store, settings = open_worker_store()
    run_worker(store, settings, stop_on_signals(), WorkerOptions(now=True))


if __name__ == "__main__":
    main()
else:
    # In the child, which imports this too: other tests must not keep it from its work.
    enrich.executors.child.yield_to_others = lambda: None
