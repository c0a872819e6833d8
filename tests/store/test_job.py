"""Tests of jobs in the store, and of the claims of workers on them."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import update

from db.jobs.job import (
    DONE,
    FAILED,
    MOST_PER_AUTHOR,
    RECEIVING,
    RUNNING,
    WAITING,
    TooManyJobs,
    create_job,
    delete_job,
    find_job,
    find_unfinished,
    is_job_waiting,
    list_jobs,
    queue_job,
)
from db.jobs.job_claim import (
    MOST_ATTEMPTS,
    SILENT_SECONDS,
    JobClaim,
    JobLost,
    claim_job,
    claim_of,
    fail_job,
    finish_job,
    release_job,
    report_progress,
    retry_job,
)
from db.jobs.job_pruning import KEEP_SECONDS, RECEIVE_SECONDS, prune_jobs
from db.store import tables
from db.store.store import Store

ONE, OTHER = 11, 12


def make(store: Store, state: str = WAITING, author: str = "key a") -> int:
    """Return the id of a new job."""
    return store.write(partial(create_job, kind="infer", author=author, state=state))


def claim(store: Store, worker_id: int = ONE) -> JobClaim:
    """Return the claim of a worker on the next job, which there must be."""
    job = store.write(partial(claim_job, worker_id=worker_id))
    assert job is not None
    return claim_of(job, worker_id)


def change(store: Store, job_id: int, **values: object) -> None:
    """Change columns of a job."""
    with store.writing() as connection:
        connection.execute(update(tables.job).where(tables.job.c.id == job_id).values(**values))


def state_of(store: Store, job_id: int) -> str:
    """Return the state of a job."""
    with store.reading() as connection:
        job = find_job(connection, job_id)
    return job.state if job else "gone"


def test_each_job_is_claimed_by_one_worker_the_oldest_first(store: Store) -> None:
    """A job whose file is still coming is claimed by nobody."""
    receiving, first, second = make(store, RECEIVING), make(store), make(store)
    assert (claim(store).job_id, claim(store, OTHER).job_id) == (first, second)
    assert store.write(partial(claim_job, worker_id=ONE)) is None
    assert state_of(store, receiving) == RECEIVING
    with store.reading() as connection:
        assert not is_job_waiting(connection)


def test_progress_and_the_result_can_be_read(store: Store) -> None:
    """They are those of the worker that has the job."""
    job_id = make(store)
    held = claim(store)
    store.write(partial(report_progress, claim=held, step="reading", done=5, total=10))
    with store.reading() as connection:
        [shown] = list_jobs(connection)
    assert (shown.state, shown.step, shown.done, shown.total) == (RUNNING, "reading", 5, 10)
    store.write(partial(finish_job, claim=held, result={"rows": 3}))
    with store.reading() as connection:
        job = find_job(connection, job_id)
    assert job is not None
    assert (job.state, job.result, job.is_finished) == (DONE, {"rows": 3}, True)


def test_the_job_of_a_silent_worker_goes_to_another_and_the_first_cannot_write(
    store: Store,
) -> None:
    """The same holds for a worker whose last sign of life is in the future."""
    job_id = make(store)
    old = claim(store)
    assert store.write(partial(claim_job, worker_id=OTHER)) is None
    for seen_at in (-SILENT_SECONDS - 1.0, SILENT_SECONDS + 60.0):
        change(store, job_id, seen_at=tables.job.c.seen_at + seen_at)
        new = claim(store, OTHER)
        assert (new.job_id, new.attempt) == (job_id, old.attempt + 1)
        for write in (
            partial(finish_job, result={}),
            partial(fail_job, reason="no"),
            release_job,
        ):
            with pytest.raises(JobLost):
                store.write(partial(write, claim=old))
        old = new


def test_a_job_whose_workers_die_fails_after_three_attempts(store: Store) -> None:
    """The reason is kept, whether or not the worker that lost its process lives."""
    job_id = make(store)
    for _ in range(MOST_ATTEMPTS - 1):
        store.write(partial(retry_job, claim=claim(store), reason="it died"))
        assert state_of(store, job_id) == WAITING
    store.write(partial(retry_job, claim=claim(store), reason="it died"))
    assert state_of(store, job_id) == FAILED
    silent = make(store)
    for _ in range(MOST_ATTEMPTS):
        claim(store)
        change(store, silent, seen_at=0.0)
    assert store.write(partial(claim_job, worker_id=OTHER)) is None
    with store.reading() as connection:
        job = find_job(connection, silent)
    assert job is not None
    assert (job.state, "died 3 times" in job.error) == (FAILED, True)


def test_an_interrupted_job_waits_again_without_counting_an_attempt(store: Store) -> None:
    """A gate that closes often must not fail a job."""
    job_id = make(store)
    for _ in range(MOST_ATTEMPTS + 1):
        store.write(partial(release_job, claim=claim(store)))
    assert state_of(store, job_id) == WAITING


def test_a_deleted_job_is_lost_to_its_worker(store: Store) -> None:
    """A person can cancel a job that runs."""
    job_id = make(store)
    held = claim(store)
    assert store.write(partial(delete_job, job_id=job_id))
    assert not store.write(partial(delete_job, job_id=job_id))
    with pytest.raises(JobLost):
        store.write(partial(report_progress, claim=held, step="", done=0, total=0))


def test_an_author_has_few_jobs_and_the_oldest_finished_ones_make_room(store: Store) -> None:
    """So files do not fill the store; other authors are not concerned."""
    first = make(store)
    store.write(partial(fail_job, claim=claim(store), reason="no"))
    others = [make(store) for _ in range(MOST_PER_AUTHOR - 1)]
    newest = make(store)
    assert state_of(store, first) == "gone"
    with pytest.raises(TooManyJobs, match="10 unfinished jobs, and may have 10"):
        make(store)
    assert make(store, author="key b")
    with store.reading() as connection:
        assert {job.id for job in list_jobs(connection)} >= {*others, newest}


def test_a_finished_job_can_be_queued_as_the_next_one_and_a_running_one_cannot(
    store: Store,
) -> None:
    """A draft becomes a dataset under the same id, and its result stays."""
    job_id = make(store)
    held = claim(store)
    queue = partial(queue_job, job_id=job_id, kind="add", parameters={"a": 1}, dataset="notes")
    assert not store.write(queue)
    store.write(partial(finish_job, claim=held, result={"draft": {}}))
    assert store.write(queue)
    with store.reading() as connection:
        assert find_unfinished(connection, "add", "notes") == job_id
        assert find_unfinished(connection, "add", "others") is None
        job = find_job(connection, job_id)
    assert job is not None
    assert (job.state, job.parameters, job.result) == (WAITING, {"a": 1}, {"draft": {}})


def test_old_jobs_and_uploads_that_broke_off_are_pruned(store: Store) -> None:
    """What waits or runs stays."""
    old, broken, fresh = make(store), make(store, RECEIVING), make(store, RECEIVING)
    store.write(partial(finish_job, claim=claim(store), result={}))
    waiting = make(store)
    assert prune_jobs(store) == 0
    change(store, old, ended_at=tables.job.c.ended_at - KEEP_SECONDS - 1.0)
    change(store, broken, seen_at=tables.job.c.seen_at - RECEIVE_SECONDS - 1.0)
    assert prune_jobs(store, lambda: False) == 0
    assert prune_jobs(store) == 2
    states = [state_of(store, one) for one in (old, broken, fresh, waiting)]
    assert states == ["gone", "gone", RECEIVING, WAITING]
