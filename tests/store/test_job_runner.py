"""Tests of how a worker runs jobs, and of new datasets that jobs make."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from db.errors import DataFileError, TrainingError
from db.jobs.job import DONE, FAILED, WAITING, Job, create_job, delete_job, find_job, queue_job
from db.jobs.job_claim import JobClaim, claim_job, claim_of, finish_job
from db.jobs.job_file import INPUT, write_file
from db.records.dataset import all_datasets, find_dataset, register_dataset
from db.settings import Settings
from db.store.store import Store
from enrich.commands.file_jobs import new_dataset
from enrich.commands.file_jobs.job_work import JobWork
from enrich.commands.file_jobs.new_dataset import NameTaken, add_dataset
from enrich.gate.suspender import ProcessSuspender
from enrich.worker import job_runner
from enrich.worker.job_runner import JobRunner
from enrich.worker.subcommand import Subcommands
from tests.conftest import notes_spec

SPEC: dict[str, Any] = {
    "name": "shop",
    "kind": "regression",
    "target": "spent",
    "fields": {"town": {"type": "choice"}},
}


class Fake(Subcommands):
    """Subcommands that do something of the test's own instead of starting a process."""

    def __init__(self, work: Callable[[JobClaim, Callable[[], bool]], bool | None]) -> None:
        super().__init__(ProcessSuspender(), threading.Event(), 1.0)
        self._work = work
        self.folders: list[Path] = []

    def run_while(self, is_wanted: Callable[[], bool], *arguments: str) -> bool | None:
        """Do the work on the job that the arguments name."""
        command, *numbers, option, folder = arguments
        assert (command, option) == ("job", "--folder")
        self.folders.append(Path(folder))
        assert self.folders[-1].stat().st_mode & 0o777 == 0o700
        return self._work(JobClaim(*map(int, numbers)), is_wanted)


def run(
    store: Store, work: Callable[[JobClaim, Callable[[], bool]], bool | None], passes: int = 1
) -> Fake:
    """Let a worker that may do so many jobs run what waits."""
    fake, left = Fake(work), iter(range(passes))
    JobRunner(store, 7, fake).run_all(lambda: next(left, None) is not None)
    assert not any(folder.exists() for folder in fake.folders)
    return fake


def make(store: Store) -> int:
    """Return the id of a job that waits."""
    return store.write(partial(create_job, kind="train", author="key a", dataset="notes"))


def find(store: Store, job_id: int) -> Job | None:
    """Return a job, None if there is none."""
    with store.reading() as connection:
        return find_job(connection, job_id)


def state(store: Store, job_id: int) -> str:
    """Return the state of a job."""
    job = find(store, job_id)
    return job.state if job else "gone"


def test_jobs_are_run_one_after_the_other_while_the_gate_is_open(store: Store) -> None:
    """The process itself writes the result."""
    first, second = make(store), make(store)

    def work(claim: JobClaim, _is_wanted: Callable[[], bool]) -> bool:
        store.write(partial(finish_job, claim=claim, result={}))
        return True

    assert len(run(store, work, passes=1).folders) == 1
    assert (state(store, first), state(store, second)) == (DONE, WAITING)
    run(store, work, passes=5)
    assert state(store, second) == DONE


def test_a_process_that_died_is_started_again_and_an_interrupted_one_too(store: Store) -> None:
    """After three deaths the job has failed; interruptions do not count."""
    job_id = make(store)
    run(store, lambda *_: None, passes=4)
    assert state(store, job_id) == WAITING
    fake = run(store, lambda *_: False, passes=9)
    assert len(fake.folders) == 3
    assert state(store, job_id) == FAILED
    job = find(store, job_id)
    assert job is not None
    assert job.error == job_runner.DIED


def test_the_process_of_a_deleted_job_is_ended(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker looks every few seconds."""
    monkeypatch.setattr(job_runner, "TOUCH_SECONDS", 0.0)
    job_id = make(store)
    wanted = []

    def work(_claim: JobClaim, is_wanted: Callable[[], bool]) -> None:
        wanted.append(is_wanted())
        store.write(partial(delete_job, job_id=job_id))
        wanted.append(is_wanted())

    run(store, work)
    assert wanted == [True, False]


def work_on(store: Store, settings: Settings, folder: Path, rows: str) -> JobWork:
    """Return the work on a claimed job that adds the dataset of SPEC."""
    job_id = store.write(partial(create_job, kind="infer", author="key a", state="receiving"))
    write_file(store, job_id, INPUT, [rows.encode()], 1000)
    parameters = {"file_name": "shop.csv", "spec": SPEC}
    queue = partial(queue_job, job_id=job_id, kind="add", parameters=parameters, dataset="shop")
    assert store.write(queue)
    job = store.write(partial(claim_job, worker_id=7))
    assert job is not None
    return JobWork(store, settings, job, claim_of(job, 7), folder)


def test_a_new_dataset_stays_if_it_cannot_be_trained_yet(
    store: Store, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows can be labelled. A second attempt of the same job goes on with it."""

    def fail(_work: JobWork, _name: str) -> dict[str, Any]:
        raise TrainingError("too few labels")

    monkeypatch.setattr(new_dataset, "train_dataset", fail)
    work = work_on(store, settings, tmp_path, "town,spent\nLyon,3\nNice,x\n")
    result = add_dataset(work)
    assert (result["rows"], result["errors"]) == (1, 1)
    assert result["not_trained"] == "too few labels"
    assert result["faults"][0].startswith("shop.csv:3: ")
    again = find(store, work.job.id)
    assert again is not None
    assert add_dataset(JobWork(store, settings, again, work.claim, tmp_path))["rows"] == 1


def test_a_new_dataset_without_a_row_is_deleted_and_no_other_is_touched(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    """A name that is taken is refused."""
    work = work_on(store, settings, tmp_path, "town,spent\n,x\n")
    with pytest.raises(DataFileError, match="no row could be imported"):
        add_dataset(work)
    with store.reading() as connection:
        assert all_datasets(connection) == []
    taken = notes_spec({})
    with store.writing() as connection:
        register_dataset(connection, taken)
    work.job.parameters["spec"] = {**SPEC, "name": taken.name}
    with pytest.raises(NameTaken):
        add_dataset(work)
    with store.reading() as connection:
        assert find_dataset(connection, taken.name).spec == taken
