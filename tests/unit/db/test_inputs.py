"""Inputs and labels as a dataset's spec reads them."""

from __future__ import annotations

import pytest

from db.errors import InputError
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import IntegerField, TextField


def guests(**more: object) -> DatasetSpec:
    """Return a spec made in code."""
    fields = {"wish": TextField(), "age": IntegerField(default=30), "note": TextField(default="")}
    made: dict[str, object] = {"kind": "classification", "labels": ("small", "big"), **more}
    return DatasetSpec(name="guests", target="room", fields=fields, **made)  # type: ignore[arg-type]


def test_inputs_are_in_spec_order_with_defaults_filled_in() -> None:
    """An empty text may be a default, although nobody may give one."""
    read_in = guests().read_inputs({"age": "3e1", "wish": " a  view"})
    assert list(read_in.items()) == [("wish", "a view"), ("age", 30), ("note", "")]
    assert guests().read_inputs({"wish": "a view"}) == read_in


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
def test_inputs_are_refused_by_the_field_at_fault(
    raw: dict[str, object], field: str, reason: str
) -> None:
    """The answer names it."""
    with pytest.raises(InputError) as caught:
        guests().read_inputs(raw)
    assert caught.value.field == field
    assert caught.value.reason.startswith(reason)


def test_picking_inputs_passes_over_what_is_no_field() -> None:
    """A data file may have more columns than are of use."""
    assert guests().pick_inputs({"wish": "a view", "room": "big"})["wish"] == "a view"


@pytest.mark.parametrize("raw", [None, ""])
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_no_label_is_none(raw: object, kind: str) -> None:
    """A record may wait for its label."""
    assert guests(kind=kind, labels=()).read_label(raw) is None


def test_a_label_is_one_of_the_labels_if_the_spec_lists_them() -> None:
    """A slip would be another class."""
    assert guests().read_label(" big ") == "big"
    assert guests(labels=()).read_label(3) == "3"
    with pytest.raises(InputError, match="room: must be one of small, big"):
        guests().read_label("Big")


@pytest.mark.parametrize("raw", [30, 30.0, "30", "3e1"])
def test_a_regressions_label_is_a_number_by_value(raw: object) -> None:
    """Importing the same rows from another file changes no label."""
    assert guests(kind="regression", labels=()).read_label(raw) == "30.0"
    with pytest.raises(InputError, match="room: must be a number"):
        guests(kind="regression", labels=()).read_label("many")
