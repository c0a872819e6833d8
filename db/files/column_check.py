"""Whether a file has the columns that a dataset reads."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from db.errors import DataFileError
from db.spec.dataset_spec import DatasetSpec

from .reader import read_layout, read_rows

# JSON has no header: its columns are the names in so many rows.
SAMPLE_ROWS = 1000


def missing_columns(spec: DatasetSpec, path: Path) -> list[str]:
    """Return the fields' columns that a file does not have; raises DataFileError if it has none.

    With row ids, raises DataFileError if it lacks any: its rows would lose the values of these
    columns.
    """
    present = _columns_of(path)
    if not present:
        return []
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


def _columns_of(path: Path) -> dict[str, None]:
    """Return the names of a file's columns, in order; none if it has no rows."""
    rows = [row.values for row in islice(read_rows(path), SAMPLE_ROWS)]
    names = read_layout(path).names if rows else ()
    return dict.fromkeys([*names, *(name for row in rows for name in row)])
