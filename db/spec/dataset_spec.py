"""The spec of a dataset: its fields, its target, its enrichers and its model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from db.errors import InputError

from .field import (
    BooleanField,
    ChoiceField,
    Field,
    Inputs,
    IntegerField,
    NumberField,
    TextField,
    Value,
    example_of,
)
from .normalization import plain_number
from .record_key import key_of
from .validation import read_value

_NUMBERS = (NumberField, IntegerField)
# In a file with decimal commas, a point before three digits may separate thousands.
_THOUSANDS_POINT = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+")


class EnricherSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The configuration of one enricher of a dataset."""

    use: str = ""
    """A built-in enricher or a dotted path; if empty, the built-in one with this name."""
    reads: tuple[str, ...] = ()
    """Fields and other enrichers; if empty, all fields that the enricher accepts."""
    config: dict[str, Any] = {}


class DatasetSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of record: typed input fields, a target, enrichers and a model."""

    name: str
    kind: Literal["classification", "regression"]
    target: str
    fields: dict[str, TextField | ChoiceField | NumberField | IntegerField | BooleanField]
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

    @property
    def required(self) -> tuple[str, ...]:
        """The names of the fields that have no default."""
        return tuple(name for name, field in self.fields.items() if field.default is None)

    @property
    def flat_routes(self) -> tuple[str, ...]:
        """The flat route and its route for supported languages; empty if there is no flat route."""
        route = self.flat_route
        return (route, f"{route}-supported-languages") if route else ()

    def read_inputs(self, raw: Mapping[str, object]) -> Inputs:
        """Return the inputs in normal form, with defaults filled in; raises InputError."""
        for name in raw:
            if name not in self.fields:
                raise InputError(
                    name, f"is not a field of {self.name}; its fields are {', '.join(self.fields)}"
                )
        return self._read_fields(raw)

    def pick_inputs(self, row: Mapping[str, object]) -> Inputs:
        """Return the inputs of a data file's row in normal form; other columns are ignored."""
        raw = {
            name: self._cell(name, row[field.column or name], isinstance(field, _NUMBERS))
            for name, field in self.fields.items()
            if (field.column or name) in row and row[field.column or name] not in self.missing
        }
        return self._read_fields(raw)

    def pick_label(self, row: Mapping[str, object]) -> str | None:
        """Return the label of a data file's row, None if it is missing; raises InputError."""
        raw = row.get(self.target)
        if raw in self.missing:
            return None
        return self.read_label(self._cell(self.target, raw, self.kind == "regression"))

    def _cell(self, name: str, raw: object, is_number: bool) -> object:  # noqa: FBT001
        """Return a cell of a data file as a request would send it; raises InputError."""
        if not (is_number and self.decimal == "," and isinstance(raw, str)):
            return raw
        if _THOUSANDS_POINT.fullmatch(raw.strip()):
            reason = f"{raw.strip()} can be a decimal number or a whole number"
            raise InputError(name, f"{reason}; write 2,5 or 2500", "2,5")
        return plain_number(raw)

    @property
    def columns(self) -> set[str]:
        """The columns of a data file that are read, including the target's."""
        return {field.column or name for name, field in self.fields.items()} | {self.target}

    def _read_fields(self, raw: Mapping[str, object]) -> Inputs:
        return {name: self._read_field(name, field, raw) for name, field in self.fields.items()}

    def _read_field(self, name: str, field: Field, raw: Mapping[str, object]) -> Value:
        if name not in raw:
            if field.default is not None:
                return read_value(name, field, field.default) if field.default != "" else ""
            raise InputError(name, "is missing", self.example_inputs()[name])
        return read_value(name, field, raw[name])

    def example_inputs(self) -> Inputs:
        """Return one valid set of inputs."""
        return {name: example_of(field) for name, field in self.fields.items()}

    def read_label(self, raw: object) -> str | None:
        """Return the label as it is stored, None if it is missing; raises InputError."""
        if raw is None or raw == "":
            return None
        if self.kind == "regression":
            return repr(float(read_value(self.target, NumberField(), raw)))
        if isinstance(raw, bool):
            raw = str(raw).lower()
        elif isinstance(raw, int | float):
            raw = str(read_value(self.target, NumberField(), raw))
        label = str(read_value(self.target, TextField(max_length=200), raw))
        if self.labels and label not in self.labels:
            raise InputError(self.target, f"must be one of {', '.join(self.labels)}")
        return label

    def key(self, inputs: Mapping[str, Value]) -> bytes:
        """Return the key of inputs in normal form."""
        return key_of(inputs[name] for name in self.fields)


def encode_spec(spec: DatasetSpec) -> str:
    """Return the spec as JSON text; the order of its fields is kept."""
    return msgspec.json.encode(spec).decode()


def decode_spec(text: str) -> DatasetSpec:
    """Return the spec from the JSON text of `encode_spec`."""
    return msgspec.json.decode(text, type=DatasetSpec)
