"""`enrich run --now` with small chunks, in a process that logs each of its lease events."""

from __future__ import annotations

import functools
import os
from typing import Any

import db.queue.planner
import enrich.executors.child
import enrich.pipeline.lease_renewal
import enrich.pipeline.work_chunk
import enrich.worker.loop
import enrich.worker.worker
from db.errors import LeaseLost
from db.queue.chunk import Chunk
from enrich.commands.base import open_worker_store, stop_on_signals
from enrich.worker.loop import WorkerOptions, run_worker

from .stop_event import CLAIMED, FAILED, FINISHED, RENEWED, RETURNED, tell

# Names the file of refusals; they are not in the store, because their transaction rolls back.
REFUSED = "STOP_REFUSED"
CHUNK_RECORDS = 20
TICK_SECONDS = 1


def log_claims() -> None:
    """Log each chunk that is claimed."""
    claim = getattr(enrich.worker.worker, "claim_chunk")  # noqa: B009  mypy rejects a name that is not exported

    @functools.wraps(claim)
    def wrapper(connection: Any, *args: Any) -> Chunk | None:  # noqa: ANN401
        taken: Chunk | None = claim(connection, *args)
        if taken is not None:
            tell(connection, CLAIMED, taken.id, taken.fence)
        return taken

    setattr(enrich.worker.worker, "claim_chunk", wrapper)  # noqa: B010  the same reason


def log_calls(where: Any, name: str, what: str) -> None:  # noqa: ANN401
    """Log each call that writes under a lease, or its refusal."""
    wrapped = getattr(where, name)

    @functools.wraps(wrapped)
    def wrapper(connection: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        held: Chunk = kwargs["chunk"] if "chunk" in kwargs else args[0]
        try:
            wrapped(connection, *args, **kwargs)
        except LeaseLost:
            note_refusal(what, held)
            raise
        tell(connection, what, held.id, held.fence)

    setattr(where, name, wrapper)


def note_refusal(what: str, held: Chunk) -> None:
    """Append a line for a refused write to the file of refusals."""
    with open(os.environ[REFUSED], "ab", buffering=0) as file:  # noqa: PTH123
        file.write(f"{what} {held.id} {held.fence}\n".encode())


def main() -> None:
    """Work until SIGTERM."""
    log_claims()
    log_calls(enrich.pipeline.lease_renewal, "renew_lease", RENEWED)
    log_calls(enrich.pipeline.work_chunk, "return_chunk", RETURNED)
    log_calls(enrich.pipeline.work_chunk, "finish_chunk", FINISHED)
    log_calls(enrich.worker.worker, "fail_chunk", FAILED)
    db.queue.planner.CHUNK_RECORDS = CHUNK_RECORDS
    enrich.worker.loop.TICK_SECONDS = TICK_SECONDS
    store, settings = open_worker_store()
    run_worker(store, settings, stop_on_signals(), WorkerOptions(now=True))


if __name__ == "__main__":
    main()
else:
    # The child imports this module too; load from other tests must not hold up its work.
    enrich.executors.child.yield_to_others = lambda: None
