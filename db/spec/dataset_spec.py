"""A dataset's spec: what its records hold, what is predicted, and how."""

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
    plain_number,
    read_value,
)
from .key import key_of

_NUMBERS = (NumberField, IntegerField)
# Where numbers have decimal commas, a point before three digits more likely ends a thousand.
_POINT_OF_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+")


class EnricherSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One enricher of a dataset."""

    use: str = ""
    """A built-in enricher or a dotted path; left out, the enricher's own name."""
    reads: tuple[str, ...] = ()
    """Fields and other enrichers; left out, all fields that the enricher can take."""
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
    """The decimal mark in data files."""
    missing: tuple[str, ...] = ()
    """What data files say where there is nothing, beside an empty cell."""

    @property
    def required(self) -> tuple[str, ...]:
        """Return the names of the fields that have no default."""
        return tuple(name for name, field in self.fields.items() if field.default is None)

    @property
    def flat_routes(self) -> tuple[str, ...]:
        """The flat route and the one of its languages, if there are any."""
        route = self.flat_route
        return (route, f"{route}-supported-languages") if route else ()

    def read_inputs(self, raw: Mapping[str, object]) -> Inputs:
        """Return the inputs in their one form, defaults filled in; raises InputError."""
        for name in raw:
            if name not in self.fields:
                raise InputError(
                    name, f"is no field of {self.name}, which has {', '.join(self.fields)}"
                )
        return self._read_fields(raw)

    def pick_inputs(self, row: Mapping[str, object]) -> Inputs:
        """Return the inputs of a data file's row in their one form; other columns do not count."""
        raw = {
            name: self._cell(name, row[field.column or name], isinstance(field, _NUMBERS))
            for name, field in self.fields.items()
            if (field.column or name) in row and row[field.column or name] not in self.missing
        }
        return self._read_fields(raw)

    def pick_label(self, row: Mapping[str, object]) -> str | None:
        """Return the label of a data file's row; raises InputError."""
        raw = row.get(self.target)
        if raw in self.missing:
            return None
        return self.read_label(self._cell(self.target, raw, self.kind == "regression"))

    def _cell(self, name: str, raw: object, is_number: bool) -> object:  # noqa: FBT001
        """Return a cell of a data file as a question would say it; raises InputError."""
        if not (is_number and self.decimal == "," and isinstance(raw, str)):
            return raw
        if _POINT_OF_THOUSANDS.fullmatch(raw.strip()):
            reason = f"{raw.strip()} can be a decimal number or a whole one"
            raise InputError(name, f"{reason}; write 2,5 or 2500", "2,5")
        return plain_number(raw)

    @property
    def columns(self) -> set[str]:
        """The columns of a data file that count, the target's included."""
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
        """Return the label as stored, or None where there is none; raises InputError."""
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
        """Return the key of inputs in their one form."""
        return key_of(inputs[name] for name in self.fields)


def encode_spec(spec: DatasetSpec) -> str:
    """Return the spec as JSON text, its fields in their order."""
    return msgspec.json.encode(spec).decode()


def decode_spec(text: str) -> DatasetSpec:
    """Return the spec that `encode_spec` wrote."""
    return msgspec.json.decode(text, type=DatasetSpec)
