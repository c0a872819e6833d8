"""Tests of the form to try a model: each field gets the input that fits it."""

from __future__ import annotations

from typing import get_args

import pytest

from db.spec.dataset_spec import DatasetSpec
from db.spec.dates.date_value import DateOrder
from db.spec.field import (
    BooleanField,
    ChoiceField,
    DateField,
    DatetimeField,
    Field,
    IntegerField,
    NumberField,
    TextField,
)
from db.spec.validation import read_value
from serve.pages.trying.predict_form import MOST_SUGGESTIONS, FormField, form_fields, link_text


def form_field(field: Field, value: object = None) -> FormField:
    """Return the form field for a field with a value."""
    spec = DatasetSpec(name="a", kind="regression", target="b", fields={"size": field})
    (found,) = form_fields(spec, {"size": value})
    return found


@pytest.mark.parametrize("field", [TextField(), NumberField(), DateField(), BooleanField()])
def test_a_required_field_must_be_filled(field: Field) -> None:
    """Its label does not call it optional."""
    assert (form_field(field).required, form_field(field).label) == (True, "size")


@pytest.mark.parametrize(
    "field", [TextField(optional=True, title="Size"), IntegerField(default=1, title="Size")]
)
def test_a_field_that_may_be_empty_is_called_optional(field: Field) -> None:
    """A default makes it so too."""
    assert (form_field(field).required, form_field(field).label) == (False, "Size (optional)")


def test_a_strict_choice_is_a_select_with_an_empty_option_if_it_is_optional() -> None:
    """A required one has no empty option."""
    colours = ("red", "blue")
    required = form_field(ChoiceField(choices=colours, strict=True))
    optional = form_field(ChoiceField(choices=colours, strict=True, optional=True))
    assert (required.kind, required.options) == ("select", colours)
    assert (optional.kind, optional.options) == ("select", ("", *colours))


def test_a_select_shows_an_invalid_value_as_it_was_sent() -> None:
    """Otherwise it would show its first option, which nobody asked for."""
    field = ChoiceField(choices=("red", "blue"), strict=True)
    assert form_field(field, "green").options == ("red", "blue", "green")


def test_an_optional_boolean_may_be_empty() -> None:
    """Its value in a query is true or false."""
    assert form_field(BooleanField(optional=True), value=True).options == ("", "true", "false")
    assert form_field(BooleanField(), value=True).value == "true"


def test_an_open_choice_is_a_text_with_suggestions() -> None:
    """A long list is cut, and without a list there are none."""
    many = tuple(str(number) for number in range(1000))
    for choices in ((), ("red", "blue"), many):
        found = form_field(ChoiceField(choices=choices), "green")
        assert (found.kind, found.type, found.value) == ("input", "text", "green")
        assert found.options == choices[:MOST_SUGGESTIONS]


@pytest.mark.parametrize(
    ("value", "shown_as"),
    [
        (None, "number"),
        (-2.5, "number"),
        ("1e5", "number"),
        ("$1,200", "text"),
        ("nan", "text"),
        ("1_000", "text"),
        ("+5", "text"),
        ("5.", "text"),
    ],
)
def test_a_number_that_a_number_input_cannot_show_is_shown_as_text(
    value: object, shown_as: str
) -> None:
    """A number input would be empty."""
    assert form_field(NumberField(format="$1,234.5"), value).type == shown_as


def test_a_number_has_its_limits_and_a_whole_number_has_steps() -> None:
    """Zero is a limit too."""
    found = form_field(IntegerField(min=0, max=130))
    assert (found.step, found.least, found.most) == ("1", "0", "130")
    found = form_field(NumberField())
    assert (found.step, found.least, found.most) == ("any", "", "")


@pytest.mark.parametrize(
    ("field", "value", "shown_as"),
    [
        (DateField(), None, "date"),
        (DateField(order="DMY"), "2024-01-31", "date"),
        (DateField(), "31 Jan 2024", "text"),
        (DateField(order="epoch"), "2024-01-31", "text"),
        (DatetimeField(), None, "datetime-local"),
        (DatetimeField(), "2024-01-31T08:00:00", "datetime-local"),
        (DatetimeField(), "2024-01-31T08:00:00+01:00", "text"),
        (DatetimeField(order="epoch"), "1706688000", "text"),
    ],
)
def test_a_date_has_a_date_picker_unless_that_cannot_show_it(
    field: Field, value: object, shown_as: str
) -> None:
    """A picker shows neither a time zone nor another notation."""
    assert form_field(field, value).type == shown_as


@pytest.mark.parametrize("order", get_args(DateOrder))
def test_what_a_date_picker_sends_is_accepted_in_each_order(order: DateOrder) -> None:
    """Its time has no seconds."""
    day, moment = DateField(order=order), DatetimeField(order=order)
    assert read_value("day", day, "2024-02-01") == "2024-02-01"
    assert read_value("moment", moment, "2024-02-01T08:30") == "2024-02-01T08:30:00"


def test_a_field_is_filled_from_its_columns_name() -> None:
    """A request may use that name."""
    field = TextField(column="The size")
    spec = DatasetSpec(name="a", kind="regression", target="b", fields={"size": field})
    (found,) = form_fields(spec, {"The size": "large"})
    assert found.value == "large"


def test_the_text_of_a_link_leaves_out_missing_values() -> None:
    """It is shortened."""
    assert link_text({"a": None, "b": 2, "c": True}) == "2, true"
    assert link_text({"a": None}) == "–"
    assert len(link_text({"a": "x" * 100})) == 60
