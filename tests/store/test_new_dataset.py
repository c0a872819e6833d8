"""Tests of the job that makes a dataset."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from db.jobs.job import create_job
from db.jobs.job_claim import claim_job, claim_of
from db.records.dataset import Dataset
from db.settings import Settings
from db.store.store import Store
from enrich.commands.file_jobs.job_work import JobWork
from enrich.commands.file_jobs.new_dataset import NameTaken, _register
from tests.conftest import notes_spec, register


def test_a_job_takes_up_only_the_dataset_that_it_has_made(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    """Its dataset may have been deleted, and somebody else may use the name since."""
    notes = register(store, notes_spec({}))
    store.write(partial(create_job, kind="add", author="key 1"))
    job = store.write(partial(claim_job, worker_id=1))
    assert job is not None

    def attempt(registered_id: int) -> Dataset:
        again = replace(job, result={"registered_id": registered_id})
        return _register(JobWork(store, settings, again, claim_of(job, 1), tmp_path), notes.spec)

    with pytest.raises(NameTaken):
        attempt(notes.id + 1)
    assert attempt(notes.id).id == notes.id
