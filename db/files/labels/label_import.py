"""Import labels from data files: rows that say what turned out to be true of records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from db.errors import DataFileError, InputError, ToldLabelsRefused
from db.files.reader import BadRows, Source, SourceRow, check_rows, open_source
from db.labels.told_label import REQUEST_ID, ToldLabel, read_request_id
from db.labels.truth import TellCounts, tell_labels
from db.records.dataset import Dataset
from db.records.encoded_inputs import batches
from db.spec.dataset_spec import DatasetSpec
from db.store.store import Store, let_others_write

# A batch is one transaction, which holds up other writers.
BATCH_LABELS = 500


@dataclass
class LabelImport(BadRows):
    """The result of an import of labels; `without` rows have no label and were passed over."""

    counts: TellCounts = field(default_factory=TellCounts)
    rows: int = 0
    without: int = 0


class _PlacedLabel(NamedTuple):
    """A label, and the source and line that it comes from."""

    source: str
    line: int
    told: ToldLabel


def import_labels(
    store: Store,
    dataset: Dataset,
    paths: Sequence[Path],
    author: str,
    expect: Callable[[int], None] = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
) -> LabelImport:
    """Tell the labels of files, in one transaction for each batch; bad rows are reported.

    A row names what its label is the truth of: by the column of row ids if the dataset has one and
    the cell is not empty, else by the column `request_id`, the columns of the fields, or both.
    Importing a file again changes nothing. Raises DataFileError before anything is written if a
    file cannot be read to its end, and afterwards if no row could be used.

    `expect` is told how many rows the files have, and `progress` how many more are done.
    """
    result = LabelImport()
    with ExitStack() as opened:
        sources = [opened.enter_context(open_source(path)) for path in paths]
        expect(sum(map(check_rows, sources)))
        placed = _read_labels(dataset.spec, sources, result)
        for batch in batches(placed, BATCH_LABELS):
            result.counts += _tell(store, dataset, batch, author, result)
            progress(len(batch))
            let_others_write()
    if result.bad and not result.rows:
        raise DataFileError(f"no label could be used; the first fault: {result.faults[0]}")
    if not result.rows:
        raise DataFileError(f"no row has a value for {dataset.spec.target}, so there is no label")
    return result


def _tell(
    store: Store,
    dataset: Dataset,
    batch: Sequence[_PlacedLabel],
    author: str,
    result: LabelImport,
) -> TellCounts:
    """Tell a batch of labels without those that cannot be told, which are reported."""
    while batch:
        told = [placed.told for placed in batch]
        work = partial(tell_labels, dataset=dataset, items=told, author=author)
        try:
            counts = store.write(work)
        except ToldLabelsRefused as refused:
            for at, fault in refused.faults.items():
                result.add_fault(batch[at].source, batch[at].line, str(fault))
            batch = [placed for at, placed in enumerate(batch) if at not in refused.faults]
        else:
            result.rows += len(batch)
            return counts
    return TellCounts()


def _read_labels(
    spec: DatasetSpec, sources: Sequence[Source], result: LabelImport
) -> Iterator[_PlacedLabel]:
    for source in sources:
        for row in source.rows():
            try:
                told = _read_label(spec, row)
            except InputError as error:
                result.add_fault(source.name, row.line, str(error))
                continue
            if told is None:
                result.without += 1
            else:
                yield _PlacedLabel(source.name, row.line, told)


def _read_label(spec: DatasetSpec, row: SourceRow) -> ToldLabel | None:
    """Return the label of a row, None if it has none; raises InputError."""
    if row.fault:
        raise InputError("row", row.fault)
    label = spec.pick_label(row.values)
    if label is None:
        return None
    if _has_value(row, spec.row_id_column) or _has_value(row, spec.id):
        return ToldLabel(label, row_id=spec.pick_row_id(row.values))
    request_id = None
    if REQUEST_ID not in spec.request_names and _has_value(row, REQUEST_ID):
        request_id = read_request_id(str(row.values[REQUEST_ID]))
    has_inputs = any(_has_value(row, column) for column in spec.field_columns)
    if not has_inputs:
        if request_id is None:
            raise InputError(REQUEST_ID, f"is missing, and so are {_subjects(spec)}")
        return ToldLabel(label, request_id=request_id)
    return ToldLabel(label, request_id=request_id, inputs=spec.pick_inputs(row.values))


def _subjects(spec: DatasetSpec) -> str:
    """Return what else a row may name."""
    return f"{spec.id} and all inputs" if spec.id else "all inputs"


def _has_value(row: SourceRow, column: str) -> bool:
    return bool(column) and row.values.get(column) not in {None, ""}
