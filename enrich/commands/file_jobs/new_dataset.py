"""The job "add": a new dataset from a reviewed draft, with the rows of its file and a model."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import Connection, select

from db.errors import TrainingError, VeilleuseError
from db.files.importer import import_files
from db.jobs.browser_spec import read_browser_spec
from db.jobs.job_claim import JobLost, keep_result
from db.records.dataset import Dataset, find_dataset, register_dataset
from db.records.delete_dataset import drop_dataset
from db.spec.dataset_spec import DatasetSpec
from db.store import tables

from .job_work import JobWork
from .train_dataset import train_dataset


class NameTaken(VeilleuseError):
    """A dataset with this name exists; choose another name."""


def add_dataset(work: JobWork) -> dict[str, Any]:
    """Register, import and train; a dataset whose rows cannot be imported is deleted again."""
    spec = read_browser_spec(work.job.parameters["spec"])
    work.progress.begin("importing")
    path = work.input_path
    dataset = _register(work, spec)
    try:
        rows = import_files(
            work.store,
            dataset,
            [path],
            expect=work.progress.expect,
            progress=work.progress.advance,
        )
    except JobLost:
        raise
    except VeilleuseError:
        drop_dataset(work.store, dataset)
        work.store.write(partial(keep_result, claim=work.claim, result=work.job.result))
        raise
    result = {
        **work.job.result,
        "dataset": spec.name,
        "rows": rows.rows,
        "errors": rows.bad,
        "faults": [work.hide_paths(fault) for fault in rows.faults],
    }
    try:
        return {**result, **train_dataset(work, spec.name)}
    except TrainingError as error:
        # The rows are there to be labelled, and a worker trains once there are labels enough.
        return {**result, "not_trained": work.hide_paths(str(error))}


def _register(work: JobWork, spec: DatasetSpec) -> Dataset:
    """Register the dataset, unless an earlier attempt of this job has done so."""

    def register(connection: Connection) -> Dataset:
        known = connection.execute(
            select(tables.dataset.c.id).where(tables.dataset.c.name == spec.name)
        ).scalar()
        # By its id: somebody else may have used the name after our dataset was deleted.
        if known is not None and known != work.job.result.get("registered_id"):
            raise NameTaken(f"a dataset is named {spec.name} already; choose another name")
        register_dataset(connection, spec)
        dataset = find_dataset(connection, spec.name)
        keep_result(connection, work.claim, {**work.job.result, "registered_id": dataset.id})
        return dataset

    return work.store.write(register)
