"""Uploads: a file in a form goes into the store as it comes, and is never whole in memory."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy import Connection

from db.jobs.job import TooManyJobs, delete_job
from db.jobs.job_file import INPUT, FileTooLarge, write_file
from db.store.store import Store
from serve.api.problem import Refusal
from serve.api.wsgi import Environ

if TYPE_CHECKING:
    from multipart import MultipartSegment

# Files with other endings are refused; what a file really is, its first bytes tell a worker.
SUFFIXES = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".parquet", ".xlsx", ".xlsm")
READ_BYTES = 64 * 1024
MOST_FIELD_BYTES = 1000
MOST_FIELDS = 20
# A worker's disk has names of 255 bytes at most.
MOST_NAME_BYTES = 150
_UNSAFE = re.compile(r"[^\w.\- ]+")

Event: TypeAlias = "MultipartSegment | bytes | bytearray | None"

# A file takes a thread for seconds; several would keep other requests waiting.
_turn = threading.Lock()


@dataclass
class Upload:
    """What a form has brought: the job with its file, the file's name, and the other fields."""

    job_id: int = 0
    file_name: str = ""
    fields: dict[str, str] = field(default_factory=dict)


def receive_upload(
    environ: Environ, store: Store, most_bytes: int, new_job: Callable[[Connection], int]
) -> Upload:
    """Store the file of a form as the input of a new job; raises Refusal, and then keeps nothing.

    `new_job` stores a job that receives its file, and returns its id.
    """
    length = check_form(environ, most_bytes)
    if not _turn.acquire(blocking=False):
        raise Refusal(503, "another file is being received; send yours again, one at a time")
    upload = Upload()
    try:
        _receive(upload, read_events(environ, length), store, most_bytes, new_job)
    except BaseException:
        if upload.job_id:
            store.write(partial(delete_job, job_id=upload.job_id))
        raise
    finally:
        _turn.release()
    return upload


def _receive(
    upload: Upload,
    events: Iterator[Event],
    store: Store,
    most_bytes: int,
    new_job: Callable[[Connection], int],
) -> None:
    for event in events:
        if event is None or isinstance(event, bytes | bytearray):
            continue
        pieces = _pieces(events)
        if not event.filename:
            upload.fields[event.name] = _text(event.name, pieces)
            continue
        if upload.file_name:
            raise Refusal(400, "the form has more than one file; send one")
        upload.file_name = safe_name(event.filename)
        upload.job_id = _begin_job(store, new_job)
        try:
            write_file(store, upload.job_id, INPUT, pieces, most_bytes)
        except FileTooLarge as error:
            raise Refusal(413, f"{error}, the limit of UPLOAD_MIB; send fewer") from None
    if not upload.file_name:
        raise Refusal(400, "the form has no file; choose one, and send the form again")


def _begin_job(store: Store, new_job: Callable[[Connection], int]) -> int:
    try:
        return store.write(new_job)
    except TooManyJobs as error:
        raise Refusal(429, str(error)) from None


def check_form(environ: Environ, most_bytes: int) -> int:
    """Return the length of a form with a file; raises Refusal if it cannot be received."""
    if not most_bytes:
        raise Refusal(403, "uploads are off, because UPLOAD_MIB is 0")
    if not environ.get("CONTENT_TYPE", "").lower().startswith("multipart/form-data"):
        raise Refusal(415, "the body is no form with a file; send multipart/form-data")
    if environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() != "identity":
        raise Refusal(415, "the body is compressed; send it as it is")
    length: str = environ.get("CONTENT_LENGTH", "")
    if not (length.isascii() and length.isdigit()):
        raise Refusal(411, "the request has no Content-Length; send it")
    return int(length)


def read_events(environ: Environ, length: int) -> Iterator[Event]:
    """Yield the parts of a form, each followed by its bytes and None; raises Refusal."""
    # Most processes never need it.
    from multipart import (  # noqa: PLC0415
        MultipartError,
        PushMultipartParser,
        parse_options_header,
    )

    boundary = parse_options_header(environ["CONTENT_TYPE"])[1].get("boundary", "")
    body, left = environ["wsgi.input"], length
    try:
        with PushMultipartParser(boundary, length, max_segment_count=MOST_FIELDS) as parser:
            while not parser.closed:
                piece = body.read(min(READ_BYTES, left))
                left -= len(piece)
                yield from parser.parse(piece)
    except MultipartError as error:
        raise Refusal(400, f"the form cannot be read: {error}") from None


def _pieces(events: Iterator[Event]) -> Iterator[bytes]:
    for event in events:
        if event is None:
            return
        if isinstance(event, bytes | bytearray):
            yield bytes(event)


def _text(name: str, pieces: Iterator[bytes]) -> str:
    body = b""
    for piece in pieces:
        body += piece
        if len(body) > MOST_FIELD_BYTES:
            raise Refusal(413, f"{name[:50]} has more than {MOST_FIELD_BYTES:,} bytes; send fewer")
    try:
        return body.decode().strip()
    except UnicodeDecodeError:
        raise Refusal(400, f"{name[:50]} is not UTF-8") from None


def safe_name(file_name: str) -> str:
    """Return the name of a file without its folders and odd characters; raises Refusal."""
    name = _UNSAFE.sub("_", PurePath(file_name.replace("\\", "/")).name).lstrip(". ")
    suffix = PurePath(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise Refusal(
            415,
            f"the file's name ends with {suffix[:20] or 'no format'}; send one that ends with"
            f" {', '.join(SUFFIXES)}",
        )
    stem = PurePath(name).stem.encode()[:MOST_NAME_BYTES].decode(errors="ignore")
    return f"{stem or 'table'}{suffix}"
