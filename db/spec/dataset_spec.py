"""The spec of a dataset: its fields, its target, its enrichers and its model."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from functools import cached_property
from typing import Literal

import msgspec

from db.errors import InputError

from .field import (
    BooleanField,
    ChoiceField,
    DateField,
    DatetimeField,
    Field,
    Inputs,
    IntegerField,
    NumberField,
    TextField,
    Value,
    example_of,
    is_required,
)
from .normalization import normal_number
from .reading.inputs_reader import InputsReader
from .record_key import key_of
from .section import EnricherSpec, PublicationSpec, SourceSpec
from .validation import read_cell_number, read_value

# The step of a plan that predicts; no enricher may have this name.
PREDICTION = "prediction"
MAX_LABEL_CHARACTERS = 200
MAX_ROW_ID_CHARACTERS = 200
# What programs write where there is no row id.
NO_ROW_ID = frozenset(("", "nan", "null", "#n/a", "<na>", "?"))
_WHOLE_AS_DECIMAL = re.compile(r"[0-9]{1,20}\.0+")
# How numbers are written in data files of a spec with `decimal = ","`.
_DECIMAL_COMMA_FORMAT = "1 234,5"


class DatasetSpec(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    dict=True,
):
    """A kind of record: typed input fields, a target, enrichers and a model."""

    name: str
    kind: Literal["classification", "regression"]
    target: str
    target_format: str = ""
    """How the number 1234.5 is written in the target's column, such as $1,234.5."""
    target_missing: tuple[str, ...] = ()
    """Words or numbers that mean "no label" in the target's column."""
    id: str = ""
    """The name by which a row is looked up, if a column identifies the rows."""
    id_column: str = ""
    """The column of the row id in data files, if it has another name."""
    fields: dict[
        str,
        TextField
        | ChoiceField
        | NumberField
        | IntegerField
        | BooleanField
        | DateField
        | DatetimeField,
    ]
    title: str = ""
    labels: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    enrichers: dict[str, EnricherSpec] = {}
    teacher: str = "default"
    flat_route: str | None = None
    remember: bool = True
    retain_days: int = 30
    distil_requests: bool = False
    decimal: Literal[".", ","] = "."
    """The decimal mark of numbers in data files."""
    missing: tuple[str, ...] = ()
    """Values that mean "missing" in data files, in addition to an empty cell."""
    source: SourceSpec | None = None
    publish: PublicationSpec | None = None

    @property
    def required(self) -> tuple[str, ...]:
        """The names of the fields that must be given."""
        return tuple(name for name, field in self.fields.items() if is_required(field))

    @property
    def flat_routes(self) -> tuple[str, ...]:
        """The flat route and its route for supported languages; empty if there is no flat route."""
        route = self.flat_route
        return (route, f"{route}-supported-languages") if route else ()

    def read_inputs(self, raw: Mapping[str, object]) -> Inputs:
        """Return the inputs of a request in normal form; raises InputError.

        A value may have the name of its field or of its column. A row id beside inputs is ignored.
        """
        is_usual = raw.keys() <= self.fields.keys()
        inputs = self._reader.read(raw if is_usual else self._by_field(raw))
        # The first value is usually there.
        if next(iter(inputs.values())) is None and not any(
            value is not None for value in inputs.values()
        ):
            first = next(iter(self.fields))
            raise InputError(
                first, f"is missing; give at least one field of {self.name}", self._example(first)
            )
        return inputs

    def _by_field(self, raw: Mapping[str, object]) -> dict[str, object]:
        """Return the values of a request by the name of their field; raises InputError."""
        given: dict[str, object] = {}
        for name, value in raw.items():
            field = self._names.get(name)
            if field is None:
                raise InputError(
                    name, f"is not a field of {self.name}; its fields are {', '.join(self.fields)}"
                )
            if field in given:
                raise InputError(field, f"is given twice, once as {name}")
            if field:
                given[field] = value
            elif value is not None and value != "":
                self.read_row_id(value)
        return given

    @cached_property
    def _reader(self) -> InputsReader:
        return InputsReader(self.fields)

    @cached_property
    def _names(self) -> dict[str, str]:
        """The field by each name that a request may use for it; "" for the row id."""
        columns = {field.column: name for name, field in self.fields.items() if field.column}
        ids = dict.fromkeys((self.id, self.id_column or self.id), "") if self.id else {}
        return ids | columns | {name: name for name in self.fields}

    def pick_inputs(self, row: Mapping[str, object]) -> Inputs:
        """Return the inputs of a data file's row in normal form; other columns are ignored."""
        raw = {
            name: self._cell(name, self.fields[name], row[column])
            for name, column in self._columns.items()
            if column in row and row[column] not in self.missing
        }
        return self._reader.read(raw)

    @cached_property
    def _columns(self) -> dict[str, str]:
        """The column in data files of each field, as readers of files normalise it."""
        return {name: _header(field.column or name) for name, field in self.fields.items()}

    def pick_label(self, row: Mapping[str, object]) -> str | None:
        """Return the label of a data file's row, None if it is missing; raises InputError."""
        raw = row.get(self.target_column)
        if raw in self.missing:
            return None
        if isinstance(raw, Decimal):
            raw = float(raw) if self.kind == "regression" else _digits(raw)
        if isinstance(raw, str) and self.kind == "regression":
            raw = self._cell_number(self.target, raw, self.target_format)
        return self.read_label(raw)

    def is_row_id_alone(self, names: Collection[str]) -> bool:
        """Return whether a request with values of these names gives a row id and nothing else."""
        return len(names) == 1 and bool(self.id) and self._names.get(next(iter(names))) == ""

    @cached_property
    def request_names(self) -> frozenset[str]:
        """All names that a request may use: of fields, of their columns, and of the row id."""
        return frozenset(self._names)

    def pick_row_id(self, row: Mapping[str, object]) -> str | None:
        """Return the id of a row of a file or request, None without one; raises InputError."""
        if not self.id:
            return None
        return self.read_row_id(row.get(self.row_id_column, row.get(self.id)))

    def read_row_id(self, raw: object) -> str:
        """Return a row id in its normal form, which is text; raises InputError."""
        if isinstance(raw, Decimal):
            raw = _digits(raw)
        if isinstance(raw, int | float) and not isinstance(raw, bool):
            raw = str(normal_number(raw))
        if raw is None or (isinstance(raw, str) and raw.strip().lower() in NO_ROW_ID):
            raise InputError(self.id, "is missing; it identifies the row")
        if isinstance(raw, str) and _WHOLE_AS_DECIMAL.fullmatch(raw.strip()):
            # Programs write whole numbers as decimals as soon as one is missing.
            raw = raw.strip().partition(".")[0]
        return str(read_value(self.id, TextField(max_length=MAX_ROW_ID_CHARACTERS), raw))

    def _cell(self, name: str, field: Field, raw: object) -> object:
        """Return a cell of a data file as a request would send it; raises InputError."""
        if isinstance(raw, Decimal):
            return _digits(raw) if isinstance(field, TextField | ChoiceField) else float(raw)
        if isinstance(field, TextField | ChoiceField) and isinstance(raw, bool | int | float):
            # JSON files have codes as numbers.
            return str(raw).lower() if isinstance(raw, bool) else str(normal_number(raw))
        if isinstance(field, NumberField | IntegerField) and isinstance(raw, str):
            return raw if raw in field.missing else self._cell_number(name, raw, field.format)
        return raw

    def _cell_number(self, name: str, raw: str, number_format: str) -> float | str:
        used = self.cell_format(number_format)
        if not used:
            return raw
        try:
            return read_cell_number(raw, used)
        except ValueError as error:
            raise InputError(name, str(error), self._example(name)) from None

    def cell_format(self, number_format: str) -> str:
        """Return the format of a column's numbers in data files, "" if they are plain."""
        return number_format or (_DECIMAL_COMMA_FORMAT if self.decimal == "," else "")

    def _example(self, name: str) -> Value:
        return example_of(self.fields[name]) if name in self.fields else None

    @cached_property
    def target_column(self) -> str:
        """The column of the target in data files."""
        return _header(self.target)

    @cached_property
    def _target_field(self) -> NumberField:
        """The field by which the numbers of a regression's target are read."""
        return NumberField(format=self.target_format, missing=self.target_missing, optional=True)

    @cached_property
    def row_id_column(self) -> str:
        """The column of the row id in data files, "" if rows have none."""
        return _header(self.id_column or self.id)

    @property
    def field_columns(self) -> tuple[str, ...]:
        """The columns of the fields in data files."""
        return tuple(self._columns.values())

    @cached_property
    def columns(self) -> set[str]:
        """The columns of a data file that are read, including the target's and the row id's."""
        ids = {self.row_id_column} - {""}
        return {*self._columns.values(), self.target_column} | ids

    def example_inputs(self) -> Inputs:
        """Return one valid set of inputs."""
        return {name: example_of(field) for name, field in self.fields.items()}

    def read_label(self, raw: object) -> str | None:
        """Return the label as it is stored, None if it is missing; raises InputError."""
        if raw is None or (isinstance(raw, str) and raw.strip() in {"", *self.target_missing}):
            return None
        if self.kind == "regression":
            number = read_value(self.target, self._target_field, raw)
            return None if number is None else repr(float(number))
        if isinstance(raw, bool):
            raw = str(raw).lower()
        elif isinstance(raw, int | float):
            raw = str(read_value(self.target, NumberField(), raw))
        label = str(read_value(self.target, TextField(max_length=MAX_LABEL_CHARACTERS), raw))
        if self.labels and label not in self.labels:
            raise InputError(self.target, f"must be one of {', '.join(self.labels)}")
        return label

    def key(self, inputs: Mapping[str, Value]) -> bytes:
        """Return the key of inputs in normal form."""
        return key_of([inputs[name] for name in self.fields])


def _digits(number: Decimal) -> str:
    """Return a decimal number of a database as CSV has it, with all its digits."""
    return format(number, "f")


def _header(name: str) -> str:
    """Return a column's name as readers of files normalise it, without line breaks."""
    return " ".join(name.split())


def date_fields(spec: DatasetSpec) -> Iterator[tuple[str, bool]]:
    """Yield the name of each date field, and whether it has a time of day."""
    for name, field in spec.fields.items():
        if isinstance(field, DateField | DatetimeField):
            yield name, isinstance(field, DatetimeField)
