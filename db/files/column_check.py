"""Whether a source has the columns that a dataset reads."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

from db.errors import DataFileError
from db.spec.dataset_spec import DatasetSpec

from .source_file import Layout, Source

# JSON has no header: its columns are the names in so many rows.
SAMPLE_ROWS = 1000


def missing_columns(spec: DatasetSpec, source: Source, layout: Layout) -> list[str]:
    """Return the fields' columns that a source does not have; raises DataFileError if it has none.

    With row ids, raises DataFileError if it lacks any: its rows would lose the values of these
    columns.
    """
    present = _columns_of(source, layout)
    if not present:
        return []
    _check_case(spec, source, present)
    missing = [column for column in spec.field_columns if column not in present]
    if len(missing) == len(spec.fields):
        raise DataFileError(
            f"{source.name}: has none of the columns of {spec.name}: {', '.join(sorted(missing))};"
            f" it has {', '.join(present)}"
        )
    if missing and spec.id:
        raise DataFileError(
            f"{source.name}: has no column {', '.join(missing)}, so its rows would lose these"
            f" values; add the column, with empty cells where there is no value"
        )
    return missing


def _check_case(spec: DatasetSpec, source: Source, present: Collection[str]) -> None:
    """Raise DataFileError if a column differs only in its case, or the id's column is missing."""
    lowered = {name.lower(): name for name in present}
    for column in sorted(spec.columns - set(present)):
        if column.lower() in lowered:
            raise DataFileError(
                f"{source.name}: has the column {lowered[column.lower()]}, but {spec.name} reads"
                f" {column}; name it like this"
            )
        if column == spec.row_id_column:
            raise DataFileError(
                f"{source.name}: has no column {column}, which identifies the rows of {spec.name}"
            )


def _columns_of(source: Source, layout: Layout) -> dict[str, None]:
    """Return the names of a source's columns, in order; none if it has no rows."""
    rows = [row.values for row in islice(source.rows(), SAMPLE_ROWS)]
    names = layout.names if rows else ()
    return dict.fromkeys([*names, *(name for row in rows for name in row)])
