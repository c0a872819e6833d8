"""A job in the process that does it: its file, its folder, and the reports to the store."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from db.errors import StoreError, VeilleuseError
from db.jobs.job import Job
from db.jobs.job_claim import JobClaim, report_progress, touch_job
from db.jobs.job_file import INPUT, OUTPUT, PART_BYTES, copy_file, write_file
from db.settings import Settings
from db.store.store import Store

REPORT_SECONDS = 1.0
# The rows of a file with predictions are longer than those that were uploaded.
MOST_OUTPUT_PER_INPUT = 4
LEAST_OUTPUT_BYTES = 16 * 2**20
# Folders of this machine, which are nobody's business.
_FOLDERS = re.compile(r"(?<![\w/.])/(?:[\w.+@-]+/)+")


class JobProgress:
    """Reports what is being done to the store, about once a second."""

    def __init__(self, store: Store, claim: JobClaim) -> None:
        self._store = store
        self._claim = claim
        self._step, self._done, self._total = "", 0, 0
        self._reported_at = 0.0

    def begin(self, step: str, total: int = 0) -> None:
        """Report at once that a step begins; a total of 0 is not known. Raises JobLost."""
        self._step, self._done, self._total = step, 0, total
        self._report()

    def expect(self, total: int) -> None:
        """Set the total of the step."""
        self._total = total

    def advance(self, count: int) -> None:
        """Add to what is done; raises JobLost if the job is no longer ours."""
        self._done += count
        if time.monotonic() - self._reported_at >= REPORT_SECONDS:
            self._report()

    def _report(self) -> None:
        self._reported_at = time.monotonic()
        report = partial(
            report_progress,
            claim=self._claim,
            step=self._step,
            done=self._done,
            total=self._total,
        )
        self._store.write(report)


@dataclass(frozen=True)
class JobWork:
    """A claimed job, and what the work on it needs; `folder` is private and removed afterwards."""

    store: Store
    settings: Settings
    job: Job
    claim: JobClaim
    folder: Path

    @cached_property
    def progress(self) -> JobProgress:
        """What reports the progress to the store."""
        return JobProgress(self.store, self.claim)

    @cached_property
    def input_path(self) -> Path:
        """The uploaded file, as a file in the folder."""
        path = self.folder / str(self.job.parameters["file_name"])
        with path.open("wb") as file:
            size = copy_file(self.store, self.job.id, INPUT, file)
        if not size:
            raise VeilleuseError(f"{path.name}: the file is empty or was deleted; upload it again")
        return path

    def write_output(self, path: Path) -> None:
        """Write a file to the store as the job's output; raises FileTooLarge and JobLost."""
        most_bytes = max(self.input_path.stat().st_size * MOST_OUTPUT_PER_INPUT, LEAST_OUTPUT_BYTES)
        check = partial(touch_job, claim=self.claim)
        write_file(self.store, self.job.id, OUTPUT, _pieces(path), most_bytes, check)

    def hide_paths(self, text: str) -> str:
        """Return a text without the folders of this machine."""
        return _FOLDERS.sub("", text.replace(f"{self.folder}/", ""))

    def describe(self, error: Exception) -> str:
        """Return why the job failed, as a page may show it."""
        if isinstance(error, VeilleuseError) and not isinstance(error, StoreError):
            return self.hide_paths(str(error))
        return f"{type(error).__name__}, which the worker's log explains"


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PART_BYTES):
            yield piece
