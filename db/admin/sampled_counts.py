"""Counts of a large dataset, estimated from the records with the smallest keys.

Keys are hashes, so the records whose keys are below a bound are a fair sample, and the bound says
which share of all records they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from db.records.dataset import Dataset, PlanStep
from db.records.observation import count_labels
from db.spec.dataset_spec import PREDICTION
from db.store import tables

# Up to so many records, all are counted.
MOST_COUNTED = 100_000
FEWEST_SAMPLED = 10_000
LARGEST_SHARE = 0.5
_BOUND_BITS = 32
# The first share that is tried is 1/4096; it is doubled until it has enough records.
_FIRST_BOUND = 1 << (_BOUND_BITS - 12)

_record, _rows = tables.record.c, tables.observation.c


@dataclass(frozen=True)
class DatasetCounts:
    """Counts of a dataset; those that `estimated` names are from `sampled_share` of its records.

    The standard error of an estimated number of records is the root of number / share.
    """

    records: int
    asked: int
    observations: int
    labelled: int
    enriched: dict[str, int]
    predictions: int
    sampled_share: float = 1.0
    estimated: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Sample:
    dataset_id: int
    bound: int
    records: int

    @property
    def share(self) -> float:
        return self.bound / (1 << _BOUND_BITS)

    @property
    def key(self) -> bytes:
        return self.bound.to_bytes(_BOUND_BITS // 8, "big")

    @property
    def has(self) -> ColumnElement[bool]:
        return (_record.dataset_id == self.dataset_id) & (_record.key < self.key)

    def scaled(self, count: int) -> int:
        """Return how many there are in all, if there are so many in the sample."""
        return round(count / self.share)


def estimate_counts(connection: Connection, dataset: Dataset) -> DatasetCounts | None:
    """Return estimated counts, None if the dataset has at most MOST_COUNTED records.

    Requested records and labels are counted if there are few, since a sample would miss them.
    """
    if not _has_many(connection, select(_record.id).where(_record.dataset_id == dataset.id)):
        return None
    sample = _choose_sample(connection, dataset.id)
    rows = select(_rows.id).join(tables.record, _record.id == _rows.record_id).where(sample.has)
    estimated = {
        "records": sample.records,
        "observations": _count(connection, rows),
        "predictions": _count(connection, _predictions_of(sample)),
    }
    counted = _count_few(connection, dataset.id)
    if "asked" not in counted:
        asked = select(_record.id).where(sample.has, _record.asked)
        estimated["asked"] = _count(connection, asked)
    if "labelled" not in counted:
        estimated["labelled"] = _count(connection, rows.where(tables.IS_CURRENT_LABEL))
    fresh = {step.name: _count_fresh(connection, sample, step) for step in dataset.plan}
    return DatasetCounts(
        **{name: sample.scaled(count) for name, count in estimated.items()},
        **counted,
        enriched={name: sample.scaled(count) for name, count in fresh.items()},
        sampled_share=sample.share,
        estimated=(*estimated, "enriched"),
    )


def _count_few(connection: Connection, dataset_id: int) -> dict[str, int]:
    """Return how many records are requested, and how many labels there are, where not many."""
    counts = {}
    labels = select(_rows.id).where(_rows.dataset_id == dataset_id, _rows.label.isnot(None))
    if not _has_many(connection, labels):
        counts["labelled"] = count_labels(connection, dataset_id)
    chunks = select(tables.chunk.c.id).where(tables.chunk.c.dataset_id == dataset_id)
    is_asked = _record.asked.is_(True)
    # The index of waiting records has those that are in no chunk.
    waiting = (_record.dataset_id == dataset_id) & is_asked & _record.chunk_id.is_(None)
    parts = [select(_record.id).where(waiting)]
    parts.append(select(_record.id).where(_record.chunk_id.in_(chunks), is_asked))
    if not any(_has_many(connection, part) for part in parts):
        counts["asked"] = sum(_count(connection, part) for part in parts)
    return counts


def _has_many(connection: Connection, query: Select[Any]) -> bool:
    return _count(connection, query.limit(MOST_COUNTED + 1)) > MOST_COUNTED


def _choose_sample(connection: Connection, dataset_id: int) -> _Sample:
    """Return the smallest sample with at least FEWEST_SAMPLED records."""
    bound = _FIRST_BOUND
    while True:
        sample = _Sample(dataset_id, bound, 0)
        records = _count(connection, select(_record.id).where(sample.has))
        if records >= FEWEST_SAMPLED or sample.share >= LARGEST_SHARE:
            return replace(sample, records=records)
        bound *= 2


def _count_fresh(connection: Connection, sample: _Sample, step: PlanStep) -> int:
    if step.name == PREDICTION:
        fresh = tables.prediction.c.fingerprint == step.fingerprint
        return _count(connection, _predictions_of(sample).where(fresh))
    values = tables.enrichment.c
    query = select(values.record_id).join(tables.record, _record.id == values.record_id)
    fresh = (values.enricher == step.name) & (values.fingerprint == step.fingerprint)
    return _count(connection, query.where(sample.has, fresh))


def _predictions_of(sample: _Sample) -> Select[tuple[bytes]]:
    predictions = tables.prediction.c
    return select(predictions.key).where(
        predictions.dataset_id == sample.dataset_id, predictions.key < sample.key
    )


def _count(connection: Connection, query: Select[Any]) -> int:
    return connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
