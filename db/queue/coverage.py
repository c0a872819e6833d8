"""Coverage: how many records have a fresh value of each enricher.

Workers count them while they work, and write the counts to the store. While no worker works, a
reader counts from the index of stale records, which is cheap; see `count_now`.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from db.records.dataset import Dataset
from db.records.encoded_inputs import KEYS_PER_STATEMENT, slices
from db.spec.dataset_spec import PREDICTION
from db.store.direct.clock import wall_seconds
from db.store.direct.connection import Row
from db.store.direct.statement import Statement, StoreConnection, fill_up, statement_of_keys

# After this time records may have come that a count does not know.
OLD_SECONDS = 60.0
# The values of more stale records are not looked up one by one.
MOST_STALE_RECORDS = 5_000
# From this number of records on, a reader does not count them all.
MOST_COUNTED_RECORDS = 1_000_000
# After this time nothing waits for the values of a new record any more: a service may be at its
# limit, or the machine is hardly ever idle.
NEW_RECORD_SECONDS = 3600.0

_new_labelled = Statement(
    "SELECT 1 FROM {schema}record r"
    " WHERE r.dataset_id = {} AND r.label IS NOT NULL AND r.made_at BETWEEN {} AND {}"
    " AND NOT EXISTS (SELECT 1 FROM {schema}enrichment e"
    " WHERE e.record_id = r.id AND e.enricher = {} AND e.fingerprint = {})"
    " AND NOT EXISTS (SELECT 1 FROM {schema}quarantine q WHERE q.record_id = r.id) LIMIT 1"
)
_write = Statement(
    "INSERT INTO {schema}progress (dataset_id, enricher, fresh, records, made_at)"
    " VALUES ({}, {}, {}, {}, {}) ON CONFLICT (dataset_id, enricher) DO UPDATE"
    " SET fresh = excluded.fresh, records = excluded.records, made_at = excluded.made_at"
)
_remove_others = Statement("DELETE FROM {schema}progress WHERE dataset_id = {} AND made_at <> {}")
_all = Statement(
    "SELECT d.name, p.enricher, p.fresh, p.records, p.made_at FROM {schema}progress p"
    " JOIN {schema}dataset d ON d.id = p.dataset_id ORDER BY d.name, p.enricher"
)
_last_made_at = Statement("SELECT max(made_at) FROM {schema}progress")
_count_some = Statement(
    "SELECT count(*) FROM (SELECT id FROM {schema}record WHERE dataset_id = {} LIMIT {}) found"
)
# The conditions of these queries are those of indexes.
_stale = Statement(
    "SELECT id FROM {schema}record"
    " WHERE dataset_id = {} AND asked = FALSE AND revision < {} AND chunk_id IS NULL LIMIT {}"
)
_stale_asked = Statement(_stale.sql.replace("FALSE", "TRUE"))
_stale_in_chunks = Statement(
    "SELECT id FROM {schema}record WHERE chunk_id IN"
    " (SELECT id FROM {schema}chunk WHERE dataset_id = {}) AND revision < {} LIMIT {}"
)
_quarantined = Statement("SELECT record_id FROM {schema}quarantine WHERE dataset_id = {} LIMIT {}")
_VALUES = "SELECT enricher, fingerprint FROM {schema}enrichment WHERE record_id IN ({keys})"
# One query with a join would read the predictions of all records.
_KEYS = "SELECT key FROM {schema}record WHERE id IN ({keys})"
_PREDICTIONS = (
    "SELECT fingerprint FROM {schema}prediction WHERE dataset_id = {} AND key IN ({keys})"
)


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
    connection: StoreConnection, dataset_id: int, enricher: str, fingerprint: str
) -> bool:
    """Return whether workers are about to give labelled records a value of an enricher.

    These records are new, lack the value, and are not in quarantine.
    """
    now = wall_seconds(connection)
    times = now - NEW_RECORD_SECONDS, now + NEW_RECORD_SECONDS
    values = dataset_id, *times, enricher, fingerprint
    return _new_labelled.first(connection, *values) is not None


def write_counts(
    connection: StoreConnection, dataset_id: int, records: int, fresh: dict[str, int]
) -> None:
    """Replace a dataset's counts; `fresh` maps each enricher to its number of fresh values."""
    now = wall_seconds(connection)
    rows = [(dataset_id, name, count, records, now) for name, count in fresh.items()]
    _write.run_each(connection, rows)
    # Those of enrichers that the dataset no longer has.
    _remove_others.run(connection, dataset_id, now)


