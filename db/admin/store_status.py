"""The contents of the store in numbers: `python -m db status`."""

from __future__ import annotations

import dataclasses
from typing import Any

from sqlalchemy import Connection, case, func, select

from db.queue.fault import all_faults
from db.queue.quarantine import count_quarantined
from db.records.dataset import Dataset, all_datasets
from db.records.enrichment import count_enrichments
from db.records.models.trained_model import active_model, model_name
from db.records.observation import count_labels, count_observations
from db.spec.dataset_spec import PREDICTION
from db.store import tables
from db.store.dialect import store_bytes
from db.store.generation import read_generation
from db.store.store import Store

from .sampled_counts import DatasetCounts, estimate_counts


def store_status(store: Store) -> dict[str, Any]:
    """Return the generation, the size in bytes, all faults, and the status of each dataset."""
    with store.reading() as connection:
        return {
            "generation": read_generation(connection),
            "bytes": store_bytes(connection),
            "faults": [dataclasses.asdict(fault) for fault in all_faults(connection)],
            "datasets": [
                dataset_status(connection, dataset, estimate_counts(connection, dataset))
                for dataset in all_datasets(connection)
            ],
        }


def dataset_status(
    connection: Connection, dataset: Dataset, estimated: DatasetCounts | None = None
) -> dict[str, Any]:
    """Return counts of records, labels and fresh values of one dataset, and its model.

    Everything is counted, which takes long for millions of records, unless it is `estimated`.
    """
    model = active_model(connection, dataset.id)
    return {
        "name": dataset.name,
        **dataclasses.asdict(estimated or _count_all(connection, dataset)),
        "chunks": _count(connection, tables.chunk, dataset.id),
        "quarantined": count_quarantined(connection, dataset.id),
        "model": model_name(dataset, model.version) if model else None,
    }


def _count_all(connection: Connection, dataset: Dataset) -> DatasetCounts:
    records, asked = _record_counts(connection, dataset.id)
    return DatasetCounts(
        records=records,
        asked=asked,
        observations=count_observations(connection, dataset.id),
        labelled=count_labels(connection, dataset.id),
        enriched=_fresh_counts(connection, dataset),
        predictions=_count(connection, tables.prediction, dataset.id),
    )


def _record_counts(connection: Connection, dataset_id: int) -> tuple[int, int]:
    query = select(
        func.count(),
        func.coalesce(func.sum(case((tables.record.c.asked, 1), else_=0)), 0),
    ).where(tables.record.c.dataset_id == dataset_id)
    records, asked = connection.execute(query).one()
    return records, int(asked)


def _fresh_counts(connection: Connection, dataset: Dataset) -> dict[str, int]:
    """Return the number of records with a fresh value, by enricher in the order of the plan."""
    counts = count_enrichments(connection, dataset.id)
    return {
        step.name: _fresh_predictions(connection, dataset.id, step.fingerprint)
        if step.name == PREDICTION
        else counts.get((step.name, step.fingerprint), 0)
        for step in dataset.plan
    }


def _fresh_predictions(connection: Connection, dataset_id: int, fingerprint: str) -> int:
    query = select(func.count()).where(
        tables.prediction.c.dataset_id == dataset_id, tables.prediction.c.fingerprint == fingerprint
    )
    return connection.execute(query).scalar_one()


def _count(connection: Connection, table: Any, dataset_id: int) -> int:  # noqa: ANN401
    query = select(func.count()).where(table.c.dataset_id == dataset_id)
    count: int = connection.execute(query).scalar_one()
    return count
