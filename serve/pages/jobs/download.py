"""Downloads: the output of a job, which is read from the store while it is sent."""

from __future__ import annotations

from pathlib import PurePath
from urllib.parse import quote

from bottle import HTTPResponse

from db.jobs.job import Job
from db.jobs.job_file import OUTPUT, read_file
from db.store.store import Store
from serve.api.response import respond
from serve.pages.paced_download import pace

_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".tsv": "text/tab-separated-values; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".jsonl": "application/jsonl",
    ".parquet": "application/vnd.apache.parquet",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
# A smaller file need not wait for its turn.
LARGE_BYTES = 8 * 2**20


def respond_output(store: Store, job: Job, size: int) -> HTTPResponse:
    """Return a response that sends the output of a job under its name."""
    name = str(job.result["file_name"])
    parts = read_file(store, job.id, OUTPUT)
    response = respond(b"", _TYPES.get(PurePath(name).suffix, "application/octet-stream"))
    response.body = pace(parts) if size > LARGE_BYTES else parts
    response.set_header("Content-Length", str(size))
    response.set_header("Content-Disposition", _attachment(name))
    response.set_header("Cache-Control", "no-store")
    return response


def _attachment(name: str) -> str:
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
