"""What the commands that import rows report."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime

from db.files.importer import ImportResult
from db.files.labels.label_import import LabelImport
from db.spec.dataset_spec import DatasetSpec

from .console import counted


def describe_import(result: ImportResult) -> str:
    """Return what became of the rows, in one line."""
    if result.added_before is not None:
        day = datetime.fromtimestamp(result.added_before, UTC).date()
        return (
            f"this file was imported before, on {day}, so nothing was added; rows that were deleted"
            " since then stay deleted"
        )
    counts = dataclasses.asdict(result.counts)
    records = counts.pop("records")
    shown = {
        name: count
        for name, count in {**counts, "skipped": result.bad}.items()
        if count or name in {"added", "corrected", "unchanged", "skipped"}
    }
    parts = ", ".join(f"{count:,} {outcome}" for outcome, count in shown.items())
    total = counted(result.rows + result.bad, "row")
    return f"{total}: {parts}; {counted(records, 'new record')}"


def describe_labels_import(result: LabelImport) -> str:
    """Return what became of the labels, in one line."""
    counts = result.counts
    parts = {
        "added": counts.added,
        "corrected": counts.corrected,
        "unchanged": counts.unchanged,
        "skipped": result.bad,
    }
    shown = ", ".join(f"{count:,} {outcome}" for outcome, count in parts.items())
    line = f"{counted(result.rows + result.bad, 'label')}: {shown}"
    line += f"; {counts.judged:,} compared with an answer, {counted(counts.records, 'new record')}"
    return line if not result.without else f"{line}; {result.without:,} rows have no label"


def import_warnings(result: ImportResult, spec: DatasetSpec) -> Iterator[str]:
    """Yield a line for each thing that a user should know about an import besides its counts."""
    yield from result.notes
    yield from result.faults
    if result.bad > len(result.faults):
        yield f"and {counted(result.bad - len(result.faults), 'more bad row')}"
    if repeated := result.counts.repeated:
        rows = counted(repeated, "row")
        yield f"{rows} with the {spec.id} of an earlier row; the last one counts"
    if result.unused:
        yield f"unused columns: {', '.join(sorted(result.unused))}"
    if result.rows and not result.labelled:
        yield f"no row has a value for {spec.target}, so these rows cannot be used for training"
