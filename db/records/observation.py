"""Observations: the rows of the user's data, each with its label, and the labels people gave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, exists, func, insert, literal, select

from db.spec.normalization import normal_number
from db.store import tables

# Reading and showing more rows of one record tells nobody anything.
MOST_SHOWN = 50


@dataclass(frozen=True)
class Observation:
    """One row of the user's data, or one label that a person gave.

    `row_id` is None if the dataset has no id column, and `author` if no person or client gave the
    label. `replaced_by` is the id of the observation whose label counts instead.
    """

    id: int
    label: str | None
    row_id: str | None
    origin: str
    made_at: float
    author: str | None = None
    is_unsure: bool = False
    replaced_by: int | None = None

    @property
    def is_replaced(self) -> bool:
        """Whether it is history: a newer label counts instead."""
        return self.replaced_by is not None


@dataclass(frozen=True)
class RowIds:
    """The first of a record's row ids in alphabetical order, and how many there are."""

    first: str = ""
    count: int = 0

    def describe(self) -> str:
        """Return them as text: "K17", "K17 and 2 more", or "" for none."""
        return self.first if self.count <= 1 else f"{self.first} and {self.count - 1:,} more"


NO_ROW_IDS = RowIds()
_columns = [tables.observation.c[name] for name in Observation.__dataclass_fields__]


def labels_between(
    connection: Connection, dataset_id: int, first_id: int, last_id: int
) -> dict[int, list[str]]:
    """Return the current labels of observations by record id, in this range of record ids."""
    rows = tables.observation.c
    query = (
        select(rows.record_id, rows.label)
        .where(
            rows.record_id.between(first_id, last_id),
            tables.IS_CURRENT_LABEL,
            rows.dataset_id == dataset_id,
        )
        .order_by(rows.record_id, rows.id)
    )
    labels: dict[int, list[str]] = {}
    for record_id, label in connection.execute(query):
        labels.setdefault(record_id, []).append(label)
    return labels


def count_labels_of(connection: Connection, ids: Sequence[int]) -> dict[int, Counter[str]]:
    """Return how many observations have each current label, by record id."""
    rows = tables.observation.c
    query = (
        select(rows.record_id, rows.label, func.count())
        .where(rows.record_id.in_(ids), tables.IS_CURRENT_LABEL)
        .group_by(rows.record_id, rows.label)
    )
    counts: dict[int, Counter[str]] = {}
    for record_id, label, count in connection.execute(query):
        counts.setdefault(record_id, Counter())[label] = count
    return counts


def row_ids_of(connection: Connection, ids: Sequence[int]) -> dict[int, RowIds]:
    """Return the row ids of records by record id; records without one are left out."""
    rows = tables.observation.c
    query = (
        select(rows.record_id, func.min(rows.row_id), func.count(rows.row_id.distinct()))
        .where(rows.record_id.in_(ids), rows.row_id.isnot(None))
        .group_by(rows.record_id)
    )
    return {record_id: RowIds(*found) for record_id, *found in connection.execute(query)}


def observations_of(connection: Connection, record_id: int) -> list[Observation]:
    """Return a record's observations, the newest first, at most MOST_SHOWN."""
    rows = tables.observation.c
    query = (
        select(*_columns)
        .where(rows.record_id == record_id)
        .order_by(rows.made_at.desc(), rows.id.desc())
        .limit(MOST_SHOWN)
    )
    return [Observation(*row) for row in connection.execute(query)]


def observations_between(
    connection: Connection, first_id: int, last_id: int
) -> dict[int, list[Observation]]:
    """Return all observations by record id, in this range of record ids, in the order of rows."""
    rows = tables.observation.c
    query = (
        select(rows.record_id, *_columns)
        .where(rows.record_id.between(first_id, last_id))
        .order_by(rows.record_id, rows.id)
    )
    found: dict[int, list[Observation]] = {}
    for record_id, *values in connection.execute(query):
        found.setdefault(record_id, []).append(Observation(*values))
    return found


def count_observations(connection: Connection, dataset_id: int) -> int:
    """Return how many observations a dataset has."""
    query = select(func.count()).where(tables.observation.c.dataset_id == dataset_id)
    return connection.execute(query).scalar_one()


def count_labels(connection: Connection, dataset_id: int) -> int:
    """Return how many observations of a dataset have a current label."""
    rows = tables.observation.c
    # Both are counted from an index alone, or nearly so; the current ones would be read one by one.
    labelled = select(func.count()).where(rows.dataset_id == dataset_id, rows.label.isnot(None))
    # The sum keeps SQLite from the index of all labels.
    of_dataset = (rows.dataset_id + 0) == dataset_id
    replaced = select(func.count()).where(
        of_dataset, rows.label.isnot(None), rows.replaced_by.isnot(None)
    )
    return connection.execute(labelled).scalar_one() - connection.execute(replaced).scalar_one()


def has_uncounted_labels(connection: Connection, dataset_id: int) -> bool:
    """Return whether a record has a label of which there is no current observation.

    See `adopt_labels`.
    """
    record, rows = tables.record.c, tables.observation.c
    labelled = select(func.count()).where(record.dataset_id == dataset_id, record.label.isnot(None))
    counted = select(func.count(rows.record_id.distinct())).where(
        rows.dataset_id == dataset_id, tables.IS_CURRENT_LABEL
    )
    return connection.execute(labelled).scalar_one() > connection.execute(counted).scalar_one()


def adopt_labels(connection: Connection, dataset_id: int) -> int:
    """Make an observation of each label that has none, and return how many there were.

    Code from before observations writes the labels of records alone. While a deployment replaces
    it, both versions write to the store.
    """
    record, rows = tables.record.c, tables.observation.c
    is_counted = exists().where(
        rows.dataset_id == dataset_id, rows.record_id == record.id, tables.IS_CURRENT_LABEL
    )
    columns = ["dataset_id", "record_id", "label", "origin", "made_at"]
    values = (record.dataset_id, record.id, record.label, literal("api"), record.made_at)
    found = select(*values).where(
        record.dataset_id == dataset_id, record.label.isnot(None), ~is_counted
    )
    adopt = insert(tables.observation).from_select(columns, found)
    return connection.execute(adopt, execution_options={"preserve_rowcount": True}).rowcount


def summarize_labels(counts: Mapping[str, int], *, regression: bool) -> str | None:
    """Return the labels of a record in one: the most frequent, or the mean of a regression.

    Of labels that are equally frequent it is the first in alphabetical order.
    """
    if not counts:
        return None
    if len(counts) == 1:
        return next(iter(counts))
    if regression:
        total = sum(float(label) * count for label, count in counts.items())
        return repr(total / sum(counts.values()))
    return min(counts, key=lambda label: (-counts[label], label))


def describe_labels(counts: Mapping[str, int], *, regression: bool) -> str:
    """Return all labels of a record as text: "640, 655, 702" or "no ×1,364, yes ×126"."""
    if regression:
        ordered = sorted(counts.items(), key=lambda pair: float(pair[0]))
        named = [(str(normal_number(float(label))), count) for label, count in ordered]
    else:
        named = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(label if count == 1 else f"{label} ×{count:,}" for label, count in named)
