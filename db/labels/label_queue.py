"""The queue of records to label: what a person should look at next, in an order of their choice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice

from sqlalchemy import Connection, or_, select

from db.records.dataset import Dataset
from db.scoring.response_body import decode_answer
from db.store import tables
from db.store.direct.clock import wall_seconds
from db.store.direct.locks import lock_labelling

from .label_claim import claim_record, closed_records, drop_ended_claims
from .queue_scan import UNSURE, Order, QueueScan, scan_pages, scans_of

# A record about which somebody was unsure is left to others, and comes back after this time.
UNSURE_SECONDS = 30 * 86_400.0
PERSON = "person"

Candidate = tuple[int, bytes]


def next_record(
    connection: Connection, dataset: Dataset, order: Order, holder: str
) -> bytes | None:
    """Claim the next record for a browser and return its key; None if nothing is left.

    A browser that asks again gets the same record, until it has labelled or skipped it.
    """
    # Two browsers that ask at the same time would find the same record.
    lock_labelling(connection, dataset.id)
    drop_ended_claims(connection, dataset.id)
    found = next(_candidates(connection, dataset, order, holder), None)
    if found is None:
        return None
    record_id, key = found
    claim_record(connection, dataset.id, record_id, holder)
    return key


def peek_record(connection: Connection, dataset: Dataset, order: Order) -> bytes | None:
    """Return the key of the record that a newcomer would get, without claiming it."""
    found = next(_candidates(connection, dataset, order), None)
    return None if found is None else found[1]


def count_queue(connection: Connection, dataset: Dataset, order: Order, limit: int) -> int:
    """Return how many records wait in an order, counting up to `limit`."""
    found = {
        record_id for record_id, _key in islice(_candidates(connection, dataset, order), limit)
    }
    return len(found)


def count_uncertain(connection: Connection, dataset: Dataset, limit: int) -> int:
    """Return how many unlabelled records have an uncertain answer, counting up to `limit`."""
    if dataset.spec.kind == "regression":
        return 0
    return sum(1 for _one in islice(_open_records(connection, dataset.id, [UNSURE]), limit))


def known_labels(connection: Connection, dataset_id: int, limit: int) -> list[str]:
    """Return labels that records have, in order, at most `limit`; each is found by its index."""
    label = tables.record.c.label
    of_dataset = tables.record.c.dataset_id == dataset_id
    found: list[str] = []
    while len(found) < limit:
        later = label > found[-1] if found else label.isnot(None)
        query = select(label).where(of_dataset, label.isnot(None), later).order_by(label).limit(1)
        following = connection.execute(query).scalar()
        if following is None:
            break
        found.append(following)
    return found


def _candidates(
    connection: Connection, dataset: Dataset, order: Order, holder: str = ""
) -> Iterator[Candidate]:
    scans = scans_of(order, regression=dataset.spec.kind == "regression")
    if order == "sample":
        yield from _open_records(connection, dataset.id, scans, holder, _start_key(holder))
    yield from _open_records(connection, dataset.id, scans, holder)


def _start_key(holder: str) -> bytes:
    """Return where a browser's sample begins.

    If all began at the first key, a scan would soon meet nothing but records with labels.
    """
    return hashlib.sha256(holder.encode()).digest()[:16]


def _open_records(
    connection: Connection,
    dataset_id: int,
    scans: Sequence[QueueScan],
    holder: str = "",
    start_key: bytes | None = None,
) -> Iterator[Candidate]:
    """Yield the records of scans that this browser may get, after a key where one is given."""
    after = None if start_key is None else (start_key,)
    for scan in scans:
        for page in scan_pages(connection, dataset_id, scan, after):
            ids = [record_id for record_id, _key in page]
            closed = closed_records(connection, ids, holder) | _decided(connection, ids)
            left = [one for one in page if one[0] not in closed]
            yield from _widest_first(connection, dataset_id, left) if scan.widest_first else left


def _decided(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Return which of these records a person has labelled, or was unsure about not long ago."""
    given = tables.observation.c
    labelled = (given.origin == PERSON) & given.label.isnot(None) & given.replaced_by.is_(None)
    unsure = given.is_unsure & (given.made_at > wall_seconds(connection) - UNSURE_SECONDS)
    query = select(given.record_id).where(given.record_id.in_(ids), or_(labelled, unsure))
    return set(connection.execute(query).scalars())


def _widest_first(
    connection: Connection, dataset_id: int, page: Sequence[Candidate]
) -> list[Candidate]:
    """Return a page's records in order of their prediction intervals; equal ones as they were."""
    stored = tables.prediction.c
    keys = [key for _id, key in page]
    query = select(stored.key, stored.body).where(
        stored.dataset_id == dataset_id, stored.key.in_(keys)
    )
    widths = {key: _interval_width(body) for key, body in connection.execute(query)}
    return sorted(page, key=lambda one: -widths.get(one[1], 0.0))


def _interval_width(body: bytes) -> float:
    interval = decode_answer(body).interval
    return interval[1] - interval[0] if isinstance(interval, tuple) else 0.0
