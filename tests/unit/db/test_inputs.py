"""Tests of inputs and labels as a dataset's spec reads them."""

from __future__ import annotations

import pytest

from db.errors import InputError
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import IntegerField, TextField


def guests(**more: object) -> DatasetSpec:
    """Return a spec that is created in code."""
    fields = {"wish": TextField(), "age": IntegerField(default=30), "note": TextField(default="")}
    options: dict[str, object] = {"kind": "classification", "labels": ("small", "big"), **more}
    return DatasetSpec(name="guests", target="room", fields=fields, **options)  # type: ignore[arg-type]


def test_inputs_are_in_spec_order_with_defaults_filled_in() -> None:
    """An empty text may be a default, although a client may not send one."""
    inputs = guests().read_inputs({"age": "3e1", "wish": " a  view"})
    assert list(inputs.items()) == [("wish", "a view"), ("age", 30), ("note", "")]
    assert guests().read_inputs({"wish": "a view"}) == inputs


@pytest.mark.parametrize(
    ("raw", "field", "reason"),
    [
        ({}, "wish", "is missing"),
        (
            {"wish": "a view", "room": "big"},
            "room",
            "is not a field of guests; its fields are wish, age",
        ),
        ({"wish": "a view", "age": "old"}, "age", "must be a number"),
        ({"wish": "a view", "note": ""}, "note", "must not be empty"),
    ],
)
def test_an_error_names_the_field_at_fault(raw: dict[str, object], field: str, reason: str) -> None:
    """The user sees which input to correct."""
    with pytest.raises(InputError) as caught:
        guests().read_inputs(raw)
    assert caught.value.field == field
    assert caught.value.reason.startswith(reason)


def test_picking_inputs_ignores_other_columns() -> None:
    """A data file may have more columns than the dataset needs."""
    assert guests().pick_inputs({"wish": "a view", "room": "big"})["wish"] == "a view"


@pytest.mark.parametrize("raw", [None, ""])
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_a_missing_label_is_none(raw: object, kind: str) -> None:
    """A record may get its label later."""
    assert guests(kind=kind, labels=()).read_label(raw) is None


def test_a_label_is_one_of_the_labels_if_the_spec_lists_them() -> None:
    """Otherwise a typing error would become a new class."""
    assert guests().read_label(" big ") == "big"
    assert guests(labels=()).read_label(3) == "3"
    with pytest.raises(InputError, match="room: must be one of small, big"):
        guests().read_label("Big")


@pytest.mark.parametrize("raw", [30, 30.0, "30", "3e1"])
def test_a_regression_label_is_read_by_its_value(raw: object) -> None:
    """Importing the same rows from a file in another format changes no label."""
    assert guests(kind="regression", labels=()).read_label(raw) == "30.0"
    with pytest.raises(InputError, match="room: must be a number"):
        guests(kind="regression", labels=()).read_label("many")
