"""Downloads: the output of a job, which is read from the store while it is sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import PurePath
from urllib.parse import quote

from bottle import HTTPResponse, request

from db.jobs.job import Job
from db.jobs.job_file import OUTPUT, read_file
from db.store.store import Store
from serve.api.problem import make_problem
from serve.api.response import respond, respond_problem
from serve.api.wsgi import WAIT_UNTIL_READ

_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".tsv": "text/tab-separated-values; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".jsonl": "application/jsonl",
    ".parquet": "application/vnd.apache.parquet",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
# A larger file waits for its client, and holds a thread as long.
LARGE_BYTES = 8 * 2**20

_turn = threading.Lock()


def respond_output(store: Store, job: Job, size: int) -> HTTPResponse:
    """Return a response that sends the output of a job under its name."""
    name = str(job.result["file_name"])
    wait = request.environ.get(WAIT_UNTIL_READ) if size > LARGE_BYTES else None
    parts = read_file(store, job.id, OUTPUT)
    body = _send_slowly(parts, wait) if wait is not None else parts
    response = respond(b"", _TYPES.get(PurePath(name).suffix, "application/octet-stream"))
    response.body = body
    response.set_header("Content-Length", str(size))
    response.set_header("Content-Disposition", _attachment(name))
    response.set_header("Cache-Control", "no-store")
    return response


def _attachment(name: str) -> str:
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _send_slowly(parts: Iterator[bytes], wait: Callable[[], None]) -> Iterator[bytes]:
    """Yield parts as fast as the client reads them, for one client at a time."""
    if not _turn.acquire(blocking=False):
        detail = "another large file is being downloaded; try again in a minute"
        raise respond_problem(make_problem(503, detail))
    try:
        for part in parts:
            yield part
            wait()
    finally:
        _turn.release()
