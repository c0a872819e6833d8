"""Import the rows of data files and other sources as observations of records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath

from db.errors import DataFileError
from db.ingestion.present_ids import PresentIds
from db.ingestion.row import NewRow, RowCounts, RowTarget
from db.ingestion.row_ledger import RowLedger
from db.ingestion.row_removal import remove_absent_rows
from db.ingestion.row_writer import write_rows
from db.ingestion.settlement import settle_records
from db.ingestion.submission import (
    Submission,
    begin_rows,
    begin_submission,
    find_submission,
    finish_submission,
    joined_digest,
    newest_row,
)
from db.records.dataset import Dataset
from db.records.encoded_inputs import batches
from db.records.record import first_inputs
from db.spec.dataset_spec import DatasetSpec
from db.store.store import Store, let_others_write

from .column_check import missing_columns
from .importing.new_rows import RowFindings, new_rows, row_batches
from .reader import Source, check_rows, open_source

# A transaction is to be short, and settling a record takes several times as long as adding one.
SETTLED_KEYS = 5000


@dataclass
class ImportResult(RowFindings):
    """The result of an import: counts, bad rows, unused columns.

    `added_before` is the time at which the same files were added before; then nothing was done.
    """

    counts: RowCounts = field(default_factory=RowCounts)
    rows: int = 0
    notes: list[str] = field(default_factory=list)
    added_before: float | None = None


def import_files(  # noqa: PLR0913  one parameter per option
    store: Store,
    target: Dataset,
    paths: Sequence[Path],
    *,
    strict: bool = False,
    add: bool = False,
    remove_missing: bool = False,
    expect: Callable[[int], None] = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
) -> ImportResult:
    """Import the rows of files as `import_sources` does; with `remove_missing`, of all files."""
    if remove_missing and not target.spec.id:
        raise DataFileError(
            f"{target.name}: has no id, by which missing rows are recognised; add id = "
            '"COLUMN" to its TOML file and load it again'
        )
    with store.reading() as connection:
        last_id = newest_row(connection)
    with ExitStack() as opened:
        sources = [opened.enter_context(open_source(path)) for path in paths]
        ids: AbstractContextManager[PresentIds | None]
        ids = closing(PresentIds()) if remove_missing else nullcontext()
        present = opened.enter_context(ids)
        return import_sources(
            store,
            target,
            sources,
            last_id=last_id,
            strict=strict,
            add=add,
            present=present,
            expect=expect,
            progress=progress,
        )


def import_sources(  # noqa: PLR0913  one parameter per option
    store: Store,
    target: Dataset,
    sources: Sequence[Source],
    *,
    last_id: int,
    strict: bool = False,
    add: bool = False,
    present: PresentIds | None = None,
    is_part: bool = False,
    expect: Callable[[int], None] = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
) -> ImportResult:
    """Import rows in one transaction per batch, so that others can write in between.

    `last_id` is `newest_row` from before the sources were read, which may not have later rows.
    The rows of the sources are all rows of the inputs that they mention; with `add` they stand
    beside the rows that are there. An interrupted import is completed by running it again. Raises
    DataFileError before anything is imported if a source cannot be read to its end or, with
    `strict`, if any row is bad.

    With `present`, the ids of the sources' rows are added to it, and rows of earlier imports with
    other ids are removed. If the sources are only a part of all rows, `present` has the ids of all.
    `expect` is told how many rows the sources have, and `progress` how many more are imported.
    """
    # A row with an id is that row, however its file is imported.
    add = add and not target.spec.id
    notes: list[str] = []
    expect(sum(_check(target.spec, source, notes) for source in sources))
    if strict:
        _check_strictly(target.spec, sources)
    digest = joined_digest([source.digest() for source in sources])
    before = _earlier(store, target, digest, add=add)
    if before is not None:
        return ImportResult(added_before=before.finished_at)
    result = ImportResult(notes=notes)
    begin = partial(
        begin_submission,
        dataset_id=target.id,
        digest=digest,
        name=", ".join(PurePath(source.name).name for source in sources),
        is_added=add,
    )
    submission = store.write(begin)
    row_target = begin_rows(target, "import", last_id, submission.id if add else 0)
    with closing(RowLedger()) as ledger:
        new = new_rows(target.spec, sources, result, None if is_part else present)
        rows = row_batches(new, may_correct=_may_correct(store, target))
        _write_all(store, row_target, rows, ledger, result, progress)
        if present is not None:
            _remove_missing(store, row_target, present, ledger, result)
        _settle(store, row_target, ledger, result)
    store.write(partial(finish_submission, submission_id=submission.id, counts=result.counts))
    if result.bad and not result.rows and not is_part:
        raise DataFileError(f"no row could be imported; the first fault: {result.faults[0]}")
    return result


def _check(spec: DatasetSpec, source: Source, notes: list[str]) -> int:
    """Read a whole source, note what a person should know about it, and return its row count.

    Raises DataFileError.
    """
    layout = source.layout()
    missing = missing_columns(spec, source, layout)
    count = check_rows(source)
    notes += (f"{source.name}: {note}" for note in layout.notes)
    if missing:
        columns = ", ".join(missing)
        notes.append(
            f"{source.name}: has no column {columns}, so these values are missing in each row"
        )
    return count


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


def _may_correct(store: Store, target: Dataset) -> bool:
    """Return whether an import may find rows with ids of its own."""
    with store.reading() as connection:
        return bool(target.spec.id and first_inputs(connection, target.id, 1))


def _write_all(
    store: Store,
    target: RowTarget,
    rows: Iterator[list[NewRow]],
    ledger: RowLedger,
    result: ImportResult,
    progress: Callable[[int], None],
) -> None:
    for batch in rows:
        write = partial(write_rows, target=target, rows=batch, ledger=ledger)
        result.rows += len(batch)
        result.counts += store.write(write)
        progress(len(batch))
        let_others_write()


def _remove_missing(
    store: Store, target: RowTarget, present: PresentIds, ledger: RowLedger, result: ImportResult
) -> None:
    """Remove the rows that are not `present`; raises DataFileError if there are none at all."""
    if present.unread:
        result.notes.append(
            f"no row was removed, because the ids of {present.unread:,} bad rows cannot be read;"
            " mend these rows and import again"
        )
        return
    if present.is_empty():
        raise DataFileError(
            "the source has no row, so no row was removed; to delete all of them, drop the dataset"
        )
    result.counts += remove_absent_rows(store, target, present, ledger)


def _settle(store: Store, target: RowTarget, ledger: RowLedger, result: ImportResult) -> None:
    for keys in batches(ledger.keys_to_settle(), SETTLED_KEYS):
        settle = partial(settle_records, target=target, keys=keys, ledger=ledger)
        result.counts += store.write(settle)
        let_others_write()


def _check_strictly(spec: DatasetSpec, sources: Sequence[Source]) -> None:
    result = RowFindings()
    for _ in new_rows(spec, sources, result):
        pass
    if result.bad:
        raise DataFileError(
            f"{result.bad:,} bad rows, so nothing was imported; the first fault: {result.faults[0]}"
        )
