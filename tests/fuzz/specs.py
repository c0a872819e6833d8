"""Datasets with every kind of field, which the fuzzed bytes are read for."""

from __future__ import annotations

from db.spec.dataset_spec import DatasetSpec
from db.spec.field import (
    BooleanField,
    ChoiceField,
    DateField,
    DatetimeField,
    IntegerField,
    NumberField,
    TextField,
)

EVERY_KIND = DatasetSpec(
    name="kinds",
    kind="regression",
    target="price",
    fields={
        "words": TextField(optional=True),
        "size": NumberField(optional=True, format="1,234.5"),
        "rooms": IntegerField(optional=True, min=0),
        "town": ChoiceField(optional=True, choices=("Lyon", "Paris")),
        "sold": BooleanField(optional=True),
        "day": DateField(optional=True),
        "at": DatetimeField(optional=True),
    },
    id="flat",
)
