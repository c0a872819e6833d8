"""Tests of inputs and labels as a dataset's spec reads them."""

from __future__ import annotations

import pytest

from db.errors import InputError
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import ChoiceField, DateField, IntegerField, NumberField, TextField


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
        ({"wish": ""}, "wish", "must not be empty"),
    ],
)
def test_an_error_names_the_field_at_fault(raw: dict[str, object], field: str, reason: str) -> None:
    """The user sees which input to correct."""
    with pytest.raises(InputError) as caught:
        guests().read_inputs(raw)
    assert caught.value.field == field
    assert caught.value.reason.startswith(reason)


TABLE = DatasetSpec(
    name="table",
    kind="regression",
    target="price",
    target_format="$1,234.5",
    target_missing=("?",),
    id="number",
    id_column="Order No",
    fields={
        "size": NumberField(optional=True, column="Größe", format="1234,5 m²"),
        "town": ChoiceField(optional=True, missing=("-",)),
        "day": DateField(optional=True, order="DMY"),
    },
)


def test_a_row_is_read_as_it_stands_in_its_file() -> None:
    """Its formats, its words for missing, and its id."""
    row = {"Order No": " 17 ", "Größe": "42,5 m²", "town": "-", "day": "7.1.24", "price": "$1,250"}
    assert TABLE.pick_inputs(row) == {"size": 42.5, "town": None, "day": "2024-01-07"}
    assert (TABLE.pick_label(row), TABLE.pick_row_id(row)) == ("1250.0", "17")
    assert TABLE.pick_label({**row, "price": "?"}) is None


def test_a_request_may_use_the_names_of_columns() -> None:
    """A row id beside inputs is ignored."""
    by_column = TABLE.read_inputs({"Größe": "42,5 m²", "Order No": 3})
    assert (
        by_column == TABLE.read_inputs({"size": 42.5}) == {"size": 42.5, "town": None, "day": None}
    )
    with pytest.raises(InputError, match="size: is given twice, once as Größe"):
        TABLE.read_inputs({"size": 1, "Größe": 2})


def test_a_request_gives_at_least_one_field() -> None:
    """Nothing can be said about nothing."""
    for raw in ({}, {"town": "-"}, {"number": 3}):
        with pytest.raises(InputError, match="size: is missing; give at least one field of table"):
            TABLE.read_inputs(raw)


def test_a_row_id_alone_names_a_row() -> None:
    """Whole numbers and texts are the same id."""
    assert TABLE.is_row_id_alone({"number": 3})
    assert TABLE.is_row_id_alone({"Order No": "3"})
    assert not TABLE.is_row_id_alone({"number": 3, "town": "Lyon"})
    assert not guests().is_row_id_alone({"": 3})
    assert TABLE.read_row_id(3.0) == TABLE.read_row_id(" 3") == "3"


@pytest.mark.parametrize("cell", ["42,5", "42.5", "1.234 m²"])
def test_a_cell_of_a_file_that_can_mean_two_things_is_a_bad_one(cell: str) -> None:
    """42,5 without its unit may be feet, and 1.234 is a decimal number or a whole one."""
    with pytest.raises(InputError, match="size"):
        TABLE.pick_inputs({"Größe": cell})


def test_codes_in_a_json_file_may_be_numbers() -> None:
    """Its columns do not have one type."""
    assert TABLE.pick_inputs({"town": 3})["town"] == TABLE.pick_inputs({"town": "3"})["town"]


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
