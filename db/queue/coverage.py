"""Coverage: how many records have a fresh value of each enricher.

Workers count them while they work, and write the counts to the store. While no worker works, a
reader counts from the index of stale records, which is cheap; see `count_now`.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Select, delete, exists, func, select

from db.records.dataset import Dataset
from db.records.encoded_inputs import KEYS_PER_STATEMENT, slices
from db.spec.dataset_spec import PREDICTION
from db.store import tables
from db.store.dialect import upsert
from db.store.direct.clock import wall_seconds

# After this time records may have come that a count does not know.
OLD_SECONDS = 60.0
# The values of more stale records are not looked up one by one.
MOST_STALE_RECORDS = 5_000
# From this number of records on, a reader does not count them all.
MOST_COUNTED_RECORDS = 1_000_000
# After this time nothing waits for the values of a new record any more: a service may be at its
# limit, or the machine is hardly ever idle.
NEW_RECORD_SECONDS = 3600.0


@dataclass(frozen=True)
class CoverageCount:
    """How many of a dataset's records have a fresh value of an enricher."""

    dataset: str
    enricher: str
    fresh: int
    records: int
    made_at: float

    @property
    def backlog(self) -> int:
        """The number of records without a fresh value."""
        return self.records - self.fresh

    def is_old(self, now: float) -> bool:
        """Return whether it was counted more than a minute ago."""
        return abs(now - self.made_at) > OLD_SECONDS


def lacks_new_labelled(
    connection: Connection, dataset_id: int, enricher: str, fingerprint: str
) -> bool:
    """Return whether workers are about to give labelled records a value of an enricher.

    These records are new, lack the value, and are not in quarantine.
    """
    record, now = tables.record.c, wall_seconds(connection)
    has_value = exists().where(
        tables.enrichment.c.record_id == record.id,
        tables.enrichment.c.enricher == enricher,
        tables.enrichment.c.fingerprint == fingerprint,
    )
    is_quarantined = exists().where(tables.quarantine.c.record_id == record.id)
    waiting = exists().where(
        record.dataset_id == dataset_id,
        record.label.isnot(None),
        record.made_at.between(now - NEW_RECORD_SECONDS, now + NEW_RECORD_SECONDS),
        ~has_value,
        ~is_quarantined,
    )
    return bool(connection.execute(select(waiting)).scalar_one())


def write_counts(
    connection: Connection, dataset_id: int, records: int, fresh: dict[str, int]
) -> None:
    """Replace a dataset's counts; `fresh` maps each enricher to its number of fresh values."""
    connection.execute(
        delete(tables.progress).where(
            tables.progress.c.dataset_id == dataset_id, tables.progress.c.enricher.notin_(fresh)
        )
    )
    now = wall_seconds(connection)
    rows = [
        {
            "dataset_id": dataset_id,
            "enricher": name,
            "fresh": count,
            "records": records,
            "made_at": now,
        }
        for name, count in fresh.items()
    ]
    upsert(connection, tables.progress, rows, ("dataset_id", "enricher"))


def all_counts(connection: Connection) -> list[CoverageCount]:
    """Return the last counts of all datasets, sorted by dataset and enricher."""
    query = (
        select(
            tables.dataset.c.name,
            tables.progress.c.enricher,
            tables.progress.c.fresh,
            tables.progress.c.records,
            tables.progress.c.made_at,
        )
        .join(tables.dataset, tables.dataset.c.id == tables.progress.c.dataset_id)
        .order_by(tables.dataset.c.name, tables.progress.c.enricher)
    )
    return [CoverageCount(*row) for row in connection.execute(query)]


def seconds_since_count(connection: Connection) -> float:
    """Return the age of the last count in seconds, infinity if there is none."""
    counted_at = connection.execute(select(func.max(tables.progress.c.made_at))).scalar()
    return float("inf") if counted_at is None else abs(wall_seconds(connection) - counted_at)


