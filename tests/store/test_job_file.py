"""Tests of the files of jobs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial

import pytest

from db.jobs.job import create_job, delete_job
from db.jobs.job_claim import JobClaim, JobLost, claim_job, claim_of, release_job, touch_job
from db.jobs.job_file import (
    INPUT,
    OUTPUT,
    PART_BYTES,
    FileTooLarge,
    copy_file,
    file_size,
    in_parts,
    read_file,
    write_file,
)
from db.store.store import Store

MOST = 10 * PART_BYTES


@pytest.fixture
def job_id(store: Store) -> int:
    """Return the id of a new job."""
    return store.write(partial(create_job, kind="predict", author="key a"))


def test_pieces_of_any_size_become_parts_of_one_size() -> None:
    """Only the last part may be shorter, and an empty file has none."""
    data = bytes(range(256)) * (PART_BYTES // 100)
    for size in (1000, PART_BYTES, 3 * PART_BYTES):
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        parts = list(in_parts(pieces))
        assert b"".join(parts) == data
        assert {len(part) for part in parts[:-1]} == {PART_BYTES}
    assert list(in_parts([])) == []


def test_a_file_is_read_as_it_was_written(store: Store, job_id: int) -> None:
    """Its input and its output are kept apart."""
    data = b"ab" * PART_BYTES + b"c"
    assert write_file(store, job_id, INPUT, [data, b"d"], MOST) == len(data) + 1
    assert write_file(store, job_id, OUTPUT, [b"out"], MOST) == 3
    assert b"".join(read_file(store, job_id, INPUT)) == data + b"d"
    target = io.BytesIO()
    assert copy_file(store, job_id, OUTPUT, target) == 3
    with store.reading() as connection:
        assert file_size(connection, job_id, INPUT) == len(data) + 1
        assert file_size(connection, job_id + 1, INPUT) is None


def test_a_file_that_is_too_large_is_refused_at_the_first_part_too_many(
    store: Store, job_id: int
) -> None:
    """No more than the limit is ever written."""

    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * PART_BYTES

    with pytest.raises(FileTooLarge, match="more than"):
        write_file(store, job_id, INPUT, endless(), 2 * PART_BYTES)
    assert len(list(read_file(store, job_id, INPUT))) == 2


def test_the_files_go_with_their_job(store: Store, job_id: int) -> None:
    """They take the space that matters."""
    write_file(store, job_id, INPUT, [b"a"], MOST)
    store.write(partial(delete_job, job_id=job_id))
    assert list(read_file(store, job_id, INPUT)) == []


def test_what_an_earlier_attempt_has_written_is_gone_and_it_cannot_write_more(
    store: Store, job_id: int
) -> None:
    """So a result is that of one attempt alone; the input stays."""
    write_file(store, job_id, INPUT, [b"in"], MOST)
    first = _claim(store)
    write_file(store, job_id, OUTPUT, [b"half"], MOST, partial(touch_job, claim=first))
    store.write(partial(release_job, claim=first))
    _claim(store, 2)
    assert list(read_file(store, job_id, OUTPUT)) == []
    with pytest.raises(JobLost):
        write_file(store, job_id, OUTPUT, [b"more"], MOST, partial(touch_job, claim=first))
    assert list(read_file(store, job_id, INPUT)) == [b"in"]


def _claim(store: Store, worker_id: int = 1) -> JobClaim:
    job = store.write(partial(claim_job, worker_id=worker_id))
    assert job is not None
    return claim_of(job, worker_id)
