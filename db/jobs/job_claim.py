"""Claims: one worker at a time works on a job, and reports what it does.

A worker that has been silent for SILENT_SECONDS loses its job to the next one that asks. Each claim
is told apart by the worker and the number of the attempt: a worker that was taken for dead and goes
on finds at its next write that the job has another claim, and raises JobLost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, or_, select, update

from db.errors import VeilleuseError, one_line
from db.store import tables
from db.store.direct.clock import wall_seconds

from .job import DONE, FAILED, RUNNING, WAITING, Job, decode_job, encode_values
from .job_file import OUTPUT, delete_file

SILENT_SECONDS = 60.0
MOST_ATTEMPTS = 3


class JobLost(VeilleuseError):
    """The job was deleted, or another worker has claimed it."""


@dataclass(frozen=True)
class JobClaim:
    """A worker's hold on a job."""

    job_id: int
    worker_id: int
    attempt: int


def claim_job(connection: Connection, worker_id: int) -> Job | None:
    """Claim the oldest job that waits, or whose worker is silent; return None if there is none.

    What an earlier attempt wrote is deleted. A job that was attempted too often has failed.
    """
    while (job := _claim(connection, worker_id)) is not None:
        delete_file(connection, job.id, OUTPUT)
        if job.attempts <= MOST_ATTEMPTS:
            return job
        words = f"its worker died {MOST_ATTEMPTS} times; the workers' log may say why"
        fail_job(connection, claim_of(job, worker_id), words)
    return None


def claim_of(job: Job, worker_id: int) -> JobClaim:
    """Return the claim of the worker that has just claimed a job."""
    return JobClaim(job.id, worker_id, job.attempts)


def _claim(connection: Connection, worker_id: int) -> Job | None:
    now = wall_seconds(connection)
    candidate = (
        select(tables.job.c.id)
        .where(or_(tables.job.c.state == WAITING, _is_silent(now)))
        .order_by(tables.job.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .cte("candidate")
        # Otherwise PostgreSQL may run the select with its limit again for each updated row.
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    claim = (
        update(tables.job)
        .where(tables.job.c.id == select(candidate.c.id).scalar_subquery())
        .values(
            state=RUNNING,
            worker_id=worker_id,
            attempts=tables.job.c.attempts + 1,
            started_at=now,
            seen_at=now,
            step="",
            done=0,
            total=0,
        )
        .returning(*(tables.job.c[name] for name in Job.__dataclass_fields__))
    )
    row = connection.execute(claim).first()
    return None if row is None else decode_job(row)


def _is_silent(now: float) -> ColumnElement[bool]:
    """Return the condition that no worker has reported; nor has one by a clock that was wrong."""
    seen = tables.job.c.seen_at.between(now - SILENT_SECONDS, now + SILENT_SECONDS)
    return and_(tables.job.c.state == RUNNING, ~seen)


def touch_job(connection: Connection, claim: JobClaim) -> None:
    """Say that the worker is alive; raises JobLost."""
    _update_claimed(connection, claim)


def report_progress(
    connection: Connection, claim: JobClaim, step: str, done: int, total: int
) -> None:
    """Say what is being done, and how much of it; a total of 0 is not known. Raises JobLost."""
    _update_claimed(connection, claim, step=step, done=done, total=total)


def keep_result(connection: Connection, claim: JobClaim, result: Mapping[str, object]) -> None:
    """Store what has come of a job so far; raises JobLost."""
    _update_claimed(connection, claim, result=encode_values(result))


def finish_job(connection: Connection, claim: JobClaim, result: Mapping[str, object]) -> None:
    """Store the result of a job that is done; raises JobLost."""
    now = wall_seconds(connection)
    _update_claimed(
        connection, claim, state=DONE, result=encode_values(result), ended_at=now, error=""
    )


def fail_job(connection: Connection, claim: JobClaim, reason: str) -> None:
    """Store why a job has failed; another attempt would fail alike. Raises JobLost."""
    now = wall_seconds(connection)
    _update_claimed(connection, claim, state=FAILED, error=one_line(reason), ended_at=now)


def release_job(connection: Connection, claim: JobClaim) -> None:
    """Return a job that had to be interrupted, which is no attempt; raises JobLost."""
    _update_claimed(connection, claim, state=WAITING, attempts=claim.attempt - 1)


def retry_job(connection: Connection, claim: JobClaim, reason: str) -> None:
    """Return a job whose process died; after MOST_ATTEMPTS it has failed. Raises JobLost."""
    if claim.attempt >= MOST_ATTEMPTS:
        fail_job(connection, claim, reason)
    else:
        _update_claimed(connection, claim, state=WAITING)


def _update_claimed(connection: Connection, claim: JobClaim, **values: object) -> None:
    """Update a job and its sign of life; raises JobLost if the claim has ended."""
    is_claimed = and_(
        tables.job.c.id == claim.job_id,
        tables.job.c.worker_id == claim.worker_id,
        tables.job.c.attempts == claim.attempt,
        tables.job.c.state == RUNNING,
    )
    values["seen_at"] = wall_seconds(connection)
    if connection.execute(update(tables.job).where(is_claimed).values(**values)).rowcount != 1:
        raise JobLost
