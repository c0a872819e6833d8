"""Removes rows of earlier imports whose ids a source no longer has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from db.records.encoded_inputs import KEYS_PER_STATEMENT, slices
from db.store import tables
from db.store.store import Store, let_others_write

from .present_ids import PresentIds
from .row import RowCounts, RowTarget
from .row_ledger import RowLedger
from .row_writer import leave_records
from .settlement import settle_records

PAGE_ROWS = 5000

_rows = tables.observation.c
# Rows that a person or a request added were never in the source.
_OF_IMPORTS = _rows.origin == "import"


def remove_absent_rows(
    store: Store, target: RowTarget, present: PresentIds, ledger: RowLedger
) -> RowCounts:
    """Remove the rows with ids that are not `present`, one transaction per page.

    Rows that came after the import began stay, since the source was read before.
    """
    counts = RowCounts()
    for page in _pages(store, target):
        absent = present.absent([row.row_id for row in page])
        if absent:
            ids = [row.id for row in page if row.row_id in absent]
            remove = partial(_remove, target=target, ids=ids, ledger=ledger)
            counts += store.write(remove)
            let_others_write()
    return counts


def _pages(store: Store, target: RowTarget) -> Iterator[Sequence[Any]]:
    last: str | None = None
    while True:
        query = (
            select(_rows.id, _rows.row_id)
            .where(_rows.dataset_id == target.dataset_id, _rows.row_id.is_not(None))
            .where(_OF_IMPORTS, _rows.id <= target.last_id)
            .order_by(_rows.row_id)
            .limit(PAGE_ROWS)
        )
        if last is not None:
            query = query.where(_rows.row_id > last)
        with store.reading() as connection:
            page = connection.execute(query).all()
        yield page
        if len(page) < PAGE_ROWS:
            return
        last = page[-1].row_id


def _remove(
    connection: Connection, target: RowTarget, ids: Sequence[int], ledger: RowLedger
) -> RowCounts:
    removed: list[Row[Any]] = []
    for part in slices(ids, KEYS_PER_STATEMENT):
        statement = delete(tables.observation).where(_rows.id.in_(part), _OF_IMPORTS)
        removed += connection.execute(statement.returning(_rows.record_id)).all()
    keys = leave_records(connection, target, removed)
    # Nothing reads the other rows of these records again if this import is interrupted.
    settled = settle_records(connection, target, sorted(keys), ledger)
    return RowCounts(removed=len(removed)) + settled
