"""The command with which a worker does a job in a process of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

from db.errors import VeilleuseError
from db.jobs.job import find_job
from db.jobs.job_claim import JobClaim, JobLost, fail_job, finish_job
from enrich.worker.subcommand import yielding

from .base import lock_option, open_worker_store
from .file_jobs.draft_dataset import draft_dataset
from .file_jobs.job_work import JobWork
from .file_jobs.later_labels import import_later_labels
from .file_jobs.new_dataset import add_dataset
from .file_jobs.predict_rows import predict_rows
from .file_jobs.train_dataset import train_again

_WORK: dict[str, Callable[[JobWork], dict[str, Any]]] = {
    "predict": predict_rows,
    "infer": draft_dataset,
    "add": add_dataset,
    "train": train_again,
    "labels": import_later_labels,
}

log = logging.getLogger("veilleuse.worker")


@click.command(hidden=True)
@click.argument("job_id", type=int)
@click.argument("worker_id", type=int)
@click.argument("attempt", type=int)
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), required=True, hidden=True
)
@lock_option
def job(job_id: int, worker_id: int, attempt: int, *, folder: Path, lock: Path | None) -> None:
    """Do a job that a browser has asked for; workers run this once they have claimed it."""
    store, settings = open_worker_store()
    store = yielding(store, lock)
    claim = JobClaim(job_id, worker_id, attempt)
    with store.reading() as connection:
        found = find_job(connection, job_id)
    if found is None:
        return
    work = JobWork(store, settings, found, claim, folder)
    try:
        result = _WORK[found.kind](work)
        store.write(partial(finish_job, claim=claim, result=result))
    except JobLost:
        log.info("job %s: was deleted, or another worker does it", job_id)
    except SQLAlchemyError:
        # The store may be back for the next attempt.
        raise
    except Exception as error:
        if not isinstance(error, VeilleuseError):
            log.exception("job %s failed", job_id)
        store.write(partial(fail_job, claim=claim, reason=work.describe(error)))
