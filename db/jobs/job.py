"""Jobs: work that a browser has asked for, which a worker does; most of them with a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import msgspec
from sqlalchemy import Connection, Row, delete, exists, select, update

from db.errors import VeilleuseError
from db.store import tables
from db.store.direct.clock import wall_seconds

# A job that receives its file is not complete yet, so no worker claims it.
RECEIVING, WAITING, RUNNING, DONE, FAILED = "receiving", "waiting", "running", "done", "failed"
UNFINISHED = (RECEIVING, WAITING, RUNNING)
MOST_LISTED = 50
# The jobs of one author that the store keeps, finished or not; this bounds what their files take.
MOST_PER_AUTHOR = 10

Kind: TypeAlias = Literal["predict", "infer", "add", "train", "labels"]


class TooManyJobs(VeilleuseError):
    """Too many jobs of one key are unfinished; wait for them, or delete some."""


@dataclass(frozen=True, kw_only=True)
class JobSummary:
    """A job as listings show it; the times are on the store's clock."""

    id: int
    kind: str
    dataset: str
    author: str
    state: str
    step: str
    done: int
    total: int
    error: str
    attempts: int
    worker_id: int | None
    made_at: float
    started_at: float | None
    ended_at: float | None

    @property
    def is_finished(self) -> bool:
        """Whether no worker has anything left to do."""
        return self.state not in UNFINISHED


@dataclass(frozen=True, kw_only=True)
class Job(JobSummary):
    """A job with what is asked for, and what came of it."""

    parameters: dict[str, Any]
    result: dict[str, Any]


_SUMMARY = [tables.job.c[name] for name in JobSummary.__dataclass_fields__]
_JOB = [tables.job.c[name] for name in Job.__dataclass_fields__]


def decode_job(row: Row[Any]) -> Job:
    """Return the job in a row of the table."""
    values = {name: row._mapping[name] for name in Job.__dataclass_fields__}  # noqa: SLF001  public
    for name in ("parameters", "result"):
        values[name] = msgspec.json.decode(values[name])
    return Job(**values)


def encode_values(values: Mapping[str, object]) -> str:
    """Return the parameters or the result of a job as the table holds them."""
    return msgspec.json.encode(values).decode()


def create_job(
    connection: Connection,
    kind: Kind,
    author: str,
    dataset: str = "",
    *,
    state: str = WAITING,
) -> int:
    """Store a new job and return its id; raises TooManyJobs.

    The oldest finished jobs of the author make room for it.
    """
    _make_room(connection, author)
    now = wall_seconds(connection)
    new = tables.job.insert().values(
        kind=kind, author=author, dataset=dataset, state=state, made_at=now, seen_at=now
    )
    job_id: int = connection.execute(new.returning(tables.job.c.id)).scalar_one()
    return job_id


def _make_room(connection: Connection, author: str) -> None:
    of_author = tables.job.c.author == author
    query = select(tables.job.c.id, tables.job.c.state).where(of_author).order_by(tables.job.c.id)
    rows = connection.execute(query).all()
    finished = [row.id for row in rows if row.state not in UNFINISHED]
    surplus = len(rows) - MOST_PER_AUTHOR + 1
    if surplus > len(finished):
        raise TooManyJobs(
            f"this key has {len(rows) - len(finished)} unfinished jobs, and may have"
            f" {MOST_PER_AUTHOR}; wait for them, or delete some"
        )
    for job_id in finished[: max(surplus, 0)]:
        delete_job(connection, job_id)


def queue_job(
    connection: Connection,
    job_id: int,
    kind: Kind,
    parameters: Mapping[str, object],
    dataset: str = "",
) -> bool:
    """Let a worker do a job, with its file, from the start; return False if one is at it already.

    The same job goes from "infer" to "add", so that its file is uploaded once. Its result stays.
    """
    changed = connection.execute(
        update(tables.job)
        .where(tables.job.c.id == job_id, tables.job.c.state.notin_((WAITING, RUNNING)))
        .values(
            kind=kind,
            dataset=dataset,
            state=WAITING,
            parameters=encode_values(parameters),
            step="",
            done=0,
            total=0,
            error="",
            attempts=0,
            started_at=None,
            ended_at=None,
        )
    )
    return changed.rowcount == 1


def find_job(connection: Connection, job_id: int) -> Job | None:
    """Return a job, None if there is none with this id."""
    row = connection.execute(select(*_JOB).where(tables.job.c.id == job_id)).first()
    return None if row is None else decode_job(row)


def list_jobs(connection: Connection, limit: int = MOST_LISTED) -> list[JobSummary]:
    """Return the newest jobs, the newest first."""
    query = select(*_SUMMARY).order_by(tables.job.c.id.desc()).limit(limit)
    return [JobSummary(**row) for row in connection.execute(query).mappings()]


def find_unfinished(connection: Connection, kind: Kind, dataset: str) -> int | None:
    """Return the id of a job of this kind for a dataset that waits or runs, None without one."""
    query = select(tables.job.c.id).where(
        tables.job.c.state.in_((WAITING, RUNNING)),
        tables.job.c.kind == kind,
        tables.job.c.dataset == dataset,
    )
    return connection.execute(query.limit(1)).scalar_one_or_none()


def delete_job(connection: Connection, job_id: int) -> bool:
    """Delete a job with its files; return whether it was there.

    A worker that is at it notices this before it writes again, and ends the work.
    """
    connection.execute(delete(tables.job_file).where(tables.job_file.c.job_id == job_id))
    deleted = connection.execute(delete(tables.job).where(tables.job.c.id == job_id))
    return deleted.rowcount == 1


def is_job_waiting(connection: Connection) -> bool:
    """Return whether a job waits for a worker."""
    return bool(connection.execute(select(exists().where(tables.job.c.state == WAITING))).scalar())
