"""The inputs in the rows of a file, by the rules by which an import reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import TypeAlias

import msgspec

from db.errors import DataFileError
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import Inputs, IntegerField, NumberField, Value
from db.spec.validation import read_value

# Cells of a column whose values are remembered, because many rows have the same one.
_MOST_CELLS = 4096

Columns: TypeAlias = dict[str, str]


def find_columns(spec: DatasetSpec, present: Sequence[str], source: str) -> tuple[Columns, str]:
    """Return the column of each field that a table has, and a note on those it does not have.

    As for an import, only its column counts. Raises DataFileError if none is there, if one differs
    only in its case, or if one must be given.
    """
    columns = {
        name: column
        for name, column in zip(spec.fields, spec.field_columns, strict=True)
        if column in present
    }
    missing = [name for name in spec.fields if name not in columns]
    if not missing:
        return columns, ""
    _check_missing(spec, missing, present, source)
    wanted = ", ".join(_column(spec, name) for name in missing)
    return columns, f"has no column {wanted}, so these values are missing in each row"


def _column(spec: DatasetSpec, name: str) -> str:
    return spec.field_columns[list(spec.fields).index(name)]


def _check_missing(
    spec: DatasetSpec, missing: Sequence[str], present: Sequence[str], source: str
) -> None:
    lowered = {name.lower(): name for name in present}
    for name in missing:
        column = _column(spec, name)
        if other := lowered.get(column.lower()):
            raise DataFileError(
                f"{source}: has the column {other}, but {spec.name} reads {column}; write it like"
                " this in the file"
            )
    if len(missing) == len(spec.fields):
        wanted = ", ".join(spec.field_columns)
        raise DataFileError(
            f"{source}: has none of the columns of {spec.name}: {wanted}; it has"
            f" {', '.join(present) or 'no columns'}"
        )
    if required := [name for name in missing if name in spec.required]:
        wanted = ", ".join(_column(spec, name) for name in required)
        raise DataFileError(
            f"{source}: has no column {wanted}, which {spec.name} needs for each prediction"
        )


class _CellValues(dict[str, Value]):
    """The values of a field by the cells of its column; a new cell is read by the spec's rules."""

    def __init__(self, spec: DatasetSpec, name: str) -> None:
        super().__init__()
        self._name = name
        self._column = _column(spec, name)
        self._field = field = spec.fields[name]
        self._spec = msgspec.structs.replace(spec, fields={name: field})
        is_number = isinstance(field, NumberField | IntegerField)
        self._is_plain = not (is_number and spec.cell_format(getattr(field, "format", "")))

    def __missing__(self, cell: str) -> Value:
        text = cell.strip()
        if self._is_plain and text and text not in self._spec.missing:
            # Half of the time of `pick_inputs`, which does the same with such a cell.
            value = read_value(self._name, self._field, text)
        else:
            value = self._spec.pick_inputs({self._column: text} if text else {})[self._name]
        if len(self) >= _MOST_CELLS:
            self.clear()
        self[cell] = value
        return value


class CellInputs:
    """Reads the inputs of rows of text by the positions of their cells."""

    def __init__(self, spec: DatasetSpec, names: Sequence[str], columns: Columns) -> None:
        self._spec = spec
        self._names = tuple(name for name in spec.fields if name in columns)
        # Those without a column, which need not be given, and all others in the spec's order.
        self._defaults = {name: field.default for name, field in spec.fields.items()}
        positions = [names.index(columns[name]) for name in self._names]
        self._needed = max(positions, default=0) + 1
        self._pick = _picker(positions)
        self._values = [_CellValues(spec, name) for name in self._names]

    def read(self, cells: list[str]) -> Inputs:
        """Return the inputs of a row; raises InputError."""
        if len(cells) < self._needed:
            cells = cells + [""] * (self._needed - len(cells))
        given = self._pick(cells)
        values = [values[cell] for values, cell in zip(self._values, given, strict=True)]
        inputs: Inputs = dict(zip(self._names, values, strict=True))
        if len(inputs) < len(self._defaults):
            inputs = {**self._defaults, **inputs}
        return _checked(self._spec, inputs)


def _picker(positions: list[int]) -> Callable[[list[str]], Sequence[str]]:
    if len(positions) > 1:
        return itemgetter(*positions)
    # With one position, itemgetter would return the cell itself.
    first = positions[0]
    return lambda cells: (cells[first],)


class ValueInputs:
    """Reads the inputs of rows of named values."""

    def __init__(self, spec: DatasetSpec) -> None:
        self._spec = spec

    def read(self, values: Mapping[str, object]) -> Inputs:
        """Return the inputs of a row; raises InputError."""
        return _checked(self._spec, self._spec.pick_inputs(dict(values)))


def _checked(spec: DatasetSpec, inputs: Inputs) -> Inputs:
    """Return the inputs; raises InputError, as a request gets it, if there are none."""
    values = list(inputs.values())
    if values[0] is None and values.count(None) == len(values):
        return spec.read_inputs({})
    return inputs
