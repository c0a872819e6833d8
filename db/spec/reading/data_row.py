"""Reading the rows of data files: a reader for each column, made once for a spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import msgspec

from db.errors import InputError
from db.spec.dataset_spec import MAX_ROW_ID_CHARACTERS, NO_ROW_ID, DatasetSpec
from db.spec.field import (
    BooleanField,
    ChoiceField,
    Field,
    Inputs,
    IntegerField,
    NumberField,
    TextField,
    Value,
    is_required,
)
from db.spec.reading.field_reader import make_reader

REMEMBERED_LABELS = 1000
# A cell and its value take up to 250 bytes.
REMEMBERED_CELLS = 4096
ALL_REMEMBERED_CELLS = 40_960

ReadCell: TypeAlias = Callable[[object], Value]
ReadLabel: TypeAlias = Callable[[object], str | None]


class DataRow(NamedTuple):
    """What a row of a data file says, in normal form."""

    inputs: Inputs
    label: str | None
    row_id: str | None


class DataRowReader:
    """Reads rows as `pick_inputs`, `pick_label` and `pick_row_id` of a spec do, in less time.

    These methods read whatever is unusual, and say what is wrong with a row.
    """

    def __init__(self, spec: DatasetSpec) -> None:
        self._spec = spec
        columns = zip(spec.fields.items(), spec.field_columns, strict=True)
        self._cells = [
            (name, column, _cell_reader(spec, name, field, column))
            for (name, field), column in columns
        ]
        self._read_label = _label_reader(spec)
        self._target_column, self._id_column = spec.target_column, spec.row_id_column

    def read(self, row: Mapping[str, object]) -> DataRow:
        """Return what a row says; raises InputError."""
        label = row.get(self._target_column)
        try:
            return DataRow(
                {name: read(row.get(column)) for name, column, read in self._cells},
                None if label is None else self._read_label(label),
                self._read_row_id(row) if self._id_column else None,
            )
        except InputError:
            # Of several faults, these methods name the same as ever.
            spec = self._spec
            return DataRow(spec.pick_inputs(row), spec.pick_label(row), spec.pick_row_id(row))

    def _read_row_id(self, row: Mapping[str, object]) -> str | None:
        raw = row.get(self._id_column)
        return raw if type(raw) is str and _is_usual_id(raw) else self._spec.pick_row_id(row)


def _is_usual_id(raw: str) -> bool:
    is_word = raw.isalnum() and raw.isascii() and len(raw) <= MAX_ROW_ID_CHARACTERS
    return is_word and raw.lower() not in NO_ROW_ID


def _cell_reader(spec: DatasetSpec, name: str, field: Field, column: str) -> ReadCell:
    """Return what reads the cells of a column; it remembers what cells of text mean."""
    read = _any_cell_reader(spec, name, field, column)
    if isinstance(field, TextField):
        return read
    size = min(REMEMBERED_CELLS, ALL_REMEMBERED_CELLS // len(spec.fields))
    remembered = lru_cache(size)(read)
    # 1, 1.0 and True are equal, but not the same value.
    return lambda raw: remembered(raw) if type(raw) is str else read(raw)


def _any_cell_reader(spec: DatasetSpec, name: str, field: Field, column: str) -> ReadCell:
    read = make_reader(name, field)
    usual, missing = _usual_types(spec, field), spec.missing
    of_field = msgspec.structs.replace(spec, fields={name: field})
    is_optional, default = not is_required(field), field.default

    def read_cell(raw: object) -> Value:
        if type(raw) in usual and raw not in missing:
            return read(raw)
        if raw is None and is_optional:
            return default
        return of_field.pick_inputs({column: raw})[name]

    return read_cell


def _usual_types(spec: DatasetSpec, field: Field) -> frozenset[type]:
    """Return the types of cells that a request would send as they are."""
    if isinstance(field, TextField | ChoiceField):
        return frozenset({str})
    if isinstance(field, NumberField | IntegerField) and spec.cell_format(field.format):
        return frozenset({int, float})
    numbers = {int, float, str}
    return frozenset(numbers | {bool} if isinstance(field, BooleanField) else numbers)


def _label_reader(spec: DatasetSpec) -> ReadLabel:
    def read(raw: object) -> str | None:
        return spec.pick_label({spec.target_column: raw})

    is_plain = not (spec.missing or spec.target_missing or spec.cell_format(spec.target_format))
    if spec.kind == "regression":
        return _number_label_reader(spec, read) if is_plain else read
    remembered = lru_cache(REMEMBERED_LABELS)(read)
    return lambda raw: remembered(raw) if type(raw) is str else read(raw)


def _number_label_reader(spec: DatasetSpec, read: ReadLabel) -> ReadLabel:
    read_number = make_reader(spec.target, NumberField(optional=True))

    def read_number_label(raw: object) -> str | None:
        if type(raw) is not str:
            return read(raw)
        number = read_number(raw)
        return None if number is None else repr(float(number))

    return read_number_label
