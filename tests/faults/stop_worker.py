"""`enrich run --now`, with small chunks, in a process that tells of each of its leases."""

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

# The file to which refusals are added: what they were part of is rolled back.
REFUSED = "STOP_REFUSED"
CHUNK_RECORDS = 20
TICK_SECONDS = 1


def tell_of_claims() -> None:
    """Tell of each chunk that is claimed."""
    claim = getattr(enrich.worker.worker, "claim_chunk")  # noqa: B009  mypy minds what is not exported

    @functools.wraps(claim)
    def wrapper(connection: Any, *given: Any) -> Chunk | None:  # noqa: ANN401
        taken: Chunk | None = claim(connection, *given)
        if taken is not None:
            tell(connection, CLAIMED, taken.id, taken.fence)
        return taken

    setattr(enrich.worker.worker, "claim_chunk", wrapper)  # noqa: B010  and so here


def tell_of(where: Any, name: str, what: str) -> None:  # noqa: ANN401
    """Tell of each call that writes under a lease, and of its refusal."""
    wrapped = getattr(where, name)

    @functools.wraps(wrapped)
    def wrapper(connection: Any, *given: Any, **named: Any) -> None:  # noqa: ANN401
        held: Chunk = named["chunk"] if "chunk" in named else given[0]
        try:
            wrapped(connection, *given, **named)
        except LeaseLost:
            note_refusal(what, held)
            raise
        tell(connection, what, held.id, held.fence)

    setattr(where, name, wrapper)


def note_refusal(what: str, held: Chunk) -> None:
    """Add a line for what was not written."""
    with open(os.environ[REFUSED], "ab", buffering=0) as file:  # noqa: PTH123
        file.write(f"{what} {held.id} {held.fence}\n".encode())


def main() -> None:
    """Work until told to end."""
    tell_of_claims()
    tell_of(enrich.pipeline.lease_renewal, "renew_lease", RENEWED)
    tell_of(enrich.pipeline.work_chunk, "return_chunk", RETURNED)
    tell_of(enrich.pipeline.work_chunk, "finish_chunk", FINISHED)
    tell_of(enrich.worker.worker, "fail_chunk", FAILED)
    db.queue.planner.CHUNK_RECORDS = CHUNK_RECORDS
    enrich.worker.loop.TICK_SECONDS = TICK_SECONDS
    store, settings = open_worker_store()
    run_worker(store, settings, stop_on_signals(), WorkerOptions(now=True))


if __name__ == "__main__":
    main()
else:
    # In the child, which imports this too: other tests must not keep it from its work.
    enrich.executors.child.yield_to_others = lambda: None
