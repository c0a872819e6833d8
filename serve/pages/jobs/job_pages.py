"""The views of files that a browser sends, and of the jobs of workers on them.

Every page needs the key of a listing, since files have rows; every change needs an API key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from bottle import HTTPResponse, request
from sqlalchemy import Connection

from db.errors import SpecError
from db.jobs.browser_spec import read_browser_spec
from db.jobs.job import (
    DONE,
    RECEIVING,
    Job,
    Kind,
    TooManyJobs,
    create_job,
    delete_job,
    find_job,
    find_unfinished,
    list_jobs,
    queue_job,
)
from db.jobs.job_file import OUTPUT, file_size
from db.store.direct.clock import wall_seconds
from serve.api.access.body_limit import upload_bytes
from serve.api.problem import Refusal
from serve.pages.language.translation import gettext as _
from serve.pages.login import Authenticator
from serve.pages.rendering import read_form, redirect, show
from serve.prediction.service import PredictionService

from .download import respond_output
from .draft_form import MOST_SHOWN, MOST_TARGETS, TYPES, draft_columns, edited_spec
from .job_view import JobView, draft_of
from .upload import SUFFIXES, Upload, receive_upload
from .worker_note import read_worker_note

MOST_DRAFT_BYTES = 64 * 1024
DECIMALS = (".", ",")
Route: TypeAlias = tuple[str, str, Callable[..., HTTPResponse]]


class JobPages:
    """The views of files and jobs."""

    def __init__(self, service: PredictionService, authenticator: Authenticator) -> None:
        self._service = service
        self._authenticator = authenticator
        self._most_bytes = upload_bytes(service.settings)

    def routes(self) -> list[Route]:
        """Return the method, the path and the view of each route."""
        return [
            ("GET", "/batch/<name>", self.show_batch),
            ("POST", "/batch/<name>", self.predict_file),
            ("POST", "/production/<name>", self.import_labels),
            ("GET", "/add", self.show_add),
            ("POST", "/add", self.draft_dataset),
            ("GET", "/jobs", self.list_jobs),
            ("POST", "/jobs/train/<name>", self.train),
            ("GET", "/jobs/<job_id:int>", self.show),
            ("GET", "/jobs/<job_id:int>/result", self.download),
            ("POST", "/jobs/<job_id:int>/infer", self.draft_again),
            ("POST", "/jobs/<job_id:int>/add", self.add_dataset),
            ("POST", "/jobs/<job_id:int>/delete", self.delete),
        ]

    def show_batch(self, name: str) -> HTTPResponse:
        """Show the form that takes a file to predict."""
        self._authenticator.require_listing_key()
        served = self._service.catalog.find(name)
        title = _("Predict a file with {name}").format(name=name)
        return self._show_form("batch", title, served=served, dataset=name)

    def show_add(self) -> HTTPResponse:
        """Show the form that takes the file of a new dataset."""
        self._authenticator.require_listing_key()
        return self._show_form("add", _("New dataset"))

    def _show_form(
        self,
        template: str,
        title: str,
        **values: Any,  # noqa: ANN401  whatever the template shows
    ) -> HTTPResponse:
        with self._service.store_reader.reading() as connection:
            note = read_worker_note(connection)
        return show(
            template,
            title=title,
            datasets=list(self._service.catalog.datasets),
            suffixes=SUFFIXES,
            types=TYPES,
            most_bytes=self._most_bytes,
            may_change=self._authenticator.may_change(),
            note=note,
            **values,
        )

    def predict_file(self, name: str) -> HTTPResponse:
        """Take a file whose rows a worker predicts."""
        return self._take_file("predict", "predicting a file", name)

    def import_labels(self, name: str) -> HTTPResponse:
        """Take a file whose labels a worker compares with what was answered."""
        return self._take_file("labels", "sending labels", name)

    def _take_file(self, kind: Kind, action: str, name: str) -> HTTPResponse:
        author = self._authenticator.require_changer(action)
        self._service.catalog.find(name)
        upload = self._receive(kind, author, name)
        return self._queue(kind, upload, {}, name)

    def draft_dataset(self) -> HTTPResponse:
        """Take a file of which a worker makes the draft of a dataset."""
        author = self._authenticator.require_changer("adding a dataset")
        upload = self._receive("infer", author)
        return self._queue("infer", upload, _chosen(upload.fields))

    def _receive(self, kind: Kind, author: str, dataset: str = "") -> Upload:
        self._service.store_reader.require_up()
        new_job = partial(create_job, kind=kind, author=author, dataset=dataset, state=RECEIVING)
        return receive_upload(
            request.environ, self._service.store.pooled, self._most_bytes, new_job
        )

    def _queue(
        self, kind: Kind, upload: Upload, more: Mapping[str, object], dataset: str = ""
    ) -> HTTPResponse:
        parameters = {"file_name": upload.file_name, **more}
        return self._queue_again(upload.job_id, kind, parameters, dataset)

    def _queue_again(
        self, job_id: int, kind: Kind, parameters: Mapping[str, object], dataset: str = ""
    ) -> HTTPResponse:
        queue = partial(queue_job, job_id=job_id, kind=kind, parameters=parameters, dataset=dataset)
        if not self._service.write(queue):
            raise Refusal(409, f"a worker is at job {job_id}; wait until it is done")
        return redirect(f"/jobs/{job_id}")

    def list_jobs(self) -> HTTPResponse:
        """List the newest jobs."""
        self._authenticator.require_listing_key()
        with self._service.store_reader.reading() as connection:
            jobs, note = list_jobs(connection), read_worker_note(connection)
            now = wall_seconds(connection)
        return show(
            "jobs",
            title=_("Files and jobs"),
            datasets=list(self._service.catalog.datasets),
            views=[JobView(job) for job in jobs],
            note=note if any(not job.is_finished for job in jobs) else None,
            now=now,
        )

    def show(self, job_id: int) -> HTTPResponse:
        """Show a job: its progress, and then what came of it."""
        self._authenticator.require_listing_key()
        return self._show(self._find(job_id))

    def _show(
        self,
        job: Job,
        status: int = 200,
        problem: str = "",
        form: Mapping[str, str] | None = None,
    ) -> HTTPResponse:
        with self._service.store_reader.reading() as connection:
            note = None if job.is_finished else read_worker_note(connection)
            size = file_size(connection, job.id, OUTPUT) if job.state == DONE else None
            now = wall_seconds(connection)
        draft = draft_of(job)
        return show(
            "job",
            status,
            title=_("{kind}, job {number}").format(kind=JobView(job).kind, number=job.id),
            datasets=list(self._service.catalog.datasets),
            dataset=job.dataset if job.dataset in self._service.catalog.datasets else "",
            view=JobView(job),
            job=job,
            note=note,
            size=size,
            now=now,
            problem=problem,
            may_change=self._authenticator.may_change(),
            draft=draft,
            columns=draft_columns(draft, form) if draft else [],
            dataset_name=(form or {}).get("name") or (draft["spec"]["name"] if draft else ""),
            most_shown=MOST_SHOWN,
            most_targets=MOST_TARGETS,
            types=TYPES,
        )

    def _find(self, job_id: int) -> Job:
        with self._service.store_reader.reading() as connection:
            job = find_job(connection, job_id)
        if job is None:
            raise Refusal(404, f"there is no job {job_id}; it may have been deleted")
        return job

    def download(self, job_id: int) -> HTTPResponse:
        """Send the file that came of a job."""
        self._authenticator.require_listing_key()
        job = self._find(job_id)
        with self._service.store_reader.reading() as connection:
            size = file_size(connection, job_id, OUTPUT)
        if job.state != DONE or size is None:
            raise Refusal(404, f"job {job_id} has no file; see its page")
        return respond_output(self._service.store.pooled, job, size)

    def draft_again(self, job_id: int) -> HTTPResponse:
        """Let a worker make the draft again, with another column to predict."""
        self._authenticator.require_changer("adding a dataset")
        job = self._find_with_draft(job_id)
        parameters = {**job.parameters, **_chosen(read_form())}
        return self._queue_again(job_id, "infer", parameters)

    def add_dataset(self, job_id: int) -> HTTPResponse:
        """Let a worker make a dataset of a draft that a person has reviewed."""
        self._authenticator.require_changer("adding a dataset")
        job = self._find_with_draft(job_id)
        form = read_form(MOST_DRAFT_BYTES)
        try:
            spec = edited_spec(job.result["draft"], form)
            name = read_browser_spec(spec).name
            self._check_name(name, job)
        except SpecError as error:
            return self._show(job, 400, str(error), form)
        parameters = {**job.parameters, "spec": spec}
        return self._queue_again(job_id, "add", parameters, name)

    def _check_name(self, name: str, job: Job) -> None:
        served = self._service.catalog.datasets.get(name)
        if served is not None and job.result.get("registered_id") != served.id:
            raise SpecError(f"a dataset is named {name} already; choose another name")

    def _find_with_draft(self, job_id: int) -> Job:
        job = self._find(job_id)
        if draft_of(job) is None and not (job.kind == "infer" and job.is_finished):
            raise Refusal(409, f"job {job_id} has no draft to make a dataset of; upload the file")
        return job

    def train(self, name: str) -> HTTPResponse:
        """Let a worker train a dataset's next model, unless one is about to."""
        author = self._authenticator.require_changer("training a model")
        self._service.catalog.find(name)
        return redirect(f"/jobs/{self._service.write(partial(_train, author=author, name=name))}")

    def delete(self, job_id: int) -> HTTPResponse:
        """Delete a job with its files; a worker that is at it stops."""
        self._authenticator.require_changer("deleting a job")
        self._service.write(partial(delete_job, job_id=job_id))
        return redirect("/jobs")


def _train(connection: Connection, author: str, name: str) -> int:
    known = find_unfinished(connection, "train", name)
    if known is not None:
        return known
    try:
        return create_job(connection, "train", author, name)
    except TooManyJobs as error:
        raise Refusal(429, str(error)) from None


def _chosen(form: Mapping[str, str]) -> dict[str, str]:
    """Return what a form says about how a file is read."""
    chosen = {"target": form.get("target", "")[:1000]}
    if form.get("decimal") in DECIMALS:
        chosen["decimal"] = form["decimal"]
    return chosen