def all_counts(connection: StoreConnection) -> list[CoverageCount]:
    """Return the last counts of all datasets, sorted by dataset and enricher."""
    return [CoverageCount(*row) for row in _all.rows(connection)]


def seconds_since_count(connection: StoreConnection) -> float:
    """Return the age of the last count in seconds, infinity if there is none."""
    counted_at = _last_made_at.value(connection)
    return float("inf") if counted_at is None else abs(wall_seconds(connection) - counted_at)


def count_now(
    connection: StoreConnection, dataset: Dataset, last: Sequence[CoverageCount] = ()
) -> list[CoverageCount]:
    """Count the fresh records of each enricher of a dataset's plan, at a bounded cost.

    A record that is not stale has all values, unless it is in quarantine: only the others are
    looked up. With more than MOST_STALE_RECORDS of them, the fresh values of the `last` counts
    are returned with their age, of as many records as there are now; without one, none is fresh.
    """
    known, now = {count.enricher: count for count in last}, wall_seconds(connection)
    records = _count_records(connection, dataset.id, known)
    if not dataset.plan:
        # No worker has made the plan yet.
        names = dataset.spec.enrichers
        return [_count(dataset, name, 0, records, now) for name in names]
    incomplete = _incomplete_records(connection, dataset)
    if len(incomplete) > MOST_STALE_RECORDS:
        none = [_count(dataset, step.name, 0, records, now) for step in dataset.plan]
        return [_count_again(known.get(count.enricher, count), records) for count in none]
    present = _count_values(connection, dataset, sorted(incomplete))
    complete = records - len(incomplete)
    return [
        _count(dataset, step.name, complete + present[step.name], records, now)
        for step in dataset.plan
    ]


def _count(dataset: Dataset, enricher: str, fresh: int, records: int, now: float) -> CoverageCount:
    return CoverageCount(dataset.name, enricher, max(fresh, 0), records, now)


def _count_again(last: CoverageCount, records: int) -> CoverageCount:
    """Return a count of as many records as there are now."""
    return dataclasses.replace(last, records=records, fresh=min(last.fresh, records))


def _count_records(
    connection: StoreConnection, dataset_id: int, last: Mapping[str, CoverageCount]
) -> int:
    """Return how many records a dataset has; of very many, at least the number last counted."""
    count: int = _count_some.value(connection, dataset_id, MOST_COUNTED_RECORDS)
    if count < MOST_COUNTED_RECORDS:
        return count
    return max([count, *(one.records for one in last.values())])


def _incomplete_records(connection: StoreConnection, dataset: Dataset) -> set[int]:
    """Return the ids of records that are stale or in quarantine, read from indexes.

    There are more than MOST_STALE_RECORDS of them if there are too many to look up.
    """
    of_dataset, stale, most = (dataset.id,), (dataset.id, dataset.revision), MOST_STALE_RECORDS + 1
    queries = (
        (_stale_asked, stale),
        (_stale, stale),
        (_stale_in_chunks, stale),
        (_quarantined, of_dataset),
    )
    ids: set[int] = set()
    for query, values in queries:
        ids.update(record_id for (record_id,) in query.rows(connection, *values, most))
        if len(ids) > MOST_STALE_RECORDS:
            break
    return ids


def _count_values(
    connection: StoreConnection, dataset: Dataset, ids: Sequence[int]
) -> Counter[str]:
    """Return how many of these records have a fresh value, by step of the dataset's plan."""
    counts: Counter[tuple[str, str]] = Counter()
    for some in slices(ids, KEYS_PER_STATEMENT):
        counts.update(_with_keys(connection, _VALUES, some))
        keys = [key for (key,) in _with_keys(connection, _KEYS, some)]
        made = _with_keys(connection, _PREDICTIONS, keys, dataset.id)
        counts.update((PREDICTION, made_with) for (made_with,) in made)
    return Counter({step.name: counts[step.name, step.fingerprint] for step in dataset.plan})


def _with_keys(
    connection: StoreConnection, sql: str, keys: Sequence[int | bytes], *values: object
) -> list[Row]:
    """Return the rows that a query finds for some keys, which come after its other values."""
    if not keys:
        return []
    named = fill_up(keys)
    return statement_of_keys(sql, len(named)).rows(connection, *values, *named)
