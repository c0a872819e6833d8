"""Held-out answers: the answers that listings of labelled records show and sort by.

On the records that it was trained on, the teacher mostly repeats the label. So the answer kept for
such a record comes from the out-of-fold model, which was not trained on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from db.records.dataset import Dataset
from db.records.encoded_inputs import batches
from db.records.listing_columns import clear_held_out, write_held_out
from db.records.models.model_versions import read_out_of_fold
from db.records.models.trained_model import find_model
from db.store.store import Store

from .out_of_fold import OutOfFoldAnswers, decode_answers

BATCH_RECORDS = 1000


def mark_held_out(store: Store, dataset: Dataset, version: int, most_bytes: int = 0) -> bool:
    """Write a version's out-of-fold answers to the listing columns of the labelled records.

    Return False, and change nothing, if they are no longer kept or take more than `most_bytes`.
    """
    with store.reading() as connection:
        stored = read_out_of_fold(connection, find_model(connection, dataset, version))
    answers = decode_answers(stored, most_bytes)
    if answers is None:
        return False
    store.write(partial(clear_held_out, dataset_id=dataset.id))
    for batch in batches(_teacher_answers(answers), BATCH_RECORDS):
        store.write(partial(write_held_out, dataset_id=dataset.id, answers=batch))
    return True


def _teacher_answers(answers: OutOfFoldAnswers) -> Iterator[tuple[bytes, str, float]]:
    """Yield key, predicted label and its probability; for a regression key, "" and the number."""
    for place, key in enumerate(answers.keys):
        yield key, *answers.teacher.answer(place)
