"""Held-out answers: what a model said of the records that it learnt from, without having seen them.

Its teacher knows the labels of those, so that its predictions hardly ever contradict them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from db.records.dataset import Dataset
from db.records.listing_columns import clear_held_out, write_held_out
from db.records.model import find_model, read_out_of_fold
from db.records.record import batches
from db.store.engine import Store

from .cross_validation import decode_out_of_fold

BATCH_RECORDS = 1000


def mark_held_out(store: Store, dataset: Dataset, version: int) -> None:
    """List labelled records by a version's answers out of fold."""
    with store.reading() as connection:
        stored = read_out_of_fold(connection, find_model(connection, dataset, version))
    if stored is None:
        return
    store.write(partial(clear_held_out, dataset_id=dataset.id))
    for some in batches(_answers(stored), BATCH_RECORDS):
        store.write(partial(write_held_out, dataset_id=dataset.id, answers=some))


def _answers(stored: bytes) -> Iterator[tuple[bytes, str, float]]:
    """Yield key, label and probability; of a regression "" and the number."""
    answers = decode_out_of_fold(stored)
    keys, rows = answers.rows("teacher")
    for key, row in zip(keys, rows, strict=True):
        at = int(row.argmax())
        yield key, answers.labels[at] if answers.labels else "", float(row[at])
