"""Delete old data: `python -m db prune`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, delete, select, update

from db.jobs.job_pruning import prune_jobs
from db.queue.run_history import latest_run_ids
from db.records.dataset import Dataset, all_datasets
from db.records.encoded_inputs import batches
from db.records.record import erase_records
from db.store import tables
from db.store.direct.clock import wall_seconds
from db.store.generation import raise_generation
from db.store.store import Store, let_others_write
from db.traffic.counted_answers import prune_prediction_counts
from db.traffic.kept_answers import delete_answers, oldest_kept

from .clock_check import DAY_SECONDS, check_clock

BATCH_RECORDS = 1000
KEEP_RUNS_DAYS = 30
KEEP_WORKERS_DAYS = 1


def prune_store(store: Store, *, force: bool = False) -> dict[str, int]:
    """Delete old data, and return the number of deleted rows of each kind.

    These are unlabelled requested inputs older than their dataset's retain_days, values of removed
    enrichers, answers and prediction counts older than three months, jobs with their files that
    ended seven days ago, old runs, and workers that fell silent. The latest run of each command on
    each dataset stays: it tells when the next is due. Raises StoreError if the clock is far ahead
    of the store's times, unless `force` is set.
    """
    with store.reading() as connection:
        datasets = all_datasets(connection)
        now = wall_seconds(connection)
        if not force:
            check_clock(connection, now)
    return {
        "requests": sum(prune_requests(store, dataset) for dataset in datasets),
        "enrichments": sum(_prune_enrichments(store, dataset) for dataset in datasets),
        "answers": sum(prune_answers(store, dataset) for dataset in datasets),
        "served": store.write(prune_prediction_counts),
        "jobs": prune_jobs(store),
        "runs": _delete(
            store,
            tables.run,
            tables.run.c.started_at < now - KEEP_RUNS_DAYS * DAY_SECONDS,
            tables.run.c.id.notin_(latest_run_ids()),
        ),
        "workers": _delete(
            store, tables.worker, tables.worker.c.seen_at < now - KEEP_WORKERS_DAYS * DAY_SECONDS
        ),
    }


def prune_requests(
    store: Store, dataset: Dataset, may_go_on: Callable[[], bool] = lambda: True
) -> int:
    """Delete unlabelled inputs from requests that are older than the dataset's retain_days.

    Returns how many. It ends between two batches once `may_go_on` returns False.
    """
    with store.reading() as connection:
        oldest = wall_seconds(connection) - dataset.spec.retain_days * DAY_SECONDS
    due = select(tables.record.c.id).where(
        tables.record.c.dataset_id == dataset.id,
        tables.record.c.origin == "request",
        tables.record.c.label.is_(None),
        tables.record.c.chunk_id.is_(None),
        tables.record.c.made_at < oldest,
    )

    def drop(connection: Connection, ids: list[int]) -> None:
        # Some records may have received a label since they were selected.
        still_due = due.where(tables.record.c.id.in_(ids)).with_for_update()
        erase_records(connection, dataset.id, list(connection.execute(still_due).scalars()))

    return _in_batches(store, due, drop, may_go_on)


def prune_answers(
    store: Store, dataset: Dataset, may_go_on: Callable[[], bool] = lambda: True
) -> int:
    """Delete answers that are too old, or more than are kept; what they taught stays as outcomes.

    Returns how many. It ends between two batches once `may_go_on` returns False.
    """
    with store.reading() as connection:
        oldest = oldest_kept(connection, dataset.id)
    delete_some = partial(delete_answers, dataset_id=dataset.id, before=oldest, limit=BATCH_RECORDS)
    done = 0
    while may_go_on() and (deleted := store.write(delete_some)):
        done += deleted
        let_others_write()
    return done


def _prune_enrichments(store: Store, dataset: Dataset) -> int:
    """Delete the values of enrichers that are no longer in the spec."""
    orphaned = (
        select(tables.enrichment.c.record_id)
        .join(tables.record, tables.record.c.id == tables.enrichment.c.record_id)
        .where(
            tables.record.c.dataset_id == dataset.id,
            tables.enrichment.c.enricher.notin_(dataset.spec.enrichers),
        )
    )

    columns = _orphaned_columns(dataset)

    def drop(connection: Connection, ids: list[int]) -> None:
        if columns:
            connection.execute(
                update(tables.record).where(tables.record.c.id.in_(ids)).values(**columns)
            )
        connection.execute(
            delete(tables.enrichment).where(
                tables.enrichment.c.record_id.in_(ids),
                tables.enrichment.c.enricher.notin_(dataset.spec.enrichers),
            )
        )

    return _in_batches(store, orphaned, drop)


def _orphaned_columns(dataset: Dataset) -> dict[str, None]:
    """Return the record columns that none of the dataset's enrichers fills any more."""
    uses = {enricher.use or name for name, enricher in dataset.spec.enrichers.items()}
    filled_by = {"issue": "label_issues", "duplicates": "near_duplicates"}
    return {column: None for column, use in filled_by.items() if use not in uses}


def _in_batches(
    store: Store,
    due: Select[Any],
    drop: Callable[[Connection, list[int]], None],
    may_go_on: Callable[[], bool] = lambda: True,
) -> int:
    with store.reading() as connection:
        ids = list(connection.execute(due).scalars())
    done = 0
    for batch in batches(ids, BATCH_RECORDS):
        if not may_go_on():
            break
        with store.writing() as connection:
            drop(connection, batch)
            raise_generation(connection)
        done += len(batch)
        let_others_write()
    return done


def _delete(store: Store, table: Table, *conditions: ColumnElement[bool]) -> int:
    with store.writing() as connection:
        result = connection.execute(delete(table).where(*conditions))
    return int(result.rowcount)
