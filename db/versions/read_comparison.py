"""Reads from the store what a comparison of two versions needs, bounded in memory and time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from db.records.encoded_inputs import batches
from db.records.models.model_versions import read_out_of_fold
from db.records.models.trained_model import Model
from db.store import tables

from .comparison import Comparison, compare_answers
from .out_of_fold import OutOfFoldAnswers, decode_answers

# Larger answers would take too much of a web process's memory.
MOST_BYTES = 16 * 2**20
MOST_RECORDS = 20_000
BATCH_RECORDS = 500


@dataclass(frozen=True)
class ReadComparison:
    """The comparison of two versions, None if their answers are not there to be compared.

    `common_records` is how many records both answered, of which a fair sample is compared.
    """

    comparison: Comparison | None
    common_records: int = 0


def read_comparison(
    connection: Connection, dataset_id: int, before: Model, after: Model
) -> ReadComparison:
    """Compare two versions by the labels that their records have now."""
    old, new = (
        decode_answers(read_out_of_fold(connection, model), MOST_BYTES) for model in (before, after)
    )
    if old is None or new is None:
        return ReadComparison(None)
    common = _common_keys(old, new)
    # Keys are hashes, so that the lowest ones are a fair sample.
    truth = read_truth(connection, dataset_id, common[:MOST_RECORDS])
    return ReadComparison(compare_answers(old, new, truth), len(common))


def _common_keys(old: OutOfFoldAnswers, new: OutOfFoldAnswers) -> list[bytes]:
    return sorted(set(old.keys) & set(new.keys))


def read_truth(
    connection: Connection, dataset_id: int, keys: Sequence[bytes]
) -> dict[bytes, Counter[str]]:
    """Return how many rows of each record have each label that counts; without unlabelled ones."""
    records, rows = tables.record.c, tables.observation.c
    truth: dict[bytes, Counter[str]] = {}
    for batch in batches(keys, BATCH_RECORDS):
        query = (
            select(records.key, rows.label, func.count())
            .join(tables.observation, rows.record_id == records.id)
            .where(records.dataset_id == dataset_id, records.key.in_(list(batch)))
            .where(tables.IS_CURRENT_LABEL)
            .group_by(records.key, rows.label)
        )
        for key, label, count in connection.execute(query):
            truth.setdefault(bytes(key), Counter())[label] = count
    return truth
