"""Tests of keys: equal records have the same key, and different records have different keys."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.spec.dataset_spec import DatasetSpec
from db.spec.field import BooleanField, NumberField, TextField
from db.spec.record_key import FOLDS, KEY_BYTES, fold_of, key_of

SPEC = DatasetSpec(
    name="guests",
    kind="classification",
    target="room",
    fields={"wish": TextField(), "age": NumberField(), "alone": BooleanField(default=True)},
)


def key(wish: object, age: object, **more: object) -> bytes:
    """Return the key of a guest with these inputs."""
    return SPEC.key(SPEC.read_inputs({"wish": wish, "age": age, **more}))


def test_a_key_is_the_first_half_of_a_sha256_over_a_json_array() -> None:
    """Anyone can compute it; keys are stored, so this must never change."""
    whole = hashlib.sha256('["Un café",30,true,0.5]'.encode()).digest()
    assert key_of(["Un café", 30, True, 0.5]) == whole[:16]
    assert KEY_BYTES == 16


@pytest.mark.parametrize("age", [30, 30.0, "30", "30.0", "3e1", " +30 "])
def test_a_number_has_one_key_however_it_is_written(age: object) -> None:
    """The key depends on the value, not on its spelling."""
    assert key("a view", age) == key("a view", 30)


@pytest.mark.parametrize("age", [-0.0, "-0", "-0.0"])
def test_minus_zero_has_the_key_of_zero(age: object) -> None:
    """The two numbers are equal."""
    assert key("a view", age) == key("a view", 0)


@pytest.mark.parametrize("wish", ["l'été", "l'e\u0301te\u0301", "  l'été\n", "\u3000l'été\xa0"])
def test_a_text_has_one_key_in_any_unicode_form_and_with_outer_white_space(wish: str) -> None:
    """Devices write é in different ways."""
    assert key(wish, 1) == key("l'été", 1)


@pytest.mark.parametrize("wish", ["a big room", "a\tbig\r\nroom", " a  big   room "])
def test_runs_of_white_space_do_not_change_the_key(wish: str) -> None:
    """A run of white space counts as one space."""
    assert key(wish, 1) == key("a big room", 1)


def test_a_field_left_out_has_the_key_of_its_default() -> None:
    """It is the same record, with or without the default."""
    assert key("a view", 1) == key("a view", 1, alone="1")
    assert key("a view", 1) != key("a view", 1, alone="0")


def test_the_order_in_which_inputs_are_given_does_not_matter() -> None:
    """Only the order of the spec matters."""
    inputs = {"alone": "true", "age": "1", "wish": "a view"}
    assert SPEC.key(SPEC.read_inputs(inputs)) == key("a view", 1)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (["ab", "c"], ["a", "bc"]),
        (["A"], ["a"]),
        (["1"], [1]),
        ([1], [True]),
        (["été"], ["ete"]),
        (["a", "b"], ["b", "a"]),
    ],
)
def test_different_values_have_different_keys(first: list[str], second: list[str]) -> None:
    """Boundaries between texts, case, types, accents and order all count."""
    assert key_of(first) != key_of(second)


@given(st.floats(-1e100, 1e100))
def test_the_key_of_a_number_is_the_same_from_a_query_and_from_a_body(number: float) -> None:
    """A record that was stored for a query is found for a body."""
    assert key("a view", repr(number)) == key("a view", number)


@given(st.integers(0, 2**128 - 1))
def test_a_fold_is_the_key_modulo_five(number: int) -> None:
    """Stored out-of-fold answers depend on it."""
    assert fold_of(number.to_bytes(KEY_BYTES, "big")) == number % 5
    assert FOLDS == 5
