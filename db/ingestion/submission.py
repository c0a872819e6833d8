"""Submissions: the files and requests whose rows were imported, recognised when they come again."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select, update

from db.errors import SubmissionRefused
from db.records.dataset import Dataset
from db.records.encoded_inputs import KEYS_PER_STATEMENT, batches
from db.store import tables
from db.store.dialect import upsert

from .row import NewRow, Origin, RowCounts, RowTarget
from .row_ledger import RowLedger
from .row_writer import write_rows
from .settlement import settle_records


@dataclass(frozen=True)
class Submission:
    """A file or request: `is_added` if its rows stand beside others, `counts` what it changed."""

    id: int
    content: bytes
    is_added: bool
    finished_at: float | None
    counts: RowCounts


def joined_digest(digests: Iterable[bytes]) -> bytes:
    """Return SHA-256 over the digests of sources."""
    return hashlib.sha256(b"".join(digests)).digest()


def find_submission(connection: Connection, dataset_id: int, digest: bytes) -> Submission | None:
    """Return the submission with this digest, if there is one."""
    row = connection.execute(
        select(tables.submission).where(
            tables.submission.c.dataset_id == dataset_id, tables.submission.c.digest == digest
        )
    ).first()
    if row is None:
        return None
    counts = msgspec.json.decode(row.counts, type=RowCounts)
    return Submission(row.id, row.content, row.is_added, row.finished_at, counts)


def begin_submission(
    connection: Connection, dataset_id: int, digest: bytes, name: str, *, is_added: bool
) -> Submission:
    """Return a new submission; one that was interrupted goes on under the same id.

    It is the finished one if another process has just finished it.
    """
    values: dict[str, Any] = {
        "dataset_id": dataset_id,
        "digest": digest,
        "content": digest,
        "name": name,
        "is_added": is_added,
        "made_at": time.time(),
        "finished_at": None,
    }
    upsert(
        connection,
        tables.submission,
        [values],
        ("dataset_id", "digest"),
        change={"made_at": time.time(), "is_added": is_added},
        where=tables.submission.c.finished_at.is_(None),
    )
    found = find_submission(connection, dataset_id, digest)
    assert found is not None  # noqa: S101  it has just been written
    return found


def finish_submission(
    connection: Connection, submission_id: int, counts: RowCounts, content: bytes | None = None
) -> None:
    """Note that all rows of a submission are in the store, and what became of them."""
    values: dict[str, Any] = {
        "finished_at": time.time(),
        "counts": msgspec.json.encode(asdict(counts)).decode(),
    }
    if content is not None:
        values["content"] = content
    of_id = tables.submission.c.id == submission_id
    connection.execute(update(tables.submission).where(of_id).values(**values))


def newest_row(connection: Connection) -> int:
    """Return the id of the newest row in the store, 0 if there is none."""
    return connection.execute(select(func.max(tables.observation.c.id))).scalar_one() or 0


def begin_rows(dataset: Dataset, origin: Origin, last_id: int, submission_id: int = 0) -> RowTarget:
    """Return where the rows of an import are written that began after the row `last_id`."""
    is_regression = dataset.spec.kind == "regression"
    return RowTarget(dataset.id, is_regression, origin, last_id, submission_id)


def add_rows(
    connection: Connection, dataset: Dataset, rows: Sequence[NewRow], origin: Origin
) -> RowCounts:
    """Write rows as a file with these rows alone would, in the transaction of the connection."""
    target = begin_rows(dataset, origin, newest_row(connection))
    return _write_all(connection, target, rows)


def add_rows_once(
    connection: Connection,
    dataset: Dataset,
    rows: Sequence[NewRow],
    origin: Origin,
    idempotency_key: str,
    body: bytes,
) -> RowCounts:
    """Add rows beside those that are there, once for each key of a request.

    The same request again changes nothing and gets the same counts. Raises SubmissionRefused if the
    key came with another body before.
    """
    digest = hashlib.sha256(b"idempotency-key:" + idempotency_key.encode()).digest()
    content = hashlib.sha256(body).digest()
    begun = begin_submission(connection, dataset.id, digest, "request", is_added=True)
    if begun.finished_at is not None:
        if begun.content != content:
            raise SubmissionRefused(
                "this Idempotency-Key came with another body before; send this body with a new key"
            )
        return begun.counts
    target = begin_rows(dataset, origin, newest_row(connection), begun.id)
    counts = _write_all(connection, target, rows)
    finish_submission(connection, begun.id, counts, content)
    return counts


def _write_all(connection: Connection, target: RowTarget, rows: Sequence[NewRow]) -> RowCounts:
    with closing(RowLedger()) as ledger:
        counts = write_rows(connection, target, rows, ledger)
        for keys in batches(ledger.keys_to_settle(), KEYS_PER_STATEMENT):
            counts += settle_records(connection, target, keys, ledger)
    return counts
