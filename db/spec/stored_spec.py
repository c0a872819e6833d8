"""A dataset's spec as the store keeps it: JSON, which newer versions of the code may extend."""

from __future__ import annotations

from typing import Any, get_args

import msgspec

from db.errors import SpecError

from .dataset_spec import DatasetSpec
from .field import Field
from .section import EnricherSpec, PublicationSpec, SourceSpec

_FIELDS = {kind.__struct_config__.tag: kind for kind in get_args(Field)}


def encode_spec(spec: DatasetSpec) -> str:
    """Return the spec as JSON text; the order of its fields is kept, defaults are left out."""
    return msgspec.json.encode(spec).decode()


def decode_spec(text: str) -> DatasetSpec:
    """Return the spec from the JSON text of `encode_spec`, as far as this code knows its keys.

    A newer version may have added keys; after a rollback they are ignored. Raises SpecError for a
    spec that cannot be read without them.
    """
    raw = msgspec.json.decode(text)
    for field in raw["fields"].values():
        if field["type"] in _FIELDS:
            _drop_unknown(field, {"type", *_FIELDS[field["type"]].__struct_fields__})
    for enricher in raw.get("enrichers", {}).values():
        _drop_unknown(enricher, {*EnricherSpec.__struct_fields__})
    for name, kind in (("source", SourceSpec), ("publish", PublicationSpec)):
        if raw.get(name):
            _drop_unknown(raw[name], {*kind.__struct_fields__})
    _drop_unknown(raw, {*DatasetSpec.__struct_fields__})
    try:
        return msgspec.convert(raw, DatasetSpec)
    except msgspec.ValidationError as error:
        message = f"the spec of {raw['name']} needs a newer version of this code: {error}"
        raise SpecError(message) from None


def _drop_unknown(values: dict[str, Any], known: set[str]) -> None:
    for name in values.keys() - known:
        del values[name]
