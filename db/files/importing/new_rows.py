"""The rows of sources as rows to be written, and what is to be said about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from db.errors import InputError
from db.files.reader import BadRows
from db.files.source_file import Source, SourceRow
from db.ingestion.present_ids import PresentIds
from db.ingestion.row import NewRow
from db.records.encoded_inputs import batches
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import Inputs
from db.spec.reading.data_row import DataRowReader
from db.spec.record_key import key_of

# Keys are hashes, so each batch changes pages all over their indexes: with the fewer rows, the more
# often each page is written.
BATCH_ROWS = 20_000
# Correcting a row takes several times as long as adding one.
CORRECTED_ROWS = 5000
# Rows of many or long values make smaller batches; each value counts as some characters more.
BATCH_CHARACTERS = 16 << 20
VALUE_CHARACTERS = 40


@dataclass
class RowFindings(BadRows):
    """What the rows of an import were like; `labelled` counts those with a label."""

    unused: set[str] = field(default_factory=set)
    labelled: int = 0


def new_rows(
    spec: DatasetSpec,
    sources: Sequence[Source],
    findings: RowFindings,
    present: PresentIds | None = None,
) -> Iterator[NewRow]:
    """Yield the rows of sources that are good; with `present`, add all row ids to it."""
    reader = DataRowReader(spec)
    for source in sources:
        for row in _with_ids_noted(spec, source.rows(), present):
            new = _new_row(reader, spec.columns, source.name, row, findings)
            if new is not None:
                yield new


def row_batches(rows: Iterable[NewRow], *, may_correct: bool) -> Iterator[list[NewRow]]:
    """Yield lists of rows, each of which is written in a transaction."""
    most = min(CORRECTED_ROWS, BATCH_ROWS) if may_correct else BATCH_ROWS
    batch: list[NewRow] = []
    characters = 0
    for row in rows:
        batch.append(row)
        characters += _characters(row.inputs)
        if len(batch) >= most or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _characters(inputs: Inputs) -> int:
    texts = [value for value in inputs.values() if type(value) is str]
    return VALUE_CHARACTERS * len(inputs) + sum(map(len, texts))


def _with_ids_noted(
    spec: DatasetSpec, rows: Iterator[SourceRow], present: PresentIds | None
) -> Iterator[SourceRow]:
    if present is None:
        yield from rows
        return
    for batch in batches(rows, CORRECTED_ROWS):
        _add_ids(spec, batch, present)
        yield from batch


def _add_ids(spec: DatasetSpec, rows: Sequence[SourceRow], present: PresentIds) -> None:
    """Note the ids of rows, also of those with bad values: they are not missing."""
    ids: set[str] = set()
    for row in rows:
        try:
            ids.add(spec.pick_row_id(row.values) or "")
        except InputError:
            present.unread += 1
    present.add(ids)


def _new_row(
    reader: DataRowReader,
    columns: AbstractSet[str],
    source: str,
    row: SourceRow,
    findings: RowFindings,
) -> NewRow | None:
    if row.fault:
        findings.add_fault(source, row.line, row.fault)
        return None
    if not row.values.keys() <= columns:
        findings.unused.update(row.values.keys() - columns)
    try:
        inputs, label, row_id = reader.read(row.values)
    except InputError as error:
        findings.add_fault(source, row.line, str(error))
        return None
    findings.labelled += label is not None
    # The inputs have the order of the spec.
    return NewRow(key_of(list(inputs.values())), inputs, label, row_id)
