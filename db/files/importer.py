"""Import the rows of data files as records."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from db.errors import DataFileError, InputError
from db.records.dataset import Dataset
from db.records.record import AddResult, NewRecord, add_records, batches
from db.spec.dataset_spec import DatasetSpec
from db.store.store import Store

from .reader import SourceRow, check_rows, read_rows

BATCH_ROWS = 5000
SHOWN_FAULTS = 20


@dataclass
class ImportResult:
    """The result of an import: counts, the first faults as `FILE:LINE: reason`, unused columns."""

    added: AddResult = field(default_factory=AddResult)
    bad: int = 0
    faults: list[str] = field(default_factory=list)
    unused: set[str] = field(default_factory=set)
    labelled: int = 0

    def add_fault(self, path: Path, line: int, fault: str) -> None:
        """Count a bad row, and keep its fault if it is among the first SHOWN_FAULTS."""
        self.bad += 1
        if len(self.faults) < SHOWN_FAULTS:
            self.faults.append(f"{path}:{line}: {fault}")


def import_files(
    store: Store,
    target: Dataset,
    paths: list[Path],
    *,
    strict: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> ImportResult:
    """Import rows in one transaction per batch, so that others can write in between.

    Raises DataFileError before anything is imported if a file cannot be read to its end or, with
    `strict`, if any row is bad.
    """
    for path in paths:
        _check_columns(target.spec, path)
        check_rows(path)
    if strict:
        _check_strictly(target.spec, paths)
    result = ImportResult()
    for rows in batches(_new_records(target.spec, paths, result), BATCH_ROWS):
        add = partial(add_records, dataset_id=target.id, rows=rows, origin="import")
        result.added += store.write(add)
        progress(len(rows))
        _let_others_write()
    if result.bad and result.added == AddResult():
        raise DataFileError(f"no row could be imported; the first fault: {result.faults[0]}")
    return result


def _let_others_write() -> None:
    # A connection that waits for SQLite's lock polls it rarely; without this pause, the import's
    # next transaction would take the lock first each time.
    time.sleep(0.001)


def _check_columns(spec: DatasetSpec, path: Path) -> None:
    first = next((row for row in read_rows(path) if not row.fault), None)
    if first is None:
        return
    wanted = spec.columns - {spec.target}
    if not first.values.keys() & wanted:
        raise DataFileError(
            f"{path}: has none of the columns of {spec.name}: {', '.join(sorted(wanted))};"
            f" its first row has {', '.join(first.values) or 'no values'}"
        )


def _check_strictly(spec: DatasetSpec, paths: list[Path]) -> None:
    result = ImportResult()
    for _ in _new_records(spec, paths, result):
        pass
    if result.bad:
        raise DataFileError(
            f"{result.bad:,} bad rows, so nothing was imported; the first fault: {result.faults[0]}"
        )


def _new_records(spec: DatasetSpec, paths: list[Path], result: ImportResult) -> Iterator[NewRecord]:
    for path in paths:
        for row in read_rows(path):
            record = _new_record(spec, path, row, result)
            if record is not None:
                yield record


def _new_record(
    spec: DatasetSpec, path: Path, row: SourceRow, result: ImportResult
) -> NewRecord | None:
    if row.fault:
        result.add_fault(path, row.line, row.fault)
        return None
    result.unused.update(row.values.keys() - spec.columns)
    try:
        inputs = spec.pick_inputs(row.values)
        label = spec.pick_label(row.values)
    except InputError as error:
        result.add_fault(path, row.line, str(error))
        return None
    result.labelled += label is not None
    return NewRecord(spec.key(inputs), inputs, label)
