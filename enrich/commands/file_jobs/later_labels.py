"""The job "labels": the labels of a file that came later, compared with what was answered."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from db.files.labels.label_import import import_labels
from db.records.dataset import find_dataset

from .job_work import JobWork


def import_later_labels(work: JobWork) -> dict[str, Any]:
    """Tell the labels of the job's file; return what became of them, and the first bad rows."""
    with work.store.reading() as connection:
        dataset = find_dataset(connection, work.job.dataset)
    work.progress.begin("reading")
    path = work.input_path
    work.progress.begin("importing")
    result = import_labels(
        work.store,
        dataset,
        [path],
        work.job.author,
        expect=work.progress.expect,
        progress=work.progress.advance,
    )
    return {
        **asdict(result.counts),
        "rows": result.rows,
        "without": result.without,
        "errors": result.bad,
        "faults": [work.hide_paths(fault) for fault in result.faults],
    }
