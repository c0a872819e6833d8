"""Reading all fields of a request or of a row."""

from __future__ import annotations

from collections.abc import Mapping

from db.errors import InputError
from db.spec.field import Field, Inputs, Value, example_of, is_required

from .field_reader import make_reader


class InputsReader:
    """Reads values by the name of their field; the inputs have the order of the fields."""

    def __init__(self, fields: Mapping[str, Field]) -> None:
        self._fields = fields
        self._readers = [(name, make_reader(name, field)) for name, field in fields.items()]

    def read(self, raw: Mapping[str, object]) -> Inputs:
        """Return the inputs in normal form; raises InputError."""
        return {
            name: read(raw[name]) if name in raw else self._default(name)
            for name, read in self._readers
        }

    def _default(self, name: str) -> Value:
        field = self._fields[name]
        if is_required(field):
            raise InputError(name, "is missing", example_of(field))
        return field.default
