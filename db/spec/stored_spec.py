"""A dataset's spec as the store keeps it: JSON, which newer versions of the code may extend."""

from __future__ import annotations

from typing import Any, get_args

import msgspec

from db.errors import SpecError

from .dataset_spec import DatasetSpec
from .field import Field
from .section import EnricherSpec, PublicationSpec, SourceSpec


class DamagedSpec(SpecError):
    """The stored spec is damaged."""


_FIELDS = {kind.__struct_config__.tag: kind for kind in get_args(Field)}


def encode_spec(spec: DatasetSpec) -> str:
    """Return the spec as JSON text; the order of its fields is kept, defaults are left out."""
    return msgspec.json.encode(spec).decode()


def decode_spec(text: str) -> DatasetSpec:
    """Return the spec from the JSON text of `encode_spec`, as far as this code knows its keys.

    A newer version may have added keys; after a rollback they are ignored. Raises SpecError for a
    spec that cannot be read without them, and DamagedSpec for text that is no spec.
    """
    try:
        raw = _without_unknown(msgspec.json.decode(text))
        name = str(raw["name"])
    except Exception as error:
        # Any part of it may be missing, or of another kind than this code expects.
        raise DamagedSpec(_one_line(f"{type(error).__name__}: {error}")) from error
    try:
        return msgspec.convert(raw, DatasetSpec)
    except (msgspec.ValidationError, RecursionError) as error:
        message = f"the spec of {name} needs a newer version of this code: {error}"
        raise SpecError(_one_line(message)) from None


def _one_line(text: str) -> str:
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())[:500]


def _without_unknown(raw: dict[str, Any]) -> dict[str, Any]:
    for field in raw["fields"].values():
        if field["type"] in _FIELDS:
            _drop_unknown(field, {"type", *_FIELDS[field["type"]].__struct_fields__})
    for enricher in raw.get("enrichers", {}).values():
        _drop_unknown(enricher, {*EnricherSpec.__struct_fields__})
    for name, kind in (("source", SourceSpec), ("publish", PublicationSpec)):
        if raw.get(name):
            _drop_unknown(raw[name], {*kind.__struct_fields__})
    _drop_unknown(raw, {*DatasetSpec.__struct_fields__})
    return raw


def _drop_unknown(values: dict[str, Any], known: set[str]) -> None:
    for name in values.keys() - known:
        del values[name]
