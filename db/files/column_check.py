"""Whether a file has the columns that a dataset reads."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from pathlib import Path

from db.errors import DataFileError
from db.spec.dataset_spec import DatasetSpec

from .reader import Layout, read_rows

# JSON has no header: its columns are the names in so many rows.
SAMPLE_ROWS = 1000


def missing_columns(spec: DatasetSpec, path: Path, layout: Layout) -> list[str]:
    """Return the fields' columns that a file does not have; raises DataFileError if it has none.

    With row ids, raises DataFileError if it lacks any: its rows would lose the values of these
    columns.
    """
    present = _columns_of(path, layout)
    if not present:
        return []
    _check_case(spec, path, present)
    missing = [column for column in spec.field_columns if column not in present]
    if len(missing) == len(spec.fields):
        raise DataFileError(
            f"{path}: has none of the columns of {spec.name}: {', '.join(sorted(missing))};"
            f" it has {', '.join(present)}"
        )
    if missing and spec.id:
        raise DataFileError(
            f"{path}: has no column {', '.join(missing)}, so its rows would lose these values; add"
            f" the column, with empty cells where there is no value"
        )
    return missing


def _check_case(spec: DatasetSpec, path: Path, present: Collection[str]) -> None:
    """Raise DataFileError if a column differs only in its case, or the id's column is missing."""
    lowered = {name.lower(): name for name in present}
    for column in sorted(spec.columns - set(present)):
        if column.lower() in lowered:
            raise DataFileError(
                f"{path}: has the column {lowered[column.lower()]}, but {spec.name} reads {column};"
                f" write it like this in the file"
            )
        if column == spec.row_id_column:
            raise DataFileError(
                f"{path}: has no column {column}, which identifies the rows of {spec.name}"
            )


def _columns_of(path: Path, layout: Layout) -> dict[str, None]:
    """Return the names of a file's columns, in order; none if it has no rows."""
    rows = [row.values for row in islice(read_rows(path), SAMPLE_ROWS)]
    names = layout.names if rows else ()
    return dict.fromkeys([*names, *(name for row in rows for name in row)])
