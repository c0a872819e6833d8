"""Labels that a request tells once, however often it is sent."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict

import msgspec
from sqlalchemy import Connection, select, update

from db.errors import SubmissionRefused
from db.ingestion.submission import begin_submission
from db.records.dataset import Dataset
from db.store import tables

from .told_label import ToldLabel
from .truth import TellCounts, tell_labels

_submission = tables.submission.c


def tell_labels_once(
    connection: Connection,
    dataset: Dataset,
    items: Sequence[ToldLabel],
    author: str,
    idempotency_key: str,
    body: bytes,
) -> TellCounts:
    """Tell labels as `tell_labels` does, once for each key of a request.

    The same request again changes nothing and gets the same counts. Raises SubmissionRefused if the
    key came with another body before.
    """
    digest = hashlib.sha256(b"idempotency-key-of-labels:" + idempotency_key.encode()).digest()
    content = hashlib.sha256(body).digest()
    begun = begin_submission(connection, dataset.id, digest, "labels", is_added=True)
    if begun.finished_at is None:
        counts = tell_labels(connection, dataset, items, author)
        _finish(connection, begun.id, counts, content)
        return counts
    if begun.content != content:
        raise SubmissionRefused(
            "this Idempotency-Key came with another body before; send this body with a new key"
        )
    kept = select(_submission.counts).where(_submission.id == begun.id)
    return msgspec.json.decode(connection.execute(kept).scalar_one(), type=TellCounts)


def _finish(connection: Connection, submission_id: int, counts: TellCounts, content: bytes) -> None:
    values = {
        "finished_at": time.time(),
        "content": content,
        "counts": msgspec.json.encode(asdict(counts)).decode(),
    }
    of_id = _submission.id == submission_id
    connection.execute(update(tables.submission).where(of_id).values(**values))
