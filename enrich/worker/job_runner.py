"""Jobs with files: a worker takes one at a time, and runs it in a process that yields."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import time
from collections.abc import Callable
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from db.jobs.job import Job, is_job_waiting
from db.jobs.job_claim import (
    JobClaim,
    JobLost,
    claim_job,
    claim_of,
    release_job,
    retry_job,
    touch_job,
)
from db.store.store import Store

from .subcommand import Subcommands

# The store learns so often that the worker lives, also while the gate has stopped the process.
TOUCH_SECONDS = 5.0
DIED = "the process that did the work ended before it was done; the worker's log may say why"

log = logging.getLogger("veilleuse.worker")


class JobRunner:
    """Claims jobs and runs each with `python -m enrich job`, which writes what comes of it."""

    def __init__(self, store: Store, worker_id: int, subcommands: Subcommands) -> None:
        self._store = store
        self._worker_id = worker_id
        self._subcommands = subcommands

    def is_needed(self) -> bool:
        """Return whether a job waits."""
        with self._store.reading() as connection:
            return is_job_waiting(connection)

    def run_all(
        self, may_work: Callable[[], bool], on_work: Callable[[bool], None] = lambda _: None
    ) -> None:
        """Run the jobs that wait, one after the other, for as long as the gate is open.

        `on_work` is told of the beginning and the end of each.
        """
        while may_work():
            job = self._store.write(partial(claim_job, worker_id=self._worker_id))
            if job is None:
                return
            log.info("job %s: %s %s", job.id, job.kind, job.dataset)
            on_work(True)  # noqa: FBT003
            try:
                # The job was deleted while it ran.
                with contextlib.suppress(JobLost):
                    self._run(job)
            finally:
                on_work(False)  # noqa: FBT003

    def _run(self, job: Job) -> None:
        claim = claim_of(job, self._worker_id)
        watch = _ClaimWatch(self._store, claim)
        with tempfile.TemporaryDirectory(prefix="veilleuse-job-") as folder:
            succeeded = self._subcommands.run_while(
                watch.is_held,
                *("job", str(claim.job_id), str(claim.worker_id), str(claim.attempt)),
                *("--folder", folder),
            )
        if succeeded is None:
            self._store.write(partial(release_job, claim=claim))
        elif not succeeded:
            self._store.write(partial(retry_job, claim=claim, reason=DIED))


class _ClaimWatch:
    """Keeps a claim alive, and notices its end."""

    def __init__(self, store: Store, claim: JobClaim) -> None:
        self._store = store
        self._claim = claim
        self._touched_at = time.monotonic()

    def is_held(self) -> bool:
        """Return whether the job is still this worker's, as far as is known."""
        if time.monotonic() - self._touched_at < TOUCH_SECONDS:
            return True
        self._touched_at = time.monotonic()
        try:
            self._store.write(partial(touch_job, claim=self._claim))
        except JobLost:
            return False
        except SQLAlchemyError:
            # The store may be back before another worker takes the job.
            return True
        return True
