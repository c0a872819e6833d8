"""Import the rows of data files as observations of records."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from db.errors import DataFileError, InputError
from db.ingestion.row import NewRow, RowCounts, RowTarget
from db.ingestion.row_ledger import RowLedger
from db.ingestion.row_writer import write_rows
from db.ingestion.settlement import settle_records
from db.ingestion.submission import (
    Submission,
    begin_rows,
    begin_submission,
    digest_of_files,
    find_submission,
    finish_submission,
    opened_ledger,
)
from db.records.dataset import Dataset
from db.records.record import batches
from db.spec.dataset_spec import DatasetSpec
from db.store.store import Store

from .column_check import missing_columns
from .reader import BadRows, SourceRow, check_rows, read_layout, read_rows

BATCH_ROWS = 5000


@dataclass
class ImportResult(BadRows):
    """The result of an import: counts, bad rows, unused columns.

    `added_before` is the time at which the same files were added before; then nothing was done.
    """

    counts: RowCounts = field(default_factory=RowCounts)
    rows: int = 0
    unused: set[str] = field(default_factory=set)
    labelled: int = 0
    notes: list[str] = field(default_factory=list)
    added_before: float | None = None


def import_files(
    store: Store,
    target: Dataset,
    paths: list[Path],
    *,
    strict: bool = False,
    add: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> ImportResult:
    """Import rows in one transaction per batch, so that others can write in between.

    The rows of the files are all rows of the inputs that they mention; with `add` they stand beside
    the rows that are there. An interrupted import is completed by running it again. Raises
    DataFileError before anything is imported if a file cannot be read to its end or, with `strict`,
    if any row is bad.
    """
    # A row with an id is that row, however its file is imported.
    add = add and not target.spec.id
    notes = [note for path in paths for note in _check(target.spec, path)]
    if strict:
        _check_strictly(target.spec, paths)
    digest = digest_of_files(paths)
    before = _earlier(store, target, digest, add=add)
    if before is not None:
        return ImportResult(added_before=before.finished_at)
    result = ImportResult(notes=notes)
    begin = partial(
        begin_submission,
        dataset_id=target.id,
        digest=digest,
        name=", ".join(path.name for path in paths),
        is_added=add,
    )
    submission = store.write(begin)
    _write_all(store, target, paths, submission.id if add else 0, result, progress)
    store.write(partial(finish_submission, submission_id=submission.id, counts=result.counts))
    if result.bad and not result.rows:
        raise DataFileError(f"no row could be imported; the first fault: {result.faults[0]}")
    return result


def _check(spec: DatasetSpec, path: Path) -> Iterator[str]:
    """Read a whole file, and yield what a person should know about it; raises DataFileError."""
    layout = read_layout(path)
    missing = missing_columns(spec, path, layout)
    check_rows(path)
    yield from (f"{path}: {note}" for note in layout.notes)
    if missing:
        yield f"{path}: has no column {', '.join(missing)}, so these values are missing in each row"


def _earlier(store: Store, target: Dataset, digest: bytes, *, add: bool) -> Submission | None:
    """Return the finished submission of the same files if importing them again would add rows.

    Rows that a file adds beside others would be doubled by importing it in the other way.
    """
    with store.reading() as connection:
        found = find_submission(connection, target.id, digest)
    if found is None or target.spec.id or not (add or found.is_added):
        return None
    if found.finished_at is not None:
        return found
    if found.is_added != add:
        how = "with --add" if found.is_added else "without --add"
        raise DataFileError(f"an import of this file was interrupted; run it again {how}")
    return None


def _write_all(
    store: Store,
    target: Dataset,
    paths: list[Path],
    submission_id: int,
    result: ImportResult,
    progress: Callable[[int], None],
) -> None:
    with store.reading() as connection:
        row_target = begin_rows(connection, target, "import", submission_id)
    with opened_ledger() as ledger:
        for rows in batches(_new_rows(target.spec, paths, result), BATCH_ROWS):
            write = partial(write_rows, target=row_target, rows=rows, ledger=ledger)
            result.rows += len(rows)
            result.counts += store.write(write)
            progress(len(rows))
            _let_others_write()
        _settle(store, row_target, ledger, result)


def _settle(store: Store, target: RowTarget, ledger: RowLedger, result: ImportResult) -> None:
    for keys in batches(ledger.keys_to_settle(), BATCH_ROWS):
        settle = partial(settle_records, target=target, keys=keys, ledger=ledger)
        result.counts += store.write(settle)
        _let_others_write()


def _let_others_write() -> None:
    # A connection that waits for SQLite's lock polls it rarely; without this pause, the import's
    # next transaction would take the lock first each time.
    time.sleep(0.001)


def _check_strictly(spec: DatasetSpec, paths: list[Path]) -> None:
    result = ImportResult()
    for _ in _new_rows(spec, paths, result):
        pass
    if result.bad:
        raise DataFileError(
            f"{result.bad:,} bad rows, so nothing was imported; the first fault: {result.faults[0]}"
        )


def _new_rows(spec: DatasetSpec, paths: list[Path], result: ImportResult) -> Iterator[NewRow]:
    for path in paths:
        for row in read_rows(path):
            new = _new_row(spec, path, row, result)
            if new is not None:
                yield new


def _new_row(spec: DatasetSpec, path: Path, row: SourceRow, result: ImportResult) -> NewRow | None:
    if row.fault:
        result.add_fault(path, row.line, row.fault)
        return None
    result.unused.update(row.values.keys() - spec.columns)
    try:
        inputs = spec.pick_inputs(row.values)
        new = NewRow(
            spec.key(inputs), inputs, spec.pick_label(row.values), spec.pick_row_id(row.values)
        )
    except InputError as error:
        result.add_fault(path, row.line, str(error))
        return None
    result.labelled += new.label is not None
    return new