def count_now(
    connection: Connection, dataset: Dataset, last: Sequence[CoverageCount] = ()
) -> list[CoverageCount]:
    """Count the fresh records of each enricher of a dataset's plan, at a bounded cost.

    A record that is not stale has all values, unless it is in quarantine: only the others are
    looked up. With more than MOST_STALE_RECORDS of them, the fresh values of the `last` counts
    are returned with their age, of as many records as there are now.
    """
    known = {count.enricher: count for count in last}
    records = _count_records(connection, dataset.id, known)
    if not dataset.plan:
        # No worker has made the plan yet.
        names = dataset.spec.enrichers
        return [_count(connection, dataset, name, 0, records) for name in names]
    incomplete = _incomplete_records(connection, dataset)
    if len(incomplete) > MOST_STALE_RECORDS:
        return [
            _count_again(connection, dataset, step.name, records, known.get(step.name))
            for step in dataset.plan
        ]
    present = _count_values(connection, dataset, sorted(incomplete))
    complete = records - len(incomplete)
    return [
        _count(connection, dataset, step.name, complete + present[step.name], records)
        for step in dataset.plan
    ]


def _count(
    connection: Connection, dataset: Dataset, enricher: str, fresh: int, records: int
) -> CoverageCount:
    now = wall_seconds(connection)
    return CoverageCount(dataset.name, enricher, max(fresh, 0), records, now)


def _count_again(
    connection: Connection,
    dataset: Dataset,
    enricher: str,
    records: int,
    last: CoverageCount | None,
) -> CoverageCount:
    """Return the last count of as many records as there are now; all are stale without one."""
    if last is None:
        return _count(connection, dataset, enricher, 0, records)
    return dataclasses.replace(last, records=records, fresh=min(last.fresh, records))


def _count_records(
    connection: Connection, dataset_id: int, last: Mapping[str, CoverageCount]
) -> int:
    """Return how many records a dataset has; of very many, at least the number last counted."""
    record = tables.record.c
    count = count_up_to(
        connection,
        select(record.id).where(record.dataset_id == dataset_id),
        MOST_COUNTED_RECORDS,
    )
    if count < MOST_COUNTED_RECORDS:
        return count
    return max([count, *(one.records for one in last.values())])


def count_up_to(connection: Connection, rows: Select[tuple[int]], most: int) -> int:
    """Return how many rows a query has, at most `most`; it reads no more than those."""
    query = select(func.count()).select_from(rows.limit(most).subquery())
    return connection.execute(query).scalar_one()


def _incomplete_records(connection: Connection, dataset: Dataset) -> set[int]:
    """Return the ids of records that are stale or in quarantine, read from indexes.

    There are more than MOST_STALE_RECORDS of them if there are too many to look up.
    """
    record, chunk, refused = tables.record.c, tables.chunk.c, tables.quarantine.c
    is_stale = record.revision < dataset.revision
    of_dataset = record.dataset_id == dataset.id
    chunks = select(chunk.id).where(chunk.dataset_id == dataset.id)
    conditions: list[ColumnElement[bool]] = [
        of_dataset & (record.asked == asked) & is_stale & record.chunk_id.is_(None)
        for asked in (True, False)
    ]
    queries = [select(record.id).where(condition) for condition in conditions]
    queries.append(select(record.id).where(record.chunk_id.in_(chunks), is_stale))
    queries.append(select(refused.record_id).where(refused.dataset_id == dataset.id))
    ids: set[int] = set()
    for query in queries:
        ids.update(connection.execute(query.limit(MOST_STALE_RECORDS + 1)).scalars())
        if len(ids) > MOST_STALE_RECORDS:
            break
    return ids


def _count_values(connection: Connection, dataset: Dataset, ids: Sequence[int]) -> Counter[str]:
    """Return how many of these records have a fresh value, by step of the dataset's plan."""
    made, answers, record = tables.enrichment.c, tables.prediction.c, tables.record.c
    counts: Counter[tuple[str, str]] = Counter()
    for some in slices(ids, KEYS_PER_STATEMENT):
        of_some = made.record_id.in_(some)
        values = select(made.enricher, made.fingerprint).where(of_some)
        counts.update((row.enricher, row.fingerprint) for row in connection.execute(values))
        # A join would read the predictions of all records.
        keys = connection.execute(select(record.key).where(record.id.in_(some))).scalars().all()
        of_keys = answers.dataset_id == dataset.id, answers.key.in_(keys)
        predictions = connection.execute(select(answers.fingerprint).where(*of_keys)).scalars()
        counts.update((PREDICTION, fingerprint) for fingerprint in predictions)
    return Counter({step.name: counts[step.name, step.fingerprint] for step in dataset.plan})
